"""Signals by their hub's own ids, one or a thousand: what of them is new, changed or gone, by the rules of all signals.

An item is the whole signal. What it leaves out is empty, but for two: without a day the signal keeps its own (a new one
was heard today), without a status it stays where it is in its life (a new one is a draft). With a status, the steps that
lead there are taken, as if each had been asked for: verification forwards, closing needs something that was done. However
many steps, it is one version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from app.domain.access import Actor
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
from app.domain.routing import RESPONSE_WEEKS, recipients, respond_by
from app.domain.signal_ports import Standing
from app.domain.signal_rules import TRANSITIONS, decided, differences
from app.domain.signal_steps import check_open, check_response, opened, reworded
from app.domain.signals import NOT_THERE, Signal
from app.domain.vocabulary import Vocabulary
from app.domain.work import Work

CONTENT = (
    "kind", "title", "description", "themes", "workfields", "region", "scale", "groups", "channel", "heard_on",
    "people_count", "visibility", "status",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Write:
    """One planned change. `after` is the signal as it will be, `recipients` who may then read it (None: as it was);
    `forwards` says that they hear of it now."""

    action: str
    after: Signal
    changes: Mapping[str, Any]
    recipients: tuple[str, ...] | None = None
    forwards: bool = False
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    """What all items of a push have in common."""

    hub: str
    today: date
    known: Vocabulary
    standing: Standing
    new_id: Callable[[], UUID]


async def push_signals(
    work: Work,
    actor: Actor,
    hub: str,
    items: Sequence[Item],
    mode: Mode,
    today: date,
    new_id: Callable[[], UUID],
    weeks: int = RESPONSE_WEEKS,
) -> list[Result]:
    """Carries out what can be (`partial`), or all or nothing (`atomic`); a result for each item, in order.

    Raises `Forbidden`, `NotFound`, and `BatchRefused` for an atomic batch of which an item is refused.
    """
    await check_pusher(work, actor, hub)
    items = doubled([checked_id(item) for item in items])
    present, setting = await _looked_up(work, hub, items, today, new_id)
    results, writes = await plan_all(items, present, _rules(setting), mode)
    await work.pushed_signals.write(writes, actor, respond_by(today, weeks))
    return results


async def push_signal(
    work: Work,
    actor: Actor,
    hub: str,
    item: Item,
    today: date,
    new_id: Callable[[], UUID],
    weeks: int = RESPONSE_WEEKS,
) -> Result:
    """One item. Raises what refuses it: `Invalid`, `Conflict`, `Stale`; `NotFound` when what must go is not there."""
    await check_pusher(work, actor, hub)
    item = checked_id(item)
    present, setting = await _looked_up(work, hub, [item], today, new_id)
    result, writes = plan_one(item, present, _rules(setting), NOT_THERE)
    if writes:
        await work.pushed_signals.write(writes, actor, respond_by(today, weeks))
    return result


async def _looked_up(
    work: Work, hub: str, items: Sequence[Item], today: date, new_id: Callable[[], UUID]
) -> tuple[dict[str, Signal], Setting]:
    """What is there of them, locked; and all that is needed to judge them."""
    readable = [item for item in items if not item.faults]
    present = await work.pushed_signals.locked([item.external_id for item in readable if item.external_id])
    contents = [item.content for item in readable if item.content]
    terms = {code for content in contents for code in _terms(content)}
    known = await work.codes.known({content["region"] for content in contents}, terms)
    # Whose status or readers may change: of a draft nobody heard, and what ended stays.
    moving = [signal.id for signal in present.values() if signal.status in ("submitted", "verified")]
    standing = await work.pushed_signals.standing(moving) if moving else Standing((), ())
    return present, Setting(hub, today, known, standing, new_id)


def _rules(setting: Setting) -> Rules[Signal, Write]:
    return Rules(
        content_of,
        lambda item, content: _created(item, content, setting),
        lambda item, content, present: _changed(item, content, present, setting),
        lambda present: Write("deleted", replace(present, version=present.version + 1), {}),
    )


def _created(item: Item, content: Mapping[str, Any], setting: Setting) -> Write:
    wished = {**content, "status": content["status"] or "draft", "heard_on": content["heard_on"] or setting.today}
    new = Signal(id=setting.new_id(), hub=setting.hub, external_id=item.external_id, **wished)
    new = decided(new, setting.known, setting.today)
    return _stepped(None, new, _steps("draft", new.status), setting)


def _changed(item: Item, content: Mapping[str, Any], present: Signal, setting: Setting) -> Write | None:
    status = content["status"] or present.status
    wished = replace(present, **{**content, "status": status, "heard_on": content["heard_on"] or present.heard_on})
    if wished == present:
        return None
    # Another status alone: its content was fine before.
    same = status in TRANSITIONS and replace(wished, status=present.status) == present
    wished = replace(present, status=status) if same else decided(wished, setting.known, setting.today)
    if wished == present:  # the same, said in another order
        return None
    check_wish(item.version, present.version, content_of(present), content_of(wished))
    changed = replace(wished, status=present.status)
    if changed != present:
        check_open(present.status)
        changed = reworded(present, changed)
    taken = _steps(changed.status, status) if content["status"] else ()
    return _stepped(present, changed, taken, setting)


def _steps(status: str, to: str) -> tuple[str, ...]:
    return steps(TRANSITIONS, "signal", status, to)


def _stepped(present: Signal | None, changed: Signal, taken: Sequence[str], setting: Setting) -> Write:
    """The change with the steps taken after it, and who hears of them."""
    if "closed" in taken:
        check_response(changed.id in setting.standing.responded)
    after = changed
    if present is not None:
        after = replace(changed, status=taken[-1] if taken else changed.status, version=present.version + 1)
    changes = differences(present, after)
    action = "created" if present is None else taken[-1] if taken else "changed"
    verified = "verified" in taken
    # What the hub chose itself, with a reason, stays chosen.
    chosen = changed.id in setting.standing.rerouted
    if chosen or not (verified or (present is not None and opened(present, changed))):
        return Write(action, after, changes, None, verified=verified)
    if changed.visibility == "hub":
        return Write(action, after, changes, (), verified=verified)
    forwarded = recipients(changed.concerned, setting.known.umbrellas)
    changes |= {"recipients": [None, list(forwarded)]} if forwarded else {}
    return Write(action, after, changes, forwarded, forwards=True, verified=verified)


def _terms(content: Mapping[str, Any]) -> set[str]:
    return {*content["themes"], *(content["workfields"] or ()), *content["groups"], *filter(None, [content["channel"]])}


def content_of(signal: Signal) -> dict[str, Any]:
    """A signal as an item has it: by the names of the domain, with codes."""
    return {name: getattr(signal, name) for name in CONTENT}
