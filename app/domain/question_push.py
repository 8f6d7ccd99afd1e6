"""Questions by their hub's own ids, one or a thousand: what of them is new, changed or gone, by the rules of all questions.

An item is the whole question, led by the hub that pushes it: what it leaves out is empty. Its status and its parts (levels,
matrix, mix, outcome) stay as they are when they are left out, because a hub may keep those here; a part that is given
replaces the one that is there. With a status the steps that lead there are taken, with all that they need: an outcome
before the conclusion, an achieved level after it. However many steps, it is one version. Hubs and signals are no part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from app.domain.access import Actor
from app.domain.checking import check_code, differences
from app.domain.errors import Fault, Faults
from app.domain.ladder import MOMENTS, NATIONAL, Levels, levels_set
from app.domain.outcomes import check_outcome
from app.domain.push import (
    Item,
    Mode,
    Result,
    Rules,
    check_pusher,
    check_wish,
    checked_id,
    doubled,
    plan_all,
    plan_one,
    steps,
)
from app.domain.question_rules import (
    TRANSITIONS,
    Known,
    Unknown,
    check_basics,
    check_going,
    check_matrix,
    check_mix,
    check_outcome_status,
    check_step,
    on_a_day,
    routed,
    unknown_names,
)
from app.domain.questions import LEFT_OUT, NOT_THERE, Question, question_of
from app.domain.work import Work

CONTENT = (
    "title", "description", "origin", "scope", "stakeholder", "regions", "themes", "workfields", "methods", "compensation",
    "period", "requested_on", "visibility",
)  # fmt: skip
PARTS = ("matrix", "mix", "outcome")
NO_LEVELS: Mapping[str, Any] = {"ladder": NATIONAL, **dict.fromkeys(MOMENTS), "explanation": None, "confirmed": False}


@dataclass(frozen=True, slots=True)
class Write:
    """One planned change. `after` is the question as it will be, or as it was at its last version."""

    action: str
    after: Question
    changes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Setting:
    """What all items of a push have in common."""

    hub: str
    today: date
    known: Known
    unknown: Unknown
    new_id: Callable[[], UUID]


async def push_questions(
    work: Work,
    actor: Actor,
    hub: str,
    items: Sequence[Item],
    mode: Mode,
    today: date,
    new_id: Callable[[], UUID],
) -> list[Result]:
    """Carries out what can be (`partial`), or all or nothing (`atomic`); a result for each item, in order.

    Raises `Forbidden`, `NotFound`, and `BatchRefused` for an atomic batch of which an item is refused.
    """
    await check_pusher(work, actor, hub)
    items = doubled([checked_id(item) for item in items])
    present, setting = await _looked_up(work, hub, items, today, new_id)
    results, writes = await plan_all(items, present, _rules(setting), mode)
    await work.pushed_questions.write(writes, actor)
    return results


async def push_question(
    work: Work, actor: Actor, hub: str, item: Item, today: date, new_id: Callable[[], UUID]
) -> Result:
    """One item. Raises what refuses it: `Invalid`, `Conflict`, `Stale`; `NotFound` when what must go is not there."""
    await check_pusher(work, actor, hub)
    item = checked_id(item)
    present, setting = await _looked_up(work, hub, [item], today, new_id)
    result, writes = plan_one(item, present, _rules(setting), NOT_THERE)
    if writes:
        await work.pushed_questions.write(writes, actor)
    return result


async def _looked_up(
    work: Work, hub: str, items: Sequence[Item], today: date, new_id: Callable[[], UUID]
) -> tuple[dict[str, Question], Setting]:
    """What is there of them, locked; and all that is needed to judge them."""
    readable = [item for item in items if not item.faults]
    present = await work.pushed_questions.locked([item.external_id for item in readable if item.external_id])
    bare = _bare(new_id(), hub, None)
    unknown = await unknown_names(work, [_filled(bare, item.content) for item in readable if item.content])
    return present, Setting(hub, today, await work.questions.known(), unknown, new_id)


def _rules(setting: Setting) -> Rules[Question, Write]:
    return Rules(
        content_of,
        lambda item, content: _created(item, content, setting),
        lambda item, content, present: _changed(item, content, present, setting),
        lambda present: Write("deleted", replace(present, version=present.version + 1), {}),
    )


def _bare(id_: UUID, hub: str, external_id: str | None) -> Question:
    return replace(question_of(id_, hub, external_id, "draft", {}), hubs=(hub,))


def _created(item: Item, content: Mapping[str, Any], setting: Setting) -> Write:
    bare = _bare(setting.new_id(), setting.hub, item.external_id)
    new = _decided(bare, _filled(bare, content), content, setting)
    _, after = _stepped(new, content["status"] or "draft", setting)
    return Write("created", after, differences(None, after, LEFT_OUT))


def _changed(item: Item, content: Mapping[str, Any], present: Question, setting: Setting) -> Write | None:
    status = content["status"] or present.status
    wished = _filled(present, content)
    wish = _levels_wished(content)
    same = wished == present and (wish is None or wish == _levels_said(present.levels))
    if same and status == present.status:
        return None
    # Another status alone: its content was fine before.
    if not same or status not in TRANSITIONS:
        wished = _decided(present, wished, content, setting)
        if wished == present and status == present.status:  # the same, said in another order
            return None
    check_wish(item.version, present.version, content_of(present), content_of(replace(wished, status=status)))
    if wished != present:
        check_going(present.status)
    taken, after = _stepped(wished, status, setting)
    after = replace(after, version=present.version + 1)
    return Write(taken[-1] if taken else "changed", after, differences(present, after, LEFT_OUT))


def _filled(before: Question, content: Mapping[str, Any]) -> Question:
    """With the content of an item, but for its levels and its status."""
    made = question_of(before.id, before.hub, None, before.status, {name: content[name] for name in CONTENT})
    given = {name: getattr(made, name) for name in CONTENT}
    return replace(before, **given, **{name: content[name] for name in PARTS if content[name] is not None})


def _decided(before: Question, wished: Question, content: Mapping[str, Any], setting: Setting) -> Question:
    """What is wished for with its levels and workfields, still in the status of before. Raises `Invalid`, `Conflict`."""
    known, faults = setting.known, Faults()
    status = content["status"] or before.status
    check_code("status", status, tuple(TRANSITIONS), faults)
    check_basics(wished, known, setting.unknown, faults)
    if content["matrix"] is not None:
        _in_part("matrix", faults, lambda found: check_matrix(wished.matrix, known, found))
    if content["mix"] is not None:
        _in_part("mix", faults, lambda found: check_mix(wished.mix, known, setting.unknown, found))
    outcome = content["outcome"]
    if outcome is not None:
        phases = [phase.code for phase in wished.matrix.phases] or known.phases
        _in_part("outcome", faults, lambda found: check_outcome(outcome, phases, setting.today, found))
    wish = _levels_wished(content)
    if wish is not None:
        wished = replace(wished, levels=_levels(wished.levels, wish, (before.status, status), setting, faults))
    faults.raise_if_any()
    if outcome is not None and outcome != before.outcome:
        check_outcome_status(status)
    return routed(on_a_day(wished, setting.today), known)


def _in_part(name: str, faults: Faults, check: Callable[[Faults], None]) -> None:
    """Adds the faults of a part, located in it."""
    found = Faults()
    check(found)
    faults.found += [
        Fault(fault.where, f"{name}.{fault.location}".rstrip("."), fault.code, fault.detail) for fault in found.found
    ]


def _levels(
    present: Levels, wish: Mapping[str, Any], statuses: tuple[str, str], setting: Setting, faults: Faults
) -> Levels:
    """The levels wished for: what was promised goes by the status of before, what was achieved by the one after."""
    before, after = statuses
    promised = {name: value for name, value in wish.items() if name != "achieved"}
    achieved = {name: wish[name] for name in ("ladder", "achieved")}
    ladders, hub, today = setting.known.ladders, setting.hub, setting.today
    levels = levels_set(present, promised, ladders, before, hub, today, faults)
    levels = levels_set(levels, achieved, ladders, after, hub, today, faults)
    faults.found = list(dict.fromkeys(faults.found))  # each time all levels are looked at
    return levels


def _levels_wished(content: Mapping[str, Any]) -> dict[str, Any] | None:
    """All members: those that are left out are empty."""
    wish = content["levels"]
    if wish is None:
        return None
    return {**NO_LEVELS, **wish, "ladder": wish.get("ladder") or NATIONAL, "confirmed": bool(wish.get("confirmed"))}


def _levels_said(levels: Levels) -> dict[str, Any]:
    """Levels as an item has them: by their codes, of rungs where they were chosen on another ladder."""
    said = {moment: getattr(levels, moment) for moment in MOMENTS}
    codes = {moment: None if step is None else step.rung or step.level for moment, step in said.items()}
    return {"ladder": levels.ladder, **codes, "explanation": levels.explanation, "confirmed": levels.confirmed}


def _stepped(wished: Question, status: str, setting: Setting) -> tuple[tuple[str, ...], Question]:
    """The steps to a status, and the question after them. Raises `Conflict` where one cannot be taken."""
    taken = steps(TRANSITIONS, "question", wished.status, status)
    for to in taken:
        check_step(wished, to, None)
        wished = replace(wished, status=to)
    return taken, routed(wished, setting.known)


def content_of(question: Question) -> dict[str, Any]:
    """A question as an item has it: by the names of the domain, with codes."""
    found = {name: getattr(question, name) for name in (*CONTENT, *PARTS, "status")}
    return {**found, "levels": _levels_said(question.levels)}
