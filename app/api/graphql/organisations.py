"""Organisations as node type, root fields and mutations."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry
from strawberry import UNSET, Info

from app.api.graphql.connections import Connection, answered
from app.api.graphql.regions import Region
from app.api.graphql.selecting import Projected, project
from app.api.graphql.terms import Workfield
from app.api.graphql.writing import created, given, write
from app.domain import organisations
from app.domain.ids import new_id
from app.domain.organisations import Organisation as Entity

if TYPE_CHECKING:
    from app.api.graphql.hubs import Hub

HubRef = Annotated["Hub", strawberry.lazy("app.api.graphql.hubs")]


@strawberry.type(description="An organisation of the life world or the system world; never people.")
class Organisation:
    id: UUID
    name: str
    type: str
    side: str
    strand: str | None
    website: str | None
    basis: str | None
    demonstration: bool
    version: int
    created_at: datetime
    updated_at: datetime
    workfield: Workfield | None
    regions: list[Region]
    hubs: list[HubRef]


@strawberry.input
class OrganisationFilter:
    type: str | None = None
    side: str | None = None
    workfield: str | None = None
    region: str | None = None
    hub: str | None = None
    q: str | None = None


@strawberry.input
class NewOrganisation:
    name: str
    type: str
    side: str
    strand: str | None = None
    workfield: str | None = None
    regions: list[str] = strawberry.field(default_factory=list)
    website: str | None = None


@strawberry.input(description="Fields that are absent stay, null empties.")
class OrganisationChange:
    name: str | None = UNSET
    type: str | None = UNSET
    side: str | None = UNSET
    strand: str | None = UNSET
    workfield: str | None = UNSET
    regions: list[str] | None = UNSET
    website: str | None = UNSET


_FILTERS = ("type", "side", "workfield", "region", "hub", "q")

PROJECTED = {
    "organisations": Projected("organisation", "connection", {name: name for name in _FILTERS}),
    "organisation": Projected("organisation", "one", {"id": "id"}),
}


@strawberry.type
class OrganisationQuery:
    """The root fields of the directory."""

    @strawberry.field(description="The public directory of organisations.")
    async def organisations(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        filter: OrganisationFilter | None = None,
        sort: str | None = None,
    ) -> Connection[Organisation]:
        return await answered(info, PROJECTED["organisations"])

    @strawberry.field(description="One organisation by its id.")
    async def organisation(self, info: Info, id: UUID) -> Organisation | None:
        return await answered(info, PROJECTED["organisation"])


@strawberry.type
class OrganisationPayload:
    organisation_id: strawberry.Private[UUID]

    @strawberry.field(description="The organisation as it is after the change.")
    async def organisation(self, info: Info) -> Organisation:
        return await project(info, PROJECTED["organisation"], filters={"id": self.organisation_id})


@strawberry.type
class OrganisationMutation:
    """Changes of the directory."""

    @strawberry.mutation(description="Add an organisation. With an idempotency key it happens once.")
    async def create_organisation(
        self, info: Info, organisation: NewOrganisation, idempotency_key: str | None = None
    ) -> OrganisationPayload:
        fields = given(organisation)
        fields["regions"] = tuple(fields["regions"])
        entity = Entity(new_id(), **fields)
        made = await created(
            info,
            idempotency_key,
            ("createOrganisation", fields),
            lambda work, actor: organisations.create_organisation(work, actor, entity),
        )
        return OrganisationPayload(organisation_id=UUID(str(made)))

    @strawberry.mutation(description="Change an organisation, from the version that you read.")
    async def update_organisation(
        self, info: Info, id: UUID, version: int, changes: OrganisationChange
    ) -> OrganisationPayload:
        fields = given(changes, required=("name", "type", "side"))
        if "regions" in fields:
            fields["regions"] = tuple(fields["regions"] or ())
        await write(info, lambda work, actor: organisations.change_organisation(work, actor, id, fields, version))
        return OrganisationPayload(organisation_id=id)
