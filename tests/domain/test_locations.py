"""What people type to say where they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import Invalid
from app.domain.locations import place_sought, place_typed, words_sought


@pytest.mark.parametrize("typed", ["9711", "9711 AB", "9711ab", " 9711 aB ", "9711  AB", "9711\u00a0AB"])
def test_a_postcode_is_four_digits_with_or_without_two_letters(typed):
    assert place_sought(postcode=typed) == ("postcode", "9711")
    assert place_typed(typed) == ("postcode", "9711")


@pytest.mark.parametrize(
    "typed",
    ["97111", "AB 9711", "AB9711", "0123", "971", "9711 A", "9711 ABC", "9711 A1", "", "GM0014", "٩٧١١", "9711AB1"],
)
def test_what_is_almost_a_postcode_is_refused_without_repeating_it(typed):
    with pytest.raises(Invalid) as refused:
        place_sought(postcode=typed)
    (fault,) = refused.value.faults
    assert (fault.where, fault.location, fault.code) == ("query", "postcode", "invalid-postcode")
    assert not typed or typed not in fault.detail.replace("9711 AB", "").replace("9711", "")


@pytest.mark.parametrize("typed", ["97111", "AB 9711", "AB9711", "971", "9711 A", "9711 ABC", "12AB34"])
def test_a_box_for_anything_also_tells_a_wrong_postcode(typed):
    with pytest.raises(Invalid) as refused:
        place_typed(typed)
    assert refused.value.faults[0].code == "invalid-postcode"


def test_a_municipality_is_a_code_or_a_name():
    assert place_sought(municipality="gm0014") == ("municipality", "GM0014")
    assert place_sought(municipality=" Súdwest-Fryslân") == ("q", "sudwest fryslan")
    assert place_typed("GM0014") == ("municipality", "GM0014")
    assert place_typed("Den Haag") == ("q", "den haag")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"postcode": "9711", "q": "haren"},
        {"municipality": "GM0014", "q": "x"},
        {"postcode": "1", "municipality": "2", "q": "3"},
    ],
)
def test_exactly_one_way_to_say_where_is_needed_and_each_too_many_is_named(given):
    with pytest.raises(Invalid) as refused:
        place_sought(**given)
    assert {fault.code for fault in refused.value.faults} == {"one-of"}
    assert [fault.location for fault in refused.value.faults] == (list(given) or ["postcode"])


@pytest.mark.parametrize("given", [{"q": "a"}, {"q": "!!"}, {"municipality": ""}])
def test_less_than_two_letters_say_nothing_of_a_place(given):
    with pytest.raises(Invalid) as refused:
        place_sought(**given)
    assert (refused.value.faults[0].code, refused.value.faults[0].location) == ("too-short", next(iter(given)))


def test_words_to_search_for_are_folded_and_hold_at_least_one_letter():
    assert words_sought("Fryslân!") == "fryslan"
    with pytest.raises(Invalid):
        words_sought("%_'")


@given(st.text(max_size=30))
def test_whatever_is_typed_is_understood_or_refused_never_a_fault_of_ours(text):
    try:
        name, value = place_typed(text)
    except Invalid:
        return
    assert name in ("postcode", "municipality", "q")
    assert value.isascii()
    assert "%" not in value
    assert "_" not in value
