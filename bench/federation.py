"""How fast another instance's signals are taken over, against how fast they were pushed there in batches of a thousand.

`python -m bench.federation [--quick]`. Two instances on this machine; push and pull take turns, so that neither is in the
other's way. Verified signals that go to every umbrella: each comes with its forwardings.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from statistics import median

import httpx
from rich.console import Console

from app.api.asking import today
from app.infra.database import Database
from app.infra.embedded import SERVICE
from app.infra.federation import Federation
from app.kit.rows import Row
from bench.faults import HUB, Instance, Scene, rows

COUNT, ROUNDS, BATCH = 5_000, 7, 1_000
WANTED = 0.5


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


async def measure(scene: Scene, count: int, rounds: int) -> list[tuple[float, float]]:
    """Seconds of push and pull, round by round; a first one makes both warm."""
    home, here = scene.home, scene.here
    here.command("source", "add", home.url, "--hub", HUB, "--token", home.tokens["national"])
    await _ready(home)
    database = Database(here.database.url(SERVICE), size=4)
    await database.open()
    federation = Federation(database, 0.0, today)
    every = rows(count * (rounds + 1), 1)
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


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m bench.federation", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run; its numbers say little")
    given = parser.parse_args()
    count, rounds = (1_000, 2) if given.quick else (COUNT, ROUNDS)
    with Scene(safe=True, workers=0) as scene:
        found = asyncio.run(measure(scene, count, rounds))
    push, pull = median(pair[0] for pair in found), median(pair[1] for pair in found)
    share = median(push / pull for push, pull in found)
    console = Console() if Console().is_terminal else Console(width=120)
    console.print(
        f"Push {count / push:,.0f} signals a second, federated pull {count / pull:,.0f}: share {share:.2f}, wanted {WANTED}."
    )
    raise SystemExit(0 if share >= WANTED or given.quick else 1)


if __name__ == "__main__":
    main()
