"""What holds from one day to another. A period runs from `valid_from` up to, not including, `valid_to`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import TypeVar

FOREVER = date.max

Fact = TypeVar("Fact")
Span = tuple[date, date, Fact]
"""From, up to (not including), and what holds in between."""


@dataclass(frozen=True, slots=True)
class MembershipPeriod:
    """The municipality lies in the region for `share` of it, from `valid_from` up to (not including) `valid_to`.

    `population` is that of the whole municipality in that period, None where unknown.
    """

    scheme: str
    municipality: str
    region: str
    share: float
    population: int | None
    valid_from: date
    valid_to: date


@dataclass(frozen=True, slots=True)
class RegionPeriod:
    """What can be said of a region from `valid_from` up to (not including) `valid_to`; one row for every period in
    which something differs. `region_from` and `region_to` are those of the region itself.

    `population` counts each municipality by its share; None where one of them is unknown.
    """

    scheme: str
    region: str
    name: str
    edition: int
    municipality_count: int
    population: int | None
    population_date: date | None
    valid_from: date
    valid_to: date
    region_from: date
    region_to: date
    aliases: tuple[str, ...] = ()


def coalesce(spans: Iterable[Span[Fact]]) -> Iterator[Span[Fact]]:
    """Neighbouring spans with the same fact become one. The spans are in order and do not overlap."""
    held: Span[Fact] | None = None
    for start, end, fact in spans:
        if held and held[1] == start and held[2] == fact:
            held = (held[0], end, fact)
            continue
        if held:
            yield held
        held = (start, end, fact)
    if held:
        yield held


def cut(start: date, end: date, edges: Iterable[date]) -> Iterator[tuple[date, date]]:
    """The stretch from `start` to `end`, cut at each edge that lies inside it."""
    days = [start, *sorted({edge for edge in edges if start < edge < end}), end]
    yield from pairwise(days)


def at(spans: Iterable[Span[Fact]], day: date) -> Fact:
    """What holds on this day. The day must lie in one of the spans."""
    return next(fact for start, end, fact in spans if start <= day < end)


def new_year(year: int) -> date:
    return date(year, 1, 1)
