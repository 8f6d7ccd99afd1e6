"""Plausible Dutch text for generated signals, put together from phrases, with its search vector.

PostgreSQL needs 90 µs to make the vector of such a text, most of it for stemming the same words again. Here each phrase
is stemmed once; the vector of a text is that of its phrases, moved to their place. A test compares it with PostgreSQL's.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence

from app.domain.text import fold

# {matter} is the label of a theme, {place} the name of a region, {who} and {where} come from the lists below.
TITLES = (
    "{matter}: {who} in {place} lopen vast",
    "{matter} in {place}: {who} weten niet waar zij terechtkunnen",
    "{who} in {place} vragen aandacht voor {matter}",
    "{matter} in {place} kan beter, zeggen {who}",
    "Idee uit {place} over {matter}",
    "Wat {who} in {place} meemaken met {matter}",
)
WHO = (
    "inwoners", "ouderen", "mantelzorgers", "jongeren", "ouders", "mensen met een beperking", "nieuwkomers",
    "mensen met een chronische aandoening", "wijkbewoners", "vrijwilligers", "alleenstaanden", "cliënten",
)  # fmt: skip
WHERE = (
    "het wijkcentrum", "de huisartsenpost", "het gemeenteloket", "de polikliniek", "het buurthuis", "de bibliotheek",
    "het ziekenhuis", "de thuiszorg", "de apotheek", "het zorgkantoor", "de school", "het inloophuis",
)  # fmt: skip
OPENINGS = (
    "Tijdens een bijeenkomst bij {where} vertelden {who} hoe het in de praktijk gaat.",
    "Bij {where} kwam dit de afgelopen maanden steeds weer ter sprake.",
    "{who} melden zich bij {where} met telkens dezelfde vraag.",
    "In gesprekken met {who} hoorden wij dit van bijna iedereen.",
    "Een panel van {who} zette de ervaringen op een rij.",
    "Na een oproep in de wijkkrant reageerden veel {who}.",
)
PROBLEMS = (
    "De wachttijd is opgelopen en niemand vertelt waar je aan toe bent.",
    "Wie geen auto heeft, komt er niet: de bus rijdt nog maar twee keer per dag.",
    "Brieven zijn in zo moeilijke taal dat mensen afhaken voordat de hulp begint.",
    "Elke instantie stelt opnieuw dezelfde vragen, en het verhaal moet steeds over.",
    "De eigen bijdrage maakt dat mensen zorg uitstellen tot het echt niet meer gaat.",
    "Voor een aanpassing in huis verwijzen gemeente en zorgverzekeraar naar elkaar.",
    "Door wisselende gezichten in het team is er weinig vertrouwen.",
    "Het digitale portaal werkt niet voor wie slecht ziet of weinig met computers heeft.",
    "Naasten houden het vol zolang het kan, maar voor hen zelf is er geen steun.",
    "Op vrijdagmiddag en in het weekend is er niemand bereikbaar.",
    "Na de achttiende verjaardag stopt de begeleiding van de ene op de andere dag.",
    "Ervaringsdeskundigen worden pas gevraagd als het plan al klaar is.",
)
WISHES = (
    "Zij stellen één vast aanspreekpunt voor, dichtbij en zonder afspraak.",
    "Een spreekuur in de buurt zou al veel oplossen.",
    "Zij willen meepraten voordat er besloten wordt, en horen wat ermee gedaan is.",
    "Een vervoersdienst met vrijwilligers wil dit oppakken, maar zoekt startgeld.",
    "De voorbeelden zijn verzameld en liggen klaar voor een gesprek met de aanbieders.",
    "Gevraagd wordt om heldere taal, en om iemand die meekijkt.",
    "In een andere regio werkt dit al, met een herstelacademie als trekker.",
    "Zij vragen om ook in de avond een plek open te houden.",
)
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
PATTERNS = (OPENINGS, PROBLEMS[::2], PROBLEMS[1::2], WISHES)


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


def all_phrases() -> list[str]:
    """Every phrase with its slots taken out, and what fills `who` and `where`."""
    texts = [*TITLES, *OPENINGS, *PROBLEMS, *WISHES, *WHO, *WHERE]
    return [part for text in texts for part in pieces(text, lambda _: " ")]


def pieces(pattern: str, fill: Callable[[str], str]) -> list[str]:
    """The pattern cut at its slots, each slot filled."""
    found = []
    for part in pattern.split("{"):
        slot, closed, rest = part.partition("}")
        found += [fill(slot), rest] if closed else [part]
    return [piece for piece in found if piece]


class Composer:
    """Texts for signals. `pick` chooses; the same choices give the same text."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors
        self._cut = {
            text: [("{" + p[:-1], True) if p.endswith("\0") else (p, False) for p in pieces(text, lambda s: s + "\0")]
            for text in (*TITLES, *OPENINGS, *PROBLEMS, *WISHES)
        }

    def compose(self, chance: random.Random, matter: str, place: str) -> tuple[str, str, str]:
        """Title, description, and the vector of both."""
        r = chance.random
        slots = {
            "{matter": matter,
            "{place": place,
            "{who": WHO[int(r() * len(WHO))],
            "{where": WHERE[int(r() * len(WHERE))],
        }
        title = self._fill(TITLES[int(r() * len(TITLES))], slots)
        body: list[str] = []
        for phrases in PATTERNS[: 2 + int(r() * 3)]:
            if body:
                body.append(" ")
            body += self._fill(phrases[int(r() * len(phrases))], slots)
        return _sentence(title), _sentence(body), self._vectors.of(title, body)

    def _fill(self, pattern: str, slots: Mapping[str, str]) -> list[str]:
        return [slots[text] if slot else text for text, slot in self._cut[pattern]]


def _sentence(parts: Sequence[str]) -> str:
    text = "".join(parts)
    return text[0].upper() + text[1:]
