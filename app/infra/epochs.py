"""Epochs of the change log: where transaction ids begin anew, in a restored copy or on a promoted replica."""

from __future__ import annotations

import asyncpg

_PRESENT = "select system_identifier::text from pg_control_system()"
_TIMELINE = "select timeline_id from pg_control_checkpoint()"
# The next id to be given out; no entry of this cluster can have reached it.
_NEXT_ID = "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint"


async def keep_epoch(connection: asyncpg.Connection) -> bool:
    """Opens a new epoch when this is another cluster or timeline than the log was written in, or when the log holds ids
    from the future. True when it did. As the owner of the schema."""
    if not await _is_another(connection):
        return False
    async with connection.transaction():
        await _hold_writers(connection)
        row = await connection.fetchrow("select id, system_identifier from epoch order by id desc limit 1")
        identifier, timeline = await connection.fetchval(_PRESENT), await connection.fetchval(_TIMELINE)
        if row is not None and not row["system_identifier"]:  # made by the migration, in this very cluster
            await connection.execute(
                "update epoch set system_identifier = $2, timeline = $3 where id = $1", row["id"], identifier, timeline
            )
        if not await _is_another(connection):
            return False
        await _open(connection, identifier, timeline)
        return True


async def _is_another(connection: asyncpg.Connection) -> bool:
    row = await connection.fetchrow("select id, system_identifier, timeline from epoch order by id desc limit 1")
    present = (await connection.fetchval(_PRESENT), await connection.fetchval(_TIMELINE))
    if row is None or (row["system_identifier"], row["timeline"]) != present:
        return True
    highest = await connection.fetchval("select max(xact_id) from change where epoch = $1", row["id"])
    return highest is not None and highest >= await connection.fetchval(_NEXT_ID)


async def _hold_writers(connection: asyncpg.Connection) -> None:
    """Every writer reads the epoch: this waits for those under way, so that none ends in the old one behind a reader."""
    await connection.execute("set local lock_timeout = '30s'")
    await connection.execute("lock table epoch in access exclusive mode")


async def bump_epoch(connection: asyncpg.Connection) -> int:
    """Opens a new epoch whatever the cluster says: after a restore of its files. Gives its number."""
    async with connection.transaction():
        await _hold_writers(connection)
        identifier, timeline = await connection.fetchval(_PRESENT), await connection.fetchval(_TIMELINE)
        return await _open(connection, identifier, timeline)


async def _open(connection: asyncpg.Connection, identifier: str, timeline: int) -> int:
    number: int = await connection.fetchval(
        "insert into epoch (system_identifier, timeline) values ($1, $2) returning id", identifier, timeline
    )
    return number
