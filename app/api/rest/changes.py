"""The change log: everything that changed, once, in one order; waiting for it, streaming it, and finding drift."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, Field

from app.api.rest import bundles, hubs, signals
from app.api.rest import question_models as questions
from app.api.rest.answers import Strict, Whole, etag, listing, respond
from app.api.rest.contract import STREAM, Collection, Reference, responses
from app.api.rest.doors import Ask, Asking, Door
from app.api.rest.hubs import HubReference
from app.api.rest.picks import picks
from app.api.rest.streaming import HEARTBEAT_SECONDS, EventStream
from app.api.waiting import RequestWaiting
from app.domain.changes import (
    DEFAULT_CHANGES,
    LONGEST_WAIT_SECONDS,
    MOST_CHANGES,
    STREAM_CHANGES,
    TYPES,
    Op,
    Pull,
    checked,
    checked_types,
    follow_changes,
    pull_changes,
)
from app.domain.errors import Faults

router = APIRouter(prefix="/v1", tags=["Sync"], route_class=Door)

CHANGE = "type id externalId hub { slug name } version op at"
DIGEST = "type hub { slug name } month count digest"
# What `expand=resource` shows of each type: what its own address shows.
RESOURCES = (
    ("signal", picks(signals.SIGNAL)),
    ("question", picks(questions.QUESTION)),
    ("hub", picks(hubs.HUB)),
    ("bundle", picks(bundles.BUNDLE)),
)

_CURSOR = "eyJjdXJzb3IiOiJvcGFxdWUifQ.2f1c9a0be5d84c7aa3b1f0e2d4c6b8a9"
GONE: dict[int | str, dict[str, Any]] = {
    410: {
        "description": "The cursor is older than the log remembers (`code: gone`), or from before the database was brought "
        "back from a backup (`code: new-epoch`). `resync` says how to go on: read from the beginning, without cursor; "
        "what does not come again is gone."
    }
}
DESCRIPTION = """\
Every change that you may see, once, in the order in which it was committed. Read page after page with the `cursor` of the
page before, and keep the last one: it is also where you go on tomorrow. With `wait` an empty page is held back until
something comes, or the time is up.

- `upsert`: it is there, in this version. With `expand=resource` the entry carries it as its own address shows it.
- `delete`: it is gone. `externalId` is still told.
- `hidden`: it still exists, but not for you (its visibility was narrowed, or it goes to others now). Remove your copy.

The entries of one resource may be left out but for the newest: **position orders the stream, `version` orders a resource.**
A version never comes twice and never goes back. Forwardings, their answers and follow-ups are part of their signal:
each is a new version of it, and that is how a hub hears of an answer.

Begin without `cursor` for everything there is, or with `since`. How to sync, and what a digest is: docs/sync.md.
"""


class ChangeEntry(Reference):
    """One change. `id` is what the address of the resource ends with: the id of a signal, the slug of a hub, the edition
    of reference data."""

    type: str = Field(json_schema_extra={"enum": list(TYPES)})
    id: str = Field(examples=["01890a5d-ac96-774b-bcce-b302099a8057"])
    external_id: str | None = Field(description="The hub's own id of it, where it has one.", examples=["GR-2026-0042"])
    hub: HubReference | None = Field(description="Whose it is.")
    version: int = Field(examples=[3])
    op: Op
    at: datetime = Field(description="When the change was made; the order of the stream is not that of these times.")
    resource: signals.Signal | questions.Question | hubs.Hub | bundles.Bundle | None = Field(
        default=None, description="With `expand=resource`, of an upsert: the resource in this very version."
    )


class ChangePage(Reference):
    """A page of changes."""

    items: list[ChangeEntry]
    cursor: str = Field(description="Where to go on, now or later; also on an empty page.", examples=[_CURSOR])
    more: bool = Field(description="Whether there is more already.")


class ChangeDigest(Reference):
    """What you should hold of one type, of one hub, created in one month."""

    type: Literal["signal", "question", "hub"]
    hub: HubReference
    month: str = Field(description="Month of `createdAt`, in UTC.", examples=["2026-03"])
    count: int = Field(examples=[2])
    digest: str = Field(
        description="Of each resource the first 8 bytes of SHA-256 over `type:id:version`, combined by exclusive or, in "
        "16 hexadecimal digits.",
        examples=["3f1a02c9be77d410"],
    )


_TYPES = Field(
    max_length=200, description=f"Only these types, comma-separated: {', '.join(TYPES)}.", examples=["signal,hub"]
)
_SINCE = Field(description="Without a cursor: begin at this time, with its offset.", examples=["2026-03-01T00:00:00Z"])
_FROM = Field(max_length=2000, description="Where to go on: `cursor` of the page before.")


class ChangesQuery(Strict):
    cursor: Annotated[str | None, _FROM] = None
    since: Annotated[AwareDatetime | None, _SINCE] = None
    types: Annotated[str | None, _TYPES] = None
    limit: Annotated[Whole, Field(ge=1, le=MOST_CHANGES, description="Changes on a page.")] = DEFAULT_CHANGES
    wait: Annotated[
        Whole, Field(ge=0, le=LONGEST_WAIT_SECONDS, description="Seconds to hold back an empty page: long polling.")
    ] = 0
    expand: Annotated[
        Literal["resource"] | None, Field(description="`resource`: upserts carry the resource itself.")
    ] = None


class StreamQuery(Strict):
    cursor: Annotated[str | None, _FROM] = None
    since: Annotated[AwareDatetime | None, _SINCE] = None
    types: Annotated[str | None, _TYPES] = None
    expand: Annotated[
        Literal["resource"] | None, Field(description="`resource`: upserts carry the resource itself.")
    ] = None


class DigestQuery(Strict):
    type: Annotated[Literal["signal", "question", "hub"] | None, Field(description="Only this type.")] = None
    hub: Annotated[str | None, Field(max_length=80, description="Only what this hub owns.", examples=["limburg"])] = (
        None
    )


@router.get(
    "/changes",
    summary="Read what changed",
    description=DESCRIPTION,
    responses=responses(ChangePage) | GONE,
)
async def list_changes(asking: Ask, query: Annotated[ChangesQuery, Query()]) -> Response:
    pull = _pull(asking, query, query.limit)
    services, asked = asking.services, asking.asked
    async with RequestWaiting(services.horizon, asked, asking.request.receive) as waiting:
        page = await pull_changes(services.changes, asked.actor, pull, waiting if query.wait else None, query.wait)
    more = b"true" if page.more else b"false"
    body = b'{"items":' + page.items + b',"cursor":"' + page.cursor.encode() + b'","more":' + more + b"}"
    return respond(asking, body, etag(body), {"cache-control": "no-store"})


@router.get(
    "/changes/stream",
    summary="Follow what changes",
    description="The same as Server-Sent Events: each change is an event `change` with its JSON as `data` and its cursor as "
    "`id`. A browser's `EventSource` goes on by itself where it was (`Last-Event-ID`, which goes before `cursor`). Every "
    f"{HEARTBEAT_SECONDS:.0f} seconds of silence a comment. The stream ends after an hour, or when the server does: connect "
    "again.",
    responses={200: {"description": "Events.", "content": {STREAM: {"schema": {"type": "string"}}}}, **GONE},
)
async def stream_changes(asking: Ask, query: Annotated[StreamQuery, Query()]) -> Response:
    last = asking.request.headers.get("last-event-id")
    if last:
        query = query.model_copy(update={"cursor": last[:2000], "since": None})
    pull = _pull(asking, query, STREAM_CHANGES)
    services, asked = asking.services, asking.asked
    waiting = await RequestWaiting(services.horizon, asked, asking.request.receive).__aenter__()
    pages = follow_changes(services.changes, asked.actor, pull, waiting, HEARTBEAT_SECONDS)
    try:
        first = await anext(pages)
    except BaseException:
        await waiting.__aexit__(None, None, None)
        raise
    return EventStream(first, pages, waiting, bodiless=asked.bodiless)


@router.get(
    "/changes/digest",
    summary="Compare what you hold",
    description="Digests of all that you may see, by type, hub and month of creation, to find drift without a download: "
    "compute the same over what you hold, and read again what differs. docs/sync.md works an example.",
    responses=responses(Collection[ChangeDigest]),
)
async def list_digests(asking: Ask, query: Annotated[DigestQuery, Query()]) -> Response:
    return await listing(asking, "change-digest", DIGEST, {"type": query.type, "hub": query.hub}, None)


def _pull(asking: Asking, query: ChangesQuery | StreamQuery, limit: int) -> Pull:
    faults = Faults()
    types = checked_types(query.types, "query", faults)
    faults.raise_if_any()
    resources: tuple[Any, ...] = RESOURCES if query.expand else ()
    pull = Pull(picks(CHANGE), types, query.cursor, query.since, limit, resources, language=asking.asked.language)
    return checked(pull, datetime.now(UTC))
