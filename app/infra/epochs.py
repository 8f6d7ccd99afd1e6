"""Epochs of the change log: where transaction ids begin anew, in a restored copy or on a promoted replica."""

from __future__ import annotations

from typing import Any

import asyncpg


async def keep_epoch(connection: Any) -> bool:
    """Opens a new epoch when this is another cluster or timeline than the log was written in, or when the log holds ids
    from the future. True when it did. As anybody: a function of the owner decides."""
    opened: bool = await connection.fetchval("select keep_epoch()")
    return opened


async def bump_epoch(connection: asyncpg.Connection) -> int:
    """Opens a new epoch whatever the cluster says: after a restore of its files. Gives its number. As the owner."""
    async with connection.transaction():
        # As `keep_epoch` does: waits for the writers under way, so that none ends in the old one behind a reader.
        await connection.execute("set local lock_timeout = '30s'")
        await connection.execute("lock table change in share row exclusive mode")
        number: int = await connection.fetchval(
            """insert into epoch (system_identifier, timeline)
            select s.system_identifier::text, c.timeline_id from pg_control_system() s, pg_control_checkpoint() c
            returning id"""
        )
        return number
