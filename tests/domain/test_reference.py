"""`verify` finds what is wrong with a reference set and says it in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from app.domain.reference import (
    Area,
    Edition,
    Finding,
    Label,
    Membership,
    Municipality,
    Postcode,
    ReferenceData,
    RegionName,
    Succession,
    Term,
    verify,
)
from app.infra import packaged

DATA = packaged.load()


def test_the_packaged_set_has_no_findings() -> None:
    assert verify(DATA) == []


def without(code: str, year: int, scheme: str) -> ReferenceData:
    kept = tuple(r for r in DATA.memberships if (r.municipality, r.year, r.scheme) != (code, year, scheme))
    return replace(DATA, memberships=kept)


def with_hub(slug: str, **changes: object) -> ReferenceData:
    hubs = tuple(replace(hub, **changes) if hub.slug == slug else hub for hub in DATA.hubs)  # type: ignore[arg-type]
    return replace(DATA, hubs=hubs)


def added(field: str, item: object) -> Callable[[], ReferenceData]:
    return lambda: replace(DATA, **{field: (*getattr(DATA, field), item)})  # type: ignore[arg-type]


def term(**changes: object) -> Term:
    text = Label("tekst", "text")
    return replace(Term("theme", "nieuw", 99, text, text), **changes)  # type: ignore[arg-type]


CASES: list[tuple[str, str, Callable[[], ReferenceData]]] = [
    ("gap", "GM0014 Groningen", lambda: without("GM0014", 2023, "corop")),
    ("several-regions", "GM0014 Groningen", added("memberships", Membership("corop", 2023, "GM0014", "CR04"))),
    ("double-membership", "GM0014", added("memberships", Membership("corop", 2023, "GM0014", "CR03"))),
    ("shares-not-one", "GM0014", added("memberships", Membership("roaz-regio", 2023, "GM0014", "ROAZ02", 0.5))),
    ("unknown-region", "CR99", added("memberships", Membership("corop", 2023, "GM0014", "CR99"))),
    ("unknown-municipality", "GM9999", added("memberships", Membership("corop", 2023, "GM9999", "CR03"))),
    ("unknown-edition", "corop 2031", added("memberships", Membership("corop", 2031, "GM0014", "CR03"))),
    ("empty-region", "CR99", added("regions", RegionName("corop", "CR99", 2023, "Nergens"))),
    ("wrong-prefix", "ZK77", added("regions", RegionName("corop", "ZK77", 2023, "Nergens"))),
    ("unknown-scheme", "veenregio", added("editions", Edition("veenregio", 2023, "direct", "CBS", "CC BY 4.0"))),
    ("unknown-method", "guessed", added("editions", Edition("corop", 2024, "guessed", "CBS", "CC BY 4.0"))),
    ("no-provenance", "corop", added("editions", Edition("corop", 2024, "direct", "", ""))),
    ("duplicate", "corop 2023", added("editions", Edition("corop", 2023, "direct", "CBS", "CC BY 4.0"))),
    ("merger-missing", "GM0457 Weesp", lambda: replace(DATA, successions=_but("GM0457"))),
    ("merger-missing", "GM9999 Nieuwland", added("municipalities", Municipality(2026, "GM9999", "Nieuwland"))),
    (
        "unknown-predecessor",
        "GM0457 Weesp",
        added("successions", Succession(date(2023, 1, 1), "GM0457", "Weesp", "GM0363", "Amsterdam", "merger")),
    ),
    ("label-missing", "English", added("terms", term(label=Label("tekst", "")))),
    ("unknown-term", "parent 'nergens'", added("terms", term(parent="nergens"))),
    ("unknown-term", "workfield 'sport'", added("terms", term(workfields=("sport",)))),
    ("duplicate", "theme wachttijden", added("terms", term(code="wachttijden"))),
    ("no-workfield", "nieuw", added("terms", term(vocabulary="umbrella"))),
    ("postcode-nowhere", "1381", lambda: replace(DATA, postcodes=_moved("1381", "GM0457"))),
    ("postcode-primary", "1027", lambda: replace(DATA, postcodes=tuple(r for r in DATA.postcodes if not _main(r)))),
    ("unknown-region", "PV99", lambda: with_hub("zeeland", area=Area(date(2022, 1, 1), ("PV99",)))),
    ("unknown-region", "ZK05", lambda: with_hub("zeeland", area=Area(date(2022, 1, 1), ("ZK05",)))),
    (
        "unknown-municipality",
        "GM9999",
        lambda: with_hub("zeeland", area=Area(date(2022, 1, 1), ("PV29",), plus=("GM9999",))),
    ),
    (
        "area-count",
        "zeeland has 14",
        lambda: with_hub("zeeland", area=Area(date(2022, 1, 1), ("PV29",), plus=("GM0014",))),
    ),
    ("unknown-hub", "nergens", lambda: with_hub("zeeland", frontrunner="nergens")),
    ("unknown-organisation", "niemand", lambda: with_hub("zeeland", hosts=("niemand",))),
    ("wrong-prefix", "XX01", lambda: with_hub("zeeland", area_code="XX01")),
]


def _but(predecessor: str) -> tuple[Succession, ...]:
    return tuple(s for s in DATA.successions if s.predecessor != predecessor)


def _moved(pc4: str, municipality: str) -> tuple[Postcode, ...]:
    return tuple(replace(row, municipality=municipality) if row.pc4 == pc4 else row for row in DATA.postcodes)


def _main(row: Postcode) -> bool:
    return row.pc4 == "1027" and row.primary


@pytest.mark.parametrize(("code", "words", "broken"), CASES, ids=[f"{code}: {words}" for code, words, _ in CASES])
def test_a_fault_is_found_and_named(code: str, words: str, broken: Callable[[], ReferenceData]) -> None:
    found = verify(broken())
    assert [finding for finding in found if finding.code == code and words in finding.detail], found[:5]


def test_like_findings_are_one_sentence_that_a_person_can_read() -> None:
    kept = tuple(row for row in DATA.memberships if (row.scheme, row.year) != ("corop", 2023) or row.region != "CR03")
    found = verify(replace(DATA, memberships=kept))
    assert Finding("empty-region", "corop 2023: these regions have no municipality: CR03.") in found
    (gap,) = [finding for finding in found if finding.code == "gap"]
    assert gap.detail.startswith("corop 2023: these municipalities have no region: GM0014 Groningen, GM")


def test_without_municipalities_there_is_one_finding_about_that() -> None:
    found = verify(replace(DATA, municipalities=(), memberships=(), postcodes=(), hubs=(), organisations=()))
    assert "no-municipalities" in {finding.code for finding in found}
