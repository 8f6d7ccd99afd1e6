"""Feeds of signals over REST: JSON Feed, Atom, CloudEvents, and as Server-Sent Events."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

import orjson
from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from app.api.accepting import JSON, preferred
from app.api.rest.answers import Strict, Whole, etag, respond
from app.api.rest.atom import ATOM, atom
from app.api.rest.contract import STREAM, Collection, Reference, responses
from app.api.rest.doors import Ask, Asking, Door
from app.api.rest.streaming import HEARTBEAT_SECONDS, EventStream
from app.api.waiting import RequestWaiting
from app.domain.changes import STREAM_CHANGES
from app.domain.feeds import (
    DEFAULT_ENTRIES,
    MOST_ENTRIES,
    FeedPage,
    FeedQuery,
    feed_title,
    follow_feed,
    list_feeds,
    read_feed,
)

router = APIRouter(prefix="/v1", tags=["Feeds"], route_class=Door)

JSON_FEED = "application/feed+json"
EVENTS = "application/cloudevents-batch+json"
MEDIA = (JSON_FEED, JSON, ATOM, EVENTS)
FORMATS = {"json": JSON_FEED, "atom": ATOM, "cloudevents": EVENTS}
VERSION = "https://jsonfeed.org/version/1.1"

_MOMENT = {"type": "string", "format": "date-time"}
_TEXT: dict[str, Any] = {"type": "string"}
_FORWARDING = {
    "type": "object",
    "required": ["umbrella", "state", "respondBy", "response"],
    "properties": {
        "umbrella": _TEXT,
        "state": _TEXT,
        "respondBy": {"type": "string", "format": "date"},
        "response": {"type": ["string", "null"]},
    },
}
_KNOWN = {
    "type": "object",
    "description": "What JSON Feed has no names for. Of what is gone, `state` and `version` alone.",
    "required": ["state", "version"],
    "properties": {
        "state": {
            "enum": ["present", "withdrawn", "deleted"],
            "description": "Other than `present`: remove your copy.",
        },
        "version": {"type": "integer", "examples": [3]},
        "kind": _TEXT,
        "status": _TEXT,
        "visibility": _TEXT,
        "heardOn": {"type": "string", "format": "date"},
        "hub": {"type": "string", "description": "Slug of the hub.", "examples": ["limburg"]},
        "themes": {"type": "array", "items": _TEXT, "examples": [["wachttijden"]]},
        "workfields": {"type": "array", "items": _TEXT},
        "region": {
            "type": ["object", "null"],
            "properties": {"code": _TEXT, "scheme": _TEXT, "name": _TEXT},
            "examples": [{"code": "GG2014", "scheme": "ggd-regio", "name": "GGD Limburg-Noord"}],
        },
        "forwardings": {"type": "array", "items": _FORWARDING},
    },
}
_AUTHORS = {
    "type": "array",
    "items": {"type": "object", "required": ["name"], "properties": {"name": _TEXT, "url": _TEXT}},
}
_ENTRY = {
    "type": "object",
    "required": ["id", "title", "content_text", "date_modified", "language", "_knooppunt"],
    "properties": {
        "id": {"type": "string", "examples": ["urn:uuid:01890a5d-ac96-774b-bcce-b302099a8057"]},
        "url": _TEXT,
        "title": _TEXT,
        "content_text": _TEXT,
        "date_published": _MOMENT,
        "date_modified": _MOMENT,
        "authors": _AUTHORS,
        "language": _TEXT,
        "tags": {"type": "array", "items": _TEXT, "description": "Labels of the themes."},
        "_knooppunt": _KNOWN,
    },
}
_HUB = {"type": "object", "required": ["type", "url"], "properties": {"type": _TEXT, "url": _TEXT}}
# Inline: the names of JSON Feed and CloudEvents are theirs, not those of the schemas of this service.
_FEED = {
    "type": "object",
    "required": ["version", "title", "home_page_url", "feed_url", "language", "authors", "items"],
    "properties": {
        "version": {"const": VERSION},
        "title": {"type": "string", "examples": ["Signalen voor MIND"]},
        "home_page_url": _TEXT,
        "feed_url": _TEXT,
        "next_url": {"type": "string", "description": "The next page, with older entries. Absent on the last one."},
        "language": _TEXT,
        "authors": _AUTHORS,
        "hubs": {
            "type": "array",
            "items": _HUB,
            "description": "On the first page: the stream that goes on after its newest entry.",
        },
        "items": {"type": "array", "items": _ENTRY},
    },
}
_EVENT = {
    "type": "object",
    "required": ["specversion", "id", "source", "type", "time", "subject", "sequence", "dataref"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": _TEXT,
        "source": {"type": "string", "examples": ["urn:nld:knooppunt:feed:mind"]},
        "type": {
            "enum": [f"nl.knooppunt.signal.{name}" for name in ("verified", "changed", "withdrawn", "deleted")],
        },
        "time": _MOMENT,
        "subject": {"type": "string", "description": "Id of the signal.", "format": "uuid"},
        "sequence": {"type": "string", "description": "Orders events, as text."},
        "dataref": {"type": "string", "description": "Where the signal can be read, with your own token."},
        "hub": _TEXT,
        "signalversion": {"type": "integer"},
    },
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A page, the newest change first.",
        "content": {
            JSON_FEED: {"schema": _FEED},
            JSON: {"schema": _FEED},
            ATOM: {"schema": {"type": "string"}},
            EVENTS: {"schema": {"type": "array", "items": _EVENT}},
        },
        "headers": {
            "Link": {"description": '`rel="next"`: older entries (RFC 8288).', "schema": {"type": "string"}},
        },
    },
    304: {"description": "You have this already (`If-None-Match`)."},
    404: {"description": "Not there, or not yours to read."},
}


class FeedReference(Reference):
    """A feed that you may read."""

    code: str = Field(examples=["openbaar"])
    title: str = Field(examples=["Openbare signalen van de participatiehubs"])
    url: str = Field(
        description="Where it is, in every format.", examples=["https://api.knooppunt.example/v1/feeds/openbaar"]
    )
    stream_url: str = Field(description="The same as Server-Sent Events.")


Code = Annotated[str, Path(description="Code of the feed, from `/feeds`.", max_length=80, examples=["openbaar"])]
_CURSOR = Field(max_length=2000, description="Older entries: from `next_url` or `Link`.")


class FeedQueryModel(Strict):
    format: Annotated[
        Literal["json", "atom", "cloudevents"] | None,
        Field(description="Goes before `Accept`: JSON Feed, Atom or a batch of CloudEvents."),
    ] = None
    limit: Annotated[Whole, Field(ge=1, le=MOST_ENTRIES, description="Entries on a page.")] = DEFAULT_ENTRIES
    cursor: Annotated[str | None, _CURSOR] = None


class FeedStreamQuery(Strict):
    cursor: Annotated[
        str | None,
        Field(max_length=2000, description="Where to go on: from `hubs` of the feed. Without it: from the beginning."),
    ] = None


@router.get(
    "/feeds",
    summary="List feeds",
    description="Those that you may read: `openbaar` for everybody; for an umbrella the one of its own code, with what was "
    "routed to it; for the national coordination all, with `landelijk` for everything that hubs share.",
    responses=responses(Collection[FeedReference]),
)
async def list_all_feeds(asking: Ask) -> Response:
    asked = asking.asked
    found = await list_feeds(asking.services.feeds, asked.actor, asked.language)
    items = []
    for feed in found:
        url = _address(asking, feed.code)
        items.append({"code": feed.code, "title": feed.title, "url": url, "streamUrl": f"{url}/stream"})
    body = orjson.dumps({"items": items, "next": None})
    return respond(asking, body, etag(body))


@router.get(
    "/feeds/{feed}",
    summary="Read a feed",
    description="Every signal of the feed once, as it is now, the latest change first; pages lead back to the very first entry. "
    "A signal that was withdrawn, narrowed or purged stays as an entry without content: put it in the place of what you "
    "held. JSON Feed 1.1, Atom (RFC 4287, RFC 5005) or a batch of CloudEvents (NL GOV profile; thin, `dataref` leads to the "
    "signal), by `Accept` or `format`. docs/feeds.md.",
    responses=_ANSWERS,
)
async def get_feed(asking: Ask, feed: Code, query: Annotated[FeedQueryModel, Query()]) -> Response:
    media = FORMATS[query.format] if query.format else preferred(asking.request.headers.get("accept"), MEDIA)
    asked = asking.asked
    form: Literal["items", "events"] = "events" if media == EVENTS else "items"
    question = FeedQuery(feed, form, query.limit, query.cursor, asked.base_url, asked.language)
    page = await read_feed(asking.services.feeds, asked.actor, question)
    links = _links(asking, query, feed, page)
    if media == EVENTS:
        body = page.items
    elif media == ATOM:
        title = feed_title(feed, page.name, asked.language)
        body = atom(title, asked.language, links, f"{asked.base_url}/v1/themes", orjson.loads(page.items))
    else:
        body = _json_feed(asking, feed, page, links)
    headers = {"link": ", ".join(f'<{to}>; rel="{name}"' for name, to in links.items() if name != "self")}
    return respond(asking, body, etag(body), headers, media=media or JSON_FEED)


@router.get(
    "/feeds/{feed}/stream",
    summary="Follow a feed",
    description="The entries of the feed as they come, the oldest first, as Server-Sent Events: each an event `change` with "
    "its JSON Feed item as `data` and its cursor as `id`. A browser's `EventSource` goes on by itself where it was "
    "(`Last-Event-ID`, which goes before `cursor`). Begin with the address in `hubs` of the feed, after its newest entry; "
    "without cursor everything there is comes first. The stream ends after an hour, or when the server does: connect again.",
    responses={
        200: {"description": "Events.", "content": {STREAM: {"schema": {"type": "string"}}}},
        404: {"description": "Not there, or not yours to read."},
        410: {
            "description": "The cursor is older than the log remembers, or from before a restore: read the feed anew."
        },
    },
)
async def stream_feed(asking: Ask, feed: Code, query: Annotated[FeedStreamQuery, Query()]) -> Response:
    last = asking.request.headers.get("last-event-id")
    services, asked = asking.services, asking.asked
    cursor = last[:2000] if last else query.cursor
    question = FeedQuery(feed, "items", STREAM_CHANGES, cursor, asked.base_url, asked.language)
    waiting = await RequestWaiting(services.horizon, asked, asking.request.receive).__aenter__()
    try:
        pages = follow_feed(services.feeds, asked.actor, question, waiting, HEARTBEAT_SECONDS)
        first = await anext(pages)
    except BaseException:
        await waiting.__aexit__(None, None, None)
        raise
    return EventStream(first, pages, waiting, bodiless=asked.bodiless)


def _address(asking: Asking, feed: str) -> str:
    return f"{asking.asked.base_url}/v1/feeds/{quote(feed, safe='')}"


def _links(asking: Asking, query: FeedQueryModel, feed: str, page: FeedPage) -> dict[str, str]:
    """The addresses of RFC 5005, which keep the question."""
    address = _address(asking, feed)
    kept: dict[str, Any] = {"format": query.format} if query.format else {}
    kept |= {"limit": query.limit} if query.limit != DEFAULT_ENTRIES else {}

    def to(**more: str) -> str:
        return f"{address}?{urlencode(kept | more)}" if kept or more else address

    links = {"self": to(cursor=query.cursor) if query.cursor else to(), "first": to()}
    return links if page.next is None else {**links, "next": to(cursor=page.next)}


def _json_feed(asking: Asking, feed: str, page: FeedPage, links: dict[str, str]) -> bytes:
    asked = asking.asked
    head = {
        "version": VERSION,
        "title": feed_title(feed, page.name, asked.language),
        "home_page_url": f"{asked.base_url}/",
        "feed_url": links["self"],
        "language": asked.language,
        "authors": [{"name": "Knooppunt", "url": f"{asked.base_url}/"}],
    }
    if page.next is not None:
        head["next_url"] = links["next"]
    if page.live is not None:
        stream = f"{_address(asking, feed)}/stream?{urlencode({'cursor': page.live})}"
        head["hubs"] = [{"type": "EventSource", "url": stream}]
    return orjson.dumps(head)[:-1] + b',"items":' + page.items + b"}"
