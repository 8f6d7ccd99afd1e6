"""Regions, schemes, overlaps, crosswalks and locations as node types and root fields."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import Info

from app.api.graphql.connections import Connection, answered, nowhere
from app.api.graphql.selecting import Projected

if TYPE_CHECKING:
    from app.api.graphql.hubs import Hub

HubRef = Annotated["Hub", strawberry.lazy("app.api.graphql.hubs")]


@strawberry.type(description="The state of a scheme in one year, and how far it can be trusted.")
class Edition:
    year: int
    region_count: int
    municipality_count: int
    method: str
    source: str
    licence: str
    remark: str


@strawberry.type(description="One way to divide the country.")
class RegionScheme:
    code: str
    name: str
    description: str
    code_prefix: str
    partition: bool
    assumed_shares: bool
    editions: list[Edition]


@strawberry.type(description="A region before or after another. `date` is the first day of the new state.")
class Lineage:
    code: str
    scheme: str
    name: str
    date: date
    change: str


@strawberry.type(description="A region as of a date.")
class Region:
    code: str
    scheme: str
    name: str
    edition: int
    method: str
    valid_from: date
    valid_to: date | None
    municipality_count: int
    population: int | None
    population_date: date | None
    municipalities: list[Region]
    predecessors: list[Lineage]
    successors: list[Lineage]
    hubs: list[HubRef]

    @strawberry.field(description="Regions that share municipalities with this one; all schemes when none is named.")
    def overlaps(self, scheme: str | None = None) -> list[Overlap]:
        found: list[Overlap] = nowhere()
        return found


@strawberry.type(description="A region whatever the date, for its lineage.")
class RegionLife:
    code: str
    scheme: str
    predecessors: list[Lineage]
    successors: list[Lineage]


@strawberry.type(description="What two regions share. The shares of one list add up; `shareBasis` says of what.")
class Overlap:
    region: Region
    municipality_count: int
    population: int | None
    population_date: date | None
    share_of_this: float
    share_of_other: float
    share_basis: str
    shares_assumed: bool


@strawberry.type(description="What a region of one scheme shares with a region of another.")
class Crosswalk:
    from_: Region = strawberry.field(name="from")
    to: Region
    municipality_count: int
    population: int | None
    population_date: date | None
    share_of_from: float
    share_of_to: float
    share_basis: str
    shares_assumed: bool


@strawberry.input
class RegionFilter:
    scheme: str | None = None
    municipality: str | None = None
    within: str | None = None
    q: str | None = None


PROJECTED = {
    "regionSchemes": Projected("region-scheme", "connection"),
    "regionScheme": Projected("region-scheme", "one", {"code": "code"}),
    "regions": Projected(
        "region", "connection", {"scheme": "scheme", "municipality": "municipality", "within": "within", "q": "q"}
    ),
    "region": Projected("region", "one", {"code": "code"}),
    "regionLineage": Projected("region-life", "one", {"code": "code"}),
    "crosswalk": Projected("crosswalk", "list", {"from": "from", "to": "to"}, rows=150),
}


@strawberry.type
class RegionQuery:
    """The root fields of regions."""

    @strawberry.field(description="The ways to divide the country.")
    async def region_schemes(self, info: Info, first: int = 50, after: str | None = None) -> Connection[RegionScheme]:
        return await answered(info, PROJECTED["regionSchemes"])

    @strawberry.field(description="One scheme by its code.")
    async def region_scheme(self, info: Info, code: str) -> RegionScheme | None:
        return await answered(info, PROJECTED["regionScheme"])

    @strawberry.field(description="Regions as of a date, by name.")
    async def regions(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        filter: RegionFilter | None = None,
        sort: str | None = None,
        as_of: date | None = None,
    ) -> Connection[Region]:
        return await answered(info, PROJECTED["regions"])

    @strawberry.field(description="One region as of a date; null when it is not there on that day.")
    async def region(self, info: Info, code: str, as_of: date | None = None) -> Region | None:
        return await answered(info, PROJECTED["region"])

    @strawberry.field(description="Lineage of a region, also of one that has ended.")
    async def region_lineage(self, info: Info, code: str) -> RegionLife | None:
        return await answered(info, PROJECTED["regionLineage"])

    @strawberry.field(description="Every pair of regions of two schemes that share municipalities.")
    async def crosswalk(
        self,
        info: Info,
        from_: Annotated[str, strawberry.argument(name="from")],
        to: str,
        as_of: date | None = None,
    ) -> list[Crosswalk]:
        return await answered(info, PROJECTED["crosswalk"])
