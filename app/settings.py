"""Every setting, read once from the environment and passed down. No other module reads the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


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
    max_body_bytes: Annotated[int, Field(ge=1024)] = 1_000_000
    max_query_bytes: Annotated[int, Field(ge=256)] = 8_000
    cache_seconds: Annotated[int, Field(ge=0)] = 0
    """How long a client may use a public answer without asking again. 0 is `no-cache`: ask each time, get a 304."""
    trusted_proxy: bool = False
    """Take the client's address from `X-Forwarded-For`: only behind a proxy that sets it."""
    log_level: str = "info"
