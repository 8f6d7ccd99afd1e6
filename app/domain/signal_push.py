"""Signals by their hub's own ids, one or a thousand: what of them is new, changed or gone, by the rules of all signals.

An item is the whole signal. What it leaves out is empty, but for two: without a day the signal keeps its own (a new one
was heard today), without a status it stays where it is in its life (a new one is a draft). With a status, the steps that
lead there are taken, as if each had been asked for: verification forwards, closing needs something that was done. However
many steps, it is one version.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from app.domain.access import Actor
from app.domain.errors import DomainError, Faults, Invalid, NotFound
from app.domain.push import Item, Mode, Outcome, Result, check_pusher, check_wish, doubled, refused, settle
from app.domain.routing import RESPONSE_WEEKS, recipients, respond_by
from app.domain.signal_ports import Standing
from app.domain.signal_rules import TRANSITIONS, Known, check_external_id, decided, differences
from app.domain.signal_steps import check_open, check_response, opened, reworded, steps
from app.domain.signals import NOT_THERE, Signal
from app.domain.work import Work

CONTENT = (
    "kind", "title", "description", "themes", "workfields", "region", "scale", "groups", "channel", "heard_on",
    "people_count", "visibility", "status",
)  # fmt: skip
AT_A_TIME = 25
"""Items planned before others get their turn: checking the texts of a thousand takes a tenth of a second."""


@dataclass(frozen=True, slots=True)
class Write:
    """One planned change. `signal` is as it will be, `recipients` who may then read it (None: as it was); `forwards` says
    that they hear of it now."""

    action: str
    signal: Signal
    changes: Mapping[str, Any]
    recipients: tuple[str, ...] | None = None
    forwards: bool = False
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    """What all items of a push have in common."""

    hub: str
    today: date
    known: Known
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
    items = doubled([_checked_id(item) for item in items])
    writes: list[Write] = []
    results: list[Result] = []
    present, setting = await _looked_up(work, hub, items, today, new_id)
    for place, item in enumerate(items):
        if place % AT_A_TIME == AT_A_TIME - 1:
            await asyncio.sleep(0)
        there = present.get(item.external_id or "")
        try:
            write = _planned(item, there, setting)
        except DomainError as error:
            results.append(refused(item, error, *_place(there)))
            continue
        results.append(_result(item, there, write))
        if write is not None:
            writes.append(write)
    settle(results, mode)
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
    item = _checked_id(item)
    present, setting = await _looked_up(work, hub, [item], today, new_id)
    there = present.get(item.external_id or "")
    if item.content is None and there is None and not item.faults:
        raise NotFound(NOT_THERE)
    write = _planned(item, there, setting)
    if write is not None:
        await work.pushed_signals.write([write], actor, respond_by(today, weeks))
    return _result(item, there, write)


def _checked_id(item: Item) -> Item:
    """The item, without an id that cannot be one: it is not said back either."""
    faults = Faults()
    if item.external_id is not None:
        check_external_id(item.external_id, faults)
    return replace(item, external_id=None, faults=(*item.faults, *faults.found)) if faults.found else item


async def _looked_up(
    work: Work, hub: str, items: Sequence[Item], today: date, new_id: Callable[[], UUID]
) -> tuple[dict[str, Signal], Setting]:
    """What is there of them, locked; and all that is needed to judge them."""
    readable = [item for item in items if not item.faults]
    present = await work.pushed_signals.locked([item.external_id for item in readable if item.external_id])
    known = await work.codes.known([item.content["region"] for item in readable if item.content])
    # Whose status or readers may change: of a draft nobody heard, and what ended stays.
    moving = [signal.id for signal in present.values() if signal.status in ("submitted", "verified")]
    standing = await work.pushed_signals.standing(moving) if moving else Standing((), ())
    return present, Setting(hub, today, known, standing, new_id)


def _planned(item: Item, present: Signal | None, setting: Setting) -> Write | None:
    """What this item comes to; None when it changes nothing. Raises `Invalid`, `Conflict`, `Stale`."""
    if item.faults:
        raise Invalid(item.faults)
    if item.content is None:
        if present is None:
            return None
        check_wish(item.version, present.version, content_of(present))
        return Write("deleted", replace(present, version=present.version + 1), {})
    if present is None:
        check_wish(item.version, None)
        return _created(item, item.content, setting)
    return _changed(item, item.content, present, setting)


def _created(item: Item, content: Mapping[str, Any], setting: Setting) -> Write:
    wished = {**content, "status": content["status"] or "draft", "heard_on": content["heard_on"] or setting.today}
    new = Signal(id=setting.new_id(), hub=setting.hub, external_id=item.external_id, **wished)
    new = decided(new, setting.known, setting.today)
    return _stepped(None, new, steps("draft", new.status), setting)


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
    taken = steps(changed.status, status) if content["status"] else ()
    return _stepped(present, changed, taken, setting)


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


def _result(item: Item, present: Signal | None, write: Write | None) -> Result:
    if write is None:
        return Result(item.external_id, *_place(present), "unchanged")
    outcome: Outcome = "deleted" if item.content is None else "created" if present is None else "updated"
    return Result(item.external_id, *_place(write.signal), outcome)


def _place(signal: Signal | None) -> tuple[UUID | None, int | None]:
    return (None, None) if signal is None else (signal.id, signal.version)


def content_of(signal: Signal) -> dict[str, Any]:
    """A signal as an item has it: by the names of the domain, with codes."""
    return {name: getattr(signal, name) for name in CONTENT}
