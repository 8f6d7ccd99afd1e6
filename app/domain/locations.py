"""What people type to say where they are, read: a postcode, a municipality, or a few letters."""

from __future__ import annotations

import re

from app.domain.errors import Fault, Invalid
from app.domain.text import fold

# `[0-9]`, because `\d` takes the digits of every script.
_POSTCODE = re.compile(r"[1-9][0-9]{3}(?:\s*[A-Za-z]{2})?\Z")
_ALMOST_POSTCODE = re.compile(r"(?:\d[\d\s]*|[\d\s]+[A-Za-z]{1,3}|[A-Za-z]{2}\s?\d{4}|\d+[A-Za-z]+\d+)\Z")
_MUNICIPALITY = re.compile(r"GM[0-9]{4}\Z", re.IGNORECASE)


def place_sought(postcode: str | None = None, municipality: str | None = None, q: str | None = None) -> tuple[str, str]:
    """The filter of the `location` noun and its value, from exactly one of the three.

    A postcode has four digits, or four digits and two letters (`9711 AB`); a municipality is a code (`GM0014`) or a
    name. Raises `Invalid`.
    """
    given = [
        name for name, value in (("postcode", postcode), ("municipality", municipality), ("q", q)) if value is not None
    ]
    if len(given) != 1:
        detail = "Give exactly one of postcode, municipality and q."
        raise Invalid([Fault("query", name, "one-of", detail) for name in given or ["postcode"]])
    if postcode is not None:
        return "postcode", _postcode(postcode.strip(), "postcode")
    if municipality is not None and _MUNICIPALITY.match(municipality.strip()):
        return "municipality", municipality.strip().upper()
    return "q", _words(municipality or q or "", given[0])


def place_typed(text: str) -> tuple[str, str]:
    """The same for one box in which people type anything. What looks like a postcode must be one."""
    text = text.strip()
    if _MUNICIPALITY.match(text):  # before the postcodes: its letters and digits look like one the wrong way around
        return "municipality", text.upper()
    if _POSTCODE.match(text) or _ALMOST_POSTCODE.match(text):
        return "postcode", _postcode(text, "q")
    return "q", _words(text, "q")


def words_sought(text: str) -> str:
    """Words to search names for, folded as the names are. Raises `Invalid` when nothing searchable is left."""
    found = fold(text)
    if not found:
        raise Invalid([Fault("query", "q", "nothing-to-search", "Give at least one letter or digit to search for.")])
    return found


def _postcode(text: str, location: str) -> str:
    if not _POSTCODE.match(text):
        detail = "A postcode is four digits, or four digits and two letters, such as 9711 or 9711 AB."
        raise Invalid([Fault("query", location, "invalid-postcode", detail)])
    return text[:4]


def _words(text: str, location: str) -> str:
    found = fold(text)
    if len(found) < 2:
        raise Invalid([Fault("query", location, "too-short", "Give at least two letters.")])
    return found
