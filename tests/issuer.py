"""A small OpenID Connect issuer on loopback: metadata and keys over HTTP, tokens by hand, and every way to fail."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey
from joserfc.jws import JWSRegistry

AUDIENCE = "https://api.knooppunt.test"


@cache
def rsa(kid: str) -> RSAKey:
    """A key of this name: slow to make, so once."""
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})


@cache
def ec(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"})


def part(content: Any) -> str:
    """One part of a token, as the standard writes it."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def with_hmac(header: dict[str, Any], claims: dict[str, Any], secret: bytes) -> str:
    """A token as someone makes it who takes the public key for a secret."""
    signed = f"{part(header)}.{part(claims)}"
    return f"{signed}.{part(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


class Issuer:
    """`mode` is what it does when asked: well, fails, hangs, hangs-up, garbage, no-object, huge, redirects."""

    def __init__(self) -> None:
        self.mode = "well"
        self.address = ""
        self.keys: list[Key] = [ec("first")]
        self.more_keys: list[Any] = []
        self.metadata: dict[str, Any] = {}
        self.cache_control = ""
        self.asked: list[str] = []
        self.conversations: set[asyncio.Task[Any]] = set()

    @property
    def fetched(self) -> int:
        """How often the keys were asked for."""
        return self.asked.count("/keys")

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Those of a good token of the national coordination; None takes a claim away."""
        now = int(time.time())
        usual = {
            "iss": self.address, "aud": AUDIENCE, "sub": "person-1", "iat": now, "nbf": now, "exp": now + 300,
            "client_id": "hub-website", "knooppunt_role": "national",
        }  # fmt: skip
        return {name: value for name, value in (usual | changes).items() if value is not None}

    def token(self, key: Key | None = None, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """A token signed with the key, or with the first of the issuer."""
        key = key or self.keys[0]
        usual = {"alg": "ES256" if isinstance(key, ECKey) else "RS256", "kid": key.kid, "typ": "at+jwt"}
        head = {name: value for name, value in (usual | (header or {})).items() if value is not None}
        registry = JWSRegistry(algorithms=[head["alg"]], strict_check_header=False)
        return jwt.encode(head, self.claims(**changes), key, registry=registry, default_type=None)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.conversations.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ")[1].decode()
            self.asked.append(path)
            if self.mode == "hangs":
                await asyncio.sleep(60)
            if self.mode != "hangs-up":
                status, headers, body = self.content(path)
                lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers]
                writer.write("\r\n".join([*lines, "", ""]).encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.conversations.discard(task)
            writer.close()

    def content(self, path: str) -> tuple[str, list[str], bytes]:
        """What it answers: status, headers, body."""
        match self.mode:
            case "fails":
                return "500 Oh dear", [], b"{}"
            case "garbage":
                return "200 OK", [], b"\x00<html>"
            case "no-object":
                return "200 OK", [], b"[1]"
            case "huge":
                return "200 OK", [], b" " * 300_000 + b"{}"
            case "redirects":
                return "302 Found", ["location: http://elsewhere.invalid/"], b""
        if path == "/keys":
            keys = [key.as_dict(private=False) for key in self.keys]
            headers = [f"cache-control: {self.cache_control}"] if self.cache_control else []
            return "200 OK", headers, json.dumps({"keys": [*self.more_keys, *keys]}).encode()
        if path.endswith("/.well-known/openid-configuration"):
            usual = {"issuer": self.address, "jwks_uri": f"{self.address}/keys"}
            return "200 OK", [], json.dumps(usual | self.metadata).encode()
        return "404 Not Found", [], b"{}"


@asynccontextmanager
async def running_issuer() -> AsyncIterator[Issuer]:
    """An issuer on a free port."""
    issuer = Issuer()
    server = await asyncio.start_server(issuer.answer, "127.0.0.1", 0)
    issuer.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield issuer
    finally:
        server.close()
        for conversation in list(issuer.conversations):
            conversation.cancel()
        await asyncio.sleep(0)
