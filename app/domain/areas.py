"""The area of a hub, worked out by date: the regions it names, plus and minus municipalities, over the mergers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from app.domain.periods import MembershipPeriod, Span, coalesce, cut
from app.domain.reference import Area, Succession

MUNICIPALITIES = "gemeente"
HUB_AREAS = "participatiehub"

Members = dict[str, float]
"""Municipality → share of it that lies in the area."""


def area_periods(
    area: Area,
    until: date,
    memberships: Iterable[MembershipPeriod],
    *,
    region: str,
    successions: Iterable[Succession] = (),
    scheme: str = HUB_AREAS,
) -> list[MembershipPeriod]:
    """The municipalities of one area from `area.valid_from` up to (not including) `until`, as region `region`.

    `memberships` must hold the scheme `gemeente` and the schemes of the regions that the area names. Rules:

    - The area is the union of its regions as of each date. Shares in regions of one scheme add up (to 1 at most);
      over several schemes the largest share counts, for how they overlap inside a municipality is not known.
    - A region that is abolished leaves the municipalities of its last day to the area, with their shares.
    - A municipality of `plus` that merges into a new one takes that one along if everything it was made of lay in the
      area; if not, the hub did not agree to it and it stays out, unless a region brings it in.
    - A municipality of `minus` that merges into a new one keeps that one out if nothing it was made of lay in the
      area; if not, the regions decide.
    - One that merges into a municipality that existed already changes nothing for that one.
    """
    sweep = _Sweep(area, until, memberships, successions)
    spans: dict[str, list[Span[tuple[float, int | None]]]] = defaultdict(list)
    for start, end in cut(area.valid_from, until, sweep.edges):
        for code, share in sweep.members(start).items():
            spans[code].append((start, end, (share, sweep.population(code, start))))
    return [
        MembershipPeriod(scheme, code, region, share, population, start, end)
        for code, found in sorted(spans.items())
        for start, end, (share, population) in coalesce(found)
    ]


class _Sweep:
    """Walks from date to date; `members` must be asked in order, for what merged before decides what comes after."""

    def __init__(
        self,
        area: Area,
        until: date,
        memberships: Iterable[MembershipPeriod],
        successions: Iterable[Succession],
    ) -> None:
        self._municipalities: dict[str, list[MembershipPeriod]] = defaultdict(list)
        self._regions: dict[str, list[MembershipPeriod]] = defaultdict(list)
        named = set(area.regions)
        for row in memberships:
            if row.valid_to <= area.valid_from or row.valid_from >= until:
                continue
            if row.scheme == MUNICIPALITIES:
                self._municipalities[row.municipality].append(row)
            elif row.region in named:
                self._regions[row.region].append(row)
        self._plus: Members = dict.fromkeys((*area.plus, *(named & self._municipalities.keys())), 1.0)
        self._minus = set(area.minus)
        self._came_from = _made_of(successions, area.valid_from, until)
        self._held: Members = {}
        self._last: dict[str, Members] = {}
        rows = [row for found in (*self._regions.values(), *self._municipalities.values()) for row in found]
        self.edges = {row.valid_from for row in rows} | {row.valid_to for row in rows}

    def members(self, day: date) -> Members:
        """Who lies in the area on this day."""
        named: list[tuple[str, Members]] = []
        for region, rows in self._regions.items():
            present = {row.municipality: row.share for row in rows if row.valid_from <= day < row.valid_to}
            if present:
                self._last[region] = present
                named.append((rows[0].scheme, present))
            else:
                self._plus |= self._last.pop(region, {})
        self._follow_mergers(day)
        by_scheme: dict[str, Members] = defaultdict(lambda: defaultdict(float))
        for scheme, present in named:
            for code, share in present.items():
                by_scheme[scheme][code] = min(1.0, by_scheme[scheme][code] + share)
        found: Members = {code: share for code, share in self._plus.items() if self._row(code, day)}
        for members in by_scheme.values():
            for code, share in members.items():
                found[code] = max(found.get(code, 0.0), share)
        self._held = {code: share for code, share in found.items() if code not in self._minus}
        return self._held

    def population(self, code: str, day: date) -> int | None:
        row = self._row(code, day)
        return row.population if row else None

    def _row(self, code: str, day: date) -> MembershipPeriod | None:
        return next((r for r in self._municipalities.get(code, ()) if r.valid_from <= day < r.valid_to), None)

    def _follow_mergers(self, day: date) -> None:
        for successor, predecessors in self._came_from.get(day, {}).items():
            if min(row.valid_from for row in self._municipalities[successor]) < day:
                continue  # it existed already
            if predecessors & self._plus.keys() and predecessors <= self._held.keys():
                self._plus[successor] = min(self._held[code] for code in predecessors)
            if predecessors & self._minus and not predecessors & self._held.keys():
                self._minus.add(successor)


def _made_of(successions: Iterable[Succession], start: date, until: date) -> Mapping[date, Mapping[str, set[str]]]:
    """Day → municipality → those it was (partly) made of on that day, for the days after the first."""
    found: dict[date, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for succession in successions:
        if start < succession.on < until and succession.change in ("merger", "split", "rename"):
            found[succession.on][succession.successor].add(succession.predecessor)
    return found


def area_history(
    areas: Sequence[Area],
    until: date,
    memberships: Sequence[MembershipPeriod],
    *,
    region: str,
    successions: Sequence[Succession] = (),
) -> list[MembershipPeriod]:
    """The area of a hub that changed its area: each definition holds until the next one."""
    ordered = sorted(areas, key=lambda area: area.valid_from)
    ends = [*(area.valid_from for area in ordered[1:]), until]
    spans: dict[str, list[Span[tuple[float, int | None]]]] = defaultdict(list)
    for area, end in zip(ordered, ends, strict=True):
        if area.valid_from < end:
            for row in area_periods(area, end, memberships, region=region, successions=successions):
                spans[row.municipality].append((row.valid_from, row.valid_to, (row.share, row.population)))
    return [
        MembershipPeriod(HUB_AREAS, code, region, share, population, start, stop)
        for code, found in sorted(spans.items())
        for start, stop, (share, population) in coalesce(found)
    ]
