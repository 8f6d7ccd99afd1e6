"""Feeds of signals as root fields."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
import strawberry
from strawberry import Info

from app.api.graphql.shaping import ready
from app.domain.feeds import DEFAULT_ENTRIES, feed_title, list_feeds, read_feed
from app.domain.feeds import FeedQuery as Question


@strawberry.type(description="A feed that you may read.")
class Feed:
    code: str
    title: str


@strawberry.type(description="Where and by when an umbrella answers, and its answer.")
class FeedForwarding:
    umbrella: str
    state: str
    respond_by: str
    response: str | None


@strawberry.type(
    description="A signal in a feed. Where `state` is not `present` it is gone: remove your copy; then all but `id`, "
    "`version` and `updated` is null."
)
class FeedEntry:
    id: strawberry.ID
    state: str
    version: int
    updated: datetime
    published: datetime | None
    title: str | None
    text: str | None
    url: str | None
    hub: str | None
    kind: str | None
    status: str | None
    visibility: str | None
    heard_on: str | None
    themes: list[str] | None
    workfields: list[str] | None
    region: str | None
    forwardings: list[FeedForwarding] | None


@strawberry.type(description="A page of a feed, the latest change first. `next` is the cursor to older entries.")
class FeedPage:
    code: str
    title: str
    entries: list[FeedEntry]
    next: str | None


PROJECTED: dict[str, Any] = {}


@strawberry.type
class FeedQuery:
    """The root fields of feeds."""

    @strawberry.field(description="The feeds that you may read.")
    async def feeds(self, info: Info) -> list[Feed]:
        context = info.context
        found = await list_feeds(context.services.feeds, context.actor, context.language)
        return ready(info, [{"code": feed.code, "title": feed.title} for feed in found])

    @strawberry.field(description="A page of a feed: each signal once, as it is now or that it is gone.")
    async def feed(
        self, info: Info, code: str, first: int = DEFAULT_ENTRIES, cursor: str | None = None
    ) -> FeedPage | None:
        context = info.context
        query = Question(code, "items", first, cursor, context.base_url, context.language)
        page = await read_feed(context.services.feeds, context.actor, query)
        entries = [_entry(item) for item in orjson.loads(page.items)]
        title = feed_title(code, page.name, context.language)
        return ready(info, {"code": code, "title": title, "entries": entries, "next": page.next})


def _entry(item: dict[str, Any]) -> dict[str, Any]:
    known = item["_knooppunt"]
    found = {
        "id": item["id"].removeprefix("urn:uuid:"),
        "state": known["state"],
        "version": known["version"],
        "updated": item["date_modified"],
    }
    if known["state"] != "present":
        return found
    return {
        **known,
        **found,
        "region": known["region"] and known["region"]["code"],
        "published": item["date_published"],
        "title": item["title"],
        "text": item["content_text"],
        "url": item["url"],
    }
