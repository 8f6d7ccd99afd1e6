"""Editions and mergers, worked out to what holds from which day to which: the one membership table that every
overlap, crosswalk, count and lookup is set arithmetic on.

Municipalities are exact by date. Membership of a scheme on a day is that of its latest edition whose year is not
after the year of the day, carried over the mergers since (`carrying`). Hub areas are computed from their definitions
(`areas`), lineage of regions from one edition to the next (`lineage`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.domain.areas import MUNICIPALITIES, area_periods
from app.domain.carrying import Carried
from app.domain.lineage import region_successions
from app.domain.municipalities import Facts, Municipalities
from app.domain.periods import FOREVER, MembershipPeriod, RegionPeriod, Span, at, coalesce, cut
from app.domain.reference import ReferenceData, Succession
from app.domain.region_periods import region_periods

__all__ = ["FOREVER", "MembershipPeriod", "RegionPeriod", "Timeline", "compute"]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything worked out: regions and memberships by period, and what became what."""

    regions: tuple[RegionPeriod, ...]
    memberships: tuple[MembershipPeriod, ...]
    successions: tuple[Succession, ...]


def compute(data: ReferenceData) -> Timeline:
    """The whole timeline of a reference set, from 1 January of the first list of municipalities on.

    Regions are ordered by scheme (rank), code and date, memberships by scheme, municipality, region and date. The
    schemes `gemeente` (each municipality a region of itself) and `participatiehub` are part of both.
    """
    municipalities = Municipalities(data.municipalities, data.successions)
    facts = {code: municipalities.facts(code) for code in municipalities.life}
    memberships = list(_memberships(data, municipalities, facts))
    for hub in data.hubs:
        memberships += area_periods(hub.area, FOREVER, memberships, region=hub.area_code, successions=data.successions)
    became = {code: municipalities.successors(code) for code in municipalities.life}
    ranks = {scheme.code: scheme.rank for scheme in data.schemes}
    regions = sorted(
        region_periods(data, memberships, facts),
        key=lambda row: (ranks.get(row.scheme, 99), row.region, row.valid_from),
    )
    memberships.sort(key=lambda row: (ranks.get(row.scheme, 99), row.municipality, row.region, row.valid_from))
    lineage = (*region_successions(data.regions, memberships, became), *_renames(facts))
    return Timeline(
        regions=tuple(regions),
        memberships=tuple(memberships),
        successions=tuple(sorted((*data.successions, *lineage), key=lambda s: (s.on, s.predecessor, s.successor))),
    )


def _memberships(
    data: ReferenceData, municipalities: Municipalities, facts: Mapping[str, Sequence[Span[Facts]]]
) -> Iterator[MembershipPeriod]:
    """Every scheme but the hub areas, coalesced over editions that say the same."""
    rows = defaultdict(list)
    for row in data.memberships:
        rows[row.scheme].append(row)
    for scheme in data.schemes:
        years = [edition.year for edition in data.editions if edition.scheme == scheme.code]
        carried = Carried(years, rows[scheme.code], municipalities)
        for code, (start, end) in municipalities.life.items():
            if scheme.code == MUNICIPALITIES:
                places: Iterable[Span[Mapping[str, float]]] = [(start, end, {code: 1.0})]
            else:
                places = carried.spans(code)
            yield from _periods(scheme.code, code, places, facts[code])


def _periods(
    scheme: str, code: str, places: Iterable[Span[Mapping[str, float]]], facts: Sequence[Span[Facts]]
) -> Iterator[MembershipPeriod]:
    """Membership of one municipality in one scheme, cut where its place, share or population changes."""
    edges = [start for start, _, _ in facts]
    spans: dict[str, list[Span[tuple[float, int | None]]]] = defaultdict(list)
    for start, end, shares in places:
        for a, b in cut(start, end, edges):
            population = at(facts, a).population
            for region, share in shares.items():
                spans[region].append((a, b, (share, population)))
    for region, found in spans.items():
        for start, end, (share, population) in coalesce(found):
            yield MembershipPeriod(scheme, code, region, share, population, start, end)


def _renames(facts: Mapping[str, Sequence[Span[Facts]]]) -> Iterator[Succession]:
    """A municipality that has another name in a later list: a rename to itself."""
    for code, spans in facts.items():
        for (_, _, before), (on, _, after) in pairwise(spans):
            if before.name != after.name:
                yield Succession(on, code, before.name, code, after.name, "rename")
