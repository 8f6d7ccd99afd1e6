"""The mutations of questions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID

import strawberry
from strawberry import UNSET, Info

from app.api.graphql.questions import PROJECTED, Question
from app.api.graphql.selecting import project
from app.api.graphql.signals import DeletedPayload
from app.api.graphql.writing import created, given, write
from app.domain import matrix, outcomes, question_hubs, questions
from app.domain.ids import new_id


@strawberry.input(description="Codes of levels, or of rungs of another `ladder`. Absent ones stay, null empties.")
class LevelsInput:
    ladder: str | None = UNSET
    intended: str | None = UNSET
    agreed: str | None = UNSET
    achieved: str | None = UNSET
    explanation: str | None = UNSET
    confirmed: bool | None = UNSET


@strawberry.input
class CompensationInput:
    offered: bool
    what: str | None = UNSET


@strawberry.input
class PeriodInput:
    from_: date | None = strawberry.field(name="from", default=UNSET)
    to: date | None = UNSET


@strawberry.input
class NewQuestion:
    title: str
    themes: list[str]
    regions: list[str]
    description: str = ""
    origin: str = "system-world"
    scope: str = "broad"
    stakeholder: UUID | None = None
    workfields: list[str] | None = None
    levels: LevelsInput | None = None
    methods: list[str] = strawberry.field(default_factory=list)
    compensation: CompensationInput | None = None
    period: PeriodInput | None = None
    requested_on: date | None = None
    visibility: str = "network"
    hub: str | None = None
    external_id: str | None = None
    status: str = "draft"


@strawberry.input(description="Fields that are absent stay, null empties.")
class QuestionChange:
    title: str | None = UNSET
    themes: list[str] | None = UNSET
    regions: list[str] | None = UNSET
    description: str | None = UNSET
    origin: str | None = UNSET
    scope: str | None = UNSET
    stakeholder: UUID | None = UNSET
    workfields: list[str] | None = UNSET
    levels: LevelsInput | None = UNSET
    methods: list[str] | None = UNSET
    compensation: CompensationInput | None = UNSET
    period: PeriodInput | None = UNSET
    requested_on: date | None = UNSET
    visibility: str | None = UNSET


@strawberry.input
class QuestionPhaseInput:
    code: str
    label: str


@strawberry.input
class CellInput:
    phase: str
    role: str
    activity: str = ""
    groups: list[str] = strawberry.field(default_factory=list)
    on: date | None = None
    realised: bool = False
    held_by_hub: bool = False


@strawberry.input
class MixGroupInput:
    group: str
    wanted: int = 0
    recruited: int = 0
    organisations: list[UUID] = strawberry.field(default_factory=list)


@strawberry.input
class BroughtInInput:
    source: str
    taken: str
    reason: str | None = None
    phase: str | None = None


@strawberry.input
class ImpactCheckInput:
    on: date
    finding: str


@strawberry.input
class ToldBackInput:
    on: date
    how: str = ""
    phase: str | None = None


@strawberry.input
class OutcomeChange:
    input_summary: str
    decision: str
    explanation: str
    inputs: list[BroughtInInput] = strawberry.field(default_factory=list)
    decided_on: date | None = None
    impact: str | None = None
    impact_checks: list[ImpactCheckInput] = strawberry.field(default_factory=list)
    told_back: list[ToldBackInput] = strawberry.field(default_factory=list)


@strawberry.type
class QuestionPayload:
    question_id: strawberry.Private[UUID]

    @strawberry.field(description="The question as it is after the change; null where it is no longer yours to see.")
    async def question(self, info: Info) -> Question | None:
        return await project(info, PROJECTED["question"], filters={"id": self.question_id})


_REQUIRED = ("title", "themes", "regions", "origin", "scope", "visibility")
_EVERY_LEVEL: dict[str, Any] = {
    "intended": None,
    "agreed": None,
    "achieved": None,
    "explanation": None,
    "confirmed": False,
}


@strawberry.type
class QuestionMutation:
    """Changes of questions."""

    @strawberry.mutation(
        description="Add a question of your hub, which leads it. With an idempotency key it happens once."
    )
    async def create_question(
        self, info: Info, question: NewQuestion, idempotency_key: str | None = None
    ) -> QuestionPayload:
        context = info.context
        fields, wish = fields_of(question)
        hub, external_id, status = fields.pop("hub"), fields.pop("external_id"), fields.pop("status")
        entity = questions.question_of(new_id(), hub or context.actor.hub or "", external_id, status, fields)
        made = await created(
            info,
            idempotency_key,
            ("createQuestion", given(question)),
            lambda work, actor: questions.create_question(work, actor, entity, wish, context.today),
        )
        return QuestionPayload(question_id=UUID(str(made)))

    @strawberry.mutation(description="Change a question, from the version that you read.")
    async def update_question(self, info: Info, id: UUID, version: int, changes: QuestionChange) -> QuestionPayload:
        today = info.context.today
        fields, wish = fields_of(changes, _REQUIRED)
        if changes.levels is None:
            wish = _EVERY_LEVEL
        await write(info, lambda work, actor: questions.change_question(work, actor, id, fields, wish, version, today))
        return QuestionPayload(question_id=id)

    @strawberry.mutation(description="Bring a question to another status.")
    async def transition_question(
        self, info: Info, id: UUID, version: int, to: str, note: str | None = None
    ) -> QuestionPayload:
        await write(info, lambda work, actor: questions.step_question(work, actor, id, to, note, version))
        return QuestionPayload(question_id=id)

    @strawberry.mutation(description="Set the matrix; `phases` in place of the template.")
    async def put_question_matrix(
        self, info: Info, id: UUID, version: int, cells: list[CellInput], phases: list[QuestionPhaseInput] | None = None
    ) -> QuestionPayload:
        entity = matrix_of(cells, phases)
        await write(info, lambda work, actor: questions.put_matrix(work, actor, id, entity, version))
        return QuestionPayload(question_id=id)

    @strawberry.mutation(description="Set the mix of participants; the balance then tells what is missing.")
    async def put_question_mix(
        self, info: Info, id: UUID, version: int, groups: list[MixGroupInput], imbalance_reason: str | None = None
    ) -> QuestionPayload:
        today = info.context.today
        entity = mix_of(groups, imbalance_reason)
        await write(info, lambda work, actor: questions.put_mix(work, actor, id, entity, version, today))
        return QuestionPayload(question_id=id)

    @strawberry.mutation(description="Set the outcome, from in-progress on.")
    async def put_question_outcome(self, info: Info, id: UUID, version: int, outcome: OutcomeChange) -> QuestionPayload:
        today, entity = info.context.today, outcome_of(outcome)
        await write(info, lambda work, actor: questions.put_outcome(work, actor, id, entity, version, today))
        return QuestionPayload(question_id=id)

    @strawberry.mutation(description="By the hub that leads: invites the other. By the other itself: accepts.")
    async def put_question_hub(self, info: Info, id: UUID, hub: str, version: int | None = None) -> QuestionPayload:
        await write(info, lambda work, actor: question_hubs.put_hub(work, actor, id, hub, version))
        return QuestionPayload(question_id=id)

    @strawberry.mutation(description="Leave a question, decline an invitation, or take a hub out.")
    async def remove_question_hub(self, info: Info, id: UUID, hub: str, version: int | None = None) -> QuestionPayload:
        await write(info, lambda work, actor: question_hubs.remove_hub(work, actor, id, hub, version))
        return QuestionPayload(question_id=id)

    @strawberry.mutation(description="Take up a signal in a question.")
    async def link_signal(self, info: Info, id: UUID, signal: UUID, version: int | None = None) -> QuestionPayload:
        await write(info, lambda work, actor: questions.link_signal(work, actor, id, signal, version, linked=True))
        return QuestionPayload(question_id=id)

    @strawberry.mutation(description="Take a signal out of a question.")
    async def unlink_signal(self, info: Info, id: UUID, signal: UUID, version: int | None = None) -> QuestionPayload:
        await write(info, lambda work, actor: questions.link_signal(work, actor, id, signal, version, linked=False))
        return QuestionPayload(question_id=id)

    @strawberry.mutation(description="Delete a question; its history stays for its hubs.")
    async def delete_question(self, info: Info, id: UUID, version: int) -> DeletedPayload:
        await write(info, lambda work, actor: questions.delete_question(work, actor, id, version))
        return DeletedPayload(id=id)


def _once(items: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(items))


def matrix_of(cells: Iterable[CellInput], phases: Iterable[QuestionPhaseInput] | None) -> matrix.Matrix:
    """As the domain has it."""
    return matrix.Matrix(
        tuple(matrix.Phase(phase.code, phase.label) for phase in phases or ()),
        tuple(
            matrix.Cell(c.phase, c.role, c.activity, _once(c.groups), c.on, c.realised, c.held_by_hub) for c in cells
        ),
    )


def mix_of(groups: Iterable[MixGroupInput], imbalance_reason: str | None) -> matrix.Mix:
    """As the domain has it."""
    return matrix.Mix(
        tuple(matrix.MixGroup(g.group, g.wanted, g.recruited, _once(g.organisations)) for g in groups),
        imbalance_reason,
    )


def outcome_of(o: OutcomeChange) -> outcomes.Outcome:
    """As the domain has it."""
    return outcomes.Outcome(
        o.input_summary,
        o.decision,
        o.explanation,
        tuple(outcomes.Input(i.source, i.taken, i.reason, i.phase) for i in o.inputs),
        o.impact,
        tuple(outcomes.ImpactCheck(c.on, c.finding) for c in o.impact_checks),
        tuple(outcomes.ToldBack(t.on, t.how, t.phase) for t in o.told_back),
        o.decided_on,
    )


def fields_of(content: Any, required: tuple[str, ...] = ()) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The given fields as the domain has them, and the levels wished for."""
    found = given(content, required)
    for name in ("themes", "regions", "methods", "workfields"):
        if found.get(name) is not None:
            found[name] = _once(found[name])
    for name, empty in (("methods", ()), ("description", "")):
        if name in found and found[name] is None:
            found[name] = empty
    for name in ("compensation", "period"):
        if isinstance(found.get(name), dict):
            found[name] = {part: value for part, value in found[name].items() if value is not UNSET}
    levels = found.pop("levels", None)
    wish = {name: value for name, value in levels.items() if value is not UNSET} if levels else None
    return found, wish
