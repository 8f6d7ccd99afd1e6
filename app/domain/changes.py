"""The change log as its readers see it: every change once, in one order, and a cursor that says where they are."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, get_args

from app.domain.access import Actor
from app.domain.errors import Faults, Gone, Invalid
from app.domain.reading import Language, Pick

# What is logged, by the number in the log: a new type is one line here, and one in `KINDS` of `infra/changes.py`.
TYPES: Mapping[str, int] = {"signal": 1, "hub": 3, "reference-data": 4, "question": 5, "bundle": 7}

Op = Literal["upsert", "delete", "hidden"]
OPS: Mapping[str, int] = {name: number for number, name in enumerate(get_args(Op), 1)}

DEFAULT_CHANGES = 200
MOST_CHANGES = 1_000
LONGEST_WAIT_SECONDS = 30
LONGEST_STREAM_SECONDS = 3_600  # then the reader comes back, and shows his token again
STREAM_CHANGES = 100  # of one look in a stream: what a slow reader keeps in memory

Place = tuple[int, int, int]
"""A position in the log: epoch, transaction, number. Positions order the stream, versions order a resource."""

RESYNC = (
    "Read from the beginning, without cursor. Every resource that you may see comes again with its present version; "
    "whatever you hold that did not come again is gone."
)


@dataclass(frozen=True, slots=True)
class Pull:
    """What a reader asks of the log. `picks` are the members of an entry, `resources` what to show of the changed
    resource of each type (none: without). `since` counts without a cursor alone. `values` are those that picks name.
    """

    picks: tuple[Pick, ...]
    types: tuple[str, ...] = tuple(TYPES)
    cursor: str | None = None
    since: datetime | None = None
    limit: int = DEFAULT_CHANGES
    resources: tuple[tuple[str, tuple[Pick, ...]], ...] = ()
    values: tuple[Any, ...] = ()
    language: Language = "nl"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry for a stream: its JSON, and the cursor after it."""

    body: str
    cursor: str


@dataclass(frozen=True, slots=True)
class Page:
    """`items` is JSON text of `count` entries. `cursor` leads on from here, also when nothing is there yet; `seen` is up
    to where in the log this page looked."""

    items: bytes
    count: int
    cursor: str
    more: bool
    seen: Place
    entries: tuple[Entry, ...] = ()


class ChangeLog(Protocol):
    """The port of the log."""

    async def page(self, actor: Actor, pull: Pull, *, apart: bool = False) -> Page:
        """The entries after the cursor that this actor may see; with `apart` one by one, for a stream.

        Raises `Invalid` for a cursor that is not this reader's, `Gone` for one that is too old, `Unavailable`.
        """
        ...


class Waiting(Protocol):
    """One reader who waits."""

    async def news(self, actor: Actor, types: Sequence[str], seen: Place, seconds: float) -> bool:
        """True when something that may concern the actor was logged after `seen`; False when the time is up, when the
        reader left or when the service stops (`over`)."""
        ...

    @property
    def over(self) -> bool:
        """Nothing is to be waited for any more."""
        ...


def checked_types(given: str | Sequence[str] | None, where: str, faults: Faults) -> tuple[str, ...]:
    """The types asked for, in one order whatever the order given; all when none are."""
    if given is None:
        return tuple(TYPES)
    names = [name.strip() for name in given.split(",")] if isinstance(given, str) else list(given)
    if not names or any(name not in TYPES for name in names):
        faults.add(where, "types", "unknown-code", f"Types are some of {', '.join(TYPES)}.")
        return tuple(TYPES)
    return tuple(name for name in TYPES if name in names)


def checked(pull: Pull, now: datetime, where: str = "query") -> Pull:
    """The pull, when it can be asked. Raises `Invalid`."""
    faults = Faults()
    if not 1 <= pull.limit <= MOST_CHANGES:
        faults.add(where, "limit", "out-of-range", f"From 1 to {MOST_CHANGES} changes at a time.")
    if pull.cursor is not None and pull.since is not None:
        faults.add(where, "since", "not-applicable", "A cursor says already where to go on: give one of the two.")
    if pull.since is not None and pull.since > now + timedelta(minutes=1):
        faults.add(where, "since", "date-in-future", "This time has not come yet.")
    faults.raise_if_any()
    return pull


async def pull_changes(log: ChangeLog, actor: Actor, pull: Pull, waiting: Waiting | None, wait: float = 0) -> Page:
    """A page of changes; where there are none, the first that come within `wait` seconds.

    Nothing is held meanwhile: no connection, no transaction. Raises as `ChangeLog.page`.
    """
    page = await log.page(actor, pull)
    ends = time.monotonic() + wait
    while waiting is not None and page.count == 0 and not waiting.over:
        left = ends - time.monotonic()
        if not page.more and (left <= 0 or not await waiting.news(actor, pull.types, page.seen, left)):
            break
        pull = replace(pull, cursor=page.cursor, since=None)
        page = await log.page(actor, pull)
    return page


async def follow_changes(
    log: ChangeLog, actor: Actor, pull: Pull, waiting: Waiting, heartbeat: float
) -> AsyncIterator[Page]:
    """Pages without end, entries apart; an empty one every `heartbeat` seconds in which nothing happens.

    The next page is read when the reader took the one before: who is slow costs no memory. Ends when the waiting is over,
    and after an hour.
    """
    ends = time.monotonic() + LONGEST_STREAM_SECONDS
    while not waiting.over and time.monotonic() < ends:
        page = await log.page(actor, pull, apart=True)
        yield page
        pull = replace(pull, cursor=page.cursor, since=None)
        while not page.more and not waiting.over and time.monotonic() < ends:
            if await waiting.news(actor, pull.types, page.seen, heartbeat):
                break
            if not waiting.over:
                yield replace(page, items=b"[]", count=0, entries=())


__all__ = ["Gone", "Invalid", "Page", "Pull", "checked", "follow_changes", "pull_changes"]
