"""Relay connections (Cursor Connections specification) with a `nodes` shortcut, for any node type."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import strawberry
from strawberry import Info

from app.api.graphql.selecting import Projected, project

Node = TypeVar("Node")


@strawberry.type(description="Where a page lies in its collection.")
class PageInfo:
    start_cursor: str | None
    end_cursor: str | None
    has_next_page: bool
    has_previous_page: bool


@strawberry.type(description="An item of a collection with its cursor.")
class Edge(Generic[Node]):
    cursor: str
    node: Node


@strawberry.type(description="A page of a collection.")
class Connection(Generic[Node]):
    nodes: list[Node]
    edges: list[Edge[Node]]
    page_info: PageInfo


async def answered(info: Info, projected: Projected) -> Any:
    """The value of a projected field in a query that also asks for something else (introspection, say)."""
    return await project(info, projected)


def nowhere() -> Any:
    """The resolver of a nested field with arguments: the projection answers it, so this is never called."""
    raise NotImplementedError
