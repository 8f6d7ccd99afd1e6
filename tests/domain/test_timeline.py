"""Regions by date: the real set against known counts, and small invented countries against a naive computation."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.areas import area_history, area_periods
from app.domain.reference import (
    Area,
    Edition,
    Label,
    Membership,
    Municipality,
    ReferenceData,
    RegionName,
    Scheme,
    Succession,
)
from app.domain.timeline import FOREVER, MembershipPeriod, Timeline, compute
from app.infra import packaged

DATA = packaged.load()
TIMELINE = compute(DATA)
PARTITIONS = {scheme.code for scheme in DATA.schemes if scheme.partition}
DAYS = st.dates(date(2016, 1, 1), date(2030, 12, 31))
TEXT = Label("tekst", "text")
Rows = dict[int, dict[str, dict[str, float]]]

HUB_COUNTS = {
    "PH01": (10, 10), "PH02": (18, 18), "PH03": (12, 12), "PH04": (25, 25), "PH05": (13, 13),
    "PH06": (51, 51), "PH07": (24, 24), "PH08": (13, 13), "PH09": (31, 31), "PH10": (56, 56),
    "PH11": (31, 31), "PH12": (7, 7), "PH13": (28, 28), "PH14": (10, 10), "PH15": (15, 13),
}  # fmt: skip
"""Municipalities on 2022-06-01 and on 2026-01-01."""


def on(day: date, timeline: Timeline = TIMELINE) -> list[MembershipPeriod]:
    return [row for row in timeline.memberships if row.valid_from <= day < row.valid_to]


def members(region: str, day: date, timeline: Timeline = TIMELINE) -> set[str]:
    return {row.municipality for row in on(day, timeline) if row.region == region}


def regions_of(municipality: str, scheme: str, day: date, timeline: Timeline = TIMELINE) -> dict[str, float]:
    return {
        row.region: row.share for row in on(day, timeline) if row.municipality == municipality and row.scheme == scheme
    }


# The packaged set


@pytest.mark.parametrize(
    ("day", "count"),
    [
        (date(2016, 1, 1), 390),
        (date(2016, 6, 1), 390),
        (date(2017, 1, 1), 388),
        (date(2018, 1, 1), 380),
        (date(2019, 1, 1), 355),
        (date(2020, 12, 31), 355),
        (date(2021, 1, 1), 352),
        (date(2022, 2, 1), 345),
        (date(2022, 3, 23), 345),
        (date(2022, 3, 24), 344),
        (date(2022, 6, 1), 344),
        (date(2023, 1, 1), 342),
        (date(2026, 1, 1), 342),
        (date(2040, 1, 1), 342),
    ],
)
def test_there_are_as_many_municipalities_as_the_mergers_leave(day: date, count: int) -> None:
    assert sum(1 for row in on(day) if row.scheme == "gemeente") == count


def test_the_proposed_hub_areas_have_the_counts_of_the_report_in_2022_and_follow_the_mergers_since() -> None:
    for region, (in_2022, in_2026) in HUB_COUNTS.items():
        assert len(members(region, date(2022, 6, 1))) == in_2022, region
        assert len(members(region, date(2026, 1, 1))) == in_2026, region


def test_the_proposed_hub_areas_cover_every_municipality_exactly_once() -> None:
    for day, count in ((date(2022, 6, 1), 344), (date(2026, 1, 1), 342)):
        found = Counter(row.municipality for row in on(day) if row.scheme == "participatiehub")
        assert len(found) == count
        assert set(found.values()) == {1}


def test_there_are_no_hub_areas_before_the_report() -> None:
    assert not [row for row in on(date(2021, 12, 31)) if row.scheme == "participatiehub"]


def test_a_municipality_made_of_parts_of_two_provinces_lies_where_the_next_edition_puts_it() -> None:
    assert regions_of("GM0545", "provincie", date(2018, 12, 31)) == {"PV28": 1.0}
    assert regions_of("GM0620", "provincie", date(2018, 12, 31)) == {"PV26": 1.0}
    assert regions_of("GM1961", "provincie", date(2019, 1, 1)) == {"PV26": 1.0}


def test_weesp_lies_in_its_own_regions_until_it_joins_amsterdam() -> None:
    assert regions_of("GM0457", "ggd-regio", date(2022, 3, 23)) == {"GG3606": 1.0}
    assert regions_of("GM0457", "ggd-regio", date(2022, 3, 24)) == {}
    assert "GM0457" in members("PH12", date(2022, 3, 23))


def test_amsterdam_lies_half_in_each_of_two_acute_care_regions() -> None:
    assert regions_of("GM0363", "roaz-regio", date(2022, 6, 1)) == {"ROAZ06": 0.5, "ROAZ07": 0.5}


def test_population_is_unknown_until_every_part_of_the_region_has_a_figure() -> None:
    periods = [row for row in TIMELINE.regions if row.region == "GM0363"]
    known = [row for row in periods if row.population is not None]
    assert known[0].valid_from == date(2022, 3, 24), "the figure of 1 January 2022 counts Weesp"
    assert {row.population for row in known} == {903399}
    rijnmond = {row.valid_from.year: row.population for row in TIMELINE.regions if row.region == "PH15"}
    assert rijnmond[2022] is None, "Brielle, Hellevoetsluis and Westvoorne have no figure of their own"
    assert rijnmond[2023] == 1361089


def test_the_country_has_one_population_in_every_partition() -> None:
    for scheme in PARTITIONS:
        total = sum(row.population or 0 for row in TIMELINE.regions if row.scheme == scheme and row.edition == 2026)
        assert total == 17_590_672, scheme


def test_schemes_begin_with_their_first_edition() -> None:
    first = {scheme.code: date.max for scheme in DATA.schemes}
    for row in TIMELINE.memberships:
        first[row.scheme] = min(first[row.scheme], row.valid_from)
    assert first["corop"] == date(2016, 1, 1)
    assert first["roaz-regio"] == date(2020, 1, 1)
    assert first["res-regio"] == date(2023, 1, 1)
    assert first["participatiehub"] == date(2022, 1, 1)


def test_lineage_knows_the_care_office_regions_that_merged_and_the_names_that_changed() -> None:
    derived = {(s.predecessor, s.successor, s.change) for s in set(TIMELINE.successions) - set(DATA.successions)}
    assert derived == {
        ("ZK05", "ZK33", "merger"),
        ("ZK15", "ZK33", "merger"),
        ("AM31", "AM38", "rename"),
        ("JZ35", "JZ35", "rename"),
    }


def test_region_periods_are_gapless_and_differ_from_their_neighbour() -> None:
    lives = defaultdict(list)
    for row in TIMELINE.regions:
        lives[row.scheme, row.region, row.region_from].append(row)
    for rows in lives.values():
        assert rows[0].valid_from == rows[0].region_from
        assert rows[-1].valid_to == rows[0].region_to
        for before, after in pairwise(rows):
            assert before.valid_to == after.valid_from
            assert replace(before, valid_from=after.valid_from, valid_to=after.valid_to) != after


@settings(max_examples=40, deadline=None)
@given(DAYS)
def test_on_any_date_the_shares_of_each_municipality_sum_to_one_in_every_scheme_in_force(day: date) -> None:
    totals: dict[tuple[str, str], float] = defaultdict(float)
    rows = on(day)
    for row in rows:
        totals[row.scheme, row.municipality] += row.share
    assert all(abs(total - 1) < 1e-9 for total in totals.values())
    atoms = {row.municipality for row in rows if row.scheme == "gemeente"}
    for scheme in {row.scheme for row in rows}:
        assert {code for found, code in totals if found == scheme} == atoms


@settings(max_examples=40, deadline=None)
@given(DAYS)
def test_on_any_date_the_packaged_timeline_equals_the_naive_computation(day: date) -> None:
    found = {
        (row.scheme, row.municipality, row.region, row.share) for row in on(day) if row.scheme != "participatiehub"
    }
    assert found == naive(DATA, day)


# Invented countries


def naive(data: ReferenceData, day: date) -> set[tuple[str, str, str, float]]:
    """Replays history day by day of change; carries a merged municipality along with its predecessors.

    Where predecessors differ it asks the next edition, which is all that the packaged set and `country` need.
    """
    first = min(entry.year for entry in data.municipalities)
    alive = {entry.code for entry in data.municipalities if entry.year == first}
    made: dict[str, set[str]] = defaultdict(set)
    for change in sorted(data.successions, key=lambda s: s.on):
        known = change.successor in alive and change.predecessor not in made.get(change.successor, ())
        if change.on <= day and change.change in ("merger", "split") and not known:
            made[change.successor].add(change.predecessor)
    for moment in sorted({s.on for s in data.successions if s.on <= day}):
        today = [s for s in data.successions if s.on == moment and s.change in ("merger", "split")]
        alive -= {s.predecessor for s in today}
        alive |= {s.successor for s in today}
    found = {("gemeente", code, code, 1.0) for code in alive}
    for scheme in {edition.scheme for edition in data.editions} - {"gemeente", "participatiehub"}:
        years = sorted(edition.year for edition in data.editions if edition.scheme == scheme)
        if years[0] > day.year:
            continue
        rows: Rows = {year: {} for year in years}
        for row in data.memberships:
            if row.scheme == scheme:
                rows[row.year].setdefault(row.municipality, {})[row.region] = row.share
        current = max(year for year in years if year <= day.year)

        def place(code: str, current: int = current, rows: Rows = rows) -> dict[str, float]:
            if code in rows[current]:
                return rows[current][code]
            parts = [place(predecessor) for predecessor in sorted(made[code])]
            if all(part == parts[0] for part in parts):
                return parts[0]
            return next(rows[year][code] for year in sorted(rows) if year > current and code in rows[year])

        found |= {(scheme, code, region, share) for code in alive for region, share in place(code).items()}
    return found


@st.composite
def country(draw: st.DrawFn) -> ReferenceData:
    """Six to nine municipalities, two or three regions in two editions, and mergers within one region."""
    size = draw(st.integers(6, 9))
    codes = [f"GM{number:04}" for number in range(size)]
    regions = [f"XX{number:02}" for number in range(draw(st.integers(2, 3)))]
    home = {code: draw(st.sampled_from(regions)) for code in codes}
    people = {code: draw(st.integers(1, 500)) for code in codes}
    municipalities = [Municipality(2016, code, code, people[code], date(2016, 1, 1)) for code in codes]
    successions, alive, fresh = [], list(codes), size
    for year in draw(st.lists(st.integers(2017, 2021), max_size=3, unique=True)):
        region = draw(st.sampled_from(regions))
        near = [code for code in sorted(alive) if home[code] == region]
        if len(near) < 2:
            continue
        gone = draw(st.lists(st.sampled_from(near), min_size=2, max_size=3, unique=True))
        new, fresh = f"GM{fresh:04}", fresh + 1
        day = draw(st.dates(date(year, 1, 1), date(year, 12, 31)))
        successions += [Succession(day, code, code, new, new, "merger") for code in gone]
        home[new], alive = region, [code for code in alive if code not in gone] + [new]
    successions = _in_order(successions)
    later = {code: draw(st.sampled_from(regions)) for code in alive}
    return ReferenceData(
        edition="invented",
        digest="",
        terms=(),
        schemes=(
            Scheme("gemeente", 1, TEXT, TEXT, "GM", partition=True),
            Scheme("streek", 2, TEXT, TEXT, "XX", partition=True),
        ),
        editions=tuple(
            Edition(scheme, year, "direct", "invented", "none")
            for scheme in ("gemeente", "streek")
            for year in (2016, 2022)
        ),
        regions=tuple(RegionName("streek", code, year, code) for code in regions for year in (2016, 2022)),
        memberships=(
            *(Membership("streek", 2016, code, home[code]) for code in codes),
            *(Membership("streek", 2022, code, region) for code, region in later.items()),
        ),
        municipalities=tuple(municipalities),
        successions=tuple(successions),
        postcodes=(),
    )


def _in_order(successions: list[Succession]) -> list[Succession]:
    """The draws give years in any order; a municipality may only merge after it was made."""
    days = sorted({succession.on for succession in successions})
    order = list(dict.fromkeys(succession.successor for succession in successions))
    day_of = dict(zip(order, days, strict=True))
    return [replace(succession, on=day_of[succession.successor]) for succession in successions]


@settings(max_examples=80, deadline=None)
@given(country(), DAYS)
def test_in_any_country_coalescing_loses_nothing(data: ReferenceData, day: date) -> None:
    timeline = compute(data)
    found = {(row.scheme, row.municipality, row.region, row.share) for row in on(day, timeline)}
    assert found == naive(data, day)


@settings(max_examples=80, deadline=None)
@given(country(), DAYS)
def test_in_any_country_population_is_conserved_over_mergers_and_partitions(data: ReferenceData, day: date) -> None:
    total = sum(entry.population or 0 for entry in data.municipalities)
    regions = [row for row in compute(data).regions if row.valid_from <= day < row.valid_to]
    for scheme in ("gemeente", "streek"):
        assert sum(row.population or 0 for row in regions if row.scheme == scheme) == total


@settings(max_examples=60, deadline=None)
@given(country(), st.data())
def test_in_any_country_an_area_is_its_regions_plus_and_minus_on_the_first_day(
    data: ReferenceData, draw: st.DataObject
) -> None:
    timeline = compute(data)
    day = draw.draw(DAYS)
    alive = sorted(row.municipality for row in on(day, timeline) if row.scheme == "gemeente")
    named = draw.draw(st.lists(st.sampled_from(sorted({r.code for r in data.regions})), unique=True))
    plus = draw.draw(st.lists(st.sampled_from(alive), unique=True, max_size=3))
    minus = draw.draw(st.lists(st.sampled_from([code for code in alive if code not in plus] or alive), max_size=2))
    area = Area(day, tuple(named), tuple(plus), tuple(minus))
    rows = area_periods(area, FOREVER, timeline.memberships, region="PH01", successions=data.successions)
    union = {row.municipality for row in on(day, timeline) if row.region in named}
    assert {row.municipality for row in rows if row.valid_from == day} == (union | set(plus)) - set(minus)


# Areas


def small_country(*successions: Succession, **homes: str) -> Timeline:
    """Municipalities (by name of the argument) in regions of the scheme `streek`, edition 2016 only."""
    return compute(small_data(*successions, **homes))


def small_data(*successions: Succession, **homes: str) -> ReferenceData:
    return ReferenceData(
        edition="invented",
        digest="",
        terms=(),
        schemes=(
            Scheme("gemeente", 1, TEXT, TEXT, "GM", partition=True),
            Scheme("streek", 2, TEXT, TEXT, "XX", partition=True),
        ),
        editions=(Edition("gemeente", 2016, "direct", "", ""), Edition("streek", 2016, "direct", "", "")),
        regions=tuple(RegionName("streek", code, 2016, code) for code in sorted(set(homes.values()))),
        memberships=tuple(Membership("streek", 2016, code, region) for code, region in homes.items()),
        municipalities=tuple(Municipality(2016, code, code, 100, date(2016, 1, 1)) for code in homes),
        successions=successions,
        postcodes=(),
    )


def merger(day: date, *codes: str) -> list[Succession]:
    """The last code is made of the others."""
    return [Succession(day, code, code, codes[-1], codes[-1], "merger") for code in codes[:-1]]


DAY = date(2018, 1, 1)


def area(timeline: Timeline, successions: list[Succession], definition: Area, day: date) -> set[str]:
    rows = area_periods(definition, FOREVER, timeline.memberships, region="PH01", successions=successions)
    return {row.municipality for row in rows if row.valid_from <= day < row.valid_to}


def test_an_added_municipality_takes_along_what_it_becomes_if_all_of_that_lay_in_the_area() -> None:
    merged = merger(DAY, "GM1", "GM2", "GM9")
    timeline = small_country(*merged, GM1="XX1", GM2="XX1", GM3="XX2")
    both = Area(date(2016, 1, 1), ("XX2",), plus=("GM1", "GM2"))
    one = Area(date(2016, 1, 1), ("XX2",), plus=("GM1",))
    assert area(timeline, merged, both, DAY) == {"GM3", "GM9"}
    assert area(timeline, merged, one, DAY) == {"GM3"}


def test_a_removed_municipality_keeps_out_what_it_becomes_if_none_of_that_lay_in_the_area() -> None:
    merged = merger(DAY, "GM1", "GM2", "GM9")
    timeline = small_country(*merged, GM1="XX1", GM2="XX1", GM3="XX1")
    both = Area(date(2016, 1, 1), ("XX1",), minus=("GM1", "GM2"))
    one = Area(date(2016, 1, 1), ("XX1",), minus=("GM1",))
    assert area(timeline, merged, both, DAY) == {"GM3"}
    assert area(timeline, merged, one, DAY) == {"GM3", "GM9"}


def test_an_area_of_abolished_regions_keeps_their_municipalities() -> None:
    for day in (date(2021, 12, 31), date(2022, 1, 1), date(2026, 1, 1)):
        rows = area_periods(
            Area(date(2020, 1, 1), ("ZK05",)),
            FOREVER,
            TIMELINE.memberships,
            region="PH99",
            successions=DATA.successions,
        )
        assert {row.municipality for row in rows if row.valid_from <= day < row.valid_to} == {
            "GM0503", "GM1621", "GM1783", "GM1842", "GM1926",
        }  # fmt: skip


def test_an_area_may_name_a_municipality_as_a_region_and_half_of_a_municipality() -> None:
    definition = Area(date(2022, 6, 1), ("GM0014", "ROAZ06"))
    rows = area_periods(definition, FOREVER, TIMELINE.memberships, region="PH99", successions=DATA.successions)
    shares = {row.municipality: row.share for row in rows}
    assert shares["GM0014"] == 1.0
    assert shares["GM0363"] == 0.5


def test_a_hub_that_changes_its_area_has_each_area_until_the_next() -> None:
    areas = [Area(date(2024, 1, 1), ("PV20",)), Area(date(2025, 7, 1), ("PV20", "PV22"), minus=("GM0014",))]
    rows = area_history(areas, FOREVER, TIMELINE.memberships, region="PH99", successions=DATA.successions)

    def held(day: date) -> set[str]:
        return {row.municipality for row in rows if row.valid_from <= day < row.valid_to}

    change = date(2025, 7, 1)
    assert held(date(2023, 12, 31)) == set()
    assert held(change - timedelta(days=1)) == members("PV20", change)
    assert held(change) == (members("PV20", change) | members("PV22", change)) - {"GM0014"}
    stayed = [row for row in rows if row.municipality == "GM0037"]
    assert [(row.valid_from, row.valid_to) for row in stayed] == [(date(2024, 1, 1), FOREVER)]


# Carrying


def test_a_merger_over_a_border_goes_to_the_region_of_most_predecessors_when_no_later_edition_tells() -> None:
    merged = merger(DAY, "GM1", "GM2", "GM3", "GM9")
    timeline = small_country(*merged, GM1="XX1", GM2="XX1", GM3="XX2")
    assert regions_of("GM9", "streek", DAY, timeline) == {"XX1": 1.0}


def test_a_merger_over_a_border_without_a_majority_is_shared_equally() -> None:
    merged = merger(DAY, "GM1", "GM2", "GM9")
    timeline = small_country(*merged, GM1="XX1", GM2="XX2")
    assert regions_of("GM9", "streek", DAY, timeline) == {"XX1": 0.5, "XX2": 0.5}


def test_a_municipality_that_takes_another_in_keeps_its_own_region() -> None:
    merged = merger(DAY, "GM1", "GM2")
    timeline = small_country(*merged, GM1="XX1", GM2="XX2")
    assert regions_of("GM2", "streek", DAY, timeline) == {"XX2": 1.0}


def test_an_edition_that_already_leaves_out_a_municipality_gives_it_its_region_of_before() -> None:
    data = small_data(*merger(date(2022, 3, 24), "GM1", "GM2"), GM1="XX1", GM2="XX2", GM3="XX1")
    edition = Edition("streek", 2022, "direct", "", "")
    names = (RegionName("streek", "XX1", 2022, "XX1"), RegionName("streek", "XX2", 2022, "XX2"))
    rows = (Membership("streek", 2022, "GM2", "XX2"), Membership("streek", 2022, "GM3", "XX1"))
    changed = replace(
        data,
        editions=(*data.editions, edition),
        regions=(*data.regions, *names),
        memberships=(*data.memberships, *rows),
    )
    timeline = compute(changed)
    assert regions_of("GM1", "streek", date(2022, 3, 23), timeline) == {"XX1": 1.0}
    gone = replace(changed, memberships=(*data.memberships, *(replace(row, region="XX2") for row in rows)))
    assert regions_of("GM1", "streek", date(2022, 3, 23), compute(gone)) == {"XX2": 1.0}


def test_a_boundary_change_moves_no_municipality() -> None:
    change = Succession(DAY, "GM1", "GM1", "GM2", "GM2", "boundary-change")
    timeline = small_country(change, GM1="XX1", GM2="XX2")
    assert regions_of("GM1", "streek", DAY, timeline) == {"XX1": 1.0}
    assert {row.region_to for row in timeline.regions} == {FOREVER}
