"""Reading "Gebieden in Nederland": which columns mean what, what the edition would change, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import Invalid
from app.domain.reference import (
    Edition,
    Label,
    Membership,
    Municipality,
    ReferenceData,
    RegionName,
    Scheme,
    Succession,
)
from app.domain.statline import ImportedEdition, KnownRegions, known_regions, recognise
from app.domain.statline_preview import Preview, preview
from app.domain.statline_reference import as_reference
from app.domain.statline_report import describe

Row = dict[str, str]
TOWNS = {f"GM{number:04d}": f"Town {number}" for number in range(1, 9)} | {"GM0008": "'s-Town (gemeente)"}
NAMES = {
    "provincie": {"PV20": "Groningen", "PV21": "Fryslân"},
    "ggd-regio": {"GG0111": "GGD Groningen", "GG7206": "GGD Fryslân"},
    # The same borders and nearly the same names as the GGD regions, and police and court next to RES and AR.
    "veiligheidsregio": {"VR01": "Groningen", "VR02": "Fryslân", "VR03": "Drenthe"},
    "res-regio": {"ES01": "U16", "ES02": "Friesland"},
    "politie-eenheid": {"RE01": "Noord", "RE02": "Oost"},
    "ressort": {"RT11": "Amsterdam", "RT12": "Arnhem-Leeuwarden"},
    "landsdeel": {"LD01": "Noord-Nederland", "LD02": "Oost-Nederland"},
}
PREFIX = {scheme: next(iter(names)).rstrip("0123456789") for scheme, names in NAMES.items()}


def region_of(scheme: str, town: str) -> str:
    codes = sorted(NAMES[scheme])
    return codes[list(TOWNS).index(town) * len(codes) // len(TOWNS)]


def base(year: int = 2023) -> ReferenceData:
    """A small country: eight municipalities, seven schemes, one edition."""
    return ReferenceData(
        edition="test",
        digest="base",
        terms=(),
        schemes=(
            Scheme("gemeente", 0, Label("", ""), Label("", ""), "GM", True),
            *(Scheme(s, 1, Label(s, s), Label("", ""), PREFIX[s], s != "res-regio") for s in NAMES),
            Scheme("participatiehub", 9, Label("", ""), Label("", ""), "PH", False),
        ),
        editions=tuple(Edition(s, year, "direct", "S1", "CC BY 4.0") for s in ("gemeente", *NAMES)),
        regions=tuple(RegionName(s, c, year, n) for s, names in NAMES.items() for c, n in names.items()),
        memberships=tuple(Membership(s, year, town, region_of(s, town)) for s in NAMES for town in TOWNS),
        municipalities=tuple(Municipality(year, c, n, 1000, date(2022, 1, 1), ("Alias",)) for c, n in TOWNS.items()),
        successions=(),
        postcodes=(),
    )


def table(order: list[int] | None = None, titles: Callable[[int], str] = "Col_{}".format) -> list[Row]:
    """The full-width table of the small country, as CBS pads it: a code and a name column for each scheme, NUTS 2
    with the names of the provinces, numbers, and no fixed place for any of them."""
    columns: list[list[str]] = [[str(n) for n, _ in enumerate(TOWNS)], list(TOWNS), list(TOWNS.values())]
    columns.append([name.upper()[::-1] for name in TOWNS.values()])
    for scheme, names in NAMES.items():
        codes = [region_of(scheme, town) for town in TOWNS]
        columns += [[code.ljust(10) for code in codes], [names[code].ljust(50) for code in codes]]
    provinces = [region_of("provincie", town) for town in TOWNS]
    columns += [[f"NL1{code[-1]}" for code in provinces], [NAMES["provincie"][c] + " (NL)" for c in provinces]]
    columns += [["4"] * len(TOWNS), [f"KK{n % 3:02d}" for n, _ in enumerate(TOWNS)], [""] * len(TOWNS)]
    chosen = order or list(range(len(columns)))
    return [{titles(place): columns[c][row] for place, c in enumerate(chosen)} for row in range(len(TOWNS))]


def read(rows: list[Row], year: int = 2024, known: KnownRegions | None = None, **options: Any) -> ImportedEdition:
    return recognise(rows, known or known_regions(base()), year, minimum=5, **options)


def refused(rows: list[Row], year: int = 2024, **options: Any) -> list[str]:
    with pytest.raises(Invalid) as caught:
        read(rows, year, **options)
    return [fault.code for fault in caught.value.faults]


def looked_at(rows: list[Row], year: int = 2024, data: ReferenceData | None = None) -> Preview:
    data = data or base()
    known = known_regions(data)
    return preview(read(rows, year, known), known, data.successions)


def changed(rows: list[Row], town: int, **cells: str) -> list[Row]:
    return [row | (cells if number == town else {}) for number, row in enumerate(rows)]


COLUMN = {s: f"Col_{4 + 2 * number}" for number, s in enumerate(NAMES)}


def test_a_full_table_gives_every_scheme_with_its_own_names() -> None:
    edition = read(table(), table_id="85755NED")
    assert edition.municipalities == TOWNS
    assert edition.region_names == NAMES
    assert edition.schemes == {s: {town: region_of(s, town) for town in TOWNS} for s in NAMES}
    assert edition.by_names == frozenset()


@given(order=st.permutations(range(23)), offset=st.integers(0, 90))
def test_recognition_does_not_depend_on_the_order_or_the_titles_of_columns(order: list[int], offset: int) -> None:
    expected = read(table())
    edition = read(table(order, lambda place: f"Naam_{place + offset}"))
    assert edition.municipalities == expected.municipalities
    assert edition.schemes == expected.schemes
    assert edition.region_names == expected.region_names


def test_columns_that_are_not_used_say_why() -> None:
    reasons = {column.name: column.reason for column in read(table()).ignored}
    assert reasons["Col_0"] == "it holds numbers, no codes"
    assert "spelling of the names of the municipalities" in reasons["Col_3"]
    assert "start with NL" in reasons["Col_18"]
    assert "start with KK" in reasons["Col_21"]
    assert reasons["Col_22"] == "it is empty"


def test_names_without_codes_are_read_through_the_names_that_are_known_and_friesland_is_fryslan() -> None:
    rows = [{"RegioS": r["Col_1"], "Naam_2": r["Col_2"], "Naam_29": r["Col_5"]} for r in table()]
    rows = [row | {"Naam_29": row["Naam_29"].replace("Fryslân", "Friesland (PV)")} for row in rows]
    edition = read(rows)
    assert edition.schemes == {"provincie": {town: region_of("provincie", town) for town in TOWNS}}
    assert edition.by_names == {"provincie"}


def test_names_that_fit_no_scheme_exactly_are_ignored() -> None:
    rows = changed([{"RegioS": r["Col_1"], "Code_4": r["Col_4"], "Naam_9": r["Col_7"]} for r in table()], 0, Naam_9="X")
    edition = read(rows)
    assert list(edition.schemes) == ["provincie"]
    assert [column.name for column in edition.ignored] == ["Naam_9"]


def test_names_are_not_read_next_to_codes_of_the_same_scheme() -> None:
    edition = read([row | {"Later": row["Col_5"].strip().upper()} for row in table()])
    assert edition.read_from["provincie"] == "Col_4"
    assert any(c.name == "Later" and "read by code" in c.reason for c in edition.ignored)


def test_labels_instead_of_municipality_codes_are_read_through_the_known_list() -> None:
    rows = [{"RegioS": TOWNS[r["Col_1"]], "Code_4": r["Col_4"]} for r in table()]
    assert read(rows).schemes["provincie"] == {town: region_of("provincie", town) for town in TOWNS}


def test_only_the_schemes_that_are_asked_for_are_read() -> None:
    edition = read(table(), only={"res-regio"})
    assert list(edition.schemes) == ["res-regio"]
    assert any("not asked for" in column.reason for column in edition.ignored)


def test_two_columns_that_say_the_same_are_one() -> None:
    edition = read([row | {"Again": row["Col_4"]} for row in table()])
    assert any(c.name == "Again" and "the same as Col_4" in c.reason for c in edition.ignored)


@pytest.mark.parametrize(
    ("rows", "codes"),
    [
        ([], ["empty"]),
        ([{"text": "hello"}, {"text": "world"}], ["not-statline"]),
        ([{"a": "1", "b": "x"}, {"a": "2", "b": "y"}], ["no-municipality-column"]),
        ([{"RegioS": "GM0001", "Measure": "CR01", "StringValue": "x"}], ["not-statline"]),
        (table()[:3], ["truncated"]),
        ([*table()[:7], {"Col_0": "7"}], ["truncated"]),
        ([table()[0], {"Col_0": "7"}, *table()[1:]], ["row-incomplete"]),
        (changed(table(), 7, Col_1="GM00"), ["truncated"]),
        (changed(table(), 2, Col_1="PV20"), ["unknown-code"]),
        (changed(table(), 2, Col_1="GM0001"), ["duplicate-municipality"]),
        (changed(table(), 2, Col_4="PV2"), ["unknown-code"]),
        (changed(table(), 2, Col_6="GG01"), ["unknown-code"]),
        (changed(table(), 2, Col_4=""), ["no-region"]),
        ([row | {"Again": "PV20"} for row in table()], ["scheme-claimed-twice"]),
        ([{"RegioS": r["Col_1"], "Naam_2": r["Col_2"]} for r in table()], ["no-scheme-column"]),
        ([{"RegioS": r["Col_1"], "Code": r["Col_4"].replace("PV21", "PV99")} for r in table()], ["no-name"]),
    ],
)
def test_a_bad_table_is_refused_with_what_is_wrong(rows: list[Row], codes: list[str]) -> None:
    assert refused(rows) == codes


def test_every_fault_is_named_at_once_and_no_refused_value_is_echoed() -> None:
    rows = changed(changed(table(), 2, Col_4="secret"), 5, Col_1="GM0001")
    with pytest.raises(Invalid) as caught:
        read(rows)
    assert {fault.code for fault in caught.value.faults} == {"unknown-code", "duplicate-municipality"}
    assert not any("secret" in fault.detail for fault in caught.value.faults)


def test_in_a_scheme_that_is_no_partition_a_municipality_may_lie_nowhere() -> None:
    rows = changed(table(), 2, **{COLUMN["res-regio"]: "", "Col_11": ""})
    assert "GM0003" not in read(rows).schemes["res-regio"]


@pytest.mark.parametrize("year", [2015, 1999, 2100])
def test_a_year_out_of_range_is_refused(year: int) -> None:
    assert refused(table(), year) == ["year-out-of-range"]


def test_a_year_far_ahead_is_refused_where_the_present_year_is_known() -> None:
    assert refused(table(), 2062, this_year=2026) == ["year-out-of-range"]


def test_another_year_than_the_table_says_is_refused() -> None:
    assert refused(table(), 2026, year_hint=2024) == ["year-mismatch"]
    assert refused(table(), 2026, table_id="85755ned") == ["year-mismatch"]
    assert read(table(), 2024, table_id="85755ned", year_hint=2024).year == 2024


def test_a_new_year_shows_moves_new_and_renamed_regions_and_what_is_carried() -> None:
    rows = changed(table(), 0, Col_4="PV21", Col_5="Fryslân")
    rows = [{k: v for k, v in row.items() if k not in {"Col_8", "Col_9"}} for row in rows]
    rows = [row | {"Col_15": row["Col_15"].replace("Arnhem-Leeuwarden", "Oost")} for row in rows]
    seen = looked_at(changed(rows, 7, Col_6="GG9999", Col_7="GGD Nieuw"))
    schemes = {scheme.scheme: scheme for scheme in seen.schemes}
    assert (seen.status, seen.faults) == ("new", ())
    assert [(m.municipality, m.before, m.after) for m in schemes["provincie"].moved] == [
        ("GM0001", ("PV20",), ("PV21",))
    ]
    assert schemes["ggd-regio"].new_regions == {"GG9999": "GGD Nieuw"}
    assert schemes["ggd-regio"].region_count == (2, 3)
    assert [(r.before, r.after) for r in schemes["ressort"].renamed_regions] == [("Arnhem-Leeuwarden", "Oost")]
    assert seen.carried == ("veiligheidsregio",)
    assert "in another region (1): GM0001 Town 1: PV20 → PV21" in "\n".join(describe(seen))


def test_the_same_table_again_is_nothing_to_do() -> None:
    data = as_reference(looked_at(table()), base())
    again = looked_at(table(), data=data)
    assert again.status == "same"
    assert as_reference(again, data) is data


def test_another_content_for_a_year_that_is_there_is_an_error_and_changes_nothing() -> None:
    data = base(2024)
    seen = looked_at(changed(table(), 0, Col_4="PV21", Col_5="Fryslân"), data=data)
    assert seen.status == "conflict"
    assert [(fault.code, fault.location) for fault in seen.faults] == [("other-content", "provincie")]
    with pytest.raises(Invalid):
        as_reference(seen, data)


MERGED = [row for row in table() if row["Col_1"] not in {"GM0007", "GM0008"}]
MERGED = [*MERGED, table()[7] | {"Col_1": "GM0009", "Col_2": "New Town", "Col_3": "X"}]


def with_mergers(*rows: Succession) -> ReferenceData:
    return replace(base(), successions=rows)


def merger(code: str, on: date = date(2024, 1, 1), into: str = "GM0009", change: str = "merger") -> Succession:
    return Succession(on, code, TOWNS[code], into, "New Town", change)


def test_a_municipality_that_vanished_without_successor_is_an_error() -> None:
    seen = looked_at(MERGED)
    assert [(fault.code, fault.location) for fault in seen.faults] == [
        ("no-successor", "GM0007"),
        ("no-successor", "GM0008"),
    ]
    assert any("no predecessor is known" in notice for notice in seen.notices)


def test_a_merger_that_is_known_explains_who_vanished_and_adds_up_the_inhabitants() -> None:
    data = with_mergers(merger("GM0007"), merger("GM0008", date(2023, 6, 1)))
    seen = looked_at(MERGED, data=data)
    assert (seen.faults, seen.notices) == ((), ())
    assert {gone.code: gone.successors for gone in seen.vanished_municipalities} == {
        "GM0007": ("GM0009",),
        "GM0008": ("GM0009",),
    }
    new = {m.code: m for m in as_reference(seen, data).municipalities if m.year == 2024}
    assert (new["GM0009"].population, new["GM0009"].population_date) == (2000, date(2022, 1, 1))


def test_inhabitants_of_a_part_are_not_made_up() -> None:
    data = with_mergers(merger("GM0007"), merger("GM0008", change="split"))
    new = {m.code: m for m in as_reference(looked_at(MERGED, data=data), data).municipalities if m.year == 2024}
    assert new["GM0009"].population is None


@pytest.mark.parametrize("on", [date(2022, 6, 1), date(2024, 6, 1)])
def test_a_merger_of_another_time_explains_nothing(on: date) -> None:
    seen = looked_at(MERGED, data=with_mergers(merger("GM0007"), merger("GM0008", on)))
    assert [fault.location for fault in seen.faults] == ["GM0008"]


def test_a_successor_that_is_not_in_the_table_is_an_error() -> None:
    seen = looked_at(MERGED, data=with_mergers(merger("GM0007"), merger("GM0008", into="GM0099")))
    assert [fault.code for fault in seen.faults] == ["successor-missing"]


def test_the_same_name_under_a_new_code_is_a_succession_that_the_table_shows_itself() -> None:
    rows = changed(table(), 7, Col_1="GM0042")
    seen = looked_at(rows)
    assert not seen.faults
    assert [(s.predecessor, s.successor, s.change, s.on) for s in seen.derived] == [
        ("GM0008", "GM0042", "rename", date(2024, 1, 1))
    ]
    assert seen.derived[0] in as_reference(seen, base()).successions


def test_a_code_must_also_lead_to_the_next_list_that_is_known() -> None:
    seen = looked_at(changed(table(), 7, Col_1="GM0042"), year=2022)
    assert [(fault.code, fault.location) for fault in seen.faults] == [("no-successor", "GM0042")]


def test_the_reference_set_gets_the_edition_and_nothing_else() -> None:
    data = base()
    new = as_reference(preview(read(table(), table_id="85755NED"), known_regions(data), ()), data)
    assert {(e.scheme, e.year, e.method, e.source, e.licence) for e in new.editions[len(data.editions) :]} == {
        (scheme, 2024, "direct", "CBS StatLine 85755NED", "CC BY 4.0") for scheme in ("gemeente", *NAMES)
    }
    assert new.memberships[: len(data.memberships)] == data.memberships
    assert {(m.municipality, m.region) for m in new.memberships if m.year == 2024 and m.scheme == "ressort"} == {
        (town, region_of("ressort", town)) for town in TOWNS
    }
    listed = [m for m in new.municipalities if m.year == 2024]
    assert {(m.population, m.population_date, m.aliases) for m in listed} == {(1000, date(2022, 1, 1), ("Alias",))}
    assert new.digest != data.digest
    assert new.digest == as_reference(preview(read(table(), table_id="85755NED"), known_regions(data), ()), data).digest


def test_schemes_that_the_table_lacks_stay_untouched() -> None:
    rows = [{"RegioS": r["Col_1"], "Naam_2": r["Col_2"], "Code_4": r["Col_4"]} for r in table()]
    new = as_reference(looked_at(rows), base())
    assert {e.scheme for e in new.editions if e.year == 2024} == {"gemeente", "provincie"}


def test_a_figure_that_counts_a_later_merger_is_not_carried_back() -> None:
    joined = Succession(date(2022, 6, 1), "GM0010", "Old", "GM0001", "Town 1", "merger")
    data = replace(base(), successions=(joined,))
    rows = [*table(), table()[7] | {"Col_1": "GM0010", "Col_2": "Old", "Col_3": "dlO"}]
    new = as_reference(looked_at(rows, year=2022, data=data), data)
    counts: Mapping[str, int | None] = {m.code: m.population for m in new.municipalities if m.year == 2022}
    assert counts["GM0001"] is None
    assert counts["GM0002"] == 1000
