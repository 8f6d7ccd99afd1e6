"""Keeps the change log short: entries that nobody needs any more go, in steps, while readers and writers go on."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from app.infra.rollup import fold

STEP = 5_000  # entries looked at in one transaction
LOCK = 4_120_002

# An entry goes when every one it addresses (each bit, its hub) is addressed by a newer entry of the same resource. What
# hides or deletes goes when it is older than the term, and there is no older entry left that it takes back.
_STEP = """
with here as (
    select (select max(id) from epoch) as present, pg_snapshot_xmin(pg_current_snapshot())::text::bigint as final
), held as (
    select epoch, xact_id, 0 as seq from count_state  -- counts have not been made of what comes after this
    union all select epoch, xact_id, seq from log_mark where name <> 'removed' order by 1, 2, 3 limit 1
), looked_at as materialized (
    select c.* from change c, here
    where (c.epoch, c.xact_id, c.seq) > ($1, $2, $3) and (c.epoch < here.present or c.xact_id < here.final)
        and not exists (select from held h where (c.epoch, c.xact_id, c.seq) > (h.epoch, h.xact_id, h.seq))
    order by c.epoch, c.xact_id, c.seq limit $4
), superseded as (
    select c.epoch, c.xact_id, c.seq from looked_at c cross join lateral (
        select bit_or(n.audience) as audience, array_agg(n.hub_id) as hubs from change n
        where n.resource_id = c.resource_id and n.version >= c.version
            and (n.version, n.epoch, n.xact_id, n.seq) > (c.version, c.epoch, c.xact_id, c.seq)
    ) newer
    where newer.hubs is not null and c.audience & ~newer.audience = 0
        and (c.hub_id is null or c.hub_id = any (newer.hubs))
), outlived as (
    select c.epoch, c.xact_id, c.seq from looked_at c
    where c.op <> 1 and c.at < now() - make_interval(days => $5)
        and not exists (select from change o where o.resource_id = c.resource_id and o.version <= c.version
            and (o.version, o.epoch, o.xact_id, o.seq) < (c.version, c.epoch, c.xact_id, c.seq)
            and (o.audience & c.audience <> 0 or o.hub_id = c.hub_id))
), gone as (
    delete from change c using (select * from superseded union select * from outlived) g
    where (c.epoch, c.xact_id, c.seq) = (g.epoch, g.xact_id, g.seq)
), marked as (
    insert into log_mark (name, epoch, xact_id, seq)
    select 'removed', o.epoch, o.xact_id, o.seq from outlived o
        where not exists (select from superseded s where (s.epoch, s.xact_id, s.seq) = (o.epoch, o.xact_id, o.seq))
        order by 2 desc, 3 desc, 4 desc limit 1
    on conflict (name) do update set epoch = excluded.epoch, xact_id = excluded.xact_id, seq = excluded.seq
        where (log_mark.epoch, log_mark.xact_id, log_mark.seq) < (excluded.epoch, excluded.xact_id, excluded.seq)
)
select (select count(*) from superseded) as superseded,
    (select count(*) from outlived o
        where not exists (select from superseded s where (s.epoch, s.xact_id, s.seq) = (o.epoch, o.xact_id, o.seq))) as outlived,
    last.epoch, last.xact_id, last.seq
from (select epoch, xact_id, seq from looked_at order by epoch desc, xact_id desc, seq desc limit 1) last
"""


@dataclass(frozen=True, slots=True)
class Compacted:
    """Entries that a newer one replaced, and deletions older than the term."""

    superseded: int
    outlived: int


async def compact(connection: asyncpg.Connection, retention_days: int) -> Compacted | None:
    """Goes through the log once. As the owner of the schema; any number may try, one does it: None for the others.

    A reader whose cursor lies before the last deletion that was left out hears so (410).
    """
    if not await connection.fetchval("select pg_try_advisory_lock($1)", LOCK):
        return None
    superseded = outlived = 0
    while await fold(connection) > 0:
        pass  # what is not counted yet stays: without a worker that would be everything
    place = (0, 0, 0)
    try:
        while (row := await connection.fetchrow(_STEP, *place, STEP, retention_days)) is not None:
            superseded += row["superseded"]
            outlived += row["outlived"]
            place = (row["epoch"], row["xact_id"], row["seq"])
    finally:
        await connection.execute("select pg_advisory_unlock($1)", LOCK)
    return Compacted(superseded, outlived)
