"""Hubs: their pages, areas, phases, hosts, steering groups and members."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field

from app.api.problems import MUNICIPALITY_CODE, SLUG
from app.api.rest.answers import Day, OneQuery, PageQuery, Strict, edge, one, page
from app.api.rest.contract import Collection, Reference, responses
from app.api.rest.doors import Ask, Door
from app.api.rest.organisations import OrganisationId, OrganisationReference
from app.api.rest.picks import picks
from app.api.rest.regions import OVERLAP, Overlap, OverlapsQuery, RegionReference
from app.api.rest.terms import TermReference
from app.api.rest.writing import change, create, representation, version_given
from app.domain import hubs
from app.domain.errors import NotFound
from app.domain.hubs import FrontrunnerRole, HostStatus, MemberStatus, ProgrammePhase
from app.domain.organisations import Strand
from app.domain.reference import Area as AreaDefined

router = APIRouter(prefix="/v1", tags=["Hubs"], route_class=Door)

_REGIONS = "regions { code scheme name } plus { code scheme name } minus { code scheme name }"
HUB = (
    "slug name basis phase phases { phase from } frontrunnerRole frontrunner { slug name } "
    "hosts { organisation { id name } status } hostsRelation "
    "steeringGroup { workfield { code label } organisation { id name } } "
    "steeringGroupIssues { code workfield { code label } } challenges contact website "
    "area { code municipalityCount population populationDate definition { from " + _REGIONS + " } "
    "published { municipalityCount municipalityCountLow municipalityCountHigh population "
    "computedMunicipalityCount computedPopulation source note } } "
    "demonstration version createdAt updatedAt"
)
MEMBER = "organisation { id name } status strand since"

Slug = Annotated[str, Field(max_length=80, description="Slug of a hub, such as `groningen`.", examples=["groningen"])]


class HubReference(Reference):
    slug: str
    name: str


class DatedPhase(Reference):
    """A phase of the programme, from a date on."""

    phase: ProgrammePhase
    from_: date = Field(alias="from")


class Host(Reference):
    """An organisation at which the hub is, or may be, housed."""

    organisation: OrganisationReference
    status: HostStatus


class SteeringSeat(Reference):
    workfield: TermReference
    organisation: OrganisationReference


class SteeringIssue(Reference):
    """What the report asks and is not so: one director for each workfield, of three different organisations."""

    code: Literal["gap", "double", "same-organisation"]
    workfield: TermReference | None


class AreaDefinition(Reference):
    """Whole regions, plus and minus municipalities, from a date on."""

    from_: date = Field(alias="from")
    regions: list[RegionReference]
    plus: list[RegionReference]
    minus: list[RegionReference]


class PublishedFigures(Reference):
    """The figures printed in the report next to what we compute, and why they differ."""

    municipality_count: str
    municipality_count_low: int
    municipality_count_high: int
    population: int
    computed_municipality_count: int | None
    computed_population: int | None
    source: str
    note: str


class Area(Reference):
    """The area of a hub as of a date, also a region of the scheme `participatiehub`."""

    code: str
    municipality_count: int
    population: int | None
    population_date: date | None
    definition: AreaDefinition | None
    published: PublishedFigures | None


class Hub(Reference):
    """A hub. `basis` says what it rests on: `advice-report` is a proposal of 2022, not a present fact."""

    slug: str
    name: str
    basis: Literal["advice-report", "network", "demonstration"]
    phase: ProgrammePhase | None = Field(description="The phase on the date asked for.")
    phases: list[DatedPhase]
    frontrunner_role: FrontrunnerRole | None
    frontrunner: HubReference | None = Field(description="Of a follower: the frontrunner it goes along with.")
    hosts: list[Host]
    hosts_relation: str | None = Field(description="How several possible hosts relate, in the report's words.")
    steering_group: list[SteeringSeat]
    steering_group_issues: list[SteeringIssue]
    challenges: list[str]
    contact: str | None = Field(description="Address of a contact page; never a person.")
    website: str | None
    area: Area | None
    demonstration: bool
    version: int
    created_at: datetime
    updated_at: datetime


class Member(Reference):
    """An organisation in the network of the hub."""

    organisation: OrganisationReference
    status: MemberStatus
    strand: Strand | None
    since: date | None


class PhaseIn(Strict):
    phase: ProgrammePhase
    from_: Annotated[Day, Field(alias="from")]


class HostIn(Strict):
    organisation: UUID
    status: HostStatus = "proposed"


class SteeringIn(Strict):
    workfield: Annotated[str, Field(max_length=60)]
    organisation: UUID


Codes = Annotated[list[Annotated[str, Field(max_length=20)]], Field(max_length=hubs.MAX_PARTS)]


class AreaIn(Strict):
    """The area that the hub agreed to, from a date on. Regions of any scheme; municipalities added and left out."""

    from_: Annotated[Day, Field(alias="from", examples=["2026-01-01"])]
    regions: Annotated[Codes, Field(examples=[["ZK10"]])] = []
    plus: Annotated[Codes, Field(examples=[["GM0637"]])] = []
    minus: Codes = []

    def entity(self) -> AreaDefined:
        """As the domain has it, in the order given: faults name the place."""
        return AreaDefined(self.from_, tuple(self.regions), tuple(self.plus), tuple(self.minus))


class HubFields(Strict):
    contact: Annotated[str | None, Field(max_length=300)] = None
    website: Annotated[str | None, Field(max_length=300)] = None
    frontrunnerRole: FrontrunnerRole | None = None
    frontrunner: Annotated[str | None, Field(max_length=80)] = None
    phases: Annotated[list[PhaseIn] | None, Field(max_length=4)] = None
    hosts: Annotated[list[HostIn] | None, Field(max_length=20)] = None
    steeringGroup: Annotated[list[SteeringIn] | None, Field(max_length=20)] = None

    def changes(self, names: set[str]) -> dict[str, Any]:
        """The given fields as the domain has them."""
        found = {_SNAKE.get(name, name): getattr(self, name) for name in names}
        if "phases" in found:
            found["phases"] = tuple((p.phase, p.from_) for p in self.phases or ())
        if "hosts" in found:
            found["hosts"] = tuple((h.organisation, h.status) for h in self.hosts or ())
        if "steering_group" in found:
            found["steering_group"] = tuple((s.workfield, s.organisation) for s in self.steeringGroup or ())
        return found


_SNAKE = {"frontrunnerRole": "frontrunner_role", "steeringGroup": "steering_group"}


class NewHub(HubFields):
    slug: Annotated[str, Field(pattern=SLUG, max_length=60, examples=["zoetermeer"])]
    name: Annotated[str, Field(min_length=1, max_length=120)]
    area: AreaIn

    def entity(self) -> hubs.Hub:
        """As the domain has it."""
        fields = self.changes(set(HubFields.model_fields))
        return hubs.Hub(slug=self.slug, name=self.name, areas=(self.area.entity(),), **fields)


class HubChange(HubFields):
    """A merge-patch: fields that are absent stay, null empties, lists are replaced whole."""

    name: Annotated[str, Field(min_length=1, max_length=120)] = ""


class MemberIn(Strict):
    status: MemberStatus = "member"
    strand: Strand | None = None
    since: Day | None = None


class HubsQuery(PageQuery):
    municipality: Annotated[
        str | None, Field(pattern=MUNICIPALITY_CODE, description="Only hubs whose area holds this municipality.")
    ] = None
    region: Annotated[
        str | None, Field(max_length=20, description="Only hubs whose area shares a municipality with this region.")
    ] = None
    phase: Annotated[
        ProgrammePhase | None, Field(description="Only hubs that are in this phase on the date asked for.")
    ] = None


@router.get("/hubs", summary="List hubs", responses=responses(Collection[Hub]))
async def list_hubs(asking: Ask, query: Annotated[HubsQuery, Query()]) -> Response:
    filters = {"municipality": query.municipality, "region": query.region, "phase": query.phase}
    return await page(asking, "hub", HUB, query, filters)


@router.get("/hubs/{slug}", summary="Read a hub", responses=responses(Hub, missing=True))
async def read_hub(asking: Ask, slug: Slug, query: Annotated[OneQuery, Query()]) -> Response:
    return await one(asking, "hub", HUB, query, {"slug": slug})


@router.get(
    "/hubs/{slug}/members", summary="List the members of a hub", responses=responses(Collection[Member], missing=True)
)
async def list_members(asking: Ask, slug: Slug, query: Annotated[PageQuery, Query()]) -> Response:
    await _known(asking, slug)
    return await page(asking, "member", MEMBER, query, {"hub": slug})


@router.get(
    "/hubs/{slug}/regions",
    summary="List the regions that a hub's area meets",
    description="Overlaps of the hub's area with the regions of a scheme (or of all), with both shares.",
    responses=responses(Collection[Overlap], missing=True),
)
async def list_hub_regions(asking: Ask, slug: Slug, query: Annotated[OverlapsQuery, Query()]) -> Response:
    return await edge(asking, "hub", {"slug": slug}, "regions", picks(OVERLAP), {"scheme": query.scheme}, query.as_of)


@router.post("/hubs", summary="Add a hub", status_code=201, responses=responses(Hub, status=201))
async def add_hub(asking: Ask, body: NewHub) -> Response:
    return await create(
        asking,
        lambda work: hubs.create_hub(work, asking.asked.actor, body.entity()),
        lambda slug: representation(asking, "hub", HUB, {"slug": slug}),
        lambda slug: f"/v1/hubs/{slug}",
    )


@router.patch("/hubs/{slug}", summary="Change a hub", responses=responses(Hub, missing=True, writes=True))
async def change_hub(asking: Ask, slug: Slug, body: HubChange) -> Response:
    changes = body.changes(body.model_fields_set)
    version = version_given(asking)
    return await change(
        asking,
        representation(asking, "hub", HUB, {"slug": slug}),
        lambda work: hubs.change_hub(work, asking.asked.actor, slug, changes, version),
    )


@router.put("/hubs/{slug}/area", summary="Set the area of a hub", responses=responses(Hub, missing=True, writes=True))
async def set_area(asking: Ask, slug: Slug, body: AreaIn) -> Response:
    version = version_given(asking)
    return await change(
        asking,
        representation(asking, "hub", HUB, {"slug": slug}),
        lambda work: hubs.set_area(work, asking.asked.actor, slug, body.entity(), version),
    )


@router.put(
    "/hubs/{slug}/members/{organisationId}",
    summary="Make an organisation a member",
    description="Goes by the version of the hub when `If-Match` is given.",
    responses={**responses(Member, missing=True, writes=True), 201: {"model": Member, "description": "A new member."}},
)
async def put_member(asking: Ask, slug: Slug, organisationId: OrganisationId, body: MemberIn) -> Response:
    member = hubs.Member(organisationId, body.status, body.strand, body.since)
    version = version_given(asking)
    return await change(
        asking,
        representation(asking, "member", MEMBER, {"hub": slug, "organisation": str(organisationId)}),
        lambda work: hubs.put_member(work, asking.asked.actor, slug, member, version),
        lambda added: 201 if added else 200,
    )


@router.delete(
    "/hubs/{slug}/members/{organisationId}",
    summary="Take an organisation out of the network",
    status_code=204,
    responses={204: {"description": "Done."}, 404: {"description": "It was not a member."}},
)
async def remove_member(asking: Ask, slug: Slug, organisationId: OrganisationId) -> Response:
    version = version_given(asking)
    async with asking.services.writing(asking.asked.actor) as work:
        await hubs.remove_member(work, asking.asked.actor, slug, organisationId, version)
    return Response(status_code=204)


async def _known(asking: Any, slug: str) -> None:
    """A part of a hub that is not there is not there either."""
    if not await asking.services.exists("hub", slug):
        raise NotFound("There is no hub with this slug.")
