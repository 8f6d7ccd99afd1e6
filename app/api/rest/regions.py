"""Regions: schemes, regions as of a date, overlaps, crosswalks, lineage."""

from __future__ import annotations

import csv
import io
from datetime import date
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import Field

from app.api.accepting import JSON, preferred
from app.api.problems import MUNICIPALITY_CODE
from app.api.rest.answers import (
    AsOf,
    OneQuery,
    PageQuery,
    Strict,
    edge,
    etag,
    listing,
    one,
    page,
    respond,
    whole,
)
from app.api.rest.contract import Collection, Reference, responses
from app.api.rest.doors import Ask, Asking, Door
from app.api.rest.picks import picks
from app.domain.errors import Invalid, NotFound

router = APIRouter(prefix="/v1", tags=["Regions"], route_class=Door)

SchemeCode = Annotated[
    str, Field(max_length=40, description="Code of a region scheme, such as `ggd-regio`.", examples=["ggd-regio"])
]
RegionCode = Annotated[
    str, Field(max_length=20, description="Code of a region of any scheme, such as `GG2014`.", examples=["GG2014"])
]
MunicipalityCode = Annotated[
    str, Field(pattern=MUNICIPALITY_CODE, description="Code of a municipality, such as `GM0014`.", examples=["GM0014"])
]

REGION = "code scheme name edition method validFrom validTo municipalityCount population populationDate"
SCHEME = (
    "code name description codePrefix partition assumedShares "
    "editions { year regionCount municipalityCount method source licence remark }"
)
OVERLAP = (
    "region { code scheme name } municipalityCount population populationDate "
    "shareOfThis shareOfOther shareBasis sharesAssumed"
)
CROSSWALK = (
    "from { code scheme name } to { code scheme name } municipalityCount population populationDate "
    "shareOfFrom shareOfTo shareBasis sharesAssumed"
)


class RegionReference(Reference):
    """A region, named."""

    code: str
    scheme: str
    name: str


class Edition(Reference):
    """The state of a scheme in one year, and how far it can be trusted."""

    year: int
    region_count: int
    municipality_count: int
    method: str = Field(
        description="`direct`: read from a table of that year; `overlay_checked`, `carried_checked`: carried from an "
        "earlier edition and compared; `carried`: taken over unread; `advice-report`: as proposed."
    )
    source: str
    licence: str
    remark: str


class RegionScheme(Reference):
    """One way to divide the country."""

    code: str
    name: str
    description: str
    code_prefix: str
    partition: bool = Field(description="Whether every municipality lies in exactly one region.")
    assumed_shares: bool = Field(
        description="Whether a municipality lies in several regions with shares that nobody published: taken as equal."
    )
    editions: list[Edition]


class Region(Reference):
    """A region as of a date. `population` is null where that of a municipality is unknown."""

    code: str
    scheme: str
    name: str
    edition: int
    method: str
    valid_from: date
    valid_to: date | None = Field(description="The first day on which the region no longer exists; null: it exists.")
    municipality_count: int
    population: int | None
    population_date: date | None


CSV = "text/csv"
ShareBasis = Literal["population", "municipalities"]


class Overlap(Reference):
    """What two regions share. The shares of one listing add up."""

    region: RegionReference
    municipality_count: int
    population: int | None
    population_date: date | None
    share_of_this: float = Field(ge=0, le=1)
    share_of_other: float = Field(ge=0, le=1)
    share_basis: ShareBasis
    shares_assumed: bool = Field(description="Whether the split of a municipality in it is assumed, not known.")


class CrosswalkItem(Reference):
    """What a region of one scheme shares with a region of another."""

    from_: RegionReference = Field(alias="from")
    to: RegionReference
    municipality_count: int
    population: int | None
    population_date: date | None
    share_of_from: float = Field(ge=0, le=1)
    share_of_to: float = Field(ge=0, le=1)
    share_basis: ShareBasis
    shares_assumed: bool


class LineageEntry(Reference):
    """A region before or after this one. `date` is the first day of the new state."""

    code: str
    scheme: str
    name: str
    date: date
    change: Literal["merger", "split", "boundary-change", "rename"]


class Lineage(Reference):
    """Where a region comes from and what it became."""

    predecessors: list[LineageEntry]
    successors: list[LineageEntry]


class RegionsQuery(PageQuery):
    scheme: SchemeCode | None = None
    q: Annotated[
        str | None, Field(min_length=1, max_length=100, description="Part of a name; accents do not matter.")
    ] = None
    municipality: Annotated[
        str | None,
        Field(
            pattern=MUNICIPALITY_CODE, description="Only regions in which this municipality lies.", examples=["GM0014"]
        ),
    ] = None


class AsOfQuery(Strict):
    as_of: AsOf = None


class OverlapsQuery(AsOfQuery):
    scheme: Annotated[
        str | None,
        Field(
            max_length=40,
            description="Only regions of this scheme; all but municipalities when absent.",
            examples=["zorgkantoorregio"],
        ),
    ] = None


@router.get(
    "/region-schemes",
    summary="List region schemes",
    description="The ways to divide the country, with the editions that are known and where each comes from.",
    responses=responses(Collection[RegionScheme]),
)
async def list_region_schemes(asking: Ask, query: Annotated[PageQuery, Query()]) -> Response:
    return await page(asking, "region-scheme", SCHEME, query, {})


@router.get("/region-schemes/{scheme}", summary="Read a region scheme", responses=responses(RegionScheme, missing=True))
async def read_region_scheme(asking: Ask, scheme: SchemeCode, query: Annotated[OneQuery, Query()]) -> Response:
    return await one(asking, "region-scheme", SCHEME, query, {"code": scheme})


@router.get(
    "/regions",
    summary="List regions",
    description="Regions of any scheme as of a date, by name. Filter by scheme, by part of a name, or by a municipality in them.",
    responses=responses(Collection[Region]),
)
async def list_regions(asking: Ask, query: Annotated[RegionsQuery, Query()]) -> Response:
    filters = {"scheme": query.scheme, "municipality": query.municipality, "q": query.q}
    return await page(asking, "region", REGION, query, filters)


@router.get(
    "/regions/{code}",
    summary="Read a region",
    description="A region as of a date. One that has ended answers 404 with its successors (and is still there as of "
    "an earlier date).",
    responses=responses(Region, missing=True),
)
async def read_region(asking: Ask, code: RegionCode, query: Annotated[OneQuery, Query()]) -> Response:
    return await one(asking, "region", REGION, query, {"code": code})


@router.get(
    "/regions/{code}/municipalities",
    summary="List the municipalities of a region",
    responses=responses(Collection[Region], missing=True),
)
async def list_region_municipalities(asking: Ask, code: RegionCode, query: Annotated[PageQuery, Query()]) -> Response:
    try:
        return await page(asking, "region", REGION, query, {"within": code})
    except Invalid as error:
        if any(fault.location == "within" for fault in error.faults):
            day = query.as_of or asking.services.today()
            raise await asking.services.missing_region(code, day) from None
        raise


@router.get(
    "/regions/{code}/lineage",
    summary="Read the lineage of a region",
    description="Mergers, splits, boundary changes and renames before and after it. Works for regions that have ended.",
    responses=responses(Lineage, missing=True),
)
async def read_region_lineage(asking: Ask, code: RegionCode) -> Response:
    return await one(
        asking, "region-life", "predecessors { code scheme name date change } successors { code scheme name date change }",
        OneQuery(), {"code": code},
    )  # fmt: skip


@router.get(
    "/regions/{code}/overlaps",
    summary="List the overlaps of a region",
    description="Regions that share municipalities with this one, with both shares: by population where that is known "
    "of all concerned, by number of municipalities otherwise (`shareBasis`). Always the whole list.",
    responses=responses(Collection[Overlap], missing=True),
)
async def list_region_overlaps(asking: Ask, code: RegionCode, query: Annotated[OverlapsQuery, Query()]) -> Response:
    return await edge(
        asking, "region", {"code": code}, "overlaps", picks(OVERLAP), {"scheme": query.scheme}, query.as_of
    )


@router.get(
    "/crosswalks/{fromScheme}/{toScheme}",
    summary="Read a crosswalk between two schemes",
    description="Every pair of regions of the two schemes that share municipalities, with both shares. As JSON, or as "
    "CSV with `Accept: text/csv`. Always the whole table.",
    responses=responses(Collection[CrosswalkItem], missing=True, csv=True),
)
async def read_crosswalk(
    asking: Ask,
    fromScheme: SchemeCode,
    toScheme: SchemeCode,
    query: Annotated[AsOfQuery, Query()],
) -> Response:
    filters = {"from": fromScheme, "to": toScheme}
    try:
        if preferred(asking.request.headers.get("accept"), (JSON, CSV)) == JSON:
            return await listing(asking, "crosswalk", CROSSWALK, filters, query.as_of)
        return await _crosswalk_as_csv(asking, filters, query.as_of)
    except Invalid as error:
        unknown = next((fault.detail for fault in error.faults if fault.code == "unknown-scheme"), None)
        if unknown is None:
            raise
        raise NotFound(unknown) from None  # the schemes are the address here


async def _crosswalk_as_csv(asking: Asking, filters: dict[str, str], as_of: date | None) -> Response:
    selection = whole(asking, "crosswalk", CROSSWALK, filters, as_of)
    (answer,) = await asking.services.library.read(
        [selection], actor=asking.asked.actor, language=asking.asked.language
    )
    body = _csv(orjson.loads(answer.body or b"[]"))
    name = f"{filters['from']}-{filters['to']}-{selection.as_of.isoformat()}.csv"
    disposition = {"content-disposition": f'attachment; filename="{name}"'}
    return respond(asking, body, etag(body), disposition, media=f"{CSV}; charset=utf-8")


def _csv(items: list[dict[str, Any]]) -> bytes:
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(
        ["from", "fromName", "to", "toName", "municipalityCount", "population", "populationDate", "shareOfFrom", "shareOfTo",
         "shareBasis", "sharesAssumed"]
    )  # fmt: skip
    for item in items:
        rows.writerow(
            [item["from"]["code"], item["from"]["name"], item["to"]["code"], item["to"]["name"], item["municipalityCount"],
             item["population"], item["populationDate"], item["shareOfFrom"], item["shareOfTo"], item["shareBasis"],
             str(item["sharesAssumed"]).lower()]
        )  # fmt: skip
    return out.getvalue().encode()
