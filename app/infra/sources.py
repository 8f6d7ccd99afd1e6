"""Other instances whose changes are taken over: added, paused and removed by who owns the schema, and how they stand.

A token is kept as it is, because it must be sent, where the worker alone may read it. It is never shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from app.domain.errors import Conflict, Faults, NotFound
from app.infra import source_tables
from app.infra.database import Connection, Database

__all__ = [
    "Refusal", "SourceState", "Sources", "add_source", "list_sources", "pause_source", "refusals_of", "remove_source",
    "source_tables",
]  # fmt: skip

_STATES = """
select s.id, s.url, s.paused, s.received, s.failures, s.error, s.error_at, s.level_at, s.next_at, s.anew,
  s.token is not null as with_token,
  array(select h.slug from source_hub sh join hub h on h.id = sh.hub_id where sh.source_id = s.id order by 1) as hubs,
  (select count(*) from source_refusal r where r.source_id = s.id) as refused,
  extract(epoch from now() - coalesce(s.level_at, s.added_at))::float8 as behind
from source s order by s.url
"""


@dataclass(frozen=True, slots=True)
class SourceState:
    """How a source stands. `behind` is the time in seconds since all of it was here."""

    id: int
    url: str
    paused: bool
    received: int
    failures: int
    error: str | None
    error_at: datetime | None
    level_at: datetime | None
    next_at: datetime
    anew: bool
    with_token: bool
    hubs: Sequence[str]
    refused: int
    behind: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """A resource that could not be taken over, and why. Without its content."""

    resource: str
    version: int
    external_id: str | None
    faults: Sequence[dict[str, str]]
    at: datetime


class Sources:
    """How they stand, for who measures."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def states(self) -> list[SourceState]:
        """See `list_sources`. Raises `Unavailable`."""
        async with self._database.system() as connection:
            return await list_sources(connection)


async def list_sources(connection: Connection) -> list[SourceState]:
    """All of them, by address."""
    return [SourceState(**row) for row in await connection.fetch(_STATES)]


async def add_source(
    connection: asyncpg.Connection, url: str, hubs: Sequence[str], token: str | None, *, take_over: bool = False
) -> None:
    """Takes over the signals of these hubs from there, from now on; here they are read only.

    A hub that has signals of its own here is refused, unless `take_over`: then what is not there goes, once all that is
    there has come. Demonstration signals go anyway. Raises `Invalid`, `Conflict`.
    """
    async with connection.transaction():
        numbers = await _numbers(connection, hubs)
        taken = await connection.fetch(
            "select h.slug, s.url from source_hub sh join hub h on h.id = sh.hub_id join source s on s.id = sh.source_id "
            "where sh.hub_id = any($1::smallint[])",
            numbers,
        )
        if taken:
            raise Conflict(f"{taken[0]['slug']} is taken over from {taken[0]['url']} already. Remove that first.")
        own = await connection.fetch(
            "select h.slug, count(*) as many from signal s join hub h on h.id = s.hub_id "
            "where s.hub_id = any($1::smallint[]) and not s.demonstration group by 1 order by 1",
            numbers,
        )
        if own and not take_over:
            shown = ", ".join(f"{row['slug']} ({row['many']})" for row in own)
            raise Conflict(
                f"These hubs have signals of their own here: {shown}. With --take-over those go that are not there."
            )
        try:
            number = await connection.fetchval(
                "insert into source (url, token) values ($1, $2) returning id", url, token
            )
        except asyncpg.UniqueViolationError:
            raise Conflict(
                "There is a source with this address already. Remove it first, and add it with all hubs."
            ) from None
        await connection.executemany(
            "insert into source_hub (hub_id, source_id) values ($1, $2)", [(hub, number) for hub in numbers]
        )


async def _numbers(connection: asyncpg.Connection, hubs: Sequence[str]) -> list[int]:
    faults = Faults()
    rows = await connection.fetch("select slug, id from hub where slug = any($1::text[])", list(hubs))
    known = {row["slug"]: row["id"] for row in rows}
    for slug in hubs:
        if slug not in known:
            faults.add("option", "hub", "unknown-code", f"There is no hub {slug}.")
    if not hubs:
        faults.add("option", "hub", "required", "Name the hubs that are kept there.")
    faults.raise_if_any()
    return sorted(known.values())


async def pause_source(connection: asyncpg.Connection, url: str, *, paused: bool) -> None:
    """Stops asking, or begins again at once. Raises `NotFound`."""
    done = await connection.execute(
        "update source set paused = $2, failures = 0, next_at = now() where url = $1", url, paused
    )
    if done == "UPDATE 0":
        raise NotFound(NOT_THERE)


async def remove_source(connection: asyncpg.Connection, url: str, *, keep: bool) -> int:
    """Forgets the source. Its copies go, with a tombstone for their readers; with `keep` they become this instance's
    own. How many went. Raises `NotFound`."""
    async with connection.transaction():
        number = await connection.fetchval("select id from source where url = $1 for update", url)
        if number is None:
            raise NotFound(NOT_THERE)
        gone = 0
        if not keep:
            done = await connection.execute(
                "delete from signal s using source_copy c where c.source_id = $1 and c.resource_id = s.id", number
            )
            gone = int(done.rpartition(" ")[2])
        await connection.execute("delete from source where id = $1", number)
        return gone


async def refusals_of(connection: asyncpg.Connection, url: str, most: int = 50) -> list[Refusal]:
    """What could not be taken over, the newest first. Raises `NotFound`."""
    import json

    number = await connection.fetchval("select id from source where url = $1", url)
    if number is None:
        raise NotFound(NOT_THERE)
    rows: list[Any] = await connection.fetch(
        "select * from source_refusal where source_id = $1 order by at desc, resource_id limit $2", number, most
    )
    return [
        Refusal(str(row["resource_id"]), row["version"], row["external_id"], json.loads(row["faults"]), row["at"])
        for row in rows
    ]


NOT_THERE = "There is no source with this address. `knooppunt source list` shows them."
