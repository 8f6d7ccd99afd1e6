"""Bundles: signals of several hubs gathered into one national matter. The public ones are a public ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from app.api.rest.answers import AsOf, OneQuery, PageQuery, Strict, edge, one, page
from app.api.rest.contract import Collection, Reference, responses
from app.api.rest.doors import Ask, Door
from app.api.rest.hubs import HubReference
from app.api.rest.picks import picks
from app.api.rest.signals import SIMILAR, SimilarReference, SimilarSignal
from app.api.rest.terms import TermReference
from app.api.rest.writing import change, create, remove, representation, version_given
from app.domain import bundles
from app.domain.bundles import MAX_SIGNALS, BundleStatus, BundleVisibility
from app.domain.ids import new_id
from app.domain.signal_rules import MAX_TITLE

router = APIRouter(prefix="/v1/national/bundles", tags=["National layer"], route_class=Door)

BUNDLE = (
    "id title summary umbrella { code label } status response visibility "
    "signals { id title hub { slug name } kind status } hubs { slug name } themes { code label } "
    "version createdAt updatedAt answeredAt"
)


class Bundle(Reference):
    """A national matter. Of its signals, hubs and themes you see those that you may see anywhere."""

    id: UUID
    title: str = Field(examples=["Wachttijden in de ggz"])
    summary: str
    umbrella: TermReference | None = Field(description="Whose it is; null: the national coordination's.")
    status: BundleStatus
    response: str | None = Field(description="The answer to those who spoke up; there when answered or closed.")
    visibility: BundleVisibility
    signals: list[SimilarReference]
    hubs: list[HubReference]
    themes: list[TermReference]
    version: int
    created_at: datetime
    updated_at: datetime
    answered_at: datetime | None


Title = Annotated[str, Field(max_length=200_000, description=f"At most {MAX_TITLE} characters.")]
BundleId = Annotated[UUID, Path(description="Id of the bundle.")]
SignalId = Annotated[UUID, Path(description="Id of the signal.")]


class NewBundle(Strict):
    """A bundle to make, with its first signals."""

    blank: ClassVar = {"title": ""}

    title: Annotated[Title, Field(examples=["Wachttijden in de ggz"])]
    summary: Annotated[str, Field(max_length=200_000)] = ""
    visibility: BundleVisibility = "network"
    signals: Annotated[
        list[UUID], Field(max_length=MAX_SIGNALS, description="Verified signals that you may see.", examples=[[]])
    ] = []


class BundleChange(Strict):
    """A merge-patch: fields that are absent stay."""

    read_only: ClassVar = frozenset(
        [
            "id",
            "umbrella",
            "status",
            "response",
            "signals",
            "hubs",
            "themes",
            "version",
            "createdAt",
            "updatedAt",
            "answeredAt",
        ]
    )
    blank: ClassVar[dict[str, Any]] = {}

    title: Title = ""
    summary: Annotated[str | None, Field(max_length=200_000)] = ""
    visibility: BundleVisibility = "network"


class BundleStep(Strict):
    """A step to another status. Answered and closed need a response, here or from before."""

    blank: ClassVar = {"to": "open"}

    to: Annotated[BundleStatus, Field(examples=["answered"])]
    response: Annotated[
        str | None, Field(max_length=200_000, examples=["Dit staat op de agenda van het landelijk overleg."])
    ] = None


class BundlesQuery(PageQuery):
    """What narrows the list."""

    umbrella: Annotated[str | None, Field(max_length=60, description="Code of the umbrella whose they are.")] = None
    status: Annotated[BundleStatus | None, Field(description="How far they came.")] = None
    visibility: Annotated[BundleVisibility | None, Field(description="`public` is the public ledger.")] = None
    hub: Annotated[str | None, Field(max_length=80, description="With a signal of this hub, that you may see.")] = None
    theme: Annotated[str | None, Field(max_length=80, description="With a signal on this theme or a child of it.")] = (
        None
    )
    signal: Annotated[UUID | None, Field(description="With this signal.")] = None


class SuggestionsQuery(Strict):
    """Of which signal."""

    signal: Annotated[UUID, Field(description="Id of the signal to start from.")]
    as_of: AsOf = None


@router.get("", summary="List bundles", responses=responses(Collection[Bundle]))
async def list_bundles(asking: Ask, query: Annotated[BundlesQuery, Query()]) -> Response:
    filters = {name: getattr(query, name) for name in ("umbrella", "status", "visibility", "hub", "theme", "signal")}
    return await page(asking, "bundle", BUNDLE, query, filters)


@router.get(
    "/suggestions",
    summary="List signals to bundle with one",
    description="About the same matter, of other hubs, the most alike first: those that you may see.",
    responses=responses(Collection[SimilarSignal], missing=True),
)
async def suggest_bundle(asking: Ask, query: Annotated[SuggestionsQuery, Query()]) -> Response:
    return await edge(asking, "signal", {"id": query.signal}, "similar", picks(SIMILAR), {}, query.as_of)


@router.get("/{id}", summary="Read a bundle", responses=responses(Bundle, missing=True))
async def read_bundle(asking: Ask, id: BundleId, query: Annotated[OneQuery, Query()]) -> Response:
    return await one(asking, "bundle", BUNDLE, query, {"id": id})


@router.post(
    "",
    summary="Make a bundle",
    description="By an umbrella or the national coordination.",
    status_code=201,
    responses=responses(Bundle, status=201),
)
async def add_bundle(asking: Ask, body: NewBundle) -> Response:
    actor = asking.asked.actor
    entity = bundles.Bundle(new_id(), body.title, body.summary, visibility=body.visibility)
    return await create(
        asking,
        lambda work: bundles.create_bundle(work, actor, entity, body.signals),
        lambda made: representation(asking, "bundle", BUNDLE, {"id": made}),
        lambda made: f"/v1/national/bundles/{made}",
    )


@router.patch("/{id}", summary="Change a bundle", responses=responses(Bundle, missing=True, writes=True))
async def change_bundle(asking: Ask, id: BundleId, body: BundleChange) -> Response:
    version = version_given(asking)
    changes = {name: getattr(body, name) or "" for name in body.model_fields_set}
    return await change(
        asking,
        representation(asking, "bundle", BUNDLE, {"id": id}),
        lambda work: bundles.change_bundle(work, asking.asked.actor, id, changes, version),
    )


@router.post(
    "/{id}/transitions",
    summary="Take up, answer or close a bundle",
    description="`open`, `in-progress`, `answered`, `closed`. Whoever may see the bundle sees the response, and the hubs "
    "of its signals pass it on.",
    responses=responses(Bundle, missing=True, writes=True),
)
async def step_bundle(asking: Ask, id: BundleId, body: BundleStep) -> Response:
    version = version_given(asking)
    return await change(
        asking,
        representation(asking, "bundle", BUNDLE, {"id": id}),
        lambda work: bundles.step_bundle(work, asking.asked.actor, id, body.to, body.response, version),
    )


@router.put(
    "/{id}/signals/{signalId}",
    summary="Put a signal in a bundle",
    description="A verified one that you may see. Goes by the version of the bundle.",
    responses=responses(Bundle, missing=True, writes=True),
)
async def put_bundled(asking: Ask, id: BundleId, signalId: SignalId) -> Response:
    version = version_given(asking)
    return await change(
        asking,
        representation(asking, "bundle", BUNDLE, {"id": id}),
        lambda work: bundles.put_bundled(work, asking.asked.actor, id, signalId, version),
    )


@router.delete(
    "/{id}/signals/{signalId}",
    summary="Take a signal out of a bundle",
    description="Goes by the version of the bundle, and answers with it.",
    responses=responses(Bundle, missing=True, writes=True),
)
async def remove_bundled(asking: Ask, id: BundleId, signalId: SignalId) -> Response:
    version = version_given(asking)
    return await change(
        asking,
        representation(asking, "bundle", BUNDLE, {"id": id}),
        lambda work: bundles.remove_bundled(work, asking.asked.actor, id, signalId, version),
    )


@router.delete(
    "/{id}",
    summary="Delete a bundle",
    description="Its signals stay as they are; a tombstone stays in the change log.",
    status_code=204,
    responses={204: {"description": "Done."}, 404: {"description": "Not there, or not yours to see."}},
)
async def delete_bundle(asking: Ask, id: BundleId) -> Response:
    version = version_given(asking)
    return await remove(
        asking,
        representation(asking, "bundle", BUNDLE, {"id": id}),
        lambda work: bundles.delete_bundle(work, asking.asked.actor, id, version),
    )
