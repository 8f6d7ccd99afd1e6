"""What a reader asks for, apart from how it is fetched: both doors make a `Selection`, the `Reader` port answers it.

A selection names a noun, the fields and edges wanted of it, filters, order and page. It says nothing of SQL, HTTP or
GraphQL. Values (codes, dates, cursors) sit apart in `values`, so that two requests of the same shape share one
compiled statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, Protocol

MAX_PAGE = 200
DEFAULT_PAGE = 50

Language = Literal["nl", "en"]


@dataclass(frozen=True, slots=True)
class Pick:
    """One field or edge that is wanted: `name` in the noun's view, `key` in the answer (GraphQL's alias).

    `picks` are the fields wanted of an edge. `args` are the arguments of an edge as (name, index into
    `Selection.values`): the value itself is not part of the shape.
    """

    name: str
    key: str
    picks: tuple[Pick, ...] = ()
    args: tuple[tuple[str, int], ...] = ()
    has_args: bool = field(init=False, repr=False, compare=False)
    """Whether this pick, or one below it, has arguments."""
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Each request looks its shape up and through: walking all picks anew for that cost 20 µs a request.
        object.__setattr__(self, "has_args", bool(self.args) or any(pick.has_args for pick in self.picks))
        object.__setattr__(self, "_hash", hash((self.name, self.key, self.picks, self.args)))

    def __hash__(self) -> int:
        return self._hash


Kind = Literal["one", "page", "list", "connection"]


@dataclass(frozen=True, slots=True)
class Shape:
    """The part of a selection that decides the statement. Hashable: it is the key of the statement cache.

    `kind`: `one` resource (or none), a `page` for REST (items and the next cursor), a plain `list` (all items, no
    page) or a Relay `connection` for GraphQL, whose picks are `nodes`, `edges` and `pageInfo`.
    `filters` are the names of the filters given, with the index of each value.
    `as_of` says whether a date was given; without one the day of today counts.
    """

    noun: str
    kind: Kind
    picks: tuple[Pick, ...]
    filters: tuple[tuple[str, int], ...] = ()
    sort: str = ""
    first: int = DEFAULT_PAGE
    after: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """A shape with its values. `after` is the cursor as the client sent it (unverified)."""

    shape: Shape
    values: tuple[Any, ...]
    as_of: date
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a selection gave. `body` is JSON text from the database (`null` or None where nothing was found).

    `next` is the cursor after a page (None on the last one); `version` that of a single resource.
    """

    body: bytes | None
    next: str | None = None
    version: int | None = None


class Reader(Protocol):
    """The port of every read: one statement for all selections together, so that they share one snapshot."""

    async def read(self, selections: Sequence[Selection], *, actor: Any, language: Language) -> list[Answer]:
        """Answers each selection in order.

        Raises `Invalid` for a cursor that is not ours, `Unavailable` when the database cannot be reached.
        """
        ...

    def nouns(self) -> Mapping[str, NounShape]:
        """What can be selected, for the two doors and the parity test."""
        ...


@dataclass(frozen=True, slots=True)
class EdgeShape:
    """An edge of a noun: where it leads, whether to many, and the arguments it takes."""

    noun: str
    many: bool
    args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NounShape:
    """The names that a view declares. `coded` are the filters whose value must be a code, with the kind of code."""

    fields: frozenset[str]
    edges: Mapping[str, EdgeShape]
    filters: frozenset[str]
    sorts: tuple[str, ...]
    coded: Mapping[str, str] = field(default_factory=dict)
    order: str = ""
