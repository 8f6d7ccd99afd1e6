"""Brings the schema to this release, as its owner. Any number of processes may try at once: one does it."""

from __future__ import annotations

import asyncio
from urllib.parse import unquote, urlsplit

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.domain.errors import Fault, Invalid, Unavailable
from app.infra.database import AWAY, REFUSALS, why_not
from app.infra.embedded import SERVICE
from migrations import FOLDER, revisions

LOCK = 7_201_620_261_121  # any number that nothing else in this database locks
OLDEST_SERVER = 15


def service_role(url: str, owner_url: str | None) -> str:
    """The role that the service works as: the user of its own address, or one of our own where it has none."""
    user = unquote(urlsplit(url).username or "")
    return user if owner_url is not None and owner_url != url and user else SERVICE


async def migrate(owner_url: str, role: str, target: str = "head", wait_seconds: float = 60) -> bool:
    """Migrates up (or down, to an older `target`). True when something changed.

    Raises `Unavailable` when the server does not answer within `wait_seconds`, is too old, or refuses a step, and when
    the schema is newer than this release; `Invalid` for an unknown `target`.
    """
    if target not in ("head", "base", *revisions()):
        detail = f"There is no such revision. Known: base, {', '.join(revisions())}, head."
        raise Invalid([Fault("option", "to", "unknown-revision", detail)])
    await _reach(owner_url, wait_seconds)
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(owner_url), poolclass=NullPool
    )
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_migrate, role, target)
    except DBAPIError as error:
        raise Unavailable(f"The migration stopped and undid its last step: {error.orig}") from error
    finally:
        await engine.dispose()


async def _reach(url: str, seconds: float) -> None:
    last: Exception | None = None
    for _ in range(max(1, int(seconds / 0.5))):
        try:
            connection = await asyncpg.connect(url, timeout=5)
        except REFUSALS as error:
            raise Unavailable(why_not(error)) from error
        except AWAY as error:
            last = error
            await asyncio.sleep(0.5)
        else:
            version = connection.get_server_version().major
            await connection.close()
            if version < OLDEST_SERVER:
                raise Unavailable(f"This is PostgreSQL {version}; Knooppunt needs {OLDEST_SERVER} or newer.")
            return
    raise Unavailable(f"No PostgreSQL answers at the address in DATABASE_URL ({type(last).__name__}).")


def _migrate(connection: Connection, role: str, target: str) -> bool:
    connection.exec_driver_sql(f"select pg_advisory_lock({LOCK})")
    connection.commit()
    try:
        before = MigrationContext.configure(connection).get_current_revision()
        connection.commit()
        if before is not None and before not in revisions():
            raise Unavailable(
                f"The database is at revision {before}, which this release does not know: it is newer. "
                "Install the newer release, or restore a backup from before it."
            )
        config = Config()
        config.set_main_option("script_location", str(FOLDER))
        config.attributes.update(connection=connection, service_role=role)
        if target == "head" or target in revisions()[revisions().index(before) + 1 if before else 0 :]:
            command.upgrade(config, target)
        else:
            command.downgrade(config, target)
        after = MigrationContext.configure(connection).get_current_revision()
        connection.commit()
        return after != before
    finally:
        connection.exec_driver_sql(f"select pg_advisory_unlock({LOCK})")
        connection.commit()
