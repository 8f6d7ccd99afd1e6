"""The watch, and one address for everything: a database of another release, lost or replaced, and what clients hear."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import asyncpg
import httpx
import pytest

from app.infra.database import Database
from app.infra.prepare import Addresses
from app.infra.reader import Signer
from app.infra.watch import Watch
from app.main import create_app
from app.settings import Settings
from migrations import revisions


@pytest.fixture
def place(fresh):
    """A database of this test alone."""
    return fresh("watch")


@asynccontextmanager
async def serving(addresses):
    """The app on these addresses, with a client for outsiders."""
    app = create_app(Settings(database_url=addresses.service, rate_limit_per_minute=0), addresses)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.fastapi.router.lifespan_context(app.fastapi),
        httpx.AsyncClient(transport=transport, base_url="http://knooppunt.test") as client,
    ):
        yield client


async def until(client, status, word=""):
    """/readyz, when it has this status."""
    for _ in range(100):
        response = await client.get("/readyz")
        if response.status_code == status and word in response.text:
            return response
        await asyncio.sleep(0.05)
    raise AssertionError((response.status_code, response.text))


async def closed(client):
    """What readers and writers hear while the database is not ready."""
    for response in (await client.get("/v1/hubs"), await client.post("/graphql", json={"query": "{ __typename }"})):
        assert response.status_code == 503, response.text
        assert int(response.headers["retry-after"]) > 0
    problem = await client.get("/v1/hubs")
    assert problem.headers["content-type"] == "application/problem+json"
    assert (await client.get("/livez")).status_code == 200
    return problem.json()["detail"]


@pytest.mark.parametrize(
    ("break_it", "word", "mend_it"),
    [
        ("update alembic_version set version_num = '29990101_later'", "newer than this release",
         f"update alembic_version set version_num = '{revisions()[-1]}'"),
        ("delete from alembic_version", "empty", f"insert into alembic_version values ('{revisions()[-1]}')"),
        ("alter table alembic_version rename to mislaid", "knooppunt migrate", "alter table mislaid rename to alembic_version"),
        ("revoke select on data_version from knooppunt_service", "knooppunt migrate",
         "grant select on data_version to knooppunt_service"),
    ],
    ids=["newer", "empty", "no tables", "no rights"],
)  # fmt: skip
async def test_a_database_of_another_release_is_503_with_the_reason_until_it_is_mended(place, break_it, word, mend_it):
    owner = await asyncpg.connect(place.owner)
    async with serving(place) as client:
        assert (await client.get("/readyz")).status_code == 200
        await owner.execute(break_it)
        assert word in (await until(client, 503, word)).text
        assert word in await closed(client)
        await owner.execute(mend_it)
        await until(client, 200)
        assert (await client.get("/v1/hubs")).status_code == 200
    await owner.close()


async def test_an_older_database_says_what_to_run(place, monkeypatch):
    monkeypatch.setattr("app.infra.watch.revisions", lambda: [*revisions(), "29990101_next"])
    async with serving(place) as client:
        answer = (await until(client, 503)).text
    assert "older than this release" in answer
    assert "29990101_next" in answer
    assert "knooppunt migrate" in answer


async def test_a_schema_without_reference_data_is_not_ready_yet(place):
    owner = await asyncpg.connect(place.owner)
    async with owner.transaction():
        await owner.execute("create table kept as select * from edition")
        await owner.execute("alter table region drop constraint fk_region_scheme")
        await owner.execute("create table kept_scheme as select * from scheme")
        await owner.execute("delete from edition")
        await owner.execute("delete from scheme")
    async with serving(place) as client:
        assert "knooppunt reference load" in (await until(client, 503)).text
        async with owner.transaction():
            await owner.execute("insert into scheme select * from kept_scheme")
            await owner.execute("insert into edition select * from kept")
        await until(client, 200)
    await owner.close()


async def test_a_server_that_is_not_there_does_not_keep_the_service_from_starting():
    away = Addresses("postgresql://somebody:secret@127.0.0.1:9/x", "postgresql://somebody:secret@127.0.0.1:9/x")
    async with serving(away) as client:
        answer = await until(client, 503, "cannot be reached")
        assert "secret" not in answer.text
        assert "cannot be reached" in await closed(client)
        assert (await client.get("/v1/openapi.json")).status_code == 200


async def test_one_look_that_ran_out_of_time_does_not_close_the_service(place, monkeypatch):
    # A process that slept wakes up past its deadline, with the answer waiting in the socket.
    database = Database(place.service, role=place.role)
    watch = Watch(database, Signer(b"", 1))
    await database.open()
    try:
        await watch.look()
        assert watch.problem is None
        looks = iter([TimeoutError, None, TimeoutError, TimeoutError])

        async def tired():
            outcome = next(looks)
            if outcome is not None:
                raise outcome

        monkeypatch.setattr(watch, "_problem", tired)
        await watch.look()
        assert watch.problem is None
        await watch.look()
        assert "TimeoutError" in watch.problem
    finally:
        await database.close()


async def test_a_watch_survives_what_nobody_foresaw(place, monkeypatch):
    database = Database(place.service, size=1)
    await database.open()
    watch = Watch(database, Signer(b"", 30))
    await watch.start()
    assert watch.problem is None

    async def explode():
        raise LookupError

    monkeypatch.setattr(watch, "_problem", explode)
    await asyncio.sleep(0.6)
    assert "LookupError" in watch.problem
    assert watch.version is None
    monkeypatch.undo()
    await asyncio.sleep(0.6)
    assert watch.problem is None
    await watch.stop()
    await database.close()


async def test_every_change_of_public_data_is_a_new_version_within_half_a_second(place):
    database = Database(place.service, size=1)
    await database.open()
    watch = Watch(database, Signer(b"", 30))
    await watch.start()
    before = watch.version
    owner = await asyncpg.connect(place.owner)
    await owner.execute("select set_config('app.role', 'system', false)")
    await owner.execute("update hub set website = 'https://x.example' where slug = 'limburg'")
    await asyncio.sleep(0.6)
    assert watch.version == before + 1
    await owner.close()
    await watch.stop()
    await database.close()


async def test_one_superusers_address_is_enough_and_the_service_still_works_as_its_own_role(place, template):
    """DATABASE_URL alone: superusers pass every lock, so the service must not be one."""
    name = place.owner.partition("?")[0].rpartition("/")[2]
    head, _, tail = template.owner.partition("@")
    host, _, query = tail.partition("?")
    url = f"{head}@{host.partition('/')[0]}/{name}" + (f"?{query}" if query else "")
    addresses = Addresses.of(Settings(database_url=url))
    assert addresses == Addresses(url, url, "knooppunt_service")
    async with serving(addresses) as client:
        await until(client, 200)
        assert (await client.get("/v1/hubs")).status_code == 200
    database = Database(url, size=1, role=addresses.role)
    await database.open()
    row = await database.row(
        "select current_user::text as me, (select rolsuper or rolbypassrls from pg_roles where rolname = current_user) as mighty"
    )
    assert tuple(row) == ("knooppunt_service", False)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await database.pool.execute("delete from client")
    await database.close()


async def test_an_owner_that_makes_the_role_may_take_it_on(template):
    """One address of an ordinary owner who may create roles, on a server where the role is not there yet."""
    from app.infra.migrating import migrate

    superuser = await asyncpg.connect(template.owner)
    role, owner, name = "knooppunt_other_service", "knooppunt_other_owner", "knooppunt_other"
    for drop in (
        f"drop database if exists {name} with (force)",
        f"drop role if exists {role}",
        f"drop role if exists {owner}",
    ):
        await superuser.execute(drop)
    await superuser.execute(f"create role {owner} login createrole password 'test'")
    await superuser.execute(f"create database {name} owner {owner} template template0")
    tail = template.owner.partition("@")[2]
    host, _, query = tail.partition("?")
    url = f"postgresql://{owner}:test@{host.partition('/')[0]}/{name}" + (f"?{query}" if query else "")
    try:
        await migrate(url, role)
        database = Database(url, size=1, role=role)
        await database.open()
        assert (await database.row("select current_user::text"))[0] == role
        assert (await database.row("select count(*) from hub"))[0] == 0
        await database.close()
    finally:
        await superuser.execute(f"drop database {name} with (force)")
        await superuser.execute(f"drop role {role}")
        await superuser.execute(f"drop role {owner}")
        await superuser.close()
