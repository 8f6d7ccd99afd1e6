"""The municipalities by date: when each exists, which ones it came from, its name and its population.

The lists of municipalities (one for some years) say what exists on 1 January of the first year; from then on the
mergers decide, exact to the day. A list of a later year gives names and figures only; that it agrees with the
mergers is for `verify` to say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from app.domain.periods import FOREVER, Span, coalesce, cut, new_year
from app.domain.reference import Municipality, Succession

ENDING = frozenset({"merger", "split", "rename"})
"""Changes after which the predecessor is gone. A boundary change moves nothing: the part is not known."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is said of one municipality in one period. `population_date` is None where `population` is."""

    name: str
    population: int | None
    population_date: date | None
    aliases: tuple[str, ...]


class Municipalities:
    """All municipalities that ever existed in a reference set, with what they come from and become."""

    def __init__(self, lists: Iterable[Municipality], successions: Iterable[Succession]) -> None:
        self._lists: dict[str, list[Municipality]] = defaultdict(list)
        for entry in sorted(lists, key=lambda entry: entry.year):
            self._lists[entry.code].append(entry)
        self.first_day = new_year(min((entries[0].year for entries in self._lists.values()), default=2016))
        self._became: dict[str, list[Succession]] = defaultdict(list)
        self._came_from: dict[str, list[Succession]] = defaultdict(list)
        ending = [s for s in successions if s.change in ENDING and s.predecessor != s.successor]
        self._names: dict[str, str] = {}
        for succession in sorted(ending, key=lambda s: s.on):
            self._became[succession.predecessor].append(succession)
            self._came_from[succession.successor].append(succession)
            self._names[succession.predecessor] = succession.predecessor_name
            self._names[succession.successor] = succession.successor_name
        codes = {*self._lists, *self._names}
        self.life: dict[str, tuple[date, date]] = {code: (self._start(code), self._end(code)) for code in sorted(codes)}

    def _start(self, code: str) -> date:
        listed = [new_year(entry.year) for entry in self._lists.get(code, ())][:1]
        if listed == [self.first_day]:
            return self.first_day
        if self._came_from.get(code):
            return self._came_from[code][0].on
        return listed[0] if listed else self.first_day

    def _end(self, code: str) -> date:
        ends = self._became.get(code)
        return ends[0].on if ends else FOREVER

    def exists(self, code: str, day: date) -> bool:
        start, end = self.life.get(code, (FOREVER, FOREVER))
        return start <= day < end

    def predecessors(self, code: str) -> tuple[str, ...]:
        """The municipalities that it was made of on the day it began; none for one that only took others in."""
        start = self.life[code][0]
        return tuple(sorted({s.predecessor for s in self._came_from.get(code, ()) if s.on == start}))

    def successors(self, code: str) -> tuple[str, ...]:
        return tuple(sorted({s.successor for s in self._became.get(code, ())}))

    def facts(self, code: str) -> list[Span[Facts]]:
        """Its name and population over its life, one span for each period in which they differ."""
        start, end = self.life[code]
        edges = [new_year(entry.year) for entry in self._lists.get(code, ())]
        edges += [entry.population_from for entry in self._lists.get(code, ()) if entry.population_from]
        edges += [succession.on for succession in self._came_from.get(code, ())]
        return list(coalesce((a, b, self._facts(code, a)) for a, b in cut(start, end, edges)))

    def _facts(self, code: str, day: date) -> Facts:
        listed = self._listed(code, day) or next(iter(self._lists.get(code, ())), None)
        count, counted_on = self._population(code, day)
        name = listed.name if listed else self._names[code]
        return Facts(name, count, counted_on, listed.aliases if listed else ())

    def _listed(self, code: str, day: date) -> Municipality | None:
        """Its row in the latest list not after the day."""
        return next((entry for entry in reversed(self._lists.get(code, ())) if entry.year <= day.year), None)

    def _population(self, code: str, day: date) -> tuple[int | None, date | None]:
        """The figure of the latest list, plus that of the municipalities it took in since; unknown where one of
        those is unknown or came in part, and before the day from which the figure counts its territory."""
        listed = self._listed(code, day)
        total, territory_of = 0, date.min
        counted_on: date | None = None
        if listed:
            territory_of = listed.population_from or new_year(listed.year)
            if listed.population is None or day < territory_of:
                return None, None
            total, counted_on = listed.population, listed.population_date
        gained = [s for s in self._came_from.get(code, ()) if territory_of < s.on <= day]
        if not listed and not gained:
            return None, None
        for succession in gained:
            count, on = self._population(succession.predecessor, succession.on - timedelta(days=1))
            if count is None or succession.change == "split":
                return None, None
            total, counted_on = total + count, min(filter(None, (counted_on, on)), default=None)
        return total, counted_on
