"""Idempotency-Key on what creates: sent however often, it happens once."""

from __future__ import annotations

import asyncio
import uuid

import asyncpg
import pytest

from tests.signal_cases import letters


@pytest.fixture
def house(writing_house):
    return writing_house


@pytest.fixture
async def owner(house):
    connection = await asyncpg.connect(house.addresses.owner)
    yield connection
    await connection.close()


def an_organisation():
    return {"name": f"Stichting {letters()}", "type": "overig", "side": "life-world"}


def a_hub():
    slug = f"hub-{letters()}"
    return {"slug": slug, "name": slug, "area": {"from": "2024-01-01", "plus": ["GM0637"]}}


def keyed(key=None, **more):
    return {"idempotency-key": f'"{key or uuid.uuid4()}"'} | more


async def count(owner, name):
    return await owner.fetchval("select count(*) from organisation where name = $1", name)


async def test_the_same_request_again_gets_the_first_answer_byte_for_byte(as_, owner):
    new, headers = an_organisation(), keyed()
    async with as_("own-hub") as own:
        first = await own.post("/v1/organisations", json=new, headers=headers)
        again = await own.post("/v1/organisations", json=new, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    for name in ("etag", "location", "content-language", "content-type"):
        assert again.headers[name] == first.headers[name]
    assert await count(owner, new["name"]) == 1


async def test_the_first_answer_stays_the_answer_in_its_own_language_and_version(as_):
    new, headers = a_hub(), keyed()
    async with as_("national") as national:
        first = await national.post("/v1/hubs", json=new, headers=headers)
        await national.patch(
            f"/v1/hubs/{new['slug']}", json={"name": "Later"},
            headers={"content-type": "application/merge-patch+json", "if-match": "*"},
        )  # fmt: skip
        again = await national.post("/v1/hubs", json=new, headers=headers | {"accept-language": "en"})
    assert again.content == first.content
    assert again.headers["content-language"] == "nl"
    assert again.headers["etag"] == first.headers["etag"]


@pytest.mark.parametrize("what", ["organisation", "hub"])
async def test_twenty_at_once_make_one(as_, get, owner, what):
    new, address = (an_organisation(), "/v1/organisations") if what == "organisation" else (a_hub(), "/v1/hubs")
    headers = keyed()
    async with as_("national") as national:
        answers = await asyncio.gather(*(national.post(address, json=new, headers=headers) for _ in range(20)))
        made = [answer for answer in answers if answer.status_code == 201]
        waiting = [answer for answer in answers if answer.status_code != 201]
        assert made
        assert {(a.status_code, a.json()["code"]) for a in waiting} <= {(409, "still-running")}
        assert len({answer.content for answer in made}) == 1
        after = await national.post(address, json=new, headers=headers)
    assert (after.status_code, after.content) == (201, made[0].content)
    table = "organisation" if what == "organisation" else "hub"
    assert await owner.fetchval(f"select count(*) from {table} where name = $1", new["name"]) == 1


async def test_a_key_that_is_still_running_is_a_conflict_not_a_wait(as_, owner, house):
    headers, new = keyed(), an_organisation()
    blocker = await asyncpg.connect(house.addresses.owner)
    async with as_("own-hub") as own:
        async with blocker.transaction():
            await blocker.execute("lock table organisation in exclusive mode")
            first = asyncio.create_task(own.post("/v1/organisations", json=new, headers=headers))
            await _until(
                owner, "select exists (select from pg_locks where relation = 'organisation'::regclass and not granted)"
            )
            second = await asyncio.wait_for(own.post("/v1/organisations", json=new, headers=headers), 3)
            assert (second.status_code, second.json()["code"]) == (409, "still-running")
        assert (await first).status_code == 201
        third = await own.post("/v1/organisations", json=new, headers=headers)
        assert third.json() == (await first).json()
    await blocker.close()


async def _until(connection, question):
    for _ in range(200):
        if await connection.fetchval(question):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(question)


async def test_the_same_key_for_something_else_is_refused(as_, owner):
    headers, first, other = keyed(), an_organisation(), an_organisation()
    async with as_("national") as national:
        await national.post("/v1/organisations", json=first, headers=headers)
        for address, content in (("/v1/organisations", other), ("/v1/hubs", a_hub())):
            response = await national.post(address, json=content, headers=headers)
            assert (response.status_code, response.json()["code"]) == (422, "idempotency-key-reused")
    assert await count(owner, other["name"]) == 0


async def test_a_key_belongs_to_its_client(as_, owner):
    headers, new = keyed(), an_organisation()
    identities = set()
    for who in ("own-hub", "other-hub", "national"):
        async with as_(who) as client:
            response = await client.post("/v1/organisations", json=new, headers=headers)
        assert response.status_code == 201
        identities.add(response.json()["id"])
    assert len(identities) == 3


async def test_a_refused_request_leaves_its_key_free(as_):
    headers, new = keyed(), an_organisation()
    async with as_("own-hub") as own:
        wrong = await own.post("/v1/organisations", json=new | {"workfield": "niets"}, headers=headers)
        assert wrong.status_code == 400
        assert (await own.post("/v1/organisations", json=new, headers=headers)).status_code == 201


async def test_a_key_expires_after_a_day_and_its_answer_is_gone(as_, owner):
    key, new = str(uuid.uuid4()), an_organisation()
    async with as_("own-hub") as own, as_("other-hub") as other:
        await own.post("/v1/organisations", json=new, headers=keyed(key))
        await owner.execute(
            "update idempotency set created_at = now() - interval '23 hours 59 minutes' where key = $1", key
        )
        await own.post("/v1/organisations", json=new, headers=keyed(key))
        assert await count(owner, new["name"]) == 1
        await owner.execute(
            "update idempotency set created_at = now() - interval '24 hours 1 minute' where key = $1", key
        )
        # Anybody's next request with a key clears what has expired.
        await other.post("/v1/organisations", json=an_organisation(), headers=keyed())
        assert await owner.fetchval("select count(*) from idempotency where key = $1", key) == 0
        assert (await own.post("/v1/organisations", json=new, headers=keyed(key))).status_code == 201
    assert await count(owner, new["name"]) == 2


async def test_a_bare_key_is_the_same_as_a_quoted_one(as_):
    key, new = str(uuid.uuid4()), an_organisation()
    async with as_("own-hub") as own:
        first = await own.post("/v1/organisations", json=new, headers=keyed(key))
        bare = await own.post("/v1/organisations", json=new, headers={"idempotency-key": key})
    assert bare.content == first.content


@pytest.mark.parametrize("key", ['""', "", "x" * 201, "a\tb"])
async def test_a_key_that_is_none_is_refused(as_, owner, key):
    new = an_organisation()
    async with as_("own-hub") as own:
        response = await own.post("/v1/organisations", json=new, headers={"idempotency-key": key})
    assert response.status_code == 400
    assert response.json()["errors"][0]["code"] == "invalid-key"
    assert await count(owner, new["name"]) == 0
