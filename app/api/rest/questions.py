"""Questions: where system world and life world meet. Ladder, matrix, mix and outcome; their signals; their hubs."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import AwareDatetime, Field

from app.api.rest.answers import AsOf, OneQuery, PageQuery, Strict, collection, edge, one, page, page_selection
from app.api.rest.contract import Collection, responses
from app.api.rest.doors import Ask, Asking, Door
from app.api.rest.hubs import Slug
from app.api.rest.picks import picks
from app.api.rest.question_inputs import MatrixIn, MixIn, NewQuestion, OutcomeIn, QuestionChange, QuestionTransition
from app.api.rest.question_matrix import MATRIX_RESPONSES, MatrixQuery, matrix_page
from app.api.rest.question_models import (
    FOUND,
    QUESTION,
    RELATED_QUESTION,
    RELATED_SIGNAL,
    TAKEN_UP,
    VERSION,
    FoundQuestion,
    Question,
    QuestionVersion,
    RelatedQuestion,
    RelatedSignal,
    TakenUp,
)
from app.api.rest.writing import change, create, remove, representation, version_given
from app.domain import question_hubs, questions
from app.domain.errors import NotFound
from app.domain.ids import new_id
from app.domain.question_rules import Origin, Scope, Status, Visibility
from app.domain.reading import Selection

router = APIRouter(prefix="/v1", tags=["Questions"], route_class=Door)

QuestionId = Annotated[UUID, Path(description="Id of the question.")]
SignalId = Annotated[UUID, Path(description="Id of the signal.")]
_GONE: dict[int | str, dict[str, Any]] = {
    204: {"description": "Done."},
    404: {"description": "Not there, or not yours to see."},
}


class QuestionsQuery(PageQuery):
    hub: Annotated[str | None, Field(max_length=80, description="Slug of a hub: questions that it is of.")] = None
    region: Annotated[
        str | None, Field(max_length=20, description="Questions of regions, of any scheme, that meet this one.")
    ] = None
    theme: Annotated[str | None, Field(max_length=80, description="Code of a theme; its children count as well.")] = (
        None
    )
    workfield: Annotated[
        str | None,
        Field(max_length=80, description="Includes cross-cutting questions; `werkveldoverstijgend` gives those alone."),
    ] = None
    level: Annotated[
        str | None, Field(max_length=80, description="The level achieved, else agreed, else intended.")
    ] = None
    status: Annotated[Status | None, Field(description="Drafts are seen by their hubs alone.")] = None
    scope: Annotated[Scope | None, Field(description="Broad or specific.")] = None
    origin: Annotated[Origin | None, Field(description="Which world it came from.")] = None
    visibility: Annotated[Visibility | None, Field(description="How far its hubs share it.")] = None
    updatedSince: Annotated[
        AwareDatetime | None, Field(description="Changed at this time or later, with its offset.")
    ] = None
    q: Annotated[
        str | None, Field(min_length=1, max_length=200, description="Dutch full text, over the newest 1,000 matches.")
    ] = None


class AsOfQuery(Strict):
    as_of: AsOf = None


@router.get(
    "/questions",
    summary="List questions",
    description="With their levels, balance and hubs; `expand=matrix,mix,outcome` shows the other parts as well.",
    responses=responses(Collection[FoundQuestion]),
)
async def list_questions(asking: Ask, query: Annotated[QuestionsQuery, Query()]) -> Response:
    names = (
        "q",
        "hub",
        "region",
        "theme",
        "workfield",
        "level",
        "status",
        "scope",
        "origin",
        "visibility",
        "updatedSince",
    )
    return await page(asking, "question", FOUND, query, {name: getattr(query, name) for name in names})


@router.get("/questions/{id}", summary="Read a question", responses=responses(Question, missing=True))
async def read_question(asking: Ask, id: QuestionId, query: Annotated[OneQuery, Query()]) -> Response:
    return await one(asking, "question", QUESTION, query, {"id": id})


@router.post("/questions", summary="Add a question", status_code=201, responses=responses(Question, status=201))
async def add_question(asking: Ask, body: NewQuestion) -> Response:
    actor, today = asking.asked.actor, asking.services.today()
    entity, wish = body.entity(new_id(), body.hub or actor.hub or "")
    return await create(
        asking,
        lambda work: questions.create_question(work, actor, entity, wish, today),
        lambda made: _shown(asking, made),
        lambda made: f"/v1/questions/{made}",
    )


def _shown(asking: Asking, id_: UUID) -> Selection:
    return representation(asking, "question", QUESTION, {"id": id_})


@router.patch("/questions/{id}", summary="Change a question", responses=responses(Question, missing=True, writes=True))
async def change_question(asking: Ask, id: QuestionId, body: QuestionChange) -> Response:
    version, today = version_given(asking), asking.services.today()
    fields, wish = body.entity_fields(body.model_fields_set)
    return await change(
        asking,
        _shown(asking, id),
        lambda work: questions.change_question(work, asking.asked.actor, id, fields, wish, version, today),
    )


@router.delete(
    "/questions/{id}",
    summary="Delete a question",
    description="By the hub that leads. Leaves its history for its hubs, and a tombstone in the change log.",
    status_code=204,
    responses=_GONE,
)
async def delete_question(asking: Ask, id: QuestionId) -> Response:
    version = version_given(asking)
    return await remove(
        asking, _shown(asking, id), lambda work: questions.delete_question(work, asking.asked.actor, id, version)
    )


@router.post(
    "/questions/{id}/transitions",
    summary="Bring a question to another status",
    description="Concluded needs an outcome, followed up the achieved level. A refusal names the statuses `allowed`.",
    responses=responses(Question, missing=True, writes=True),
)
async def step_question(asking: Ask, id: QuestionId, body: QuestionTransition) -> Response:
    version = version_given(asking)
    return await change(
        asking,
        _shown(asking, id),
        lambda work: questions.step_question(work, asking.asked.actor, id, body.to, body.note, version),
    )


@router.get(
    "/questions/{id}/matrix",
    summary="Read the matrix of a question",
    description="As JSON; for reports as an accessible HTML table or as CSV, by `Accept` or `format`.",
    responses=MATRIX_RESPONSES,
)
async def read_matrix(asking: Ask, id: QuestionId, query: Annotated[MatrixQuery, Query()]) -> Response:
    return await matrix_page(asking, id, query)


@router.put(
    "/questions/{id}/matrix",
    summary="Set the matrix of a question",
    description="Goes by the version of the question.",
    responses=responses(Question, missing=True, writes=True),
)
async def put_matrix(asking: Ask, id: QuestionId, body: MatrixIn) -> Response:
    version = version_given(asking)
    return await change(
        asking,
        _shown(asking, id),
        lambda work: questions.put_matrix(work, asking.asked.actor, id, body.entity(), version),
    )


@router.put(
    "/questions/{id}/mix",
    summary="Set the mix of participants of a question",
    description="Goes by the version of the question; `balance` then tells what is missing.",
    responses=responses(Question, missing=True, writes=True),
)
async def put_mix(asking: Ask, id: QuestionId, body: MixIn) -> Response:
    version, today = version_given(asking), asking.services.today()
    return await change(
        asking,
        _shown(asking, id),
        lambda work: questions.put_mix(work, asking.asked.actor, id, body.entity(), version, today),
    )


@router.put(
    "/questions/{id}/outcome",
    summary="Set the outcome of a question",
    description="You said, we did. Goes by the version of the question, from in-progress on.",
    responses=responses(Question, missing=True, writes=True),
)
async def put_outcome(asking: Ask, id: QuestionId, body: OutcomeIn) -> Response:
    version, today = version_given(asking), asking.services.today()
    return await change(
        asking,
        _shown(asking, id),
        lambda work: questions.put_outcome(work, asking.asked.actor, id, body.entity(), version, today),
    )


@router.put(
    "/questions/{id}/hubs/{slug}",
    summary="Invite a hub, or accept an invitation",
    description="By the hub that leads: invites the other. By the other itself: accepts. Goes by the version of the "
    "question when `If-Match` is given.",
    responses=responses(Question, missing=True, writes=True),
)
async def put_hub(asking: Ask, id: QuestionId, slug: Slug) -> Response:
    version = version_given(asking)
    return await change(
        asking,
        _shown(asking, id),
        lambda work: question_hubs.put_hub(work, asking.asked.actor, id, slug, version),
    )


@router.delete(
    "/questions/{id}/hubs/{slug}",
    summary="Leave a question, decline an invitation, or take a hub out",
    status_code=204,
    responses=_GONE,
)
async def remove_hub(asking: Ask, id: QuestionId, slug: Slug) -> Response:
    version = version_given(asking)
    return await remove(
        asking,
        _shown(asking, id),
        lambda work: question_hubs.remove_hub(work, asking.asked.actor, id, slug, version),
    )


@router.put(
    "/questions/{id}/signals/{signalId}",
    summary="Take up a signal in a question",
    description="Goes by the version of the question when `If-Match` is given.",
    responses=responses(Question, missing=True, writes=True),
)
async def link_signal(asking: Ask, id: QuestionId, signalId: SignalId) -> Response:
    version = version_given(asking)
    return await change(
        asking,
        _shown(asking, id),
        lambda work: questions.link_signal(work, asking.asked.actor, id, signalId, version, linked=True),
    )


@router.delete(
    "/questions/{id}/signals/{signalId}",
    summary="Take a signal out of a question",
    status_code=204,
    responses=_GONE,
)
async def unlink_signal(asking: Ask, id: QuestionId, signalId: SignalId) -> Response:
    version = version_given(asking)
    return await remove(
        asking,
        _shown(asking, id),
        lambda work: questions.link_signal(work, asking.asked.actor, id, signalId, version, linked=False),
    )


@router.get(
    "/questions/{id}/related-signals",
    summary="List signals near a question",
    description="By theme, overlapping region and words, with the reasons for each; those linked already are left out.",
    responses=responses(Collection[RelatedSignal], missing=True),
)
async def list_related_signals(asking: Ask, id: QuestionId, query: Annotated[AsOfQuery, Query()]) -> Response:
    return await edge(asking, "question", {"id": id}, "relatedSignals", picks(RELATED_SIGNAL), {}, query.as_of)


@router.get(
    "/signals/{id}/related-questions",
    summary="List questions near a signal",
    description="By theme, overlapping region and words, with the reasons for each; those linked already are left out.",
    responses=responses(Collection[RelatedQuestion], missing=True),
)
async def list_related_questions(asking: Ask, id: SignalId, query: Annotated[AsOfQuery, Query()]) -> Response:
    return await edge(asking, "signal", {"id": id}, "relatedQuestions", picks(RELATED_QUESTION), {}, query.as_of)


@router.get(
    "/signals/{id}/questions",
    summary="List the questions that took up a signal",
    description="With what came of each: the answer to the person who spoke up.",
    responses=responses(Collection[TakenUp], missing=True),
)
async def list_signal_questions(asking: Ask, id: SignalId, query: Annotated[AsOfQuery, Query()]) -> Response:
    return await edge(asking, "signal", {"id": id}, "questions", picks(TAKEN_UP), {}, query.as_of)


@router.get(
    "/questions/{id}/history",
    summary="Read the history of a question",
    description="For its hubs; survives deletion.",
    responses=responses(Collection[QuestionVersion], missing=True),
)
async def read_question_history(asking: Ask, id: QuestionId, query: Annotated[PageQuery, Query()]) -> Response:
    selection = page_selection(asking, "question-version", VERSION, query, {"question": id})
    (answer,) = await asking.services.library.read(
        [selection], actor=asking.asked.actor, language=asking.asked.language
    )
    if answer.body in (None, b"[]") and query.cursor is None:
        raise NotFound(questions.NOT_THERE)
    return collection(asking, answer.body or b"[]", answer.next)
