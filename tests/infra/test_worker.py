"""The worker: its steps go on whatever one of them does, and the counts follow the log by themselves."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from app.api.asking import today
from app.domain.errors import Unavailable
from app.infra.database import Database
from app.infra.federation import Federation
from app.infra.rollup import differences
from app.infra.worker import Step, Worker, steps


@pytest.fixture(scope="module")
def place(fresh):
    return fresh("worker")


async def test_a_step_that_fails_is_tried_again_and_keeps_no_other_from_working():
    calls, done = [], asyncio.Event()

    async def fails():
        calls.append("fails")
        if calls.count("fails") == 3:
            done.set()
        raise (Unavailable("away") if len(calls) % 2 else ValueError("wrong"))

    async def works():
        calls.append("works")
        return False

    worker = Worker([Step("fails", fails, 0), Step("works", works, 0)])
    await worker.start()
    await done.wait()
    await worker.stop()
    assert calls.count("works") > 1


async def test_the_counts_follow_the_log_by_themselves(place):
    owner = await asyncpg.connect(place.owner)
    behind = "select count(*) from change c, count_state p where (c.epoch, c.xact_id) >= (p.epoch, p.xact_id)"
    assert await owner.fetchval(behind) > 0, "the demonstration network was written after the migrations"
    database = Database(place.service, size=2)
    await database.open()
    worker = Worker(steps(database, Federation(database, 5.0, today)))
    await worker.start()
    while await owner.fetchval(behind):  # noqa: ASYNC110 - it is the database that tells
        await asyncio.sleep(0.05)
    await worker.stop()
    await database.close()
    assert await differences(owner) == []
    assert await owner.fetchval("select sum(n) from count_cell") > 300
    await owner.close()
