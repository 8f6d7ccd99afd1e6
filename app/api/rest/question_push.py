"""Questions by their hub's own ids: one at a time, or up to a thousand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict, Field, SkipValidation

from app.api.push import told
from app.api.rest.answers import OneQuery, one
from app.api.rest.contract import responses
from app.api.rest.doors import Ask, Asking, Door
from app.api.rest.hubs import Slug
from app.api.rest.push import (
    BATCH_RULES,
    BasedOn,
    Batch,
    BatchQuery,
    Deletion,
    ExternalId,
    OwnId,
    PushResults,
    check_address,
    described,
    push_batch,
    wish,
)
from app.api.rest.question_inputs import Code, Codes, MatrixIn, MixIn, OutcomeIn, QuestionFields, Text
from app.api.rest.question_models import QUESTION, Question
from app.api.rest.writing import change, remove, representation
from app.domain import question_push
from app.domain.ids import new_id
from app.domain.push import MAX_ITEMS, Item, Mode, Result
from app.domain.question_rules import MAX_REGIONS, Status
from app.domain.reading import Selection
from app.domain.work import Work

router = APIRouter(prefix="/v1", tags=["Sync"], route_class=Door)

RULES = """\
The question as it must be, led by your hub: what is left out is empty. `levels`, `matrix`, `mix` and `outcome` stay as they
are when they are absent or null (leave them out when Knooppunt keeps them); a part that is given replaces the one that is
there. Hubs, invitations and signals are no part of it, and stay.

Without `status` it stays where it is in its life (a new one is a draft). With a status the steps that lead there are taken:
`concluded` needs an outcome, `followed-up` the level achieved as well; both may come with it. What cannot be reached is a
conflict that names what can (`allowed`). A cancelled question does not change any more.

The same again changes nothing: the same version, no history, no entry in the change log."""
EXAMPLE: Any = {
    "mode": "partial",
    "items": [
        {
            "externalId": "VR-2026-0012", "title": "Zorg voor kwetsbare ouderen", "description": "Hoe houden we hulp dichtbij?",
            "themes": ["zelfstandig-ouder-worden"], "regions": ["GG2014"], "levels": {"intended": "meewerken"},
            "mix": {"groups": [{"group": "mantelzorgers", "wanted": 4}]}, "status": "open",
        },
        {"externalId": "VR-2025-0003", "delete": True},
    ],
}  # fmt: skip
LINES = (
    '{"externalId": "VR-2026-0012", "title": "Zorg voor kwetsbare ouderen", "themes": ["zelfstandig-ouder-worden"], '
    '"regions": ["GG2014"]}\n{"externalId": "VR-2025-0003", "delete": true}\n'
)


class QuestionContent(QuestionFields):
    """A whole question, as the hub that leads it has it."""

    title: Text
    description: Text = ""
    methods: Codes = []
    regions: Annotated[list[Code], Field(max_length=MAX_REGIONS, examples=[["GG2014"]])]
    themes: Annotated[Codes, Field(examples=[["zelfstandig-ouder-worden"]])]
    matrix: MatrixIn | None = None
    mix: MixIn | None = None
    outcome: OutcomeIn | None = None
    status: Annotated[
        Status | None, Field(description="The steps that lead there are taken; absent, it stays where it is.")
    ] = None


class PushedQuestion(QuestionContent):
    """An item that adds a question, or replaces it."""

    externalId: OwnId
    version: BasedOn = None
    delete: Literal[False] = False


class QuestionBatch(Batch):
    """Items to carry out, each by itself or all together."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    items: Annotated[list[SkipValidation[PushedQuestion | Deletion]], Field(max_length=MAX_ITEMS)]


@router.get(
    "/hubs/{slug}/questions/{externalId:own}",
    summary="Read a question by its hub's own id",
    description="Of the hub that leads it.",
    responses=responses(Question, missing=True),
)
async def read_hub_question(
    asking: Ask, slug: Slug, externalId: ExternalId, query: Annotated[OneQuery, Query()]
) -> Response:
    check_address(asking)
    return await one(asking, "question", QUESTION, query, {"lead": slug, "externalId": externalId})


@router.put(
    "/hubs/{slug}/questions/{externalId:own}",
    summary="Add or replace a question by your own id",
    description=RULES + "\n\nNeeds no `If-Match`; with it, or with `If-None-Match: *`, it goes by what is there.",
    responses={
        **responses(Question, missing=True, writes=True),
        201: {"model": Question, "description": "A new question."},
    },
)
async def put_hub_question(asking: Ask, slug: Slug, externalId: ExternalId, body: QuestionContent) -> Response:
    check_address(asking)
    item = Item(externalId, _content(body), wish(asking))
    return await change(
        asking,
        _by_own_id(asking, slug, externalId),
        lambda work: told(_push(asking, work, slug, item)),
        lambda result: 201 if result.result == "created" else 200,
    )


@router.delete(
    "/hubs/{slug}/questions/{externalId:own}",
    summary="Delete a question by your own id",
    description="Leaves its history for its hubs, and a tombstone in the change log. Needs no `If-Match`.",
    status_code=204,
    responses={204: {"description": "Done."}, 404: {"description": "Not there, or not yours to see."}},
)
async def delete_hub_question(asking: Ask, slug: Slug, externalId: ExternalId) -> Response:
    check_address(asking)
    item = Item(externalId, None, wish(asking))
    return await remove(
        asking,
        _by_own_id(asking, slug, externalId),
        lambda work: told(_push(asking, work, slug, item)),
    )


@router.post(
    "/hubs/{slug}/questions/_batch",
    summary="Push many questions by your own ids",
    description=BATCH_RULES.format(noun="question", rules=RULES),
    responses=responses(PushResults, missing=True, writes=True),
    openapi_extra=described("question or deletion", LINES),
)
async def push_hub_questions(
    asking: Ask, slug: Slug, query: Annotated[BatchQuery, Query()], body: QuestionBatch
) -> Response:
    async def push(work: Work, items: list[Item], mode: Mode) -> list[Result]:
        return await question_push.push_questions(
            work, asking.asked.actor, slug, items, mode, asking.services.today(), new_id
        )

    return await push_batch(asking, query, body, PushedQuestion, _content, push)


def _push(asking: Asking, work: Work, slug: str, item: Item) -> Any:
    return question_push.push_question(work, asking.asked.actor, slug, item, asking.services.today(), new_id)


def _by_own_id(asking: Asking, slug: str, external_id: str) -> Selection:
    return representation(asking, "question", QUESTION, {"lead": slug, "externalId": external_id})


def _content(body: QuestionContent) -> Mapping[str, Any]:
    fields, _ = body.entity_fields(set(QuestionFields.model_fields) - {"levels"})
    levels = body.levels
    parts = {name: None if part is None else part.entity() for name, part in (
        ("matrix", body.matrix), ("mix", body.mix), ("outcome", body.outcome),
    )}  # fmt: skip
    wished = None if levels is None else {name: getattr(levels, name) for name in levels.model_fields_set}
    return {**fields, **parts, "levels": wished, "status": body.status}
