"""Counts, trends and coverage as root fields. Their figures come from the rollup, as over REST."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

import orjson
import strawberry
from graphql import VariableValues
from strawberry import Info

from app.api.counting import count_items, coverage_items, trend_items
from app.api.graphql.executing import Ready
from app.api.graphql.limits import Limits
from app.api.graphql.walking import Walk
from app.domain.errors import Fault, Invalid
from app.domain.national import CountQuery
from app.domain.reading import Pick


@strawberry.enum
class SignalGrouping(Enum):
    THEME = "theme"
    WORKFIELD = "workfield"
    HUB = "hub"
    REGION = "region"
    KIND = "kind"
    PERIOD = "period"


@strawberry.enum
class CountPeriod(Enum):
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@strawberry.type(description="Reference data, named in the language asked for.")
class TermReference:
    code: str
    label: str


@strawberry.type(description="A hub, named.")
class HubReference:
    slug: str
    name: str


@strawberry.type(description="A region, named. `code` is null for what lies in no region of the scheme.")
class RegionReference:
    code: str | None
    scheme: str
    name: str


@strawberry.type(
    description="One figure; what was not grouped by is null. `apportioned`: the part that was spread by population."
)
class SignalCount:
    theme: TermReference | None
    workfield: TermReference | None
    hub: HubReference | None
    region: RegionReference | None
    kind: str | None
    period: str | None
    count: float
    apportioned: float
    per100k: float | None = strawberry.field(name="per100k")
    protected: bool


@strawberry.type(description="A signal behind a trend.")
class SignalBehind:
    id: UUID
    title: str
    heard_on: date
    hub: HubReference


@strawberry.type(
    description="A theme that rises against its own past. `z` is the score of two Poisson rates after Anscombe."
)
class Trend:
    theme: TermReference
    recent: float
    expected: float
    growth: float | None
    z: float
    hub_count: int
    largest_hub_share: float
    signals: list[SignalBehind]
    protected: bool


@strawberry.type(description="A region with its hubs and signals; `silent` is no-hub, no-signals, few or null.")
class RegionCoverage:
    region: RegionReference
    population: int | None
    hubs: list[HubReference]
    count: float
    per100k: float | None = strawberry.field(name="per100k")
    silent: str | None
    protected: bool


@strawberry.input(description="What narrows the signals that are counted.")
class CountFilter:
    theme: str | None = None
    workfield: str | None = None
    hub: str | None = None
    region: str | None = None
    kind: str | None = None


PROJECTED: dict[str, Any] = {}


@strawberry.type
class NationalQuery:
    """The root fields of the national layer."""

    @strawberry.field(description="Counts of signals by any combination of groupings; the total without any.")
    async def signal_counts(
        self,
        info: Info,
        group_by: list[SignalGrouping] = [],  # noqa: B006 - read only
        scheme: str | None = None,
        period: CountPeriod = CountPeriod.MONTH,
        from_: Annotated[str | None, strawberry.argument(name="from")] = None,
        to: str | None = None,
        filter: CountFilter | None = None,
        as_of: date | None = None,
    ) -> list[SignalCount]:
        groups = tuple(group.value for group in group_by)
        query = _asked(info, filter, as_of, group_by=groups, scheme=scheme, period=period.value, first=from_, last=to)
        context = info.context
        found = await context.services.counting.count(query, context.actor, context.today)
        return _ready(info, await count_items(context.services, found, context.language))

    @strawberry.field(description="Themes that rise, the surest first.")
    async def trends(
        self,
        info: Info,
        to: str | None = None,
        months: int = 3,
        first: int = 10,
        filter: CountFilter | None = None,
        as_of: date | None = None,
    ) -> list[Trend]:
        context = info.context
        faults = [
            Fault("query", name, "out-of-range", f"A number from 1 to {most}.")
            for name, value, most in (("months", months, 12), ("first", first, 50))
            if not 1 <= value <= most
        ]
        if faults:
            raise Invalid(faults)
        query = _asked(info, filter, as_of, last=to)
        found = await context.services.counting.trends(query, context.actor, context.today, months, first)
        return _ready(info, await trend_items(context.services, found, query, context.actor, context.language))

    @strawberry.field(description="Every region of a scheme with its hubs and signals, and which are silent.")
    async def coverage(
        self,
        info: Info,
        scheme: str,
        from_: Annotated[str | None, strawberry.argument(name="from")] = None,
        to: str | None = None,
        filter: CountFilter | None = None,
        as_of: date | None = None,
    ) -> list[RegionCoverage]:
        context = info.context
        query = _asked(info, filter, as_of, scheme=scheme, first=from_, last=to)
        found, regions = await context.services.counting.coverage(query, context.actor, context.today)
        return _ready(info, coverage_items(regions, protected=found.protected))


def _asked(info: Info, filter: CountFilter | None, as_of: date | None, **more: Any) -> CountQuery:
    filters: dict[str, Any] = strawberry.asdict(filter) if filter else {}
    return CountQuery(as_of=as_of or info.context.today, **filters, **more)


def _ready(info: Info, items: Sequence[Mapping[str, Any]]) -> Any:
    """The items as the query selects them, as finished JSON: 15,000 of them are too many for resolvers."""
    return Ready(orjson.dumps(selected(info, items)))


def selected(info: Info, content: Any) -> Any:
    """The content, or each of its items, as the query selects it."""
    raw = info._raw_info  # noqa: SLF001 - fragments and field nodes are nowhere else
    coerced: Any = raw.variable_values
    definition = raw.parent_type.fields[raw.field_name]
    walk = Walk(raw.schema, raw.fragments, VariableValues({}, coerced), Limits())
    picks = walk.below(definition, list(raw.field_nodes)).picks
    return _shaped(content, picks)


def _shaped(item: Any, picks: Sequence[Pick]) -> Any:
    if item is None or not picks:
        return item
    if isinstance(item, list | tuple):
        return [_shaped(each, picks) for each in item]
    return {
        pick.key: pick.name.partition(":")[2]
        if pick.name.startswith("__typename")
        else _shaped(item.get(pick.name), pick.picks)
        for pick in picks
    }
