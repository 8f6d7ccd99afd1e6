"""The participation ladder: what was intended, agreed and achieved, on the national ladder or on one of its own.

DOMAIN.md, Participation ladder: the difference between promise and practice is what the network wants to see.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from app.domain.checking import check_text
from app.domain.errors import Conflict, Faults

NATIONAL = "landelijk"
MOMENTS = ("intended", "agreed", "achieved")
PROMISES = ("intended", "agreed")
CONCLUDED = ("concluded", "followed-up")
MAX_EXPLANATION = 2_000


@dataclass(frozen=True, slots=True)
class Ladders:
    """Reference data: national level → rank; rung of another ladder → that ladder and the level that it comes to."""

    levels: Mapping[str, int]
    rungs: Mapping[str, tuple[str, str]]
    names: tuple[str, ...] = (NATIONAL,)


@dataclass(frozen=True, slots=True)
class Setting:
    """A level, with the rung of the ladder it was chosen on, the hub that set it, and the day."""

    level: str
    rung: str | None
    set_by: str
    set_on: date


@dataclass(frozen=True, slots=True)
class Levels:
    """The levels of a question. `confirmed`: the stakeholder confirmed the agreed level."""

    ladder: str = NATIONAL
    intended: Setting | None = None
    agreed: Setting | None = None
    achieved: Setting | None = None
    explanation: str | None = None
    confirmed: bool = False


def levels_set(
    present: Levels, wish: Mapping[str, Any], ladders: Ladders, status: str, hub: str, today: date, faults: Faults
) -> Levels:
    """The levels after a wish: the members of it that are given, null to empty one.

    Adds a fault for what is unknown or unreasoned. Raises `Conflict` for an achieved level before the conclusion, and for
    a promise that is changed after it. A level set again as it was keeps who set it and when.
    """
    ladder = wish.get("ladder", present.ladder) or NATIONAL
    if ladder not in ladders.names:
        faults.add("body", "levels.ladder", "unknown-code", f"One of {', '.join(ladders.names)}.")
        return present
    found: dict[str, Setting | None] = {}
    for moment in MOMENTS:
        before: Setting | None = getattr(present, moment)
        code = wish.get(moment)
        if moment not in wish or code is None:
            found[moment] = before if moment not in wish else None
            continue
        setting = _setting(code, ladder, ladders, hub, today)
        if setting is None:
            detail = f"There is no {'level' if ladder == NATIONAL else 'rung of this ladder'} with this code."
            faults.add("body", f"levels.{moment}", "unknown-code", detail)
        same = setting is not None and before is not None and _step(setting) == _step(before)
        found[moment] = before if same else setting
    confirmed = wish.get("confirmed", present.confirmed and found["agreed"] == present.agreed)
    after = replace(
        present,
        ladder=ladder,
        explanation=wish.get("explanation", present.explanation),
        confirmed=bool(confirmed),
        **found,
    )
    check_levels(after, ladders, faults)
    if not faults.found:
        _check_moment(present, after, status)
    return after


def _step(setting: Setting) -> tuple[str, str | None]:
    return setting.level, setting.rung


def _setting(code: str, ladder: str, ladders: Ladders, hub: str, today: date) -> Setting | None:
    if ladder == NATIONAL:
        return Setting(code, None, hub, today) if code in ladders.levels else None
    of, level = ladders.rungs.get(code, ("", ""))
    return Setting(level, code, hub, today) if of == ladder else None


def check_levels(levels: Levels, ladders: Ladders, faults: Faults) -> None:
    """Agreed needs intended; less than intended needs an explanation; only what is agreed can be confirmed."""
    if levels.explanation is not None:
        check_text("levels.explanation", levels.explanation, MAX_EXPLANATION, faults)
    if levels.agreed is None:
        if levels.confirmed:
            faults.add("body", "levels.confirmed", "agreed-needed", "Only an agreed level can be confirmed.")
        return
    if levels.intended is None:
        faults.add("body", "levels.agreed", "intended-needed", "Say first which level was intended.")
    elif ladders.levels[levels.agreed.level] < ladders.levels[levels.intended.level] and not (
        (levels.explanation or "").strip()
    ):
        detail = "The agreed level is lower than the intended one: explain why."
        faults.add("body", "levels.explanation", "required", detail)


def _check_moment(before: Levels, after: Levels, status: str) -> None:
    concluded = status in CONCLUDED
    if after.achieved != before.achieved:
        if not concluded:
            raise Conflict(
                "What was achieved is known when the question is concluded, not before.", code="achieved-too-early"
            )
        if after.achieved is None and status == "followed-up":
            raise Conflict("A question that was followed up has an achieved level.", code="achieved-needed")
    if concluded and any(_of(before, moment) != _of(after, moment) for moment in PROMISES):
        raise Conflict(
            "What was intended and agreed does not change after the conclusion: it is what was promised.",
            code="promise-fixed",
        )


def _of(levels: Levels, moment: str) -> tuple[str, str | None] | None:
    setting: Setting | None = getattr(levels, moment)
    return None if setting is None else _step(setting)


def kept_promise(levels: Levels, ladders: Ladders) -> str | None:
    """`as-promised`, `more` or `less`: what was achieved against what was agreed (or intended, where nothing was agreed)."""
    promised = levels.agreed or levels.intended
    if promised is None or levels.achieved is None:
        return None
    difference = ladders.levels[levels.achieved.level] - ladders.levels[promised.level]
    return "as-promised" if difference == 0 else "more" if difference > 0 else "less"
