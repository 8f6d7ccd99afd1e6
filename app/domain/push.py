"""Pushing by a hub's own ids, whatever the noun: items in, a result for each in order, and what becomes of a batch.

An item says how a resource must be, or that it must go. The same item again changes nothing, so that a hub may send
everything once more after a break. `signal_push.py` and `question_push.py` have what is special to each.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, Protocol, TypeVar
from uuid import UUID

from app.domain.access import Actor
from app.domain.checking import check_external_id
from app.domain.errors import Conflict, DomainError, Fault, Faults, Forbidden, Invalid, NotFound, Stale
from app.domain.versions import ANY_VERSION
from app.domain.work import Work

Mode = Literal["partial", "atomic"]
Outcome = Literal["created", "updated", "unchanged", "deleted", "refused"]
MAX_ITEMS = 1_000
NEW = 0
"""As the version of an item: there must be nothing yet under its id."""
NOT_CARRIED_OUT = "not-carried-out"
AT_A_TIME = 25
"""Items planned before others get their turn: checking the texts of a thousand takes a tenth of a second."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a hub pushes.

    `content` is the whole resource as it must be, by the names of the domain; None takes it away. `version` is the one
    that it is based on: `NEW`, `ANY_VERSION`, or None for whatever is there. `external_id` is None
    where it could not be read, and `faults` are those of form that the door found: such an item is refused.
    """

    external_id: str | None
    content: Mapping[str, Any] | None = None
    version: int | None = None
    faults: Sequence[Fault] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an item. `version` is that of what is there now; `conflict` says what stood in the way:
    `allowed` steps, or the `current` and the `given` content."""

    external_id: str | None
    id: UUID | None
    version: int | None
    result: Outcome
    errors: Sequence[Fault] = ()
    conflict: Mapping[str, Any] = field(default_factory=dict)


class Kept(Protocol):
    """What is there under an id."""

    @property
    def id(self) -> UUID: ...

    @property
    def version(self) -> int: ...


class Planned(Protocol):
    """A planned change, with what is there `after` it (or was, at its last version)."""

    @property
    def after(self) -> Kept: ...


K = TypeVar("K", bound=Kept)
W = TypeVar("W", bound=Planned)


@dataclass(frozen=True, slots=True)
class Rules(Generic[K, W]):
    """What a noun makes of an item: `changed` gives None where nothing changes. Each raises what refuses the item."""

    content_of: Callable[[K], Mapping[str, Any]]
    created: Callable[[Item, Mapping[str, Any]], W]
    changed: Callable[[Item, Mapping[str, Any], K], W | None]
    deleted: Callable[[K], W]


async def plan_all(
    items: Sequence[Item], present: Mapping[str, K], rules: Rules[K, W], mode: Mode
) -> tuple[list[Result], list[W]]:
    """A result for each item, in order, and what is to be written. Raises `BatchRefused`."""
    results: list[Result] = []
    writes: list[W] = []
    for place, item in enumerate(items):
        if place % AT_A_TIME == AT_A_TIME - 1:
            await asyncio.sleep(0)
        there = present.get(item.external_id or "")
        try:
            write = _planned(item, there, rules)
        except DomainError as error:
            results.append(refused(item, error, *_place(there)))
            continue
        results.append(_result(item, there, write))
        if write is not None:
            writes.append(write)
    settle(results, mode)
    return results, writes


def plan_one(item: Item, present: Mapping[str, K], rules: Rules[K, W], not_there: str) -> tuple[Result, list[W]]:
    """As `plan_all`, of one item. Raises what refuses it, and `NotFound` when what must go is not there."""
    there = present.get(item.external_id or "")
    if item.content is None and there is None and not item.faults:
        raise NotFound(not_there)
    write = _planned(item, there, rules)
    return _result(item, there, write), [] if write is None else [write]


def _planned(item: Item, present: K | None, rules: Rules[K, W]) -> W | None:
    if item.faults:
        raise Invalid(item.faults)
    if item.content is None:
        if present is None:
            return None
        check_wish(item.version, present.version, rules.content_of(present))
        return rules.deleted(present)
    if present is None:
        check_wish(item.version, None)
        return rules.created(item, item.content)
    return rules.changed(item, item.content, present)


def _result(item: Item, present: Kept | None, write: Planned | None) -> Result:
    if write is None:
        return Result(item.external_id, *_place(present), "unchanged")
    outcome: Outcome = "deleted" if item.content is None else "created" if present is None else "updated"
    return Result(item.external_id, *_place(write.after), outcome)


def _place(kept: Kept | None) -> tuple[UUID | None, int | None]:
    return (None, None) if kept is None else (kept.id, kept.version)


def checked_id(item: Item) -> Item:
    """The item, without an id that cannot be one: it is not said back either."""
    faults = Faults()
    if item.external_id is not None:
        check_external_id(item.external_id, faults)
    return replace(item, external_id=None, faults=(*item.faults, *faults.found)) if faults.found else item


def steps(transitions: Mapping[str, Sequence[str]], noun: str, status: str, to: str) -> tuple[str, ...]:
    """The steps that lead from one status to another, none when it is that already. Raises `Conflict`."""
    ways: list[tuple[str, ...]] = [()]
    for way in ways:
        here = way[-1] if way else status
        if here == to:
            return way
        ways += [(*way, after) for after in transitions[here]]
    further = sorted({step for way in ways for step in way}, key=list(transitions).index)
    options = ", ".join(further) or "none"
    raise Conflict(
        f"A {noun} that is {status} cannot become {to}. It can stay {status}, or become: {options}.",
        code="transition-not-allowed",
        allowed=[status, *further],
    )


async def check_pusher(work: Work, actor: Actor, slug: str) -> None:
    """Raises `NotFound` where there is no such hub, `Forbidden` where it is another's."""
    if actor.role == "hub" and actor.hub == slug:
        return
    if not await work.hubs.exists(slug):
        raise NotFound("There is no hub with this slug.")
    raise Forbidden("A hub pushes what is its own.")


def check_wish(wish: int | None, present: int | None, current: object = None, given: object = None) -> None:
    """Raises `Stale`, with both contents, when an item is based on another version than is there (None: nothing)."""
    if wish is None or wish == (present or NEW) or (wish == ANY_VERSION and present):
        return
    if present is None:
        error = Stale("There is nothing under this external id. Leave the version out to create it.", current=NEW)
    elif wish == NEW:
        error = Stale(f"There is something under this external id already, at version {present}.", current=present)
    else:
        error = Stale(f"It is at version {present} now. Compare, and push again based on that.", current=present)
    error.extra = {"current": current, "given": given}
    raise error


def doubled(items: Sequence[Item]) -> list[Item]:
    """The items, with a fault on those that have one external id together: which of them is meant cannot be told."""
    count = Counter(item.external_id for item in items if item.external_id is not None)
    fault = Fault(
        "body", "externalId", "repeated-external-id", "Another item of this batch has the same external id; send one."
    )
    return [
        replace(item, faults=(*item.faults, fault))
        if item.external_id is not None and count[item.external_id] > 1
        else item
        for item in items
    ]


def refused(item: Item, error: DomainError, found: UUID | None = None, version: int | None = None) -> Result:
    """The result of an item that was not carried out. The refused values are no part of it."""
    if isinstance(error, Invalid):
        return Result(item.external_id, found, version, "refused", tuple(error.faults))
    fault = Fault("body", _PLACE.get(error.code, ""), error.code, error.detail)
    return Result(item.external_id, found, version, "refused", (fault,), error.extra)


_PLACE = {
    "stale-version": "version", "transition-not-allowed": "status", "follow-up-needed": "status", "outcome-needed": "outcome",
    "outcome-too-early": "outcome", "achieved-needed": "levels.achieved", "achieved-too-early": "levels.achieved",
    "promise-fixed": "levels",
}  # fmt: skip


def settle(results: Sequence[Result], mode: Mode) -> None:
    """Raises what undoes a batch of which all or nothing was asked: every fault at once, and the results as `results`.

    Items that were fine are refused as well then, because they were not carried out.
    """
    if mode == "partial" or all(result.result != "refused" for result in results):
        return
    fault = Fault("body", "", NOT_CARRIED_OUT, "Another item of this batch is refused, and none was carried out.")
    told = [r if r.result == "refused" else replace(r, result="refused", errors=(fault,)) for r in results]
    faults = [
        replace(fault, location=f"items[{place}].{fault.location}".rstrip("."))
        for place, result in enumerate(results)
        if result.result == "refused"
        for fault in result.errors
    ]
    count = sum(result.result == "refused" for result in results)
    detail = f"{count} of {len(results)} items refused, so nothing was carried out; see results."
    raise BatchRefused(faults, detail, told)


class BatchRefused(Invalid):
    """A batch of all or nothing of which an item was refused. `results` has one for each item, in order."""

    def __init__(self, faults: Sequence[Fault], detail: str, results: Sequence[Result]) -> None:
        super().__init__(faults, detail, code="batch-refused")
        self.results = results
