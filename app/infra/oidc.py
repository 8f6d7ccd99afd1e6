"""Access tokens of an OpenID Connect issuer, next to our own: the issuer's keys, the checks of a token, its actor.

What the settings mean, and what a token must say, is in `docs/identity.md`.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, UUID, uuid5

import httpx
import orjson
import structlog
from joserfc import jwk, jws, jwt
from joserfc.errors import BadSignatureError, ExpiredTokenError, InvalidClaimError, JoseError
from joserfc.util import base64_to_int

from app.domain.access import Actor
from app.domain.errors import Unauthenticated, Unavailable
from app.infra.clients import PREFIX, Clients
from app.infra.database import REFUSED, Database
from app.settings import LOOPBACK, Settings, is_safe_address

AWAY = "The issuer of this token cannot be reached now, so the token cannot be checked. Try again in a few seconds."
WELL_KNOWN = "/.well-known/openid-configuration"

MOST_BYTES_OF_TOKEN = 8_192
MOST_BYTES_OF_ANSWER = 262_144  # of the issuer; real key sets have 2 to 20 kB
MOST_KEYS = 100
RSA_BITS = range(2_048, 8_193)  # shorter is weak, longer makes every check slow
CURVES = ("P-256", "P-384", "P-521")
PUBLIC_PARTS = ("kty", "use", "key_ops", "alg", "kid", "n", "e", "crv", "x", "y")

FETCH_SECONDS = 5.0
RETRY_SECONDS = 10.0  # also between two fetches for unknown keys: a flood of them must not reach the issuer
LIFETIME_SECONDS = 600.0  # where the issuer does not say
LIFETIME_LEAST, LIFETIME_MOST = 60.0, 86_400.0
STALE_SECONDS = 86_400.0  # beyond their lifetime, while the issuer is away

# What tells an ID token from an access token where the header calls both JWT (OpenID Connect Core 2; Keycloak's `typ`).
ID_TOKEN_CLAIMS = ("nonce", "at_hash", "c_hash", "s_hash")
NO_ACCESS_TOKEN = ("id", "refresh", "offline", "logout")

_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)
_APPLICATION = re.compile(r"[A-Za-z0-9._:/-]{1,100}")
_CLAIM_REASONS = {"exp": "expired", "nbf": "not-yet-valid", "iat": "issued-in-future", "aud": "audience"}

log = structlog.get_logger()


class _Refused(Exception):
    """Why a token is refused: for the log alone, whoever sent it hears the same words for every reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Unusable(Exception):
    """What the issuer answers cannot be used."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Identity:
    """Who is behind a bearer token of either kind."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._clients = Clients(database)
        self._keys = None if settings.oidc_issuer is None else IssuerKeys(settings.oidc_issuer)
        self._federation = None if self._keys is None else Federation(settings, database, self._keys)

    async def start(self) -> None:
        """Begins to fetch the issuer's keys. Does not wait for it: the service starts without its issuer too."""
        if self._keys is not None:
            self._keys.start()

    async def stop(self) -> None:
        """Ends what runs in the background."""
        if self._keys is not None:
            await self._keys.stop()

    async def authenticate(self, token: str) -> Actor:
        """The actor. Raises `Unauthenticated`, with the same words for every reason, or `Unavailable`."""
        if self._federation is not None and not token.startswith(PREFIX) and token.count(".") == 2:
            return await self._federation.authenticate(token)
        return await self._clients.authenticate(token)

    async def confirm(self, actor: Actor) -> None:
        """See `Clients`. What the issuer vouches for is looked up at every request, so it needs no more."""
        await self._clients.confirm(actor)


@dataclass(frozen=True, slots=True)
class _Ring:
    """The keys of the issuer, as of a moment."""

    keys: tuple[jwk.Key, ...]
    fetched_at: float
    lifetime: float

    def knows(self, kid: str | None) -> bool:
        """Whether there is a key of this name; no name may be any key."""
        return kid is None or any(key.kid == kid for key in self.keys)

    def fitting(self, kid: str | None, algorithm: str) -> list[jwk.Key]:
        """The keys of this name that are made for this algorithm: by type, curve, `use`, `key_ops` and `alg`."""
        return [key for key in self.keys if kid in (None, key.kid) and _fits(key, algorithm)]


class IssuerKeys:
    """Fetches the issuer's keys, renews them before they expire, keeps them while the issuer is away."""

    def __init__(
        self, issuer: str, *, timeout_seconds: float = FETCH_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._issuer = issuer
        self._timeout = timeout_seconds
        self._clock = clock
        self._ring: _Ring | None = None
        self._asked_at = -RETRY_SECONDS
        self._failing = False
        self._http: httpx.AsyncClient | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._fetching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Fetches now and from then on, in the background."""
        local = urlsplit(self._issuer).hostname in LOOPBACK
        # A redirect could lead anywhere: none is followed. A proxy of the environment is for the world outside.
        self._http = httpx.AsyncClient(
            timeout=self._timeout, follow_redirects=False, trust_env=not local, verify=_certificates()
        )
        # The first fetch is not counted as one that a token asked for: new keys may come right after it.
        self._fetching = asyncio.create_task(self._renew())
        self._keeping = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Ends the background work and closes the connections."""
        for task in (self._keeping, self._fetching):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        if self._http is not None:
            await self._http.aclose()

    async def find(self, kid: str | None, algorithm: str) -> jwk.Key:
        """The key to check a signature with. Raises `_Refused`, and `Unavailable` where only the issuer could tell."""
        ring = self._present()
        if ring is None or not ring.knows(kid):
            await self._ask()
            ring = self._present()
        if ring is None or (self._failing and not ring.knows(kid)):
            raise Unavailable(AWAY)
        fitting = ring.fitting(kid, algorithm)
        if not fitting or (kid is None and len(fitting) > 1):
            raise _Refused("key-mismatch" if ring.knows(kid) else "unknown-key")
        return fitting[0]

    def _present(self) -> _Ring | None:
        ring = self._ring
        if ring is None or self._clock() - ring.fetched_at > ring.lifetime + STALE_SECONDS:
            return None
        return ring

    async def _ask(self) -> None:
        """A fetch because of a token: not more than one in ten seconds."""
        if self._fetching is None:
            if self._clock() - self._asked_at < RETRY_SECONDS:
                return
            self._asked_at = self._clock()
        await self._fetch()

    async def _fetch(self) -> None:
        """One fetch, however many wait for it; it goes on when one of them leaves."""
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._renew())
        await asyncio.shield(self._fetching)

    async def _keep(self) -> None:
        while True:
            ring = self._ring
            # At four fifths of the lifetime: time enough for a second try while the keys still hold.
            due = ring.fetched_at + 0.8 * ring.lifetime if ring else self._clock()
            if due <= self._clock():
                await self._fetch()
                due = self._clock()
            await asyncio.sleep(max(RETRY_SECONDS, due - self._clock()))

    async def _renew(self) -> None:
        """Never raises: whatever the issuer does, the keys that we have stay."""
        try:
            async with asyncio.timeout(self._timeout):
                self._ring = await self._read()
            if self._failing:
                log.info("issuer-answers-again")
            self._failing = False
        except _Unusable as error:
            self._fail(error.reason)
        except Exception as error:  # noqa: BLE001 - an issuer that sends something unheard of must not end the renewal
            self._fail(type(error).__name__)
        finally:
            self._fetching = None

    def _fail(self, reason: str) -> None:
        log.warning("issuer-keys-not-renewed", reason=reason)
        self._failing = True

    async def _read(self) -> _Ring:
        metadata, _ = await self._get(self._issuer.removesuffix("/") + WELL_KNOWN)
        if metadata.get("issuer") != self._issuer:
            raise _Unusable("metadata-of-another-issuer")
        address = metadata.get("jwks_uri")
        if not isinstance(address, str) or not is_safe_address(address):
            raise _Unusable("address-of-keys")
        if not address.startswith("https:") and self._issuer.startswith("https:"):
            raise _Unusable("address-of-keys")
        content, headers = await self._get(address)
        keys = _usable_keys(content)
        if not keys:
            raise _Unusable("no-usable-keys")
        return _Ring(keys, self._clock(), _lifetime(headers.get("cache-control", "")))

    async def _get(self, address: str) -> tuple[dict[str, Any], httpx.Headers]:
        assert self._http is not None, "start() comes first"
        # Uncompressed, so that the limit holds for what is unpacked too.
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        async with self._http.stream("GET", address, headers=headers) as response:
            if response.status_code != 200:
                raise _Unusable(f"status-{response.status_code}")
            body = bytearray()
            async for part in response.aiter_raw():
                body += part
                if len(body) > MOST_BYTES_OF_ANSWER:
                    raise _Unusable("answer-too-large")
        content = orjson.loads(body)
        if not isinstance(content, dict):
            raise _Unusable("answer-no-object")
        return content, response.headers


@cache
def _certificates() -> ssl.SSLContext:
    """Whom we believe about addresses (`SSL_CERT_FILE` names others). Read once: it takes 50 ms."""
    return httpx.create_ssl_context()


def _lifetime(cache_control: str) -> float:
    found = _MAX_AGE.search(cache_control)
    return min(max(float(found[1]), LIFETIME_LEAST), LIFETIME_MOST) if found else LIFETIME_SECONDS


def _usable_keys(content: Mapping[str, Any]) -> tuple[jwk.Key, ...]:
    """Those that we understand; one that we do not (a new kind, a broken entry) is no reason to drop the others."""
    given = content.get("keys")
    keys = []
    for entry in given[:MOST_KEYS] if isinstance(given, list) else ():
        with suppress(JoseError, ValueError, TypeError, KeyError):
            keys.append(_public_key(entry))
    return tuple(keys)


def _public_key(entry: Mapping[str, Any]) -> jwk.Key:
    parts = {name: entry[name] for name in PUBLIC_PARTS if name in entry}
    if parts.get("use", "sig") != "sig":
        raise ValueError("not for signatures")
    if parts["kty"] == "RSA":
        if base64_to_int(parts["n"]).bit_length() not in RSA_BITS:
            raise ValueError("not of a length that we take")
        return jwk.RSAKey.import_key(parts)
    if parts["kty"] == "EC" and parts["crv"] in CURVES:
        return jwk.ECKey.import_key(parts)
    raise ValueError("not of a kind that we take")


def _fits(key: jwk.Key, algorithm: str) -> bool:
    try:
        jws.JWSRegistry.algorithms[algorithm].check_key(key)
        key.check_key_op("verify")
    except JoseError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Said:
    """What a good token says: who, as what, through which application."""

    client: UUID
    role: str
    hub: str | None
    umbrella: str | None
    application: str


class Federation:
    """Checks tokens of the issuer and finds their actors."""

    def __init__(self, settings: Settings, database: Database, keys: IssuerKeys) -> None:
        assert settings.oidc_issuer is not None
        assert settings.oidc_audience is not None
        self._issuer = settings.oidc_issuer
        self._settings = settings
        self._database = database
        self._keys = keys
        self._namespace = uuid5(NAMESPACE_URL, self._issuer)
        # Parameters that we do not know are ignored (RFC 7515, 4), unless they are critical.
        self._registry = jws.JWSRegistry(algorithms=settings.oidc_algorithms, strict_check_header=False)
        self._registry.max_header_length = MOST_BYTES_OF_TOKEN  # some issuers send their certificates along
        self._claims = jwt.JWTClaimsRegistry(
            leeway=settings.oidc_leeway_seconds,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": settings.oidc_audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    async def authenticate(self, token: str) -> Actor:
        """The actor. Raises `Unauthenticated`; `Unavailable` while there are no keys to check with."""
        try:
            header = self._header(token)
            key = await self._keys.find(header.get("kid"), header["alg"])
            said = self._said(self._verified(token, key, explicit=_type(header) == "at+jwt"))
            return await self._actor(said)
        except _Refused as refusal:
            log.info("token-refused", reason=refusal.reason)
            raise Unauthenticated(REFUSED) from None

    def _header(self, token: str) -> dict[str, Any]:
        """The header, with everything that can be refused before a key is looked for. Nothing of it is trusted yet."""
        if len(token) > MOST_BYTES_OF_TOKEN:
            raise _Refused("too-long")
        try:
            found = jws.extract_compact(token.encode("ascii"), registry=self._registry)
            header, claims = found.protected, json.loads(found.payload)
        except (JoseError, ValueError, TypeError, RecursionError):
            raise _Refused("malformed") from None
        if not isinstance(header, dict) or not isinstance(claims, dict):
            raise _Refused("malformed")
        if "crit" in header or "b64" in header:  # extensions that must be understood: we have none
            raise _Refused("critical-header")
        if header.get("alg") not in self._settings.oidc_algorithms:
            raise _Refused("algorithm")
        if _type(header) not in ("at+jwt", "jwt"):
            raise _Refused("type")
        if not isinstance(header.get("kid"), str | None):
            raise _Refused("malformed")
        if claims.get("iss") != self._issuer:  # a stranger's token is no reason to ask our issuer for keys
            raise _Refused("foreign-issuer")
        return header

    def _verified(self, token: str, key: jwk.Key, *, explicit: bool) -> dict[str, Any]:
        """The claims of a token that the issuer signed for us and for now. `explicit`: its header says access token."""
        try:
            claims = jwt.decode(token, key, registry=self._registry).claims
            self._claims.validate(claims)
        except BadSignatureError:
            raise _Refused("signature") from None
        except (ExpiredTokenError, InvalidClaimError) as error:
            raise _Refused(_CLAIM_REASONS.get(error.claim, "claims")) from None
        except (JoseError, ValueError, TypeError, RecursionError):
            raise _Refused("claims") from None
        kind = claims.get("typ")
        if isinstance(kind, str) and kind.lower() in NO_ACCESS_TOKEN:
            raise _Refused("id-token")
        if not explicit and any(name in claims for name in ID_TOKEN_CLAIMS):
            raise _Refused("id-token")
        if "cnf" in claims:  # bound to a key of its holder (RFC 8705, RFC 9449), which nobody showed us
            raise _Refused("bound")
        return claims

    def _said(self, claims: Mapping[str, Any]) -> _Said:
        settings = self._settings
        scopes = _words(claims, "scope") + _words(claims, "scp")
        if settings.oidc_scope is not None and settings.oidc_scope not in scopes:
            raise _Refused("scope")
        values = _words(claims, settings.oidc_role_claim)
        roles = {settings.oidc_role_map[value] for value in values if value in settings.oidc_role_map}
        if len(roles) != 1:  # two roles are two actors, and it is not for us to choose
            raise _Refused("role-ambiguous" if roles else "role-unknown" if values else "role-missing")
        role = roles.pop()
        hub = _name(claims, settings.oidc_hub_claim, "hub-missing") if role == "hub" else None
        umbrella = _name(claims, settings.oidc_umbrella_claim, "umbrella-missing") if role == "umbrella" else None
        subject = claims["sub"]
        if not 0 < len(subject) <= 255 or not subject.isprintable():
            raise _Refused("claims")
        application = claims.get("client_id") or claims.get("azp")
        named = isinstance(application, str) and _APPLICATION.fullmatch(application) is not None
        # The subject itself, which may be an e-mail address, is kept nowhere.
        return _Said(uuid5(self._namespace, subject), role, hub, umbrella, str(application) if named else "unnamed")

    async def _actor(self, said: _Said) -> Actor:
        """Checks the claims with what the database knows, and sees to it that the client has its row."""
        row = await self._database.row(
            "select hub_known, umbrella_known, last_used_at, revoked_at from federated_client($1, $2, $3)",
            said.client, said.hub, said.umbrella,
        )  # fmt: skip
        assert row is not None
        if said.hub is not None and not row["hub_known"]:
            raise _Refused("hub-unknown")
        if said.umbrella is not None and not row["umbrella_known"]:
            raise _Refused("umbrella-unknown")
        if row["revoked_at"] is not None:
            raise _Refused("revoked")
        if row["last_used_at"] is None or datetime.now(UTC) - row["last_used_at"] > timedelta(minutes=1):
            await self._database.row(
                "select federated_client_used($1, $2, $3, $4, $5, $6)",
                said.client, self._issuer, said.application, said.role, said.hub, said.umbrella,
            )  # fmt: skip
        return Actor(said.role, said.hub, said.umbrella, str(said.client))  # type: ignore[arg-type]


def _type(header: Mapping[str, Any]) -> str:
    """`typ` as RFC 7515 (4.1.9) compares it. Without it a token is a JWT, which says no more than the word does."""
    given = header.get("typ", "JWT")
    return given.lower().removeprefix("application/") if isinstance(given, str) else ""


def _at(claims: Mapping[str, Any], path: str) -> Any:
    """The claim of this very name (`https://knooppunt.example/role` has dots), or else at the end of the path."""
    found: Any = claims.get(path)
    if found is not None:
        return found
    found = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _words(claims: Mapping[str, Any], path: str) -> list[str]:
    """What a claim lists: the texts of a list, or a text as a whole and its words."""
    found = _at(claims, path)
    if isinstance(found, str):
        return [found, *found.split()]
    return [value for value in found if isinstance(value, str)] if isinstance(found, list) else []


def _name(claims: Mapping[str, Any], path: str, missing: str) -> str:
    """The one text of a claim, or of its list of one."""
    found = _at(claims, path)
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if not isinstance(found, str) or not 0 < len(found) <= 200 or not found.isprintable():
        raise _Refused(missing)
    return found
