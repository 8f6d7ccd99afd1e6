"""The privacy gate: what it must find, what it must leave alone, and that it never tells what it found."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from stdnum.iso7064 import mod_97_10
from stdnum.nl import bsn

from app.domain.errors import Faults
from app.domain.privacy import NAMES, Finding, check, describe, find
from bench.privacy import measure, samples

ROWS = {name: (recall, precision, number) for name, recall, precision, number in measure()}


def kinds(text: str) -> list[str]:
    return [finding.kind for finding in find(text)]


# --- the corpus


def test_the_corpus_has_enough_texts_with_and_without() -> None:
    corpus = samples()
    assert sum(1 for sample in corpus if sample.kinds) >= 240
    assert sum(1 for sample in corpus if not sample.kinds) >= 240
    assert len({sample.text for sample in corpus}) == len(corpus)
    assert {kind for sample in corpus for kind in sample.kinds} == set(NAMES)
    assert 0.4 < sum(sample.held_out for sample in corpus) / len(corpus) < 0.6


@pytest.mark.parametrize("name", ["overall", "known half", "held-out half", "texts"])
def test_recall_and_precision_on_the_corpus_are_high(name: str) -> None:
    recall, precision, _ = ROWS[name]
    assert recall >= 0.97
    assert precision >= 0.97


@pytest.mark.parametrize("kind", list(NAMES))
def test_each_kind_is_recognised_well(kind: str) -> None:
    recall, precision, number = ROWS[kind]
    assert number >= 40
    assert recall >= 0.95
    assert precision >= 0.95


# --- any value, in any spelling, in any sentence

SENTENCES = [
    ("Bewoner meldt dat ", " geen antwoord kreeg."),
    ("", " staat op het formulier voor de dagbesteding."),
    ("De wachttijd is te lang, zegt men (", ")."),
    ("Sinds de fusie is alles anders:\n", "\nen niemand belt terug."),
    ("Op de kaart van de thuiszorg staat „", "”, voor iedereen te lezen."),
    ("Graag reactie: ", ""),
]
in_a_sentence = st.sampled_from(SENTENCES)


def digits(size: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=size, max_size=size)


def grouped(value: str, *sizes: int, by: str) -> str:
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return by.join(value[start : start + size] for start, size in zip(starts, sizes, strict=True))


@st.composite
def citizen_numbers(draw: st.DrawFn) -> str:
    head = draw(digits(8).filter(lambda number: number >= "01" and bsn.checksum(number + "0") < 10))
    value = head + str(bsn.checksum(head + "0"))
    shape = draw(st.sampled_from([(9,), (3, 3, 3), (4, 2, 3), (3, 2, 4), (1,) * 9]))
    return grouped(value, *shape, by=draw(st.sampled_from([" ", ".", "-", "\u00a0", "\u2011", "\u202f"])))


@st.composite
def accounts(draw: st.DrawFn) -> str:
    country, body = draw(
        st.sampled_from([("NL", "BANK"), ("NL", "TEST"), ("DE", "37040044"), ("BE", "53"), ("AT", "1")])
    )
    rest = {"NL": 10, "DE": 10, "BE": 10, "AT": 15}[country]
    body += draw(digits(rest))
    value = country + mod_97_10.calc_check_digits(body + country) + body
    by = draw(st.sampled_from(["", " ", ".", "-", "\u00a0", "\u200b", " \u00ad"]))
    written = by.join(value[start : start + 4] for start in range(0, len(value), 4))
    return draw(st.sampled_from([written, written.lower()]))


@st.composite
def mailboxes(draw: st.DrawFn) -> str:
    word = st.text("abcdefghijklmnopqrstuvwxyz", min_size=3, max_size=10)
    local = draw(st.one_of(word, st.builds("{}.{}".format, word, word), st.builds("{}_{}9".format, word, word)))
    host = draw(st.sampled_from(["example", "zorg-example", "test123"]))
    at = draw(st.sampled_from(["@", " @ ", "\uff20", "@\u200b", " [at] ", "(at)", "(a)", " apenstaartje ", "{at}"]))
    dot = draw(st.sampled_from([".", " punt ", "[dot]", " (punt) "]))
    return f"{local}x{at}{host}{dot}{draw(st.sampled_from(['nl', 'com', 'org']))}"


@st.composite
def telephones(draw: st.DrawFn) -> str:
    by = draw(st.sampled_from(["", " ", "-", ".", "\u00a0", "\u2013"]))
    rest = draw(st.sampled_from("123456789")) + draw(digits(6)) + draw(st.sampled_from("123456789"))
    if draw(st.booleans()):
        prefix = draw(st.sampled_from(["06", "(06)", "+31 6", "+31(0)6", "0031 6", "0031-6", "+316"]))
        groups = draw(st.sampled_from([(8,), (2, 2, 2, 2), (4, 4), (3, 3, 2)]))
        # Two digits, a separator and a year are a date, and "06 20 …" is read as a number all the same.
        written = prefix + (by or "-") + grouped("3" + rest[1:], *groups, by=" " if by else "")
    else:
        prefix = draw(st.sampled_from(["050", "(050)", "020", "079", "+31 50", "+31 (0)20", "0031 79"]))
        groups = draw(st.sampled_from([(7,), (3, 4), (3, 2, 2)]))
        written = prefix + (by or " ") + grouped(rest[:7], *groups, by=" ")
    return written


def assert_found(kind: str, value: str, sentence: tuple[str, str]) -> None:
    before, after = sentence
    assert find(before + value + after) == [Finding(kind, len(before), len(before) + len(value))]


@settings(max_examples=150, deadline=None)
@given(citizen_numbers(), in_a_sentence)
def test_any_citizen_service_number_is_found_where_it_is(value: str, sentence: tuple[str, str]) -> None:
    assert_found("bsn", value, sentence)


@settings(max_examples=150, deadline=None)
@given(accounts(), in_a_sentence)
def test_any_account_number_is_found_where_it_is(value: str, sentence: tuple[str, str]) -> None:
    assert_found("iban", value, sentence)


@settings(max_examples=150, deadline=None)
@given(mailboxes(), in_a_sentence)
def test_any_e_mail_address_is_found_where_it_is(value: str, sentence: tuple[str, str]) -> None:
    assert_found("email", value, sentence)


@settings(max_examples=150, deadline=None)
@given(telephones(), in_a_sentence)
def test_any_telephone_number_is_found_where_it_is(value: str, sentence: tuple[str, str]) -> None:
    # Nine of its digits may pass for a citizen service number, which is looked for first: refused too, by another name.
    plain = re.sub(r"\D", "", value)
    assume(not any(bsn.is_valid(plain[i : i + 9]) for i in range(len(plain) - 8)))
    assert_found("phone", value, sentence)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["Dorpsstraat", "Kerkweg", "Molenlaan", "Julianaplein", "Prinsengracht"]),
    st.integers(1, 999),
    st.sampled_from([" in Haren", ", Zoetermeer", " te Borger", ", 9711 AB", " 9711AB"]),
    in_a_sentence,
)
def test_any_street_with_number_and_place_is_found_where_it_is(
    street: str, number: int, place: str, sentence: tuple[str, str]
) -> None:
    assert_found("address", f"{street} {number}{place}", sentence)


# --- places in the original text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("é\u0301 mail m.v@example.nl.", "m.v@example.nl"),
        ("x\u200b\u200by 06\u200b-12\u00ad345678 z", "06\u200b-12\u00ad345678"),
        ("０６－１２３４５６７８ gebeld", "０６－１２３４５６７８"),
        ("bsn ９９９９９００１９", "９９９９９００１９"),
        ("0️⃣6️⃣1️⃣2️⃣3️⃣4️⃣5️⃣6️⃣7️⃣8", "0️⃣6️⃣1️⃣2️⃣3️⃣4️⃣5️⃣6️⃣7️⃣8"),
        ("kijk 👩‍🦽 naar a＠example．nl!", "a＠example．nl"),
        ("𝟎𝟔-𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖", "𝟎𝟔-𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖"),
    ],
)
def test_places_are_those_of_the_text_as_given(text: str, found: str) -> None:
    (finding,) = find(text)
    assert text[finding.start : finding.end] == found


# --- weighing


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Zaaknummer 999990019 loopt nog", []),
        ("Zaaknummer onbekend, bsn 999990019", ["bsn"]),
        ("Een budget van € 999.990.019", []),
        ("Burgerservicenummer € 999.990.019", ["bsn"]),
        ("Het getal 999990018 voldoet niet", []),
        ("RSIN 999990019", []),
        ("Cliëntnummer 999990019", ["bsn"]),
        ("11115555 reacties", []),
        ("sofinummer 11115555", ["bsn"]),
        ("https://example.nl/zaak/999990019", []),
        ("https://example.nl/?bsn=999990019", ["bsn"]),
        ("NL91ABNA0417164300", ["iban"]),
        ("NL91ABNA0417164301", ["iban"]),
        ("DE89370400440532013000", ["iban"]),
        ("DE89370400440532013001", []),
        ("bel 113, 0800-0113, 0900-0113, 116 111, 14 050 of 112", []),
        ("bel +31 800 0113", []),
        ("bel 088-1234567", ["phone"]),
        ("In 9711 AB is geen huisarts", []),
        ("In 9711 AB 12 wonen zij", ["address"]),
        ("In de Dorpsstraat is geen huisarts", []),
        ("Dorpsstraat 5", []),
        ("Zij woont in de Dorpsstraat 5", ["address"]),
        ("Agenda 2030, artikel 5 in Haren, kamer 12, Groningen", []),
        ("volg ons via @zorgregio.nl of zorgregio.nl", []),
        ("jan at example punt nl", ["email"]),
        ("hij at thuis.nl", []),
    ],
)
def test_what_stands_around_a_number_is_weighed(text: str, expected: list[str]) -> None:
    assert kinds(text) == expected


def test_an_account_number_goes_before_a_citizen_service_number_and_that_before_a_telephone() -> None:
    assert kinds("NL02BANK0999990019") == ["iban"]
    assert kinds("DE89 3704 0044 0532 0130 00") == ["iban"]
    assert kinds("+31 999 990 019") == ["phone"]
    assert kinds("999 990 019") == ["bsn"]
    assert kinds("0031 79 734 0000") == ["phone"]


# --- never the value


def test_a_fault_has_the_field_the_kind_and_the_place() -> None:
    faults = Faults()
    check({"title": None, "description": "Contact: mw.test@example.nl", "note": ""}, faults)
    (fault,) = faults.found
    assert (fault.where, fault.location, fault.code) == ("body", "description", "personal-data")
    assert fault.detail.startswith("Looks like an e-mail address at characters 10 to 27. Leave personal data out;")


def test_there_is_one_fault_for_each_finding_in_each_field() -> None:
    faults = Faults()
    check({"title": "bsn 999990019", "description": "06-12345678 en 9711 AB 12"}, faults)
    assert [fault.location for fault in faults.found] == ["title", "description", "description"]


@settings(max_examples=150, deadline=None)
@given(st.one_of(citizen_numbers(), accounts(), mailboxes(), telephones()), in_a_sentence)
def test_nothing_of_the_value_is_in_a_fault_or_a_finding(value: str, sentence: tuple[str, str]) -> None:
    text = sentence[0] + value + sentence[1]
    faults = Faults()
    check({"description": text}, faults)
    (finding,) = find(text)
    (fault,) = faults.found
    assert fault.detail == describe(finding)
    place = f"at characters {finding.start + 1} to {finding.end}."
    assert place in fault.detail
    # Apart from the place the sentence is one of five, whatever the value was.
    assert not re.search(r"\d", fault.detail.replace(place, ""))
    assert repr(finding) == f"Finding(kind='{finding.kind}', start={finding.start}, end={finding.end})"
    assert value not in repr(fault) + repr(finding) + str(fault)


# --- any text


PIECES = st.sampled_from(
    [
        *("06", "12", "999", "990", "019", " ", "-", ".", "@", "at", "punt", "nl", "NL91", "ABNA", "9711", "AB", "bsn"),
        *("straat", "Dorpsstraat", ",", "Haren", "(", ")", "+31", "0031", "€", "\u200b", "\u00ad", "é", "\n", "\ud800"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.lists(PIECES, max_size=40).map("".join), st.text("0123456789 .-@ABnl+()\u0300\u200b")))
def test_any_text_is_read_without_an_error_and_findings_never_overlap(text: str) -> None:
    check({"description": text}, Faults())
    found = find(text)
    assert all(0 <= finding.start < finding.end <= len(text) for finding in found)
    assert all(left.end <= right.start for left, right in pairwise(found))


@pytest.mark.parametrize(
    "piece",
    [
        *"a1 .@'-+0(",
        *("1 ", "06 ", "a@", "a.", "NL91 ", "LC12ABCD", "MT12ABCD12345", "bsn ", "at ", " at a punt "),
        *("9711 AB ", "Straat 1, A", "Dorpsstraat 5 in ", "adres ", "tel ", "9 9 ", "\u200b", "a[at]b[dot]", "[ ["),
    ],
)
def test_a_hundred_thousand_characters_of_one_pattern_are_read_to_the_end(piece: str) -> None:
    """With a pattern that backtracks this does not come back within the patience of anybody."""
    text = (piece * 100_000)[:100_000]
    assert kinds(text + "\n\nmail naar test@example.org")[-1:] == ["email"]
