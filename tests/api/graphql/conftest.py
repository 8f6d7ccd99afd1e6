"""A small network to ask GraphQL questions about, with a reader that answers from the shape of the question."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import SimpleNamespace
from typing import Any

import httpx
import orjson
import pytest
import strawberry

from app.api.graphql.executing import Context
from app.api.graphql.selecting import Projected, project
from app.api.graphql.transport import GraphQLEndpoint
from app.domain.errors import Conflict, Stale
from app.domain.reading import Answer, Language, NounShape, Pick, Selection

TODAY = date(2026, 3, 1)


@strawberry.interface
class Named:
    name: str


@strawberry.type
class Region(Named):
    code: str
    scheme: str


@strawberry.type
class Overlap:
    region: Region
    share_of_this: str


@strawberry.type
class Host:
    organisation: str
    status: str


@strawberry.type
class Hub(Named):
    slug: str
    phase: str | None
    area: Region
    hosts: list[Host]

    @strawberry.field
    def overlaps(self, scheme: str = "ggd-regio", limit: int | None = None) -> list[Overlap]:
        raise NotImplementedError


@strawberry.type
class PageInfo:
    end_cursor: str | None
    start_cursor: str | None
    has_next_page: bool
    has_previous_page: bool


@strawberry.type
class HubEdge:
    cursor: str
    node: Hub


@strawberry.type
class HubConnection:
    nodes: list[Hub]
    edges: list[HubEdge]
    page_info: PageInfo


@strawberry.input
class HubFilter:
    phase: str | None = None
    regions: list[str] | None = None


@strawberry.enum
class HubSort(enum.Enum):
    NAME = "name"
    NEWEST = "-since"


PROJECTED: Mapping[str, Projected] = {
    "hubs": Projected("hub", "connection", {"phase": "phase", "regions": "region"}),
    "hub": Projected("hub", "one", {"slug": "slug"}),
    "regions": Projected("region", "list", {"scheme": "scheme"}, rows=40),
}


@strawberry.type
class HubPayload:
    slug: strawberry.Private[str]

    @strawberry.field
    async def hub(self, info: strawberry.Info) -> Hub:
        result: Hub = await project(info, PROJECTED["hub"], filters={"slug": self.slug})
        return result


@strawberry.type
class Query:
    @strawberry.field
    async def hubs(
        self,
        info: strawberry.Info,
        first: int = 50,
        after: str | None = None,
        filter: HubFilter | None = None,
        sort: HubSort | None = None,
        as_of: date | None = None,
    ) -> HubConnection:
        result: HubConnection = await project(info, PROJECTED["hubs"])
        return result

    @strawberry.field
    async def hub(self, info: strawberry.Info, slug: str, as_of: date | None = None) -> Hub | None:
        result: Hub | None = await project(info, PROJECTED["hub"])
        return result

    @strawberry.field
    async def regions(self, info: strawberry.Info, scheme: str | None = None) -> list[Region]:
        result: list[Region] = await project(info, PROJECTED["regions"])
        return result

    @strawberry.field
    def greeting(self) -> str | None:
        return "hoi"

    @strawberry.field
    def named(self) -> list[Named]:
        return []

    @strawberry.field
    def broken(self) -> str | None:
        raise RuntimeError("password=hunter2")


@strawberry.type
class Mutation:
    @strawberry.mutation
    def rename_hub(self, slug: str, name: str, version: int = 1) -> HubPayload:
        if version != 1:
            raise Stale("The hub has changed.", current=1)
        if name == slug:
            raise Conflict("That is the slug.", hub=slug)
        return HubPayload(slug=slug)


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def changes(self) -> AsyncIterator[str]:
        yield "change"


LEAVES = {"name", "code", "scheme", "shareOfThis", "organisation", "status", "slug", "phase", "cursor"} | {
    "endCursor",
    "startCursor",
    "hasNextPage",
    "hasPreviousPage",
}


def rendered(pick: Pick, values: tuple[Any, ...]) -> Any:
    """What the database would say: every field its own name, with the values of its arguments."""
    if pick.name.startswith("__typename:"):
        return pick.name.removeprefix("__typename:")
    told = "".join(f" {name}={values[index]}" for name, index in sorted(pick.args))
    if pick.name in LEAVES:
        return True if pick.name.startswith("has") else pick.name + told
    item = {below.key: rendered(below, values) for below in pick.picks}
    return [item, item] if pick.name in ("nodes", "edges", "hosts", "overlaps") else item


@dataclass
class FakeReader:
    """Remembers what was asked. `failing` is raised instead of an answer, `empty` are the nouns that are not there."""

    asked: list[list[Selection]] = field(default_factory=list)
    failing: Exception | None = None
    empty: set[str] = field(default_factory=set)

    async def read(self, selections: Sequence[Selection], *, actor: Any, language: Language) -> list[Answer]:
        self.asked.append(list(selections))
        if self.failing is not None:
            raise self.failing
        return [self._answer(selection) for selection in selections]

    def nouns(self) -> Mapping[str, NounShape]:
        return {}

    def _answer(self, selection: Selection) -> Answer:
        shape = selection.shape
        if shape.noun in self.empty:
            return Answer(None)
        item = {pick.key: rendered(pick, selection.values) for pick in shape.picks}
        return Answer(orjson.dumps([item, item] if shape.kind == "list" else item))


class Client:
    """Asks an endpoint over HTTP, without a server."""

    def __init__(self, **settings: Any) -> None:
        self.reader = FakeReader()
        self.day = TODAY
        self.endpoint = GraphQLEndpoint(
            schema=SCHEMA,
            reader=self.reader,
            projected=PROJECTED,
            context=settings.pop("context", _context),
            today=lambda: self.day,
            **settings,
        )

    def request(self, method: str, url: str = "/graphql", **arguments: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.endpoint)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                client.headers.pop("accept")
                return await client.request(method, url, **arguments)

        return asyncio.run(send())

    def post(self, content: Any, accept: str = "application/graphql-response+json") -> httpx.Response:
        return self.request("POST", json=content, headers={"accept": accept})

    def ask(self, query: str, **variables: Any) -> Any:
        return self.post({"query": query, "variables": variables}).json()

    @property
    def last(self) -> list[Selection]:
        return self.reader.asked[-1]


async def _context(scope: Any) -> Context:
    return Context(actor=None, language="nl", request_id="request-1")


SCHEMA = strawberry.Schema(query=Query, mutation=Mutation, subscription=Subscription, types=[Region, Hub])


@pytest.fixture(scope="session")
def sample() -> SimpleNamespace:
    return SimpleNamespace(schema=SCHEMA, graphql=SCHEMA._schema, projected=PROJECTED, today=TODAY, rendered=rendered)


@pytest.fixture(scope="session")
def new_client() -> Callable[..., Client]:
    return Client


@pytest.fixture
def client() -> Client:
    return Client()
