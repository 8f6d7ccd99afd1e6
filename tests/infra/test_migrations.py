"""The migrations: up, down and up again, once however many try, and honest about a database of another release."""

from __future__ import annotations

import asyncio
import re
import uuid

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.domain.errors import Invalid, Unavailable
from app.infra.embedded import OWNER, SERVICE
from app.infra.migrating import migrate, service_role
from app.infra.tables import metadata
from migrations import FOLDER, revisions

HEAD = revisions()[-1]


@pytest.fixture
async def empty(template):
    """The owner's address of an empty database, gone after the test."""
    name = f"migrations_{uuid.uuid4().hex[:10]}"
    superuser = await asyncpg.connect(template.owner)
    await superuser.execute(f"create database {name} owner {OWNER} template template0")
    tail = template.owner.partition("@")[2]
    place, _, query = tail.partition("?")
    host = place.partition("/")[0]
    yield f"postgresql://{OWNER}:test@{host}/{name}" + (f"?{query}" if query else "")
    await superuser.execute(f"drop database {name} with (force)")
    await superuser.close()


async def ask(url, sql, *args):
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(sql, *args)
    finally:
        await connection.close()


async def schema(url):
    """Everything a migration makes: tables, columns, indexes, constraints, policies, functions, triggers and rights."""
    return await ask(
        url,
        """
        select 'column', table_name, column_name, data_type || is_nullable || coalesce(column_default, '')
          from information_schema.columns where table_schema = 'public'
        union all select 'index', tablename, indexname, indexdef from pg_indexes where schemaname = 'public'
        union all select 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
          where connamespace = 'public'::regnamespace
        union all select 'policy', tablename, policyname, cmd || coalesce(qual, '') || coalesce(with_check, '') from pg_policies
        union all select 'function', '', proname, prosrc from pg_proc where pronamespace = 'public'::regnamespace
        union all select 'trigger', tgrelid::regclass::text, tgname, '' from pg_trigger where not tgisinternal
        union all select 'right', table_name, grantee, privilege_type from information_schema.role_table_grants
          where table_schema = 'public' and table_name <> 'alembic_version'
        order by 1, 2, 3, 4
        """,
    )


async def test_up_down_and_up_again_comes_to_the_same(empty):
    assert await migrate(empty, SERVICE) is True
    first = await schema(empty)
    assert len(first) > 300
    assert await migrate(empty, SERVICE, "base") is True
    left = [row for row in await schema(empty) if row[1] != "alembic_version"]
    assert left == []
    assert await migrate(empty, SERVICE) is True
    assert await schema(empty) == first


async def test_a_second_time_there_is_nothing_to_do(empty):
    await migrate(empty, SERVICE)
    assert await migrate(empty, SERVICE) is False
    assert await migrate(empty, SERVICE, HEAD) is False


async def test_the_tables_in_the_code_are_those_of_the_migrations(empty):
    await migrate(empty, SERVICE)
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(empty), poolclass=NullPool
    )

    def differences(connection):
        options = {"compare_type": True, "compare_server_default": True}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_many_at_once_migrate_once(empty):
    outcomes = await asyncio.gather(*(migrate(empty, SERVICE) for _ in range(5)))
    assert sorted(outcomes) == [False, False, False, False, True]
    assert [row[0] for row in await ask(empty, "select version_num from alembic_version")] == [HEAD]


async def test_a_newer_database_is_left_alone_and_says_so(empty):
    await migrate(empty, SERVICE)
    await ask(empty, "update alembic_version set version_num = '29990101_later'")
    before = await schema(empty)
    for target in ("head", "base"):
        with pytest.raises(Unavailable, match=r"29990101_later.*newer"):
            await migrate(empty, SERVICE, target)
    assert await schema(empty) == before


async def test_an_unknown_revision_is_refused_by_name(empty):
    with pytest.raises(Invalid) as caught:
        await migrate(empty, SERVICE, "20200101_nothing")
    assert HEAD in caught.value.detail


async def test_a_migration_does_not_queue_before_everybody_else(empty):
    """A lock that is not had in time is a sentence and a free lock, not a service that stands still."""
    await migrate(empty, SERVICE)
    reader = await asyncpg.connect(empty)
    async with reader.transaction():
        await reader.execute("select 1 from postcode")
        with pytest.raises(Unavailable, match="lock timeout"):
            await migrate(empty, SERVICE, "base")
    await reader.close()
    assert await ask(empty, "select 1 from pg_locks where locktype = 'advisory'") == []
    assert await migrate(empty, SERVICE, "base") is True


@pytest.mark.parametrize("path", sorted((FOLDER / "versions").glob("2*.py")), ids=lambda path: path.stem)
def test_every_migration_is_dated_and_bounds_its_waiting_both_ways(path):
    text = path.read_text()
    assert re.fullmatch(r"20\d{6}_[a-z0-9_]+", path.stem)
    assert f'revision = "{path.stem}"' in text
    for name in ("upgrade", "downgrade"):
        body = text.partition(f"def {name}() -> None:\n")[2].partition("\ndef ")[0]
        assert "set local lock_timeout" in body, name
        assert "set local statement_timeout" in body, name


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("postgresql://a:secret@127.0.0.1:9/x", "No PostgreSQL answers"),
        ("postgresql://nobody:secret@{host}/postgres{query}", "refuses the user or the password"),
        (f"postgresql://{OWNER}:test@{{host}}/not_there{{query}}", "does not exist"),
        ("mysql://a:secret@host/x", "not an address of PostgreSQL"),
    ],
)
async def test_a_server_that_will_not_have_us_is_named_in_words(template, address, message):
    tail = template.owner.partition("@")[2]
    place, _, query = tail.partition("?")
    url = address.format(host=place.partition("/")[0], query=f"?{query}" if query else "")
    with pytest.raises(Unavailable, match=message) as caught:
        await migrate(url, SERVICE, wait_seconds=0.5)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "owner", "role"),
    [
        ("postgresql://app:x@h/d", "postgresql://own:y@h/d", "app"),
        ("postgresql://app:x@h/d", "postgresql://app:x@h/d", "knooppunt_service"),
        ("postgresql://app:x@h/d", None, "knooppunt_service"),
        ("postgresql://my%20app:x@h/d", "postgresql://own:y@h/d", "my app"),
    ],
)
def test_the_service_works_as_its_own_user_or_as_a_role_that_it_takes_on(url, owner, role):
    assert service_role(url, owner) == role


async def test_a_log_of_an_older_release_is_taken_along(empty):
    """Hubs and reference data get the identity by which the log finds all entries of a resource."""
    hub = "insert into hub (slug, name, sort_name, basis, area_code) values ('a', 'A', 'a', 'network', 'PH99')"

    async def write(*statements):
        connection = await asyncpg.connect(empty)
        await connection.execute("select set_config('app.role', 'system', false)")
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    await migrate(empty, SERVICE, "20261123_signals")
    await write("insert into dataset (edition, digest) values ('1', 'x')", hub, "delete from hub")
    await migrate(empty, SERVICE)
    await write("insert into dataset (edition, digest) values ('2', 'y')", hub)
    rows = await ask(
        empty,
        "select type, resource_key, version, op, count(*) over (partition by resource_id) from change order by seq",
    )
    assert [tuple(row) for row in rows] == [
        (4, "1", 1, 1, 2), (3, "a", 1, 1, 3), (3, "a", 2, 2, 3), (4, "2", 2, 1, 2), (3, "a", 3, 1, 3),
    ]  # fmt: skip
