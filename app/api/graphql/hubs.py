"""Hubs as node types, root fields and mutations."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import strawberry
from strawberry import UNSET, Info

from app.api.graphql.connections import Connection, answered, nowhere
from app.api.graphql.organisations import Organisation
from app.api.graphql.regions import Overlap, Region
from app.api.graphql.selecting import Projected, project
from app.api.graphql.terms import Workfield
from app.api.graphql.writing import created, given, write
from app.domain import hubs
from app.domain.reference import Area as AreaDefined


@strawberry.type
class HubPhase:
    phase: str
    from_: date = strawberry.field(name="from")


@strawberry.type
class HubHost:
    status: str
    organisation: Organisation


@strawberry.type
class SteeringSeat:
    workfield: Workfield
    organisation: Organisation


@strawberry.type(description="What the report asks of a steering group and is not so: gap, double, same-organisation.")
class SteeringIssue:
    code: str
    workfield: Workfield | None


@strawberry.type(description="Whole regions, plus and minus municipalities, from a date on.")
class AreaDefinition:
    from_: date = strawberry.field(name="from")
    regions: list[Region]
    plus: list[Region]
    minus: list[Region]


@strawberry.type(description="The figures printed in the report next to what we compute, and why they differ.")
class PublishedFigures:
    municipality_count: str
    municipality_count_low: int
    municipality_count_high: int
    population: int
    computed_municipality_count: int | None
    computed_population: int | None
    source: str
    note: str


@strawberry.type(description="The area of a hub as of a date.")
class Area:
    code: str
    municipality_count: int
    population: int | None
    population_date: date | None
    definition: AreaDefinition | None
    published: PublishedFigures | None


@strawberry.type(description="An organisation in the network of a hub.")
class Member:
    status: str
    strand: str | None
    since: date | None
    organisation: Organisation
    hub: Hub


@strawberry.type(description="A hub. `basis` says what it rests on: `advice-report` is a proposal, not a present fact.")
class Hub:
    slug: str
    name: str
    basis: str
    phase: str | None
    frontrunner_role: str | None
    hosts_relation: str | None
    challenges: list[str]
    contact: str | None
    website: str | None
    demonstration: bool
    version: int
    created_at: datetime
    updated_at: datetime
    phases: list[HubPhase]
    frontrunner: Hub | None
    hosts: list[HubHost]
    steering_group: list[SteeringSeat]
    steering_group_issues: list[SteeringIssue]
    area: Area | None
    members: list[Member]

    @strawberry.field(description="Regions that the hub's area meets; all schemes when none is named.")
    def regions(self, scheme: str | None = None) -> list[Overlap]:
        found: list[Overlap] = nowhere()
        return found


@strawberry.input
class HubFilter:
    municipality: str | None = None
    region: str | None = None
    phase: str | None = None


@strawberry.input
class PhaseInput:
    phase: str
    from_: date = strawberry.field(name="from")


@strawberry.input
class HostInput:
    organisation: UUID
    status: str = "proposed"


@strawberry.input
class SteeringInput:
    workfield: str
    organisation: UUID


@strawberry.input(description="The area from a date on: regions of any scheme, municipalities added and left out.")
class AreaInput:
    from_: date = strawberry.field(name="from")
    regions: list[str] = strawberry.field(default_factory=list)
    plus: list[str] = strawberry.field(default_factory=list)
    minus: list[str] = strawberry.field(default_factory=list)

    def entity(self) -> AreaDefined:
        """As the domain has it, in the order given: faults name the place."""
        return AreaDefined(self.from_, tuple(self.regions), tuple(self.plus), tuple(self.minus))


@strawberry.input
class NewHub:
    slug: str
    name: str
    area: AreaInput
    contact: str | None = None
    website: str | None = None
    frontrunner_role: str | None = None
    frontrunner: str | None = None
    phases: list[PhaseInput] = strawberry.field(default_factory=list)
    hosts: list[HostInput] = strawberry.field(default_factory=list)
    steering_group: list[SteeringInput] = strawberry.field(default_factory=list)


@strawberry.input(description="Fields that are absent stay, null empties, lists are replaced whole.")
class HubChange:
    name: str | None = UNSET
    contact: str | None = UNSET
    website: str | None = UNSET
    frontrunner_role: str | None = UNSET
    frontrunner: str | None = UNSET
    phases: list[PhaseInput] | None = UNSET
    hosts: list[HostInput] | None = UNSET
    steering_group: list[SteeringInput] | None = UNSET


PROJECTED = {
    "hubs": Projected("hub", "connection", {"municipality": "municipality", "region": "region", "phase": "phase"}),
    "hub": Projected("hub", "one", {"slug": "slug"}),
    "hubMembers": Projected("member", "connection", {"hub": "hub"}),
}


@strawberry.type
class HubQuery:
    """The root fields of hubs."""

    @strawberry.field(description="Hubs by name.")
    async def hubs(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        filter: HubFilter | None = None,
        sort: str | None = None,
        as_of: date | None = None,
    ) -> Connection[Hub]:
        return await answered(info, PROJECTED["hubs"])

    @strawberry.field(description="One hub by its slug.")
    async def hub(self, info: Info, slug: str, as_of: date | None = None) -> Hub | None:
        return await answered(info, PROJECTED["hub"])

    @strawberry.field(description="Organisations in the network of a hub.")
    async def hub_members(
        self, info: Info, hub: str, first: int = 50, after: str | None = None, sort: str | None = None
    ) -> Connection[Member]:
        return await answered(info, PROJECTED["hubMembers"])


@strawberry.type
class HubPayload:
    slug: strawberry.Private[str]

    @strawberry.field(description="The hub as it is after the change.")
    async def hub(self, info: Info) -> Hub:
        return await project(info, PROJECTED["hub"], filters={"slug": self.slug})


@strawberry.type
class HubMutation:
    """Changes of hubs."""

    @strawberry.mutation(description="Add a hub. With an idempotency key it happens once.")
    async def create_hub(self, info: Info, hub: NewHub, idempotency_key: str | None = None) -> HubPayload:
        fields = _fields(hub)
        fields.pop("area")
        entity = hubs.Hub(areas=(hub.area.entity(),), **fields)
        made = await created(
            info,
            idempotency_key,
            ("createHub", given(hub)),
            lambda work, actor: hubs.create_hub(work, actor, entity),
        )
        return HubPayload(slug=made)

    @strawberry.mutation(description="Change a hub, from the version that you read.")
    async def update_hub(self, info: Info, slug: str, version: int, changes: HubChange) -> HubPayload:
        fields = _fields(changes, required=("name",))
        await write(info, lambda work, actor: hubs.change_hub(work, actor, slug, fields, version))
        return HubPayload(slug=slug)

    @strawberry.mutation(description="Set the area of a hub from a date on.")
    async def set_hub_area(self, info: Info, slug: str, version: int, area: AreaInput) -> HubPayload:
        await write(info, lambda work, actor: hubs.set_area(work, actor, slug, area.entity(), version))
        return HubPayload(slug=slug)

    @strawberry.mutation(description="Make an organisation a member, or change how it is one.")
    async def put_hub_member(
        self,
        info: Info,
        slug: str,
        organisation: UUID,
        status: str = "member",
        strand: str | None = None,
        since: date | None = None,
        version: int | None = None,
    ) -> HubPayload:
        member = hubs.Member(organisation, status, strand, since)
        await write(info, lambda work, actor: hubs.put_member(work, actor, slug, member, version))
        return HubPayload(slug=slug)

    @strawberry.mutation(description="Take an organisation out of the network of a hub.")
    async def remove_hub_member(
        self, info: Info, slug: str, organisation: UUID, version: int | None = None
    ) -> HubPayload:
        await write(info, lambda work, actor: hubs.remove_member(work, actor, slug, organisation, version))
        return HubPayload(slug=slug)


def _fields(content: NewHub | HubChange, required: tuple[str, ...] = ()) -> dict[str, Any]:
    """The given fields as the domain has them."""
    found = given(content, required)
    if "phases" in found:
        found["phases"] = tuple((p["phase"], p["from_"]) for p in found["phases"] or ())
    if "hosts" in found:
        found["hosts"] = tuple((h["organisation"], h["status"]) for h in found["hosts"] or ())
    if "steering_group" in found:
        found["steering_group"] = tuple((s["workfield"], s["organisation"]) for s in found["steering_group"] or ())
    return found
