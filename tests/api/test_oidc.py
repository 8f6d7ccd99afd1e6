"""Tokens of an OpenID Connect issuer at the door of the API, next to tokens of our own."""

from __future__ import annotations

import asyncio
import time
import uuid

import asyncpg
import httpx
import pytest
import structlog

from app.infra.clients import list_clients, revoke_client
from app.settings import Settings
from tests.issuer import AUDIENCE, ec, part, rsa, running_issuer, with_hmac
from tests.signal_cases import letters

WRONG = "This token is wrong, expired or revoked."
PATCH = {"content-type": "application/merge-patch+json", "if-match": "*"}


@pytest.fixture(scope="module")
async def issuer():
    async with running_issuer() as found:
        found.keys = [ec("first"), rsa("rsa")]
        yield found


def settings(addresses, issuer):
    return Settings(
        database_url=addresses.service, rate_limit_per_minute=0, oidc_issuer=issuer.address, oidc_audience=AUDIENCE
    )


@pytest.fixture(scope="module")
async def house(writing_house, running, issuer):
    """The app with an issuer, on the database for tests that write."""
    addresses = writing_house.addresses
    async with running(addresses, settings(addresses, issuer)) as found:
        yield found


@pytest.fixture
async def owner(house):
    connection = await asyncpg.connect(house.addresses.owner)
    yield connection
    await connection.close()


@pytest.fixture
def bearing(house):
    """A client with this token."""

    def make(token, app=None):
        transport = httpx.ASGITransport(app=app or house.app, raise_app_exceptions=False)
        headers = {"authorization": f"Bearer {token}"}
        return httpx.AsyncClient(transport=transport, base_url="http://knooppunt.test", headers=headers)

    return make


@pytest.fixture
def as_role(issuer, bearing):
    """A client with a good token of this role; a person of its own unless one is named."""

    def make(role, **claims):
        return bearing(issuer.token(**({"sub": uuid.uuid4().hex, "knooppunt_role": role} | claims)))

    return make


@pytest.fixture
def hub(as_role):
    return lambda slug="groningen", **claims: as_role("hub", knooppunt_hub=slug, **claims)


def an_organisation():
    return {"name": f"Stichting {letters()}", "type": "bewonersinitiatief", "side": "life-world"}


def refused(response):
    """A 401 as it is for every wrong token of either kind."""
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="knooppunt", error="invalid_token"'
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert response.json()["detail"] == WRONG
    return True


# Good tokens


@pytest.mark.parametrize(
    "claims",
    [
        {"knooppunt_role": "hub", "knooppunt_hub": "groningen"},
        {"knooppunt_role": "umbrella", "knooppunt_umbrella": "mind"},
        {"knooppunt_role": "national"},
        {"knooppunt_role": "admin"},
    ],
    ids=lambda claims: claims["knooppunt_role"],
)
async def test_a_token_of_each_role_reads_what_is_public_and_its_answer_is_not_for_caches(issuer, bearing, claims):
    async with bearing(issuer.token(**claims)) as client:
        response = await client.get("/v1/hubs/groningen")
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
async def test_a_token_signed_with_a_key_of_rsa_works_too(issuer, bearing, algorithm):
    async with bearing(issuer.token(rsa("rsa"), {"alg": algorithm})) as client:
        assert (await client.get("/v1/hubs")).status_code == 200


async def test_a_hub_changes_its_own_page_and_not_that_of_another(hub):
    async with hub("groningen") as client:
        own = await client.patch("/v1/hubs/groningen", json={"website": "https://groningen.example"}, headers=PATCH)
        other = await client.patch("/v1/hubs/limburg", json={"website": "https://groningen.example"}, headers=PATCH)
    assert own.status_code == 200, own.text
    assert own.json()["website"] == "https://groningen.example"
    assert other.status_code == 403


@pytest.mark.parametrize(("role", "status"), [("national", 200), ("admin", 403), ("umbrella", 403)])
async def test_other_roles_may_do_what_their_role_may(as_role, role, status):
    async with as_role(role, knooppunt_umbrella="mind") as client:
        response = await client.patch("/v1/hubs/limburg", json={"website": "https://limburg.example"}, headers=PATCH)
    assert response.status_code == status


async def test_a_hub_without_a_token_hears_that_it_needs_one(house):
    async with house.client() as client:
        response = await client.patch("/v1/hubs/groningen", json={}, headers=PATCH)
    assert response.status_code == 401
    assert response.json()["code"] == "token-required"


async def test_tokens_of_our_own_work_as_before(house, bearing):
    async with house.client("own-hub") as client:
        assert (await client.get("/v1/hubs/groningen")).headers["cache-control"] == "no-store"
    async with bearing("kp_wrong") as client:
        assert refused(await client.get("/v1/hubs/groningen"))


async def test_graphql_knows_the_same_actor(hub):
    async with hub() as client:
        response = await client.post("/graphql", json={"query": '{ hub(slug: "groningen") { slug } }'})
    assert response.json() == {"data": {"hub": {"slug": "groningen"}}}


# Idempotency keys and the client behind a subject


async def test_an_idempotency_key_makes_one_thing_for_one_subject_also_with_its_next_token(hub):
    key, new, sub = {"idempotency-key": f'"{uuid.uuid4()}"'}, an_organisation(), uuid.uuid4().hex
    async with hub(sub=sub) as client:
        first = await client.post("/v1/organisations", json=new, headers=key)
    async with hub(sub=sub, jti="another") as client:
        again = await client.post("/v1/organisations", json=new, headers=key)
    assert first.status_code == again.status_code == 201, first.text
    assert first.content == again.content


async def test_the_first_thing_that_a_subject_ever_does_may_happen_many_times_at_once(hub):
    key, new, sub = {"idempotency-key": f'"{uuid.uuid4()}"'}, an_organisation(), uuid.uuid4().hex

    async def create():
        async with hub(sub=sub) as client:
            return await client.post("/v1/organisations", json=new, headers=key)

    responses = await asyncio.gather(*(create() for _ in range(8)))
    made = [response for response in responses if response.status_code == 201]
    assert {response.status_code for response in responses} <= {201, 409}
    assert len({response.json()["id"] for response in made}) == 1


async def test_the_same_key_of_another_subject_is_another_key(hub):
    key = {"idempotency-key": f'"{uuid.uuid4()}"'}
    async with hub() as client:
        first = await client.post("/v1/organisations", json=an_organisation(), headers=key)
    async with hub() as client:
        other = await client.post("/v1/organisations", json=an_organisation(), headers=key)
    assert first.status_code == other.status_code == 201
    assert first.json()["id"] != other.json()["id"]


async def test_the_operator_sees_who_came_by_the_issuer_and_can_keep_one_out(hub, owner, issuer):
    application = f"app-{uuid.uuid4().hex}"
    async with hub(client_id=application, sub="jan@example.org") as client:
        assert (await client.get("/v1/hubs")).status_code == 200
        [seen] = [row for row in await list_clients(owner) if row["name"] == application]
        assert (seen["role"], seen["hub"], seen["umbrella"]) == ("hub", "groningen", None)
        assert seen["last_used_at"] is not None
        written = await owner.fetchrow("select * from client where id = $1", seen["id"])
        assert (written["issuer"], written["token_hash"]) == (issuer.address, None)
        assert "jan" not in repr(written)
        await revoke_client(owner, seen["id"])
        assert refused(await client.get("/v1/hubs"))


async def test_who_changes_roles_is_seen_with_the_new_one_a_minute_later(hub, as_role, owner):
    application, sub = f"app-{uuid.uuid4().hex}", uuid.uuid4().hex
    async with hub(client_id=application, sub=sub) as client:
        await client.get("/v1/hubs")
    await owner.execute("update client set last_used_at = now() - interval '2 minutes' where name = $1", application)
    async with as_role("umbrella", knooppunt_umbrella="mind", client_id=application, sub=sub) as client:
        assert (await client.get("/v1/hubs")).status_code == 200
    [seen] = [row for row in await list_clients(owner) if row["name"] == application]
    assert (seen["role"], seen["hub"], seen["umbrella"]) == ("umbrella", None, "mind")


async def test_a_client_has_a_token_of_ours_or_an_issuer_and_the_database_sees_to_it(owner):
    insert = "insert into client (id, name, role, token_hash, issuer) values ($1, 'x', 'admin', $2, $3)"
    for token_hash, issuer in ((None, None), (b"hash", "https://login.test")):
        with pytest.raises(asyncpg.CheckViolationError):
            await owner.execute(insert, uuid.uuid4(), token_hash, issuer)


async def test_the_service_cannot_read_the_clients_of_the_issuer(house):
    service = await asyncpg.connect(house.addresses.service)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await service.fetch("select * from client")
    await service.close()


# Refusals

NOW = int(time.time())
BAD_CLAIMS = {
    "expired": {"exp": NOW - 3_600},
    "not yet valid": {"nbf": NOW + 3_600},
    "issued in the future": {"iat": NOW + 3_600},
    "of a foreign issuer": {"iss": "https://elsewhere.test"},
    "for another audience": {"aud": "https://elsewhere.test"},
    "without a role": {"knooppunt_role": None},
    "with an unknown role": {"knooppunt_role": "king"},
    "of no hub": {"knooppunt_role": "hub"},
    "of an unknown hub": {"knooppunt_role": "hub", "knooppunt_hub": "atlantis"},
    "of an unknown umbrella": {"knooppunt_role": "umbrella", "knooppunt_umbrella": "paraplu"},
    "very long": {"padding": "x" * 9_000},
}
FORGED = {
    "an ID token": lambda i: i.token(header={"typ": "JWT"}, nonce="n"),
    "signed by a stranger": lambda i: i.token(ec("stranger"), {"kid": "first"}),
    "signed with an unknown key": lambda i: i.token(ec("unknown")),
    "without a signature": lambda i: f"{part({'alg': 'none', 'kid': 'first'})}.{part(i.claims())}.",
    "signed with the public key as a secret": lambda i: with_hmac(
        {"alg": "HS256", "kid": "rsa"}, i.claims(), rsa("rsa").as_pem(private=False)
    ),
    "garbage": lambda _: "a.b.c",
    "garbage with a null": lambda _: f"{part({'alg': 'ES256'})}.{part(b'null')}.x",
    "nothing between dots": lambda _: "..",
    "encrypted": lambda _: "a.b.c.d.e",
}


@pytest.mark.parametrize("claims", BAD_CLAIMS.values(), ids=BAD_CLAIMS)
async def test_a_token_that_says_the_wrong_thing_is_refused_on_public_paths_too(issuer, bearing, claims):
    async with bearing(issuer.token(**claims)) as client:
        assert refused(await client.get("/v1/hubs/groningen"))
        assert refused(await client.post("/v1/organisations", json={}))


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
async def test_a_token_that_is_no_token_of_the_issuer_is_refused_on_public_paths_too(issuer, bearing, forge):
    async with bearing(forge(issuer)) as client:
        assert refused(await client.get("/v1/hubs/groningen"))


async def test_nothing_of_a_refused_token_is_in_the_answer_or_the_logs(issuer, bearing):
    token = issuer.token(sub="a-person", knooppunt_role="a-secret-role")
    with structlog.testing.capture_logs() as logs:
        async with bearing(token) as client:
            response = await client.get("/v1/hubs")
    assert refused(response)
    assert {"event": "token-refused", "reason": "role-unknown", "log_level": "info"} in logs
    written = repr(logs) + response.text + repr(response.headers)
    assert not any(piece in written for piece in ("a-person", "a-secret-role", *token.split(".")))


# The issuer comes, goes and changes its keys


async def test_keys_change_while_the_service_runs(writing_house, running, bearing):
    async with running_issuer() as issuer:
        addresses = writing_house.addresses
        async with running(addresses, settings(addresses, issuer)) as house:
            old = issuer.token()
            async with bearing(old, house.app) as client:
                assert (await client.get("/v1/hubs")).status_code == 200
            issuer.keys = [ec("second")]
            async with bearing(issuer.token(), house.app) as client:
                assert (await client.get("/v1/hubs")).status_code == 200
            async with bearing(old, house.app) as client:
                assert refused(await client.get("/v1/hubs"))
            assert issuer.fetched == 2
            issuer.mode = "fails"
            async with bearing(issuer.token(), house.app) as client:
                assert (await client.get("/v1/hubs")).status_code == 200


async def test_without_the_issuer_the_service_starts_and_only_its_tokens_have_to_wait(writing_house, running, bearing):
    async with running_issuer() as issuer:
        issuer.mode = "fails"
        addresses = writing_house.addresses
        async with running(addresses, settings(addresses, issuer)) as house:
            async with bearing(issuer.token(), house.app) as client:
                response = await client.get("/v1/hubs")
            assert response.status_code == 503
            assert response.json()["code"] == "unavailable"
            assert "issuer" in response.json()["detail"]
            assert response.headers["retry-after"]
            async with bearing("a.b.c", house.app) as client:
                assert refused(await client.get("/v1/hubs"))
            async with house.client("own-hub") as client:
                assert (await client.get("/v1/hubs")).status_code == 200
            async with house.client() as client:
                assert (await client.get("/v1/hubs")).status_code == 200


async def test_where_no_issuer_is_configured_its_tokens_are_wrong_tokens(writing_house, bearing, issuer):
    async with bearing(issuer.token(), writing_house.app) as client:
        assert refused(await client.get("/v1/hubs/groningen"))
