"""Bundles: signals of several hubs gathered into one national matter, which is then answered in one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, get_args
from uuid import UUID

from app.domain.access import Actor
from app.domain.errors import Conflict, Faults, Forbidden, NotFound
from app.domain.signal_rules import MAX_DESCRIPTION, MAX_TITLE, check_text
from app.domain.versions import check_version
from app.domain.work import Work

BundleStatus = Literal["open", "in-progress", "answered", "closed"]
BundleVisibility = Literal["network", "public"]

# From each status to those that may follow it. An answer may be taken up again; what is closed stays closed.
TRANSITIONS: dict[str, tuple[str, ...]] = {
    "open": ("in-progress", "answered", "closed"),
    "in-progress": ("open", "answered", "closed"),
    "answered": ("in-progress", "closed"),
    "closed": (),
}
# Nothing ends without a word to those who spoke up.
ANSWERED = ("answered", "closed")
MAX_SIGNALS = 200
NOT_THERE = "There is no bundle with this id, or it is not yours to see."
NO_SIGNAL = "There is no signal with this id, or it is not yours to see."


@dataclass(frozen=True, slots=True)
class Bundle:
    """A national matter. `umbrella` is whose it is, None the national coordination's."""

    id: UUID
    title: str
    summary: str
    umbrella: str | None = None
    status: str = "open"
    response: str | None = None
    visibility: str = "network"
    version: int = 1


class Bundles(Protocol):
    async def get(self, bundle_id: UUID) -> Bundle | None:
        """Locks the row of the actor's own bundle; None for any other."""
        ...

    async def seen(self, bundle_id: UUID) -> bool:
        """Whether this actor may see it."""
        ...

    async def add(self, bundle: Bundle) -> None: ...

    async def change(self, bundle: Bundle) -> None:
        """Writes it as the next version."""
        ...

    async def remove(self, bundle_id: UUID) -> None: ...

    async def signals(self, bundle_id: UUID) -> set[UUID]:
        """The signals in it that the actor may see."""
        ...

    async def shared(self, ids: Sequence[UUID]) -> set[UUID]:
        """Those of these signals that are verified and that the actor may see."""
        ...

    async def put_signals(self, bundle_id: UUID, ids: Sequence[UUID]) -> None: ...

    async def remove_signal(self, bundle_id: UUID, signal_id: UUID) -> None: ...


def may_bundle(actor: Actor) -> bool:
    """Umbrellas bundle, and the national coordination."""
    return actor.role in ("umbrella", "national")


async def create_bundle(work: Work, actor: Actor, bundle: Bundle, signals: Sequence[UUID]) -> UUID:
    """Adds a bundle of the acting umbrella or the national coordination. Raises `Forbidden`, `Invalid`."""
    if not may_bundle(actor):
        raise Forbidden("A bundle is made by an umbrella or by the national coordination.")
    bundle = replace(bundle, umbrella=actor.umbrella)
    ids = tuple(dict.fromkeys(signals))
    faults = _faults(bundle)
    if len(ids) > MAX_SIGNALS:
        faults.add("body", "signals", "too-many", f"At most {MAX_SIGNALS}.")
    else:
        there = await work.bundles.shared(ids)
        for index, signal_id in enumerate(signals):
            if signal_id not in there:
                faults.add("body", f"signals[{index}]", "unknown-code", NO_SIGNAL)
    faults.raise_if_any()
    await work.bundles.add(bundle)
    await work.bundles.put_signals(bundle.id, ids)
    return bundle.id


async def change_bundle(work: Work, actor: Actor, bundle_id: UUID, changes: dict[str, Any], version: int | None) -> int:
    """Changes the given fields; the new version comes back. Raises `NotFound`, `Forbidden`, `Stale`, `Conflict`, `Invalid`."""
    present = await _own(work, actor, bundle_id, version)
    changed = replace(present, **changes)
    if changed == present:
        return present.version
    _check_open(present)
    _faults(changed).raise_if_any()
    await work.bundles.change(changed)
    return present.version + 1


async def step_bundle(
    work: Work, actor: Actor, bundle_id: UUID, to: str, response: str | None, version: int | None
) -> int:
    """Brings a bundle to another status; answered and closed need a response. Raises as `change_bundle`."""
    present = await _own(work, actor, bundle_id, version)
    faults = Faults()
    if to not in TRANSITIONS:
        faults.add("body", "to", "unknown-code", f"One of {', '.join(TRANSITIONS)}.")
    if response is not None:
        check_text("response", response, MAX_DESCRIPTION, faults)
    words = present.response if response is None else response
    if to in ANSWERED and not (words or "").strip():
        faults.add("body", "response", "required", "Say what the answer is to those who spoke up.")
    faults.raise_if_any()
    allowed = TRANSITIONS[present.status]
    if to not in allowed:
        options = ", ".join(allowed) or "none"
        raise Conflict(
            f"A bundle that is {present.status} cannot become {to}. Allowed from here: {options}.",
            code="transition-not-allowed",
            allowed=list(allowed),
        )
    await work.bundles.change(replace(present, status=to, response=words))
    return present.version + 1


async def put_bundled(work: Work, actor: Actor, bundle_id: UUID, signal_id: UUID, version: int | None) -> int:
    """Puts a verified signal that the actor may see in the bundle; it may be in others too. Raises as `change_bundle`."""
    present = await _own(work, actor, bundle_id, version)
    if signal_id not in await work.bundles.shared([signal_id]):
        raise NotFound(NO_SIGNAL)
    held = await work.bundles.signals(bundle_id)
    if signal_id in held:
        return present.version
    _check_open(present)
    if len(held) >= MAX_SIGNALS:
        raise Conflict(f"A bundle holds at most {MAX_SIGNALS} signals.", code="bundle-full")
    await work.bundles.put_signals(bundle_id, [signal_id])
    await work.bundles.change(present)
    return present.version + 1


async def remove_bundled(work: Work, actor: Actor, bundle_id: UUID, signal_id: UUID, version: int | None) -> int:
    """Takes a signal out of the bundle. Raises as `change_bundle`."""
    present = await _own(work, actor, bundle_id, version)
    if signal_id not in await work.bundles.signals(bundle_id):
        raise NotFound("This signal is not in the bundle.")
    _check_open(present)
    await work.bundles.remove_signal(bundle_id, signal_id)
    await work.bundles.change(present)
    return present.version + 1


async def delete_bundle(work: Work, actor: Actor, bundle_id: UUID, version: int | None) -> None:
    """Removes a bundle, in whatever status; its signals stay as they are. Raises as `change_bundle`."""
    await _own(work, actor, bundle_id, version)
    await work.bundles.remove(bundle_id)


async def _own(work: Work, actor: Actor, bundle_id: UUID, version: int | None) -> Bundle:
    """The bundle, locked, when it is the actor's own."""
    present = await work.bundles.get(bundle_id) if may_bundle(actor) else None
    if present is None:
        if not await work.bundles.seen(bundle_id):
            raise NotFound(NOT_THERE)
        raise Forbidden("A bundle is changed by the one who made it.")
    check_version(version, present.version)
    return present


def _check_open(bundle: Bundle) -> None:
    if bundle.status == "closed":
        raise Conflict("A closed bundle does not change any more.", code="bundle-ended")


def _faults(bundle: Bundle) -> Faults:
    faults = Faults()
    check_text("title", bundle.title, MAX_TITLE, faults, required=True)
    check_text("summary", bundle.summary, MAX_DESCRIPTION, faults)
    if bundle.visibility not in get_args(BundleVisibility):
        faults.add("body", "visibility", "unknown-code", f"One of {', '.join(get_args(BundleVisibility))}.")
    return faults
