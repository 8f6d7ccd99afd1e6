"""Signals: what people in a region run into or propose, on their way to the tables and the umbrellas."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import AwareDatetime, Field

from app.api.rest.answers import (
    AsOf,
    Day,
    OneQuery,
    PageQuery,
    Strict,
    collection,
    edge,
    one,
    page,
    page_selection,
)
from app.api.rest.contract import Collection, Reference, responses
from app.api.rest.doors import Ask, Door
from app.api.rest.hubs import HubReference
from app.api.rest.picks import picks
from app.api.rest.regions import RegionReference
from app.api.rest.terms import TermReference
from app.api.rest.writing import change, create, remove, representation, version_given
from app.domain import signals
from app.domain.errors import NotFound
from app.domain.ids import new_id
from app.domain.signal_rules import (
    MAX_CODES,
    MAX_EXTERNAL_ID,
    MAX_NOTE,
    MAX_TITLE,
    FollowUpKind,
    ForwardingState,
    Kind,
    Scale,
    Status,
    Visibility,
)

router = APIRouter(prefix="/v1", tags=["Signals"], route_class=Door)

SIGNAL = (
    "id hub { slug name } externalId kind title description themes { code label } workfields { code label } "
    "workfieldsSource region { code scheme name } scale groups { code label } channel { code label } heardOn peopleCount "
    "visibility status demonstration version createdAt updatedAt verifiedAt "
    "forwardings { umbrella { code label } state respondBy overdue response reason forwardedAt respondedAt } "
    "followUps { id kind on summary public createdAt }"
)
FOUND = SIGNAL + " highlight"
VERSION = "version at action role hub umbrella note changes"
SIMILAR = "signal { id title hub { slug name } kind status } score sameThemes"


class Forwarding(Reference):
    """A signal on the desk of an umbrella, with a term to respond by."""

    umbrella: TermReference
    state: ForwardingState
    respond_by: date
    overdue: bool
    response: str | None
    reason: str | None = Field(description="Why the hub sent it elsewhere than the workfields say.")
    forwarded_at: datetime
    responded_at: datetime | None


class FollowUp(Reference):
    """What the hub itself did."""

    id: UUID
    kind: FollowUpKind
    on: date
    summary: str
    public: bool
    created_at: datetime


class Signal(Reference):
    """A signal. It holds no personal data."""

    id: UUID
    hub: HubReference
    external_id: str | None
    kind: Kind
    title: str
    description: str
    themes: list[TermReference]
    workfields: list[TermReference]
    workfields_source: str = Field(description="`given`, `themes` or `cross-cutting`.")
    region: RegionReference
    scale: Scale | None
    groups: list[TermReference]
    channel: TermReference | None
    heard_on: date
    people_count: int | None
    visibility: Visibility
    status: Status
    demonstration: bool
    version: int
    created_at: datetime
    updated_at: datetime
    verified_at: datetime | None
    forwardings: list[Forwarding]
    follow_ups: list[FollowUp]


class FoundSignal(Signal):
    """A signal in a list; `highlight` shows the words searched for between « and »."""

    highlight: str | None


class SignalVersion(Reference):
    """Who changed what, when. `changes`: field → from, to."""

    version: int
    at: datetime
    action: str
    role: str
    hub: str | None
    umbrella: str | None
    note: str | None
    changes: dict[str, Any]


class SimilarReference(Reference):
    id: UUID
    title: str
    hub: HubReference
    kind: Kind
    status: Status


class SimilarSignal(Reference):
    """The same matter in another hub: how alike in words and themes."""

    signal: SimilarReference
    score: float
    same_themes: list[str]


SignalId = Annotated[UUID, Path(description="Id of the signal.")]
Title = Annotated[str, Field(max_length=200_000, description=f"At most {MAX_TITLE} characters.")]
Codes = Annotated[list[Annotated[str, Field(max_length=80)]], Field(max_length=MAX_CODES)]


class SignalFields(Strict):
    kind: Kind = "knelpunt"
    title: Title = ""
    description: Annotated[str | None, Field(max_length=200_000)] = ""
    themes: Annotated[Codes, Field(examples=[["wachttijden"]])] = []
    workfields: Annotated[
        Codes | None, Field(description="Absent or null: the themes decide. An empty list: cross-cutting.")
    ] = None
    region: Annotated[str, Field(max_length=20, examples=["GG2014"])] = ""
    scale: Scale | None = None
    groups: Codes | None = []
    channel: Annotated[str | None, Field(max_length=80)] = None
    heardOn: Annotated[Day | None, Field(description="By default the day it is received.")] = None
    peopleCount: Annotated[int | None, Field(strict=True)] = None
    visibility: Visibility = "network"


class NewSignal(SignalFields):
    """A signal to add: a draft, or submitted at once."""

    blank: ClassVar = {"kind": "knelpunt", "title": "", "themes": [], "region": ""}

    kind: Kind
    title: Title
    description: Annotated[str, Field(max_length=200_000)] = ""
    groups: Codes = []
    themes: Annotated[Codes, Field(examples=[["wachttijden"]])]
    region: Annotated[str, Field(max_length=20, examples=["GG2014"])]
    hub: Annotated[str | None, Field(max_length=80, description="Your own hub, when absent.")] = None
    externalId: Annotated[str | None, Field(max_length=MAX_EXTERNAL_ID)] = None
    status: Annotated[Status, Field(description="`draft` or `submitted`.")] = "draft"
    followCode: Annotated[bool, Field(description="Give out a follow code: it comes once, in a header.")] = False


class SignalChange(SignalFields):
    """A merge-patch: fields that are absent stay, null empties."""

    read_only: ClassVar = frozenset(
        [
            "id",
            "hub",
            "externalId",
            "status",
            "workfieldsSource",
            "demonstration",
            "version",
            "createdAt",
            "updatedAt",
            "verifiedAt",
            "forwardings",
            "followUps",
        ]
    )

    blank: ClassVar[dict[str, Any]] = {}

    heardOn: Day = date.min


class Transition(Strict):
    blank: ClassVar = {"to": "verified"}

    to: Status
    note: Annotated[str | None, Field(max_length=MAX_NOTE)] = None
    recipients: Annotated[
        list[Annotated[str, Field(max_length=80)]] | None,
        Field(
            max_length=20, description="On verification: umbrellas, instead of those of the workfields; give a reason."
        ),
    ] = None
    reason: Annotated[str | None, Field(max_length=MAX_NOTE)] = None


class Answer(Strict):
    blank: ClassVar = {"state": "acknowledged"}

    state: ForwardingState
    response: Annotated[str | None, Field(max_length=200_000)] = None


class NewFollowUp(Strict):
    blank: ClassVar = {"kind": "none", "on": "2016-01-01", "summary": ""}

    kind: FollowUpKind
    on: Day
    summary: Annotated[str, Field(max_length=200_000)]
    public: bool = False


class SignalsQuery(PageQuery):
    hub: Annotated[str | None, Field(max_length=80, description="Slug of the hub.")] = None
    theme: Annotated[str | None, Field(max_length=80, description="Code of a theme; its children count as well.")] = (
        None
    )
    workfield: Annotated[
        str | None,
        Field(max_length=80, description="Includes cross-cutting signals; `werkveldoverstijgend` gives those alone."),
    ] = None
    region: Annotated[
        str | None, Field(max_length=20, description="Signals of regions, of any scheme, that meet this one.")
    ] = None
    kind: Annotated[Kind | None, Field(description="Kind of signal.")] = None
    status: Annotated[Status | None, Field(description="Others than its hub see `verified` and `closed` alone.")] = None
    visibility: Annotated[Visibility | None, Field(description="How far its hub shares it.")] = None
    updatedSince: Annotated[
        AwareDatetime | None, Field(description="Changed at this time or later, with its offset.")
    ] = None
    q: Annotated[
        str | None, Field(min_length=1, max_length=200, description="Dutch full text, over the best 2,000 matches.")
    ] = None


class AsOfQuery(Strict):
    as_of: AsOf = None


@router.get("/signals", summary="List signals", responses=responses(Collection[FoundSignal]))
async def list_signals(asking: Ask, query: Annotated[SignalsQuery, Query()]) -> Response:
    filters = {
        "q": query.q,
        "theme": query.theme,
        "region": query.region,
        "hub": query.hub,
        "workfield": query.workfield,
        "kind": query.kind,
        "status": query.status,
        "visibility": query.visibility,
        "updatedSince": query.updatedSince,
    }
    return await page(asking, "signal", FOUND, query, filters)


@router.get("/signals/{id}", summary="Read a signal", responses=responses(Signal, missing=True))
async def read_signal(asking: Ask, id: SignalId, query: Annotated[OneQuery, Query()]) -> Response:
    return await one(asking, "signal", SIGNAL, query, {"id": id})


CREATED = responses(Signal, status=201)
CREATED[201]["headers"] = {
    "Follow-Code": {
        "description": "With `followCode`: shown this once, and not again for the same Idempotency-Key.",
        "schema": {"type": "string"},
    }
}


@router.post("/signals", summary="Add a signal", status_code=201, responses=CREATED)
async def add_signal(asking: Ask, body: NewSignal) -> Response:
    actor, today = asking.asked.actor, asking.services.today()
    fields = fields_of(body, set(SignalFields.model_fields))
    fields["heard_on"] = fields["heard_on"] or today
    entity = signals.Signal(
        id=new_id(), hub=body.hub or actor.hub or "", external_id=body.externalId, status=body.status, **fields
    )
    issued: list[str] | None = [] if body.followCode else None
    response = await create(
        asking,
        lambda work: signals.create_signal(work, actor, entity, today, issued),
        lambda made: representation(asking, "signal", SIGNAL, {"id": made}),
        lambda made: f"/v1/signals/{made}",
    )
    if issued:  # a header, because answers are kept under their Idempotency-Key and codes are not
        response.headers["follow-code"] = issued[0]
    return response


@router.patch("/signals/{id}", summary="Change a signal", responses=responses(Signal, missing=True, writes=True))
async def change_signal(asking: Ask, id: SignalId, body: SignalChange) -> Response:
    version, today = version_given(asking), asking.services.today()
    changes = fields_of(body, body.model_fields_set)
    return await change(
        asking,
        representation(asking, "signal", SIGNAL, {"id": id}),
        lambda work: signals.change_signal(
            work, asking.asked.actor, id, changes, version, today, asking.services.response_weeks
        ),
    )


@router.delete(
    "/signals/{id}",
    summary="Delete a signal",
    description="Leaves its history for its hub, and a tombstone in the change log.",
    status_code=204,
    responses={204: {"description": "Done."}, 404: {"description": "Not there, or not yours to see."}},
)
async def delete_signal(asking: Ask, id: SignalId) -> Response:
    version = version_given(asking)
    return await remove(
        asking,
        representation(asking, "signal", SIGNAL, {"id": id}),
        lambda work: signals.delete_signal(work, asking.asked.actor, id, version),
    )


@router.post(
    "/signals/{id}/transitions",
    summary="Bring a signal to another status",
    description="Verification forwards it to the umbrellas concerned.",
    responses=responses(Signal, missing=True, writes=True),
)
async def step_signal(asking: Ask, id: SignalId, body: Transition) -> Response:
    version = version_given(asking)
    recipients = None if body.recipients is None else tuple(body.recipients)
    step = signals.Step(body.to, body.note, recipients, body.reason)
    return await change(
        asking,
        representation(asking, "signal", SIGNAL, {"id": id}),
        lambda work: signals.step_signal(
            work, asking.asked.actor, id, step, version, asking.services.today(), asking.services.response_weeks
        ),
    )


@router.put(
    "/signals/{id}/forwardings/{umbrella}",
    summary="Answer a forwarded signal",
    description="By the umbrella itself. Goes by the version of the signal.",
    responses=responses(Signal, missing=True, writes=True),
)
async def answer_forwarding(
    asking: Ask,
    id: SignalId,
    umbrella: Annotated[str, Path(max_length=80, description="Code of the umbrella.", examples=["mind"])],
    body: Answer,
) -> Response:
    version = version_given(asking)
    return await change(
        asking,
        representation(asking, "signal", SIGNAL, {"id": id}),
        lambda work: signals.answer_forwarding(
            work, asking.asked.actor, id, umbrella, body.state, body.response, version
        ),
    )


@router.post(
    "/signals/{id}/follow-ups",
    summary="Record what the hub did with a signal",
    responses=responses(Signal, missing=True, writes=True),
)
async def add_follow_up(asking: Ask, id: SignalId, body: NewFollowUp) -> Response:
    version = version_given(asking)
    item = signals.FollowUp(new_id(), body.kind, body.on, body.summary, body.public)
    return await change(
        asking,
        representation(asking, "signal", SIGNAL, {"id": id}),
        lambda work: signals.add_follow_up(work, asking.asked.actor, id, item, version, asking.services.today()),
    )


@router.get(
    "/signals/{id}/history",
    summary="Read the history of a signal",
    description="For its own hub; survives deletion.",
    responses=responses(Collection[SignalVersion], missing=True),
)
async def read_history(asking: Ask, id: SignalId, query: Annotated[PageQuery, Query()]) -> Response:
    selection = page_selection(asking, "signal-version", VERSION, query, {"signal": id})
    (answer,) = await asking.services.library.read(
        [selection], actor=asking.asked.actor, language=asking.asked.language
    )
    if answer.body in (None, b"[]") and query.cursor is None:
        raise NotFound(signals.NOT_THERE)
    return collection(asking, answer.body or b"[]", answer.next)


@router.get(
    "/signals/{id}/similar",
    summary="List signals about the same matter in other hubs",
    responses=responses(Collection[SimilarSignal], missing=True),
)
async def list_similar(asking: Ask, id: SignalId, query: Annotated[AsOfQuery, Query()]) -> Response:
    return await edge(asking, "signal", {"id": id}, "similar", picks(SIMILAR), {}, query.as_of)


_SNAKE = {"heardOn": "heard_on", "peopleCount": "people_count"}


def fields_of(body: SignalFields, names: set[str]) -> dict[str, Any]:
    """The given fields as the domain has them, lists without doubles."""
    found = {_SNAKE.get(name, name): getattr(body, name) for name in names}
    for name in ("themes", "groups", "workfields"):
        if found.get(name) is not None:
            found[name] = tuple(dict.fromkeys(found[name]))
    emptied = {"groups": (), "description": ""}
    return {name: emptied[name] if value is None and name in emptied else value for name, value in found.items()}
