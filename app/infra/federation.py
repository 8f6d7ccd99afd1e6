"""Takes over the changes of other instances: a step of the worker. Any number of workers may run it.

One session lock for each source keeps two from doing the same; should both think they have it, the cursor decides: a
page is written only where the page before it ended. Nothing is open in the database while the network is waited for.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import asyncpg
import structlog

from app.domain.errors import DomainError, Unavailable
from app.infra.database import AWAY, Database
from app.infra.federation_writes import Reading, apply, sweep
from app.infra.vocabulary import Vocabularies

if TYPE_CHECKING:
    from app.kit.feed import Page
    from app.kit.remote import Remote

LOCK_CLASS = 1_200_000
AT_ONCE = 4
PAGES_OF_A_TURN = 50
PAGE = 500
LONGEST_PAUSE_SECONDS = 300.0
ATTEMPTS, TRIED_SECONDS = 3, 20.0
MOST_ERROR = 300

_log = structlog.get_logger()

_DUE = "select id from source where not paused and next_at <= now() order by next_at limit $1"
_HUBS = "select h.slug, h.id from source_hub s join hub h on h.id = s.hub_id where s.source_id = $1"
_FAILED = """
update source set failures = failures + 1, error = $2, error_at = now(), next_at = now() + make_interval(secs => $3)
where id = $1"""
_DONE = """
update source set cursor = $2, received = received + $3, failures = 0, anew = anew and $4, told = told and $4,
  next_at = now() + make_interval(secs => $5), level_at = case when $4 then level_at else now() end
where id = $1"""
_ANEW = """
update source set cursor = null, anew = true, told = false, reading = reading + 1
where id = $1 and cursor is not distinct from $2"""


class Moved(Exception):
    """Another worker went on with this source, or it was removed or paused: nothing to do here."""


@dataclass(frozen=True, slots=True)
class Source:
    """As it stands before a page. The token is never part of what is shown."""

    id: int
    url: str
    cursor: str | None
    failures: int


class Federation:
    """`seconds` is how long a source that has nothing new is left alone."""

    def __init__(self, database: Database, seconds: float, today: Callable[[], date]) -> None:
        self._database = database
        self._seconds = seconds
        self._today = today
        self._remotes: dict[tuple[int, str, str | None], Remote] = {}

    async def step(self) -> bool:
        """Takes over what is due; true when there is more at once. Raises `Unavailable`."""
        async with self._working() as connection:
            due = [row["id"] for row in await connection.fetch(_DUE, AT_ONCE)]
        turns = await asyncio.gather(*(self._turn(source) for source in due), return_exceptions=True)
        for turn in turns:
            if isinstance(turn, BaseException):
                raise turn
        return any(turns)

    async def stop(self) -> None:
        """Lets go of connections to other instances."""
        for remote in self._remotes.values():
            await remote.client.aclose()
        self._remotes.clear()

    def _working(self) -> Any:
        return self._database.system()

    async def _turn(self, source: int) -> bool:
        """One source, when nobody else is at it."""
        try:
            connection = await self._database.pool.acquire(timeout=10)
        except AWAY as error:
            raise Unavailable("The database cannot be reached now.") from error
        try:
            if not await connection.fetchval("select pg_try_advisory_lock($1, $2)", LOCK_CLASS, source):
                return False
            try:
                return await self._pages(source)
            finally:
                with suppress(*AWAY):
                    await connection.fetchval("select pg_advisory_unlock($1, $2)", LOCK_CLASS, source)
        except BaseException:
            connection.terminate()  # should the lock be held still, it goes with the connection
            raise
        finally:
            with suppress(*AWAY):
                await self._database.pool.release(connection)

    async def _pages(self, source: int) -> bool:
        from app.kit.feed import StartAnew

        coming: asyncio.Task[Page] | None = None
        begun_anew = False
        try:
            for _ in range(PAGES_OF_A_TURN):
                standing, remote = await self._look(source)
                try:
                    page = await (coming or self._fetch(remote, standing.cursor))
                except StartAnew as error:
                    if begun_anew:
                        await self._failed(source, f"{error.code}: it refuses the cursor that it just gave")
                        return False
                    begun_anew = True
                    _log.warning("source-read-anew", source=source, why=error.code)
                    async with self._working() as connection:
                        await connection.execute(_ANEW, source, standing.cursor)
                    coming = None
                    continue
                # The next page is on its way while this one is written.
                coming = asyncio.create_task(self._fetch(remote, page.cursor)) if page.more else None
                await self._write(standing, page)
                if not page.more:
                    return False
            return True
        except Moved:
            return False
        except DomainError as error:
            if isinstance(error, Unavailable) and not error.extra.get("remote"):
                raise  # our own database: the worker bears with that
            await self._failed(source, f"{error.code}: {error.detail}")
            return False
        except asyncpg.PostgresError as error:  # something that no check foresaw; its message may hold content
            await self._failed(source, f"database: {type(error).__name__}")
            return False
        finally:
            if coming is not None:
                coming.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await coming

    async def _fetch(self, remote: Remote, cursor: str | None) -> Page:
        from app.kit import feed

        try:
            return await feed.page(remote, cursor, "signal", limit=PAGE)
        except Unavailable as error:
            error.extra = {"remote": True}
            raise

    async def _look(self, source: int) -> tuple[Source, Remote]:
        from app.kit.remote import Patience, Remote

        async with self._working() as connection:
            row = await connection.fetchrow(
                "select id, url, token, cursor, failures from source where id = $1 and not paused", source
            )
        if row is None:
            raise Moved
        key = (row["id"], row["url"], row["token"])
        if key not in self._remotes:
            patience = Patience(attempts=ATTEMPTS, total_seconds=TRIED_SECONDS, longest_wait=5.0)
            self._remotes[key] = Remote(row["url"], row["token"], patience=patience)
        return Source(row["id"], row["url"], row["cursor"], row["failures"]), self._remotes[key]

    async def _write(self, standing: Source, page: Page) -> None:
        """The page and where it leads, in one transaction. Raises `Moved` when somebody else went on from there."""
        async with self._working() as connection:
            row = await connection.fetchrow("select * from source where id = $1 and not paused for update", standing.id)
            if row is None or row["cursor"] != standing.cursor:
                raise Moved
            hubs = {each["slug"]: each["id"] for each in await connection.fetch(_HUBS, standing.id)}
            reading = Reading(standing.id, row["reading"], row["anew"], hubs)
            known = await Vocabularies(connection).now()
            count = await apply(connection, reading, page.items, known, self._today())
            if row["anew"] and not page.more:
                count += await sweep(connection, reading)
            await connection.execute(
                _DONE, standing.id, page.cursor, count, page.more, 0 if page.more else self._seconds
            )

    async def _failed(self, source: int, why: str) -> None:
        async with self._working() as connection:
            failures = await connection.fetchval("select failures from source where id = $1", source) or 0
            pause = min(self._seconds * 2 ** min(failures, 20), LONGEST_PAUSE_SECONDS) * random.uniform(0.5, 1)  # noqa: S311
            await connection.execute(_FAILED, source, why[:MOST_ERROR], pause)
        _log.warning("source-failed", source=source, why=why.partition(":")[0], failures=failures + 1)
