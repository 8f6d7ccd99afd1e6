"""What a column of a StatLine table is about, told from its values: titles and numbers of columns differ every year
(`Code_28` is the province in 2024 and NUTS 2 in 2016), codes do not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from app.domain.errors import Faults
from app.domain.text import fold

Columns = Mapping[str, tuple[str, ...]]

# Half of the filled cells: a column with a few wrong codes must be refused, not quietly taken for something else.
RECOGNISED_SHARE = 0.5

_CODE = re.compile(r"[A-Z]{2,4}\d{1,5}")
_SUFFIX = re.compile(r"\s*\((?:gemeente|provincie|pv|ld|cr)\)$", re.IGNORECASE)

# CBS writes Fryslân in one table and Friesland in the other, for the province and for regions named after it.
_FRIESLAND = re.compile(r"\bfriesland\b")


def name_key(name: str) -> str:
    """What is left of a name where spelling does not count: case, accents, signs, `(gemeente)`, Fryslân/Friesland."""
    return _FRIESLAND.sub("fryslan", fold(_SUFFIX.sub("", name.strip())))


def read_columns(rows: Sequence[Mapping[str, str]], faults: Faults) -> dict[str, tuple[str, ...]]:
    """The table turned on its side: column → its cells, stripped of the padding of StatLine.

    A row that lacks a column is a fault: `truncated` where it is the last one, else `row-incomplete`.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    incomplete = [number for number, row in enumerate(rows, start=1) if len(row) < len(names)]
    if incomplete == [len(rows)]:
        detail = "The last row is not complete: the file was cut off. Download it again."
        faults.add("file", f"rows[{len(rows) - 1}]", "truncated", detail)
    elif incomplete:
        detail = f"{len(incomplete)} row(s) have fewer cells than there are columns, the first is row {incomplete[0]}."
        faults.add("file", f"rows[{incomplete[0] - 1}]", "row-incomplete", detail)
    return {name: tuple((row.get(name) or "").strip() for row in rows) for name in names}


def holds_codes(cells: Sequence[str], pattern: str) -> bool:
    """Whether at least half of the filled cells are codes of this pattern."""
    filled = [cell for cell in cells if cell]
    matching = sum(1 for cell in filled if re.fullmatch(pattern, cell))
    return bool(filled) and matching >= RECOGNISED_SHARE * len(filled)


def wrong_codes(cells: Sequence[str], pattern: str) -> list[int]:
    """Numbers (from 0) of the rows with something that is not a code of this pattern; an empty cell is not wrong."""
    return [number for number, cell in enumerate(cells) if cell and not re.fullmatch(pattern, cell)]


def names_of(codes: Sequence[str], columns: Columns, code_column: str, known: Mapping[str, str]) -> str | None:
    """The column with the names of the codes in `code_column`, or None.

    It maps 1:1 to the codes. Several may do so (`Naam_2` and `SorteringNaam_3`; GGD and safety regions have the same
    borders): the one that agrees best with the names we know wins, then the one right after the code column. What we
    know comes first, because an export with a choice of columns may have its columns in any order.
    """
    order = list(columns)
    best: tuple[float, bool, int] | None = None
    chosen: str | None = None
    for position, (column, cells) in enumerate(columns.items()):
        named = _one_to_one(codes, cells)
        if column == code_column or named is None:
            continue
        agreeing = sum(1 for code, name in named.items() if code in known and name_key(known[code]) == name_key(name))
        rank = (agreeing / len(named), position == order.index(code_column) + 1, -position)
        if best is None or rank > best:
            best, chosen = rank, column
    return chosen


def schemes_named(cells: Sequence[str], names: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The schemes whose region names are exactly the values of this column (`names`: scheme → code → name)."""
    values = {name_key(cell) for cell in cells if cell}
    if not values:
        return []
    return [scheme for scheme, known in names.items() if values == {name_key(name) for name in known.values()}]


def codes_by_name(names: Mapping[str, str]) -> dict[str, str] | None:
    """name key → code, or None where two regions share a name."""
    by_name = {name_key(name): code for code, name in names.items()}
    return by_name if len(by_name) == len(names) else None


def why_ignored(cells: Sequence[str]) -> str:
    """The reason for a person why a column is of no use here."""
    filled = {cell for cell in cells if cell}
    if not filled:
        return "it is empty"
    if all(re.fullmatch(r"-?[\d.,]+", cell) for cell in filled):
        return "it holds numbers, no codes"
    prefixes = {match[0].rstrip("0123456789") for cell in filled if (match := _CODE.fullmatch(cell))}
    if len(prefixes) == 1 and holds_codes(cells, _CODE.pattern):
        return f"its codes start with {prefixes.pop()}, which is none of the region schemes here"
    return "it holds text that is not the list of names of one known region scheme"


def spells_out(codes: Sequence[str], cells: Sequence[str]) -> bool:
    """Whether the column holds one name for each code: of no further use where a better one is read."""
    return _one_to_one(codes, cells) is not None


def _one_to_one(codes: Sequence[str], cells: Sequence[str]) -> dict[str, str] | None:
    """code → name where every code has one name and no two codes share one; None where that is not so."""
    named: dict[str, str] = {}
    for code, cell in zip(codes, cells, strict=True):
        if not code:
            continue
        if not cell or named.setdefault(code, cell) != cell:
            return None
    values = set(named.values())
    looks_like_codes = holds_codes(list(values), rf"{_CODE.pattern}|-?[\d.,]+")
    return None if not named or looks_like_codes or len(values) < len(named) else named
