"""Loading the reference data: whole or not at all, the same again for nothing, and nobody's own changes lost."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import asyncpg
import pytest

from app.domain.access import Actor
from app.domain.errors import Invalid
from app.domain.hubs import change_hub
from app.domain.organisations import change_organisation
from app.domain.versions import ANY_VERSION
from app.infra import loading, packaged
from app.infra.clients import NewClient, create_client
from app.infra.prepare import load_reference
from app.infra.work import plain_work
from tests.signal_cases import verified

DATA = packaged.load()
TABLES = (
    "term", "scheme", "edition", "region", "region_period", "membership", "succession", "postcode", "organisation",
    "organisation_region", "hub", "hub_phase", "hub_host", "hub_steering", "hub_area", "hub_member", "dataset",
)  # fmt: skip


@pytest.fixture(scope="module")
def place(fresh):
    """A database that these tests alone load into."""
    return fresh("loading")


@pytest.fixture
async def owner(place):
    connection = await asyncpg.connect(place.owner)
    await connection.execute("select set_config('app.role', 'system', false)")
    yield connection
    await connection.close()


async def everything(connection):
    """A fingerprint of every table; ids that a load makes anew, and the versions of rows, are no part of it."""
    found = {}
    for table in TABLES:
        without = "id" if table == "succession" else ""
        found[table] = await connection.fetchrow(
            f"select count(*), md5(string_agg((to_jsonb(t) - '{without}')::text, '' order by (to_jsonb(t) - '{without}')::text)) from {table} t"
        )
    return found


def renewed(name, data=DATA):
    """The same set under another digest, as a later release would bring it."""
    return replace(data, digest=name)


async def test_the_same_set_again_changes_nothing_and_takes_no_time(place, owner):
    before, version = await everything(owner), await owner.fetchval("select version from data_version")
    started = time.perf_counter()
    assert await loading.load(owner, DATA) is False
    assert time.perf_counter() - started < 0.5
    assert await everything(owner) == before
    assert await owner.fetchval("select version from data_version") == version, "no cache is emptied for nothing"


async def test_a_set_of_the_same_content_loads_to_the_same_rows_and_ids(place, owner):
    before = await everything(owner)
    assert await load_reference(place.owner, renewed("same-content")) is True
    after = await everything(owner)
    assert {table for table in TABLES if before[table] != after[table]} == {"dataset"}
    assert [row["digest"] for row in await owner.fetch("select digest from dataset order by id desc limit 1")] == [
        "same-content"
    ]


async def test_what_hubs_and_organisations_changed_themselves_survives_a_load(place, owner):
    organisation = await owner.fetchval(
        "select id from organisation o where source_key is not null and exists "
        "(select from organisation_region r where r.organisation_id = o.id) limit 1"
    )
    async with owner.transaction():
        work, actor = plain_work(owner), Actor("national")
        await change_hub(
            work, actor, "groningen",
            {"name": "Stad en Ommelanden", "website": "https://a.example", "frontrunner_role": None, "frontrunner": None,
             "hosts": ()}, ANY_VERSION,
        )  # fmt: skip
        await change_organisation(work, actor, organisation, {"name": "Eigen naam", "regions": ()}, ANY_VERSION)
    before = await everything(owner)
    assert await load_reference(place.owner, renewed("after-changes"))
    after = await everything(owner)
    assert {table for table in TABLES if before[table] != after[table]} == {"dataset"}
    shown = await owner.fetchrow("select name, frontrunner_id, version from hub where slug = 'groningen'")
    assert (shown["name"], shown["frontrunner_id"]) == ("Stad en Ommelanden", None)
    assert await owner.fetchval("select name from region_period where code = 'PH01' limit 1") == "Stad en Ommelanden"


async def test_regions_keep_their_ids_when_the_set_grows(place, owner):
    ids = dict(await owner.fetch("select code, id from region"))
    more = replace(DATA.regions[0], code="AM99", scheme="arbeidsmarktregio", year=2026, name="Nieuw")
    moved = [
        replace(m, region="AM99") if (m.scheme, m.year, m.municipality) == ("arbeidsmarktregio", 2026, "GM0637") else m
        for m in DATA.memberships
    ]
    grown = replace(DATA, digest="grown", regions=(*DATA.regions, more), memberships=tuple(moved))
    assert await load_reference(place.owner, grown)
    now = dict(await owner.fetch("select code, id from region"))
    assert now.keys() - ids.keys() == {"AM99"}
    assert {code: now[code] for code in ids} == ids
    assert await load_reference(place.owner, DATA)
    assert {code: number for code, number in await owner.fetch("select code, id from region") if code in ids} == ids


async def test_a_set_that_is_wrong_is_refused_with_every_finding_and_nothing_changes(place, owner):
    before = await everything(owner)
    wrong = [
        replace(m, region="ZK98") if m.municipality == "GM0637" and m.scheme == "zorgkantoorregio" else m
        for m in DATA.memberships
    ]
    with pytest.raises(Invalid) as caught:
        await load_reference(place.owner, replace(DATA, digest="wrong", memberships=tuple(wrong)))
    assert caught.value.faults
    assert all("ZK98" in fault.detail or "GM0637" in fault.detail for fault in caught.value.faults)
    assert await everything(owner) == before


@pytest.mark.parametrize("step", ["periods", "hub areas", "done"])
async def test_a_failure_half_way_leaves_everything_as_it_was(place, owner, step):
    before = await everything(owner)

    def fail(what, _done, _of):
        if what == step:
            raise LookupError(what)

    with pytest.raises(LookupError):
        await load_reference(place.owner, renewed(f"fails at {step}"), fail)
    assert await everything(owner) == before


async def test_of_two_loads_at_once_one_does_it(place, owner):
    outcomes = await asyncio.gather(*(load_reference(place.owner, renewed("two at once")) for _ in range(2)))
    assert sorted(outcomes) == [False, True]
    assert await owner.fetchval("select count(*) from dataset where digest = 'two at once'") == 1


async def test_readers_read_on_and_writers_wait_while_a_set_is_loaded(place, owner):
    """A load takes seconds. It must not make a reader wait, show it half a set, or come to a deadlock with a change."""
    counts = "select (select count(*) from postcode), (select count(*) from term), (select count(*) from membership)"
    whole = tuple(await owner.fetchrow(counts))
    reader, writer = await asyncpg.connect(place.service), await asyncpg.connect(place.owner)
    seen, longest = set(), 0.0
    load = asyncio.create_task(load_reference(place.owner, renewed("while others work")))

    async def change():
        async with writer.transaction():
            await writer.execute("select set_config('app.role', 'national', true)")
            await change_hub(
                plain_work(writer), Actor("national"), "zeeland", {"website": "https://tijdens.example"}, ANY_VERSION
            )

    await asyncio.sleep(0.05)
    changes = asyncio.create_task(change())
    while not load.done():
        started = time.perf_counter()
        seen.add(tuple(await reader.fetchrow(counts)))
        longest = max(longest, time.perf_counter() - started)
        await asyncio.sleep(0.01)
    assert await load is True
    await changes
    assert seen == {whole}
    assert longest < 1.0, "the load itself keeps the processor busy, but no lock is waited for"
    assert await owner.fetchval("select website from hub where slug = 'zeeland'") == "https://tijdens.example"
    await reader.close()
    await writer.close()


# Bits in the masks of readers and signals


async def test_a_reload_in_another_order_with_a_new_umbrella_between_shows_everybody_the_same(fresh, running):
    place = await asyncio.to_thread(fresh, "bits")
    owner = await asyncpg.connect(place.owner)
    mark = {"mind": "psychische-kwetsbaarheid", "iederin": "inclusie", "patientenfederatie": "medische-zorg"}
    bits = dict(await owner.fetch("select code, umbrella_bit(code) from term where vocabulary = 'umbrella'"))
    assert len(set(bits.values())) == len(bits) == 3

    async def seen(house):
        """What each umbrella sees on its desk, and the workfields that each signal shows."""
        desks, fields = {}, {}
        for code in mark:
            token = await create_client(owner, NewClient(code, "umbrella", umbrella=code))
            async with house.client() as client:
                client.headers["authorization"] = f"Bearer {token}"
                page = await client.get("/v1/signals?limit=200&visibility=network")
                desks[code] = {item["id"] for item in page.json()["items"]}
                fields |= {item["id"]: [w["code"] for w in item["workfields"]] for item in page.json()["items"]}
                for workfield in mark.values():
                    found = await client.get(f"/v1/signals?limit=200&workfield={workfield}")
                    desks[code, workfield] = {item["id"] for item in found.json()["items"]}
        return desks, {signal_id: set(codes) for signal_id, codes in fields.items()}

    async with running(place) as house:
        async with house.client("own-hub") as own:
            for workfield in mark.values():
                await verified(own, workfields=[workfield])
        before = await seen(house)
        assert all(before[0][code] for code in mark)
        masks = await owner.fetch("select id, audience, recipients, workfields from signal order by id")

        assert await load_reference(place.owner, _renumbered("turned round"))
        assert await seen(house) == before
        assert await owner.fetch("select id, audience, recipients, workfields from signal order by id") == masks
        now = dict(await owner.fetch("select code, umbrella_bit(code) from term where vocabulary = 'umbrella'"))
        assert now == bits | {"nieuwe-koepel": max(bits.values()) * 2}
        async with house.client("own-hub") as own:  # what is written after it goes to the same readers
            late = await verified(own, workfields=["psychische-kwetsbaarheid"])
            assert {f["umbrella"]["code"] for f in late["forwardings"]} == {"mind", "nieuwe-koepel"}
            assert [w["code"] for w in late["workfields"]] == ["psychische-kwetsbaarheid"]
        desks, _ = await seen(house)
        assert {code for code in mark if late["id"] in desks[code]} == {"mind"}
    await owner.close()


def _renumbered(digest, without=(), add=("nieuwe-koepel",)):
    """Umbrellas and workfields from back to front, with new umbrellas for mental health in the first places."""
    mind = next(term for term in DATA.terms if term.code == "mind")
    kept = [term for term in DATA.terms if term.code not in without]
    masked = [term for term in kept if term.vocabulary in ("umbrella", "workfield")]
    others = [term for term in kept if term.vocabulary not in ("umbrella", "workfield")]
    turned = [replace(mind, code=code) for code in add] + masked[::-1]
    ranks = {"umbrella": 0, "workfield": 0}
    for number, term in enumerate(turned):
        ranks[term.vocabulary] += 1
        turned[number] = replace(term, rank=ranks[term.vocabulary])
    return replace(DATA, digest=digest, terms=(*turned, *others))


async def test_the_bit_of_an_umbrella_that_went_is_given_to_nobody_else_and_waits_for_it(place, owner):
    bits = "select code, bit from term where vocabulary = 'umbrella'"
    before = dict(await owner.fetch(bits))
    assert await load_reference(place.owner, _renumbered("one went", without=("mind",), add=("erfgenaam",)))
    after = dict(await owner.fetch(bits))
    assert after.keys() == before.keys() - {"mind"} | {"erfgenaam"}
    assert after["erfgenaam"] not in before.values()
    assert await owner.fetchval("select reader_mask('umbrella', 'mind')") == 1, "who is no umbrella reads what all read"
    assert await owner.fetchval("select forwarding_audience(2, 'mind')") == 1 << 30 | 1 << before["mind"]
    assert await load_reference(place.owner, renewed("it came back"))
    assert dict(await owner.fetch(bits)) == before


async def test_more_umbrellas_than_there_is_room_for_are_refused_and_nothing_changes(place, owner):
    before = await everything(owner)
    many = _renumbered("too many", add=tuple(f"koepel-{number}" for number in range(28)))
    with pytest.raises(Invalid) as caught:
        await load_reference(place.owner, many)
    assert [fault.code for fault in caught.value.faults] == ["no-room"]
    assert await everything(owner) == before
