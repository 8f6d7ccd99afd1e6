"""The StatLine table "Gebieden in Nederland <year>" (CBS, one row for each municipality), read as one edition.

`recognise` tells what the table says, `app.domain.statline_preview` what that would change. Nothing here reads a file
or changes anything. CBS publishes the table once a year under a new number, CC BY 4.0.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from app.domain import statline_columns as columns_of
from app.domain.errors import Fault, Faults, Invalid
from app.domain.statline_known import (
    IgnoredColumn,
    ImportedEdition,
    KnownEdition,
    KnownRegions,
    KnownScheme,
    Table,
    known_regions,
)

__all__ = [
    "IgnoredColumn",
    "ImportedEdition",
    "KnownEdition",
    "KnownRegions",
    "KnownScheme",
    "Table",
    "known_regions",
    "recognise",
]

# Dates before 2016 are refused by the whole service: it is the first edition with every scheme.
EARLIEST_YEAR = 2016
LATEST_YEAR = 2099
# 342 municipalities since 2023; a table with fewer than this was cut off or filtered.
MINIMUM_MUNICIPALITIES = 300
MUNICIPALITY = r"GM\d{4}"
# The numbers of the tables, from the catalogue of StatLine: a saved file has the number in its name, seldom the title.
YEAR_OF_TABLE: Mapping[str, int] = {
    "83287NED": 2016,
    "83553NED": 2017,
    "83859NED": 2018,
    "84378NED": 2019,
    "84721NED": 2020,
    "84929NED": 2021,
    "85067NED": 2022,
    "85385NED": 2023,
    "85755NED": 2024,
    "86059NED": 2025,
    "86247NED": 2026,
}


def recognise(
    rows: Sequence[Mapping[str, str]],
    known: KnownRegions,
    year: int,
    *,
    table_id: str | None = None,
    year_hint: int | None = None,
    only: Collection[str] | None = None,
    this_year: int | None = None,
    minimum: int = MINIMUM_MUNICIPALITIES,
) -> ImportedEdition:
    """Reads the rows of a table as the edition of `year`; with `only`, other schemes are left out.

    `year_hint` is the year that the source itself names; with `this_year`, years after the next are refused.
    Raises `Invalid` with every fault found: `year-out-of-range`, `year-mismatch`, `empty`, `truncated`,
    `row-incomplete`, `not-statline`, `no-municipality-column`, `duplicate-municipality`, `unknown-code`,
    `no-scheme-column`, `scheme-claimed-twice`, `no-region`, `no-name`.
    """
    faults = Faults()
    _check_year(year, this_year + 1 if this_year else LATEST_YEAR, faults)
    _check_hint(year, year_hint or YEAR_OF_TABLE.get((table_id or "").upper()), faults)
    if not rows:
        faults.add("file", "", "empty", "The table has no rows.")
    faults.raise_if_any()
    columns = columns_of.read_columns(rows, faults)
    faults.raise_if_any()
    if {"Measure", "StringValue"} <= columns.keys():
        raise Invalid([_OBSERVATIONS])
    return _Reading(columns, known, year, table_id=table_id, only=only, faults=faults).edition(minimum)


class _Reading:
    """One reading of one table; it marks which columns are used and why the others are not."""

    def __init__(
        self,
        columns: dict[str, tuple[str, ...]],
        known: KnownRegions,
        year: int,
        *,
        table_id: str | None,
        only: Collection[str] | None,
        faults: Faults,
    ) -> None:
        self.columns = columns
        self.known = known
        self.year = year
        self.table_id = table_id
        self.only = only
        self.faults = faults
        self.used: set[str] = set()
        self.ignored: dict[str, str] = {}
        self.read_from: dict[str, str] = {}
        self.named_by: dict[str, str | None] = {}
        self.by_names: set[str] = set()

    def edition(self, minimum: int) -> ImportedEdition:
        """The edition, or `Invalid` with every fault."""
        codes = self._municipality_codes()
        self._check_municipalities(codes, minimum)
        municipalities = self._names("gemeente", codes)
        cells = self._scheme_codes()
        if not cells:
            detail = "No column holds the codes or the names of a region scheme that is known here."
            self.faults.add("file", "", "no-scheme-column", detail)
        names = {scheme: self._names(scheme, cells[scheme]) for scheme in cells}
        schemes = {scheme: self._membership(scheme, codes, cells[scheme]) for scheme in cells}
        self.faults.raise_if_any()
        return ImportedEdition(
            self.year,
            municipalities,
            schemes,
            names,
            tuple(IgnoredColumn(name, self._reason(name, codes)) for name in self.columns if name not in self.used),
            self.table_id,
            dict(self.read_from),
            frozenset(self.by_names),
        )

    def _reason(self, column: str, codes: Sequence[str]) -> str:
        if column not in self.ignored and columns_of.spells_out(codes, self.columns[column]):
            return "it is another spelling of the names of the municipalities"
        return self.ignored.get(column) or columns_of.why_ignored(self.columns[column])

    def _known_names(self, scheme: str) -> Mapping[str, str]:
        if scheme == "gemeente":
            listed = self.known.list_for(self.year)
            return listed[1] if listed else {}
        nearest = self.known.edition_for(scheme, self.year)
        return nearest[1].names if nearest else {}

    def _codes_only(self, scheme: str, cells: Sequence[str]) -> tuple[str, ...]:
        """The cells with what is no code of this scheme left blank: a wrong cell is one fault, not three."""
        pattern = MUNICIPALITY if scheme == "gemeente" else self.known.schemes[scheme].pattern
        wrong = set(columns_of.wrong_codes(cells, pattern))
        return tuple("" if number in wrong else cell for number, cell in enumerate(cells))

    def _municipality_codes(self) -> tuple[str, ...]:
        """The column with GM codes; in an export with labels, the column that holds the known names and nothing else.

        Raises at once where there is neither: no later check says anything without it.
        """
        claims = [name for name, cells in self.columns.items() if columns_of.holds_codes(cells, MUNICIPALITY)]
        if claims:
            return self._settle("gemeente", {name: self.columns[name] for name in claims})
        by_name = columns_of.codes_by_name(self._known_names("gemeente")) or {}
        for name, cells in self.columns.items():
            found = tuple(by_name.get(columns_of.name_key(cell), "") for cell in cells)
            if all(found):
                return self._settle("gemeente", {name: found}, by_names=True)
        code = "no-municipality-column" if len(self.columns) > 1 else "not-statline"
        self.faults.add("file", "", code, _NO_MUNICIPALITIES)
        raise Invalid(self.faults.found)

    def _check_municipalities(self, codes: Sequence[str], minimum: int) -> None:
        column = self.read_from["gemeente"]
        wrong = [number for number, code in enumerate(codes) if not code]
        wrong = sorted({*wrong, *columns_of.wrong_codes(codes, MUNICIPALITY)})
        if wrong:
            last = wrong == [len(codes) - 1]
            detail = "The last row is cut off." if last else f"{len(wrong)} row(s) have no municipality code (GM0000)."
            code = "truncated" if last else "unknown-code"
            self.faults.add("file", f"rows[{wrong[0]}].{column}", code, detail)
        seen: set[str] = set()
        for number, code in enumerate(codes):
            if code in seen and number not in wrong:
                detail = f"{code} is in the table more than once."
                self.faults.add("file", f"rows[{number}].{column}", "duplicate-municipality", detail)
            seen.add(code)
        if len(codes) < minimum:
            detail = f"{len(codes)} municipalities: the table is cut off or filtered (at least {minimum} expected)."
            self.faults.add("file", "rows", "truncated", detail)

    def _scheme_codes(self) -> dict[str, tuple[str, ...]]:
        """scheme → region code of each row: by codes first, by names for the schemes that have no code column."""
        claims: dict[str, dict[str, tuple[str, ...]]] = {}
        for name, cells in self.columns.items():
            for scheme, known in self.known.schemes.items():
                if columns_of.holds_codes(cells, known.pattern):
                    claims.setdefault(scheme, {})[name] = cells
        for scheme in [scheme for scheme in claims if not self._wanted(scheme)]:
            self.ignored.update(dict.fromkeys(claims.pop(scheme), f"{scheme} is not asked for"))
        settled = {scheme: self._settle(scheme, found) for scheme, found in claims.items()}
        for scheme, found in self._claims_by_name(settled).items():
            settled[scheme] = self._settle(scheme, found, by_names=True)
        return settled

    def _claims_by_name(self, settled: Collection[str]) -> dict[str, dict[str, tuple[str, ...]]]:
        """scheme → column → region codes, for columns of names without codes (an export with a choice of columns)."""
        claims: dict[str, dict[str, tuple[str, ...]]] = {}
        names = {scheme: self._known_names(scheme) for scheme in self.known.schemes}
        for name, cells in self.columns.items():
            if name in self.used or name in self.ignored:
                continue
            schemes = columns_of.schemes_named(cells, names)
            by_name = columns_of.codes_by_name(names[schemes[0]]) if len(schemes) == 1 else None
            if len(schemes) > 1:
                self.ignored[name] = f"its names fit several schemes: {', '.join(schemes)}"
            elif schemes and schemes[0] in settled:
                self.ignored[name] = f"it holds names of {schemes[0]}, which is read by code"
            elif schemes and not self._wanted(schemes[0]):
                self.ignored[name] = f"{schemes[0]} is not asked for"
            elif by_name is not None:
                found = tuple(by_name.get(columns_of.name_key(cell), "") for cell in cells)
                claims.setdefault(schemes[0], {})[name] = found
        return claims

    def _wanted(self, scheme: str) -> bool:
        return self.only is None or scheme in self.only

    def _settle(self, scheme: str, found: Mapping[str, tuple[str, ...]], *, by_names: bool = False) -> tuple[str, ...]:
        """One column for one scheme; another that says the same is ignored, one that says something else is a fault."""
        chosen, *others = found
        cells = found[chosen]
        for other in others:
            if found[other] == cells:
                self.ignored[other] = f"it says the same as {chosen}"
            else:
                detail = f"{chosen} and {other} both hold {scheme}, and differ. Leave one of them out."
                self.faults.add("file", other, "scheme-claimed-twice", detail)
        self.read_from[scheme] = chosen
        if by_names:
            self.by_names.add(scheme)
            named_by: str | None = chosen
        else:
            codes = self._codes_only(scheme, cells)
            named_by = columns_of.names_of(codes, self.columns, chosen, self._known_names(scheme))
        self.named_by[scheme] = named_by
        self.used.update(column for column in (chosen, named_by) if column)
        return cells

    def _names(self, scheme: str, cells: tuple[str, ...]) -> dict[str, str]:
        """code → name, from the column that goes with the codes, else the names we know (`no-name` without either)."""
        codes = self._codes_only(scheme, cells)
        column = self.named_by[scheme]
        known = self._known_names(scheme)
        named = dict(zip(codes, self.columns[column], strict=True)) if column else {}
        names = {code: named.get(code) or known.get(code, "") for code in sorted(set(codes)) if code}
        missing = [code for code, name in names.items() if not name]
        if missing:
            detail = f"{len(missing)} code(s) of {scheme} have no name in the table, and are not known either."
            self.faults.add("file", self.read_from[scheme], "no-name", detail)
        return names

    def _membership(self, scheme: str, codes: tuple[str, ...], cells: tuple[str, ...]) -> dict[str, str]:
        """municipality → region, with a fault for a strange code or, in a partition, a municipality without region."""
        column = self.read_from[scheme]
        known = self.known.schemes[scheme]
        wrong = columns_of.wrong_codes(cells, known.pattern)
        if wrong:
            detail = f"{len(wrong)} row(s) of {column} hold something that is not a code of {scheme} ({known.pattern})."
            self.faults.add("file", f"rows[{wrong[0]}].{column}", "unknown-code", detail)
        empty = [number for number, cell in enumerate(cells) if not cell]
        if known.partition and empty:
            detail = f"{len(empty)} municipality(ies) have no {scheme}, the first is {codes[empty[0]]}."
            self.faults.add("file", f"rows[{empty[0]}].{column}", "no-region", detail)
        return {code: cell for code, cell in zip(codes, cells, strict=True) if code and cell}


def _check_year(year: int, latest: int, faults: Faults) -> None:
    if not EARLIEST_YEAR <= year <= latest:
        detail = f"The year must lie between {EARLIEST_YEAR} and {latest}."
        faults.add("query", "year", "year-out-of-range", detail)


def _check_hint(year: int, hint: int | None, faults: Faults) -> None:
    if hint is not None and hint != year:
        detail = f"The table says that it is of {hint}, and another year was asked for."
        faults.add("query", "year", "year-mismatch", detail)


_NO_MUNICIPALITIES = (
    "No column holds municipality codes (GM and four digits). Expected is the table 'Gebieden in Nederland' of "
    "CBS StatLine, as the raw CSV file, as JSON, or as its address under opendata.cbs.nl/ODataApi/odata/."
)
_OBSERVATIONS = Fault(
    "file",
    "",
    "not-statline",
    "This is the long form (OData 4, Observations). Use the table at opendata.cbs.nl/ODataApi.",
)
