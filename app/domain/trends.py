"""Themes that rise against their own past, and regions that stay silent: what counts say when they are compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import sqrt

from app.domain.access import Actor
from app.domain.checking import month_given
from app.domain.disclosure import months_before
from app.domain.errors import Faults, Invalid
from app.domain.library import Catalogue
from app.domain.national import (
    COUNT,
    HUB,
    PERIOD,
    REGION,
    THEME,
    Behind,
    CountQuery,
    Counts,
    Found,
    Known,
    Place,
    count_signals,
)
from app.domain.reading import Language

RECENT_MONTHS, PAST_MONTHS = 3, 12
SURE = 2.33
"""One in a hundred by chance alone; of some fifty themes a false one every other time."""
FEWEST = 5
FEW = 0.25
"""Of the figure per 100,000 of the whole country: below this a region is called silent."""


@dataclass(frozen=True, slots=True)
class Trend:
    """A theme with its count in the recent months, and what its past made one expect.

    `growth` is recent over expected, None where the past holds nothing. `z`: see `rising`. `largest_share` is the part of
    the recent count that comes from one hub, 0–1: a rise in one hub is another matter than one everywhere.
    """

    theme: str
    recent: float
    expected: float
    growth: float | None
    z: float
    hub_count: int
    largest_share: float


def score(recent: float, past: float, ratio: float) -> float:
    """How sure a rise is, in standard deviations: the test of two Poisson rates after Anscombe's square root.

    z = 2 (sqrt(x + 3/8) - sqrt(r (y + 3/8))) / sqrt(1 + r) for counts x (recent) and y (past) over stretches of time that
    are to each other as r (Gu, Ng, Tang & Schucany, "Testing the ratio of two Poisson rates", 2008, statistic W5).
    """
    return 2 * (sqrt(recent + 0.375) - sqrt(ratio * (past + 0.375))) / sqrt(1 + ratio)


def rising(by_month: Found, by_hub: Found, recent: Sequence[str], past: Sequence[str], most: int) -> list[Trend]:
    """The themes that rise, the surest first: at least `FEWEST` recent signals and a score of at least `SURE`.

    `by_month` counts by theme and month over both stretches, `by_hub` by theme and hub over the recent one.
    """
    counts: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for cell in by_month.cells:
        counts[cell[THEME]][cell[PERIOD]] += cell[COUNT]
    hubs: dict[str, list[float]] = defaultdict(list)
    for cell in by_hub.cells:
        if cell[HUB] is not None:
            hubs[cell[THEME]].append(cell[COUNT])
    ratio = len(recent) / len(past)
    found = []
    for theme, months in counts.items():
        now, before = sum(months[m] for m in recent if m in months), sum(months[m] for m in past if m in months)
        z = score(now, before, ratio)
        if now < FEWEST or z < SURE:
            continue
        expected = before * ratio
        shares = hubs.get(theme, [])
        found.append(
            Trend(
                theme,
                round(now, 2),
                round(expected, 2),
                round(now / expected, 2) if expected else None,
                round(z, 2),
                len(shares),
                round(max(shares) / sum(shares), 4) if shares else 0.0,
            )
        )
    found.sort(key=lambda trend: (-trend.z, trend.theme))
    return found[:most]


@dataclass(frozen=True, slots=True)
class Coverage:
    """A region with its hubs and its signals. `silent` says why it is: `no-hub`, `no-signals`, `few` or None."""

    region: Place
    hubs: Sequence[Place]
    count: float
    per100k: float | None
    silent: str | None


def coverage(found: Found, hubs: Mapping[int, Sequence[int]]) -> list[Coverage]:
    """Every region of the scheme, also those without anything; `hubs` are those whose area touches it, by their numbers."""
    counts = {cell[REGION]: cell[COUNT] for cell in found.cells}
    people = found.known.population
    usual = sum(counts.values()) / people * 100_000 if people else None
    items = []
    for number, region in found.known.regions.items():
        count = round(counts.get(number, 0.0), 6)
        rate = round(count / region.population * 100_000, 2) if region.population else None
        near = sorted((found.known.hubs[hub] for hub in hubs.get(number, ())), key=lambda hub: (hub.name, hub.code))
        items.append(Coverage(region, near, count, rate, _silence(near, count, rate, usual)))
    items.sort(key=lambda item: (item.region.name, item.region.code))
    return items


def _silence(hubs: Sequence[Place], count: float, rate: float | None, usual: float | None) -> str | None:
    if not hubs:
        return "no-hub"
    if count <= 0:
        return "no-signals"
    return "few" if rate is not None and usual is not None and rate < FEW * usual else None


@dataclass(frozen=True, slots=True)
class Trends:
    """Themes that rise, and the months that were compared: `recent` and `past`, each as first and last month."""

    items: Sequence[Trend]
    recent: tuple[str, str]
    past: tuple[str, str]
    protected: bool
    known: Known


class National:
    """The use cases of the national layer with the ports that they take."""

    def __init__(self, counts: Counts, catalogue: Callable[[], Catalogue]) -> None:
        self._counts = counts
        self._catalogue = catalogue

    async def count(self, query: CountQuery, actor: Actor, today: date) -> Found:
        """See `count_signals`."""
        return await count_signals(query, actor, self._counts, self._catalogue(), today)

    async def labels(self, vocabulary: str, language: Language) -> Mapping[str, str]:
        """Code → label of a vocabulary, in its order."""
        return await self._counts.labels(vocabulary, language)

    async def trends(self, query: CountQuery, actor: Actor, today: date, months: int, most: int) -> Trends:
        """The themes that rise: `months` whole months up to `query.last` (the last month that is over when absent) against
        the `PAST_MONTHS` before them. The filters of the query narrow both. Raises `Invalid`."""
        faults = Faults()
        over = months_before(today.replace(day=1), 1)
        last = over if query.last is None else month_given(query.last, "to", faults) or over
        begin = months_before(last, months - 1)
        recent = [_month(months_before(last, back)) for back in range(months - 1, -1, -1)]
        past = [_month(months_before(begin, back)) for back in range(PAST_MONTHS, 0, -1)]
        if last > today:
            faults.add("query", "to", "date-in-future", "The last month has begun already.")
        elif past[0] < "2016-01":
            faults.add("query", "to", "date-before-first-edition", "There is no past before 2016-01 to compare with.")
        if faults.found:
            raise Invalid(faults.found)
        by_month = replace(query, group_by=("theme", "period"), period="month", first=past[0], last=recent[-1])
        by_hub = replace(query, group_by=("theme", "hub"), first=recent[0], last=recent[-1])
        monthly = await self.count(by_month, actor, today)
        local = await self.count(by_hub, actor, today)
        items = rising(monthly, local, recent, past, most)
        return Trends(items, (recent[0], recent[-1]), (past[0], past[-1]), monthly.protected, monthly.known)

    async def behind(self, trends: Trends, query: CountQuery, actor: Actor, most: int) -> dict[str, list[Behind]]:
        """Theme → the latest of the recent signals behind a trend, of those that the actor may read."""
        first, last = (date.fromisoformat(f"{month}-01") for month in trends.recent)
        themes = [trend.theme for trend in trends.items]
        return await self._counts.behind(query, trends.known, themes, (first, last), actor, most)

    async def coverage(self, query: CountQuery, actor: Actor, today: date) -> tuple[Found, list[Coverage]]:
        """Every region of the scheme with its hubs and its signals; the last twelve months when no others are named.
        Raises `Invalid`."""
        if query.first is None and query.last is None:
            query = replace(query, first=_month(months_before(today.replace(day=1), 11)), last=_month(today))
        found = await self.count(replace(query, group_by=("region",)), actor, today)
        hubs = await self._counts.hubs_in(query.scheme or "", query.as_of)
        return found, coverage(found, hubs)


def _month(day: date) -> str:
    return f"{day.year}-{day.month:02}"
