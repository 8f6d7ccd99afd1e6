"""What is done to signals and the change log from the command line: a purge, and a new epoch."""

from __future__ import annotations

import asyncio
import uuid

import asyncpg
import pytest
from typer.testing import CliRunner

from app.cli import app
from tests.signal_cases import NOBODY, a_signal, add, answer, follow_up, letters, patch, step, verified


@pytest.fixture(scope="module")
async def place(fresh):
    return await asyncio.to_thread(fresh, "cli_signals")


@pytest.fixture(scope="module")
async def house(place, running):
    async with running(place) as house:
        yield house


@pytest.fixture
async def owner(place):
    connection = await asyncpg.connect(place.owner)
    await connection.execute("select set_config('app.role', 'system', false)")
    yield connection
    await connection.close()


@pytest.fixture
def run(place):
    """Runs a command beside the service, on its database; `**environment` overrides."""

    async def command(*arguments, **environment):
        given = {"DATABASE_URL": place.service, "DATABASE_OWNER_URL": place.owner} | environment
        words = [str(argument) for argument in arguments]
        result = await asyncio.to_thread(lambda: CliRunner().invoke(app, words, env=given))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return command


async def places(owner, marker):
    """Every table of the database that holds the marker in any column, also in what is kept as bytes."""
    tables = await owner.fetch(
        """select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'm') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_toast'"""
    )
    assert len(tables) > 25
    found = set()
    for table in tables:
        sql = f"select exists (select from {table['name']} t where t::text ilike $1 or t::text ilike $2)"
        if await owner.fetchval(sql, f"%{marker}%", f"%{marker.encode().hex()}%"):
            found.add(table["name"])
    return found


async def with_words_everywhere(house, marker):
    """A signal that was changed, verified, answered, followed up, hidden again and created with a key."""
    new = a_signal(
        title=f"Over {marker}", description=f"Woorden {marker}", externalId=marker, status="submitted",
        visibility="public",
    )  # fmt: skip
    async with house.client("own-hub") as own, house.client("umbrella") as mind:
        found = (await own.post("/v1/signals", json=new, headers={"idempotency-key": str(uuid.uuid4())})).json()
        await patch(own, found["id"], {"description": f"Andere woorden {marker}"})
        await step(own, found["id"], "verified", note=marker, recipients=["mind"], reason=marker)
        await answer(mind, found["id"], state="answered", response=marker)
        assert (await follow_up(own, found["id"], summary=marker)).status_code == 200
        await patch(own, found["id"], {"visibility": "network"})
    return found["id"]


@pytest.mark.parametrize("deleted_before", [False, True])
async def test_a_purge_leaves_its_words_in_no_table_and_a_tombstone_for_all_who_saw_it(
    run, house, owner, deleted_before
):
    marker, other = letters(), letters()
    signal_id = await with_words_everywhere(house, marker)
    await with_words_everywhere(house, other)
    whole = {"signal", "signal_history", "forwarding", "follow_up", "idempotency"}
    assert await places(owner, marker) == await places(owner, other) == whole
    async with house.client("own-hub") as own:
        if deleted_before:
            await own.delete(f"/v1/signals/{signal_id}", headers={"if-match": "*"})
        history = (await own.get(f"/v1/signals/{signal_id}/history")).json()["items"]

    purged = await run("signal", "purge", signal_id)
    assert (purged.exit_code, purged.stdout) == (0, "")
    assert "Backups" in purged.stderr
    assert marker not in purged.stderr

    assert await places(owner, marker) == set()
    assert await places(owner, other) == whole, "and nothing else"
    for who in ("own-hub", "other-hub", "umbrella", "national", "outsider"):
        async with house.client(who) as client:
            assert (await client.get(f"/v1/signals/{signal_id}")).status_code == 404
            assert (await client.get("/v1/signals", params={"q": marker})).json()["items"] == []
    async with house.client("own-hub") as own:
        after = (await own.get(f"/v1/signals/{signal_id}/history")).json()["items"]
        assert [line["version"] for line in after[: len(history)]] == [line["version"] for line in history]
        assert after[-1]["action"] == "purged"
        assert all(line["note"] is None and line["changes"] == {} for line in after)
    last = await owner.fetchrow(
        "select op, audience & 3 as wide from change where resource_id = $1 order by version desc limit 1",
        uuid.UUID(signal_id),
    )
    assert tuple(last) == (2, 3), "a tombstone, also for those who lost sight of it before"


async def test_a_purge_of_nothing_is_a_sentence(run):
    result = await run("signal", "purge", NOBODY)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no signal" in result.stderr
    assert (await run("signal", "purge", "12")).exit_code == 2


async def test_a_bump_begins_an_epoch_and_what_is_written_after_it_belongs_to_it(run, house, owner):
    before = await owner.fetchval("select max(id) from epoch")
    result = await run("epoch", "bump")
    now = await owner.fetchval("select max(id) from epoch")
    assert (result.exit_code, result.stdout, result.stderr.strip()) == (0, "", f"Epoch {now} began.")
    assert now > before
    async with house.client("own-hub") as own:
        found = await add(own)
    where = "select epoch from change where resource_id = $1"
    assert await owner.fetchval(where, uuid.UUID(found["id"])) == now
    await run("migrate")
    assert await owner.fetchval("select max(id) from epoch") == now, "one is enough"


async def test_both_take_the_owner_and_change_nothing_for_anybody_else(run, house, place, owner):
    async with house.client("own-hub") as own:
        found = await verified(own)
    epochs = await owner.fetchval("select count(*) from epoch")
    for command in (("signal", "purge", found["id"]), ("epoch", "bump")):
        result = await run(*command, DATABASE_OWNER_URL=place.service)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "DATABASE_OWNER_URL" in result.stderr
    async with house.client("own-hub") as own:
        assert (await own.get(f"/v1/signals/{found['id']}")).json() == found
    assert await owner.fetchval("select count(*) from epoch") == epochs
