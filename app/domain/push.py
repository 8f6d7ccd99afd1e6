"""Pushing by a hub's own ids, whatever the noun: items in, a result for each in order, and what becomes of a batch.

An item says how a resource must be, or that it must go. The same item again changes nothing, so that a hub may send
everything once more after a break. `app/domain/signal_push.py` has what is special to signals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from uuid import UUID

from app.domain.access import Actor
from app.domain.errors import DomainError, Fault, Forbidden, Invalid, NotFound, Stale
from app.domain.versions import ANY_VERSION
from app.domain.work import Work

Mode = Literal["partial", "atomic"]
Outcome = Literal["created", "updated", "unchanged", "deleted", "refused"]
MAX_ITEMS = 1_000
NEW = 0
"""As the version of an item: there must be nothing yet under its id."""
NOT_CARRIED_OUT = "not-carried-out"


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


_PLACE = {"stale-version": "version", "transition-not-allowed": "status", "follow-up-needed": "status"}


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
