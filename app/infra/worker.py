"""Background work: a list of steps that take turns. Any number of processes may run it; a PostgreSQL lock that is tried,
not waited for, keeps two from doing the same step at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from app.domain.access import Actor
from app.domain.errors import DomainError
from app.infra import rollup
from app.infra.database import Database
from app.infra.federation import Federation

_log = structlog.get_logger()
SYSTEM = Actor()
"""What a step does for itself needs no rights of a reader: the functions it calls have their own."""


@dataclass(frozen=True, slots=True)
class Step:
    """`act` does a part of the work and says whether there is more; `seconds` is the rest after it when there is not."""

    name: str
    act: Callable[[], Awaitable[bool]]
    seconds: float


def steps(database: Database, federation: Federation) -> list[Step]:
    """Everything that the worker does."""

    async def fold() -> bool:
        async with database.transaction(SYSTEM) as connection:
            # Far behind, after a load, one turn may take longer than a reader would be allowed.
            await connection.execute("set local statement_timeout = '60s'")
            return await rollup.fold(connection) >= rollup.MOST_AT_ONCE

    return [Step("fold-counts", fold, 0.25), Step("pull-sources", federation.step, 1.0)]


class Worker:
    """Runs the steps until it is stopped. A step that fails is told and tried again; the others go on."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begins in the background."""
        self._tasks = [asyncio.create_task(self._keep(step)) for step in self._steps]

    async def stop(self) -> None:
        """Ends; what is under way is undone by its transaction."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def run(self) -> None:
        """Runs until cancelled."""
        await self.start()
        await asyncio.gather(*self._tasks)

    async def _keep(self, step: Step) -> None:
        failed = 0
        while True:
            more = False
            try:
                more = await step.act()
                failed = 0
            except DomainError as error:  # the database is away, or not of this release: it may be there in a moment
                failed += 1
                if failed == 1:
                    _log.warning("step-failed", step=step.name, why=error.detail)
            except Exception as error:  # noqa: BLE001 - one step must not end the others
                failed += 1
                if failed == 1:
                    _log.error("step-failed", step=step.name, exc_info=error)
            if not more:
                await asyncio.sleep(step.seconds * min(2**failed, 40))
