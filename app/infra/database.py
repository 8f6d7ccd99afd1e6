"""The one door to PostgreSQL: a pool of connections of the service's role, reads and transactions through it.

Whatever goes wrong on the way to the server becomes `Unavailable`; the pool connects again by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import structlog

from app.domain.access import ANONYMOUS, Actor
from app.domain.errors import Unauthenticated, Unavailable
from app.infra.epochs import keep_epoch

REFUSED = "This token is wrong, expired or revoked."
TOKEN_ENDED = "KP401"  # noqa: S105 - no password
"""The SQLSTATE that `enter` raises in the database."""
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


log = structlog.get_logger()

Connection = Any
"""A pooled asyncpg connection; asyncpg has no types of its own."""


async def _bytes_for_json(connection: asyncpg.Connection) -> None:
    """JSON arrives as bytes and goes out untouched."""
    await connection.set_type_codec(
        "json", schema="pg_catalog", format="binary", encoder=lambda value: value, decoder=lambda value: value
    )


async def _prepared(connection: asyncpg.Connection) -> None:
    """A new connection may lead to another cluster than the one before it (a restore, a replica that took over): then
    nothing may be written before the change log knows. Here, because there is no other way to a transaction."""
    await _bytes_for_json(connection)
    with suppress(*OTHER_SCHEMA):  # the watch says which release it is of
        if await keep_epoch(connection):
            log.warning("epoch-opened")


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
            init=_prepared,
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
            except asyncpg.PostgresError as error:
                if error.sqlstate != TOKEN_ENDED:
                    raise
                raise Unauthenticated(REFUSED) from error
        raise AssertionError

    @asynccontextmanager
    async def transaction(self, actor: Actor) -> AsyncIterator[Connection]:
        """A transaction in the name of the actor: row-level security knows who it is. Commits on a clean exit.

        Raises `Unavailable`, `Unauthenticated` when the actor's token does not hold any more; a row that this actor may
        not write stays asyncpg's `InsufficientPrivilegeError`.
        """
        async with self.turn(actor) as turn:
            yield await turn.begun()

    @asynccontextmanager
    async def turn(self, actor: Actor) -> AsyncIterator[Turn]:
        """As `transaction`, but it begins with its first statement."""
        turn = Turn(self.pool, actor)
        try:
            try:
                yield turn
                await turn.commit()
            finally:
                await turn.close()
        except AWAY as error:
            raise Unavailable(ADVICE) from error
        except OTHER_SCHEMA as error:
            raise Unavailable("The database does not have the tables of this release.") from error
        except IN_THE_WAY as error:
            raise Unavailable("Another change is in the way. Try again in a few seconds.") from error
        except asyncpg.PostgresError as error:
            if error.sqlstate != TOKEN_ENDED:
                raise
            raise Unauthenticated(REFUSED) from error

    @asynccontextmanager
    async def system(self) -> AsyncIterator[Connection]:
        """One transaction of the background work, which sees what it needs for itself and what it is given by policy."""
        async with self.transaction(ANONYMOUS) as connection:
            await connection.execute("select set_config('app.role', 'system', true)")
            yield connection


class Turn:
    """A transaction that begins with its first statement, and can hold one back: where nothing else is asked, that
    statement is all there is, with its answer, and PostgreSQL begins and commits around it by itself. Each way to the
    server and back costs a tenth of a millisecond of processor on both sides together.
    """

    def __init__(self, pool: asyncpg.Pool, actor: Actor) -> None:
        self.actor = actor
        self._pool = pool
        self._connection: Connection | None = None
        self._transaction: Any = None
        self._later: tuple[str, str, tuple[Any, ...]] | None = None

    async def begun(self) -> Connection:
        """The connection, in its transaction, with nothing held back any more."""
        if self._connection is None:
            self._connection = await self._pool.acquire(timeout=10)
        if self._transaction is None:
            transaction = self._connection.transaction()
            await transaction.start()
            self._transaction = transaction
            await self._connection.execute("select enter($1, $2, $3, $4, $5)", *entering(self.actor))
            self._proven()
        if self._later is not None:
            (sql, _, args), self._later = self._later, None
            await self._connection.execute(sql, *args)
        return self._connection

    def _proven(self) -> None:
        self.actor.hold()

    async def later(self, sql: str, joined: str, *args: Any) -> None:
        """Runs it before the next statement or at the end; `joined` is it as a part of the one statement of `alone`."""
        await self.flush()
        self._later = (sql, joined, args)

    async def flush(self) -> None:
        """Runs what is held back."""
        if self._later is not None:
            await self.begun()

    def takes_all(self) -> tuple[str, tuple[Any, ...]] | None:
        """What is held back, to be run by `alone`; None when there is nothing, or something went before it."""
        if self._transaction is not None or self._later is None:
            return None
        (_, joined, args), self._later = self._later, None
        return joined, args

    async def alone(self, sql: str, *args: Any) -> Any:
        """The row of the one statement of this turn, which enters by itself. It is committed when it answers."""
        self._connection = await self._pool.acquire(timeout=10)
        row = await self._connection.fetchrow(sql, *args)
        self._proven()
        return row

    async def execute(self, sql: str, *args: Any) -> str:
        return await (await self.begun()).execute(sql, *args)  # type: ignore[no-any-return]

    async def executemany(self, sql: str, args: Any) -> None:
        await (await self.begun()).executemany(sql, args)

    async def fetch(self, sql: str, *args: Any) -> list[Any]:
        return await (await self.begun()).fetch(sql, *args)  # type: ignore[no-any-return]

    async def fetchrow(self, sql: str, *args: Any) -> Any:
        return await (await self.begun()).fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: Any) -> Any:
        return await (await self.begun()).fetchval(sql, *args)

    async def commit(self) -> None:
        """What was held back is run, and all of it stays."""
        await self.flush()
        if self._transaction is not None:
            transaction, self._transaction = self._transaction, None
            await transaction.commit()

    async def close(self) -> None:
        """What was not committed is undone; the connection goes back."""
        if self._connection is None:
            return
        try:
            if self._transaction is not None:
                await self._transaction.rollback()
        finally:
            await self._pool.release(self._connection)


def entering(actor: Actor) -> tuple[Any, ...]:
    """The arguments of `enter`, which tells the database who reads or writes, and checks the token."""
    proof = actor.proof
    return (None if proof is None else proof.token, actor.client, actor.role, actor.hub, actor.umbrella)
