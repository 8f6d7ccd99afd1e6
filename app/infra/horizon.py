"""Wakes those who wait for changes: one look at the log every tenth of a second for a whole process, however many wait.

`pg_notify` inside the writing transactions would take their speed (20 writers: from 9,700 a second to 3,100). What the
look brings is for whom the new entries are, so that a change of one hub does not wake the readers of all others.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import structlog

from app.domain.access import Actor
from app.domain.changes import TYPES, Place
from app.domain.errors import Unavailable
from app.infra.database import AWAY, IN_THE_WAY, OTHER_SCHEMA, REFUSALS, Database

EVERY_SECONDS = 0.1
REMEMBERED = 600  # looks that brought something: who begins to wait asks what came while he was on his way
PUBLIC, NETWORK, NATIONAL = 1, 2, 1 << 30

_LOOK = "select * from change_news($1, $2, $3)"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class News:
    """Whom the entries up to `place` are for: bits of readers, umbrellas, hubs; and their types, as numbers."""

    place: Place
    audience: int
    umbrellas: frozenset[str]
    hubs: frozenset[str]
    types: frozenset[int]

    def concerns(self, actor: Actor, types: frozenset[int]) -> bool:
        """Whether this reader may see one of them. Too often is harmless, too seldom is not."""
        if self.types.isdisjoint(types):
            return False
        mask = PUBLIC | (NETWORK if actor.role in ("hub", "national") else 0)
        mask |= NATIONAL if actor.role == "national" else 0
        return bool(self.audience & mask) or actor.hub in self.hubs or actor.umbrella in self.umbrellas


@dataclass(eq=False, slots=True)
class Waiter:
    """One who waits: `told` is set to True by news, to False by whoever has another reason to wake him."""

    actor: Actor
    types: frozenset[int]
    told: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def tell(self, news: bool) -> None:
        if not self.told.done():
            self.told.set_result(news)


class Horizon:
    """`age` says for how many seconds some transaction has held the log back."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._task: asyncio.Task[None] | None = None
        self._waiters: set[Waiter] = set()
        self._recent: deque[News] = deque(maxlen=REMEMBERED)
        self._place: Place | None = None
        self._forgotten: Place | None = None
        self._held = (0, 0.0)
        self.closed = False

    async def start(self) -> None:
        self._task = asyncio.create_task(self._keep_looking())

    async def stop(self) -> None:
        """Nobody waits any more."""
        self.closed = True
        for waiter in list(self._waiters):
            waiter.tell(False)
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return len(self._waiters)

    @property
    def age(self) -> float:
        """Seconds for which the horizon has stood still while later transactions began; 0 when nothing holds it."""
        return time.monotonic() - self._held[1] if self._held[1] else 0.0

    def wait(self, actor: Actor, types: Sequence[str], seen: Place) -> Waiter:
        """Begins to wait for what is logged after `seen`; leave it with `leave`."""
        waiter = Waiter(actor, frozenset(TYPES[name] for name in types))
        if self.closed:
            waiter.tell(False)
        elif self._place is None or (self._forgotten is not None and self._forgotten >= seen):
            waiter.told.get_loop().call_later(
                EVERY_SECONDS, waiter.tell, True
            )  # it may have come meanwhile: look again
        elif any(news.place > seen and news.concerns(actor, waiter.types) for news in self._recent):
            waiter.tell(True)
        self._waiters.add(waiter)
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """Ends a waiting."""
        self._waiters.discard(waiter)

    async def look(self) -> None:
        """One look; wakes whom it concerns."""
        row: Any = await self._database.row(_LOOK, *(self._place or (None, None, None)))
        self._keep_time(row["horizon"], row["ahead"])
        if row["epoch"] is None:
            return
        place = (row["epoch"], row["xact_id"], row["seq"])
        if self._place is None:
            self._place = place
            return
        self._place = place
        hubs, umbrellas = frozenset(row["hubs"]), frozenset(row["umbrellas"])
        news = News(place, row["audience"] or 0, umbrellas, hubs, frozenset(row["types"]))
        if len(self._recent) == REMEMBERED:
            self._forgotten = self._recent[0].place
        self._recent.append(news)
        for waiter in self._waiters:
            if news.concerns(waiter.actor, waiter.types):
                waiter.tell(True)

    def _keep_time(self, horizon: int, ahead: int) -> None:
        if horizon == ahead:
            self._held = (horizon, 0.0)
        elif self._held[0] != horizon or not self._held[1]:
            self._held = (horizon, time.monotonic())

    async def _keep_looking(self) -> None:
        while True:
            try:
                await self.look()
                await asyncio.sleep(EVERY_SECONDS)
            except (Unavailable, *AWAY, *REFUSALS, *OTHER_SCHEMA, *IN_THE_WAY, asyncpg.PostgresError):
                await asyncio.sleep(1)  # the watch says what is wrong
            except Exception as error:  # noqa: BLE001 - should this task ever end, nobody would be woken for good
                log.error("horizon-failed", error=error)  # noqa: TRY400 - without the message, see logs.py
                await asyncio.sleep(1)
