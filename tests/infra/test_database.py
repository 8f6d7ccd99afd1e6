"""The second lock: what PostgreSQL itself refuses the service, whatever the code above it asks."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager

import asyncpg
import pytest

from app.domain.access import ANONYMOUS, Actor
from app.domain.errors import Unavailable
from app.infra.database import Database

PARTS = ("hub_phase", "hub_host", "hub_steering", "hub_area", "hub_member")
OWN = {"app.role": "hub", "app.hub": "1"}
OTHER = {"app.role": "hub", "app.hub": "9"}
HOSTILE = [
    {}, {"app.role": "", "app.hub": ""}, {"app.role": "anonymous"}, {"app.role": "umbrella"}, {"app.role": "admin"}, OTHER,
    {"app.role": "NATIONAL"}, {"app.hub": "9"},
]  # fmt: skip


@pytest.fixture(scope="module")
def place(fresh):
    """A database that these tests alone write to; hub 1 is Groningen, hub 9 Limburg."""
    return fresh("locks")


@pytest.fixture
async def service(place):
    """Transactions of the service's role with the given settings, never committed."""
    connection = await asyncpg.connect(place.service)

    @asynccontextmanager
    async def begin(settings):
        transaction = connection.transaction()
        await transaction.start()
        try:
            for name, value in settings.items():
                await connection.execute("select set_config($1, $2, true)", name, value)
            yield connection
        finally:
            await transaction.rollback()

    yield begin
    await connection.close()


@pytest.fixture
async def owner(place):
    connection = await asyncpg.connect(place.owner)
    await connection.execute("select set_config('app.role', 'system', false)")
    yield connection
    await connection.close()


async def touched(connection, sql, *args):
    """How many rows it touched; 0 also when PostgreSQL refuses it."""
    try:
        async with connection.transaction():
            return int((await connection.execute(sql, *args)).split()[-1])
    except asyncpg.InsufficientPrivilegeError:
        return 0


async def test_every_table_with_data_of_hubs_has_a_forced_lock(owner):
    tables = await owner.fetch("""
        select distinct c.relname, c.relrowsecurity, c.relforcerowsecurity from pg_class c
        left join pg_attribute a on a.attrelid = c.oid and a.attname in ('hub_id', 'created_by_hub', 'client_id')
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
          and (a.attname is not null or c.relname in ('hub', 'client', 'organisation_region', 'region', 'region_period', 'membership'))
    """)
    found = {row["relname"]: (row["relrowsecurity"], row["relforcerowsecurity"]) for row in tables}
    assert {"hub", *PARTS, "client", "idempotency", "organisation"} <= found.keys()
    assert {name for name, locks in found.items() if locks != (True, True)} == set()


async def test_what_the_service_writes_is_locked_row_by_row(owner):
    """A table that the service may write and that has no policy would be open to every hub."""
    open_tables = await owner.fetch("""
        select distinct table_name from information_schema.role_table_grants g
        join pg_class c on c.relname = g.table_name and c.relnamespace = 'public'::regnamespace
        where grantee = 'knooppunt_service' and privilege_type <> 'SELECT' and not c.relforcerowsecurity
    """)
    assert open_tables == []


async def test_the_service_has_these_rights_and_no_more(owner):
    rows = await owner.fetch("""
        select table_name, string_agg(lower(privilege_type), ' ' order by privilege_type) as rights
        from information_schema.role_table_grants where grantee = 'knooppunt_service' group by 1
    """)
    rights = {row["table_name"]: row["rights"] for row in rows}
    read_only = {
        "term",
        "scheme",
        "edition",
        "succession",
        "postcode",
        "data_version",
        "instance_secret",
        "alembic_version",
        "change",
        "epoch",
        "signal_theme",
        "log_mark",
        "participation_tally",
        "participation_mark",
        "answer_tally",
        "source_hub",
        "bundle_signal",
    }
    assert {name for name, what in rights.items() if what == "select"} == read_only
    assert {name: what for name, what in rights.items() if what != "select"} == {
        **dict.fromkeys(PARTS, "delete insert select update"),
        **dict.fromkeys(("hub", "organisation", "region"), "insert select"),
        **dict.fromkeys(
            ("organisation_region", "region_period", "membership", "idempotency", "forwarding"), "delete insert select"
        ),
        **dict.fromkeys(("signal", "follow_up", "bundle"), "delete insert select update"),
        "signal_history": "insert select",
        **dict.fromkeys(("question", "question_signal"), "delete insert select"),
        "question_history": "insert select",
        "source": "select update",
        **dict.fromkeys(("source_copy", "source_refusal"), "delete insert select update"),
    }
    columns = await owner.fetch("""
        select table_name, column_name from information_schema.role_column_grants
        where grantee = 'knooppunt_service' and privilege_type = 'UPDATE' and table_name in ('hub', 'organisation', 'region')
    """)
    changed = {(row["table_name"], row["column_name"]) for row in columns}
    never = {
        "id",
        "slug",
        "basis",
        "area_code",
        "code",
        "scheme",
        "demonstration",
        "created_by_hub",
        "created_at",
        "published",
    }
    assert not {pair for pair in changed if pair[1] in never}


@pytest.mark.parametrize("settings", HOSTILE, ids=str)
async def test_the_rows_of_a_hub_are_out_of_reach_of_everybody_else(service, owner, settings):
    organisation = await owner.fetchval("select id from organisation limit 1")
    inserts = {
        "hub_phase": ("values (1, 'uitvoering', date '2030-01-01')", ()),
        "hub_host": ("values (1, $1, 'proposed', 99)", (organisation,)),
        "hub_steering": ("values (1, 'inclusie', $1)", (organisation,)),
        "hub_area": ("values (1, date '2030-01-01', '{PV20}', '{}', '{}')", ()),
        "hub_member": ("values (1, $1, 'member', null, null)", (organisation,)),
    }
    async with service(settings) as connection:
        for table, (values, args) in inserts.items():
            assert await touched(connection, f"insert into {table} {values}", *args) == 0, table
            assert await touched(connection, f"delete from {table} where hub_id = 1") == 0, table
            assert await touched(connection, f"update {table} set hub_id = 9 where hub_id = 1") == 0, table
        assert await touched(connection, "update hub set name = 'x', version = version + 1 where id = 1") == 0
        assert await touched(connection, "delete from hub where id = 1") == 0
        area = "region_id = (select id from region where code = 'PH01')"
        for table in ("membership", "region_period"):
            assert await touched(connection, f"delete from {table} where {area}") == 0, table
        assert await touched(connection, "update region set valid_to = date '2030-01-01' where code = 'PH01'") == 0
        # Nothing of another scheme is any hub's: municipalities and regions are the loader's.
        assert await touched(connection, "delete from membership where scheme <> 'participatiehub'") == 0
        assert await touched(connection, "update region set valid_to = valid_from where scheme = 'gemeente'") == 0


async def test_a_hub_itself_can_write_its_rows_so_the_test_above_can_fail(service):
    async with service(OWN) as connection:
        assert await touched(connection, "insert into hub_phase values (1, 'uitvoering', date '2030-01-01')") == 1
        assert await touched(connection, "update hub set name = 'x', version = version + 1 where id = 1") == 1
        assert await touched(connection, "delete from hub_area where hub_id = 1") > 0
        assert (
            await touched(
                connection, "delete from membership where region_id = (select id from region where code = 'PH01')"
            )
            > 0
        )
        assert await touched(connection, "update region set valid_to = date '2030-01-01' where code = 'PH01'") == 1


@pytest.mark.parametrize("settings", [*HOSTILE, OWN], ids=str)
async def test_only_the_national_coordination_adds_a_hub_and_nobody_moves_one(service, settings):
    new = "insert into hub (id, slug, name, sort_name, basis, area_code) values ($1, 'x', 'x', 'x', 'network', 'PH99')"
    async with service(settings) as connection:
        for identity in (1000, int(settings.get("app.hub") or 0) + 500):
            assert await touched(connection, new, identity) == 0
        for column in (
            "area_code = 'PH09'",
            "slug = 'limburg-2'",
            "id = 500",
            "basis = 'network'",
            "demonstration = true",
        ):
            assert await touched(connection, f"update hub set {column}") == 0, column
    async with service({"app.role": "national"}) as connection:
        assert await touched(connection, new, 1000) == 1


@pytest.mark.parametrize("settings", HOSTILE, ids=str)
async def test_an_organisation_is_changed_by_the_hub_that_added_it(service, owner, settings):
    identity = uuid.uuid4()
    await owner.execute(
        "insert into organisation (id, name, sort_name, type, side, created_by_hub) values ($1, 'x', 'x', 'overig', 'life-world', 1)",
        identity,
    )
    region = await owner.fetchval("select id from region where code = 'GM0637'")
    link = "insert into organisation_region values ($1, $2)"
    async with service(settings) as connection:
        assert await touched(connection, "update organisation set name = 'y' where id = $1", identity) == 0
        assert await touched(connection, "update organisation set name = 'y' where created_by_hub is null") == 0
        assert await touched(connection, "delete from organisation where id = $1", identity) == 0
        assert await touched(connection, link, identity, region) == 0
        forged = "insert into organisation (id, name, sort_name, type, side, created_by_hub) values ($1, 'x', 'x', 'overig', 'life-world', 1)"
        assert await touched(connection, forged, uuid.uuid4()) == 0
    async with service(OWN) as connection:
        assert await touched(connection, "update organisation set name = 'y' where id = $1", identity) == 1
        assert await touched(connection, link, identity, region) == 1


async def test_answers_kept_for_one_client_are_not_there_for_another(service, owner):
    mine, other = [
        await owner.fetchval(
            "insert into client (id, name, role, token_hash) values ($1, 'x', 'admin', $2) returning id",
            uuid.uuid4(), uuid.uuid4().bytes,
        )
        for _ in range(2)
    ]  # fmt: skip
    await owner.execute("insert into idempotency values ($1, 'key', 'x', '{}')", mine)
    keep = "insert into idempotency values ($1, 'new', 'x', '{}')"
    for settings in ({}, {"app.role": "national"}, {"app.client": str(other)}, {"app.client": ""}):
        async with service(settings) as connection:
            assert await connection.fetchval("select count(*) from idempotency") == 0
            assert await touched(connection, "delete from idempotency") == 0
            assert await touched(connection, keep, mine) == 0
    async with service({"app.client": str(mine)}) as connection:
        assert await connection.fetchval("select count(*) from idempotency") == 1
        assert await touched(connection, keep, mine) == 1


async def test_the_service_learns_whose_a_token_is_and_cannot_list_them(service):
    async with service({"app.role": "system"}) as connection:
        assert await connection.fetch("select * from client_of($1)", b"unknown") == []
        for sql in (
            "select * from client",
            "update client set role = 'national'",
            "delete from client",
            "select * from imported_edition",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with connection.transaction():
                    await connection.execute(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "create table public.mine (id int)", "create schema mine",
        "create function public.mine() returns int language sql as 'select 1'", "create role mine", "drop table hub",
        "alter table hub disable row level security", "alter table hub no force row level security", "truncate hub_area",
        "create policy mine on hub using (true)", "drop policy changing on hub", "alter role knooppunt_service bypassrls",
        "set role knooppunt_owner", "set session authorization knooppunt_owner", "grant knooppunt_owner to knooppunt_service",
        "update data_version set version = 0", "update alembic_version set version_num = 'x'", "delete from term",
        "insert into dataset (edition, digest) values ('x', 'x')", "lock table hub in access exclusive mode",
        "copy hub to program 'cat'", "select pg_read_file('/etc/hostname')",
    ],
)  # fmt: skip
async def test_the_service_can_change_nothing_but_rows(service, sql):
    async with service({"app.role": "system"}) as connection:
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedObjectError)):
            await connection.execute(sql)


async def test_the_service_owns_nothing_and_bypasses_nothing(service):
    async with service({}) as connection:
        assert not await connection.fetchval("""
            select rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication from pg_roles
            where rolname = current_user
        """)
        assert await connection.fetchval(
            "select count(*) from pg_class where pg_has_role(current_user, relowner, 'member')"
        ) == 0  # fmt: skip
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("set local row_security = off; select * from client")


# The door


@pytest.fixture
async def database(place):
    database = Database(place.service, size=2, statement_timeout_seconds=1)
    await database.open()
    yield database
    await database.close()


ROLES = "select current_setting('app.role', true) as role, current_setting('app.hub', true) as hub, current_setting('app.client', true) as client"


async def test_a_transaction_is_in_the_actors_name_and_leaves_no_trace_on_its_connection(database):
    client = str(uuid.uuid4())
    async with database.transaction(Actor("hub", "groningen", None, client)) as connection:
        assert tuple(await connection.fetchrow(ROLES)) == ("hub", "1", client)
    for _ in range(4):
        row = await database.row(ROLES)
        assert not any(row.values())


@pytest.mark.parametrize(
    "actor", [ANONYMOUS, Actor("hub", "nergens"), Actor("umbrella", None, "mind"), Actor("hub", None)]
)
async def test_an_actor_without_a_hub_has_none(database, actor):
    async with database.transaction(actor) as connection:
        assert (await connection.fetchrow(ROLES))["hub"] == ""


async def test_an_exception_undoes_everything(database):
    async def change():
        async with database.transaction(Actor("national")) as connection:
            await connection.execute("update hub set name = 'undone', version = version + 1")
            raise LookupError

    with pytest.raises(LookupError):
        await change()
    assert (await database.row("select count(*) from hub where name = 'undone'"))[0] == 0


async def test_a_question_that_takes_too_long_is_refused_in_words(database):
    with pytest.raises(Unavailable, match="longer than the service allows"):
        await database.row("select pg_sleep(5)")


async def test_a_change_that_waits_too_long_for_another_is_told_to_come_back(database, owner):
    async with owner.transaction():
        await owner.execute("lock table hub in exclusive mode")
        with pytest.raises(Unavailable, match="in the way"):
            async with database.transaction(Actor("national")) as connection:
                await connection.execute("select 1 from hub for no key update")
    async with database.transaction(Actor("national")) as connection:
        await connection.execute("select 1 from hub for no key update")


async def test_a_deadlock_is_told_to_come_back_and_one_of_the_two_wins(database):
    first, second = asyncio.Event(), asyncio.Event()
    lock = "select 1 from hub where id = $1 for no key update"

    async def change(one, other, mine, theirs):
        async with database.transaction(Actor("national")) as connection:
            await connection.execute("set local statement_timeout = '5s'")
            await connection.execute(lock, one)
            mine.set()
            await theirs.wait()
            await connection.execute(lock, other)

    outcomes = await asyncio.gather(
        change(1, 2, first, second), change(2, 1, second, first), return_exceptions=True
    )  # fmt: skip
    assert sorted(type(outcome) for outcome in outcomes if outcome is not None) == [Unavailable]


async def test_a_connection_that_was_cut_is_replaced_unnoticed_by_a_read(database):
    pid = (await database.row("select pg_backend_pid()"))[0]
    killer = await asyncpg.connect(database._url)
    await killer.execute("select pg_terminate_backend($1)", pid)
    await killer.close()
    assert (await database.row("select 1"))[0] == 1


async def test_a_server_that_is_not_there_is_unavailable_in_words_without_its_address():
    away = Database("postgresql://somebody:secret@127.0.0.1:9/knooppunt", size=1)
    await away.open()
    for attempt in (away.row("select 1"), _write(away)):
        with pytest.raises(Unavailable) as caught:
            await attempt
        assert "secret" not in caught.value.detail
        assert "127.0.0.1" not in caught.value.detail
    await away.close()


async def _write(database):
    async with database.transaction(Actor("national")):
        pass
