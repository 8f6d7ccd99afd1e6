"""Who is woken, by one look for all: those whom new entries concern, also when they began to wait a moment too late."""

from __future__ import annotations

import asyncio
import uuid

import asyncpg
import pytest

from app.domain.access import Actor
from app.infra import horizon as module
from app.infra.database import Database
from app.infra.horizon import Horizon

ADD = """
insert into change (epoch, xact_id, type, resource_id, version, op, audience, hub_id, owner_hub)
values ((select max(id) from epoch), pg_current_xact_id()::text::bigint, $1, $2, 1, 1,
  $3 | coalesce(umbrella_bit($4), 0), (select id from hub where slug = $5), 1)
"""
READERS = {
    "own": Actor("hub", "groningen"), "other": Actor("hub", "limburg"), "mind": Actor("umbrella", None, "mind"),
    "iederin": Actor("umbrella", None, "iederin"), "national": Actor("national"), "admin": Actor("admin"), "anyone": Actor(),
}  # fmt: skip


@pytest.fixture
async def place(fresh):
    return await asyncio.to_thread(fresh, f"horizon_{uuid.uuid4().hex[:8]}")


@pytest.fixture
async def owner(place):
    connection = await asyncpg.connect(place.owner)
    yield connection
    await connection.close()


@pytest.fixture
async def horizon(place):
    database = Database(place.service, size=2)
    await database.open()
    found = Horizon(database)
    await found.look()
    yield found
    await found.stop()
    await database.close()


async def add(owner, type_=1, audience=0, umbrella=None, hub="groningen"):
    await owner.execute(ADD, type_, uuid.uuid4(), audience, umbrella, hub)


def told(waiters):
    return {name for name, waiter in waiters.items() if waiter.told.done() and waiter.told.result()}


EVERYONE = set(READERS)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({}, {"own"}),
        ({"audience": 2}, {"own", "other", "national"}),
        ({"audience": 2, "umbrella": "mind"}, {"own", "other", "national", "mind"}),
        ({"audience": 3, "hub": None}, EVERYONE),
        ({"audience": 1, "hub": None}, EVERYONE),
        ({"audience": 1 << 30, "hub": None}, {"national"}),
        ({"umbrella": "iederin", "hub": None}, {"iederin"}),
    ],
    ids=lambda value: " ".join(map(str, sorted(value.items() if isinstance(value, dict) else value))),
)
async def test_those_whom_a_change_concerns_are_woken_and_nobody_else(horizon, owner, entry, expected):
    waiters = {name: horizon.wait(actor, ("signal",), horizon._place) for name, actor in READERS.items()}
    others = horizon.wait(READERS["own"], ("hub", "reference-data"), horizon._place)
    await add(owner, **entry)
    await horizon.look()
    assert told(waiters) == expected
    assert not others.told.done(), "of another type"


async def test_a_change_that_is_not_final_wakes_nobody_yet(horizon, place, owner):
    waiter = horizon.wait(READERS["own"], ("signal",), horizon._place)
    earlier = await asyncpg.connect(place.owner)
    transaction = earlier.transaction()
    await transaction.start()
    await earlier.execute("select pg_current_xact_id()")
    await add(owner)
    await horizon.look()
    assert not waiter.told.done()
    await horizon.look()
    assert horizon.age > 0
    await transaction.commit()
    await earlier.close()
    # Transactions of other tests on this server may hold it a little longer.
    async with asyncio.timeout(20):
        while not waiter.told.done():
            await horizon.look()
            await asyncio.sleep(0.02)
    assert waiter.told.result()


async def test_who_begins_to_wait_too_late_is_told_what_came_meanwhile(horizon, owner):
    before = horizon._place
    await add(owner)
    async with asyncio.timeout(20):
        while horizon._place == before:
            await horizon.look()
    assert told({"own": horizon.wait(READERS["own"], ("signal",), before)}) == {"own"}
    assert told({"mind": horizon.wait(READERS["mind"], ("signal",), before)}) == set()
    assert told({"own": horizon.wait(READERS["own"], ("signal",), horizon._place)}) == set()


async def test_what_is_no_longer_remembered_is_looked_up_again(horizon, owner, monkeypatch):
    before = horizon._place
    horizon._recent = module.deque(maxlen=2)
    monkeypatch.setattr(module, "REMEMBERED", 2)
    async with asyncio.timeout(30):
        for _ in range(3):
            place = horizon._place
            await add(owner)
            while horizon._place == place:
                await horizon.look()
    waiter = horizon.wait(READERS["mind"], ("signal",), before)
    async with asyncio.timeout(20):
        assert await waiter.told


async def test_the_end_of_the_service_wakes_everybody_and_nobody_waits_afterwards(horizon):
    waiter = horizon.wait(READERS["own"], ("signal",), horizon._place)
    await horizon.stop()
    assert waiter.told.result() is False
    assert horizon.wait(READERS["own"], ("signal",), horizon._place).told.result() is False


async def test_since_finds_the_first_change_at_or_after_a_time_also_where_times_are_out_of_order(owner):
    """The time of an entry is that of the beginning of its transaction, which may be long before its place in the log."""
    start = await owner.fetchval("select max(xact_id) from change")
    minutes = [0, 1, 2, 30, 4, 5, 3, 40, 20, 41, 90, 60, 100]
    await owner.execute("update change set at = '2025-01-01'")
    await owner.executemany(
        """insert into change (epoch, xact_id, type, resource_id, version, op, audience, at)
        values (1, $1, 1, $2, 1, 1, 0, timestamptz '2026-01-01' + make_interval(mins => $3))""",
        [(start + 10 * (number + 1), uuid.uuid4(), minute) for number, minute in enumerate(minutes)],
    )
    await owner.execute("update epoch set opened_at = '2025-01-01'")
    for since in (*range(0, 101, 5), 3, 31):
        row = await owner.fetchrow(
            "select s.xact_id from change_since(timestamptz '2026-01-01' + make_interval(mins => $1)) s", since
        )
        first = next(number for number, minute in enumerate(minutes) if minute >= since)
        assert row["xact_id"] == start + 10 * (first + 1), since
