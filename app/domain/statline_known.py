"""The shapes of an import from StatLine: the table as it was read, what is known already, and what the table says."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from app.domain.reference import ReferenceData

# `gemeente` is the row itself, the hub areas are our own: neither is a scheme that CBS can tell us about.
NOT_FROM_CBS = frozenset({"gemeente", "participatiehub"})

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it was read: column → cell, and what the source says about itself (None where it says nothing)."""

    rows: tuple[Mapping[str, str], ...]
    table_id: str | None = None
    title: str | None = None
    year_hint: int | None = None


@dataclass(frozen=True, slots=True)
class KnownEdition:
    """One scheme in one year: `names` code → name, `membership` municipality → region → share."""

    names: Mapping[str, str]
    membership: Mapping[str, Mapping[str, float]]
    method: str = "direct"


@dataclass(frozen=True, slots=True)
class KnownScheme:
    """A scheme with all its editions. `pattern` is the expression that a whole code of it matches (`PV\\d{2}`)."""

    code: str
    pattern: str
    partition: bool
    editions: Mapping[int, KnownEdition] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KnownRegions:
    """What we have already: the schemes, and the list of municipalities (code → name) of each year."""

    schemes: Mapping[str, KnownScheme]
    municipalities: Mapping[int, Mapping[str, str]]

    def edition_for(self, scheme: str, year: int) -> tuple[int, KnownEdition] | None:
        """The edition to compare a table of this year with: of the same year, else the latest before, else the next."""
        return _nearest(self.schemes[scheme].editions, year)

    def list_for(self, year: int) -> tuple[int, Mapping[str, str]] | None:
        """The list of municipalities to compare a table of this year with, chosen in the same way."""
        return _nearest(self.municipalities, year)


@dataclass(frozen=True, slots=True)
class IgnoredColumn:
    """A column that is not used, with the reason in words."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImportedEdition:
    """What the table says. `schemes`: scheme → municipality → region code; `region_names`: scheme → code → name;
    `read_from`: scheme → column; `by_names`: the schemes that had no codes and were recognised by region names."""

    year: int
    municipalities: Mapping[str, str]
    schemes: Mapping[str, Mapping[str, str]]
    region_names: Mapping[str, Mapping[str, str]]
    ignored: tuple[IgnoredColumn, ...]
    table_id: str | None = None
    read_from: Mapping[str, str] = field(default_factory=dict)
    by_names: frozenset[str] = frozenset()


def known_regions(base: ReferenceData) -> KnownRegions:
    """What a compiled set knows, in the shape that recognition and preview need."""
    names: dict[tuple[str, int], dict[str, str]] = {}
    members: dict[tuple[str, int], dict[str, dict[str, float]]] = {}
    lists: dict[int, dict[str, str]] = {}
    for region in base.regions:
        names.setdefault((region.scheme, region.year), {})[region.code] = region.name
    for row in base.memberships:
        members.setdefault((row.scheme, row.year), {}).setdefault(row.municipality, {})[row.region] = row.share
    for municipality in base.municipalities:
        lists.setdefault(municipality.year, {})[municipality.code] = municipality.name
    methods = {(edition.scheme, edition.year): edition.method for edition in base.editions}
    schemes = {}
    for scheme in base.schemes:
        if scheme.code in NOT_FROM_CBS:
            continue
        editions = {
            year: KnownEdition(names.get((code, year), {}), members.get((code, year), {}), method)
            for (code, year), method in methods.items()
            if code == scheme.code
        }
        pattern = _pattern(scheme.code_prefix, {code for edition in editions.values() for code in edition.names})
        schemes[scheme.code] = KnownScheme(scheme.code, pattern, scheme.partition, editions)
    return KnownRegions(schemes, lists)


def _nearest(by_year: Mapping[int, _T], year: int) -> tuple[int, _T] | None:
    if not by_year:
        return None
    before = [other for other in by_year if other <= year]
    chosen = max(before) if before else min(by_year)
    return chosen, by_year[chosen]


def _pattern(prefix: str, codes: Collection[str]) -> str:
    """As many digits as the known codes of the scheme have: GGD regions have four (GG2014), the others two."""
    lengths = {len(code) - len(prefix) for code in codes if code.startswith(prefix)}
    return "|".join(rf"{prefix}\d{{{length}}}" for length in sorted(lengths)) or rf"{prefix}\d{{2,4}}"
