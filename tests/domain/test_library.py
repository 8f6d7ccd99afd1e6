"""What both doors refuse, and what a question that finds nothing hears: on a reader and a registry of paper."""

from __future__ import annotations

from datetime import date

import pytest

from app.domain.access import ANONYMOUS
from app.domain.errors import Invalid
from app.domain.library import Catalogue, Library, Life
from app.domain.reading import Answer, EdgeShape, NounShape, Pick, Selection, Shape

NOUNS = {
    "region": NounShape(
        frozenset({"code", "name"}),
        {"overlaps": EdgeShape("overlap", True, ("scheme",))},
        frozenset({"scheme", "municipality", "q"}),
        ("name",),
        {"municipality": "municipality"},
        "name",
    ),
    "overlap": NounShape(frozenset({"shareOfThis"}), {}, frozenset(), ()),
    "organisation": NounShape(
        frozenset({"name"}),
        {},
        frozenset({"hub", "workfield", "region"}),
        ("name",),
        {"hub": "hub", "workfield": "workfield", "region": "region"},
        "name",
    ),
    "location": NounShape(frozenset({"place"}), {}, frozenset({"municipality"}), (), {"municipality": "municipality"}),
}
EDITIONS = {"gemeente": (2016, 2022), "roaz-regio": (2020, 2022), "provincie": (2016,)}
APPINGEDAM = Life(
    "GM0003", "gemeente", "Appingedam", date(2016, 1, 1), date(2021, 1, 1), (("GM1979", "gemeente", "Eemsdelta"),)
)
EEMSDELTA = Life("GM1979", "gemeente", "Eemsdelta", date(2021, 1, 1), date.max)
GGD = Life("GG0111", "ggd-regio", "GGD Groningen", date(2016, 1, 1), date.max)


class PaperReader:
    def __init__(self, body=b'[{"code":"GM0014"}]'):
        self.body = body
        self.seen = []

    def nouns(self):
        return NOUNS

    async def read(self, selections, *, actor, language):
        self.seen = list(selections)
        return [Answer(self.body) for _ in selections]


class PaperRegistry:
    def __init__(self):
        self.lives = {life.code: life for life in (APPINGEDAM, EEMSDELTA, GGD)}
        self.asked = 0

    async def region(self, code, as_of):
        self.asked += 1
        return self.lives.get(code)

    async def exists(self, kind, code):
        self.asked += 1
        return code in ("groningen", "inclusie")


CODE = Pick("code", "code")


def selection(noun="region", kind="page", as_of=date(2022, 6, 1), sort="", picks=(CODE,), args=(), **filters):
    given = tuple((name, index + len(args)) for index, name in enumerate(filters))
    return Selection(Shape(noun, kind, picks, given, sort), (*args, *filters.values()), as_of)


def library(body=b'[{"code":"GM0014"}]', editions=EDITIONS):
    reader, registry = PaperReader(body), PaperRegistry()
    return Library(reader, registry, lambda: Catalogue(editions)), reader, registry


async def refused(what, *selections):
    with pytest.raises(Invalid) as error:
        await what.read(selections, actor=ANONYMOUS, language="nl")
    return error.value.faults


async def test_a_date_before_the_first_edition_is_refused_with_the_editions():
    what, reader, _ = library()
    (fault,) = await refused(what, selection(as_of=date(2015, 12, 31)))
    assert (fault.location, fault.code) == ("asOf", "date-before-first-edition")
    assert "2016-01-01" in fault.detail
    assert "2016, 2020, 2022" in fault.detail
    assert reader.seen == []
    await what.read([selection(as_of=date(2016, 1, 1))], actor=ANONYMOUS, language="nl")
    assert len(reader.seen) == 1


async def test_a_scheme_without_an_edition_on_the_date_names_its_own():
    what, _, _ = library()
    (fault,) = await refused(what, selection(scheme="roaz-regio", as_of=date(2019, 12, 31)))
    assert fault.detail == "The scheme roaz-regio has no edition on this date. Its editions: 2020, 2022."


async def test_an_unknown_scheme_is_found_in_filters_and_in_arguments_of_edges():
    what, _, _ = library()
    (fault,) = await refused(what, selection(scheme="nope"))
    assert (fault.location, fault.code) == ("scheme", "unknown-scheme")
    assert "nope" not in fault.detail
    nested = (Pick("overlaps", "overlaps", (Pick("shareOfThis", "s"),), (("scheme", 0),)),)
    (fault,) = await refused(what, selection(picks=nested, args=("nope",)))
    assert fault.code == "unknown-scheme"


async def test_every_fault_of_every_selection_comes_at_once():
    what, _, _ = library()
    faults = await refused(what, selection(scheme="nope", sort="colour", q="!"), selection(as_of=date(2001, 1, 1)))
    assert [fault.code for fault in faults] == [
        "nothing-to-search", "unknown-sort", "unknown-scheme", "date-before-first-edition",
    ]  # fmt: skip


async def test_words_are_folded_and_the_order_is_named_before_the_reader_is_asked():
    what, reader, _ = library()
    await what.read([selection(q="Fryslân")], actor=ANONYMOUS, language="nl")
    assert reader.seen[0].values == ("fryslan",)
    assert reader.seen[0].shape.sort == "name"
    await what.read([selection(sort="-name")], actor=ANONYMOUS, language="nl")
    assert reader.seen[0].shape.sort == "-name"


async def test_an_empty_list_explains_unknown_and_ended_codes_all_at_once():
    what, _, _ = library(b"[]")
    faults = await refused(what, selection("organisation", hub="nope", workfield="nope", region="GM0003"))
    assert [(fault.location, fault.code) for fault in faults] == [
        ("hub", "unknown-code"), ("workfield", "unknown-code"), ("region", "region-ended"),
    ]  # fmt: skip
    assert "Eemsdelta (GM1979)" in faults[2].detail


async def test_a_municipality_must_be_a_municipality():
    what, _, _ = library(b"[]")
    (fault,) = await refused(what, selection(municipality="GG0111"))
    assert fault.code == "unknown-code"


async def test_a_municipality_of_the_future_says_from_when():
    what, _, _ = library(b"[]")
    (fault,) = await refused(what, selection(municipality="GM1979", as_of=date(2020, 1, 1)))
    assert "exists from 2021-01-01" in fault.detail


async def test_an_empty_list_with_good_codes_is_an_answer():
    what, _, _ = library(b"[]")
    (answer,) = await what.read(
        [selection("organisation", hub="groningen", region="GG0111")], actor=ANONYMOUS, language="nl"
    )
    assert answer.body == b"[]"


async def test_a_list_that_holds_something_is_not_looked_into():
    what, _, registry = library()
    await what.read([selection("organisation", hub="nope")], actor=ANONYMOUS, language="nl")
    assert registry.asked == 0


async def test_a_place_of_an_ended_municipality_is_no_mistake_but_an_unknown_one_is():
    what, _, _ = library(b"[]")
    await what.read([selection("location", "list", municipality="GM0003")], actor=ANONYMOUS, language="nl")
    (fault,) = await refused(what, selection("location", "list", municipality="GM9999"))
    assert (fault.location, fault.code) == ("municipality", "unknown-code")


async def test_a_missing_region_tells_its_life():
    what, _, _ = library()
    never = await what.missing_region("XX", date(2022, 1, 1))
    assert (never.code, never.extra) == ("not-found", {})
    ended = await what.missing_region("GM0003", date(2022, 1, 1))
    assert ended.code == "region-ended"
    assert ended.extra["successors"] == [{"code": "GM1979", "scheme": "gemeente", "name": "Eemsdelta"}]
    assert ended.extra["validTo"] == "2021-01-01"
    early = await what.missing_region("GM1979", date(2020, 1, 1))
    assert (early.code, early.extra["validTo"]) == ("region-not-yet", None)


async def test_before_the_reference_data_is_loaded_nothing_is_refused_for_its_date():
    what, reader, _ = library(editions={})
    await what.read([selection(as_of=date(1990, 1, 1), scheme="ggd-regio")], actor=ANONYMOUS, language="nl")
    assert len(reader.seen) == 1
