"""The outermost ring of HTTP, in pure ASGI because everything passes here: who asks, limits, and headers on all.

It also answers what needs no route: HEAD like GET without the body, OPTIONS and CORS, 304 from known ETags while the
data has not changed, 503 while the database is not ready.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import structlog
import uuid_utils
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.accepting import accepts_gzip
from app.api.asking import Asked, accepted_language
from app.api.bodies import Body, too_large
from app.api.measures import Measures
from app.api.problems import HttpProblem, internal_error, problem
from app.api.rest.answers import matches
from app.domain.access import ANONYMOUS, Actor
from app.domain.errors import DomainError, Unauthenticated, Unavailable
from app.settings import Settings

MOST_TAGS = 5_000
LONGEST_REMEMBERED = 500  # bytes of a query string: 5,000 of these are 10 MB
MAX_HEADER_BYTES = 16_000
KEPT_HEADERS = (b"etag", b"content-language", b"link", b"vary")
# What hubs write all day does not raise the version of the public data: a tag of it, kept here, would outlive a
# withdrawal.
OFTEN_CHANGED = (
    "/v1/signals", "/v1/questions", "/v1/participation-profile", "/v1/changes", "/v1/national", "/v1/feeds",
)  # fmt: skip
OF_A_HUB = ("/signals/", "/questions/")  # by its own id
BATCH = "/_batch"  # the end of addresses that take many resources at a time
# How the process fares, for anybody: no limit, and nobody is looked up, so the database is not needed.
ALWAYS_OPEN = ("/livez", "/readyz", "/metrics")
CORS_ALLOW = (
    b"Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, Prefer, Accept-Language, "
    b"Content-Encoding, Last-Event-ID, Follow-Code"
)
CORS_EXPOSE = (
    b"ETag, Link, Location, API-Version, Request-Id, RateLimit, RateLimit-Policy, Retry-After, Content-Language, "
    b"Follow-Code"
)
API_CSP = b"default-src 'none'; frame-ancestors 'none'"

log = structlog.get_logger()

Authenticate = Callable[[str], Awaitable[Actor]]
Confirm = Callable[[Actor], Awaitable[None]]


class Edge:
    """`version` is the version of the public data, None while it is not known for sure.

    `authenticate` may believe a token for the time being; what reads or writes in its name finds out, and `confirm` asks
    where nothing did. Nothing is answered, not even a fault, before one of them has.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        *,
        api_version: str,
        authenticate: Authenticate,
        confirm: Confirm,
        version: Callable[[], int | None],
        problem: Callable[[], str | None],
        allowed: Callable[[str], Iterable[str]],
        measures: Measures,
    ) -> None:
        self.app = app
        self.settings = settings
        self.authenticate = authenticate
        self.confirm = confirm
        self.version = version
        self.problem = problem
        self.allowed = allowed
        self.measures = measures
        self.tags: OrderedDict[tuple[Any, ...], tuple[int, str, list[tuple[bytes, bytes]]]] = OrderedDict()
        self.limit = RateLimitItemPerMinute(settings.rate_limit_per_minute or 1)
        self.limiter = FixedWindowRateLimiter(MemoryStorage())
        self.policy = f'"default";q={settings.rate_limit_per_minute};w=60'.encode()
        seconds = settings.cache_seconds
        fixed = [
            (b"api-version", api_version.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"x-frame-options", b"DENY"),
            (b"referrer-policy", b"no-referrer"),
            (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
            (b"cross-origin-resource-policy", b"cross-origin"),
            (b"vary", b"Accept, Accept-Language, Accept-Encoding, Authorization"),
            (b"content-security-policy", API_CSP),
            (b"access-control-allow-origin", b"*"),
            (b"access-control-expose-headers", CORS_EXPOSE),
        ]
        self.public = [*fixed, (b"cache-control", f"public, max-age={seconds}".encode() if seconds else b"no-cache")]
        self.private = [*fixed, (b"cache-control", b"no-store")]
        self.names = frozenset(name for name, _ in self.public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = _Exchange(self, scope, send)
        try:
            await exchange.run(receive)
        except Exception as error:  # noqa: BLE001 - the last stop: nothing may pass unlogged and unanswered
            log.error("request-failed", request_id=exchange.asked.request_id, error=error)  # noqa: TRY400 - without the message, see logs.py
            if not exchange.started:
                await exchange.refuse(internal_error(exchange.asked.request_id))
        finally:
            exchange.measure()


class _Exchange:
    """One request and its response."""

    __slots__ = (
        "asked",
        "began",
        "edge",
        "headers",
        "key",
        "limit_headers",
        "refused",
        "scope",
        "send",
        "started",
        "status",
    )

    def __init__(self, edge: Edge, scope: Scope, send: Send) -> None:
        self.edge = edge
        self.scope = scope
        self.send = send
        self.began = time.perf_counter()
        self.started = self.refused = False
        self.status = 0
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        language = accepted_language(self._header(b"accept-language"))
        base_url = edge.settings.public_url or f"{scope['scheme']}://{self._header(b'host') or 'localhost'}"
        self.asked = scope["knooppunt"] = Asked(uuid_utils.uuid7().hex, language, ANONYMOUS, base_url, self._address())
        self.limit_headers: list[tuple[bytes, bytes]] = []
        self.key: tuple[Any, ...] | None = None

    def _header(self, name: bytes) -> str:
        value = self.headers.get(name)
        return "" if value is None else value.decode("latin-1")

    async def run(self, receive: Receive) -> None:
        try:
            self._check_size()
            authorization = self._header(b"authorization")
            if authorization and self.scope["path"] not in ALWAYS_OPEN:
                self.asked.actor = await self._authenticated(authorization)
            self._count(self.asked.actor.client or self.asked.address)
            if self._knows_already():
                await self._not_modified()
                return
            self._check_ready()
            if self.scope["method"] == "OPTIONS":
                await self.edge.confirm(self.asked.actor)
                await self._options()
                return
            await self._pass_on(receive)
        except DomainError as error:
            if self.started:
                raise
            await self.refuse(await self._unknown() or error)

    async def _unknown(self) -> DomainError | None:
        """The refusal for a token that does not hold any more, or cannot be looked up now."""
        try:
            await self.edge.confirm(self.asked.actor)
        except DomainError as error:
            return error
        return None

    async def _authenticated(self, authorization: str) -> Actor:
        scheme, _, token = authorization.partition(" ")
        try:
            if scheme.lower() != "bearer" or not token.strip():
                raise Unauthenticated("Send the token as `Authorization: Bearer <token>`.", code="token-required")
            return await self.edge.authenticate(token.strip())
        except Unauthenticated:
            # Wrong tokens count for the address they come from: a new guess each time would never meet a limit.
            self._count(self.asked.address)
            raise

    def _check_size(self) -> None:
        settings = self.edge.settings
        if len(self.scope["query_string"]) > settings.max_query_bytes:
            raise HttpProblem(
                414,
                "Query too long",
                f"A query string has at most {settings.max_query_bytes} bytes.",
                code="query-too-long",
            )
        header_bytes = 0
        for name, value in self.scope["headers"]:
            header_bytes += len(name) + len(value)
        if header_bytes > MAX_HEADER_BYTES:
            detail = f"The headers of a request have at most {MAX_HEADER_BYTES} bytes together."
            raise HttpProblem(431, "Headers too large", detail, code="headers-too-large")
        length = self._header(b"content-length")
        if length.isdigit() and int(length) > self._most_bytes():
            raise too_large(self._most_bytes())

    def _most_bytes(self) -> int:
        settings = self.edge.settings
        return settings.max_batch_bytes if self.scope["path"].endswith(BATCH) else settings.max_body_bytes

    def _count(self, who: str) -> None:
        """The rate limit, by client or address, for this process."""
        most = self.edge.settings.rate_limit_per_minute
        if not most or self.scope["path"] in ALWAYS_OPEN:
            return
        limiter, item = self.edge.limiter, self.edge.limit
        fits = limiter.hit(item, who)
        stats = limiter.get_window_stats(item, who)
        seconds = max(1, int(stats.reset_time - time.time()) + 1)
        self.limit_headers = [
            (b"ratelimit-policy", self.edge.policy),
            (b"ratelimit", f'"default";r={max(0, stats.remaining)};t={seconds}'.encode()),
        ]
        if not fits:
            raise HttpProblem(
                429, "Too many requests", f"At most {most} requests a minute. Wait {seconds} seconds.",
                code="rate-limited", headers={"retry-after": str(seconds)},
            )  # fmt: skip

    def _address(self) -> str:
        forwarded = self._header(b"x-forwarded-for") if self.edge.settings.trusted_proxy else ""
        if forwarded:
            return forwarded.rpartition(",")[2].strip()
        client = self.scope.get("client")
        return client[0] if client else ""

    def _knows_already(self) -> bool:
        """Whether the client's ETag is the one we gave for this very question, under the data that still holds."""
        scope, headers = self.scope, self.headers
        path = scope["path"]
        if scope["method"] not in ("GET", "HEAD") or self.asked.actor is not ANONYMOUS:
            return False
        if not path.startswith("/v1") or path.startswith(OFTEN_CHANGED) or any(part in path for part in OF_A_HUB):
            return False
        self.key = (
            path, scope["query_string"], headers.get(b"accept"), self.asked.language,
            accepts_gzip(self._header(b"accept-encoding")), self.asked.base_url, _hour(),
        )  # fmt: skip
        known = headers.get(b"if-none-match")
        found = self.edge.tags.get(self.key) if known is not None else None
        if known is None or found is None or found[0] != self.edge.version():
            return False
        return known == found[1].encode() or matches(known.decode("latin-1"), found[1])

    async def _not_modified(self) -> None:
        """What was kept is whole but for what differs with each request."""
        assert self.key is not None
        self.started, self.status = True, 304
        kept = self.edge.tags[self.key][2]
        headers = [*kept, (b"request-id", self.asked.request_id.encode()), *self.limit_headers]
        await self.send({"type": "http.response.start", "status": 304, "headers": headers})
        await self.send({"type": "http.response.body", "body": b""})

    def _check_ready(self) -> None:
        why = self.edge.problem()
        if (
            why is not None
            and self.scope["path"].startswith(("/v1", "/graphql"))
            and self.scope["path"] != "/v1/openapi.json"
        ):
            raise Unavailable(why)

    async def _options(self) -> None:
        methods = sorted(self.edge.allowed(self.scope["path"]))
        if not methods:
            raise HttpProblem(404, "Not found", "There is nothing at this address.", code="not-found")
        allow = ", ".join([*methods, "OPTIONS"]).encode()
        headers = [(b"allow", allow)]
        if b"access-control-request-method" in self.headers:
            headers += [
                (b"access-control-allow-methods", allow),
                (b"access-control-allow-headers", CORS_ALLOW),
                (b"access-control-max-age", b"7200"),
            ]
        await self._begin({"type": "http.response.start", "status": 204, "headers": headers})
        await self.send({"type": "http.response.body", "body": b""})

    async def _pass_on(self, receive: Receive) -> None:
        head = self.scope["method"] == "HEAD"
        if head:
            # A copy: the server goes by its own scope to know that no body must follow.
            self.scope = {**self.scope, "method": "GET"}
            self.asked.bodiless = True
        version = self.edge.version()
        if self.scope["method"] != "GET":
            encoding = self._header(b"content-encoding")
            receive = Body(receive, encoding, self._most_bytes())
            if encoding:  # what follows gets it plain
                kept = [
                    pair for pair in self.scope["headers"] if pair[0] not in (b"content-encoding", b"content-length")
                ]
                self.scope = {**self.scope, "headers": kept}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                unknown = await self._unknown()
                if unknown is not None:  # not raised: within FastAPI an answer that has begun is one that was sent
                    await self.refuse(unknown)
                    return
                self._remember(message, version)
                await self._begin(message)
            elif self.refused:
                return
            elif not head or not message.get("more_body"):
                await self.send({**message, "body": b""} if head else message)

        await self.edge.app(self.scope, receive, sending)

    def _remember(self, message: Message, version: int | None) -> None:
        """Keeps the ETag of a public answer with the version of the data from before it was read."""
        if version is None or self.key is None or message["status"] not in (200, 304):
            return
        tags = self.edge.tags
        known = tags.get(self.key)
        if (known is not None and known[0] == version) or len(self.scope["query_string"]) > LONGEST_REMEMBERED:
            return
        kept = {name: value for name, value in message["headers"] if name in KEPT_HEADERS}
        if b"etag" not in kept:
            return
        usual = (header for header in self.edge.public if header[0] not in kept)
        tags[self.key] = (version, kept[b"etag"].decode(), [*kept.items(), *usual])
        if len(tags) > MOST_TAGS:
            tags.popitem(last=False)

    async def _begin(self, message: Message) -> None:
        self.started = True
        self.status = message["status"]
        headers: list[tuple[bytes, bytes]] = message["headers"]
        present = {name for name, _ in headers}
        private = self.asked.actor is not ANONYMOUS or self.scope["method"] not in ("GET", "HEAD") or self.status >= 400
        usual = self.edge.private if private else self.edge.public
        # Pages, GraphQL and a few routes set some of these themselves.
        headers += usual if present.isdisjoint(self.edge.names) else [h for h in usual if h[0] not in present]
        headers.append((b"request-id", self.asked.request_id.encode()))
        headers += self.limit_headers
        await self.send(message)

    async def refuse(self, error: DomainError) -> None:
        """Sends a problem; whatever else comes as an answer is dropped."""
        self.refused = True
        status, given, body = problem(error)
        headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in given.items()]
        headers += [
            (b"content-type", b"application/problem+json"),
            (b"content-language", b"en"),
            (b"content-length", str(len(body)).encode()),
        ]
        await self._begin({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": b"" if self.scope["method"] == "HEAD" else body})

    def measure(self) -> None:
        """Counts and times the exchange for `/metrics`."""
        route = self.scope.get("route")
        self.edge.measures.record(
            self.scope["method"], getattr(route, "path", "other"), self.status, time.perf_counter() - self.began
        )


def _hour() -> int:
    # An answer without asOf changes at midnight in the Netherlands; an hour's granularity is safely within that.
    return int(time.time() // 3600)
