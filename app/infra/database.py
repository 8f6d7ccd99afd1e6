"""The one door to PostgreSQL: a pool of connections of the service's role, reads and transactions through it.

Whatever goes wrong on the way to the server becomes `Unavailable`; the pool connects again by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from app.domain.access import ANONYMOUS, Actor
from app.domain.errors import Unavailable

ADVICE = "The database cannot be reached now. Try again in a few seconds."

# What asyncpg and the sockets raise when the server is away, restarting, stopping or full.
AWAY = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection cut while it is being spoken to
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)
# The schema is of another release: the watch says which, this only keeps it from being our own fault.
OTHER_SCHEMA = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError)
# Somebody else was in the way for too long; the same request may well succeed in a moment.
IN_THE_WAY = (
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)

# The server is there, and will not have us until somebody changes a setting.
REFUSALS = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidParameterValueError,
    asyncpg.ClientConfigurationError,
)


def why_not(error: BaseException) -> str:
    """Why there is no connection, for whoever runs the service: a sentence without the address or its password."""
    match error:
        case asyncpg.InvalidAuthorizationSpecificationError():
            return "PostgreSQL refuses the user or the password in DATABASE_URL or DATABASE_OWNER_URL."
        case asyncpg.InvalidCatalogNameError():
            return "The database that DATABASE_URL names does not exist on that server."
        case asyncpg.ClientConfigurationError():
            return "DATABASE_URL is not an address of PostgreSQL (postgresql://user:password@host:port/database)."
        case asyncpg.InvalidParameterValueError():
            return "The role that the service works as does not exist or may not be taken on. Run `knooppunt migrate`."
    return f"The database cannot be reached ({type(error).__name__})."


Connection = Any
"""A pooled asyncpg connection; asyncpg has no types of its own."""


async def _bytes_for_json(connection: asyncpg.Connection) -> None:
    """JSON arrives as bytes and goes out untouched."""
    await connection.set_type_codec(
        "json", schema="pg_catalog", format="binary", encoder=lambda value: value, decoder=lambda value: value
    )


async def _keep(connection: asyncpg.Connection) -> None:
    """No reset when a connection returns to the pool (it costs 11%): session settings are forbidden instead."""


class Database:
    """`role` is taken on after connecting, where one address serves owner and service alike."""

    def __init__(
        self, url: str, *, size: int = 16, statement_timeout_seconds: float = 10.0, role: str | None = None
    ) -> None:
        self._url = url
        self._size = size
        self._settings = {
            "application_name": "knooppunt",
            "jit": "off",
            "statement_timeout": str(int(statement_timeout_seconds * 1000)),
            "idle_in_transaction_session_timeout": "60000",
            "timezone": "UTC",
        }
        if role is not None:
            self._settings["role"] = role
        self._pool: asyncpg.Pool | None = None

    async def open(self) -> None:
        """Makes the pool. It connects on first use, so a server that is away now may come later."""
        self._pool = await asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=self._size,
            init=_bytes_for_json,
            reset=_keep,
            server_settings=self._settings,
            statement_cache_size=150,
            max_cached_statement_lifetime=3600,
            max_cacheable_statement_size=64 * 1024,
            timeout=5,
            command_timeout=None,
        )

    async def close(self) -> None:
        """Waits for what is under way, a few seconds at most."""
        if self._pool is not None:
            try:
                await asyncio.wait_for(self._pool.close(), 5)
            except (TimeoutError, *AWAY):
                self._pool.terminate()

    @property
    def pool(self) -> asyncpg.Pool:
        assert self._pool is not None, "open() comes first"
        return self._pool

    async def row(self, sql: str, *args: Any) -> asyncpg.Record | None:
        """One row of a read. Tried twice: after a restart of the server the pool holds dead connections."""
        for attempt in (1, 2):
            try:
                return await self.pool.fetchrow(sql, *args)
            except AWAY as error:
                if attempt == 2:
                    raise Unavailable(ADVICE) from error
                await self.pool.expire_connections()
            except asyncpg.QueryCanceledError as error:
                raise Unavailable(
                    "This question takes longer than the service allows. Ask for less at a time."
                ) from error
            except (*OTHER_SCHEMA, asyncpg.InsufficientPrivilegeError) as error:
                raise Unavailable("The database does not have the tables of this release.") from error
        raise AssertionError

    @asynccontextmanager
    async def transaction(self, actor: Actor) -> AsyncIterator[Connection]:
        """One transaction in the name of the actor: row-level security knows who it is. Commits on a clean exit.

        Raises `Unavailable`; a row that this actor may not write stays asyncpg's `InsufficientPrivilegeError`.
        """
        try:
            async with self.pool.acquire(timeout=10) as connection, connection.transaction():
                await connection.execute(
                    "select set_config('app.role', $1, true), set_config('app.hub', "
                    "coalesce((select id::text from hub where slug = $2), ''), true), set_config('app.client', $3, true), "
                    "set_config('app.umbrella', $4, true), set_config('app.mask', "
                    "(1 | case when $1 in ('hub', 'national') then 2 else 0 end "
                    "| case when $1 = 'national' then 1 << 30 else 0 end | coalesce(umbrella_bit($4), 0))::text, true)",
                    actor.role,
                    actor.hub,
                    actor.client or "",
                    actor.umbrella or "",
                )
                yield connection
        except AWAY as error:
            raise Unavailable(ADVICE) from error
        except OTHER_SCHEMA as error:
            raise Unavailable("The database does not have the tables of this release.") from error
        except IN_THE_WAY as error:
            raise Unavailable("Another change is in the way. Try again in a few seconds.") from error

    @asynccontextmanager
    async def system(self) -> AsyncIterator[Connection]:
        """One transaction of the background work, which sees what it needs for itself and what it is given by policy."""
        async with self.transaction(ANONYMOUS) as connection:
            await connection.execute("select set_config('app.role', 'system', true)")
            yield connection
