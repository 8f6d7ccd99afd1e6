"""Which fields of work a signal concerns, and which umbrellas hear of it (DOMAIN.md, Routing)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

RESPONSE_WEEKS = 6
"""How long an umbrella has to respond, unless the settings say otherwise."""
CROSS_CUTTING = "werkveldoverstijgend"
"""Asks for signals that concern all fields of work because they name none."""


@dataclass(frozen=True, slots=True)
class Umbrella:
    """An umbrella organisation: `workfield` is the field it stands for, `bit` its place in a mask of readers."""

    code: str
    workfield: str
    bit: int


def concerned_workfields(
    given: Sequence[str] | None, themes: Sequence[str], hints: Mapping[str, Sequence[str]], every: Sequence[str]
) -> tuple[tuple[str, ...], str]:
    """The workfields of a signal and the source of that decision: `given`, `themes` or `cross-cutting`.

    Those that the hub names count. Where it names none, the hints of the themes decide; without hints, or with an empty
    list given on purpose, the signal is cross-cutting and concerns all.
    """
    if given:
        return tuple(code for code in every if code in given), "given"
    if given is None:
        hinted = {code for theme in themes for code in hints.get(theme, ())}
        if hinted:
            return tuple(code for code in every if code in hinted), "themes"
    return tuple(every), "cross-cutting"


def recipients(workfields: Sequence[str], umbrellas: Sequence[Umbrella]) -> tuple[str, ...]:
    """The umbrellas to forward to: those that stand for the workfields."""
    return tuple(umbrella.code for umbrella in umbrellas if umbrella.workfield in workfields)


def respond_by(today: date, weeks: int = RESPONSE_WEEKS) -> date:
    """The last day of the term to respond."""
    return today + timedelta(weeks=weeks)
