"""Feeds: a page of 100 against its limit, in a long log, and a thousand listeners who hear of one signal.

`python -m bench.feeds [--quick]`. It has a database of its own on a server of its own.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

import asyncpg
import httpx
from rich.console import Console

from app.infra.database import Database
from app.infra.embedded import SUPERUSER
from app.infra.prepare import Addresses
from app.main import create_app
from app.settings import Settings
from bench.capture import Question, ask
from bench.cases import Case
from bench.changes import against_limit, fill, memory
from bench.house import House
from bench.signals import build
from bench.table import Figure, Row, tables

ENTRIES, QUICK_ENTRIES = 500_000, 20_000
SIGNALS, QUICK_SIGNALS = 12_000, 1_500
LISTENING, QUICK_LISTENING = 1_000, 100
WANTED, MOST_SECONDS, MOST_MB = 0.65, 2.0, 200

say = Console(stderr=True, highlight=False)


def cases(token: str) -> list[Case]:
    """A page of 100 in each format, for everybody and for an umbrella."""
    mine = (("authorization", f"Bearer {token}"),)
    return [
        Case("Feed for everybody, JSON Feed", "REST", "/v1/feeds/openbaar", wanted=WANTED),
        Case("Feed of an umbrella, JSON Feed", "REST", "/v1/feeds/mind", wanted=WANTED, headers=mine),
        Case("Feed of an umbrella, CloudEvents", "REST", "/v1/feeds/mind?format=cloudevents", headers=mine),
        Case("Feed for everybody, Atom (made by the service)", "REST", "/v1/feeds/openbaar?format=atom"),
    ]


async def capture(asked: list[Case], settings: Settings, addresses: Addresses) -> list[Question]:
    """The statement of each page, with what comes before and after its items."""
    seen: list[tuple[str, tuple[Any, ...], Any]] = []
    row = Database.row

    async def watched(self: Database, sql: str, *args: Any) -> Any:
        found = await row(self, sql, *args)
        if "enter_feed" in sql:
            seen.append((sql, args, found))
        return found

    app: Any = create_app(settings, addresses)
    questions = []
    Database.row = watched  # type: ignore[method-assign]
    try:
        async with app.fastapi.router.lifespan_context(app.fastapi):
            for case in asked:
                status, headers, body = await ask(app, case)
                assert status == 200, body[:300]
                sql, args, found = seen[-1]
                head, _, tail = body.partition(found["items"])
                # The bare application answers with the first column of its statement.
                sql = f"select q.items, q.* from ({sql}) q"
                questions.append(Question(case.target, b"", sql, list(args), head, tail, headers[b"content-type"]))
    finally:
        Database.row = row  # type: ignore[method-assign]
    return questions


async def listening(house: House, owner: str, many: int) -> list[Figure]:
    """How fast each of some new public signals reaches everybody who listens, and what they cost."""
    port = house.service_port
    connection = await asyncpg.connect(owner)
    await connection.execute("select set_config('app.role', 'system', false)")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client:
        live = (await client.get("/v1/feeds/openbaar?limit=1")).json()["hubs"][0]["url"]
    path = live.partition("/v1/")[2]
    sockets = []
    for _ in range(many):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
        writer.write(f"GET /v1/{path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode())
        sockets.append((reader, writer))
    await asyncio.gather(*(reader.readuntil(b"nothing new") for reader, _ in sockets))
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        await connection.execute(
            "update signal set version = version + 1 where id = (select id from signal where audience & 1 <> 0 limit 1)"
        )
        await asyncio.gather(*(reader.readuntil(b"\ndata: ") for reader, _ in sockets))
        taken.append(time.perf_counter() - began)
    held = memory(house)
    for _, writer in sockets:
        writer.close()
    await connection.close()
    return [
        Figure(f"One signal reaches {many:,} listeners, the slowest of {len(taken)}", max(taken), "s", MOST_SECONDS),
        Figure(f"Memory of the service with {many:,} listeners", held, "MB", MOST_MB),
    ]


def measure(*, quick: bool) -> tuple[list[Row], list[Figure]]:
    """The whole run."""
    with House() as house:
        house.database.start()
        superuser = house.database.url(SUPERUSER, "postgres")
        addresses, tokens, _ = asyncio.run(build(superuser, "feeds", QUICK_SIGNALS if quick else SIGNALS))
        asyncio.run(fill(addresses.owner, QUICK_ENTRIES if quick else ENTRIES))
        house.serve_on(addresses)
        try:
            asked = cases(tokens["umbrella"])
            settings = Settings(data_folder=house.folder, rate_limit_per_minute=0)
            house.serve_limit(asyncio.run(capture(asked, settings, addresses)), addresses)
            rows = against_limit(house, asked, 2 if quick else 6, 0.5 if quick else 1.0)
            figures = asyncio.run(listening(house, addresses.owner, QUICK_LISTENING if quick else LISTENING))
        finally:
            house.stop_sides()
    return rows, figures


def main() -> None:
    """See the module."""
    rows, figures = measure(quick="--quick" in sys.argv)
    for table in tables(rows, figures):
        Console(width=160).print(table)


if __name__ == "__main__":
    main()
