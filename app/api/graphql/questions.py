"""Questions as node types and root fields; their mutations are in question_writes.py."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry
from strawberry import Info
from strawberry.scalars import JSON

from app.api.graphql.connections import Connection, answered
from app.api.graphql.hubs import Hub
from app.api.graphql.organisations import Organisation
from app.api.graphql.regions import Region
from app.api.graphql.selecting import Projected
from app.api.graphql.terms import (
    ParticipantGroup,
    ParticipationLadder,
    ParticipationMethod,
    ParticipationRole,
    ParticipationRung,
    Theme,
    Workfield,
)

if TYPE_CHECKING:
    from app.api.graphql.signals import Signal

LazySignal = Annotated["Signal", strawberry.lazy("app.api.graphql.signals")]


@strawberry.type(description="A level of the national ladder, the rung it was chosen by, who set it and when.")
class SetLevel:
    code: str
    label: str
    rank: int
    set_on: date
    rung: ParticipationRung | None
    set_by: Hub | None


@strawberry.type(description="Promise and practice.")
class Levels:
    explanation: str | None
    confirmed: bool
    ladder: ParticipationLadder
    intended: SetLevel | None
    agreed: SetLevel | None
    achieved: SetLevel | None


@strawberry.type(description="A phase of the template, or one that the question names itself.")
class MatrixPhase:
    code: str
    label: str


@strawberry.type(description="What was agreed for a role in a phase.")
class MatrixCell:
    activity: str
    on: date | None
    realised: bool
    held_by_hub: bool
    phase: MatrixPhase
    role: ParticipationRole
    groups: list[ParticipantGroup]


@strawberry.type(description="Roles by phases.")
class Matrix:
    phases: list[MatrixPhase]
    cells: list[MatrixCell]


@strawberry.type
class MixGroup:
    wanted: int
    recruited: int
    group: ParticipantGroup
    organisations: list[Organisation]


@strawberry.type(description="The groups wanted and recruited.")
class Mix:
    imbalance_reason: str | None
    groups: list[MixGroup]


@strawberry.type(description="What the mix is missing: `state` is unknown, balanced, imbalanced or deliberate.")
class Balance:
    state: str
    basis: str
    missing_sides: list[str]
    missing_forms: list[str]
    missing_workfields: list[Workfield]
    missing_groups: list[ParticipantGroup]
    groups_without_influence: list[ParticipantGroup]
    phases_without_influence: list[MatrixPhase]
    over_recruited: list[ParticipantGroup]


@strawberry.type
class Compensation:
    offered: bool
    what: str | None


@strawberry.type
class Period:
    from_: date | None = strawberry.field(name="from")
    to: date | None


@strawberry.type(description="Something that was brought in, and what became of it: yes, partly, no or parked.")
class OutcomeInput:
    source: str
    taken: str
    reason: str | None
    phase: MatrixPhase | None


@strawberry.type
class ImpactCheck:
    on: date
    finding: str


@strawberry.type(description="When and how participants heard.")
class ToldBack:
    on: date
    how: str
    phase: MatrixPhase | None


@strawberry.type(description="You said, we did.")
class Outcome:
    input_summary: str
    decision: str
    explanation: str
    decided_on: date | None
    impact: str | None
    inputs: list[OutcomeInput]
    impact_checks: list[ImpactCheck]
    told_back: list[ToldBack]


@strawberry.type(description="Who changed what, when. `changes`: field → from, to.")
class QuestionVersion:
    version: int
    at: datetime
    action: str
    role: str
    hub: str | None
    note: str | None
    changes: JSON


@strawberry.type(
    description="A signal near a question, and why: themes, the share of its region in that of the other, words."
)
class RelatedSignal:
    score: float
    same_themes: list[str]
    overlap: float
    same_words: bool
    signal: LazySignal


@strawberry.type(description="A question near a signal, and why.")
class RelatedQuestion:
    score: float
    same_themes: list[str]
    overlap: float
    same_words: bool
    question: Question


@strawberry.type(description="A question at a regional table. `hub` leads; each of `hubs` may edit.")
class Question:
    id: UUID
    external_id: str | None
    title: str
    description: str
    origin: str
    scope: str
    workfields_source: str
    requested_on: date | None
    recruited_on: date | None
    visibility: str
    status: str
    demonstration: bool
    version: int
    created_at: datetime
    updated_at: datetime
    opened_at: datetime | None
    concluded_at: datetime | None
    highlight: str | None
    hub: Hub
    hubs: list[Hub]
    invited: list[Hub]
    stakeholder: Organisation | None
    regions: list[Region]
    themes: list[Theme]
    workfields: list[Workfield]
    methods: list[ParticipationMethod]
    levels: Levels
    matrix: Matrix
    mix: Mix
    balance: Balance
    compensation: Compensation | None
    period: Period | None
    outcome: Outcome | None
    signals: list[LazySignal]
    related_signals: list[RelatedSignal]
    history: list[QuestionVersion]


@strawberry.input
class QuestionFilter:
    q: str | None = None
    hub: str | None = None
    region: str | None = None
    theme: str | None = None
    workfield: str | None = None
    level: str | None = None
    status: str | None = None
    scope: str | None = None
    origin: str | None = None
    visibility: str | None = None
    updated_since: datetime | None = None
    signal: UUID | None = None


_FILTERS = (
    "q", "hub", "region", "theme", "workfield", "level", "status", "scope", "origin", "visibility", "updatedSince", "signal",
)  # fmt: skip
PROJECTED = {
    "questions": Projected("question", "connection", {name: name for name in _FILTERS}),
    "question": Projected("question", "one", {"id": "id"}),
    "questionHistory": Projected("question-version", "connection", {"question": "question"}),
}


@strawberry.type
class QuestionQuery:
    """The root fields of questions."""

    @strawberry.field(description="Questions that you may see, the newest first.")
    async def questions(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        filter: QuestionFilter | None = None,
        sort: str | None = None,
        as_of: date | None = None,
    ) -> Connection[Question]:
        return await answered(info, PROJECTED["questions"])

    @strawberry.field(description="One question by its id; null when it is not there, or not yours to see.")
    async def question(self, info: Info, id: UUID, as_of: date | None = None) -> Question | None:
        return await answered(info, PROJECTED["question"])

    @strawberry.field(description="The history of a question, for its hubs; survives deletion.")
    async def question_history(
        self, info: Info, question: UUID, first: int = 50, after: str | None = None
    ) -> Connection[QuestionVersion]:
        return await answered(info, PROJECTED["questionHistory"])
