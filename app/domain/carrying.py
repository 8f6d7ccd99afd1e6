"""Membership of one scheme between its editions: carried from the edition in force over the mergers since."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from app.domain.municipalities import Municipalities
from app.domain.periods import FOREVER, Span, new_year
from app.domain.reference import Membership

Shares = Mapping[str, float]
"""Region code → share of the municipality that lies in it."""

NOWHERE: Shares = {}


class Carried:
    """Where each municipality lies in one scheme, edition by edition, also when that edition does not list it."""

    def __init__(self, years: Iterable[int], rows: Iterable[Membership], municipalities: Municipalities) -> None:
        self.years = sorted(years)
        self._municipalities = municipalities
        self._rows: dict[int, dict[str, dict[str, float]]] = {year: {} for year in self.years}
        self._codes: dict[int, set[str]] = defaultdict(set)
        for row in rows:
            if row.year in self._rows:
                self._rows[row.year].setdefault(row.municipality, {})[row.region] = row.share
                self._codes[row.year].add(row.region)

    def windows(self) -> Iterator[tuple[int, date, date]]:
        """Each edition with the period it is in force: from 1 January until the next edition."""
        for year, following in zip(self.years, [*self.years[1:], None], strict=True):
            yield year, new_year(year), new_year(following) if following else FOREVER

    def spans(self, code: str) -> Iterator[Span[Shares]]:
        """Where the municipality lies over its life, one span for each edition in force."""
        begin, end = self._municipalities.life[code]
        for year, opens, closes in self.windows():
            start, stop = max(opens, begin), min(closes, end)
            if start < stop and (shares := self.shares(code, year)):
                yield start, stop, shares

    def shares(self, code: str, year: int) -> Shares:
        """Where the municipality lies according to the edition of `year`.

        Its own row, if the edition has one. A municipality made by a merger since gets the region of its
        predecessors (`_merged`). One that the edition leaves out because it was about to merge keeps the region of
        the edition before, or else gets that of the municipality it became.
        """
        own = self._rows[year].get(code)
        if own:
            return own
        predecessors = self._municipalities.predecessors(code)
        if predecessors:
            return self._merged(code, predecessors, year)
        before = [y for y in self.years if y < year]
        earlier = self.shares(code, before[-1]) if before else NOWHERE
        if earlier and earlier.keys() <= self._codes[year]:
            return earlier
        became = [self._rows[year].get(successor, NOWHERE) for successor in self._municipalities.successors(code)]
        return average([shares for shares in became if shares])

    def _merged(self, code: str, predecessors: Sequence[str], year: int) -> Shares:
        """The region of all predecessors; if they differ, the region that the next edition to list the municipality
        names (as long as it exists in this one), else that of most predecessors, else of those equally."""
        parts = [shares for predecessor in predecessors if (shares := self.shares(predecessor, year))]
        if not parts or all(shares == parts[0] for shares in parts):
            return parts[0] if parts else NOWHERE
        later = (self._rows[y][code] for y in self.years if y > year and code in self._rows[y])
        named = next(later, NOWHERE)
        if named and named.keys() <= self._codes[year]:
            return named
        votes = Counter(frozenset(shares.items()) for shares in parts)
        most = max(votes.values())
        return average([dict(items) for items, number in votes.items() if number == most])


def average(parts: Sequence[Shares]) -> Shares:
    """The mean of the shares of several municipalities, as if each counted for the same."""
    total: dict[str, float] = defaultdict(float)
    for shares in parts:
        for region, share in shares.items():
            total[region] += share / len(parts)
    return dict(sorted(total.items()))
