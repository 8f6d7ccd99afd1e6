"""The outcome of a question: you said, we did. What was brought in, what became of it, what was decided and changed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

from app.domain.checking import check_code, check_known, check_text
from app.domain.errors import Faults

Taken = Literal["yes", "partly", "no", "parked"]
MAX_TEXT = 10_000
MAX_LINE = 2_000
MAX_INPUTS = 200
MAX_DATED = 50


@dataclass(frozen=True, slots=True)
class Input:
    """Something that was brought in, by whom (a group or a meeting, never a person), and what became of it."""

    source: str
    taken: str
    reason: str | None = None
    phase: str | None = None


@dataclass(frozen=True, slots=True)
class ImpactCheck:
    on: date
    finding: str


@dataclass(frozen=True, slots=True)
class ToldBack:
    """When and how the participants heard, of one phase or of the whole."""

    on: date
    how: str = ""
    phase: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    input_summary: str
    decision: str
    explanation: str
    inputs: tuple[Input, ...] = ()
    impact: str | None = None
    impact_checks: tuple[ImpactCheck, ...] = ()
    told_back: tuple[ToldBack, ...] = ()
    decided_on: date | None = None


def check_outcome(outcome: Outcome, phases: Collection[str], today: date, faults: Faults) -> None:
    """Adds every fault: what is empty, unreasoned, unknown or not yet so."""
    check_text("inputSummary", outcome.input_summary, MAX_TEXT, faults, required=True)
    check_text("decision", outcome.decision, MAX_TEXT, faults, required=True)
    check_text("explanation", outcome.explanation, MAX_TEXT, faults, required=True)
    if outcome.impact is not None:
        check_text("impact", outcome.impact, MAX_TEXT, faults)
    for name, items, most in (
        ("inputs", outcome.inputs, MAX_INPUTS),
        ("impactChecks", outcome.impact_checks, MAX_DATED),
        ("toldBack", outcome.told_back, MAX_DATED),
    ):
        if len(items) > most:
            faults.add("body", name, "too-many", f"At most {most}.")
    for index, item in enumerate(outcome.inputs[:MAX_INPUTS]):
        at = f"inputs[{index}]"
        check_text(f"{at}.source", item.source, MAX_LINE, faults, required=True)
        check_code(f"{at}.taken", item.taken, get_args(Taken), faults)
        if item.taken != "yes" and not (item.reason or "").strip():
            faults.add("body", f"{at}.reason", "required", "Say why it was not, or not wholly, taken over.")
        check_text(f"{at}.reason", item.reason or "", MAX_LINE, faults)
    places = [(f"inputs[{index}].phase", item.phase) for index, item in enumerate(outcome.inputs[:MAX_INPUTS])]
    for index, check in enumerate(outcome.impact_checks[:MAX_DATED]):
        check_text(f"impactChecks[{index}].finding", check.finding, MAX_LINE, faults, required=True)
        _not_yet(f"impactChecks[{index}].on", check.on, today, faults)
    for index, told in enumerate(outcome.told_back[:MAX_DATED]):
        check_text(f"toldBack[{index}].how", told.how, MAX_LINE, faults)
        _not_yet(f"toldBack[{index}].on", told.on, today, faults)
        places.append((f"toldBack[{index}].phase", told.phase))
    check_known("phase", {place: phase for place, phase in places if phase is not None}, phases, faults)
    if outcome.decided_on is not None:
        _not_yet("decidedOn", outcome.decided_on, today, faults)


def _not_yet(location: str, on: date, today: date, faults: Faults) -> None:
    if on > today:
        faults.add("body", location, "date-in-future", "This is recorded when it has happened.")
