"""Signals: what people in a region run into or propose. Their types, their life, and who may change them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date
from typing import Any, Literal, get_args
from uuid import UUID

from app.domain.access import Actor
from app.domain.errors import Conflict, Faults, Forbidden, NotFound
from app.domain.privacy import check as check_privacy
from app.domain.routing import RESPONSE_WEEKS, concerned_workfields, recipients, respond_by
from app.domain.versions import check_version
from app.domain.work import Work

Kind = Literal["knelpunt", "behoefte", "oplossing", "goed-voorbeeld", "ervaring"]
Status = Literal["draft", "submitted", "verified", "closed", "withdrawn"]
Visibility = Literal["hub", "network", "public"]
Scale = Literal["wijk", "lokaal", "regionaal", "landelijk"]
ForwardingState = Literal["forwarded", "acknowledged", "on-agenda", "answered", "declined"]
FollowUpKind = Literal["meeting", "training", "question", "advice", "none"]

# From each status to those that may follow it.
TRANSITIONS: dict[str, tuple[str, ...]] = {
    "draft": ("submitted", "withdrawn"),
    "submitted": ("verified", "draft", "withdrawn"),
    "verified": ("closed", "withdrawn"),
    "closed": (),
    "withdrawn": (),
}
MAX_TITLE = 200
MAX_DESCRIPTION = 10_000
MAX_CODES = 10
MAX_PEOPLE = 1_000_000
# What others have read: a change of it asks for verification anew.
VERIFIED_TEXT = ("title", "description")


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


async def create_signal(work: Work, actor: Actor, signal: Signal, today: date) -> UUID:
    """Adds a draft (or a submitted signal) of the actor's own hub. Raises `Forbidden`, `Invalid`, `Conflict`."""
    if not may_change_signals(actor, signal.hub):
        raise Forbidden("A signal is added by its own hub.")
    signal = await _checked(work, signal, today)
    if signal.status not in ("draft", "submitted"):
        raise Conflict(
            "A signal begins as draft or submitted; verify it by a transition.",
            code="transition-not-allowed",
            allowed=["draft", "submitted"],
        )
    await work.signals.add(signal)
    await work.signals.record(signal, actor, "created", {})
    return signal.id


async def change_signal(
    work: Work, actor: Actor, signal_id: UUID, changes: dict[str, Any], version: int | None, today: date
) -> int:
    """Changes the given fields; the new version comes back.

    New words make a verified signal `submitted` again. Raises `NotFound`, `Forbidden`, `Stale`, `Conflict`, `Invalid`.
    """
    present = await _own(work, actor, signal_id, version)
    changed = replace(present, **changes)
    if changed == present:
        return present.version
    if present.status in ("closed", "withdrawn"):
        raise Conflict(f"A {present.status} signal does not change any more.", code="signal-ended")
    if present.status == "verified" and any(getattr(changed, name) != getattr(present, name) for name in VERIFIED_TEXT):
        changed = replace(changed, status="submitted")
    changed = await _checked(work, changed, today)
    await work.signals.change(changed)
    await work.signals.record(
        replace(changed, version=present.version + 1), actor, "changed", differences(present, changed)
    )
    return present.version + 1


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
    faults = Faults()
    check_privacy({"note": step.note, "reason": step.reason}, faults)
    faults.raise_if_any()
    allowed = TRANSITIONS[present.status]
    if step.to not in allowed:
        options = ", ".join(allowed) or "none"
        raise Conflict(
            f"A {present.status} signal cannot become {step.to}. Allowed from here: {options}.",
            code="transition-not-allowed",
            allowed=list(allowed),
        )
    if step.to == "closed" and not await work.signals.has_response(signal_id):
        raise Conflict(
            "A signal is closed when something was done with it: record a follow-up first, or wait for an answer.",
            code="follow-up-needed",
        )
    forwarded: tuple[str, ...] | None = None
    if step.to == "verified" and present.visibility != "hub":
        forwarded = await _recipients(work, present, step)
    changed = replace(present, status=step.to)
    await work.signals.change(changed, recipients=(forwarded or ()) if step.to == "verified" else None)
    if forwarded is not None:
        await work.signals.forward(signal_id, forwarded, respond_by(today, weeks), step.reason)
    note = {"status": [present.status, step.to], **({"recipients": [None, list(forwarded)]} if forwarded else {})}
    await work.signals.record(replace(changed, version=present.version + 1), actor, step.to, note, step.note)
    return present.version + 1


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
    check_version(version, seen.version)
    faults = Faults()
    known = [name for name in get_args(ForwardingState) if name != "forwarded"]
    if state not in known:
        faults.add("body", "state", "unknown-code", f"A state is one of {', '.join(known)}.")
    if state in ("answered", "declined") and not (response or "").strip():
        faults.add("body", "response", "required", "Say what the answer is, or why it is declined.")
    if response is not None:
        _check_text("response", response, MAX_DESCRIPTION, faults)
    faults.raise_if_any()
    if not await work.signals.answer(signal_id, umbrella, state, response):
        raise NotFound("This signal was not forwarded to this umbrella.")
    after = replace(seen, version=seen.version + 1)
    await work.signals.record(after, actor, "forwarding", {f"forwardings.{umbrella}": [None, state]})
    return after.version


async def add_follow_up(
    work: Work, actor: Actor, signal_id: UUID, item: FollowUp, version: int | None, today: date
) -> int:
    """The hub records what it did itself. Raises as `change_signal`."""
    present = await _own(work, actor, signal_id, version)
    faults = Faults()
    if item.kind not in get_args(FollowUpKind):
        faults.add("body", "kind", "unknown-code", f"A kind is one of {', '.join(get_args(FollowUpKind))}.")
    _check_text("summary", item.summary, MAX_DESCRIPTION, faults, required=True)
    if item.on > today:
        faults.add("body", "on", "date-in-future", "A follow-up is recorded when it has been done.")
    faults.raise_if_any()
    if present.status in ("draft", "withdrawn"):
        raise Conflict(f"A {present.status} signal is not followed up.", code="follow-up-not-allowed")
    await work.signals.add_follow_up(signal_id, item)
    await work.signals.change(present)
    after = replace(present, version=present.version + 1)
    await work.signals.record(after, actor, "follow-up", {"followUps": [None, item.kind]})
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


async def _recipients(work: Work, signal: Signal, step: Step) -> tuple[str, ...]:
    umbrellas = await work.signals.umbrellas()
    if step.recipients is None:
        return recipients(signal.concerned, umbrellas)
    faults = Faults()
    known = {umbrella.code for umbrella in umbrellas}
    for index, code in enumerate(step.recipients):
        if code not in known:
            faults.add("body", f"recipients[{index}]", "unknown-code", "There is no umbrella with this code.")
    if not (step.reason or "").strip():
        faults.add("body", "reason", "required", "Say why this goes to others than the workfields say.")
    faults.raise_if_any()
    return tuple(dict.fromkeys(step.recipients))


async def _checked(work: Work, signal: Signal, today: date) -> Signal:
    """The signal with its workfields decided. Raises `Invalid` with every fault at once."""
    faults = Faults()
    _check_text("title", signal.title, MAX_TITLE, faults, required=True)
    _check_text("description", signal.description, MAX_DESCRIPTION, faults)
    for name, known in (("kind", Kind), ("visibility", Visibility), ("status", Status)):
        _check_code(name, getattr(signal, name), get_args(known), faults)
    if signal.scale is not None:
        _check_code("scale", signal.scale, get_args(Scale), faults)
    if not signal.themes:
        faults.add("body", "themes", "required", "Name at least one theme.")
    if signal.people_count is not None and not 0 < signal.people_count <= MAX_PEOPLE:
        faults.add("body", "peopleCount", "out-of-range", f"A number from 1 to {MAX_PEOPLE}, or nothing.")
    if signal.heard_on > today:
        faults.add("body", "heardOn", "date-in-future", "A signal has been heard already.")
    elif signal.heard_on.year < 2016:
        faults.add("body", "heardOn", "date-before-first-edition", "Regions are known from 2016-01-01 on.")
    await _check_codes(work, signal, faults)
    faults.raise_if_any()
    known_terms = await work.signals.routing()
    concerned, source = concerned_workfields(
        signal.workfields, signal.themes, known_terms.hints, known_terms.workfields
    )
    return replace(signal, concerned=concerned, workfields_source=source)


async def _check_codes(work: Work, signal: Signal, faults: Faults) -> None:
    for name, vocabulary, codes in (
        ("themes", "theme", signal.themes),
        ("workfields", "workfield", signal.workfields or ()),
        ("groups", "participant-group", signal.groups),
        ("channel", "channel", (signal.channel,) if signal.channel is not None else ()),
    ):
        if len(codes) > MAX_CODES:
            faults.add("body", name, "too-many", f"At most {MAX_CODES}.")
            continue
        unknown = await work.codes.unknown_terms(vocabulary, codes) if codes else set()
        for index, code in enumerate(codes):
            if code in unknown:
                location = name if name == "channel" else f"{name}[{index}]"
                faults.add(
                    "body", location, "unknown-code", f"There is no {vocabulary.replace('-', ' ')} with this code."
                )
    if not await work.codes.regions_on([signal.region], signal.heard_on):
        faults.add("body", "region", "unknown-code", "There is no region with this code on the day it was heard.")


def _check_code(name: str, value: str, known: Sequence[str], faults: Faults) -> None:
    if value not in known:
        faults.add("body", name, "unknown-code", f"One of {', '.join(known)}.")


def _check_text(name: str, value: str, longest: int, faults: Faults, *, required: bool = False) -> None:
    """Length, control characters, personal data: every free text passes here."""
    if required and not value.strip():
        faults.add("body", name, "required", "This cannot be empty.")
    if len(value) > longest:
        faults.add("body", name, "too-long", f"At most {longest} characters.")
    elif any((ord(c) < 32 and c not in "\n\r\t") or ord(c) == 127 for c in value):
        faults.add("body", name, "control-character", "Control characters are not accepted.")
    else:
        check_privacy({name: value}, faults)


def differences(before: Signal, after: Signal) -> dict[str, Any]:
    """Field → from, to, for what is different."""
    found = {}
    for item in fields(Signal):
        old, new = getattr(before, item.name), getattr(after, item.name)
        if item.compare and item.name != "version" and old != new:
            found[_camel(item.name)] = [_plain(old), _plain(new)]
    return found


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value.isoformat() if isinstance(value, date) else value
