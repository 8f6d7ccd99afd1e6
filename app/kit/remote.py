"""Somebody's Knooppunt over HTTP: asks again when the network or the service falters, and says clearly what it refuses."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import stamina

from app.domain.errors import DomainError, Fault, Invalid, Unavailable
from app.settings import is_safe_address

LONGEST_WAIT_SECONDS = 120.0
"""A service that asks for more patience than this is away."""
MOST_BYTES = 64_000_000
SLOW_DOWN, TIMEOUT, STILL_RUNNING = 429, 408, "still-running"


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long a request is tried. Waits grow from `first_wait` seconds, doubled and with jitter."""

    attempts: int = 10
    total_seconds: float = 300.0
    first_wait: float = 0.25
    longest_wait: float = 20.0


class Refused(DomainError):
    """The service understood the request and will not do it. `body` is its problem+json."""

    code = "refused"

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        detail = str(body.get("detail") or body.get("title") or f"The service answers {status}.")
        super().__init__(detail, code=str(body.get("code") or f"status-{status}"))
        self.status = status
        self.body = body


class Faltering(Exception):
    """An answer that may be another one in a moment. `wait` is what the service asks for, in seconds."""

    def __init__(self, status: int, wait: float | None = None) -> None:
        super().__init__(f"The service answers {status}.")
        self.status = status
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that came in whole."""

    status: int
    headers: httpx.Headers = field(repr=False)
    body: Any = field(repr=False)


def be_quiet() -> None:
    """No line for each try: for a command that says in the end what came of it."""
    stamina.instrumentation.set_on_retry_hooks([])


def base_address(url: str, *, plain_http: bool = False) -> str:
    """The address of an instance without what people copy along (`/v1`, a slash). Raises `Invalid`.

    A token over plain HTTP can be read on the way, so that is for this machine alone unless somebody insists.
    """
    address = url.strip().rstrip("/").removesuffix("/v1").removesuffix("/v1/changes")
    try:
        parts = urlsplit(address)
        plain = plain_http and parts.scheme == "http" and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        plain = False
    if parts_are_odd(address) or not (plain or is_safe_address(address)):
        detail = (
            "Give the address of a Knooppunt: https://… (http:// for this machine alone), without a password in it."
        )
        raise Invalid([Fault("option", "url", "invalid-address", detail)])
    return address


def parts_are_odd(address: str) -> bool:
    """Whether it has what no base address has: a query or a fragment."""
    return "?" in address or "#" in address


class Remote:
    """One instance. Open it with `async with`. Redirects are not followed: a token goes where it was meant to go."""

    def __init__(
        self, url: str, token: str | None = None, *, patience: Patience | None = None, timeout: float = 60.0
    ) -> None:
        self.url = url
        self._patience = patience or Patience()
        headers = {"accept": "application/json", "accept-encoding": "gzip", "user-agent": "knooppunt-kit/1"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        self.client = httpx.AsyncClient(
            base_url=url, headers=headers, timeout=httpx.Timeout(timeout, connect=10.0), follow_redirects=False
        )

    async def __aenter__(self) -> Self:
        await self.client.__aenter__()
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.client.aclose()

    async def get(self, path: str, **params: Any) -> Answer:
        """Reads. Raises `Refused` and `Unavailable`."""
        given = {name: value for name, value in params.items() if value is not None}
        return await self._patiently("GET", path, params=given)

    async def post(self, path: str, body: Any, key: str) -> Answer:
        """Sends JSON, compressed, with an idempotency key: the same key again gives the first answer again."""
        content = gzip.compress(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(), 6, mtime=0)
        headers = {
            "content-type": "application/json",
            "content-encoding": "gzip",
            "idempotency-key": f'"{key}"',
        }
        return await self._patiently("POST", path, content=content, headers=headers)

    async def _patiently(self, method: str, path: str, **request: Any) -> Answer:
        tries = self._patience
        try:
            async for attempt in stamina.retry_context(
                on=_wait,
                attempts=tries.attempts,
                timeout=tries.total_seconds,
                wait_initial=tries.first_wait,
                wait_jitter=tries.first_wait,
                wait_max=tries.longest_wait,
            ):
                with attempt:
                    return await self.once(method, path, **request)
        except Faltering as error:
            raise Unavailable(
                f"{self.url} answers {error.status}, also after several tries. Try again later."
            ) from None
        except httpx.TransportError as error:
            why = type(error).__name__
            raise Unavailable(f"{self.url} cannot be reached ({why}). Try again later.") from None
        raise AssertionError  # stamina returns or raises

    async def once(self, method: str, path: str, **request: Any) -> Answer:
        """One try. Raises `Faltering` and `httpx.TransportError` for what may pass, `Refused` for what will not."""
        async with self.client.stream(method, path, **request) as response:
            content = bytearray()
            async for part in response.aiter_bytes():
                content += part
                if len(content) > MOST_BYTES:
                    raise Refused(response.status_code, {"detail": "The answer is larger than any that was asked for."})
        status = response.status_code
        body = _json(bytes(content))
        code = body.get("code") if isinstance(body, dict) else None
        if status in (SLOW_DOWN, TIMEOUT) or status >= httpx.codes.INTERNAL_SERVER_ERROR or code == STILL_RUNNING:
            raise Faltering(status, _retry_after(response.headers.get("retry-after")))
        if response.has_redirect_location:
            raise Refused(status, {"detail": "This address leads elsewhere. Give the address that it leads to."})
        if status >= httpx.codes.BAD_REQUEST:
            raise Refused(status, body if isinstance(body, dict) else {})
        if body is None and status != httpx.codes.NO_CONTENT:
            # A proxy's page, or an answer that was cut without anybody noticing.
            raise httpx.RemoteProtocolError("an answer that is no JSON")
        return Answer(status, response.headers, body)


def _wait(error: Exception) -> bool | float:
    """Whether to try again; in so many seconds when the service says so."""
    if isinstance(error, Faltering):
        if error.wait is None:
            return True
        return error.wait if error.wait <= LONGEST_WAIT_SECONDS else False
    return isinstance(error, httpx.TransportError) and not isinstance(error, httpx.UnsupportedProtocol)


def _retry_after(value: str | None) -> float | None:
    """Seconds, from a number or a date (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds()) if moment.tzinfo else None


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
