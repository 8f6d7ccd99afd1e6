"""The change log: written by trigger for every path, read by each actor under row-level security; epochs; purge."""

from __future__ import annotations

import asyncio
import uuid
from datetime import date

import asyncpg
import pytest

from app.domain.access import Actor
from app.domain.errors import NotFound
from app.infra.database import Database
from app.infra.epochs import bump_epoch, keep_epoch
from app.infra.purging import purge_signal
from tests.signal_cases import a_signal, add, answer, follow_up, letters, patch, step, verified

UPSERT, DELETE, HIDDEN = 1, 2, 3
READERS = {
    "own": Actor("hub", "groningen"), "other": Actor("hub", "limburg"), "mind": Actor("umbrella", None, "mind"),
    "iederin": Actor("umbrella", None, "iederin"), "national": Actor("national"), "admin": Actor("admin"), "anyone": Actor(),
}  # fmt: skip


@pytest.fixture
def house(writing_house):
    return writing_house


@pytest.fixture
async def own(as_):
    async with as_("own-hub") as client:
        yield client


@pytest.fixture
async def owner(house):
    connection = await asyncpg.connect(house.addresses.owner)
    yield connection
    await connection.close()


@pytest.fixture
async def read(house):
    """The entries of a resource as each reader sees them: reader → [(version, op)], those without any left out."""
    database = Database(house.addresses.service, size=2)
    await database.open()

    async def entries(signal_id, since=0):
        found = {}
        for name, actor in READERS.items():
            async with database.transaction(actor) as connection:
                rows = await connection.fetch(
                    "select version, op from change where resource_id = $1 and version > $2 order by epoch, xact_id, seq",
                    uuid.UUID(signal_id), since,
                )  # fmt: skip
                if rows:
                    found[name] = [tuple(row) for row in rows]
        return found

    yield entries
    await database.close()


async def test_a_draft_is_logged_for_its_own_hub_alone(own, read):
    found = await add(own)
    await patch(own, found["id"], {"peopleCount": 2})
    await step(own, found["id"], "submitted")
    assert await read(found["id"]) == {"own": [(1, UPSERT), (2, UPSERT), (3, UPSERT)]}


async def test_what_was_verified_is_logged_for_those_who_may_read_it(own, read, as_):
    found = await verified(own, workfields=["psychische-kwetsbaarheid"])
    readers = ("own", "other", "mind", "national")
    assert await read(found["id"], 1) == {key: [(2, UPSERT)] for key in readers}
    async with as_("umbrella") as mind:
        await answer(mind, found["id"], state="acknowledged")
    await follow_up(own, found["id"])
    await step(own, found["id"], "closed")
    assert await read(found["id"], 2) == {key: [(3, UPSERT), (4, UPSERT), (5, UPSERT)] for key in readers}


WIDE = ("other", "mind", "iederin", "national", "admin", "anyone")


@pytest.mark.parametrize(
    ("before", "act", "lost", "kept"),
    [
        ("public", {"visibility": "network"}, ("iederin", "admin", "anyone"), ("other", "mind", "national")),
        ("public", {"visibility": "hub"}, WIDE, ()),
        ("network", {"visibility": "hub"}, ("other", "mind", "national"), ()),
        ("network", {"title": "Nieuwe woorden"}, ("other", "mind", "national"), ()),
        ("public", {"description": "Nieuwe woorden"}, WIDE, ()),
        ("public", "withdrawn", WIDE, ()),
        ("network", "withdrawn", ("other", "mind", "national"), ()),
        ("network", {"workfields": ["inclusie"]}, ("mind",), ("other", "national", "iederin")),
        ("public", {"peopleCount": 9}, (), WIDE),
        ("network", {"visibility": "public"}, (), WIDE),
    ],
    ids=str,
)
async def test_who_lost_sight_hears_hidden_and_nobody_else_does(own, read, before, act, lost, kept):
    found = await verified(own, visibility=before, workfields=["psychische-kwetsbaarheid"])
    done = await (step(own, found["id"], act) if isinstance(act, str) else patch(own, found["id"], act))
    assert done.status_code == 200
    assert await read(found["id"], 2) == {
        "own": [(3, UPSERT)], **{key: [(3, HIDDEN)] for key in lost}, **{key: [(3, UPSERT)] for key in kept},
    }  # fmt: skip


async def test_a_deletion_is_a_tombstone_for_those_who_saw_it(own, read):
    draft = await add(own)
    found = await verified(own, workfields=["psychische-kwetsbaarheid"])
    for signal_id in (draft["id"], found["id"]):
        await own.delete(f"/v1/signals/{signal_id}", headers={"if-match": "*"})
    assert await read(draft["id"], 1) == {"own": [(2, DELETE)]}
    assert await read(found["id"], 2) == {key: [(3, DELETE)] for key in ("own", "other", "mind", "national")}


async def test_the_counting_facts_before_and_after_ride_along(own, owner):
    found = await verified(own, workfields=["inclusie"], heardOn="2026-03-05")
    await patch(
        own, found["id"], {"visibility": "public", "heardOn": "2026-04-30", "workfields": [], "themes": ["stigma"]}
    )
    await step(own, found["id"], "withdrawn")
    rows = await owner.fetch(
        "select * from change where resource_id = $1 and op <> 3 order by version", uuid.UUID(found["id"])
    )
    names = ("level", "hub", "workfields", "kind", "month", "themes")
    facts = [[tuple(row[f"{when}_{name}"] for name in names) for when in ("before", "after")] for row in rows]
    none = (None,) * 6
    mask = await owner.fetchval("select workfield_mask('{inclusie}')")
    draft = (0, 1, mask, "knelpunt", date(2026, 3, 1), ["wachttijden"])
    network = (1, *draft[1:])
    public = (2, 1, 0, "knelpunt", date(2026, 4, 1), ["stigma"])
    assert facts[:3] == [[none, draft], [draft, network], [network, public]]
    assert (facts[3][0], facts[3][1][0]) == (public, None)
    for row, after in zip(rows[1:], rows, strict=False):
        assert all(row[f"before_{name}"] == after[f"after_{name}"] for name in (*names, "region"))


async def test_hubs_and_datasets_are_logged_for_everybody(as_, owner):
    async with as_("national") as national:
        slug = f"hub-{letters()}"
        await national.post(
            "/v1/hubs", json={"slug": slug, "name": slug, "area": {"from": "2024-01-01", "plus": ["GM0637"]}}
        )
        await patch_hub(national, slug)
    rows = await owner.fetch(
        "select version, op, audience from change where type = 3 and resource_key = $1 order by seq", slug
    )
    assert [tuple(row) for row in rows] == [(1, UPSERT, 3), (2, UPSERT, 3)]
    assert await owner.fetchval("select count(*) from change where type = 4 and audience = 3") >= 1


async def patch_hub(client, slug):
    headers = {"content-type": "application/merge-patch+json", "if-match": "*"}
    assert (await client.patch(f"/v1/hubs/{slug}", json={"name": "Anders"}, headers=headers)).status_code == 200


async def test_a_change_that_is_undone_is_not_logged(own, owner):
    before = await owner.fetchval("select count(*) from change")
    await own.post("/v1/signals", json=a_signal(title=""))
    found = await verified(own)
    await step(own, found["id"], "closed")
    assert await owner.fetchval("select count(*) from change") == before + 2


# The lock of the database on signals


HOSTILE = [
    {}, {"app.hub": "9", "app.role": "hub", "app.mask": "3"}, {"app.mask": "1"}, {"app.mask": ""}, {"app.role": "admin"},
    {"app.umbrella": "iederin", "app.mask": "1"}, {"app.mask": "0"}, {"app.role": "national"},
]  # fmt: skip


@pytest.mark.parametrize("settings", HOSTILE, ids=str)
async def test_without_the_right_settings_the_service_sees_and_changes_nothing(own, house, settings):
    draft, shared = await add(own), await verified(own, workfields=["psychische-kwetsbaarheid"])
    await follow_up(own, shared["id"])
    connection = await asyncpg.connect(house.addresses.service)
    try:
        for table in ("signal", "signal_theme", "forwarding", "follow_up", "signal_history", "change"):
            async with connection.transaction():
                for name, value in settings.items():
                    await connection.execute("select set_config($1, $2, true)", name, value)
                column = {"signal": "id", "change": "resource_id"}.get(table, "signal_id")
                assert (
                    await connection.fetchval(
                        f"select count(*) from {table} where {column} = $1", uuid.UUID(draft["id"])
                    )
                    == 0
                )
        its = f"signal_id = '{shared['id']}'"
        for sql in (
            f"update signal set title = 'x' where id = '{shared['id']}'", f"delete from signal where id = '{shared['id']}'",
            f"update follow_up set summary = 'x' where {its}", f"delete from forwarding where {its}",
            f"update forwarding set state = 'answered' where {its}", "update signal_history set note = 'x'",
            "delete from signal_history", "delete from change", "update signal set audience = 3 where hub_id <> 9", "delete from signal_theme",
            "insert into change (epoch, xact_id, type, version, op, audience) values (1, 1, 1, 1, 1, 1)",
            "insert into epoch (system_identifier, timeline) values ('x', 1)", f"delete from follow_up where {its}",
        ):  # fmt: skip
            transaction = connection.transaction()
            await transaction.start()
            try:
                for name, value in settings.items():
                    await connection.execute("select set_config($1, $2, true)", name, value)
                assert (await connection.execute(sql)).split()[-1] == "0", sql
            except asyncpg.InsufficientPrivilegeError:
                pass
            finally:
                await transaction.rollback()
    finally:
        await connection.close()


async def test_settings_that_come_after_the_read_show_an_anonymous_view(own, house):
    found = await verified(own)
    connection = await asyncpg.connect(house.addresses.service)
    late = "with r as materialized (select count(*) n from signal where id = $1) select n, set_config('app.hub', '1', true) from r"
    assert await connection.fetchval(late, uuid.UUID(found["id"])) == 0
    assert await connection.fetchval("select count(*) from signal where id = $1", uuid.UUID(found["id"])) == 0
    await connection.close()


async def test_an_umbrella_changes_its_answer_and_a_hub_its_routing_and_neither_the_other(own, house):
    found = await verified(own, workfields=["psychische-kwetsbaarheid"])
    database = Database(house.addresses.service, size=1)
    await database.open()
    fields = "state, response, reason, respond_by::text"
    change = "update forwarding set state = 'answered', response = 'x', reason = 'y', respond_by = '2030-01-01' where signal_id = $1"
    read = f"select {fields} from forwarding where signal_id = $1"
    for actor, expected in (
        (READERS["own"], ("forwarded", None, "y", "2030-01-01")),
        (READERS["mind"], ("answered", "x", None, found["forwardings"][0]["respondBy"])),
    ):
        async with database.transaction(actor) as connection:
            await connection.execute("savepoint before")
            await connection.execute(change, uuid.UUID(found["id"]))
            assert tuple(await connection.fetchrow(read, uuid.UUID(found["id"]))) == expected
            await connection.execute("rollback to savepoint before")
    await database.close()


# Epochs


async def test_an_epoch_lasts_as_long_as_its_cluster(fresh):
    place = await asyncio.to_thread(fresh, "epochs")
    connection = await asyncpg.connect(place.owner)
    numbers = "select array_agg(id order by id) from epoch"
    assert not await keep_epoch(connection)
    assert not await keep_epoch(connection)
    first = await connection.fetchval(numbers)
    await connection.execute("update epoch set system_identifier = '1'")
    assert await keep_epoch(connection)
    assert not await keep_epoch(connection)
    await connection.execute("update epoch set timeline = timeline + 1")
    assert await keep_epoch(connection)
    number = await connection.fetchval("select max(id) from epoch")
    await connection.execute(
        "insert into change (epoch, xact_id, type, version, op, audience) values ($1, 1000000000000, 1, 1, 1, 0)",
        number,
    )
    assert await keep_epoch(connection)
    assert not await keep_epoch(connection)
    assert await bump_epoch(connection) == await connection.fetchval("select max(id) from epoch")
    assert len(await connection.fetchval(numbers)) == len(first) + 4
    await connection.execute("select set_config('app.role', 'system', false)")
    await connection.execute("update hub set version = version + 1 where slug = 'groningen'")
    assert await connection.fetchval("select max(epoch) from change") == await connection.fetchval(
        "select max(id) from epoch"
    )
    await connection.close()


# Purge


async def _places(owner, marker):
    """Every table with the marker in any column."""
    tables = await owner.fetch(
        "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
    )
    return {
        row["relname"] for row in tables
        if await owner.fetchval(f'select exists (select from "{row["relname"]}" t where t::text ilike $1)', f"%{marker}%")
    }  # fmt: skip


@pytest.mark.parametrize("deleted_before", [False, True])
async def test_a_purge_takes_the_content_away_everywhere_and_leaves_a_tombstone(own, as_, owner, read, deleted_before):
    marker = letters()
    new = a_signal(
        title=f"Over {marker}",
        description=f"Woorden {marker}",
        externalId=marker,
        status="submitted",
        visibility="public",
    )
    found = (await own.post("/v1/signals", json=new, headers={"idempotency-key": f'"{uuid.uuid4()}"'})).json()
    await step(own, found["id"], "verified", note=marker, recipients=["mind"], reason=marker)
    async with as_("umbrella") as mind:
        await answer(mind, found["id"], state="answered", response=marker)
    await follow_up(own, found["id"], summary=marker)
    await patch(own, found["id"], {"visibility": "network"})
    assert await _places(owner, marker) == {"signal", "signal_history", "forwarding", "follow_up", "idempotency"}
    if deleted_before:
        await own.delete(f"/v1/signals/{found['id']}", headers={"if-match": "*"})
    await purge_signal(owner, uuid.UUID(found["id"]))
    assert await _places(owner, marker) == set()
    entries = await read(found["id"])
    assert set(entries) == set(READERS), "everybody who ever saw it is told"
    assert all(seen[-1][1] == DELETE for seen in entries.values())
    history = (await own.get(f"/v1/signals/{found['id']}/history")).json()["items"]
    assert history[-1]["action"] == "purged"
    assert all(line["note"] is None and line["changes"] == {} for line in history)
    async with as_("own-hub") as client:
        assert (await client.get(f"/v1/signals/{found['id']}")).status_code == 404


async def test_what_never_was_is_not_purged(owner):
    with pytest.raises(NotFound):
        await purge_signal(owner, uuid.uuid4())
