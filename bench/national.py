"""Counts at a million signals and at five: how fast they are read, what keeping them costs a write, how fast they are folded.

`python -m bench --part national [--quick]`. Reads go through the use case that both doors call, in one process.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from datetime import date
from statistics import median

import asyncpg
from rich.console import Console
from rich.table import Table

from app.domain.access import Actor
from app.domain.library import Catalogue
from app.domain.national import CountQuery, count_signals
from app.infra.database import Database
from app.infra.embedded import SUPERUSER
from app.infra.national import PostgresCounts
from app.infra.prepare import Addresses
from app.infra.rollup import fold
from bench.house import House
from bench.signals import build

SIZES, QUICK_SIZES = (1_000_000, 5_000_000), (20_000,)
MOST_MS, MOST_COST, FOLDED = 50.0, 1.10, 5_000
WRITERS, WRITE_SECONDS, TODAY = 20, 5.0, date(2026, 6, 30)
READERS = {
    "public": Actor(),
    "umbrella": Actor("umbrella", None, "mind"),
    "hub": Actor("hub", "groningen"),
    "national": Actor("national"),
}
YEAR = {"first": "2025-07", "last": "2026-06"}
QUESTIONS = {
    "theme x 25 regions x 12 months": {"group_by": ("theme", "region", "period"), "scheme": "ggd-regio", **YEAR},
    "theme x 12 months": {"group_by": ("theme", "period"), **YEAR},
    "25 regions x 12 months": {"group_by": ("region", "period"), "scheme": "ggd-regio", **YEAR},
    "theme x hub": {"group_by": ("theme", "hub"), **YEAR},
    "25 regions": {"group_by": ("region",), "scheme": "ggd-regio"},
    "the total": {},
    "hub x kind (from cells)": {"group_by": ("hub", "kind"), **YEAR},
}  # fmt: skip
_WRITE = """
insert into signal (id, hub_id, kind, title, description, themes, workfields, workfields_source, region_id, heard_on,
  visibility, status, search)
select $1, h.id, 'knelpunt', 'bench', '', '{wachttijden}', 7, 'cross-cutting', r.id, date '2026-06-01', 'network', 'verified', ''
from hub h, region r where h.slug = 'groningen' and r.code = 'GM0014'
"""
say = Console(stderr=True, highlight=False)


async def folded_a_second(addresses: Addresses) -> float:
    """Folds what there is, as the worker does; entries a second."""
    connection = await asyncpg.connect(addresses.owner)
    began, total = time.perf_counter(), 0
    while (done := await fold(connection)) > 0:
        total += done
    lasted = time.perf_counter() - began
    for table in ("count_cell", "count_summary", "count_source", "count_share"):
        await connection.execute(f"vacuum (analyze) {table}")
    await connection.close()
    return total / lasted


async def reads(addresses: Addresses, rounds: int) -> list[tuple[str, str, float, int]]:
    """Question, reader, median in milliseconds, cells."""
    database = Database(addresses.service, size=2, role=addresses.role)
    await database.open()
    counts = PostgresCounts(database, lambda: 1)
    owner = await asyncpg.connect(addresses.owner)
    rows = await owner.fetch("select scheme, array_agg(year order by year) from edition group by 1")
    await owner.close()
    catalogue = Catalogue({row[0]: tuple(row[1]) for row in rows})
    found = []
    for name, question in QUESTIONS.items():
        query = CountQuery(as_of=TODAY, **question)
        for who, actor in READERS.items():
            taken = []
            for _ in range(rounds + 1):
                began = time.perf_counter()
                answer = await count_signals(query, actor, counts, catalogue, TODAY)
                taken.append((time.perf_counter() - began) * 1000)
            found.append((name, who, median(taken[1:]), len(answer.cells)))
    await database.close()
    return found


async def written_a_second(addresses: Addresses, seconds: float, *, kept: bool) -> float:
    """Twenty writers on one cell, with or without somebody who folds meanwhile."""
    connections = [await asyncpg.connect(addresses.owner) for _ in range(WRITERS + 1)]
    ends, written = time.perf_counter() + seconds, 0

    async def write(connection: asyncpg.Connection) -> None:
        nonlocal written
        while time.perf_counter() < ends:
            await connection.execute(_WRITE, uuid.uuid4())
            written += 1

    async def keep() -> None:
        while kept and time.perf_counter() < ends:
            if await fold(connections[-1]) <= 0:
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.25)

    await asyncio.gather(keep(), *(write(connection) for connection in connections[:-1]))
    for connection in connections:
        await connection.close()
    return written / seconds


def measure(*, quick: bool) -> list[Table]:
    """The whole run."""
    table = Table("what", "who", "found", "wanted", title="Counts of the national layer")
    with House() as house:
        house.hold_database()
        for size in QUICK_SIZES if quick else SIZES:
            say.print(f"{size:,} signals …")
            addresses, _, _ = asyncio.run(build(house.database.url(SUPERUSER, "postgres"), f"national_{size}", size))
            rate = asyncio.run(folded_a_second(addresses))
            table.add_row(f"folded a second, {size:,}", "", f"{rate:,.0f}", f"≥ {FOLDED:,}")
            for name, who, taken, cells in asyncio.run(reads(addresses, 3 if quick else 15)):
                wanted = (
                    f"≤ {MOST_MS * (1 if size <= 1_000_000 else 1.5):.0f} ms" if name.startswith("theme x 25") else ""
                )
                table.add_row(f"{name}, {size:,}", who, f"{taken:.1f} ms, {cells:,} cells", wanted)
            seconds = 1.0 if quick else WRITE_SECONDS
            pairs = [
                [asyncio.run(written_a_second(addresses, seconds, kept=kept)) for kept in (False, True)]
                for _ in range(3)
            ]
            cost = median(without / kept for without, kept in pairs)
            table.add_row(f"cost of keeping, {WRITERS} writers on one cell", "", f"{cost:.2f}x", f"≤ {MOST_COST:.2f}x")
    return [table]
