"""Find my hub: places as node type and root field."""

from __future__ import annotations

from datetime import date

import strawberry
from strawberry import Info

from app.api.graphql.connections import answered
from app.api.graphql.regions import HubRef, Region
from app.api.graphql.selecting import Projected


@strawberry.type(description="A region in which a municipality lies, for a share of it.")
class LocatedRegion:
    scheme: str
    code: str
    name: str
    share: float
    share_assumed: bool


@strawberry.type(description="A municipality that fits what was asked, the best fit first.")
class Location:
    municipality: Region
    place: str | None
    area_share: float | None
    regions: list[LocatedRegion]
    hubs: list[HubRef]


PROJECTED = {
    "locations": Projected(
        "location", "list", {"postcode": "postcode", "municipality": "municipality", "q": "q"}, rows=5
    ),
}


@strawberry.type
class LocationQuery:
    """The root field of places."""

    @strawberry.field(description="Find regions and hubs by place: give exactly one of postcode, municipality and q.")
    async def locations(
        self,
        info: Info,
        postcode: str | None = None,
        municipality: str | None = None,
        q: str | None = None,
        as_of: date | None = None,
    ) -> list[Location]:
        return await answered(info, PROJECTED["locations"])
