"""The outermost ring: limits, headers on everything, HEAD, OPTIONS, known ETags, and what happens when all fails."""

from __future__ import annotations

import gzip

import httpx
import pytest

from app.api.accepting import accepts_gzip, is_in_utf8, preferred
from app.api.asking import accepted_language
from app.api.edge import Edge
from app.api.measures import Measures
from app.domain.access import Actor
from app.domain.errors import Unauthenticated
from app.settings import Settings

CLIENT = Actor("hub", hub="groningen", client="the client")


class Inner:
    """An app of paper behind the edge."""

    def __init__(self):
        self.calls = 0
        self.fails = None

    async def __call__(self, scope, receive, send):
        self.calls += 1
        if self.fails:
            raise self.fails
        body = b'{"read":%d}' % await read_all(receive, scope["method"])
        headers = [
            (b"content-type", b"application/json"),
            (b"etag", b'"tag"'),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def read_all(receive, method):
    read, more = 0, method != "GET"
    while more:
        message = await receive()
        read += len(message.get("body", b""))
        more = message.get("more_body", False)
    return read


class World:
    def __init__(self, **settings):
        self.version, self.problem, self.inner = 1, None, Inner()

        async def authenticate(token):
            if token != "good":
                raise Unauthenticated("This token is wrong, expired or revoked.")
            return CLIENT

        async def confirm(actor):
            self.confirmed.append(actor)

        self.confirmed = []
        self.edge = Edge(
            self.inner, Settings(**{"rate_limit_per_minute": 0, **settings}), api_version="1.2.3",
            authenticate=authenticate, confirm=confirm, version=lambda: self.version, problem=lambda: self.problem,
            allowed=lambda path: {"GET", "HEAD"} if path == "/v1/hubs" else set(), measures=Measures(lambda: True),
        )  # fmt: skip

    def client(self, address="192.0.2.1", **headers):
        transport = httpx.ASGITransport(self.edge, client=(address, 1))
        return httpx.AsyncClient(transport=transport, base_url="http://hub.test", headers=headers)


@pytest.fixture
def world():
    return World()


SAFE = {
    "api-version": "1.2.3", "x-content-type-options": "nosniff", "x-frame-options": "DENY", "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000; includeSubDomains", "access-control-allow-origin": "*",
}  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/v1/hubs", {}, 200),
        ("HEAD", "/v1/hubs", {}, 200),
        ("OPTIONS", "/v1/hubs", {}, 204),
        ("OPTIONS", "/v1/nothing", {}, 404),
        ("GET", "/v1/hubs", {"authorization": "Bearer bad"}, 401),
        ("GET", "/v1/hubs", {"x-a": "a" * 20_000}, 431),
        ("GET", "/v1/hubs?" + "a" * 9_000, {}, 414),
        ("POST", "/v1/hubs", {"content-length": "2000000"}, 413),
    ],
)
async def test_every_answer_carries_the_version_a_request_id_and_the_safety_headers(
    world, method, path, headers, status
):
    async with world.client() as client:
        response = await client.request(method, path, headers=headers)
    assert response.status_code == status
    assert {name: response.headers[name] for name in SAFE} == SAFE
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    assert len(response.headers["request-id"]) == 32
    assert "server" not in response.headers
    assert {"accept-language", "accept-encoding", "authorization"} <= set(response.headers["vary"].lower().split(", "))
    if status >= 400:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["cache-control"] == "no-store"
        assert response.json()["status"] == status


async def test_a_fault_of_ours_is_a_problem_without_a_word_of_what_happened(world):
    world.inner.fails = RuntimeError("secret words")
    async with world.client() as client:
        response = await client.get("/v1/hubs")
    assert response.status_code == 500
    assert response.json()["requestId"] == response.headers["request-id"]
    assert "secret" not in response.text


async def test_head_is_get_without_the_body_and_with_its_length(world):
    async with world.client() as client:
        response = await client.head("/v1/hubs")
    assert response.content == b""
    assert response.headers["content-length"] == "10"


async def test_a_known_etag_is_answered_without_asking_inside_as_long_as_the_data_stays(world):
    async with world.client() as client:
        await client.get("/v1/hubs")
        known = {"if-none-match": 'W/"other", W/"tag"'}
        response = await client.get("/v1/hubs", headers=known)
        assert (response.status_code, response.headers["etag"], world.inner.calls) == (304, '"tag"', 1)
        assert "content-length" not in response.headers
        for other in ({"accept-language": "en"}, {"accept-encoding": "identity"}, {"accept": "text/csv"}):
            calls = world.inner.calls
            await client.get("/v1/hubs", headers={**known, **other})
            assert world.inner.calls == calls + 1, other
        world.version = 2
        calls = world.inner.calls
        await client.get("/v1/hubs", headers=known)
        assert world.inner.calls == calls + 1


async def test_what_is_not_public_is_never_answered_from_memory_and_never_stored(world):
    async with world.client(authorization="Bearer good") as client:
        for _ in range(2):
            response = await client.get("/v1/hubs", headers={"if-none-match": '"tag"'})
            assert response.status_code == 200
        assert response.headers["cache-control"] == "no-store"
    assert world.inner.calls == 2
    assert not world.edge.tags


async def test_tags_are_kept_within_bounds(world, monkeypatch):
    monkeypatch.setattr("app.api.edge.MOST_TAGS", 10)
    async with world.client() as client:
        for number in range(15):
            await client.get(f"/v1/hubs?q={number}")
    assert len(world.edge.tags) == 10


async def test_a_body_is_counted_while_it_comes_in_whatever_its_length_says():
    world = World(max_body_bytes=2_000)

    async def pieces():
        for _ in range(10):
            yield b"a" * 300

    async with world.client() as client:
        response = await client.post("/v1/hubs", content=pieces())
        assert (response.status_code, response.json()["code"]) == (413, "too-large")
        assert (await client.post("/v1/hubs", content=b"a" * 2_000)).json() == {"read": 2_000}


async def test_the_rate_limit_counts_down_and_says_how_long_to_wait():
    world = World(rate_limit_per_minute=3)
    async with world.client() as client:
        answers = [await client.get("/v1/hubs") for _ in range(4)]
        assert [a.status_code for a in answers] == [200, 200, 200, 429]
        assert answers[0].headers["ratelimit-policy"] == '"default";q=3;w=60'
        assert [a.headers["ratelimit"].split(";")[1] for a in answers] == ["r=2", "r=1", "r=0", "r=0"]
        assert 1 <= int(answers[3].headers["retry-after"]) <= 61
        assert (await client.get("/livez")).status_code == 200
        token = {"authorization": "Bearer good"}
        assert (await client.get("/v1/hubs", headers=token)).status_code == 200, "a client has a limit of its own"
    async with world.client("192.0.2.2") as other:
        assert (await other.get("/v1/hubs")).status_code == 200


async def test_guessing_tokens_meets_the_limit_of_the_address():
    world = World(rate_limit_per_minute=3)
    async with world.client() as client:
        statuses = [
            (await client.get("/v1/hubs", headers={"authorization": f"Bearer {n}"})).status_code for n in range(5)
        ]
    assert statuses == [401, 401, 401, 429, 429]


@pytest.mark.parametrize("trusted", [True, False])
async def test_the_address_behind_a_proxy_counts_only_when_the_proxy_is_trusted(trusted):
    world = World(rate_limit_per_minute=1, trusted_proxy=trusted)
    async with world.client() as client:
        await client.get("/v1/hubs", headers={"x-forwarded-for": "203.0.113.1"})
        second = await client.get("/v1/hubs", headers={"x-forwarded-for": "spoofed, 203.0.113.2"})
    assert second.status_code == (200 if trusted else 429)


async def test_a_bad_token_is_refused_and_never_taken_for_nobody(world):
    async with world.client() as client:
        for header in ("Bearer bad", "Bearer ", "Bearer", "Basic Z29vZA==", "good"):
            response = await client.get("/v1/hubs", headers={"authorization": header})
            assert response.status_code == 401, header
            # RFC 6750, 3.1: who sent no token made no error with it.
            wrong = ', error="invalid_token"' if header == "Bearer bad" else ""
            assert response.headers["www-authenticate"] == f'Bearer realm="knooppunt"{wrong}'
    assert world.inner.calls == 0


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
async def test_how_the_process_fares_is_told_without_looking_anybody_up(world, path):
    async with world.client(authorization="Bearer bad") as client:
        assert (await client.get(path)).status_code == 200


async def test_while_the_database_is_away_the_api_says_so_and_the_rest_stays(world):
    world.problem = "The database cannot be reached."
    async with world.client() as client:
        refused = await client.get("/v1/hubs")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
        assert refused.json()["detail"] == "The database cannot be reached."
        assert (await client.get("/v1/openapi.json")).status_code == 200
        assert (await client.get("/livez")).status_code == 200


async def test_a_preflight_names_methods_and_headers(world):
    ask = {"origin": "https://site.test", "access-control-request-method": "GET"}
    async with world.client() as client:
        response = await client.options("/v1/hubs", headers=ask)
    assert response.headers["allow"] == response.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
    for header in ("authorization", "if-match", "idempotency-key", "prefer", "content-type"):
        assert header in response.headers["access-control-allow-headers"].lower()
    assert "etag" in response.headers["access-control-expose-headers"].lower()
    assert "access-control-allow-credentials" not in response.headers


async def test_every_request_has_an_id_of_its_own(world):
    async with world.client() as client:
        ids = {(await client.get("/v1/hubs")).headers["request-id"] for _ in range(20)}
    assert len(ids) == 20


async def test_caches_may_be_told_a_time():
    world = World(cache_seconds=60)
    async with world.client() as client:
        assert (await client.get("/v1/hubs")).headers["cache-control"] == "public, max-age=60"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "nl"), ("en", "en"), ("en-GB,en;q=0.9,nl;q=0.8", "en"), ("nl;q=0.5,en;q=0.4", "nl"), ("de", "nl"), ("*", "nl"),
        ("fr, en;q=0.1", "en"), ("en;q=0", "nl"), ("en;q=abc", "nl"), (";;,,=", "nl"), ("EN", "en"), ("en;q=nan", "nl"),
    ],
)  # fmt: skip
def test_dutch_unless_english_is_preferred(header, language):
    assert accepted_language(header) == language


BOTH = ("application/json", "text/csv")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "application/json"), ("", "application/json"), ("*/*", "application/json"), ("text/csv", "text/csv"),
        ("text/*", "text/csv"), ("application/json;q=0.5, text/csv", "text/csv"), ("text/csv;q=0.5, */*;q=0.1", "text/csv"),
        ("application/json, text/csv", "application/json"), ("text/xml", None), ("application/json;q=0", None),
        ("*/*;q=0", None), ("application/json;q=0, */*", "text/csv"), ("application/jsonx", None), ("TEXT/CSV", "text/csv"),
        ("text/csv;q=x", None), ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"), (",;", None),
    ],
)  # fmt: skip
def test_the_best_of_what_is_accepted_is_chosen(accept, chosen):
    assert preferred(accept, BOTH) == chosen


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        (None, False), ("", False), ("gzip", True), ("gzip, deflate, br", True), ("identity", False), ("*", True),
        ("gzip;q=0", False), ("gzip;q=0, *", False), ("br;q=1.0, GZIP;q=0.2", True), ("x-gzip", False),
    ],
)  # fmt: skip
def test_compression_only_where_it_is_accepted(header, accepted):
    assert accepts_gzip(header) is accepted


@pytest.mark.parametrize(
    ("content_type", "fits"),
    [
        ("application/json", True),
        ("application/json; charset=UTF-8", True),
        ('a/b;charset="utf-8"', True),
        ("a/b; charset=latin1", False),
    ],
)
def test_json_comes_in_utf8(content_type, fits):
    assert is_in_utf8(content_type) is fits


async def test_a_compressed_answer_is_the_same_answer_with_a_tag_of_its_own(api):
    plain = await api.get("/v1/hubs", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    async with api.stream("GET", "/v1/hubs", headers={"accept-encoding": "gzip"}) as packed:
        raw = b"".join([piece async for piece in packed.aiter_raw()])
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == plain.content
    assert len(raw) == int(packed.headers["content-length"]) < len(plain.content) / 4
    assert packed.headers["etag"] == plain.headers["etag"][:-1] + '-gzip"'
    assert "Accept-Encoding" in packed.headers["vary"]


async def test_each_tag_is_known_for_its_own_encoding_alone(api):
    for encoding, other in (("gzip", "identity"), ("identity", "gzip")):
        tag = (await api.get("/v1/hubs/groningen", headers={"accept-encoding": encoding})).headers["etag"]
        again = await api.get("/v1/hubs/groningen", headers={"accept-encoding": encoding, "if-none-match": tag})
        assert (again.status_code, again.headers["etag"]) == (304, tag)
        assert "content-encoding" not in again.headers
        different = await api.get("/v1/hubs/groningen", headers={"accept-encoding": other, "if-none-match": tag})
        assert different.status_code == 200


async def test_small_answers_are_not_compressed(api):
    response = await api.get("/v1/hubs/groningen?fields=slug", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in response.headers
    assert not response.headers["etag"].endswith('-gzip"')
