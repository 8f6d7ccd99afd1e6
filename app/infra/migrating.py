"""Brings the schema to this release, as its owner. Any number of processes may try at once: one does it."""

from __future__ import annotations

import asyncio
from urllib.parse import unquote, urlsplit

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.domain.errors import Unavailable
from app.infra.database import AWAY
from migrations import FOLDER, revisions

LOCK = 7_201_620_261_121  # any number that nothing else in this database locks
SERVICE_ROLE = "knooppunt_service"


def service_role(url: str, owner_url: str | None) -> str:
    """The role that the service works as: the user of its own address, or one of our own where it has none."""
    user = unquote(urlsplit(url).username or "")
    return user if owner_url is not None and owner_url != url and user else SERVICE_ROLE


async def migrate(owner_url: str, role: str, target: str = "head", wait_seconds: float = 60) -> bool:
    """Migrates up (or down, to an older `target`). True when something changed.

    Raises `Unavailable` when the server does not answer within `wait_seconds`, or the schema is newer than this release.
    """
    await _reach(owner_url, wait_seconds)
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(owner_url), poolclass=NullPool
    )
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_migrate, role, target)
    finally:
        await engine.dispose()


async def _reach(url: str, seconds: float) -> None:
    last: Exception | None = None
    for _ in range(max(1, int(seconds / 0.5))):
        try:
            connection = await asyncpg.connect(url, timeout=5)
        except AWAY as error:
            last = error
            await asyncio.sleep(0.5)
        else:
            await connection.close()
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
