"""Text folded for comparing and sorting: one rule in Python, because not every PostgreSQL has ICU."""

from __future__ import annotations

import re
import unicodedata

_SEPARATORS = re.compile(r"[^0-9a-z]+")


def fold(text: str) -> str:
    """Lower case without accents, every other sign a single space: `'s-Gravenhage` → `s gravenhage`."""
    if not text.isascii():
        apart = unicodedata.normalize("NFKD", text)
        text = "".join([c for c in apart if c < "\x80" or not unicodedata.combining(c)])
    return _SEPARATORS.sub(" ", text.casefold()).strip()
