"""Find my hub: from a postcode, a municipality or a few letters to regions and hubs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from app.api.rest.answers import AsOf, Strict, listing
from app.api.rest.contract import Collection, Reference, responses
from app.api.rest.doors import Ask, Door

router = APIRouter(prefix="/v1", tags=["Regions"], route_class=Door)

LOCATION = "municipality { code name } place areaShare regions { scheme code name share shareAssumed } hubs { slug name website }"


class NamedMunicipality(Reference):
    code: str
    name: str


class LocatedRegion(Reference):
    """A region in which the municipality lies, for a share of it."""

    scheme: str
    code: str
    name: str
    share: float = Field(gt=0, le=1)
    share_assumed: bool = Field(description="The share is assumed, not known.")


class LocatedHub(Reference):
    slug: str
    name: str
    website: str | None


class Location(Reference):
    """A municipality that fits, the best fit first."""

    municipality: NamedMunicipality
    place: str | None = Field(description="Name of the place that fitted, of a postcode or a search.")
    area_share: float | None = Field(description="Share of the postcode's area in this municipality.")
    regions: list[LocatedRegion]
    hubs: list[LocatedHub]


class LocationsQuery(Strict):
    postcode: Annotated[
        str | None, Field(max_length=20, description="Four digits, or a full postcode.", examples=["9711 AB"])
    ] = None
    municipality: Annotated[
        str | None, Field(max_length=100, description="Code or name of a municipality.", examples=["GM0014"])
    ] = None
    q: Annotated[
        str | None,
        Field(max_length=100, description="Part of the name of a municipality or place.", examples=["haren"]),
    ] = None
    as_of: AsOf = None


@router.get(
    "/locations",
    summary="Find regions and hubs by place",
    description="Give exactly one of `postcode`, `municipality` and `q`. A municipality that has ended leads to its "
    "successors. At most twenty items.",
    responses=responses(Collection[Location]),
)
async def list_locations(asking: Ask, query: Annotated[LocationsQuery, Query()]) -> Response:
    given = {"postcode": query.postcode, "municipality": query.municipality, "q": query.q}
    return await listing(asking, "location", LOCATION, given, query.as_of)
