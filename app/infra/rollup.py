"""Folds the change log into counts, makes them anew, and checks them against the signals. See docs/national.md."""

from __future__ import annotations

import asyncpg

from app.infra import count_tables
from app.infra.database import Connection

MOST_AT_ONCE = 5_000
"""Entries of one transaction: more at a time goes faster, and holds back what waits for the horizon for longer."""

__all__ = ["count_tables", "differences", "fold", "keep_network_secret", "rebuild"]


async def fold(connection: Connection, most: int = MOST_AT_ONCE) -> int:
    """Folds the next entries of the log; how many. -1 where another worker is at it."""
    folded: int = await connection.fetchval("select fold_counts($1)", most)
    return folded


async def rebuild(connection: asyncpg.Connection) -> None:
    """Makes all counts anew from the signals. As the owner of the schema."""
    await connection.execute("select rebuild_counts()")


async def differences(connection: asyncpg.Connection, most: int = 20) -> list[str]:
    """Where the counts are not what the signals say, in words; empty when all agree. As the owner of the schema.

    Cells and the log after them against the signals themselves, then the summaries against the cells; each in one
    statement, so that whatever is written or folded meanwhile makes no difference.
    """
    rows = await connection.fetch("select what, found, expected from count_differences() order by what limit $1", most)
    return [f"{row['what']}: {row['found']} counted, {row['expected']} expected" for row in rows]


async def keep_network_secret(connection: asyncpg.Connection, secret: str | None) -> bool:
    """Takes over the secret of the settings; when it is another, counts are made anew. True when it was."""
    if secret is None:
        return False
    async with connection.transaction():
        if not await connection.fetchval("select set_network_secret(convert_to($1, 'UTF8'))", secret):
            return False
        await rebuild(connection)
        return True
