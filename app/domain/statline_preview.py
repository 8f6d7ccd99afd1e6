"""What an edition from StatLine would change, before anything is changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from app.domain.errors import Fault, Faults, Invalid
from app.domain.reference import Succession
from app.domain.statline_columns import name_key
from app.domain.statline_known import ImportedEdition, KnownEdition, KnownRegions

Status = Literal["new", "same", "conflict"]


@dataclass(frozen=True, slots=True)
class Vanished:
    """A municipality that is no longer in the list. Without `successors` nobody knows where its residents went;
    `derived` where the table itself shows it (the same name under a new code)."""

    code: str
    name: str
    successors: tuple[str, ...]
    derived: bool = False


@dataclass(frozen=True, slots=True)
class Renamed:
    """A code that keeps its meaning under another name."""

    code: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Moved:
    """A municipality that lies in another region than before (codes)."""

    municipality: str
    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SchemePreview:
    """One scheme of the table, next to the edition of `compared_with` (None: there is none yet). Regions are codes
    with names; counts are before and after. `same`: nothing to do; `conflict`: that year says something else."""

    scheme: str
    status: Status
    compared_with: int | None
    region_count: tuple[int, int]
    municipality_count: tuple[int, int]
    new_regions: Mapping[str, str]
    vanished_regions: Mapping[str, str]
    renamed_regions: tuple[Renamed, ...]
    moved: tuple[Moved, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """The whole of it. `status` is that of the year; `carried` are the schemes that the table does not have, which
    stay as they are; `derived` are successions that the table itself shows; with any fault it may not be applied."""

    edition: ImportedEdition
    status: Status
    compared_with: int | None
    municipality_count: tuple[int, int]
    new_municipalities: Mapping[str, str]
    vanished_municipalities: tuple[Vanished, ...]
    renamed_municipalities: tuple[Renamed, ...]
    schemes: tuple[SchemePreview, ...]
    carried: tuple[str, ...]
    derived: tuple[Succession, ...]
    notices: tuple[str, ...]
    faults: tuple[Fault, ...]

    def raise_if_wrong(self) -> None:
        """Raises `Invalid` with every fault that was found."""
        if self.faults:
            raise Invalid(self.faults)


def preview(edition: ImportedEdition, known: KnownRegions, successions: Iterable[Succession]) -> Preview:
    """What the edition changes. It never raises: what is wrong is in `faults`, next to the differences that explain it
    (`no-successor`, `successor-missing`, `other-content`)."""
    faults = Faults()
    ended = _Ended([*successions], edition)
    listed = known.list_for(edition.year)
    list_year, before = listed or (None, dict[str, str]())
    after = edition.municipalities
    new = {code: name for code, name in after.items() if code not in before}
    vanished = ended.vanished(before, list_year, faults)
    if list_year == edition.year and before.keys() != after.keys():
        detail = f"The list of municipalities of {edition.year} is there already, and is another set than this table's."
        faults.add("file", "municipalities", "other-content", detail)
    else:
        _check_later(edition, known, ended, faults)
    schemes = tuple(_scheme(scheme, edition, known, faults) for scheme in sorted(edition.schemes))
    renamed = _renamed(before, after)
    return Preview(
        edition,
        _status(schemes, same_list=list_year == edition.year, faults=faults),
        list_year,
        (len(before), len(after)),
        new,
        vanished,
        renamed,
        schemes,
        tuple(sorted(known.schemes.keys() - edition.schemes.keys())),
        tuple(ended.derived),
        tuple(_notices(edition, ended, new if list_year and list_year < edition.year else {}, renamed, list_year)),
        tuple(faults.found),
    )


class _Ended:
    """Where the municipalities that ended went to, as far as it is known or can be seen in the table."""

    def __init__(self, successions: list[Succession], edition: ImportedEdition) -> None:
        self.edition = edition
        self.known = [s for s in successions if s.change != "boundary-change" and s.predecessor != s.successor]
        self.derived: list[Succession] = []

    def successors(self, code: str, after: date, until: date) -> set[str]:
        """What became of it in this period, followed to the end; empty where nothing is known."""
        found: set[str] = set()
        todo, seen = [code], {code}
        while todo:
            current = todo.pop()
            following = {s.successor for s in self.known if s.predecessor == current and after < s.on <= until}
            if not following and current != code:
                found.add(current)
            todo += following - seen
            seen |= following
        return found

    def came_from(self, code: str, until: date) -> bool:
        return any(s.successor == code and s.on <= until for s in [*self.known, *self.derived])

    def vanished(self, before: Mapping[str, str], year: int | None, faults: Faults) -> tuple[Vanished, ...]:
        """Every municipality of the older list that the table lacks, with a fault for each that leads nowhere."""
        if year is None or year >= self.edition.year:
            return tuple(Vanished(c, n, ()) for c, n in before.items() if c not in self.edition.municipalities)
        since, until = date(year, 1, 1), date(self.edition.year, 1, 1)
        gone = []
        for code, name in before.items():
            if code in self.edition.municipalities:
                continue
            successors = self.successors(code, since, until)
            derived = None if successors else self._same_name(name, before)
            if derived:
                new_name = self.edition.municipalities[derived]
                self.derived.append(Succession(until, code, name, derived, new_name, "rename"))
            gone.append(Vanished(code, name, tuple(sorted(successors or filter(None, [derived]))), derived is not None))
            _check_successors(gone[-1], self.edition, faults)
        return tuple(gone)

    def _same_name(self, name: str, before: Mapping[str, str]) -> str | None:
        """The one new code under the same name: CBS gives a new code where a municipality changes province."""
        new = self.edition.municipalities.items()
        found = [code for code, other in new if code not in before and name_key(other) == name_key(name)]
        return found[0] if len(found) == 1 else None


def _check_successors(gone: Vanished, edition: ImportedEdition, faults: Faults) -> None:
    missing = [code for code in gone.successors if code not in edition.municipalities]
    if not gone.successors:
        detail = (
            f"{gone.code} {gone.name} is not in the table of {edition.year}, and no successor is known. Add the merger "
            "to the successions first; or the table is incomplete."
        )
        faults.add("file", gone.code, "no-successor", detail)
    elif missing:
        detail = f"{gone.code} {gone.name} went to {', '.join(missing)}, which is not in the table."
        faults.add("file", gone.code, "successor-missing", detail)


def _check_later(edition: ImportedEdition, known: KnownRegions, ended: _Ended, faults: Faults) -> None:
    """The same for the next list that we have: a code of this table must lead to it."""
    later = [year for year in known.municipalities if year > edition.year]
    if not later:
        return
    next_list = known.municipalities[min(later)]
    for code in sorted(edition.municipalities.keys() - next_list.keys()):
        if not ended.successors(code, date(edition.year, 1, 1), date(min(later), 1, 1)):
            detail = f"{code} is not in the list of {min(later)}, and no successor is known."
            faults.add("file", code, "no-successor", detail)


def _scheme(scheme: str, edition: ImportedEdition, known: KnownRegions, faults: Faults) -> SchemePreview:
    nearest = known.edition_for(scheme, edition.year)
    year, before = nearest or (None, KnownEdition({}, {}))
    membership, names = edition.schemes[scheme], edition.region_names[scheme]
    moved = tuple(
        Moved(code, edition.municipalities[code], tuple(sorted(before.membership[code])), (region,))
        for code, region in membership.items()
        if code in before.membership and set(before.membership[code]) != {region}
    )
    renamed = _renamed(before.names, names)
    new = {code: name for code, name in names.items() if code not in before.names}
    vanished = {code: name for code, name in before.names.items() if code not in names}
    status: Status = "new"
    if year == edition.year:
        differs = moved or renamed or new or vanished or membership.keys() != before.membership.keys()
        status = "conflict" if differs else "same"
    if status == "conflict":
        detail = (
            f"{scheme} {edition.year} is there already (method {before.method}) with other content: {len(moved)} "
            f"municipality(ies) in another region, {len(new)} region(s) more, {len(vanished)} less, "
            f"{len(renamed)} with another name. An edition that is there is not overwritten."
        )
        faults.add("file", scheme, "other-content", detail)
    counts = (len(before.names), len(names)), (len(before.membership), len(membership))
    return SchemePreview(scheme, status, year, *counts, new, vanished, renamed, moved)


def _renamed(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Renamed, ...]:
    """Spelling does not count: Friesland is Fryslân."""
    both = sorted(before.keys() & after.keys())
    return tuple(Renamed(c, before[c], after[c]) for c in both if name_key(before[c]) != name_key(after[c]))


def _status(schemes: tuple[SchemePreview, ...], *, same_list: bool, faults: Faults) -> Status:
    if any(fault.code == "other-content" for fault in faults.found):
        return "conflict"
    if same_list and all(scheme.status == "same" for scheme in schemes):
        return "same"
    return "new"


def _notices(
    edition: ImportedEdition,
    ended: _Ended,
    new: Mapping[str, str],
    renamed: tuple[Renamed, ...],
    list_year: int | None,
) -> Iterable[str]:
    for code, name in new.items():
        if not ended.came_from(code, date(edition.year, 1, 1)):
            yield f"{code} {name} is new, and no predecessor is known: it has no history before {edition.year}."
    if list_year == edition.year and renamed:
        yield f"The list of {edition.year} is there already: {len(renamed)} name(s) stay as they are in it."
    for scheme in sorted(edition.by_names):
        yield f"{scheme} was read by name: the table has no codes for it."
