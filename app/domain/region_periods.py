"""What can be said of each region, period by period: name, edition, number of municipalities, population."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from app.domain.municipalities import Facts
from app.domain.periods import MembershipPeriod, RegionPeriod, Span, at, coalesce, cut, new_year
from app.domain.reference import ReferenceData

MunicipalityFacts = Mapping[str, Sequence[Span[Facts]]]
Naming = Callable[[str, str, int, date], tuple[str, tuple[str, ...]]]
"""(scheme, region, edition, day) → name and aliases."""


@dataclass(frozen=True, slots=True)
class _State:
    """What a region period says, without its dates."""

    name: str
    edition: int
    municipality_count: int
    population: int | None
    population_date: date | None
    aliases: tuple[str, ...]


def region_periods(
    data: ReferenceData, memberships: Iterable[MembershipPeriod], facts: MunicipalityFacts
) -> Iterator[RegionPeriod]:
    """One row for each period in which the edition, or anything said of the region, differs."""
    members: dict[tuple[str, str], list[MembershipPeriod]] = defaultdict(list)
    for row in memberships:
        members[row.scheme, row.region].append(row)
    years: dict[str, list[int]] = defaultdict(list)
    for edition in data.editions:
        years[edition.scheme].append(edition.year)
    naming = _naming(data, facts)
    for (scheme, region), rows in members.items():
        edges = {row.valid_from for row in rows} | {row.valid_to for row in rows}
        edges |= {new_year(year) for year in years[scheme]}
        if scheme == "gemeente":
            edges |= {start for start, _, _ in facts[region]}
        begin, end = min(row.valid_from for row in rows), max(row.valid_to for row in rows)
        spans = [
            (a, b, _state(scheme, region, present, a, years[scheme], naming, facts))
            for a, b in cut(begin, end, edges)
            if (present := [row for row in rows if row.valid_from <= a < row.valid_to])
        ]
        yield from _rows(scheme, region, list(coalesce(spans)))


def _state(
    scheme: str,
    region: str,
    present: Sequence[MembershipPeriod],
    day: date,
    years: Iterable[int],
    naming: Naming,
    facts: MunicipalityFacts,
) -> _State:
    edition = max((year for year in years if year <= day.year), default=day.year)
    name, aliases = naming(scheme, region, edition, day)
    population, counted_on = _population(present, day, facts)
    return _State(name, edition, len(present), population, counted_on, aliases)


def _population(
    present: Iterable[MembershipPeriod], day: date, facts: MunicipalityFacts
) -> tuple[int | None, date | None]:
    """Each municipality by its share, with the oldest date of the figures; unknown where one of them is."""
    total, dates = 0.0, []
    for row in present:
        if row.population is None:
            return None, None
        total += row.share * row.population
        dates.append(at(facts[row.municipality], day).population_date)
    return round(total), min((on for on in dates if on), default=None)


def _rows(scheme: str, region: str, spans: Sequence[Span[_State]]) -> Iterator[RegionPeriod]:
    """The life of a region ends where a gap begins: the same code after a gap is another life."""
    lives: list[list[Span[_State]]] = []
    for span in spans:
        if lives and lives[-1][-1][1] == span[0]:
            lives[-1].append(span)
        else:
            lives.append([span])
    for life in lives:
        for start, end, state in life:
            yield RegionPeriod(
                scheme=scheme,
                region=region,
                name=state.name,
                edition=state.edition,
                municipality_count=state.municipality_count,
                population=state.population,
                population_date=state.population_date,
                valid_from=start,
                valid_to=end,
                region_from=life[0][0],
                region_to=life[-1][1],
                aliases=state.aliases,
            )


def _naming(data: ReferenceData, facts: MunicipalityFacts) -> Naming:
    """Names come from the list of municipalities, the hubs, or the region names of the edition; a region that the
    edition does not name keeps its name of the edition before, or else of the next one."""
    hubs = {hub.area_code: hub.name for hub in data.hubs}
    named: dict[tuple[str, str], list[tuple[int, str, tuple[str, ...]]]] = defaultdict(list)
    for region in sorted(data.regions, key=lambda region: region.year):
        named[region.scheme, region.code].append((region.year, region.name, region.aliases))

    def naming(scheme: str, region: str, edition: int, day: date) -> tuple[str, tuple[str, ...]]:
        if scheme == "gemeente":
            said = at(facts[region], day)
            return said.name, said.aliases
        if scheme == "participatiehub":
            return hubs[region], ()
        names = named.get((scheme, region)) or [(edition, region, ())]
        _, name, aliases = next((found for found in reversed(names) if found[0] <= edition), names[0])
        return name, aliases

    return naming
