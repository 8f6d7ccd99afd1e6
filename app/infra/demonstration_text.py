"""Plausible Dutch text for generated signals, put together from phrases, with its search vector.

PostgreSQL needs 90 µs to make the vector of such a text, most of it for stemming the same words again. Here each phrase
is stemmed once; the vector of a text is that of its phrases, moved to their place. A test compares it with PostgreSQL's.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any

from app.domain.text import fold

# Of the form of data/demonstration/phrases.json: what is said of a theme that has no phrases there.
PLAIN: Mapping[str, Any] = {
    "slots": {"group": {"byCode": {}}},
    "openings": ["Tijdens een bijeenkomst in {place} kwam dit steeds weer ter sprake."],
    "closings": ["Gevraagd wordt om één vast aanspreekpunt, dichtbij en zonder afspraak."],
    "themes": {},
}
PLAIN_THEME: Mapping[str, Sequence[str]] = {
    "titles": ["{number} mensen in {place} lopen vast", "Inwoners van {place} vragen hier aandacht voor"],
    "sentences": [
        "De wachttijd is opgelopen en niemand vertelt waar je aan toe bent.",
        "Wie geen auto heeft, komt er niet: de bus rijdt nog maar twee keer per dag.",
        "Elke instantie stelt opnieuw dezelfde vragen, en het verhaal moet steeds over.",
        "Al {months} maanden is er niemand bereikbaar in het weekend.",
    ],
}
RESPONSES = (
    "Wij nemen deze voorbeelden mee in ons overleg met zorgverzekeraars.",
    "Dit sluit aan bij andere regio's; wij hebben het op de landelijke agenda gezet.",
    "Wij bespraken dit met het ministerie en houden de hub op de hoogte.",
)
SUMMARIES = (
    "Gesprek met gemeente en aanbieders over wat er morgen al anders kan.",
    "Training voor ervaringsdeskundigen, met deze voorbeelden als lesstof.",
    "Vraag voorgelegd aan de overlegtafel van de regio.",
    "Advies gegeven aan de gezondheidsregio.",
)
NUMBERS, MONTHS = (3, 90), (2, 18)
PEOPLE = "inwoners"
_SLOT = re.compile(r"\{(\w+)\}")


def phrases() -> Mapping[str, Any]:
    """The packaged phrases."""
    file = files("app") / "data" / "demonstration" / "phrases.json"
    found: Mapping[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else PLAIN
    return found


class Vectors:
    """The search vectors of phrases that are known beforehand: `lexemes` is what PostgreSQL makes of each word."""

    def __init__(self, lexemes: Mapping[str, Sequence[str]]) -> None:
        self._lexemes = lexemes
        self._known: dict[tuple[str, int, str], tuple[str, int, int]] = {}

    def at(self, phrase: str, offset: int, weight: str) -> tuple[str, int, int]:
        """The vector of the phrase after `offset` words; the words so far; the last place that holds a lexeme."""
        key = (phrase, offset, weight)
        found = self._known.get(key)
        if found is None:
            words = fold(phrase).split()
            places = [(n, lexeme) for n, word in enumerate(words, offset + 1) for lexeme in self._lexemes[word]]
            text = " ".join(f"'{lexeme}':{n}{weight}" for n, lexeme in places)
            found = self._known[key] = (text, offset + len(words), max((n for n, _ in places), default=0))
        return found

    def of(self, title: Sequence[str], description: Sequence[str]) -> str:
        """As `setweight(to_tsvector(title), 'A') || to_tsvector(description)`: the second begins after the first's last
        lexeme, not after its last word."""
        parts, offset, last = [], 0, 0
        for phrase in title:
            text, offset, there = self.at(phrase, offset, "A")
            parts.append(text)
            last = there or last
        offset = last
        for phrase in description:
            text, offset, _ = self.at(phrase, offset, "")
            parts.append(text)
        return " ".join(parts)


def words_of(phrases: Iterable[str]) -> list[str]:
    """Every word of these phrases, as it is searched for."""
    return sorted({word for phrase in phrases for word in fold(phrase).split()})


def every_word(given: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Every word that a text of these phrases may hold, with these names of places."""
    themes = [PLAIN_THEME, *given["themes"].values()]
    patterns = [*given["openings"], *given["closings"], *(p for t in themes for p in (*t["titles"], *t["sentences"]))]
    fixed = [part for pattern in patterns for part in _SLOT.split(pattern)[::2]]
    numbers = [str(n) for n in range(MONTHS[0], NUMBERS[1] + 1)]
    return words_of([*fixed, *names, *numbers, PEOPLE, *given["slots"]["group"]["byCode"].values()])


class Composer:
    """Texts for signals. The same chance gives the same text."""

    def __init__(self, vectors: Vectors, given: Mapping[str, Any]) -> None:
        self._vectors = vectors
        self._groups = given["slots"]["group"]["byCode"]
        self._openings = [_SLOT.split(text) for text in given["openings"]]
        self._closings = [_SLOT.split(text) for text in given["closings"]]
        self._themes = {
            code: tuple([_SLOT.split(text) for text in theme[part]] for part in ("titles", "sentences"))
            for code, theme in {"": PLAIN_THEME, **given["themes"]}.items()
        }

    def compose(self, chance: random.Random, theme: str, place: str, group: str) -> tuple[str, str, str]:
        """Title, description, and the vector of both."""
        r = chance.random
        titles, sentences = self._themes.get(theme) or self._themes[""]
        slots = {
            "place": place,
            "number": str(NUMBERS[0] + int(r() * (NUMBERS[1] - NUMBERS[0]))),
            "months": str(MONTHS[0] + int(r() * (MONTHS[1] - MONTHS[0]))),
            "group": self._groups.get(group, PEOPLE),
        }
        title = _filled(titles[int(r() * len(titles))], slots)
        body = _filled(self._openings[int(r() * len(self._openings))], slots)
        first = int(r() * len(sentences))
        for step in range(1 + int(r() * 3)):
            body += [" ", *_filled(sentences[(first + step * 3) % len(sentences)], slots)]
        if r() < 0.6:
            body += [" ", *_filled(self._closings[int(r() * len(self._closings))], slots)]
        return "".join(title), "".join(body), self._vectors.of(title, body)


def _filled(pattern: Sequence[str], slots: Mapping[str, str]) -> list[str]:
    """The pattern, cut at its slots, with the slots filled; a sentence begins with a capital."""
    parts = [slots[part] if place % 2 else part for place, part in enumerate(pattern)]
    if not parts[0]:
        parts[1] = parts[1][0].upper() + parts[1][1:]
    return [part for part in parts if part]
