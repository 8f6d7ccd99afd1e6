"""The change log: a page of 500 with resources against its limit, at both ends of a log of two million, and a thousand
who wait.

`python -m bench.changes [--quick]`, and a part of `python -m bench`. It has a database of its own on a server of its own.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from pathlib import Path
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
from bench.house import House, Measured
from bench.signals import build
from bench.table import Figure, Row, compare, tables

ENTRIES, QUICK_ENTRIES = 2_000_000, 20_000
SIGNALS, QUICK_SIGNALS = 12_000, 1_500
PAGE, WAITING = 500, 1_000
WANTED, MOST_WAITING_MB, MOST_GROWTH = 0.70, 100, 1.3

say = Console(stderr=True, highlight=False)

# Entries of resources that are not here: of every third a newer version follows, as in a log that was not compacted.
_FILL = """
insert into change (epoch, xact_id, type, resource_id, version, op, audience, hub_id, owner_hub)
select (select max(id) from epoch), pg_current_xact_id()::text::bigint, 1,
  md5('filler' || (n - case when n % 3 = 0 then 1 else 0 end))::uuid, case when n % 3 = 0 then 2 else 1 end, 1,
  case n % 4 when 0 then 3 when 1 then 2 else 0 end, 1 + n % 15, 1 + n % 15 from generate_series($1::int, $2::int) n
"""


async def fill(owner: str, entries: int) -> None:
    """Makes the log this long, with changes of real signals at its end."""
    connection = await asyncpg.connect(owner)
    await connection.execute("select set_config('app.role', 'system', false)")
    step = 50_000
    for start in range(1, entries, step):
        await connection.execute(_FILL, start, min(entries, start + step - 1))
    await connection.execute(
        "update signal set version = version + 1 where id in (select id from signal where audience & 2 <> 0 order by id limit $1)",
        PAGE * 2,
    )
    await connection.execute("vacuum analyze change")
    await connection.execute("vacuum analyze signal")
    await connection.close()


async def page_cases(port: int, token: str, before: str) -> list[Case]:
    """A page at the start of the log and one at its end, as a hub reads them."""
    headers = (("authorization", f"Bearer {token}"),)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers=dict(headers), trust_env=False, timeout=60
    ) as client:
        first = await client.get("/v1/changes", params={"types": "signal", "limit": 1})
        last = await client.get("/v1/changes", params={"types": "signal", "limit": 1, "since": before})
        found = []
        for name, answer in (("start", first), ("end", last)):
            answer.raise_for_status()
            target = f"/v1/changes?types=signal&limit={PAGE}&expand=resource&cursor={answer.json()['cursor']}"
            page = (await client.get(target)).json()
            shown = sum(item["resource"] is not None for item in page["items"])
            say.print(f"  {name} of the log: {len(page['items'])} changes, {shown} with their resource")
            found.append(
                Case(
                    f"Changes, page of {PAGE} with resources, {name} of the log",
                    "REST",
                    target,
                    wanted=WANTED,
                    headers=headers,
                )
            )
    return found


async def capture(cases: list[Case], settings: Settings, addresses: Addresses) -> list[Question]:
    """The statement of each page, taken from the service while it answers."""
    seen: list[tuple[str, tuple[Any, ...], Any]] = []
    row = Database.row

    async def watched(self: Database, sql: str, *args: Any) -> Any:
        found = await row(self, sql, *args)
        if "resource" in sql and "pg_snapshot_xmax" in sql:
            seen.append((sql, args, found))
        return found

    app: Any = create_app(settings, addresses)
    questions = []
    Database.row = watched  # type: ignore[method-assign]
    try:
        async with app.fastapi.router.lifespan_context(app.fastapi):
            for case in cases:
                status, headers, body = await ask(app, case)
                assert status == 200, body[:300]
                sql, args, found = seen[-1]
                head, _, tail = body.partition(found[0])
                questions.append(Question(case.target, b"", sql, list(args), head, tail, headers[b"content-type"]))
    finally:
        Database.row = row  # type: ignore[method-assign]
    return questions


def against_limit(house: House, cases: list[Case], rounds: int, seconds: float) -> list[Row]:
    """Rounds of the limit and of the service in turns."""
    rows = []
    for case in cases:
        say.print(f"  {case.name} …")
        sides: dict[int, list[Measured]] = {house.limit_port: [], house.service_port: []}
        for turn in range(-1, rounds):
            for port in sorted(sides, reverse=turn % 2 == 1):
                found = house.run(port, [case.request()], seconds)
                if turn >= 0:
                    sides[port].append(found)
        rows.append(compare(case.name, case.door, case.wanted, sides[house.limit_port], sides[house.service_port]))
    return rows


async def waiting(house: House, token: str, owner: str, many: int) -> list[Figure]:
    """What many idle long-polls cost, and how fast one change reaches them all."""
    port = house.service_port
    connection = await asyncpg.connect(owner)
    await connection.execute("select set_config('app.role', 'system', false)")
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False, timeout=60
    ) as client:
        cursor = (await client.get("/v1/changes", params={"since": _now(), "limit": 1})).json()["cursor"]
        settled = memory(house)
        request = f"GET /v1/changes?wait=30&cursor={cursor} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n\r\n"
        sockets = []
        for _ in range(many):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request.encode())
            sockets.append((reader, writer))
        while (  # noqa: ASYNC110 - another process
            float(re.search(r"^knooppunt_changes_waiting (\S+)", (await client.get("/metrics")).text, re.MULTILINE)[1])
            < many
        ):
            await asyncio.sleep(0.1)
        grown = memory(house) - settled
        held = await connection.fetchval(
            "select count(*) from pg_stat_activity where application_name = 'knooppunt' and state <> 'idle'"
        )
        open_ = await connection.fetchval("select count(*) from pg_stat_activity where application_name = 'knooppunt'")
        began = time.perf_counter()
        await connection.execute(
            "update signal set version = version + 1 where id = (select id from signal where audience & 2 <> 0 limit 1)"
        )
        answers = await asyncio.gather(*(reader.readuntil(b"\r\n") for reader, _ in sockets))
        told = time.perf_counter() - began
        for _, writer in sockets:
            writer.close()
    await connection.close()
    assert {answer.split()[1] for answer in answers} == {b"200"}, set(answers)
    return [
        Figure(f"{many:,} idle long-polls: memory", grown, "MB", MOST_WAITING_MB),
        Figure(f"{many:,} idle long-polls: connections at work in the database", held, "", 1),
        Figure(f"{many:,} idle long-polls: connections of the pool", open_, "", None),
        Figure(f"One change reaches {many:,} who wait", told, "s", None),
    ]


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def memory(house: House) -> float:
    """MB that the service holds now, when it has settled."""
    time.sleep(1)
    assert house.service is not None
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{house.service.pid}/status").read_text())
    return int(found[1]) / 1024 if found else float("nan")


def measure(*, quick: bool) -> tuple[list[Row], list[Figure]]:
    """The whole run."""
    with House() as house:
        house.database.start()
        say.print(f"A log of {QUICK_ENTRIES if quick else ENTRIES:,} …")
        superuser = house.database.url(SUPERUSER, "postgres")
        addresses, tokens, _ = asyncio.run(build(superuser, "changes", QUICK_SIGNALS if quick else SIGNALS))
        before = _now()
        asyncio.run(fill(addresses.owner, QUICK_ENTRIES if quick else ENTRIES))
        before_end = asyncio.run(_before_end(addresses.owner)) or before
        house.serve_on(addresses)
        try:
            cases = asyncio.run(page_cases(house.service_port, tokens["hub"], before_end))
            settings = Settings(data_folder=house.folder, rate_limit_per_minute=0)
            house.serve_limit(asyncio.run(capture(cases, settings, addresses)), addresses)
            rows = against_limit(house, cases, 2 if quick else 8, 0.5 if quick else 1.0)
            figures = [
                Figure(
                    "Changes: a page at the end against one at the start",
                    rows[0].limit / rows[1].limit,
                    "×",
                    MOST_GROWTH,
                )
            ]
            figures += asyncio.run(waiting(house, tokens["hub"], addresses.owner, 100 if quick else WAITING))
        finally:
            house.stop_sides()
    return rows, figures


async def _before_end(owner: str) -> str | None:
    """The time of the last real changes in the log."""
    connection = await asyncpg.connect(owner)
    found = await connection.fetchval(
        "select to_char(max(at) at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') from change"
    )
    await connection.close()
    return found  # type: ignore[no-any-return]


def main() -> None:
    """See the module."""
    rows, figures = measure(quick="--quick" in sys.argv)
    for table in tables(rows, figures):
        Console(width=160).print(table)


if __name__ == "__main__":
    main()
