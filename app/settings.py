"""Every setting, read once from the environment and passed down. No other module reads the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

LOOPBACK = ("localhost", "127.0.0.1", "::1")

# Signatures of a private key alone: with HS256 whoever can check a token could make one, and `none` is no signature.
OidcAlgorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
OidcRole = Literal["hub", "umbrella", "national", "admin"]


def is_safe_address(url: str) -> bool:
    """https, or http to this very machine, with a host and without a password in it."""
    try:
        parts = urlsplit(url)
        secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        return secure and bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:  # a port that is none, brackets that do not close
        return False


class Settings(BaseSettings):
    """Names are those of the environment, in upper case: `DATABASE_URL`, `RATE_LIMIT_PER_MINUTE` …"""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    database_url: str | None = None
    """The service's own role. Without it an embedded PostgreSQL under `data_folder` is used."""
    database_owner_url: str | None = None
    """The role that owns the schema and runs the migrations; `database_url` when absent."""
    data_folder: Path = Path(".knooppunt")
    database_pool_size: Annotated[int, Field(ge=1, le=200)] = 16
    statement_timeout_seconds: Annotated[float, Field(gt=0)] = 10.0

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    public_url: str | None = None
    """The address under which the world sees this instance, without a path; the request's own host when absent."""

    cursor_secret: str | None = None
    """Signs page cursors. Made once and kept in the database when absent."""
    cursor_days: Annotated[int, Field(ge=1, le=366)] = 30
    rate_limit_per_minute: Annotated[int, Field(ge=0)] = 3000
    """Requests a minute for one client or address, per process; 0 is no limit."""
    follow_looks_per_minute: Annotated[int, Field(ge=1)] = 30
    """Looks with follow codes of one address in a minute, over all processes; counted in PostgreSQL."""
    follow_looks_of_all: Annotated[int, Field(ge=1)] = 3000
    """The same, of all addresses together."""
    max_body_bytes: Annotated[int, Field(ge=1024)] = 1_000_000
    max_batch_bytes: Annotated[int, Field(ge=1024)] = 16_000_000
    """Of a push of up to 1,000 resources at a time (`…/_batch`). Packed bodies are measured unpacked as well."""
    max_query_bytes: Annotated[int, Field(ge=256)] = 8_000
    cache_seconds: Annotated[int, Field(ge=0)] = 0
    """How long a client may use a public answer without asking again. 0 is `no-cache`: ask each time, get a 304."""
    trusted_proxy: bool = False
    """Take the client's address from `X-Forwarded-For`: only behind a proxy that sets it."""
    response_weeks: Annotated[int, Field(ge=1, le=52)] = 6
    """How long an umbrella has to respond to a signal."""
    change_retention_days: Annotated[int, Field(ge=1, le=3_650)] = 365
    """How long the change log remembers deletions. A reader who was away longer reads from the beginning."""
    disclosure_threshold: Annotated[int, Field(ge=3, le=100)] = 5
    """Public counts: a part of network-only signals below this is shown as 0; see /docs/counts."""
    network_secret: str | None = None
    """Makes the record keys behind public counts. The same in every instance that holds copies of the same signals; made
    once and kept in the database when absent."""
    source_seconds: Annotated[float, Field(ge=0.1, le=3_600)] = 5.0
    """How long another instance that has nothing new is left alone before it is asked again; doubled while it fails."""
    log_level: str = "info"

    # Access tokens of an OpenID Connect issuer, next to our own; see docs/identity.md.
    oidc_issuer: str | None = None
    """Exactly as the issuer names itself in its metadata and tokens. None takes no tokens but our own."""
    oidc_audience: str | None = None
    """What the issuer writes in `aud` for this API. Not the client id of a website: that is the audience of ID tokens."""
    oidc_algorithms: Annotated[tuple[OidcAlgorithm, ...], NoDecode, Field(min_length=1)] = ("RS256", "PS256", "ES256")
    oidc_role_claim: str = "knooppunt_role"
    """A claim, or a dotted path such as `realm_access.roles`. A list, or a text of words such as `scope`."""
    oidc_hub_claim: str = "knooppunt_hub"
    oidc_umbrella_claim: str = "knooppunt_umbrella"
    oidc_role_map: dict[str, OidcRole] = {
        "hub": "hub",
        "umbrella": "umbrella",
        "national": "national",
        "admin": "admin",
    }
    """Which value of the role claim is which role; other values say nothing."""
    oidc_scope: str | None = None
    """A scope that every token must have."""
    oidc_leeway_seconds: Annotated[int, Field(ge=0, le=300)] = 30
    """How far the clocks of issuer and service may differ."""

    @field_validator("oidc_issuer", "oidc_audience", "oidc_scope", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        """A variable that is set to nothing, as compose files do."""
        return value or None

    @field_validator("oidc_algorithms", mode="before")
    @classmethod
    def _words(cls, value: object) -> object:
        return value.replace(",", " ").split() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.oidc_issuer is not None:
            if not is_safe_address(self.oidc_issuer):
                raise ValueError("OIDC_ISSUER is an https address (http for this machine alone).")
            if self.oidc_audience is None:
                raise ValueError(
                    "OIDC_ISSUER needs OIDC_AUDIENCE: a token that is meant for another service is refused."
                )
        return self
