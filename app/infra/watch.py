"""Watches the database from each process: is it there, of this release, and which version of the data does it hold?

One query every quarter of a second. Caches carry the version they were filled under; they are right as long as the
last look is fresh and its version is theirs.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import asyncpg
import structlog

from app.domain.library import Catalogue
from app.infra.database import AWAY, REFUSALS, Database, why_not
from app.infra.epochs import keep_epoch
from app.infra.reader import Signer
from migrations import revisions

EVERY_SECONDS = 0.25
FRESH_SECONDS = 1.0

_LOOK = "select (select max(version_num) from alembic_version), (select version from data_version)"
_CATALOGUE = """
select s.code, coalesce(array_agg(e.year order by e.year) filter (where e.year is not null), '{}') as years
from scheme s left join edition e on e.scheme = s.code group by s.code, s.rank order by s.rank
"""
_CURSOR_KEY = "select secret from instance_secret where name = 'cursor'"

log = structlog.get_logger()


class Watch:
    def __init__(self, database: Database, signer: Signer) -> None:
        self._database = database
        self._signer = signer
        self._kept_in_database = not signer.secret
        self._task: asyncio.Task[None] | None = None
        self._seen_at = 0.0
        self._version = 0
        self.catalogue = Catalogue({})
        self.problem: str | None = "The database has not been looked at yet."

    async def start(self) -> None:
        """Looks once, then keeps looking in the background."""
        await self.look()
        self._task = asyncio.create_task(self._keep_looking())

    async def stop(self) -> None:
        """Ends the background task."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    @property
    def version(self) -> int | None:
        """The version of the data, None when the last look is too old to trust a cache on."""
        fresh = self.problem is None and time.monotonic() - self._seen_at < FRESH_SECONDS
        return self._version if fresh else None

    async def look(self) -> None:
        """One look; `problem` says in plain words what is wrong, None when all is well."""
        try:
            try:
                problem = await self._timed()
            except TimeoutError:
                # It may be this process that slept (suspended, or busy with other work): then the database did answer,
                # and the clock was read before the answer was. Blame nobody after one look.
                problem = await self._timed()
            self._tell(problem)
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.InsufficientPrivilegeError):
            self._tell("The database has no tables of Knooppunt that this role may read. Run `knooppunt migrate`.")
        except (*AWAY, *REFUSALS, asyncpg.PostgresError) as error:
            self._tell(why_not(error))

    async def _timed(self) -> str | None:
        began = time.monotonic()
        async with asyncio.timeout(5):
            problem = await self._problem()
        self._seen_at = began
        return problem

    async def _problem(self) -> str | None:
        row = await self._database.pool.fetchrow(_LOOK)
        problem = _other_release(row[0] if row else None)
        if problem is None and row is not None and row[1] != self._version:
            await self._take(row[1])
        if problem is None and await keep_epoch(self._database.pool):  # a replica that took over keeps its connections
            log.warning("epoch-opened")
        if problem is None and not self.catalogue.editions:
            problem = "The reference data is not there yet. Run `knooppunt reference load`."
        return problem

    async def _take(self, version: int) -> None:
        rows = await self._database.pool.fetch(_CATALOGUE)
        if self._kept_in_database:
            self._signer.secret = await self._database.pool.fetchval(_CURSOR_KEY)
        self.catalogue = Catalogue({row["code"]: tuple(row["years"]) for row in rows}, version)
        self._version = version

    def _tell(self, problem: str | None) -> None:
        if problem != self.problem:
            if problem is None:
                log.info("database-ready")
            else:
                log.warning("database-not-ready", problem=problem)
        self.problem = problem

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - should this task ever end, the service would be blind for good
                log.error("watch-failed", error=error)  # noqa: TRY400 - without the message, see logs.py
                self._tell(why_not(error))


def _other_release(revision: str | None) -> str | None:
    known = revisions()
    if revision is None:
        return "The database is empty. Run `knooppunt migrate`."
    if revision not in known:
        return f"The database is newer than this release (revision {revision}). Install the newer release."
    if revision != known[-1]:
        return f"The database is older than this release (revision {revision}, wanted {known[-1]}). Run `knooppunt migrate`."
    return None
