"""Signals as node types, root fields and mutations."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import strawberry
from strawberry import UNSET, Info
from strawberry.scalars import JSON

from app.api.graphql.connections import Connection, answered
from app.api.graphql.hubs import Hub
from app.api.graphql.questions import Question, RelatedQuestion
from app.api.graphql.regions import Region
from app.api.graphql.selecting import Projected, project
from app.api.graphql.terms import Channel, ParticipantGroup, Theme, Umbrella, Workfield
from app.api.graphql.writing import created, emptied, given, write
from app.domain import signals
from app.domain.ids import new_id

if TYPE_CHECKING:
    from app.api.graphql.bundles import Bundle


@strawberry.type(description="A signal on the desk of an umbrella, with a term to respond by.")
class Forwarding:
    umbrella: Umbrella
    state: str
    respond_by: date
    overdue: bool
    response: str | None
    reason: str | None
    forwarded_at: datetime
    responded_at: datetime | None
    overdue_days: int
    signal: Signal


@strawberry.type(description="What the hub itself did.")
class FollowUp:
    id: UUID
    kind: str
    on: date
    summary: str
    public: bool
    created_at: datetime


@strawberry.type(description="Who changed what, when. `changes`: field → from, to.")
class SignalVersion:
    version: int
    at: datetime
    action: str
    role: str
    hub: str | None
    umbrella: str | None
    note: str | None
    changes: JSON


@strawberry.type(description="The same matter in another hub.")
class SimilarSignal:
    score: float
    same_themes: list[str]
    signal: Signal


@strawberry.type(description="A signal. It holds no personal data.")
class Signal:
    id: UUID
    external_id: str | None
    kind: str
    title: str
    description: str
    workfields_source: str
    scale: str | None
    heard_on: date
    people_count: int | None
    visibility: str
    status: str
    demonstration: bool
    version: int
    created_at: datetime
    updated_at: datetime
    verified_at: datetime | None
    highlight: str | None
    hub: Hub
    themes: list[Theme]
    workfields: list[Workfield]
    region: Region
    groups: list[ParticipantGroup]
    channel: Channel | None
    forwardings: list[Forwarding]
    follow_ups: list[FollowUp]
    history: list[SignalVersion]
    bundles: list[Annotated[Bundle, strawberry.lazy("app.api.graphql.bundles")]]
    similar: list[SimilarSignal]
    questions: list[Question]
    related_questions: list[RelatedQuestion]


@strawberry.input
class SignalFilter:
    q: str | None = None
    theme: str | None = None
    region: str | None = None
    hub: str | None = None
    workfield: str | None = None
    kind: str | None = None
    status: str | None = None
    visibility: str | None = None
    updated_since: datetime | None = None


@strawberry.input(description="What narrows a desk; of others than the asker nothing is on it.")
class ForwardingFilter:
    umbrella: str | None = None
    hub: str | None = None
    state: str | None = None
    overdue: bool | None = None


@strawberry.input
class NewSignal:
    kind: str
    title: str
    themes: list[str]
    region: str
    description: str = ""
    workfields: list[str] | None = None
    scale: str | None = None
    groups: list[str] = strawberry.field(default_factory=list)
    channel: str | None = None
    heard_on: date | None = None
    people_count: int | None = None
    visibility: str = "network"
    hub: str | None = None
    external_id: str | None = None
    status: str = "draft"
    follow_code: bool = False


@strawberry.input(description="Fields that are absent stay, null empties.")
class SignalChange:
    kind: str | None = UNSET
    title: str | None = UNSET
    description: str | None = UNSET
    themes: list[str] | None = UNSET
    region: str | None = UNSET
    workfields: list[str] | None = UNSET
    scale: str | None = UNSET
    groups: list[str] | None = UNSET
    channel: str | None = UNSET
    heard_on: date | None = UNSET
    people_count: int | None = UNSET
    visibility: str | None = UNSET


# What a signal cannot do without.
REQUIRED = ("kind", "title", "themes", "region", "visibility", "heard_on")
_FILTERS = ("q", "theme", "region", "hub", "workfield", "kind", "status", "visibility", "updatedSince")
PROJECTED = {
    "signals": Projected("signal", "connection", {name: name for name in _FILTERS}),
    "signal": Projected("signal", "one", {"id": "id"}),
    "forwardings": Projected("forwarding", "connection", {n: n for n in ("umbrella", "hub", "state", "overdue")}),
    "signalHistory": Projected("signal-version", "connection", {"signal": "signal"}),
}


@strawberry.type
class SignalQuery:
    """The root fields of signals."""

    @strawberry.field(description="Signals that you may see, the newest first.")
    async def signals(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        filter: SignalFilter | None = None,
        sort: str | None = None,
        as_of: date | None = None,
    ) -> Connection[Signal]:
        return await answered(info, PROJECTED["signals"])

    @strawberry.field(description="One signal by its id; null when it is not there, or not yours to see.")
    async def signal(self, info: Info, id: UUID, as_of: date | None = None) -> Signal | None:
        return await answered(info, PROJECTED["signal"])

    @strawberry.field(description="Forwardings on your desk, first those to be responded to first.")
    async def forwardings(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        filter: ForwardingFilter | None = None,
        sort: str | None = None,
        as_of: date | None = None,
    ) -> Connection[Forwarding]:
        return await answered(info, PROJECTED["forwardings"])

    @strawberry.field(description="The history of a signal, for its own hub; survives deletion.")
    async def signal_history(
        self, info: Info, signal: UUID, first: int = 50, after: str | None = None
    ) -> Connection[SignalVersion]:
        return await answered(info, PROJECTED["signalHistory"])


@strawberry.type
class SignalPayload:
    signal_id: strawberry.Private[UUID]
    follow_code: str | None = strawberry.field(
        default=None, description="Of a signal that was added with `followCode`: shown this once."
    )

    @strawberry.field(description="The signal as it is after the change.")
    async def signal(self, info: Info) -> Signal:
        return await project(info, PROJECTED["signal"], filters={"id": self.signal_id})


@strawberry.type
class DeletedPayload:
    id: UUID


@strawberry.type
class SignalMutation:
    """Changes of signals."""

    @strawberry.mutation(description="Add a signal of your hub. With an idempotency key it happens once.")
    async def create_signal(self, info: Info, signal: NewSignal, idempotency_key: str | None = None) -> SignalPayload:
        context = info.context
        fields = _fields(signal)
        fields["heard_on"] = fields["heard_on"] or context.today
        fields["hub"] = fields["hub"] or context.actor.hub or ""
        issued: list[str] | None = [] if fields.pop("follow_code") else None
        entity = signals.Signal(id=new_id(), **fields)
        made = await created(
            info,
            idempotency_key,
            ("createSignal", given(signal)),
            lambda work, actor: signals.create_signal(work, actor, entity, context.today, issued),
        )
        return SignalPayload(signal_id=UUID(str(made)), follow_code=issued[0] if issued else None)

    @strawberry.mutation(description="Change a signal, from the version that you read.")
    async def update_signal(self, info: Info, id: UUID, version: int, changes: SignalChange) -> SignalPayload:
        today = info.context.today
        refused = emptied(changes, REQUIRED)
        fields = {name: value for name, value in _fields(changes).items() if value is not None or name not in REQUIRED}
        weeks = info.context.response_weeks
        await write(
            info, lambda work, actor: signals.change_signal(work, actor, id, fields, version, today, weeks), refused
        )
        return SignalPayload(signal_id=id)

    @strawberry.mutation(description="Bring a signal to another status; verification forwards it.")
    async def transition_signal(
        self,
        info: Info,
        id: UUID,
        version: int,
        to: str,
        note: str | None = None,
        recipients: list[str] | None = None,
        reason: str | None = None,
    ) -> SignalPayload:
        context = info.context
        step = signals.Step(to, note, None if recipients is None else tuple(recipients), reason)
        await write(
            info,
            lambda work, actor: signals.step_signal(
                work, actor, id, step, version, context.today, context.response_weeks
            ),
        )
        return SignalPayload(signal_id=id)

    @strawberry.mutation(description="Answer a signal that was forwarded to your umbrella.")
    async def answer_forwarding(
        self, info: Info, id: UUID, umbrella: str, version: int, state: str, response: str | None = None
    ) -> SignalPayload:
        await write(
            info,
            lambda work, actor: signals.answer_forwarding(work, actor, id, umbrella, state, response, version),
        )
        return SignalPayload(signal_id=id)

    @strawberry.mutation(description="Record what the hub did with a signal.")
    async def add_follow_up(
        self, info: Info, id: UUID, version: int, kind: str, on: date, summary: str, public: bool = False
    ) -> SignalPayload:
        item = signals.FollowUp(new_id(), kind, on, summary, public)
        today = info.context.today
        await write(info, lambda work, actor: signals.add_follow_up(work, actor, id, item, version, today))
        return SignalPayload(signal_id=id)

    @strawberry.mutation(description="Delete a signal; its history stays for its hub.")
    async def delete_signal(self, info: Info, id: UUID, version: int) -> DeletedPayload:
        await write(info, lambda work, actor: signals.delete_signal(work, actor, id, version))
        return DeletedPayload(id=id)


def _fields(content: NewSignal | SignalChange) -> dict[str, Any]:
    """The given fields as the domain has them, lists without doubles."""
    found = given(content)
    for name in ("themes", "groups", "workfields"):
        if found.get(name) is not None:
            found[name] = tuple(dict.fromkeys(found[name]))
    blank = {"groups": (), "description": ""}
    return {name: blank[name] if value is None and name in blank else value for name, value in found.items()}
