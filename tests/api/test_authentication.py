"""Tokens at the door: who gets in, who is told no, and never silently as somebody else."""

from __future__ import annotations

import asyncio
import time
import uuid
from datetime import UTC, datetime, timedelta

import asyncpg
import httpx
import pytest

from app.domain.errors import Invalid, NotFound
from app.infra import clients
from app.infra.clients import NewClient, create_client, list_clients, revoke_client, rotate_client
from app.infra.database import Database


@pytest.fixture
def house(writing_house):
    return writing_house


@pytest.fixture
async def owner(house):
    connection = await asyncpg.connect(house.addresses.owner)
    yield connection
    await connection.close()


@pytest.fixture
def ask(house):
    """GET of a public address, with this Authorization header."""

    async def send(authorization, address="/v1/hubs/groningen"):
        transport = httpx.ASGITransport(app=house.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://knooppunt.test") as client:
            return await client.get(address, headers={"authorization": authorization})

    return send


@pytest.fixture
def client(owner):
    """A new client: its token and its id."""

    async def make(**changes):
        name = f"client {uuid.uuid4().hex}"
        token = await create_client(owner, NewClient(**({"name": name, "role": "hub", "hub": "groningen"} | changes)))
        return token, await owner.fetchval("select id from client where name = $1", name)

    return make


def refused(response):
    """A 401 as it must be."""
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer ")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    return True


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer kp_" + "x" * 43, "Bearer kp_", "Bearer x", "Bearer ", "Bearer", "Basic a3A6a3A=", "kp_abc", "Bearer kp_a b",
        "Bearer kp_" + "x" * 5000, "Bearer kp_é\x80", "bearer kp_wrong",
    ],
)  # fmt: skip
@pytest.mark.parametrize("address", ["/v1/hubs", "/v1/regions/PH01", "/v1/nothing"])
async def test_a_token_that_is_none_is_401_on_public_data_too(ask, authorization, address):
    response = await ask(authorization.encode("latin-1"), address)
    assert refused(response)
    assert "kp_" not in response.text


async def test_a_token_says_who_asks_and_public_data_stay_the_same(ask, api, client):
    token, _ = await client()
    answer = await ask(f"Bearer {token}")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == (await api.get("/v1/hubs/groningen")).json()
    assert (await ask(f"bearer {token}")).status_code == 200, "the scheme is case-insensitive (RFC 9110, 11.1)"


async def test_an_expired_token_is_refused_at_the_second(ask, owner, client):
    token, identity = await client(expires_days=1)
    assert (await ask(f"Bearer {token}")).status_code == 200
    await owner.execute("update client set expires_at = now() - interval '1 second' where id = $1", identity)
    assert refused(await ask(f"Bearer {token}"))


async def test_a_revoked_token_is_refused_at_once_and_for_good(ask, owner, client):
    token, identity = await client()
    assert (await ask(f"Bearer {token}")).status_code == 200
    await revoke_client(owner, identity)
    assert refused(await ask(f"Bearer {token}"))
    with pytest.raises(NotFound):
        await rotate_client(owner, identity)


async def test_a_rotated_token_takes_over_at_once_with_a_term_of_its_own(ask, owner, client):
    old, identity = await client(expires_days=1)
    await owner.execute("update client set expires_at = now() - interval '1 day' where id = $1", identity)
    new = await rotate_client(owner, identity, 30)
    assert refused(await ask(f"Bearer {old}"))
    assert (await ask(f"Bearer {new}")).status_code == 200
    until = await owner.fetchval("select expires_at from client where id = $1", identity)
    assert timedelta(days=29) < until - datetime.now(UTC) <= timedelta(days=30)


async def test_the_use_of_a_token_is_noted_once_a_minute(ask, owner, client, monkeypatch):
    token, identity = await client()
    last_used = "select last_used_at from client where id = $1"
    assert await owner.fetchval(last_used, identity) is None
    await ask(f"Bearer {token}")
    first = await owner.fetchval(last_used, identity)
    await asyncio.sleep(0.01)
    await ask(f"Bearer {token}")
    assert await owner.fetchval(last_used, identity) == first
    await owner.execute("update client set last_used_at = now() - interval '61 seconds' where id = $1", identity)
    monkeypatch.setattr(clients, "monotonic", lambda: time.monotonic() + 61)
    await ask(f"Bearer {token}")
    assert await owner.fetchval(last_used, identity) >= first


async def test_a_client_whose_hub_is_gone_is_gone_too(ask, owner, client):
    await owner.execute("select set_config('app.role', 'system', false)")
    hub = f"tijdelijk-{uuid.uuid4().hex[:8]}"
    await owner.execute(
        "insert into hub (slug, name, sort_name, basis, area_code) values ($1, $1, $1, 'network', $1)", hub
    )
    token, _ = await client(hub=hub)
    assert (await ask(f"Bearer {token}")).status_code == 200
    await owner.execute("delete from hub where slug = $1", hub)
    assert refused(await ask(f"Bearer {token}"))


async def test_only_a_hash_of_the_token_is_kept(owner, client):
    token, identity = await client()
    row = await owner.fetchrow("select c::text as everything, token_hash from client c where id = $1", identity)
    assert token not in row["everything"]
    assert token.removeprefix("kp_").encode().hex() not in row["everything"]
    assert len(row["token_hash"]) == 32
    assert len(token) == 46, "kp_ and 256 bits"
    assert not any("token" in key or "hash" in key for listed in await list_clients(owner) for key in listed)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"role": "hub", "hub": None}, "role-needs-hub"),
        ({"role": "national", "hub": "groningen"}, "role-needs-hub"),
        ({"role": "umbrella", "hub": None}, "role-needs-umbrella"),
        ({"role": "umbrella", "hub": None, "umbrella": "nobody"}, "unknown-code"),
        ({"role": "hub", "hub": "nergens"}, "unknown-code"),
        ({"role": "king", "hub": None}, "unknown-code"),
        ({"role": "anonymous", "hub": None}, "unknown-code"),
    ],
)
async def test_a_client_has_a_role_and_what_belongs_to_it(client, changes, code):
    with pytest.raises(Invalid) as caught:
        await client(**changes)
    assert [fault.code for fault in caught.value.faults] == [code]


HUBS = {"query": "{ hubs { nodes { slug } } }"}
SIGNAL = {"kind": "knelpunt", "title": "Wachten", "themes": ["wachttijden"], "region": "GM0014"}
ADDRESSES = [
    ("GET", "/v1/regions?scheme=gemeente", None), ("GET", "/v1/signals", None), ("GET", "/v1/nothing", None),
    ("GET", "/v1/regions?limit=none", None), ("GET", "/v1/openapi.json", None), ("GET", "/", None), ("OPTIONS", "/v1/hubs", None),
    ("POST", "/graphql", HUBS), ("POST", "/graphql", {"query": "{ __typename }"}), ("POST", "/graphql", {"query": "{ nothing }"}),
    ("POST", "/v1/signals", SIGNAL), ("POST", "/v1/signals", {**SIGNAL, "title": ""}), ("DELETE", "/v1/hubs", None),
    ("POST", "/graphql", {"query": 'mutation { createSignal(input: {kind: "knelpunt", title: "Wachten", '
                                   'themes: ["wachttijden"], region: "GM0014"}) { id } }'}),
]  # fmt: skip


@pytest.mark.parametrize("ended", ["revoked", "expired", "rotated", "gone"])
async def test_a_token_that_was_just_good_is_refused_everywhere_from_the_moment_that_it_ends(
    house, owner, client, ended
):
    """It is remembered for a minute, whatever it asks: so each address is asked with it before and after."""
    tokens = [await client() for _ in ADDRESSES]
    for token, _ in tokens:
        async with _as(house, token) as asking:
            assert (await asking.get("/v1/hubs/groningen")).status_code == 200
    for (_, identity), (method, address, body) in zip(tokens, ADDRESSES, strict=True):
        async with _as(house, tokens[ADDRESSES.index((method, address, body))][0]) as asking:
            before = await owner.fetchval("select count(*) from change")
            await _END[ended](owner, identity)
            assert refused(await asking.request(method, address, json=body)), (method, address)
            assert refused(await asking.request(method, address, json=body)), "and again, now that it is forgotten"
            assert await owner.fetchval("select count(*) from change") == before


_END = {
    "revoked": revoke_client,
    "rotated": rotate_client,
    "expired": lambda owner, identity: owner.execute(
        "update client set expires_at = now() - interval '1 second' where id = $1", identity
    ),
    "gone": lambda owner, identity: owner.execute("delete from client where id = $1", identity),
}


def _as(house, token):
    transport = httpx.ASGITransport(app=house.app, raise_app_exceptions=False)
    return httpx.AsyncClient(
        transport=transport, base_url="http://knooppunt.test", headers={"authorization": f"Bearer {token}"}
    )


async def test_a_known_token_reads_without_a_question_of_its_own(house, client, monkeypatch):
    token, _ = await client()
    asked = []
    row = Database.row

    async def counting(self, sql, *args):
        asked.append(sql)
        return await row(self, sql, *args)

    async with _as(house, token) as asking:
        await asking.get("/v1/hubs/groningen")
        monkeypatch.setattr(Database, "row", counting)
        assert (await asking.get("/v1/hubs/groningen")).status_code == 200
    assert len(asked) == 1
    assert "enter(" in asked[0]


async def test_what_a_token_stands_for_is_the_databases_word_not_what_a_process_remembers(house, owner, client):
    token, identity = await client()
    async with _as(house, token) as asking:
        assert (await asking.get("/v1/hubs/groningen")).status_code == 200
        other = await owner.fetchval("select id from hub where slug = 'limburg'")
        await owner.execute("update client set hub_id = $2 where id = $1", identity, other)
        assert refused(await asking.get("/v1/hubs/groningen"))
        assert (await asking.get("/v1/hubs/groningen")).status_code == 200, "looked up anew"
