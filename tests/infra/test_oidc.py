"""The issuer's keys and the checks of a token, against a small issuer on loopback."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
import structlog
from joserfc.jwk import ECKey, OctKey, RSAKey
from pydantic import ValidationError

from app.domain.access import Actor
from app.domain.errors import Unauthenticated, Unavailable
from app.infra.database import REFUSED
from app.infra.oidc import Federation, Identity, IssuerKeys
from app.settings import Settings
from tests.issuer import AUDIENCE, ec, part, rsa, running_issuer, with_hmac


class Clock:
    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


class Books:
    """A database that knows the hub groningen and the umbrella mind."""

    def __init__(self):
        self.seen, self.revoked_at = {}, None

    async def row(self, sql, client, *args):
        if "federated_client_used" in sql:
            self.seen[client] = args
            return None
        hub, umbrella = args
        last = datetime.now(UTC) if client in self.seen else None
        return {
            "hub_known": hub == "groningen", "umbrella_known": umbrella == "mind", "last_used_at": last,
            "revoked_at": self.revoked_at,
        }  # fmt: skip


class World:
    """An issuer, its keys as we hold them, and the checks."""

    def __init__(self, issuer, *, timeout_seconds=5.0, **settings):
        self.issuer, self.clock, self.books = issuer, Clock(), Books()
        self.settings = Settings(oidc_issuer=issuer.address, oidc_audience=AUDIENCE, **settings)
        self.keys = IssuerKeys(issuer.address, timeout_seconds=timeout_seconds, clock=self.clock)
        self.federation = Federation(self.settings, self.books, self.keys)

    async def actor(self, *args, **claims):
        return await self.federation.authenticate(self.issuer.token(*args, **claims))

    async def refusal(self, token):
        """The reason in the log; the words to the caller are always the same."""
        with structlog.testing.capture_logs() as logs, pytest.raises(Unauthenticated) as error:
            await self.federation.authenticate(token)
        assert error.value.detail == REFUSED
        return next(entry["reason"] for entry in logs if entry["event"] == "token-refused")


@asynccontextmanager
async def world(prepare=lambda _: None, **settings):
    async with running_issuer() as issuer:
        prepare(issuer)
        found = World(issuer, **settings)
        found.keys.start()
        try:
            yield found
        finally:
            await found.keys.stop()


@pytest.fixture
async def here():
    async with world() as found:
        yield found


# Good tokens


async def test_a_token_of_the_national_coordination_is_its_actor(here):
    actor = await here.actor()
    assert (actor.role, actor.hub, actor.umbrella) == ("national", None, None)


async def test_a_token_of_a_hub_names_its_hub(here):
    actor = await here.actor(knooppunt_role="hub", knooppunt_hub="groningen")
    assert (actor.role, actor.hub, actor.umbrella) == ("hub", "groningen", None)


async def test_a_token_of_an_umbrella_names_its_umbrella(here):
    actor = await here.actor(knooppunt_role="umbrella", knooppunt_umbrella=["mind"])
    assert (actor.role, actor.hub, actor.umbrella) == ("umbrella", None, "mind")


async def test_a_hub_in_the_token_of_another_role_says_nothing(here):
    assert (await here.actor(knooppunt_role="admin", knooppunt_hub="groningen")).hub is None


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
async def test_keys_of_rsa_check_both_of_their_algorithms(algorithm):
    def prepare(issuer):
        issuer.keys = [rsa("rsa")]

    async with world(prepare) as found:
        assert (await found.actor(header={"alg": algorithm})).role == "national"


@pytest.mark.parametrize("kind", ["at+jwt", "AT+JWT", "application/at+jwt", "JWT", "jwt", None])
async def test_a_token_says_that_it_is_an_access_token_or_a_jwt_or_nothing(here, kind):
    assert (await here.actor(header={"typ": kind})).role == "national"


async def test_a_token_without_a_key_name_is_checked_with_the_only_key_that_fits(here):
    assert (await here.actor(header={"kid": None})).role == "national"


async def test_a_token_without_a_key_name_is_refused_where_more_keys_fit():
    def prepare(issuer):
        issuer.keys = [ec("first"), ec("second")]

    async with world(prepare) as found:
        assert await found.refusal(found.issuer.token(header={"kid": None})) == "key-mismatch"


async def test_one_of_several_audiences_may_be_ours(here):
    assert (await here.actor(aud=["other", AUDIENCE])).role == "national"


async def test_clocks_may_differ_by_the_leeway(here):
    now = int(time.time())
    assert (await here.actor(exp=now - 20, iat=now + 20, nbf=now + 20)).role == "national"


async def test_unknown_parameters_of_the_header_are_ignored_and_certificates_may_travel_along(here):
    header = {"version": "7", "x5c": ["A" * 1_500], "jku": "http://127.0.0.1:9/keys"}
    assert (await here.actor(header=header)).role == "national"


async def test_the_client_of_a_subject_is_always_the_same_and_not_that_of_another(here):
    first, again, other = await here.actor(), await here.actor(jti="x"), await here.actor(sub="person-2")
    assert first.client == again.client != other.client
    assert uuid.UUID(first.client).version == 5


async def test_a_client_is_written_down_once_in_a_minute_without_its_subject(here):
    await here.actor(sub="jan@example.org")
    await here.actor(sub="jan@example.org")
    [(_, seen)] = here.books.seen.items()
    assert seen == (here.issuer.address, "hub-website", "national", None, None)


async def test_an_application_with_an_odd_name_is_written_down_without_it(here):
    await here.actor(client_id="[red]\n" * 9)
    [(_, seen)] = here.books.seen.items()
    assert seen[1] == "unnamed"


# Claims by settings

REALM = {"oidc_role_claim": "realm_access.roles", "oidc_role_map": {"kp-coordinator": "national", "kp-hub": "hub"}}


async def test_the_role_may_be_in_a_list_at_the_end_of_a_path():
    async with world(**REALM) as found:
        roles = ["offline_access", "kp-coordinator", 7]
        assert (await found.actor(realm_access={"roles": roles}, knooppunt_role=None)).role == "national"


async def test_the_role_may_be_one_of_the_words_of_a_scope():
    async with world(oidc_role_claim="scope", oidc_role_map={"knooppunt:hub": "hub"}) as found:
        actor = await found.actor(scope="openid knooppunt:hub email", knooppunt_hub="groningen")
        assert actor.hub == "groningen"


async def test_a_claim_may_have_dots_in_its_name():
    async with world(oidc_role_claim="https://knooppunt.test/role") as found:
        assert (await found.actor(**{"https://knooppunt.test/role": "admin"})).role == "admin"


async def test_a_value_with_a_space_can_be_a_role():
    async with world(oidc_role_map={"Landelijke coördinatie": "national"}) as found:
        assert (await found.actor(knooppunt_role="Landelijke coördinatie")).role == "national"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"realm_access": None}, "role-missing"),
        ({"realm_access": "text"}, "role-missing"),
        ({"realm_access": {"roles": []}}, "role-missing"),
        ({"realm_access": {"roles": {"kp-hub": True}}}, "role-missing"),
        ({"realm_access": {"roles": ["national"]}}, "role-unknown"),
        ({"realm_access": {"roles": ["kp-hub", "kp-coordinator"]}}, "role-ambiguous"),
    ],
)
async def test_no_role_an_unknown_role_or_two_roles_are_refused(said, reason):
    async with world(**REALM) as found:
        assert await found.refusal(found.issuer.token(**said)) == reason


async def test_a_required_scope_must_be_there():
    async with world(oidc_scope="knooppunt") as found:
        assert (await found.actor(scope="openid knooppunt")).role == "national"
        assert (await found.actor(scp=["knooppunt"])).role == "national"
        assert await found.refusal(found.issuer.token(scope="openid")) == "scope"
        assert await found.refusal(found.issuer.token(scope="knooppunt-readonly")) == "scope"


# Refusals


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"exp": 1_700_000_000}, "expired"),
        ({"exp": None}, "claims"),
        ({"exp": "tomorrow"}, "expired"),
        ({"exp": True}, "expired"),
        ({"nbf": 4_000_000_000}, "not-yet-valid"),
        ({"iat": 4_000_000_000}, "issued-in-future"),
        ({"aud": "another-service"}, "audience"),
        ({"aud": ["another-service"]}, "audience"),
        ({"aud": None}, "claims"),
        ({"aud": []}, "audience"),
        ({"iss": "https://elsewhere.test"}, "foreign-issuer"),
        ({"iss": None}, "foreign-issuer"),
        ({"sub": None}, "claims"),
        ({"sub": 7}, "claims"),
        ({"sub": "x" * 256}, "claims"),
        ({"sub": "with\x00nul"}, "claims"),
        ({"knooppunt_role": None}, "role-missing"),
        ({"knooppunt_role": "anonymous"}, "role-unknown"),
        ({"knooppunt_role": "system"}, "role-unknown"),
        ({"knooppunt_role": "hub"}, "hub-missing"),
        ({"knooppunt_role": "hub", "knooppunt_hub": ["groningen", "limburg"]}, "hub-missing"),
        ({"knooppunt_role": "hub", "knooppunt_hub": "gro\x00ningen"}, "hub-missing"),
        ({"knooppunt_role": "hub", "knooppunt_hub": "atlantis"}, "hub-unknown"),
        ({"knooppunt_role": "umbrella"}, "umbrella-missing"),
        ({"knooppunt_role": "umbrella", "knooppunt_umbrella": "paraplu"}, "umbrella-unknown"),
        ({"typ": "ID"}, "id-token"),
        ({"typ": "Refresh"}, "id-token"),
        ({"cnf": {"jkt": "x"}}, "bound"),
    ],
    ids=str,
)
async def test_a_signed_token_that_says_the_wrong_thing_is_refused(here, said, reason):
    assert await here.refusal(here.issuer.token(**said)) == reason


@pytest.mark.parametrize("claim", ["nonce", "at_hash", "c_hash"])
async def test_an_id_token_is_refused_even_for_our_audience(here, claim):
    assert await here.refusal(here.issuer.token(header={"typ": "JWT"}, **{claim: "x"})) == "id-token"


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"typ": "logout+jwt"}, "type"),
        ({"typ": "dpop+jwt"}, "type"),
        ({"typ": ""}, "type"),
        ({"alg": "ES384"}, "algorithm"),
        ({"alg": "none"}, "algorithm"),
        ({"alg": "NONE"}, "algorithm"),
        ({"alg": ["ES256"]}, "algorithm"),
        ({"alg": {}}, "algorithm"),
        ({"kid": 7}, "malformed"),
        ({"kid": ["first"]}, "malformed"),
        ({"crit": ["exp"], "exp": 1}, "critical-header"),
        ({"crit": []}, "critical-header"),
        ({"b64": True}, "critical-header"),
        ({"alg": "RS256"}, "key-mismatch"),
    ],
    ids=str,
)
async def test_a_header_that_says_the_wrong_thing_is_refused(here, header, reason):
    head = {"alg": "ES256", "kid": "first", "typ": "at+jwt"} | header
    assert await here.refusal(f"{part(head)}.{part(here.issuer.claims())}.{part(b'signature')}") == reason


GARBAGE = [
    "..", "a.b.c", "é.é.é", "\x00.\x00.\x00", "=.=.=", f"{part([])}.{part({})}.x", f"{part(1)}.{part({})}.x",
    f"{part('alg')}.{part({})}.x", f"{part(b'[' * 3_000)}.{part({})}.x", f"{part({'alg': 'ES256'})}.{part(b'[' * 3_000)}.x",
    f"{part({'alg': 'ES256'})}.{part([1])}.x", f"{part({'alg': 'ES256'})}..x", f"{part({'typ': 'JWT'})}.{part({})}.x",
    f"{part({'alg': 'ES256', 'b64': False})}.{part({})}.x", f"{part(b'{')}.{part({})}.x", f"{part(b'1' * 5_000)}.{part({})}.x",
]  # fmt: skip


@pytest.mark.parametrize("token", GARBAGE, ids=range(len(GARBAGE)))
async def test_garbage_is_refused_without_a_word_to_the_issuer(here, token):
    assert await here.refusal(token) == "malformed"


async def test_a_token_of_more_than_eight_kilobytes_is_refused_unread(here):
    assert await here.refusal(here.issuer.token(padding="x" * 8_000)) == "too-long"


async def test_a_token_that_was_changed_after_signing_is_refused(here):
    header, claims, signature = here.issuer.token().split(".")
    assert await here.refusal(f"{header}.{part(here.issuer.claims(knooppunt_role='admin'))}.{signature}") == "signature"
    assert await here.refusal(f"{header}.{claims}.{part(b'x' * 64)}") == "signature"
    assert await here.refusal(f"{header}.{claims}.") == "signature"


async def test_a_key_that_is_not_the_issuers_does_not_pass_under_the_name_of_one(here):
    stranger = ECKey.generate_key("P-256", {"kid": "first"})
    assert await here.refusal(here.issuer.token(stranger)) == "signature"


async def test_a_key_in_the_header_of_the_token_is_not_trusted(here):
    stranger = ECKey.generate_key("P-256", {"kid": "first"})
    header = {"jwk": stranger.as_dict(private=False)}
    assert await here.refusal(here.issuer.token(stranger, header)) == "signature"


async def test_the_public_key_is_no_secret_to_sign_with():
    def prepare(issuer):
        issuer.keys = [rsa("rsa")]

    async with world(prepare) as found:
        header = {"alg": "HS256", "kid": "rsa", "typ": "at+jwt"}
        token = with_hmac(header, found.issuer.claims(), rsa("rsa").as_pem(private=False))
        assert await found.refusal(token) == "algorithm"


async def test_a_token_without_a_signature_is_refused(here):
    assert await here.refusal(f"{part({'alg': 'none'})}.{part(here.issuer.claims())}.") == "algorithm"


async def test_an_algorithm_must_be_allowed_by_the_settings():
    async with world(oidc_algorithms=["RS256"]) as found:
        assert await found.refusal(found.issuer.token()) == "algorithm"


async def test_a_revoked_client_stays_out_whatever_the_issuer_says(here):
    here.books.revoked_at = datetime.now(UTC)
    assert await here.refusal(here.issuer.token()) == "revoked"


async def test_nothing_of_a_token_is_in_the_logs(here, caplog):
    caplog.set_level(logging.DEBUG)
    bad = [
        here.issuer.token(sub="person-with-a-name", **said)
        for said in ({"exp": 1}, {"aud": "secret-audience"}, {"knooppunt_role": "secret-role"}, {"cnf": {}})
    ] + [here.issuer.token(ec("secret-key")), "secret.secret.secret"]
    with structlog.testing.capture_logs() as logs:
        for token in bad:
            with pytest.raises(Unauthenticated):
                await here.federation.authenticate(token)
        await here.actor(sub="person-with-a-name")
    written = repr(logs) + caplog.text
    assert [entry["event"] for entry in logs] == ["token-refused"] * len(bad)
    assert "secret" not in written
    assert "person-with-a-name" not in written
    assert not any(piece in written for token in bad for piece in token.split(".") if len(piece) > 10)


# The issuer's keys


async def until(condition):
    while not condition():  # noqa: ASYNC110 - what is waited for happens in a socket
        await asyncio.sleep(0.005)


async def test_keys_are_fetched_once_for_many_tokens(here):
    await asyncio.gather(*(here.actor() for _ in range(20)))
    assert here.issuer.fetched == 1


async def test_a_new_key_is_accepted_after_one_look_and_a_removed_one_is_refused(here):
    await here.actor()
    old = here.issuer.token()
    here.issuer.keys = [ec("second")]
    assert (await here.actor()).role == "national"
    assert here.issuer.fetched == 2
    assert await here.refusal(old) == "unknown-key"


async def test_a_flood_of_unknown_keys_asks_the_issuer_once_in_ten_seconds(here):
    await here.actor()
    flood = [here.issuer.token(ec(f"unknown-{number}")) for number in range(30)]
    refused = await asyncio.gather(*map(here.federation.authenticate, flood), return_exceptions=True)
    assert all(isinstance(error, Unauthenticated) for error in refused)
    assert here.issuer.fetched == 2
    here.clock.now += 9
    assert await here.refusal(flood[0]) == "unknown-key"
    assert here.issuer.fetched == 2
    here.clock.now += 2
    assert await here.refusal(flood[0]) == "unknown-key"
    assert here.issuer.fetched == 3


async def test_a_token_of_a_stranger_asks_the_issuer_nothing(here):
    await here.actor()
    assert await here.refusal(here.issuer.token(ec("unknown"), iss="https://elsewhere.test")) == "foreign-issuer"
    assert here.issuer.fetched == 1


@pytest.mark.parametrize("mode", ["fails", "hangs", "hangs-up", "garbage", "no-object", "huge", "redirects"])
async def test_without_keys_the_answer_is_that_nobody_can_tell_and_with_keys_they_stay(mode):
    def prepare(issuer):
        issuer.mode = mode

    async with world(prepare, timeout_seconds=0.3 if mode == "hangs" else 5.0) as found:
        with pytest.raises(Unavailable, match="issuer"):
            await found.actor()
        assert not any("elsewhere" in path for path in found.issuer.asked)
        found.issuer.mode = "well"
        found.clock.now += 11
        if mode == "hangs":
            found.keys._timeout = 5.0
        assert (await found.actor()).role == "national"
        found.issuer.mode = mode
        found.keys._timeout = 0.3 if mode == "hangs" else 5.0
        found.clock.now += 11
        with pytest.raises(Unavailable):  # signed with a key that only the issuer could tell about
            await found.actor(ec("newer"))
        assert (await found.actor()).role == "national"


async def test_a_refusal_needs_no_issuer():
    def prepare(issuer):
        issuer.mode = "fails"

    async with world(prepare) as found:
        assert await found.refusal("a.b.c") == "malformed"
        assert await found.refusal(found.issuer.token(iss="https://elsewhere.test")) == "foreign-issuer"


async def test_an_issuer_that_is_not_there_at_all_is_unavailable():
    async with running_issuer() as issuer:
        found = World(issuer)
    found.keys.start()
    with pytest.raises(Unavailable):
        await found.actor()
    await found.keys.stop()


async def test_stale_keys_are_used_for_a_day_and_no_longer(here):
    await here.actor()
    here.issuer.mode = "fails"
    here.clock.now += 600 + 86_000
    assert (await here.actor()).role == "national"
    here.clock.now += 1_000
    with pytest.raises(Unavailable):
        await here.actor()


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("", 600), ("no-store", 600), ("public, max-age=3600", 3_600), ("max-age=0", 60), ("max-age=999999999", 86_400),
        ("s-maxage=5", 600), ('Max-Age = "120"', 120),
    ],
)  # fmt: skip
async def test_keys_live_as_long_as_the_issuer_says_within_reason(said, seconds):
    def prepare(issuer):
        issuer.cache_control = said

    async with world(prepare) as found:
        await found.actor()
        assert found.keys._ring.lifetime == seconds


async def test_keys_are_renewed_in_the_background_before_they_expire(monkeypatch):
    monkeypatch.setattr("app.infra.oidc.RETRY_SECONDS", 0.01)
    async with world() as found:
        await found.actor()
        await asyncio.sleep(0.05)
        assert found.issuer.fetched == 1
        found.keys._keeping.cancel()
        found.clock.now += 490
        found.keys._keeping = asyncio.create_task(found.keys._keep())
        await asyncio.sleep(0)
        await until(lambda: found.issuer.fetched == 2)


async def test_an_issuer_that_fails_is_asked_again_until_it_answers(monkeypatch):
    monkeypatch.setattr("app.infra.oidc.RETRY_SECONDS", 0.01)

    def prepare(issuer):
        issuer.mode = "fails"

    async with world(prepare) as found:
        await asyncio.sleep(0.1)
        found.issuer.mode = "well"
        with structlog.testing.capture_logs() as logs:
            await until(lambda: found.keys._ring is not None)
        assert {"event": "issuer-answers-again", "log_level": "info"} in logs


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://elsewhere.test"}, {"issuer": None}, {"jwks_uri": None}, {"jwks_uri": 7},
        {"jwks_uri": "http://keys.test/"}, {"jwks_uri": "file:///etc/passwd"}, {"jwks_uri": "https://user:pw@keys.test/"},
    ],
    ids=str,
)  # fmt: skip
async def test_metadata_of_another_issuer_or_with_an_unsafe_address_are_not_used(metadata):
    def prepare(issuer):
        issuer.metadata = metadata

    async with world(prepare) as found:
        with pytest.raises(Unavailable):
            await found.actor()
        assert found.issuer.fetched == 0


async def test_a_slash_at_the_end_of_the_issuer_is_part_of_its_name_and_not_of_the_path():
    async with running_issuer() as issuer:
        issuer.metadata = {"jwks_uri": f"{issuer.address}/keys"}
        issuer.address += "/"
        found = World(issuer)
        found.keys.start()
        assert (await found.actor()).role == "national"
        assert await found.refusal(issuer.token(iss=issuer.address.rstrip("/"))) == "foreign-issuer"
        assert issuer.asked[0] == "/.well-known/openid-configuration"
        await found.keys.stop()


async def test_keys_that_we_do_not_understand_do_not_spoil_the_others():
    def prepare(issuer):
        issuer.more_keys = [
            None, 7, {}, {"kty": "AKP", "kid": "x"}, {"kty": "EC", "crv": "P-999", "x": "", "y": "", "kid": "first"},
            {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "first"}, {"kty": "RSA", "n": "!", "e": "AQAB"},
            OctKey.import_key("a secret of thirty-two characters").as_dict(private=True),
            {**ec("first").as_dict(private=False), "use": "enc"},
        ]  # fmt: skip

    async with world(prepare) as found:
        assert (await found.actor()).role == "national"
        assert len(found.keys._ring.keys) == 1


async def test_private_parts_that_an_issuer_leaks_are_not_kept():
    def prepare(issuer):
        issuer.keys, issuer.more_keys = [], [ec("first").as_dict(private=True)]

    async with world(prepare) as found:
        await found.actor(ec("first"))
        assert not any(key.is_private for key in found.keys._ring.keys)


async def test_a_short_key_of_rsa_and_one_for_encryption_are_no_keys():
    with pytest.warns(match="2048"):
        short = RSAKey.generate_key(1024, {"kid": "short"}).as_dict(private=False)

    def prepare(issuer):
        issuer.keys, issuer.more_keys = [], [short, {**rsa("rsa").as_dict(private=False), "use": "enc"}]

    async with world(prepare) as found:
        with pytest.raises(Unavailable):
            await found.actor(rsa("rsa"))


@pytest.mark.parametrize("limit", [{"alg": "PS256"}, {"key_ops": ["encrypt"], "use": None}])
async def test_a_key_is_used_for_what_it_was_made_for_alone(limit):
    given = {**rsa("rsa").as_dict(private=False), **limit}

    def prepare(issuer):
        issuer.keys, issuer.more_keys = [ec("first")], [{name: value for name, value in given.items() if value}]

    async with world(prepare) as found:
        assert await found.refusal(found.issuer.token(rsa("rsa"))) == "key-mismatch"


# The two kinds of token, and the settings


class Pool:
    """What the identity of this house asks the database, by name."""

    def __init__(self):
        self.asked = []

    async def row(self, sql, *args):
        self.asked.append(sql)


async def test_a_jwt_is_a_wrong_token_like_any_other_where_no_issuer_is_configured():
    async with running_issuer() as issuer:
        identity = Identity(Settings(), Pool())
        await identity.start()
        with pytest.raises(Unauthenticated, match=REFUSED):
            await identity.authenticate(issuer.token())
        await identity.stop()
        assert issuer.asked == []


async def test_what_begins_as_a_token_of_ours_is_never_taken_for_one_of_the_issuer():
    async with running_issuer() as issuer:
        database = Pool()
        identity = Identity(Settings(oidc_issuer=issuer.address, oidc_audience=AUDIENCE), database)
        with pytest.raises(Unauthenticated, match=REFUSED):
            await identity.authenticate("kp_a.b.c")
        assert "client_of" in database.asked[0]


async def test_an_actor_of_the_issuer_is_an_actor_like_any_other(here):
    actor = await here.actor(knooppunt_role="hub", knooppunt_hub="groningen")
    assert actor == Actor("hub", "groningen", None, actor.client)


@pytest.mark.parametrize(
    "given",
    [
        {"oidc_issuer": "http://login.test", "oidc_audience": "x"},
        {"oidc_issuer": "login.test", "oidc_audience": "x"},
        {"oidc_issuer": "https://user:secret@login.test", "oidc_audience": "x"},
        {"oidc_issuer": "https://[login.test", "oidc_audience": "x"},
        {"oidc_issuer": "https://login.test"},
        {"oidc_algorithms": "none"},
        {"oidc_algorithms": "RS256,HS256"},
        {"oidc_algorithms": ""},
        {"oidc_role_map": {"visitor": "anonymous"}},
        {"oidc_role_map": {"robot": "system"}},
        {"oidc_leeway_seconds": 3_600},
    ],
    ids=str,
)
def test_settings_that_would_be_unsafe_are_refused_at_the_start(given):
    with pytest.raises(ValidationError):
        Settings(**given)


def test_settings_are_read_from_the_environment(monkeypatch):
    for name, value in {
        "OIDC_ISSUER": "https://login.test/realms/knooppunt", "OIDC_AUDIENCE": AUDIENCE, "OIDC_SCOPE": "",
        "OIDC_ALGORITHMS": "PS256, ES256", "OIDC_ROLE_MAP": '{"kp-hub": "hub"}',
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.oidc_algorithms == ("PS256", "ES256")
    assert settings.oidc_role_map == {"kp-hub": "hub"}
    assert settings.oidc_scope is None
