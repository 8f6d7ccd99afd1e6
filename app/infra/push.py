"""Locks on a hub's own ids, whatever the noun."""

from __future__ import annotations

from collections.abc import Collection

from app.infra.database import Connection

HUB = "(select nullif(current_setting('app.hub', true), '')::smallint)"
# Advisory locks of pushed ids are numbered from here by hub, in a space of their own (two numbers, not one).
SIGNALS_FROM = 1_000_000
QUESTIONS_FROM = 2_000_000
_BUCKETS = 64


async def lock_ids(connection: Connection, numbered_from: int, ids: Collection[str]) -> None:
    """Makes whoever pushes one of these ids wait, whether there is anything under it or not.

    What is not there cannot be locked as a row, so ids share a few advisory locks; these first, then the rows, each
    in a fixed order: two who push the same ids wait for each other, and never both.
    """
    await connection.execute(
        f"""select pg_advisory_xact_lock({numbered_from} + {HUB}, bucket) from (
          select distinct hashtext(id) & {_BUCKETS - 1} as bucket from unnest($1::text[]) id order by 1 offset 0) b""",
        list(ids),
    )
