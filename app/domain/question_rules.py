"""What a question must be before it is kept: its life, texts, codes and parts, every fault told at once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Literal, get_args
from uuid import UUID

from app.domain.checking import check_code, check_external_id, check_known, check_text
from app.domain.errors import Conflict, Faults
from app.domain.ladder import Ladders
from app.domain.matrix import Balance, Group, Matrix, Mix, balance
from app.domain.routing import concerned_workfields
from app.domain.work import Work

if TYPE_CHECKING:
    from app.domain.questions import Question

Origin = Literal["system-world", "life-world"]
Scope = Literal["broad", "specific"]
Status = Literal["draft", "open", "recruiting", "in-progress", "concluded", "followed-up", "cancelled"]
Visibility = Literal["hub", "network", "public"]

# From each status to those that may follow it.
TRANSITIONS: dict[str, tuple[str, ...]] = {
    "draft": ("open", "cancelled"),
    "open": ("recruiting", "cancelled"),
    "recruiting": ("in-progress", "cancelled"),
    "in-progress": ("concluded", "cancelled"),
    "concluded": ("followed-up",),
    "followed-up": (),
    "cancelled": (),
}
WITH_OUTCOME = ("in-progress", "concluded", "followed-up")
MAX_TITLE = 200
MAX_DESCRIPTION = 10_000
MAX_NOTE = 2_000
MAX_CODES = 10
MAX_REGIONS = 50
MAX_CELLS = 100
MAX_PHASES = 12
MAX_PEOPLE = 100_000
_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")


@dataclass(frozen=True, slots=True)
class Known:
    """The reference data that questions are checked by, in the order of each vocabulary: one look-up for all."""

    themes: Mapping[str, Sequence[str]]
    """Theme → the workfields that it hints at."""
    workfields: Sequence[str]
    methods: Sequence[str]
    roles: Sequence[str]
    phases: Sequence[str]
    groups: Mapping[str, Group]
    ladders: Ladders


@dataclass(frozen=True, slots=True)
class Unknown:
    """What questions name that is not there."""

    regions: Collection[str] = ()
    organisations: Collection[UUID] = ()


async def unknown_names(work: Work, questions: Iterable[Question]) -> Unknown:
    """What these questions name that is not there: one look-up for all of them."""
    regions: set[str] = set()
    organisations: set[UUID] = set()
    for question in questions:
        regions.update(question.regions)
        organisations.update(organisation for item in question.mix.groups for organisation in item.organisations)
        organisations.update(filter(None, [question.stakeholder]))
    never = {code for code in regions if "\0" in code}  # PostgreSQL cannot even be asked for these
    return Unknown(
        never | await work.codes.unknown_regions(regions - never) if regions else (),
        await work.organisations.unknown(organisations) if organisations else (),
    )


def check_basics(question: Question, known: Known, unknown: Unknown, faults: Faults) -> None:
    """Adds every fault of what is not a part (matrix, mix, outcome) or a level."""
    check_text("title", question.title, MAX_TITLE, faults, required=True)
    check_text("description", question.description, MAX_DESCRIPTION, faults)
    for name, options in (("origin", Origin), ("scope", Scope), ("visibility", Visibility)):
        check_code(name, getattr(question, name), get_args(options), faults)
    for name, vocabulary, codes, there in (
        ("themes", "theme", question.themes, known.themes),
        ("workfields", "workfield", question.workfields or (), known.workfields),
        ("methods", "participation-method", question.methods, known.methods),
    ):
        if len(codes) > MAX_CODES:
            faults.add("body", name, "too-many", f"At most {MAX_CODES}.")
        else:
            check_known(vocabulary, {f"{name}[{i}]": code for i, code in enumerate(codes)}, there, faults)
    if not question.themes:
        faults.add("body", "themes", "required", "Name at least one theme.")
    _check_regions(question.regions, unknown.regions, faults)
    if question.stakeholder is not None and question.stakeholder in unknown.organisations:
        faults.add("body", "stakeholder", "unknown-id", "There is no organisation with this id.")
    if question.compensation is not None:
        check_text("compensation.what", question.compensation.what or "", MAX_NOTE, faults)
    period = question.period
    if period.from_ is not None and period.to is not None and period.to < period.from_:
        faults.add("body", "period.to", "wrong-order", "A period ends after it begins.")
    if question.external_id is not None:
        check_external_id(question.external_id, faults)


def _check_regions(regions: Sequence[str], unknown: Collection[str], faults: Faults) -> None:
    if not regions:
        faults.add("body", "regions", "required", "Name at least one region, of any scheme.")
    elif len(regions) > MAX_REGIONS:
        faults.add("body", "regions", "too-many", f"At most {MAX_REGIONS}.")
    else:
        for index, code in enumerate(regions):
            if code in unknown:
                faults.add("body", f"regions[{index}]", "unknown-code", "There is no region with this code.")


def routed(question: Question, known: Known) -> Question:
    """With the workfields it concerns, decided as those of signals are (DOMAIN.md, Routing), and its balance."""
    concerned, source = concerned_workfields(question.workfields, question.themes, known.themes, known.workfields)
    # In one form, so that saying the same in another way is no change.
    given = {"given": concerned, "themes": None}.get(source, ())
    question = replace(question, workfields=given, concerned=concerned, workfields_source=source)
    return replace(question, balance=judged(question, known))


def judged(question: Question, known: Known) -> Balance:
    """The balance of its mix. A specific question answers for the workfields that it names, a broad one for all it concerns."""
    concerned = question.concerned
    if question.scope == "specific" and question.workfields_source == "cross-cutting":
        concerned = ()
    return balance(
        question.scope, question.status, question.mix, question.matrix, concerned, known.groups, known.phases
    )


def check_matrix(matrix: Matrix, known: Known, faults: Faults) -> None:
    """Each role once in each phase; phases of the template, or all of the question's own."""
    if len(matrix.phases) > MAX_PHASES:
        faults.add("body", "phases", "too-many", f"At most {MAX_PHASES}.")
        return
    for index, phase in enumerate(matrix.phases):
        if not _CODE.match(phase.code) or len(phase.code) > 60:
            detail = "A code is lower-case letters and digits, with hyphens in between, at most 60."
            faults.add("body", f"phases[{index}].code", "wrong-form", detail)
        if phase.code in [other.code for other in matrix.phases[:index]]:
            faults.add("body", f"phases[{index}].code", "repeated", "This phase is named already.")
        check_text(f"phases[{index}].label", phase.label, MAX_TITLE, faults, required=True)
    if len(matrix.cells) > MAX_CELLS:
        faults.add("body", "cells", "too-many", f"At most {MAX_CELLS}.")
        return
    phases = [phase.code for phase in matrix.phases] or known.phases
    seen: Counter[tuple[str, str]] = Counter()
    for index, cell in enumerate(matrix.cells):
        at = f"cells[{index}]"
        check_known("phase", {f"{at}.phase": cell.phase}, phases, faults)
        check_known("participation-role", {f"{at}.role": cell.role}, known.roles, faults)
        check_known(
            "participant-group", {f"{at}.groups[{i}]": g for i, g in enumerate(cell.groups)}, known.groups, faults
        )
        check_text(f"{at}.activity", cell.activity, MAX_NOTE, faults)
        seen[cell.phase, cell.role] += 1
        if seen[cell.phase, cell.role] == 2:
            faults.add("body", at, "repeated", "This role has a cell in this phase already: put both in one.")


def check_mix(mix: Mix, known: Known, unknown: Unknown, faults: Faults) -> None:
    """Each group once. More recruited than wanted is allowed; the balance says so."""
    if len(mix.groups) > len(known.groups):
        faults.add("body", "groups", "too-many", f"At most {len(known.groups)}.")
        return
    check_known(
        "participant-group", {f"groups[{i}].group": g.group for i, g in enumerate(mix.groups)}, known.groups, faults
    )
    for index, item in enumerate(mix.groups):
        at = f"groups[{index}]"
        if item.group in [other.group for other in mix.groups[:index]]:
            faults.add("body", f"{at}.group", "repeated", "This group is in the mix already.")
        for name in ("wanted", "recruited"):
            if not 0 <= getattr(item, name) <= MAX_PEOPLE:
                faults.add("body", f"{at}.{name}", "out-of-range", f"A number from 0 to {MAX_PEOPLE}.")
        _check_organisations(item.organisations, unknown.organisations, at, faults)
    if mix.imbalance_reason is not None:
        check_text("imbalanceReason", mix.imbalance_reason, MAX_NOTE, faults)


def _check_organisations(organisations: Sequence[UUID], unknown: Collection[UUID], at: str, faults: Faults) -> None:
    for place, organisation in enumerate(organisations):
        if organisation in unknown:
            detail = "There is no organisation with this id."
            faults.add("body", f"{at}.organisations[{place}]", "unknown-id", detail)


def check_step(question: Question, to: str, note: str | None) -> None:
    """Raises `Invalid` for a status that does not exist, `Conflict` for one that cannot follow, naming those that can."""
    faults = Faults()
    check_code("to", to, tuple(TRANSITIONS), faults)
    if note is not None:
        check_text("note", note, MAX_NOTE, faults)
    faults.raise_if_any()
    allowed = TRANSITIONS[question.status]
    if to not in allowed:
        options = ", ".join(allowed) or "none"
        raise Conflict(
            f"A question that is {question.status} cannot become {to}. Allowed from here: {options}.",
            code="transition-not-allowed",
            allowed=list(allowed),
        )
    if to == "concluded" and question.outcome is None:
        raise Conflict(
            "A question is concluded with its outcome: what was brought in, what was decided and why. Put it first.",
            code="outcome-needed",
        )
    if to == "followed-up" and question.levels.achieved is None:
        raise Conflict(
            "A question is followed up when it is known which level was achieved: set levels.achieved first.",
            code="achieved-needed",
        )


def check_going(status: str) -> None:
    """Raises `Conflict` for a question that was cancelled."""
    if status == "cancelled":
        raise Conflict("A cancelled question does not change any more.", code="question-ended")


def check_outcome_status(status: str) -> None:
    """Raises `Conflict` for a question that cannot have an outcome yet."""
    if status not in WITH_OUTCOME:
        raise Conflict(
            f"A question that is {status} has no outcome yet. It may have one when it is "
            f"{', '.join(WITH_OUTCOME[:-1])} or {WITH_OUTCOME[-1]}.",
            code="outcome-too-early",
        )


def on_a_day(question: Question, today: date) -> Question:
    """The day on which the first participant was recruited, kept once it is known."""
    if question.recruited_on is None and question.mix.recruited > 0:
        return replace(question, recruited_on=today)
    return question
