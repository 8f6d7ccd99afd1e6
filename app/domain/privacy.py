"""Personal data in text: what leads to a person is refused before it is stored (docs/privacy.md says what and why).

A finding has a kind and a place and never the value, so that it can be shown, logged and counted without a leak.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from app.domain.errors import Faults
from app.domain.privacy_contact import addresses, emails
from app.domain.privacy_numbers import bsns, ibans, phones
from app.domain.privacy_text import fold

Kind = Literal["bsn", "iban", "email", "phone", "address"]

CODE: Final = "personal-data"

NAMES: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        "bsn": "a citizen service number (BSN)",
        "iban": "a bank account number (IBAN)",
        "email": "an e-mail address",
        "phone": "a telephone number",
        "address": "a full address",
    }
)

# The order decides who gets a run of digits: an account number holds what would pass for a BSN, and a BSN what would
# pass for a part of a telephone number. The number is that of the fewest digits in a text that can hold one: most texts
# have fewer, and then four of five searches, nine tenths of the time, are not needed.
_FINDERS: Final[tuple[tuple[Kind, Callable[[str], Iterator[tuple[int, int]]], int], ...]] = (
    ("iban", ibans, 2),
    ("bsn", bsns, 8),
    ("phone", phones, 6),
    ("email", emails, 0),
    ("address", addresses, 1),
)
_DIGIT: Final = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Finding:
    """A place in a text: `text[start:end]`, counted in characters (code points) of the text as it was given."""

    kind: Kind
    start: int
    end: int


def find(text: str) -> list[Finding]:
    """What looks like personal data, in order of place, no two overlapping."""
    folded = fold(text)
    taken = bytearray(len(folded.text))
    digits = len(_DIGIT.findall(folded.text))
    found: list[Finding] = []
    for kind, finder, fewest in _FINDERS:
        for start, end in finder(folded.text) if digits >= fewest else ():
            if taken.find(1, start, end) < 0:
                taken[start:end] = b"\x01" * (end - start)
                found.append(Finding(kind, *folded.original(start, end)))
    return sorted(found, key=lambda finding: finding.start)


def check(fields: Mapping[str, str | None], faults: Faults) -> None:
    """Adds a fault for each finding in each field; `fields` maps the name that the caller knows to its text."""
    for field, text in fields.items():
        for finding in find(text) if text else ():
            faults.add("body", field, CODE, describe(finding))


def describe(finding: Finding) -> str:
    """The sentence for people. They count from 1, and the last character belongs to it."""
    return (
        f"Looks like {NAMES[finding.kind]} at characters {finding.start + 1} to {finding.end}. "
        "Leave personal data out; describe the situation without anything that leads to a person."
    )
