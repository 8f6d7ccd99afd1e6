"""The participation matrix (roles × phases), the mix of participants, and whether that mix is balanced.

DOMAIN.md: Participation matrix, Participant groups. *Broad where possible, specific where needed.*
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

LISTENER = "toehoorder"
"""The one role without influence."""
SIDES = ("resident", "user", "relative")
FORMS = ("individual", "organised")


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase that a question names itself, in place of the template."""

    code: str
    label: str


@dataclass(frozen=True, slots=True)
class Cell:
    """What was agreed for a role in a phase, with the groups concerned. `held_by_hub`: for lack of a participant."""

    phase: str
    role: str
    activity: str = ""
    groups: tuple[str, ...] = ()
    on: date | None = None
    realised: bool = False
    held_by_hub: bool = False


@dataclass(frozen=True, slots=True)
class Matrix:
    """`phases` empty: the template of the reference data."""

    phases: tuple[Phase, ...] = ()
    cells: tuple[Cell, ...] = ()


@dataclass(frozen=True, slots=True)
class MixGroup:
    """So many people (or seats) of a group wanted, and recruited so far, through these organisations."""

    group: str
    wanted: int = 0
    recruited: int = 0
    organisations: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Mix:
    groups: tuple[MixGroup, ...] = ()
    imbalance_reason: str | None = None

    @property
    def recruited(self) -> int:
        """People recruited, of all groups together."""
        return sum(item.recruited for item in self.groups)


@dataclass(frozen=True, slots=True)
class Group:
    """Reference data of a participant group. `workfields` are those it stands for; none: any."""

    side: str
    organised: bool
    under_represented: bool
    workfields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Balance:
    """What is missing from a mix. `state`: `unknown` (no mix), `balanced`, `imbalanced`, `deliberate` (with a reason).

    `basis` says what was judged: the groups `wanted` while they are still being recruited, those `recruited` after that.
    """

    state: str = "unknown"
    basis: str = "wanted"
    missing_sides: tuple[str, ...] = ()
    missing_forms: tuple[str, ...] = ()
    missing_workfields: tuple[str, ...] = ()
    missing_groups: tuple[str, ...] = ()
    groups_without_influence: tuple[str, ...] = ()
    phases_without_influence: tuple[str, ...] = ()
    over_recruited: tuple[str, ...] = ()

    @property
    def gaps(self) -> bool:
        """Whether anything is missing. More recruited than wanted is flagged, and no imbalance."""
        return bool(
            self.missing_sides
            or self.missing_forms
            or self.missing_workfields
            or self.missing_groups
            or self.groups_without_influence
            or self.phases_without_influence
        )


RECRUITED_FROM = ("in-progress", "concluded", "followed-up")


def balance(
    scope: str,
    status: str,
    mix: Mix,
    matrix: Matrix,
    concerned: Sequence[str],
    known: Mapping[str, Group],
    template: Sequence[str],
) -> Balance:
    """Judges a mix by the scope of the question.

    Broad: residents, users and relatives; people themselves and organisations; every workfield concerned (`concerned`);
    at least one group that is under-represented. Specific: users or relatives, and the workfields it names, where a group
    that stands for no field in particular serves for any (heart care asks heart patients, and that is fine). Both: nobody
    in the mix has only the role of listener, and each phase that is planned has some influence in it.
    """
    basis = "recruited" if status in RECRUITED_FROM else "wanted"
    there = [
        item.group
        for item in mix.groups
        if item.group in known and (item.recruited > 0 or (basis == "wanted" and item.wanted > 0))
    ]
    if not mix.groups:
        return Balance("unknown", basis)
    facts = [known[code] for code in there]
    fields = {field for fact in facts for field in fact.workfields}
    sides = {fact.side for fact in facts}
    forms = {"organised" if fact.organised else "individual" for fact in facts}
    broad = scope == "broad"
    if broad:
        missing_sides = tuple(side for side in SIDES if side not in sides)
        missing_forms = tuple(form for form in FORMS if form not in forms)
        missing_fields = tuple(field for field in concerned if field not in fields)
        seldom = [code for code, fact in known.items() if fact.under_represented]
        missing_groups = () if any(code in there for code in seldom) else tuple(seldom)
    else:
        missing_sides = () if sides & {"user", "relative"} else ("user",)
        missing_forms = ()
        general = any(not fact.workfields for fact in facts if fact.side != "resident")
        missing_fields = () if general else tuple(field for field in concerned if field not in fields)
        missing_groups = ()
    without, idle = _influence(there, matrix, template)
    found = Balance(
        "balanced", basis, missing_sides, missing_forms, missing_fields, missing_groups, without, idle,
        tuple(item.group for item in mix.groups if item.recruited > item.wanted),
    )  # fmt: skip
    if not found.gaps:
        return found
    return replace(found, state="deliberate" if (mix.imbalance_reason or "").strip() else "imbalanced")


def _influence(
    there: Collection[str], matrix: Matrix, template: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Groups that are named in the matrix as listeners alone, and phases with listeners alone."""
    heard = {code for cell in matrix.cells if cell.role != LISTENER for code in cell.groups}
    named = {code for cell in matrix.cells for code in cell.groups}
    without = tuple(code for code in there if code in named and code not in heard)
    phases = [phase.code for phase in matrix.phases] or list(template)
    planned = {cell.phase for cell in matrix.cells}
    active = {cell.phase for cell in matrix.cells if cell.role != LISTENER}
    return without, tuple(code for code in phases if code in planned and code not in active)
