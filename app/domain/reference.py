"""Reference data: what the network takes over from others (regions, themes, ladders) and never invents.

These are the types of one compiled set; `verify` tells what is wrong with it. Sources and method travel with the
data, because "which year is this region, and who says so?" is the question that follows every figure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True, slots=True)
class Label:
    """A text in Dutch and in English."""

    nl: str
    en: str


@dataclass(frozen=True, slots=True)
class Term:
    """One item of a vocabulary (`workfield`, `umbrella`, `theme`, `participation-level`, `participation-role`,
    `participation-phase`, `participation-method`, `participation-ladder`, `participation-rung`,
    `participation-condition`, `participant-group`, `channel`).

    `workfields` are the routing hints of a theme, the workfield of an umbrella or of a participant group.
    `side` (resident, user, relative), `organised` and `under_represented` belong to participant groups; `example`
    and `nearest_role` to levels. `basis` says where it comes from; of a condition whether it is computed or asked.
    `framework` is the ladder of a rung, or who sets a condition; `level` the national level that a rung comes to.
    """

    vocabulary: str
    code: str
    rank: int
    label: Label
    description: Label
    parent: str | None = None
    workfields: tuple[str, ...] = ()
    side: str | None = None
    organised: bool | None = None
    under_represented: bool | None = None
    example: Label | None = None
    nearest_role: str | None = None
    basis: str | None = None
    framework: str | None = None
    level: str | None = None


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way to divide the country. `partition`: every municipality lies in exactly one region of it.

    `assumed_shares`: the split of some municipality over its regions is unknown and taken as equal.
    """

    code: str
    rank: int
    name: Label
    description: Label
    code_prefix: str
    partition: bool
    assumed_shares: bool = False


@dataclass(frozen=True, slots=True)
class Edition:
    """The state of one scheme in one year, in force from 1 January. `method` is one of SOURCES: direct,
    overlay_checked, carried_checked, carried, computed, advice-report."""

    scheme: str
    year: int
    method: str
    source: str
    licence: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class RegionName:
    """The name of a region in one edition (`scheme` is never `gemeente`: those are `Municipality`; nor
    `participatiehub`: those are `ProposedHub`). `aliases` are names that people use (Friesland for Fryslân)."""

    scheme: str
    code: str
    year: int
    name: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Membership:
    """In this edition the municipality lies in the region, for `share` (0–1] of it."""

    scheme: str
    year: int
    municipality: str
    region: str
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Municipality:
    """A municipality in the list of one year. `population` is None where no figure is known.

    `aliases` are names that people use and the list does not (Den Haag for 's-Gravenhage). `population_from` is set
    where the figure counts a territory that exists only from that day on (Amsterdam with Weesp, 24 March 2022).
    """

    year: int
    code: str
    name: str
    population: int | None = None
    population_date: date | None = None
    aliases: tuple[str, ...] = ()
    population_from: date | None = None


@dataclass(frozen=True, slots=True)
class Succession:
    """From `on`, (part of) `predecessor` is `successor`. `change`: merger, split, boundary-change or rename.

    After a merger, split or rename the predecessor is gone; after a boundary change it still exists.
    """

    on: date
    predecessor: str
    predecessor_name: str
    successor: str
    successor_name: str
    change: str


@dataclass(frozen=True, slots=True)
class Postcode:
    """A four-digit postcode area and a municipality it lies in (municipalities of the latest edition)."""

    pc4: str
    municipality: str
    primary: bool
    area_share: float
    place: str | None
    population: int | None


@dataclass(frozen=True, slots=True)
class Published:
    """Figures printed in the advice report, next to what we compute. `note` explains the difference."""

    municipality_count: str
    municipality_count_low: int
    municipality_count_high: int
    population: int
    note: Label


@dataclass(frozen=True, slots=True)
class Area:
    """The area a hub agreed to: whole regions, plus and minus municipalities, from a date."""

    valid_from: date
    regions: tuple[str, ...]
    plus: tuple[str, ...] = ()
    minus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProposedHub:
    """A hub as the advice report proposes it. Nothing of it is present fact: `basis` travels along.

    `expected` holds the number of municipalities that the area must come to on a date: a check, not a source.
    """

    slug: str
    name: str
    area_code: str
    basis: str
    area: Area
    published: Published | None
    frontrunner_role: str | None = None
    frontrunner: str | None = None
    hosts: tuple[str, ...] = ()
    hosts_relation: str | None = None
    challenges: tuple[Label, ...] = ()
    expected: tuple[tuple[date, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ProposedOrganisation:
    """An organisation that the report names as a possible host. `key` ties it to `ProposedHub.hosts`."""

    key: str
    name: str
    type: str
    side: str
    strand: str | None
    workfield: str | None
    regions: tuple[str, ...]
    basis: str
    website: str | None = None


@dataclass(frozen=True, slots=True)
class ReferenceData:
    """One whole compiled set. `edition` names it (a date), `digest` identifies its content."""

    edition: str
    digest: str
    terms: tuple[Term, ...]
    schemes: tuple[Scheme, ...]
    editions: tuple[Edition, ...]
    regions: tuple[RegionName, ...]
    memberships: tuple[Membership, ...]
    municipalities: tuple[Municipality, ...]
    successions: tuple[Succession, ...]
    postcodes: tuple[Postcode, ...]
    hubs: tuple[ProposedHub, ...] = ()
    organisations: tuple[ProposedOrganisation, ...] = ()
    population_source: str = ""
    sources: tuple[tuple[str, str], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with a reference set. `code` is a stable word for programs, `detail` a sentence for people."""

    code: str
    detail: str


def verify(data: ReferenceData) -> list[Finding]:
    """Everything that is wrong with the set; nothing found means that it may be loaded. The rules: `verification`."""
    from app.domain.verification import findings  # it needs the types above

    return findings(data)
