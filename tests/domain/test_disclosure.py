"""What the public can learn of signals it may not read: attacks on the published figures."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.disclosure import MONTH, NOISE, QUARTER, THRESHOLD, YEAR, following, published, units

TODAY = date(2026, 11, 22)
KEYS = 2**32
MONTHS = [date(year, month, 1) for year in (2024, 2025) for month in range(1, 13)]


def test_the_noise_is_the_distribution_that_is_documented():
    assert Counter(NOISE) == {-3: 4, -2: 24, -1: 60, 0: 80, 1: 60, 2: 24, 3: 4}
    assert sum(NOISE) == 0
    assert sum(noise * noise for noise in NOISE) / 256 == 1.5


@given(st.integers(0, THRESHOLD - 1), st.integers(0, KEYS))
def test_a_small_part_is_never_shown(count, key):
    assert published(count, key) == 0


@given(st.lists(st.integers(0, KEYS), min_size=5, max_size=40), st.randoms())
def test_the_same_signals_show_the_same_figure_in_whatever_order_they_came(records, chance):
    """So there is nothing to average: neither over questions nor over formats."""
    shuffled = records.copy()
    chance.shuffle(shuffled)
    assert published(len(records), sum(records)) == published(len(shuffled), sum(shuffled))


def likelihood(count, added):
    """How often each difference of two figures is seen when so many signals were added: exactly, over all keys."""
    return Counter(
        published(count + added, after) - published(count, before)
        for before, after in itertools.product(range(256), repeat=2)
    )


@pytest.mark.parametrize("count", [4, 5, 6, 7, 8, 12, 100])
def test_who_subtracts_two_figures_cannot_tell_one_signal_from_two(count):
    """The best guess there is, with the odds even beforehand, is right little more often than a coin."""
    one, two = likelihood(count, 1), likelihood(count, 2)
    right = sum(max(one[difference], two[difference]) for difference in one | two) / (2 * 256 * 256)
    assert right < 0.67


@pytest.mark.parametrize("count", [5, 8, 40])
def test_who_sees_no_difference_cannot_tell_that_nothing_was_added(count):
    assert likelihood(count, 1)[0] / 65_536 > 0.1


def test_a_stream_of_releases_does_not_tell_how_many_signals_came_with_each():
    """An attacker who reads every release guesses the number of new signals from the figure before and after."""
    chance, right, releases = random.Random(3), 0, 0
    for _ in range(300):
        count, key = chance.randrange(6, 30), chance.randrange(KEYS)
        for _ in range(10):
            added = chance.choice((1, 2))
            more = sum(chance.randrange(KEYS) for _ in range(added))
            seen = published(count + added, key + more) - published(count, key)
            right += (1 if seen < 1.5 else 2) == added
            releases += 1
            count, key = count + added, key + more
    assert right / releases < 0.65


def published_range(cells, first, last):
    """The figure of a stretch of months, as the service makes it; `cells` are the record keys of each month."""
    parts = {}
    for unit in units(first, last, None, TODAY):
        parts.setdefault((unit.kind, unit.start), []).extend(cells.get(unit.month, ()))
    return sum(published(len(records), sum(records)) for records in parts.values())


def naive_range(cells, first, last):
    """The same without units: the whole stretch is one cell."""
    records = [key for month, keys in cells.items() if first <= month <= last for key in keys]
    return published(len(records), sum(records))


def sliding_estimate(figure, cells, month):
    """The mean of all differences between stretches that end with this month and the month before."""
    before = MONTHS[MONTHS.index(month) - 1]
    found = [figure(cells, first, month) - figure(cells, first, before) for first in MONTHS if first <= before]
    return sum(found) / len(found)


def test_sliding_the_ends_of_a_period_does_not_uncover_a_small_month():
    """Without units of time this attack finds the number in a month that is not shown to within a half; with them, every
    difference is made of figures that are published anyway."""
    naive = guarded = 0
    for seed in range(40):
        chance = random.Random(seed)
        cells = {month: [chance.randrange(KEYS) for _ in range(chance.randrange(8, 20))] for month in MONTHS}
        month, true = MONTHS[-2], chance.randrange(0, 5)
        cells[month] = [chance.randrange(KEYS) for _ in range(true)]
        naive += abs(sliding_estimate(naive_range, cells, month) - true) < 0.75
        guarded += abs(sliding_estimate(published_range, cells, month) - true) < 0.75
    assert naive > 30, "the attack is a real one"
    assert guarded < 20


@given(st.integers(0, 130), st.integers(0, 130), st.sampled_from((None, "month", "quarter", "year")))
def test_units_are_whole_calendar_units_within_the_stretch(start, length, period):
    months = [date(2016 + place // 12, place % 12 + 1, 1) for place in range(12 * 11)]
    first, last = months[start], months[min(start + length, len(months) - 1)]
    found = units(first, last, period, TODAY)
    ends = {MONTH: 1, QUARTER: 3, YEAR: 12}
    covered = Counter(unit.month for unit in found)
    assert set(covered.values()) <= {1}
    assert {month for month in months if first <= month <= min(last, TODAY.replace(day=1))} <= set(covered)
    for (kind, begin), members in itertools.groupby(found, key=lambda unit: (unit.kind, unit.start)):
        inside = [unit.month for unit in members]
        assert len(inside) == ends[kind]
        assert inside[0] == begin
        assert begin.month % ends[kind] == 1 % ends[kind]
        assert len({unit.period for unit in found if unit.start == begin and unit.kind == kind}) == 1


def test_naming_the_present_month_as_the_end_changes_nothing():
    assert units(None, None, None, TODAY) == units(None, date(2026, 11, 1), None, TODAY)
    assert units(None, None, None, TODAY) == units(date(2016, 1, 1), date(2027, 3, 1), None, TODAY)[: 12 * 11]
    assert following(date(2026, 12, 1)) == date(2027, 1, 1)


def test_a_border_that_is_moved_shows_only_what_is_published_anyway():
    """Regions are sums of figures of the areas named: what two of them differ by is the published figure of the area that
    one has more, which is nothing where that is small."""
    chance = random.Random(8)
    areas = {
        code: [chance.randrange(KEYS) for _ in range(size)] for code, size in (("A", 30), ("B", 12), ("C", 3), ("D", 1))
    }
    figure = {code: published(len(keys), sum(keys)) for code, keys in areas.items()}

    def region(codes):
        return sum(figure[code] for code in codes)

    assert region("ABC") - region("AB") == 0
    assert region("ABD") - region("AB") == 0
    assert region("ABCD") - region("A") == figure["B"]
