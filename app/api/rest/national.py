"""The national layer over REST: counts, trends and coverage."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import Field

from app.api.accepting import JSON, preferred
from app.api.counting import count_items, coverage_items, trend_items
from app.api.rest.answers import AsOf, PageQuery, Strict, Whole, etag, page, respond
from app.api.rest.contract import Collection, Reference, responses
from app.api.rest.doors import Ask, Asking, Door
from app.api.rest.hubs import HubReference
from app.api.rest.regions import RegionReference
from app.api.rest.signals import SimilarReference
from app.api.rest.terms import TermReference
from app.domain.national import CountQuery, Grouping, Period
from app.domain.signal_rules import ForwardingState, Kind

router = APIRouter(prefix="/v1/national", tags=["National layer"], route_class=Door)

CSV = "text/csv"
Number = Annotated[float, Field(json_schema_extra={"type": "number"})]


class CountedRegion(RegionReference):
    """The region that a figure is of. `code` is null for what lies in no region of the scheme (hub areas leave gaps)."""

    code: str | None  # type: ignore[assignment]


class SignalCount(Reference):
    """One figure. The keys that were not grouped by are absent."""

    theme: TermReference | None = Field(
        default=None, description="A main theme counts each signal once, also one that names several of its children."
    )
    workfield: TermReference | None = Field(
        default=None, description="Cross-cutting signals are a row of their own, `werkveldoverstijgend`."
    )
    hub: HubReference | None = None
    region: CountedRegion | None = None
    kind: Kind | None = None
    period: str | None = Field(default=None, description="`2026-03`, `2026-Q1` or `2026`.", examples=["2026-03"])
    count: float = Field(description="Not whole where signals of larger regions were spread.", examples=[12.25])
    apportioned: float = Field(
        ge=0, le=1, description="The part of `count` that was spread by population.", examples=[0.125]
    )
    per100k: float | None = Field(
        alias="per100k",
        description="Per 100,000 inhabitants of the region, else of the hub's area, else of the country; null where unknown.",
    )
    protected: bool = Field(
        description="Whether signals that you may not read are in it through the cell-key method: see /docs/counts."
    )


class SignalCounts(Reference):
    """Figures in order of period, theme, workfield, hub, region and kind. Only those that are not 0."""

    items: list[SignalCount]
    next: str | None = Field(description="Always null: the whole table comes at once.")
    edition: int | None = Field(description="Year of the edition of the scheme that was used.")
    as_of: date


class SignalBehind(Reference):
    """A signal behind a trend."""

    id: UUID
    title: str
    heard_on: date
    hub: HubReference


class Trend(Reference):
    """A theme that rises against its own past."""

    theme: TermReference
    recent: float = Field(description="Signals in the recent months.", examples=[31])
    expected: float = Field(description="What the twelve months before made one expect.", examples=[14.5])
    growth: float | None = Field(description="Recent over expected; null when there is no past.", examples=[2.14])
    z: float = Field(
        description="How sure the rise is, in standard deviations: the test of two Poisson rates after Anscombe's square root. "
        "2.33 is one in a hundred by chance.",
        examples=[3.4],
    )
    hub_count: int = Field(description="Hubs with recent signals on it.")
    largest_hub_share: float = Field(ge=0, le=1, description="The part that comes from one hub.")
    signals: list[SignalBehind] = Field(description="The latest heard, as far as you may read them.")
    protected: bool


class Stretch(Reference):
    """Months, the first and the last included."""

    from_: str = Field(alias="from", examples=["2026-01"])
    to: str = Field(examples=["2026-03"])


class Trends(Reference):
    """Themes that rise, the surest first."""

    items: list[Trend]
    next: str | None
    recent: Stretch
    past: Stretch


class CoverageItem(Reference):
    """A region with its hubs and its signals."""

    region: RegionReference
    population: int | None
    hubs: list[HubReference] = Field(description="Hubs whose area shares a municipality with the region.")
    count: float
    per100k: float | None = Field(alias="per100k")
    silent: Literal["no-hub", "no-signals", "few"] | None = Field(
        description="Why the region is silent: no hub, no signals, or per 100,000 inhabitants less than a quarter of the "
        "figure of the whole country. Null: it is not."
    )
    protected: bool


class Coverage(Reference):
    """Every region of the scheme, by name."""

    items: list[CoverageItem]
    next: str | None
    edition: int | None
    as_of: date
    period: Stretch


class ListedForwarding(Reference):
    """A signal on the desk of an umbrella."""

    signal: SimilarReference
    umbrella: TermReference
    state: ForwardingState
    respond_by: date
    overdue: bool
    overdue_days: int = Field(description="Days since its term ended; 0 when it is not overdue.", examples=[12])
    forwarded_at: datetime
    responded_at: datetime | None


FORWARDING = (
    "signal { id title hub { slug name } kind status } umbrella { code label } state respondBy overdue overdueDays "
    "forwardedAt respondedAt"
)


class ForwardingsQuery(PageQuery):
    """What narrows a desk."""

    umbrella: Annotated[str | None, Field(max_length=60, description="Code of the umbrella.")] = None
    hub: Annotated[str | None, Field(max_length=80, description="Slug of the hub of the signal.")] = None
    state: Annotated[ForwardingState | None, Field(description="What the umbrella said so far.")] = None
    overdue: Annotated[
        bool | None,
        Field(description="Whether its term is over, and nothing was said of it but that it came in."),
    ] = None


Month = Annotated[str | None, Field(max_length=10, examples=["2026-03"])]


class FilterQuery(Strict):
    """What narrows the signals that are counted."""

    theme: Annotated[str | None, Field(max_length=60, description="A theme with its children.")] = None
    workfield: Annotated[
        str | None,
        Field(max_length=60, description="With cross-cutting signals; `werkveldoverstijgend` for those alone."),
    ] = None
    hub: Annotated[str | None, Field(max_length=60, description="Slug of a hub.")] = None
    region: Annotated[
        str | None,
        Field(max_length=20, description="Region of any scheme: what lies in it.", examples=["GG2014"]),
    ] = None
    kind: Annotated[str | None, Field(max_length=30, description="Kind of signal.")] = None
    as_of: AsOf = None


class CountsQuery(FilterQuery):
    group_by: Annotated[
        str | None,
        Field(
            alias="groupBy",
            max_length=100,
            description="Any of theme, workfield, hub, region, kind and period, comma-separated; the total when absent.",
            examples=["theme,region"],
        ),
    ] = None
    scheme: Annotated[
        str | None, Field(max_length=40, description="In which scheme regions are counted.", examples=["ggd-regio"])
    ] = None
    period: Annotated[Period, Field(description="How long the periods of groupBy=period are.")] = "month"
    first: Annotated[Month, Field(alias="from", description="First month, such as 2026-01, or a day in it.")] = None
    last: Annotated[Month, Field(alias="to", description="Last month, included.")] = None


class TrendsQuery(FilterQuery):
    last: Annotated[Month, Field(alias="to", description="Last of the recent months; the last one that is over.")] = (
        None
    )
    months: Annotated[Whole, Field(ge=1, le=12, description="How many months are recent.")] = 3
    limit: Annotated[Whole, Field(ge=1, le=50, description="Most trends.")] = 10


class CoverageQuery(FilterQuery):
    scheme: Annotated[str, Field(max_length=40, description="Code of a region scheme.", examples=["ggd-regio"])]
    first: Annotated[Month, Field(alias="from", description="First month; twelve months in all when absent.")] = None
    last: Annotated[Month, Field(alias="to", description="Last month, included.")] = None


def _asked(asking: Asking, query: FilterQuery, **more: Any) -> CountQuery:
    return CountQuery(
        as_of=query.as_of or asking.services.today(),
        theme=query.theme,
        workfield=query.workfield,
        hub=query.hub,
        region=query.region,
        kind=query.kind,
        **more,
    )


@router.get(
    "/forwardings",
    summary="List forwardings that wait, or waited, for an answer",
    description="A desk: an umbrella lists what was forwarded to itself, a hub what came of its own signals, the national "
    "coordination all of what it may see. For anybody else it is empty. Overdue is reckoned on `asOf`.",
    responses=responses(Collection[ListedForwarding]),
)
async def list_forwardings(asking: Ask, query: Annotated[ForwardingsQuery, Query()]) -> Response:
    filters = {"umbrella": query.umbrella, "hub": query.hub, "state": query.state, "overdue": query.overdue}
    return await page(asking, "forwarding", FORWARDING, query, filters)


@router.get(
    "/signal-counts",
    summary="Count signals",
    description="By any combination of theme, workfield, hub, region of any scheme, kind and period. A signal that names a "
    "larger region than asked is spread by population and counted as `apportioned`; one that names a smaller region counts "
    "whole. Sums over the regions of a partition are the total. A period is the month in which a signal was heard. A signal "
    "with two themes counts in both and once in the total. Hubs, umbrellas and the national coordination count exactly "
    "what they may read, their own hub's signals whatever their status but withdrawn. Others count public signals exactly, "
    "and signals of the network through the cell-key method (/docs/counts). At most 100,000 cells. Also as CSV.",
    responses=responses(SignalCounts, csv=True),
)
async def count_signals(asking: Ask, query: Annotated[CountsQuery, Query()]) -> Response:
    groups = tuple(name.strip() for name in query.group_by.split(",")) if query.group_by else ()
    asked = _asked(
        asking, query, group_by=groups, scheme=query.scheme, period=query.period, first=query.first, last=query.last
    )
    found = await asking.services.counting.count(asked, asking.asked.actor, asking.services.today())
    items = await count_items(asking.services, found, asking.asked.language)
    if preferred(asking.request.headers.get("accept"), (JSON, CSV)) == CSV:
        body = _csv(items, groups)
        disposition = {"content-disposition": 'attachment; filename="signal-counts.csv"'}
        return respond(asking, body, etag(body), disposition, media=f"{CSV}; charset=utf-8")
    return _answer(asking, {"items": items, "next": None, "edition": found.edition, "asOf": asked.as_of})


@router.get(
    "/trends",
    summary="Find themes that rise",
    description="Themes with more signals in the recent months than their own past of twelve months makes one expect, the "
    "surest first, with the spread over hubs and the latest signals behind them. The statistic is that of two Poisson rates "
    "after Anscombe's square root; shown are those of 2.33 standard deviations and more, with at least five recent signals.",
    responses=responses(Trends),
)
async def list_trends(asking: Ask, query: Annotated[TrendsQuery, Query()]) -> Response:
    asked = _asked(asking, query, last=query.last)
    actor = asking.asked.actor
    found = await asking.services.counting.trends(asked, actor, asking.services.today(), query.months, query.limit)
    items = await trend_items(asking.services, found, asked, actor, asking.asked.language)
    recent, past = ({"from": stretch[0], "to": stretch[1]} for stretch in (found.recent, found.past))
    return _answer(asking, {"items": items, "next": None, "recent": recent, "past": past})


@router.get(
    "/coverage",
    summary="Find silent regions",
    description="Every region of a scheme with its hubs, its signals and signals per 100,000 inhabitants; which regions are "
    "silent, and why. Of the last twelve months when no others are named.",
    responses=responses(Coverage),
)
async def read_coverage(asking: Ask, query: Annotated[CoverageQuery, Query()]) -> Response:
    asked = _asked(asking, query, scheme=query.scheme, first=query.first, last=query.last)
    found, regions = await asking.services.counting.coverage(asked, asking.asked.actor, asking.services.today())
    period = {"from": found.query.first, "to": found.query.last}
    items = coverage_items(regions, protected=found.protected)
    return _answer(
        asking, {"items": items, "next": None, "edition": found.edition, "asOf": asked.as_of, "period": period}
    )


def _answer(asking: Asking, content: dict[str, Any]) -> Response:
    body = orjson.dumps(content)
    return respond(asking, body, etag(body))


_COLUMNS = {"theme": "code", "workfield": "code", "hub": "slug", "region": "code", "kind": None, "period": None}
_NAMES = {"theme": "label", "workfield": "label", "hub": "name", "region": "name"}


def _csv(items: list[dict[str, Any]], groups: tuple[str, ...]) -> bytes:
    out = io.StringIO()
    rows = csv.writer(out)
    figures = ("count", "apportioned", "per100k", "protected")
    heads = [head for name in groups for head in ((name, f"{name}Name") if name in _NAMES else (name,))]
    rows.writerow([*heads, *figures])
    for item in items:
        row: list[Any] = []
        for name in groups:
            value = item[name]
            row += [value[_COLUMNS[name]], value[_NAMES[name]]] if name in _NAMES else [value]
        rows.writerow([*row, item["count"], item["apportioned"], item["per100k"], str(item["protected"]).lower()])
    return out.getvalue().encode()


__all__ = ["Grouping", "router"]
