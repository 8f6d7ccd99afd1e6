"""The region that a hub's area makes, period by period: for one hub alone, when it changes its area."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from app.domain.areas import HUB_AREAS
from app.domain.periods import MembershipPeriod, RegionPeriod, coalesce, cut, new_year

Figures = tuple[int, int, int | None, date | None]
"""Edition, number of municipalities, population, date of the population."""


def hub_region_periods(
    code: str,
    name: str,
    members: Sequence[MembershipPeriod],
    years: Iterable[int],
    counted_on: Mapping[str, date],
) -> list[RegionPeriod]:
    """The periods of the region `code`. `members` are those of the area, `years` the editions of the hub areas,
    `counted_on` the date of each municipality's population figure."""
    if not members:
        return []
    years = list(years)
    begin, end = min(m.valid_from for m in members), max(m.valid_to for m in members)
    edges = {m.valid_from for m in members} | {m.valid_to for m in members} | {new_year(year) for year in years}
    spans = []
    for start, stop in cut(begin, end, edges):
        present = [m for m in members if m.valid_from <= start < m.valid_to]
        if present:
            spans.append((start, stop, _figures(present, start, years, counted_on)))
    return [
        RegionPeriod(
            scheme=HUB_AREAS,
            region=code,
            name=name,
            edition=edition,
            municipality_count=count,
            population=population,
            population_date=population_date,
            valid_from=start,
            valid_to=stop,
            region_from=begin,
            region_to=end,
        )
        for start, stop, (edition, count, population, population_date) in coalesce(spans)
    ]


def _figures(
    present: Sequence[MembershipPeriod], day: date, years: Iterable[int], counted_on: Mapping[str, date]
) -> Figures:
    edition = max((year for year in years if year <= day.year), default=day.year)
    known = [m.share * m.population for m in present if m.population is not None]
    if len(known) < len(present):
        return edition, len(present), None, None
    dates = [counted_on[m.municipality] for m in present if m.municipality in counted_on]
    return edition, len(present), round(sum(known)), min(dates, default=None)
