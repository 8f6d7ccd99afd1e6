"""How fast another instance's signals are taken over, against how fast they were pushed there in batches of a thousand.

`python -m bench --sync [--quick]`. Two instances on this machine; push and pull take turns, so that neither is in the
other's way. Verified signals that go to every umbrella: each comes with its forwardings.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from statistics import median

import httpx
from rich.console import Console
from rich.table import Table

from app.api.asking import today
from app.infra.database import Database
from app.infra.embedded import SERVICE
from app.infra.federation import Federation
from app.kit.rows import Row
from bench.faults import HUB, Instance, Scene
from bench.faults import rows as made

COUNT, ROUNDS, BATCH = 5_000, 5, 1_000
WANTED = 0.5
say = Console(stderr=True, highlight=False)


async def pushed(home: Instance, given: Sequence[Row]) -> float:
    """The seconds that pushing takes, batch after batch."""
    headers = {"authorization": f"Bearer {home.tokens['hub']}"}
    async with httpx.AsyncClient(base_url=home.url, headers=headers, timeout=60, trust_env=False) as client:
        began = time.perf_counter()
        for start in range(0, len(given), BATCH):
            items = [row.item for row in given[start : start + BATCH]]
            answer = await client.post(f"/v1/hubs/{HUB}/signals/_batch", json={"items": items})
            assert {result["result"] for result in answer.json()["results"]} == {"created"}, answer.text[:300]
        return time.perf_counter() - began


async def pulled(federation: Federation) -> float:
    """The seconds until there is nothing more."""
    began = time.perf_counter()
    while await federation.step():
        pass
    return time.perf_counter() - began


async def rounds(scene: Scene, count: int, many: int) -> list[tuple[float, float]]:
    """Seconds of push and pull, round by round; a first one makes both warm."""
    home, here = scene.home, scene.here
    here.command("source", "add", home.url, "--hub", HUB, "--token", home.tokens["national"])
    await _ready(home)
    database = Database(here.database.url(SERVICE), size=4)
    await database.open()
    federation = Federation(database, 0.0, today)
    every = made(count * (many + 1), 1)
    found = [
        (await pushed(home, every[start : start + count]), await pulled(federation))
        for start in range(0, len(every), count)
    ]
    await federation.stop()
    await database.close()
    held = await here.ask("select count(*) from signal")
    assert held == len(every), f"{held} of {len(every)} came over"
    return found[1:]


async def _ready(instance: Instance) -> None:
    async with httpx.AsyncClient(base_url=instance.url, trust_env=False) as client:
        for _ in range(300):
            try:
                if (await client.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
    raise SystemExit("The service does not start.")


def measure(*, quick: bool) -> list[Table]:
    """The whole run."""
    count, many = (1_000, 2) if quick else (COUNT, ROUNDS)
    say.print("Two instances, one takes over from the other …")
    with Scene(safe=True, workers=0) as scene:
        found = asyncio.run(rounds(scene, count, many))
    push, pull = median(pair[0] for pair in found), median(pair[1] for pair in found)
    share = median(push / pull for push, pull in found)
    table = Table(title=f"Taking over {count:,} verified signals, with their forwardings, against pushing them there")
    for head in ("push", "federated pull", "share", "wanted"):
        table.add_column(head, justify="right", no_wrap=True)
    style = "red" if share < WANTED else ""
    table.add_row(f"{count / push:,.0f}/s", f"{count / pull:,.0f}/s", f"{share:.2f}", f"{WANTED}", style=style)
    return [table]
