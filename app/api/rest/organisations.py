"""The public directory of organisations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field

from app.api.rest.answers import OneQuery, PageQuery, Strict, one, page
from app.api.rest.contract import Collection, Reference, responses
from app.api.rest.doors import Ask, Door
from app.api.rest.regions import RegionReference
from app.api.rest.terms import TermReference
from app.api.rest.writing import change, create, representation, version_given
from app.domain import organisations
from app.domain.ids import new_id
from app.domain.organisations import Organisation as Entity
from app.domain.organisations import OrganisationType, Side, Strand

router = APIRouter(prefix="/v1", tags=["Organisations"], route_class=Door)

ORGANISATION = (
    "id name type side strand workfield { code label } regions { code scheme name } website basis demonstration "
    "version createdAt updatedAt"
)


OrganisationId = Annotated[UUID, Field(description="Id of an organisation.")]


class OrganisationReference(Reference):
    id: UUID
    name: str


class Organisation(Reference):
    """An organisation of the life world or the system world; never people. `workfield` null: cross-cutting."""

    id: UUID
    name: str
    type: OrganisationType
    side: Side
    strand: Strand | None
    workfield: TermReference | None
    regions: list[RegionReference]
    website: str | None
    basis: str | None = Field(description="`advice-report` where the report names it; null: entered here.")
    demonstration: bool
    version: int
    created_at: datetime
    updated_at: datetime


class NewOrganisation(Strict):
    """An organisation to add."""

    name: Annotated[str, Field(min_length=1, max_length=organisations.MAX_NAME)]
    type: OrganisationType
    side: Side
    strand: Strand | None = None
    workfield: Annotated[str | None, Field(max_length=60, examples=["inclusie"])] = None
    regions: Annotated[list[str], Field(max_length=100, examples=[["GG2014"]])] = []
    website: Annotated[str | None, Field(max_length=300)] = None


class OrganisationChange(Strict):
    """A merge-patch: fields that are absent stay, null empties."""

    name: Annotated[str, Field(min_length=1, max_length=organisations.MAX_NAME)] = ""
    type: OrganisationType = "overig"
    side: Side = "life-world"
    strand: Strand | None = None
    workfield: Annotated[str | None, Field(max_length=60)] = None
    regions: Annotated[list[str] | None, Field(max_length=100)] = None
    website: Annotated[str | None, Field(max_length=300)] = None


class OrganisationsQuery(PageQuery):
    type: Annotated[OrganisationType | None, Field(description="Only organisations of this type.")] = None
    side: Annotated[Side | None, Field(description="Only those of the life world, or of the system world.")] = None
    workfield: Annotated[str | None, Field(max_length=60, description="Code of a workfield.")] = None
    region: Annotated[
        str | None,
        Field(max_length=20, description="Only organisations of a region that shares a municipality with this one."),
    ] = None
    hub: Annotated[str | None, Field(max_length=80, description="Only members, hosts and directors of this hub.")] = (
        None
    )
    q: Annotated[str | None, Field(min_length=1, max_length=100, description="Part of the name.")] = None


@router.get("/organisations", summary="List organisations", responses=responses(Collection[Organisation]))
async def list_organisations(asking: Ask, query: Annotated[OrganisationsQuery, Query()]) -> Response:
    filters = {
        "type": query.type,
        "side": query.side,
        "workfield": query.workfield,
        "region": query.region,
        "hub": query.hub,
        "q": query.q,
    }
    return await page(asking, "organisation", ORGANISATION, query, filters)


@router.get("/organisations/{id}", summary="Read an organisation", responses=responses(Organisation, missing=True))
async def read_organisation(asking: Ask, id: OrganisationId, query: Annotated[OneQuery, Query()]) -> Response:
    return await one(asking, "organisation", ORGANISATION, query, {"id": id})


@router.post(
    "/organisations",
    summary="Add an organisation",
    status_code=201,
    responses=responses(Organisation, status=201),
)
async def add_organisation(asking: Ask, body: NewOrganisation) -> Response:
    entity = Entity(new_id(), **_fields(body, set(NewOrganisation.model_fields)))
    return await create(
        asking,
        lambda work: organisations.create_organisation(work, asking.asked.actor, entity),
        lambda made: representation(asking, "organisation", ORGANISATION, {"id": made}),
        lambda made: f"/v1/organisations/{made}",
    )


@router.patch(
    "/organisations/{id}",
    summary="Change an organisation",
    responses=responses(Organisation, missing=True, writes=True),
)
async def change_organisation(asking: Ask, id: OrganisationId, body: OrganisationChange) -> Response:
    changes = _fields(body, body.model_fields_set)
    version = version_given(asking)
    return await change(
        asking,
        representation(asking, "organisation", ORGANISATION, {"id": id}),
        lambda work: organisations.change_organisation(work, asking.asked.actor, id, changes, version),
    )


def _fields(body: Strict, names: set[str]) -> dict[str, Any]:
    found = {name: getattr(body, name) for name in names}
    if "regions" in found:
        found["regions"] = tuple(found["regions"] or ())
    return found
