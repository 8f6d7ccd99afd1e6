"""Editions and mergers, worked out to what holds from which day to which: the one membership table that every
overlap, crosswalk, count and lookup is set arithmetic on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

FOREVER = date.max


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
