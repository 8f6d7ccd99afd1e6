"""The national layer: counts of signals by any combination of groupings, for whoever asks. See `disclosure.py` for what
the public sees of signals that it may not read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, Protocol, get_args

from app.domain.access import Actor
from app.domain.checking import month_given
from app.domain.disclosure import Unit, sees_exact, units
from app.domain.errors import Faults
from app.domain.library import Catalogue
from app.domain.reading import Language
from app.domain.routing import CROSS_CUTTING
from app.domain.signal_rules import Kind

Grouping = Literal["theme", "workfield", "hub", "region", "kind", "period"]
Period = Literal["month", "quarter", "year"]
GROUPINGS: tuple[str, ...] = get_args(Grouping)
PERIODS: tuple[str, ...] = get_args(Period)
KINDS: tuple[str, ...] = get_args(Kind)
MOST_CELLS = 100_000


@dataclass(frozen=True, slots=True)
class CountQuery:
    """What is asked. `first` and `last` are the months, both included; `as_of` is the day regions are read on."""

    as_of: date
    group_by: tuple[str, ...] = ()
    scheme: str | None = None
    period: str = "month"
    first: str | None = None
    last: str | None = None
    theme: str | None = None
    workfield: str | None = None
    hub: str | None = None
    region: str | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A region or hub that a figure can be of. `population` is None where it is unknown."""

    code: str
    name: str
    scheme: str = ""
    population: int | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """The codes of a question looked up: themes with their parent, workfields with their bit, hubs and regions by their number."""

    themes: Mapping[str, str | None]
    workfields: Mapping[str, int]
    hubs: Mapping[int, Place]
    regions: Mapping[int, Place]
    inside: tuple[int, Place] | None
    population: int | None
    missing_region: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that was checked, with all that its answer depends on."""

    query: CountQuery
    units: Sequence[Unit]
    themes: tuple[str, ...] | None
    hub_id: int | None
    inside: int | None
    exact: bool
    known: Known


Cell = tuple[Any, ...]
"""Theme, workfield, number of the hub, kind, period, number of the region (0: in no region of the scheme), count, and the
part of the count that was spread by population. What was not grouped by is None. Plain tuples: there may be 100,000."""
THEME, WORKFIELD, HUB, KIND, PERIOD, REGION, COUNT, SPREAD = range(8)


@dataclass(frozen=True, slots=True)
class Found:
    """The figures of a question, in order. `protected`: the network-only part went through the cell-key method.

    `edition` is the year of the scheme that was used.
    """

    query: CountQuery
    cells: Sequence[Cell]
    protected: bool
    edition: int | None
    known: Known
    hub_id: int | None = None

    def people(self, cell: Cell) -> int | None:
        """Whom a figure is of: the inhabitants of its region, else of its hub's area, else of the country."""
        region, hub = cell[REGION], cell[HUB]
        if region is not None:
            return self.known.regions[region].population if region in self.known.regions else None
        if self.known.inside is not None:
            return self.known.inside[1].population
        if hub is not None or self.hub_id is not None:
            return self.known.hubs[hub if hub is not None else self.hub_id or 0].population
        return self.known.population


@dataclass(frozen=True, slots=True)
class Behind:
    """A signal behind a figure."""

    id: str
    title: str
    heard_on: str
    hub: Place


class Counts(Protocol):
    """The port to the rollup."""

    async def known(self, query: CountQuery) -> Known:
        """Looks the codes of the question up, as of its day."""
        ...

    async def labels(self, vocabulary: str, language: Language) -> Mapping[str, str]:
        """Code → label of a vocabulary, in its order."""
        ...

    async def hubs_in(self, scheme: str, as_of: date) -> Mapping[int, Sequence[int]]:
        """The hubs whose area shares a municipality with each region of the scheme, by their numbers."""
        ...

    async def behind(
        self, query: CountQuery, known: Known, themes: Sequence[str], months: tuple[date, date], actor: Actor, most: int
    ) -> dict[str, list[Behind]]:
        """Theme → the signals heard latest in these months (first and last), of those that the actor may read."""
        ...

    async def cells(self, asked: Asked, actor: Actor) -> list[Cell]:
        """The figures, in the name of the actor: of what he may read, exact; see `disclosure.py` for the rest."""
        ...


async def count_signals(query: CountQuery, actor: Actor, counts: Counts, catalogue: Catalogue, today: date) -> Found:
    """Counts signals. Raises `Invalid` with every fault of the question at once."""
    faults = Faults()
    first, last = _check(query, catalogue, faults)
    known = await counts.known(query)
    themes, hub_id = _check_codes(query, known, faults)
    grouped = query.period if "period" in query.group_by else None
    months = units(first, last, grouped, today)
    _check_size(query, known, themes, len({unit.period for unit in months}), faults)
    faults.raise_if_any()
    asked = Asked(query, months, themes, hub_id, known.inside[0] if known.inside else None, sees_exact(actor), known)
    cells = await counts.cells(asked, actor)
    cells.sort(key=_order(query, months, known))
    return Found(query, cells, not asked.exact, _edition(query, catalogue), known, hub_id)


def _check(query: CountQuery, catalogue: Catalogue, faults: Faults) -> tuple[date | None, date | None]:
    for grouping in query.group_by:
        if grouping not in GROUPINGS:
            faults.add("query", "groupBy", "unknown-grouping", f"Groupings are: {', '.join(GROUPINGS)}.")
            break
    if len(set(query.group_by)) < len(query.group_by):
        faults.add("query", "groupBy", "repeated-grouping", "Name each grouping once.")
    if query.period not in PERIODS:
        faults.add("query", "period", "unknown-code", f"A period is one of {', '.join(PERIODS)}.")
    if query.kind is not None and query.kind not in KINDS:
        faults.add("query", "kind", "unknown-code", f"One of {', '.join(KINDS)}.")
    check_scheme(query.scheme, query.as_of, catalogue, faults)
    if "region" in query.group_by and query.scheme is None:
        faults.add("query", "scheme", "required", "Say in which scheme regions are counted, such as ggd-regio.")
    if "region" not in query.group_by and query.scheme is not None:
        faults.add("query", "scheme", "not-applicable", "A scheme goes with groupBy=region.")
    first = month_given(query.first, "from", faults) if query.first is not None else None
    last = month_given(query.last, "to", faults) if query.last is not None else None
    if first is not None and last is not None and first > last:
        faults.add("query", "from", "from-after-to", "The first month lies after the last one.")
    return first, last


def check_scheme(scheme: str | None, as_of: date, catalogue: Catalogue, faults: Faults) -> None:
    """A date before the first edition, an unknown scheme, a scheme without an edition on the date."""
    if not catalogue.editions:
        return
    if as_of < catalogue.first_day():
        detail = f"Regions are known from {catalogue.first_day().isoformat()} on."
        faults.add("query", "asOf", "date-before-first-edition", detail)
    if scheme is None:
        return
    years = catalogue.editions.get(scheme)
    if years is None:
        detail = f"There is no such scheme. Known: {', '.join(catalogue.editions)}."
        faults.add("query", "scheme", "unknown-scheme", detail)
    elif years and as_of.year < years[0] and as_of >= catalogue.first_day():
        detail = f"The scheme {scheme} has no edition on this date. Its editions: {', '.join(map(str, years))}."
        faults.add("query", "asOf", "date-before-first-edition", detail)


def _check_codes(query: CountQuery, known: Known, faults: Faults) -> tuple[tuple[str, ...] | None, int | None]:
    themes: tuple[str, ...] | None = None
    if query.theme is not None:
        children = [code for code, parent in known.themes.items() if parent == query.theme]
        themes = (query.theme, *children)
        if query.theme not in known.themes:
            faults.add("query", "theme", "unknown-code", "There is no theme with this code.")
    if query.workfield is not None and query.workfield not in (*known.workfields, CROSS_CUTTING):
        faults.add("query", "workfield", "unknown-code", "There is no workfield with this code.")
    hub_id = None
    if query.hub is not None:
        hub_id = next((number for number, hub in known.hubs.items() if hub.code == query.hub), None)
        if hub_id is None:
            faults.add("query", "hub", "unknown-code", "There is no hub with this code.")
    if query.region is not None and known.inside is None:
        if known.missing_region is None:
            faults.add("query", "region", "unknown-code", "There is no region with this code.")
        else:
            faults.add("query", "region", "region-ended", known.missing_region)
    return themes, hub_id


def _check_size(query: CountQuery, known: Known, themes: tuple[str, ...] | None, periods: int, faults: Faults) -> None:
    sizes = {
        "theme": len(themes if themes is not None else known.themes),
        "workfield": len(known.workfields) + 1 if query.workfield is None else 2,
        "hub": len(known.hubs) if query.hub is None else 1,
        "region": len(known.regions) or 1,
        "kind": len(KINDS) if query.kind is None else 1,
        "period": periods,
    }
    cells = 1
    for grouping in query.group_by:
        cells *= sizes.get(grouping, 1)
    if cells > MOST_CELLS:
        detail = (
            f"This asks for up to {cells:,} cells; the limit is {MOST_CELLS:,}. Group by fewer things at a time, by a longer "
            "period (period=year) or a scheme with fewer regions, or narrow it (from and to, theme, hub, region)."
        )
        faults.add("query", "groupBy", "limit-cells", detail)


def _order(query: CountQuery, months: Sequence[Unit], known: Known) -> Callable[[Cell], int]:
    """Periods in time, then themes and workfields as their vocabulary has them, hubs and regions by name: as one number,
    because sorting 15,000 tuples takes four times as long."""

    def ranks(keys: Iterable[object]) -> dict[object, int]:
        return {key: rank for rank, key in enumerate(dict.fromkeys(keys))}

    def by_name(places: Mapping[int, Place]) -> list[int]:
        return sorted(places, key=lambda number: (places[number].name, places[number].code))

    orders = (
        (PERIOD, ranks(unit.period for unit in months)),
        (THEME, ranks(known.themes)),
        (WORKFIELD, ranks((*known.workfields, CROSS_CUTTING))),
        (HUB, ranks(by_name(known.hubs))),
        (REGION, ranks((*by_name(known.regions), 0))),
        (KIND, ranks(KINDS)),
    )
    names = {PERIOD: "period", THEME: "theme", WORKFIELD: "workfield", HUB: "hub", REGION: "region", KIND: "kind"}
    used = [(place, order, len(order) + 1) for place, order in orders if names[place] in query.group_by]

    def key(cell: Cell) -> int:
        number = 0
        for place, order, size in used:
            number = number * size + order.get(cell[place], size - 1)
        return number

    return key


def _edition(query: CountQuery, catalogue: Catalogue) -> int | None:
    years = catalogue.editions.get(query.scheme or "", ())
    return max((year for year in years if year <= query.as_of.year), default=None)
