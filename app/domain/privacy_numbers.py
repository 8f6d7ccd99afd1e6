"""Numbers that lead to a person: bank accounts, citizen service numbers, telephones. On folded text.

Every pattern here starts at a fixed shape, has bounded repeats, and separators that no digit can be, so that each
place of a text is looked at a bounded number of times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import chain
from typing import Final

from stdnum import numdb
from stdnum.iso7064 import mod_97_10
from stdnum.nl import bsn

Span = tuple[int, int]

_APART: Final = r"[\s.\-/]"
_NOT_DIGIT: Final = re.compile(r"\D+")
_NOT_ALNUM: Final = re.compile(r"[^A-Za-z0-9]+")

# Numbers of things and organisations. Words that may as well stand before a person's number (cliëntnummer,
# polisnummer, plain "nummer") are left out on purpose.
_REFERENCE: Final = re.compile(
    r"(?:kenmerk|referentie|\bref\b|order|bestel(?:ling)?|factuur|\bkvk|kamer van koophandel|rsin|\bbtw|charge|batch"
    r"|\blot\b|isbn|issn|\bdoi\b|\bean\b|\bagb|streepjescode|barcode|serie|project|ticket"
    r"|(?:zaak|dossier|volg|artikel|partij|registratie|inschrijf|inschrijvings|meldings?|klacht|besluit|contract"
    r"|subsidie|vergunnings?|document|offerte|incident|nota|bezwaar|procedure|rekest)[- ]?(?:nummer|nr|code|id)"
    r")[\w-]*\b[^\d\n]{0,12}$",
    re.IGNORECASE,
)
_MONEY_BEFORE: Final = re.compile(
    r"(?:€|\beur)\s?$|\b(?:euro'?s?|\w*(?:bedrag|begroting|budget)|kosten|tekort|overschot|omzet|subsidie|fonds)"
    r"\b[^\d\n]{0,20}$",
    re.IGNORECASE,
)
_AMOUNT_AFTER: Final = re.compile(
    r",-|,\d\d?\b|\s?(?:€|%|(?:eur|euro'?s?|miljoen|miljard|procent|inwoners|mensen|personen|huishoudens|keer|stuks|km"
    r"|uur)\b)",
    re.IGNORECASE,
)
_BSN_WORD: Final = re.compile(r"\bbsn|\bb\.s\.n|burger\s?service\s?n|\bsofi", re.IGNORECASE)


_WORDS_BACKWARDS: Final = re.compile(r"[^\d\n]*")


def _words_before(text: str, start: int) -> str:
    """What is said just before, up to the nearest digit or line: a word beyond another number is about that number."""
    before = text[max(0, start - 45) : start]
    words = _WORDS_BACKWARDS.match(before[::-1])
    return before[len(before) - words.end() :] if words else ""


# --- bank accounts

_IBAN_START: Final = re.compile(r"([A-Za-z]{2})" + _APART + r"{0,2}\d" + _APART + r"{0,2}\d(?=[\sA-Za-z0-9.\-/])")


@cache
def _rest_of(country: str) -> re.Pattern[str] | None:
    """What follows the check digits in this country, with separators between any two characters."""
    (known, facts), *_ = numdb.get("iban").info(country)
    if known != country or "bban" not in facts:
        return None
    kinds = {"n": "[0-9]", "a": "[A-Za-z]", "c": "[A-Za-z0-9]"}
    parts = [
        rf"(?:{_APART}{{0,2}}{kinds[kind]}){{{count}}}" for count, kind in re.findall(r"(\d+)!([nac])", facts["bban"])
    ]
    return re.compile("".join(parts) + r"(?!\d)")


def ibans(text: str) -> Iterator[Span]:
    """Account numbers of all countries of the register, in any spacing."""
    for start in _IBAN_START.finditer(text):
        pattern = _rest_of(start[1].upper())
        rest = pattern.match(text, start.end()) if pattern else None
        if rest is None:
            continue
        number = _NOT_ALNUM.sub("", text[start.start() : rest.end()]).upper()
        # A Dutch account with a typing error still leads to somebody, and nothing else is written like this.
        if number.startswith("NL") or mod_97_10.is_valid(number[4:] + number[:4]):
            yield start.start(), rest.end()


# --- citizen service numbers


def _shape(*sizes: int) -> str:
    """Groups of digits with one and the same separator."""
    first, *others = (rf"\d{{{size}}}" for size in sizes)
    name = "s" + "".join(map(str, sizes))
    return first + f"(?P<{name}>{_APART}{{1,3}})" + f"(?P={name})".join(others)


_NINE: Final = re.compile(
    r"(?<!\d)(?:\d{9}|"
    + "|".join(
        _shape(*sizes)
        for sizes in ((3, 3, 3), (4, 2, 3), (2, 2, 2, 3), (3, 2, 2, 2), (3, 2, 4), (2, 2, 2, 2, 1), (1,) * 9)
    )
    + r")(?!\d)"
)
# After the word itself any spelling counts, and the zero in front may be missing.
_LABELLED: Final = re.compile(rf"(?<!\d)(?:\d{{8}}|\d(?:{_APART}{{0,3}}\d){{8}})(?!\d)")
_PART_BEFORE: Final = re.compile(r"(?:^|\D)\d{1,8}[.,\-/]$")
_PART_AFTER: Final = re.compile(r"[.,\-/]\d{1,8}(?!\d)")
_FOREIGN_BEFORE: Final = re.compile(r"(?:\+|\b00)\s?\d{1,3}[\s.\-/]{0,2}(?:\(0\))?\s?$")


def bsns(text: str) -> Iterator[Span]:
    """Nine digits that pass the test of eleven, weighed with what stands around them: one in eleven passes by chance."""
    spans = set()
    for word in _BSN_WORD.finditer(text):
        number = _LABELLED.search(text, word.end(), min(len(text), word.end() + 90))
        if number and _passes(number[0]) and not _REFERENCE.search(text[word.end() : number.start()]):
            spans.add(number.span())
    for number in _NINE.finditer(text):
        if _passes(number[0]) and not _of_a_thing(text, *number.span()):
            spans.add(number.span())
    yield from sorted(spans)


def _passes(number: str) -> bool:
    digits = _NOT_DIGIT.sub("", number).zfill(9)
    # None was given out below ten million, and two zeros in front are a call to abroad.
    return bsn.checksum(digits) == 0 and not digits.startswith("00")


def _of_a_thing(text: str, start: int, end: int) -> bool:
    """An amount, a reference, a part of a longer number, or a part of a link."""
    before = text[max(0, start - 45) : start]
    word = before.rpartition(" ")[2]
    said = _words_before(text, start)
    return bool(
        _AMOUNT_AFTER.match(text, end)
        or _PART_AFTER.match(text, end)
        or _PART_BEFORE.search(before[-10:])
        or _FOREIGN_BEFORE.search(before[-12:])
        or (before.endswith("NL") and text[end : end + 2] == "B0")
        or "://" in word
        or word.startswith("www.")
        or (text[start] == "0" and _starts_a_phone(text, start))
        or _MONEY_BEFORE.search(said)
        or _REFERENCE.search(said)
    )


# --- telephones

_BETWEEN: Final = r"[\s.\-/]{0,3}"
_DUTCH_ABROAD: Final = re.compile(
    rf"(?<!\d)(?:\+\s?|00\s?)31{_BETWEEN}(?:\(\s?0\s?\)|0)?(?P<rest>(?:{_BETWEEN}\d){{9}})(?!\d)"
)
_FOREIGN: Final = re.compile(r"(?<!\d)(?P<plus>\+\s?|00\s?(?=[2-9]))(?P<rest>[1-9](?:[ .\-/()]{0,3}\d){7,13})(?!\d)")
_MOBILE: Final = re.compile(rf"(?<!\d)(?<!\d[-.,])\(?06\)?(?:{_BETWEEN}\d){{8}}(?!\d)")
_SPELLED: Final = re.compile(r"(?<!\d)(?<!\d[\s.,-])0(?:[\s.-]\d){9}(?![\s.-]?\d)")
_FIXED: Final = re.compile(r"(?<!\d)(?<!\d[-.,])\(?0[1-57-9]\d(?:[\s.\-/)]{0,3}\d){7}(?!\d)")
_BARE: Final = re.compile(r"(?<![\d+])(?<!\d[-.,])31\s?6(?:[\s-]?\d){8}(?!\d)")
_LOCAL: Final = re.compile(
    r"\b(?:tel(?:efoon)?|mob(?:iel)?|gsm)(?:nummer|nr)?[.:]{0,2}\s{0,2}(?:is\s)?(?P<rest>(?!14|11)[1-9](?:[\s.\-]?\d){5,8})(?![\d%])",
    re.IGNORECASE,
)
# Numbers that cannot be a person's: free and paid information numbers, and the 14 + area code of municipalities.
_PUBLIC: Final = re.compile(r"0?(?:800|90[069]|14)")
_AREA: Final = re.compile(r"0(?:1[0135-8]|2[0234569]|3[0-8]|4[013-9]|5\d|7\d|8[24578]|9[17])")
_DATE: Final = re.compile(r"\d\d[-./]\d\d?[-./](?:(?:19|20)\d\d(?!\d)|\d\d\s+\d)")
_THOUSANDS: Final = re.compile(r"\+\s?\d{1,3}(?:\.\d{3})+$")
_FIVE_BEFORE: Final = re.compile(r"\b0?5[\s.,\-/]{1,2}$")
_YEAR: Final = re.compile(r"(?:19|20)\d\d")


def phones(text: str) -> Iterator[Span]:
    """Dutch numbers in all spellings and foreign ones with their country code; never a public helpline."""
    patterns = (_DUTCH_ABROAD, _FOREIGN, _MOBILE, _FIXED, _SPELLED, _BARE, _LOCAL)
    for match in chain.from_iterable(pattern.finditer(text) for pattern in patterns):
        if not _no_phone(match, text):
            start = match.start("rest") if match.re is _LOCAL else match.start()
            # A bracket that closes elsewhere belongs to the sentence.
            yield start + (match[0][0] == "(" and ")" not in match[0]), match.end()


def _starts_a_phone(text: str, start: int) -> bool:
    """Ten digits that are a number to call, of which a grouping took the first nine."""
    return bool(_MOBILE.match(text, start) or (_AREA.match(text, start) and _FIXED.match(text, start)))


def _no_phone(match: re.Match[str], text: str) -> bool:
    """A date, an amount, a reference or a helpline in the same digits."""
    start, written = match.start(), match[0]
    digits = _NOT_DIGIT.sub("", match["rest"] if "rest" in match.re.groupindex else written)
    if match.re is _LOCAL:
        return bool(_YEAR.match(digits) or _AMOUNT_AFTER.match(text, match.end()))
    if _PUBLIC.match(digits[2:] if match.re is _FOREIGN and digits.startswith("31") else digits):
        return match.re in (_DUTCH_ABROAD, _FIXED) or digits.startswith("31")
    plain = written.isdigit()
    if match.re is _FIXED and plain and not _AREA.match(digits):
        return True
    if match.re is _FOREIGN and (_THOUSANDS.match(written) or (match["plus"][0] == "0" and len(digits) < 9)):
        return True
    return bool(
        _DATE.match(written)
        or _AMOUNT_AFTER.match(text, match.end())
        or (match.re is _MOBILE and _FIVE_BEFORE.search(text[max(0, start - 4) : start]))
        or (plain and _REFERENCE.search(_words_before(text, start)))
    )
