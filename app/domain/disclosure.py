"""What the public may learn of counts that hold signals it may not read: the cell-key method, and the units it works on.

Public signals can be counted by anybody, so their part of a count is exact. The part of signals that the network alone may
read is protected: every signal has a record key (an HMAC of its id), the key of a cell is the sum of the keys of its
signals, and cell key and count look up a fixed noise. The same signals thus show the same figure, however often and in
whatever form they are asked for, and no average over many answers takes the noise away.

The method is that of the 2021 census of England and Wales (Office for National Statistics, "Protecting personal data in
Census 2021 results"), with one thing added: a cell is a whole calendar month, quarter or year, and where regions are asked
for one region as named. Longer stretches and other regions are made of those by adding and spreading afterwards. Moving the
ends of a period or the border of a region therefore shows nothing but what is published anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from app.domain.access import Actor

THRESHOLD = 5
"""A network-only part below this is 0."""
NOISE = tuple((byte & 63).bit_count() - 3 for byte in range(256))
"""By the lowest byte of the cell key. Six of its bits, counted, less three: over all bytes Binomial(6, 1/2) - 3, which has
mean 0, variance 1.5 and stays within 3 either way. The database has the same table (`published_count`)."""

MONTH, QUARTER, YEAR = 1, 2, 3
FIRST_MONTH = date(2016, 1, 1)
"""Regions are known from here on, so no signal is older."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One month of an answer: the period it is shown in, and the calendar unit that is protected as a whole."""

    month: date
    period: str | None
    kind: int
    start: date


def sees_exact(actor: Actor) -> bool:
    """Hubs, umbrellas and the national coordination count what they may read; others see protected counts."""
    return actor.role in ("hub", "umbrella", "national")


def published(count: int, cell_key: int, threshold: int = THRESHOLD) -> int:
    """The figure shown for a network-only part of this size and cell key."""
    if count < threshold:
        return 0
    shown = count + NOISE[cell_key & 255]
    return shown if shown >= threshold else 0


def units(first: date | None, last: date | None, period: str | None, today: date) -> list[Unit]:
    """The months from `first` to `last` (both included) with the largest calendar unit that lies within the stretch.

    `period` (`month`, `quarter`, `year` or None) is how the answer is grouped, and no unit is larger than that. What has
    not come yet counts as asked for: the same signals are the same unit, whether or not the end was named.
    """
    begin = max(first or FIRST_MONTH, FIRST_MONTH)
    end = today.replace(day=1) if last is None else last
    if end >= today.replace(day=1):
        end = date(end.year, 12, 1)
    largest = {"month": MONTH, "quarter": QUARTER}.get(period or "year", YEAR)
    found = []
    month = begin
    while month <= end:
        kind, start = _unit(month, begin, end, largest)
        found.append(Unit(month, _label(month, period), kind, start))
        month = following(month)
    return found


def _unit(month: date, begin: date, end: date, largest: int) -> tuple[int, date]:
    year, quarter = date(month.year, 1, 1), date(month.year, 3 * ((month.month - 1) // 3) + 1, 1)
    if largest >= YEAR and begin <= year and date(month.year, 12, 1) <= end:
        return YEAR, year
    if largest >= QUARTER and begin <= quarter and date(month.year, quarter.month + 2, 1) <= end:
        return QUARTER, quarter
    return MONTH, month


def _label(month: date, period: str | None) -> str | None:
    match period:
        case None:
            return None
        case "year":
            return f"{month.year}"
        case "quarter":
            return f"{month.year}-Q{(month.month + 2) // 3}"
    return f"{month.year}-{month.month:02}"


def following(month: date) -> date:
    """The first day of the month after."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def months_before(month: date, count: int) -> date:
    """The first day of the month `count` months earlier."""
    place = month.year * 12 + month.month - 1 - count
    return date(place // 12, place % 12 + 1, 1)
