"""The change log as a root field, a subscription and digests."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any

import strawberry
from graphql import VariableValues
from strawberry import Info

from app.api.graphql.bundles import Bundle
from app.api.graphql.connections import answered
from app.api.graphql.executing import Ready
from app.api.graphql.hubs import Hub
from app.api.graphql.limits import Limits
from app.api.graphql.questions import Question
from app.api.graphql.selecting import Projected
from app.api.graphql.signals import Signal
from app.api.graphql.walking import Walk, Walked, page_size
from app.domain.changes import STREAM_CHANGES, Page, Pull, checked, checked_types, follow_changes, pull_changes
from app.domain.errors import Fault, Faults, Invalid
from app.domain.reading import Pick

HEARTBEAT_SECONDS = 60.0


@strawberry.type(
    description="One change. `op`: `upsert`, `delete`, or `hidden` when it still exists, but not for you. Position orders "
    "the stream, `version` orders a resource. What was changed is in the field of its type; null when it is gone."
)
class Change:
    cursor: str
    type: str
    id: str
    external_id: str | None
    version: int
    op: str
    at: datetime
    hub: Hub | None
    signal: Signal | None
    question: Question | None
    bundle: Bundle | None


@strawberry.type(description="A page of changes. `cursor` says where to go on, also on an empty page.")
class ChangePage:
    items: list[Change]
    cursor: str
    more: bool


@strawberry.type(
    description="What you should hold of one type, of one hub, created in one month: of each resource the first 8 bytes of "
    "SHA-256 over `type:id:version`, combined by exclusive or."
)
class ChangeDigest:
    type: str
    month: str
    count: int
    digest: str
    hub: Hub


PROJECTED = {"changeDigests": Projected("change-digest", "list", {"type": "type", "hub": "hub"}, rows=500)}


@strawberry.type
class ChangeQuery:
    """The root fields of the change log."""

    @strawberry.field(
        description="What changed and you may see, once, in the order in which it was committed. Without cursor from the "
        "beginning, or from the time `since`."
    )
    async def changes(
        self,
        info: Info,
        first: int = 50,
        cursor: str | None = None,
        since: datetime | None = None,
        types: list[str] | None = None,
    ) -> ChangePage:
        walked, values = _walked(info)
        items = [pick for pick in walked.picks if pick.name == "items"]
        if len(items) > 1:
            detail = "Ask for items once: a page has one cursor."
            raise Invalid([Fault("query", "changes.items", "repeated-field", detail)])
        limit = page_size({"first": first}, "changes")
        pull = _pull(info, items[0].picks if items else (), values, cursor, since, types, limit)
        page = await pull_changes(info.context.changes, info.context.actor, pull, None)
        return Ready(_page_json(walked.picks, page))  # type: ignore[return-value]

    @strawberry.field(description="Digests of all that you may see, to compare with what you hold.")
    async def change_digests(self, info: Info, type: str | None = None, hub: str | None = None) -> list[ChangeDigest]:
        return await answered(info, PROJECTED["changeDigests"])


@strawberry.type
class ChangeSubscription:
    """What is told as it happens, over graphql-transport-ws."""

    @strawberry.subscription(
        description="Each change that you may see, as it comes. Keep its `cursor`, and go on from there after a break. "
        "Ends after an hour: subscribe again."
    )
    async def changes(
        self,
        info: Info,
        cursor: str | None = None,
        since: datetime | None = None,
        types: list[str] | None = None,
    ) -> AsyncGenerator[Change, None]:
        walked, values = _walked(info)
        pull = _pull(info, walked.picks, values, cursor, since, types, STREAM_CHANGES)
        context = info.context
        pages = follow_changes(context.changes, context.actor, pull, context.waiting(), HEARTBEAT_SECONDS)
        async for page in pages:
            for entry in page.entries:
                yield Ready(entry.body.encode())  # type: ignore[misc]


def _walked(info: Info) -> tuple[Walked, tuple[Any, ...]]:
    """What is selected below the field that is being resolved, and the values that its arguments name."""
    raw = info._raw_info  # noqa: SLF001 - fragments and field nodes are nowhere else
    coerced: Any = raw.variable_values
    variables = coerced if isinstance(coerced, VariableValues) else VariableValues({}, coerced)
    definition = raw.parent_type.fields[raw.field_name]
    walked = Walk(raw.schema, raw.fragments, variables, Limits()).below(definition, list(raw.field_nodes))
    return walked, tuple(value for binding in walked.bindings for value in binding.values(variables))


def _pull(
    info: Info,
    picks: tuple[Pick, ...],
    values: tuple[Any, ...],
    cursor: str | None,
    since: datetime | None,
    types: list[str] | None,
    limit: int,
) -> Pull:
    faults = Faults()
    known = checked_types(types, "query", faults)
    if since is not None and since.tzinfo is None:
        faults.add("query", "since", "invalid-value", "A time comes with its offset.")
    faults.raise_if_any()
    pull = Pull(picks, known, cursor, since, limit, (), values, info.context.language)
    return checked(pull, datetime.now(UTC))


def _page_json(picks: tuple[Pick, ...], page: Page) -> bytes:
    """The JSON of a page, with the keys that were asked for."""
    values = {"items": page.items, "cursor": b'"%s"' % page.cursor.encode(), "more": b"true" if page.more else b"false"}
    parts = [b'"%s":%s' % (pick.key.encode(), values.get(pick.name, b'"ChangePage"')) for pick in picks]
    return b"{" + b",".join(parts) + b"}"
