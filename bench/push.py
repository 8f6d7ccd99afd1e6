"""Pushing a batch of a thousand against a bare insert of the same thousand rows: one statement on one connection, with
the same indexes and triggers, its arguments made beforehand.

`python -m bench --part push [--quick]`. Both sides take turns, one request at a time: a hub sends its batches one by one.
"""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

import asyncpg
import httpx
import orjson
from rich.console import Console
from rich.table import Table

from app.domain.text import fold
from app.infra.embedded import SUPERUSER
from app.infra.loading import new_id
from app.infra.prepare import Addresses
from app.infra.signal_writes import SEARCH
from bench import signals
from bench.house import House

COUNT, THERE, THERE_QUICK = 1_000, 50_000, 5_000
WANTED = 0.30
ADDRESS = "/v1/hubs/groningen/signals/_batch"
BARE = f"""insert into signal (id, hub_id, external_id, kind, title, description, themes, workfields, workfields_source,
  region_id, heard_on, visibility, status, search)
select g.id, h.id, g.external_id, 'knelpunt', g.title, g.description, '{{wachttijden}}', 7, 'cross-cutting', r.id, '2026-05-01',
  'network', 'submitted', {SEARCH.format(title="g.folded_title", description="g.folded_description")}
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
  as g(id, external_id, title, description, folded_title, folded_description), hub h, region r
where h.slug = 'groningen' and r.code = 'GG0111'"""
say = Console(stderr=True, highlight=False)
Texts = list[tuple[str, str]]


async def texts(addresses: Addresses) -> Texts:
    """Titles and descriptions as hubs write them: those of the generated signals."""
    connection = await asyncpg.connect(addresses.owner)
    rows = await connection.fetch("select title, description from signal order by id limit $1", COUNT)
    await connection.close()
    return [(row["title"], row["description"]) for row in rows]


def batch(said: Texts, **changes: Any) -> list[dict[str, Any]]:
    """A thousand items that nobody sent before."""
    base = {
        "kind": "knelpunt",
        "themes": ["wachttijden"],
        "region": "GG0111",
        "heardOn": "2026-05-01",
        "status": "submitted",
    }
    return [
        base | {"externalId": f"bench-{new_id()}", "title": title, "description": text} | changes
        for title, text in said
    ]


async def bare(connection: asyncpg.Connection, said: Texts) -> float:
    """The seconds of a bare insert."""
    columns = list(zip(*((new_id(), f"bare-{new_id()}", t, d, fold(t), fold(d)) for t, d in said), strict=True))
    began = time.perf_counter()
    await connection.execute(BARE, *(list(column) for column in columns))
    return time.perf_counter() - began


async def sent(client: httpx.AsyncClient, body: bytes, expected: str, **headers: str) -> float:
    """The seconds of a batch; its items must all have become this."""
    began = time.perf_counter()
    response = await client.post(ADDRESS, content=body, headers={"content-type": "application/json"} | headers)
    seconds = time.perf_counter() - began
    found = {result["result"] for result in response.json()["results"]}
    if found != {expected}:
        raise SystemExit(f"A batch answers {response.status_code} with {found}, not {expected}: {response.text[:500]}")
    return seconds


async def cases(client: httpx.AsyncClient, said: Texts) -> dict[str, Callable[[], Awaitable[float]]]:
    """What is sent, each by its name."""
    kept = batch(said)
    turn = iter(range(1, 1_000_000))

    def asked(items: list[dict[str, Any]]) -> bytes:
        return orjson.dumps({"mode": "atomic", "items": items})

    async def packed() -> float:
        lines = gzip.compress(b"\n".join(map(orjson.dumps, batch(said))), 4)
        how = {"content-type": "application/x-ndjson", "content-encoding": "gzip"}
        return await sent(client, lines, "created", **how)

    async def changed() -> float:
        people = next(turn)
        for item in kept:
            item["peopleCount"] = people
        return await sent(client, asked(kept), "updated")

    await sent(client, asked(kept), "created")
    return {
        "new": lambda: sent(client, asked(batch(said)), "created"),
        "new, as packed lines": packed,
        "new, verified and forwarded to three": lambda: sent(client, asked(batch(said, status="verified")), "created"),
        "all changed": changed,
        "all the same again": lambda: sent(client, asked(kept), "unchanged"),
    }


async def rounds(port: int, addresses: Addresses, token: str, count: int) -> dict[str, tuple[float, float, float]]:
    """Of each case the median share of the bare insert, and the median seconds of both."""
    said = await texts(addresses)
    connection = await asyncpg.connect(addresses.owner, server_settings={"jit": "off"})
    found = {}
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60, trust_env=False
    ) as client:
        for name, send in (await cases(client, said)).items():
            say.print(f"  {name} …")
            await bare(connection, said)
            await send()
            pairs = [(await bare(connection, said), await send()) for _ in range(count)]
            shares = [limit / ours for limit, ours in pairs]
            found[name] = (median(shares), median(pair[0] for pair in pairs), median(pair[1] for pair in pairs))
    await connection.close()
    return found


def measure(*, quick: bool) -> list[Table]:
    """The whole run."""
    there = THERE_QUICK if quick else THERE
    table = Table(title=f"A batch of {COUNT:,} signals against a bare insert of them, {there:,} there already")
    for head in ("what", "bare insert", "batch", "share", "wanted"):
        table.add_column(head, justify="left" if head == "what" else "right", no_wrap=True)
    with House() as house:
        house.database.start()
        superuser = house.database.url(SUPERUSER, "postgres")
        say.print(f"{there:,} signals …")
        addresses, tokens, _ = asyncio.run(signals.build(superuser, "push", there))
        house.serve_on(addresses)
        found = asyncio.run(rounds(house.service_port, addresses, tokens["hub"], 3 if quick else 15))
        memory = house.peak_memory()
        house.stop_sides()
    for name, (share, limit, ours) in found.items():
        wanted = WANTED if name == "new" else None
        style = "red" if wanted is not None and share < wanted else ""
        table.add_row(
            name, f"{limit * 1000:.0f} ms", f"{ours * 1000:.0f} ms", f"{share:.2f}", f"{wanted or ''}", style=style
        )
    table.caption = f"Peak memory of the worker: {memory:.0f} MB."
    return [table]
