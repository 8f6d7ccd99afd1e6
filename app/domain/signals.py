"""Signals: what people in a region run into or propose. Their types, their life, and who may change them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, get_args
from uuid import UUID

from app.domain.access import Actor
from app.domain.errors import Conflict, Faults, Forbidden, NotFound
from app.domain.follow import digest, new_code
from app.domain.routing import RESPONSE_WEEKS, recipients, respond_by
from app.domain.signal_ports import Line
from app.domain.signal_rules import (
    MAX_DESCRIPTION,
    MAX_NOTE,
    TRANSITIONS,
    FollowUpKind,
    ForwardingState,
    Kind,
    Scale,
    Status,
    Visibility,
    check_text,
    checked,
    differences,
)
from app.domain.signal_steps import check_open, check_response, check_step, opened, reworded
from app.domain.versions import check_version
from app.domain.work import Work


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal as its hub keeps it. Codes for reference data; `workfields` None means: let the themes decide."""

    id: UUID
    hub: str
    kind: str
    title: str
    description: str
    themes: tuple[str, ...]
    region: str
    heard_on: date
    workfields: tuple[str, ...] | None = None
    external_id: str | None = None
    scale: str | None = None
    groups: tuple[str, ...] = ()
    channel: str | None = None
    people_count: int | None = None
    visibility: str = "network"
    status: str = "draft"
    demonstration: bool = False
    version: int = 1
    concerned: tuple[str, ...] = field(default=(), compare=False)
    workfields_source: str = field(default="cross-cutting", compare=False)


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What the hub itself did with a signal."""

    id: UUID
    kind: str
    on: date
    summary: str
    public: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A wish to bring a signal to another status. `recipients` overrides the routing, with a reason."""

    to: str
    note: str | None = None
    recipients: tuple[str, ...] | None = None
    reason: str | None = None


def may_change_signals(actor: Actor, hub: str) -> bool:
    """Signals are changed by their own hub alone."""
    return actor.role == "hub" and actor.hub == hub


async def create_signal(work: Work, actor: Actor, signal: Signal, today: date, issued: list[str] | None = None) -> UUID:
    """Adds a draft (or a submitted signal) of the actor's own hub. Raises `Forbidden`, `Invalid`, `Conflict`.

    With `issued` it gets a follow code, which is put there for its one showing.
    """
    if not may_change_signals(actor, signal.hub):
        raise Forbidden("A signal is added by its own hub.")
    signal = await checked(work, signal, today)
    if signal.status not in ("draft", "submitted"):
        raise Conflict(
            "A signal begins as draft or submitted; verify it by a transition.",
            code="transition-not-allowed",
            allowed=["draft", "submitted"],
        )
    await work.signals.add(signal, Line(actor, "created", differences(None, signal)))
    if issued is not None:
        issued.append(new_code())
        await work.follow_codes.put(signal.id, digest(issued[-1]))
    return signal.id


async def change_signal(
    work: Work,
    actor: Actor,
    signal_id: UUID,
    changes: dict[str, Any],
    version: int | None,
    today: date,
    weeks: int = RESPONSE_WEEKS,
) -> int:
    """Changes the given fields; the new version comes back.

    New words make a verified signal `submitted` again; one that stays verified and now concerns others is forwarded to
    them. Raises `NotFound`, `Forbidden`, `Stale`, `Conflict`, `Invalid`.
    """
    present = await _own(work, actor, signal_id, version)
    changed = replace(present, **changes)
    if changed == present:
        return present.version
    check_open(present.status)
    changed = await checked(work, reworded(present, changed), today)
    if changed == present:  # the same, said in another order
        return present.version
    forwarded = await _forwarded_anew(work, present, changed)
    await work.signals.change(changed, recipients=forwarded)
    if forwarded is not None:
        await work.signals.forward(signal_id, forwarded, respond_by(today, weeks), None)
    await work.signals.record(
        replace(changed, version=present.version + 1), actor, "changed", differences(present, changed)
    )
    return present.version + 1


async def _forwarded_anew(work: Work, present: Signal, changed: Signal) -> tuple[str, ...] | None:
    """The umbrellas of a verified signal that was opened to them, or concerns others now. None: as it was.

    What the hub chose itself, with a reason, stays chosen.
    """
    if not opened(present, changed) or await work.signals.rerouted(changed.id):
        return None
    return recipients(changed.concerned, await work.signals.umbrellas())


async def step_signal(
    work: Work,
    actor: Actor,
    signal_id: UUID,
    step: Step,
    version: int | None,
    today: date,
    weeks: int = RESPONSE_WEEKS,
) -> int:
    """Brings a signal to another status. Verification forwards it to the umbrellas concerned, with a term to respond.

    Raises as `change_signal`; a step that is not allowed names those that are.
    """
    present = await _own(work, actor, signal_id, version)
    await _check_step(work, step, present)
    check_step(present.status, step.to)
    if step.to == "closed":
        check_response(await work.signals.has_response(signal_id))
    forwarded: tuple[str, ...] | None = None
    if step.to == "verified" and present.visibility != "hub":
        forwarded = step.recipients
        if forwarded is None:
            forwarded = recipients(present.concerned, await work.signals.umbrellas())
        forwarded = tuple(dict.fromkeys(forwarded))
    changed = replace(present, status=step.to)
    if step.to == "verified":
        await work.signals.change(changed, recipients=forwarded or (), verified=True)
    else:
        await work.signals.change(changed)
    if forwarded is not None:
        await work.signals.forward(signal_id, forwarded, respond_by(today, weeks), step.reason)
    note = {"status": [present.status, step.to], **({"recipients": [None, list(forwarded)]} if forwarded else {})}
    await work.signals.record(replace(changed, version=present.version + 1), actor, step.to, note, step.note)
    return present.version + 1


async def _check_step(work: Work, step: Step, present: Signal) -> None:
    faults = Faults()
    if step.to not in TRANSITIONS:
        faults.add("body", "to", "unknown-code", f"One of {', '.join(TRANSITIONS)}.")
    for name, text in (("note", step.note), ("reason", step.reason)):
        if text is not None:
            check_text(name, text, MAX_NOTE, faults)
    if step.recipients is not None and (step.to != "verified" or present.visibility == "hub"):
        detail = "Recipients are named when a signal is verified that others than its hub may read."
        faults.add("body", "recipients", "not-applicable", detail)
    if step.reason is not None and step.recipients is None:
        detail = "A reason goes with recipients; anything else to remember is a note."
        faults.add("body", "reason", "not-applicable", detail)
    if step.recipients is not None:
        known = {umbrella.code for umbrella in await work.signals.umbrellas()}
        for index, code in enumerate(step.recipients):
            if code not in known:
                faults.add("body", f"recipients[{index}]", "unknown-code", "There is no umbrella with this code.")
        if not (step.reason or "").strip():
            faults.add("body", "reason", "required", "Say why this goes to others than the workfields say.")
    faults.raise_if_any()


async def delete_signal(work: Work, actor: Actor, signal_id: UUID, version: int | None) -> None:
    """Removes a signal; its history stays for its hub, a tombstone for everybody who saw it."""
    present = await _own(work, actor, signal_id, version)
    await work.signals.record(replace(present, version=present.version + 1), actor, "deleted", {})
    await work.signals.remove(signal_id)


async def answer_forwarding(
    work: Work,
    actor: Actor,
    signal_id: UUID,
    umbrella: str,
    state: str,
    response: str | None,
    version: int | None,
) -> int:
    """An umbrella says what it does with a signal. Raises `NotFound`, `Forbidden`, `Stale`, `Invalid`."""
    seen = await work.signals.seen(signal_id)
    if seen is None:
        raise NotFound(NOT_THERE)
    if actor.role != "umbrella" or actor.umbrella != umbrella:
        raise Forbidden("An umbrella answers what was forwarded to itself.")
    desk = await work.signals.desk(signal_id)
    if desk is None:
        raise NotFound("This signal was not forwarded to this umbrella.")
    check_version(version, desk.version)
    faults = Faults()
    known = [name for name in get_args(ForwardingState) if name != "forwarded"]
    if state not in known:
        faults.add("body", "state", "unknown-code", f"A state is one of {', '.join(known)}.")
    if state in ("answered", "declined") and not (response or "").strip():
        faults.add("body", "response", "required", "Say what the answer is, or why it is declined.")
    if response is not None:
        check_text("response", response, MAX_DESCRIPTION, faults)
    faults.raise_if_any()
    if state == desk.state and response in (None, desk.response):
        return desk.version
    await work.signals.answer(signal_id, umbrella, state, response)
    after = replace(seen, version=desk.version + 1)
    changes: dict[str, Any] = {f"forwardings.{umbrella}.state": [desk.state, state]} if state != desk.state else {}
    if response not in (None, desk.response):
        changes[f"forwardings.{umbrella}.response"] = [desk.response, response]
    await work.signals.record(after, actor, "forwarding", changes)
    return after.version


async def add_follow_up(
    work: Work, actor: Actor, signal_id: UUID, item: FollowUp, version: int | None, today: date
) -> int:
    """The hub records what it did itself. Raises as `change_signal`."""
    present = await _own(work, actor, signal_id, version)
    faults = Faults()
    if item.kind not in get_args(FollowUpKind):
        faults.add("body", "kind", "unknown-code", f"A kind is one of {', '.join(get_args(FollowUpKind))}.")
    check_text("summary", item.summary, MAX_DESCRIPTION, faults, required=True)
    if item.on > today:
        faults.add("body", "on", "date-in-future", "A follow-up is recorded when it has been done.")
    faults.raise_if_any()
    if present.status in ("draft", "withdrawn"):
        raise Conflict(f"A {present.status} signal is not followed up.", code="follow-up-not-allowed")
    await work.signals.add_follow_up(signal_id, item)
    await work.signals.change(present)
    after = replace(present, version=present.version + 1)
    content = {"kind": item.kind, "on": item.on.isoformat(), "summary": item.summary, "public": item.public}
    await work.signals.record(after, actor, "follow-up", {"followUps": [None, content]})
    return after.version


NOT_THERE = "There is no signal with this id, or it is not yours to see."


async def _own(work: Work, actor: Actor, signal_id: UUID, version: int | None) -> Signal:
    """The signal, locked, when it is the actor's own. Others hear of it only what they may read."""
    present = await work.signals.get(signal_id) if actor.role == "hub" else None
    if present is None:
        if await work.signals.seen(signal_id) is None:
            raise NotFound(NOT_THERE)
        raise Forbidden("A signal is changed by its own hub.")
    check_version(version, present.version)
    return present


__all__ = ["TRANSITIONS", "FollowUp", "Kind", "Scale", "Signal", "Status", "Step", "Visibility"]
