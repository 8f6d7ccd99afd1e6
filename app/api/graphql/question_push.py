"""Questions by their hub's own ids: one at a time, or up to a thousand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import strawberry
from strawberry import Info

from app.api.graphql.connections import answered
from app.api.graphql.push import PushResults, check_batch, item_of, push_batch, version_faults
from app.api.graphql.question_writes import (
    CellInput,
    CompensationInput,
    LevelsInput,
    MixGroupInput,
    OutcomeChange,
    PeriodInput,
    QuestionPayload,
    QuestionPhaseInput,
    fields_of,
    matrix_of,
    mix_of,
    outcome_of,
)
from app.api.graphql.questions import Question
from app.api.graphql.selecting import Projected
from app.api.graphql.signals import DeletedPayload
from app.api.graphql.writing import given, write
from app.api.push import told
from app.domain import question_push
from app.domain.access import Actor
from app.domain.ids import new_id
from app.domain.push import MAX_ITEMS, Item, Result
from app.domain.work import Work


@strawberry.input(description="A whole matrix; `phases` in place of the template.")
class MatrixContent:
    cells: list[CellInput]
    phases: list[QuestionPhaseInput] = strawberry.field(default_factory=list)


@strawberry.input(description="A whole mix of participants.")
class MixContent:
    groups: list[MixGroupInput]
    imbalance_reason: str | None = None


@strawberry.input(
    description="A whole question, as the hub that leads it has it: what is left out is empty. Levels, matrix, mix, outcome "
    "and status stay as they are without a value; a part that is given replaces the one that is there. With a status the "
    "steps that lead there are taken."
)
class QuestionContent:
    title: str
    themes: list[str]
    regions: list[str]
    description: str = ""
    origin: str = "system-world"
    scope: str = "broad"
    stakeholder: UUID | None = None
    workfields: list[str] | None = None
    methods: list[str] = strawberry.field(default_factory=list)
    compensation: CompensationInput | None = None
    period: PeriodInput | None = None
    requested_on: date | None = None
    visibility: str = "network"
    levels: LevelsInput | None = None
    matrix: MatrixContent | None = None
    mix: MixContent | None = None
    outcome: OutcomeChange | None = None
    status: str | None = None


@strawberry.input(
    description="One question of a push: its content, or `delete`. `version` is the one it is based on; 0: nothing is there."
)
class PushedQuestion:
    external_id: str
    question: QuestionContent | None = None
    delete: bool = False
    version: int | None = None


PROJECTED = {
    "questionByExternalId": Projected("question", "one", {"hub": "lead", "externalId": "externalId"}),
}


@strawberry.type
class QuestionPushQuery:
    """The root fields of questions by their hub's own ids."""

    @strawberry.field(
        description="One question by the own id of the hub that leads it; null when it is not there, or not yours to see."
    )
    async def question_by_external_id(
        self, info: Info, hub: str, external_id: str, as_of: date | None = None
    ) -> Question | None:
        return await answered(info, PROJECTED["questionByExternalId"])


@strawberry.type
class QuestionPushMutation:
    """Changes of questions by their hub's own ids."""

    @strawberry.mutation(
        description="Add or replace a question by your own id; the same again changes nothing. It needs no version."
    )
    async def put_question(
        self, info: Info, hub: str, external_id: str, question: QuestionContent, version: int | None = None
    ) -> QuestionPayload:
        item = Item(external_id, _content(question), version, version_faults(version))
        result = await write(info, lambda work, actor: told(_push(info, work, actor, hub, item)))
        return QuestionPayload(question_id=result.id)

    @strawberry.mutation(
        description=f"Push up to {MAX_ITEMS:,} questions by your own ids. `partial` carries out what can be; `atomic` all or "
        "nothing: refused, its error has the code `batch-refused` and the results. With an idempotency key it happens once."
    )
    async def push_questions(
        self,
        info: Info,
        hub: str,
        items: list[PushedQuestion],
        mode: str = "partial",
        idempotency_key: str | None = None,
    ) -> PushResults:
        chosen = check_batch(mode, items)
        read = [item_of(item, "question", _content) for item in items]
        today = info.context.today
        return await push_batch(
            info,
            idempotency_key,
            ("pushQuestions", hub, mode, [given(item) for item in items]),
            chosen,
            lambda work, actor, mode: question_push.push_questions(work, actor, hub, read, mode, today, new_id),
        )

    @strawberry.mutation(
        description="Delete a question by your own id; its history stays for its hubs. It needs no version."
    )
    async def delete_question_by_external_id(
        self, info: Info, hub: str, external_id: str, version: int | None = None
    ) -> DeletedPayload:
        item = Item(external_id, None, version, version_faults(version))
        result = await write(info, lambda work, actor: told(_push(info, work, actor, hub, item)))
        return DeletedPayload(id=result.id)


async def _push(info: Info, work: Work, actor: Actor, hub: str, item: Item) -> Result:
    return await question_push.push_question(work, actor, hub, item, info.context.today, new_id)


def _content(question: QuestionContent) -> Mapping[str, Any]:
    parts = {
        "matrix": None if question.matrix is None else matrix_of(question.matrix.cells, question.matrix.phases),
        "mix": None if question.mix is None else mix_of(question.mix.groups, question.mix.imbalance_reason),
        "outcome": None if question.outcome is None else outcome_of(question.outcome),
    }
    fields, wish = fields_of(replace(question, matrix=None, mix=None, outcome=None))
    return {**fields, **parts, "levels": wish if question.levels is not None else None}
