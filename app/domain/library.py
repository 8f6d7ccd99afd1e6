"""Reading with its rules: what may be asked, and what a question that finds nothing deserves to hear.

Both doors read through here, so that REST and GraphQL refuse the same things in the same words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Protocol

from app.domain.access import Actor
from app.domain.errors import Fault, Faults, Invalid, NotFound
from app.domain.locations import place_sought, words_sought
from app.domain.participation import NOUN as PROFILE
from app.domain.participation import check_grouping
from app.domain.reading import Answer, Language, NounShape, Pick, Reader, Selection, Shape

SCHEME_NAMES = frozenset({"scheme", "from", "to"})
NEARLY_EMPTY_BYTES = 300  # a connection without items is a few braces


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The schemes with the years of their editions, and the version of the data that this was read from."""

    editions: Mapping[str, tuple[int, ...]]
    version: int = 0

    _first_day: date = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        first = min((min(years) for years in self.editions.values() if years), default=2016)
        object.__setattr__(self, "_first_day", date(first, 1, 1))

    def first_day(self) -> date:
        """The first day that anything can be asked of."""
        return self._first_day


@dataclass(frozen=True, slots=True)
class Life:
    """When a region exists, and what it became by the day asked for (code, scheme and name of each)."""

    code: str
    scheme: str
    name: str
    valid_from: date
    valid_to: date
    successors: tuple[tuple[str, str, str], ...] = ()


class Registry(Protocol):
    """Looks up codes, for questions that found nothing."""

    async def region(self, code: str, as_of: date) -> Life | None:
        """The life of a region of any scheme, None for a code that never was."""
        ...

    async def exists(self, kind: str, code: str) -> bool:
        """Whether a hub (`hub`) or a term of a vocabulary has this code."""
        ...


class Library:
    """Reads selections after checking them. It is itself a `Reader`."""

    def __init__(self, reader: Reader, registry: Registry, catalogue: Callable[[], Catalogue]) -> None:
        self._reader = reader
        self._registry = registry
        self._catalogue = catalogue
        self._coded: dict[str, Mapping[str, str]] = {}

    def nouns(self) -> Mapping[str, NounShape]:
        """See the port."""
        return self._reader.nouns()

    async def read(self, selections: Sequence[Selection], *, actor: Actor, language: Language) -> list[Answer]:
        """See the port. Raises `Invalid` for a date, scheme or code that leads nowhere."""
        faults = Faults()
        nouns = self._reader.nouns()
        selections = [_normal(selection, nouns[selection.shape.noun], faults) for selection in selections]
        catalogue = self._catalogue()
        for selection in selections:
            _check(selection, catalogue, faults)
        faults.raise_if_any()
        answers = await self._reader.read(selections, actor=actor, language=language)
        for selection, answer in zip(selections, answers, strict=True):
            if answer.next is None and _is_empty(selection.shape.kind, answer.body or b"[]"):
                await self._explain_emptiness(selection)
        return answers

    async def missing_region(self, code: str, as_of: date) -> NotFound:
        """The refusal for a region that is not there on a day: never was, not yet, or no longer and what came after."""
        life = await self._registry.region(code, as_of)
        if life is None:
            return NotFound("There is no region with this code in any scheme or edition.")
        return NotFound(
            _ended(life, as_of),
            code="region-ended" if life.valid_to <= as_of else "region-not-yet",
            successors=[{"code": c, "scheme": s, "name": n} for c, s, n in life.successors],
            validFrom=life.valid_from.isoformat(),
            validTo=None if life.valid_to == date.max else life.valid_to.isoformat(),
        )

    async def _explain_emptiness(self, selection: Selection) -> None:
        """An unknown code is a mistake to be told, not an empty list."""
        coded = self._reader.nouns()[selection.shape.noun].coded
        faults = Faults()
        for name, index in selection.shape.filters:
            kind, value = coded.get(name), selection.values[index]
            if kind is None or not isinstance(value, str):
                continue
            if kind in ("region", "municipality"):
                # A place is found through what came before or after it, so only an unknown code finds nothing.
                ended = selection.shape.noun != "location"
                await self._explain_region(kind, name, value, selection.as_of, faults, ended)
            elif not await self._registry.exists(kind, value):
                faults.add("query", name, "unknown-code", f"There is no {kind} with this code.")
        faults.raise_if_any()

    async def _explain_region(self, kind: str, name: str, code: str, as_of: date, faults: Faults, ended: bool) -> None:
        life = await self._registry.region(code, as_of)
        if life is None or (kind == "municipality" and life.scheme != "gemeente"):
            faults.add("query", name, "unknown-code", f"There is no {kind} with this code.")
        elif ended and not life.valid_from <= as_of < life.valid_to:
            faults.add("query", name, "region-ended", _ended(life, as_of))


def _ended(life: Life, as_of: date) -> str:
    if life.valid_from > as_of:
        return f"{life.name} ({life.code}) exists from {life.valid_from.isoformat()}; ask for a later asOf."
    after = ", ".join(f"{name} ({code})" for code, _, name in life.successors) or "none that we know"
    return (
        f"{life.name} ({life.code}) existed until {life.valid_to.isoformat()}. What came after: {after}. "
        "Ask for an earlier asOf to read it as it was."
    )


def _is_empty(kind: str, body: bytes) -> bool:
    """Whether a collection holds nothing; of a connection that can only be guessed by its size."""
    return len(body) < NEARLY_EMPTY_BYTES if kind == "connection" else kind != "one" and body == b"[]"


def _normal(selection: Selection, noun: NounShape, faults: Faults) -> Selection:
    """The selection as it is asked of the reader: words folded, places understood, the order named.

    Words that hold nothing to search for, no place and an unknown order are faults.
    """
    shape = selection.shape
    values = list(selection.values)
    try:
        if shape.noun == "location":
            given = {name: values[index] for name, index in shape.filters}
            name, value = place_sought(**given)
            shape = Shape(
                shape.noun, shape.kind, shape.picks, ((name, len(values)),), shape.sort, shape.first, shape.after
            )
            return Selection(shape, (*values, value), selection.as_of, selection.after)
        if shape.noun == PROFILE:
            given = {name: values[index] for name, index in shape.filters}
            check_grouping(given, faults)
            for name, index in shape.filters:
                values[index] = given[name]
        for name, index in shape.filters:
            if name == "q":
                values[index] = words_sought(values[index])
    except Invalid as error:
        faults.found.extend(error.faults)
    if shape.kind in ("page", "connection") and shape.sort.removeprefix("-") not in noun.sorts:
        if shape.sort:
            detail = f"This can be sorted by: {', '.join(noun.sorts)}, or the same with a -."
            faults.add("query", "sort", "unknown-sort", detail)
        shape = replace(shape, sort=noun.order)
    return Selection(shape, tuple(values), selection.as_of, selection.after)  # `replace` takes thrice as long


def _check(selection: Selection, catalogue: Catalogue, faults: Faults) -> None:
    """A date before the first edition, an unknown scheme, a scheme without an edition on the date."""
    if not catalogue.editions:
        return
    day = selection.as_of
    if day < catalogue.first_day():
        years = sorted({year for years in catalogue.editions.values() for year in years})
        faults.add(
            "query",
            "asOf",
            "date-before-first-edition",
            f"Regions are known from {catalogue.first_day().isoformat()} on. Editions: {', '.join(map(str, years))}.",
        )
        return
    for name, code in _schemes(selection):
        years = list(catalogue.editions.get(code, ()))
        if code not in catalogue.editions:
            faults.add(
                "query", name, "unknown-scheme", f"There is no such scheme. Known: {', '.join(catalogue.editions)}."
            )
        elif years and day.year < years[0]:
            faults.add(
                "query",
                "asOf",
                "date-before-first-edition",
                f"The scheme {code} has no edition on this date. Its editions: {', '.join(map(str, years))}.",
            )


def _schemes(selection: Selection) -> list[tuple[str, str]]:
    """Every scheme named in the filters or in the argument of an edge, with the name of the parameter."""
    found: list[tuple[str, Any]] = [
        (name, selection.values[index])
        for name, index in selection.shape.filters
        if name in SCHEME_NAMES and selection.shape.noun in ("region", "crosswalk", PROFILE)
    ]

    def walk(picks: Sequence[Pick]) -> None:
        for pick in picks:
            if pick.has_args:
                found.extend((name, selection.values[index]) for name, index in pick.args if name in SCHEME_NAMES)
                walk(pick.picks)

    walk(selection.shape.picks)
    return [(name, value) for name, value in found if isinstance(value, str)]


__all__ = ["Catalogue", "Fault", "Invalid", "Library", "Life", "Registry"]
