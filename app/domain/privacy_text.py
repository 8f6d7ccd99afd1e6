"""Text as a reader sees it: full-width digits, odd spaces and hyphens become plain ones, invisible characters go.

Somebody who hides a number with them rarely means to; a word processor, a chat program or a scan does it. Positions
lead back to the text as it was given.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

# What Unicode itself does not fold: hyphens and dashes, dots in the middle and of other scripts, slashes.
_LIKE: Final = {
    **dict.fromkeys("‐‑‒–—―−⁃﹘", "-"),
    **dict.fromkeys("·•∙⋅・。｡", "."),
    **dict.fromkeys("⁄∕", "/"),
    **dict.fromkeys("’‘ʼ´`", "'"),
}
# Format characters, and marks that only dress the character before them (an accent on its own, a keycap).
_INVISIBLE: Final = frozenset({"Cf", "Mn", "Me"})
_BLANKS_THAT_ARE_LETTERS: Final = frozenset("\u115f\u1160\u3164\uffa0")


@dataclass(frozen=True, slots=True)
class Folded:
    """`kept[i]` is the place of `text[i]` in the original; without it nothing was left out."""

    text: str
    kept: Sequence[int] | None = None

    def original(self, start: int, end: int) -> tuple[int, int]:
        """From a stretch here to the stretch there, with what is invisible in between."""
        if self.kept is None:
            return start, end
        return self.kept[start], self.kept[end - 1] + 1


def fold(text: str) -> Folded:
    """One character becomes one character or none, so that places stay known."""
    if text.isascii():
        return Folded(text)
    plain = {character: _plain(character) for character in set(text) if character > "\x7f"}
    shown = text.translate({ord(character): by for character, by in plain.items() if by})
    gone = {character for character, by in plain.items() if not by}
    if not gone:
        return Folded(shown)
    kept = [place for place, character in enumerate(shown) if character not in gone]
    return Folded("".join([shown[place] for place in kept]), kept)


@lru_cache(maxsize=4096)
def _plain(character: str) -> str:
    if character in _LIKE:
        return _LIKE[character]
    if unicodedata.category(character) in _INVISIBLE or character in _BLANKS_THAT_ARE_LETTERS:
        return ""
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    simple = unicodedata.normalize("NFKC", character)
    if len(simple) != 1:
        return character
    return _LIKE.get(simple, simple)
