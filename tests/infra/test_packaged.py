"""The packaged files: complete, in two languages, quick to read, and recognised by their digest."""

from __future__ import annotations

import re
import shutil
import time
from collections import Counter
from importlib.resources import files
from pathlib import Path

from app.infra import packaged

DATA = packaged.load()


def test_it_is_read_within_three_tenths_of_a_second() -> None:
    def once() -> float:
        started = time.perf_counter()
        packaged.load()
        return time.perf_counter() - started

    assert min(once() for _ in range(3)) < 0.3


def test_the_digest_tells_two_sets_apart_and_the_same_set_alike(tmp_path: Path) -> None:
    shutil.copytree(str(files("app") / "data"), tmp_path / "data")
    assert packaged.load(tmp_path / "data") == DATA
    with (tmp_path / "data" / "aliases.csv").open("a", encoding="utf-8") as file:
        file.write("GM0392,Haarlem,Mug\n")
    assert packaged.load(tmp_path / "data").digest != DATA.digest


def test_there_are_fifteen_schemes_in_the_order_of_use() -> None:
    assert [scheme.code for scheme in sorted(DATA.schemes, key=lambda scheme: scheme.rank)] == [
        "gemeente", "provincie", "zorgkantoorregio", "ggd-regio", "jeugdregio", "roaz-regio", "corop",
        "veiligheidsregio", "arbeidsmarktregio", "res-regio", "politie-eenheid", "arrondissement", "ressort",
        "landsdeel", "participatiehub",
    ]  # fmt: skip


def test_each_scheme_has_the_editions_that_the_sources_gave() -> None:
    years: dict[str, list[int]] = {}
    for edition in DATA.editions:
        years.setdefault(edition.scheme, []).append(edition.year)
    assert years.pop("roaz-regio") == [2020, 2022, 2023, 2026]
    assert years.pop("res-regio") == [2023, 2026]
    assert years.pop("arbeidsmarktregio") == [2016, 2026]
    assert years.pop("participatiehub") == [2022, 2026]
    assert set(map(tuple, years.values())) == {(2016, 2022, 2023, 2026)}


def test_regions_per_scheme_are_as_many_as_expected_in_2023() -> None:
    counts = Counter(region.scheme for region in DATA.regions if region.year == 2023)
    assert counts == {
        "provincie": 12, "zorgkantoorregio": 31, "ggd-regio": 25, "jeugdregio": 42, "roaz-regio": 11, "corop": 40,
        "veiligheidsregio": 25, "res-regio": 30, "politie-eenheid": 10, "arrondissement": 11, "ressort": 4,
        "landsdeel": 4,
    }  # fmt: skip


def test_every_edition_says_where_it_came_from_in_words() -> None:
    for edition in DATA.editions:
        assert edition.source and edition.licence
        assert not re.search(r"\bS\d+\b", edition.source + edition.remark), edition


def test_the_vocabularies_are_complete() -> None:
    assert Counter(term.vocabulary for term in DATA.terms) == {
        "workfield": 3, "umbrella": 3, "theme": 55, "participation-level": 5, "participation-role": 5,
        "participation-phase": 3, "participation-method": 12, "participant-group": 23, "channel": 12,
        "participation-ladder": 3, "participation-rung": 13, "participation-condition": 19,
    }  # fmt: skip
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", term.code) for term in DATA.terms)


def test_participant_groups_say_their_side_and_how_they_are_organised() -> None:
    groups = [term for term in DATA.terms if term.vocabulary == "participant-group"]
    assert {term.side for term in groups} == {"resident", "user", "relative"}
    assert all(isinstance(term.organised, bool) and isinstance(term.under_represented, bool) for term in groups)


def test_the_ladder_runs_from_inform_to_take_the_lead() -> None:
    levels = sorted((term for term in DATA.terms if term.vocabulary == "participation-level"), key=lambda t: t.rank)
    assert [level.code for level in levels] == ["informeren", "raadplegen", "meewerken", "meebeslissen", "regie-voeren"]
    assert all(level.example for level in levels)


def test_the_hubs_are_in_the_order_of_the_report_and_are_proposals() -> None:
    assert [(hub.area_code, hub.slug) for hub in DATA.hubs] == [
        (f"PH{number:02}", slug)
        for number, slug in enumerate(
            ["groningen", "friesland", "drenthe", "overijssel", "flevoland-gooi", "gelderland", "utrecht", "zeeland",
             "limburg", "noord-brabant", "noord-holland", "amsterdam-amstelland", "zuid-holland", "haaglanden",
             "rotterdam-rijnmond"],
            start=1,
        )
    ]  # fmt: skip
    assert {hub.basis for hub in DATA.hubs} == {"advice-report"}
    assert {item.basis for item in DATA.organisations} == {"advice-report"}


def test_seven_frontrunners_pull_eight_followers() -> None:
    roles = Counter(hub.frontrunner_role for hub in DATA.hubs)
    assert roles == {"frontrunner": 7, "follower": 8}
    assert all((hub.frontrunner is None) == (hub.frontrunner_role == "frontrunner") for hub in DATA.hubs)
    assert {hub.slug for hub in DATA.hubs if hub.hosts} == {
        hub.slug for hub in DATA.hubs if hub.frontrunner_role == "frontrunner"
    }


def test_published_figures_stand_next_to_ours_with_an_explanation() -> None:
    published = {hub.slug: hub.published for hub in DATA.hubs if hub.published}
    assert len(published) == 15
    brabant, holland = published["noord-brabant"], published["noord-holland"]
    assert (brabant.municipality_count_low, brabant.municipality_count_high) == (55, 56)
    assert holland.municipality_count == "32"
    assert "Dijk en Waard" in holland.note.nl and "Dijk en Waard" in holland.note.en
    assert sum(figures.population for figures in published.values()) == 17_166_000


def test_people_find_a_municipality_by_the_name_they_use() -> None:
    names = {alias: entry.code for entry in DATA.municipalities for alias in entry.aliases if entry.year == 2026}
    assert names["Den Haag"] == "GM0518"
    assert names["Den Bosch"] == "GM0796"
    codes = {entry.code for entry in DATA.municipalities} | {region.code for region in DATA.regions}
    lines = (files("app") / "data" / "aliases.csv").read_text(encoding="utf-8").splitlines()
    assert {line.split(",")[0] for line in lines[1:]} <= codes


def test_a_municipality_has_one_name_through_all_lists() -> None:
    names: dict[str, set[str]] = {}
    for entry in DATA.municipalities:
        names.setdefault(entry.code, set()).add(entry.name)
    assert [code for code, found in names.items() if len(found) > 1] == []


def test_a_postcode_leads_to_its_main_municipality_with_a_place_name() -> None:
    (main,) = [row for row in DATA.postcodes if row.pc4 == "9711" and row.primary]
    assert (main.municipality, main.place) == ("GM0014", "Groningen")
    assert len({row.pc4 for row in DATA.postcodes}) == sum(1 for row in DATA.postcodes if row.primary)


def test_nothing_in_it_leads_to_a_person() -> None:
    for path in Path(str(files("app") / "data")).rglob("*"):
        if path.is_file():
            assert "@" not in path.read_text(encoding="utf-8"), path.name
