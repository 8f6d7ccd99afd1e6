"""The race of the change log: many writers, a few readers, and in the end each reader holds exactly what he may see.

`python -m bench.race [--changes 50000]` runs it against a service of its own; the test suite runs it smaller, inside.
Writers share signals, lock them in any order, take their transaction id early, roll back, delete, hide and show again.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx

from app.domain.access import Actor
from app.infra.clients import NewClient, create_client
from app.infra.compacting import compact
from app.infra.database import Database
from app.infra.loading import new_id

HUBS = ("groningen", "limburg")
READERS: Mapping[str, Actor] = {
    "own-hub": Actor("hub", "groningen"),
    "other-hub": Actor("hub", "limburg"),
    "umbrella": Actor("umbrella", None, "mind"),
    "national": Actor("national"),
    "outsider": Actor(),
}
_ADD = """
insert into signal (id, hub_id, external_id, kind, title, description, themes, workfields, workfields_source, region_id,
  heard_on, visibility, status, recipients, search)
select $1, nullif(current_setting('app.hub', true), '')::smallint, $2, 'knelpunt', 'Race', '', '{wachttijden}', 1, 'themes',
  (select id from region where code = 'GG0111'), '2026-03-05', $3, $4, case when $5 then umbrella_bit('mind') else 0 end,
  to_tsvector('race')
"""
_CHANGE = """
update signal set version = version + 1, updated_at = now(), visibility = $2, status = $3,
  recipients = case when $4 then umbrella_bit('mind') else 0 end where id = $1
"""


class Undone(Exception):
    """A writer changed its mind."""


@dataclass
class Race:
    """What the writers share."""

    database: Database
    most: int
    luck: random.Random
    done: int = 0
    over: bool = False
    signals: dict[str, list[uuid.UUID]] = field(default_factory=lambda: {hub: [] for hub in HUBS})
    counts: Counter[str] = field(default_factory=Counter)

    async def write(self, number: int) -> None:
        """One writer."""
        luck = random.Random(self.luck.random())
        hub = HUBS[number % len(HUBS)]
        while self.done < self.most:
            try:
                async with self.database.transaction(Actor("hub", hub)) as connection:
                    if luck.random() < 0.3:
                        await connection.execute("select pg_current_xact_id()")
                        await asyncio.sleep(luck.random() * 0.03)
                    written = await self._transaction(connection, hub, luck)
                    if luck.random() < 0.12:
                        raise Undone
            except Undone:
                self.counts["rolled back"] += 1
                continue
            except Exception as error:  # a deadlock: PostgreSQL undoes one of the two, as ours must expect
                if not isinstance(error.__cause__, asyncpg.DeadlockDetectedError):
                    raise
                self.counts["deadlocks"] += 1
                continue
            made, gone, changed = written
            self.signals[hub] += made
            self.signals[hub] = [one for one in self.signals[hub] if one not in gone]
            self.done += len(made) + len(gone) + changed
            self.counts.update(added=len(made), deleted=len(gone), changed=changed)

    async def _transaction(
        self, connection: Any, hub: str, luck: random.Random
    ) -> tuple[list[uuid.UUID], set[uuid.UUID], int]:
        known = self.signals[hub]
        made: list[uuid.UUID] = []
        if len(known) < 40 or luck.random() < 0.15:
            for _ in range(luck.randint(1, 8)):
                made.append(new_id())
                how = _how(luck)
                await connection.execute(_ADD, made[-1], f"race-{made[-1]}", how[0], how[1], how[2])
            return made, set(), 0
        some = luck.sample(known, min(len(known), luck.randint(1, 8)))
        if luck.random() < 0.1:
            found = await connection.fetch("delete from signal where id = any($1) returning id", some[:3])
            return [], {row["id"] for row in found}, 0
        changed = 0
        for one in some:  # in the order of the draw: two writers may hold what the other wants
            how = _how(luck)
            changed += int((await connection.execute(_CHANGE, one, *how)).split()[-1])
        return [], set(), changed


def _how(luck: random.Random) -> tuple[str, str, bool]:
    return (
        luck.choice(("hub", "network", "network", "public", "public")),
        luck.choice(("draft", "verified", "verified", "verified", "closed", "withdrawn")),
        luck.random() < 0.5,
    )


@dataclass
class Reading:
    """One reader's copy, kept by the rules that docs/sync.md gives, and what went wrong on the way."""

    client: httpx.AsyncClient
    luck: random.Random
    held: dict[str, int] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    async def read(self, over: Callable[[], bool]) -> None:
        """Reads until everything is over and nothing comes any more."""
        cursor = None
        while True:
            ending = over()
            params: dict[str, Any] = {
                "types": "signal",
                "limit": self.luck.choice((1, 7, 50, 200, 1000)),
                "wait": 0 if ending else 2,
            }
            params |= {"cursor": cursor} if cursor else {}
            params |= {"expand": "resource"} if self.luck.random() < 0.5 else {}
            response = await self.client.get("/v1/changes", params=params)
            response.raise_for_status()
            page = response.json()
            cursor = page["cursor"]
            for item in page["items"]:
                self._take(item, "expand" in params)
            self.counts["pages"] += 1
            if ending and not page["items"] and not page["more"]:
                return

    def _take(self, item: dict[str, Any], expanded: bool) -> None:
        key, version, op = item["id"], item["version"], item["op"]
        self.counts[op] += 1
        if version <= self.last.get(key, 0):
            self.faults.append(f"{key}: version {version} ({op}) after {self.last[key]}")
        self.last[key] = version
        if op == "upsert":
            self.held[key] = version
            if expanded and (item["resource"] or {}).get("version") != version:
                self.faults.append(
                    f"{key}: an upsert of {version} with {item['resource'] and item['resource']['version']}"
                )
        else:
            self.held.pop(key, None)


async def race(
    service: str,
    client: Callable[[str], httpx.AsyncClient],
    *,
    changes: int,
    writers: int = 20,
    seed: int = 1,
    role: str | None = None,
    owner: str | None = None,
) -> tuple[dict[str, Reading], Counter[str], list[str]]:
    """Runs it. Gives the readers, what the writers did, and every fault; none when all is well."""
    database = Database(service, size=writers + 1, role=role)
    await database.open()
    luck = random.Random(seed)
    run = Race(database, changes, luck)
    readings = {name: Reading(client(name), random.Random(luck.random())) for name in READERS}
    try:
        compacting = asyncio.create_task(_keep_compacting(run, owner)) if owner else None
        reading = [asyncio.create_task(one.read(lambda: run.over)) for one in readings.values()]
        await asyncio.gather(*(run.write(number) for number in range(writers)))
        run.over = True
        await asyncio.gather(*reading)
        if compacting is not None:
            await compacting
        faults = [f"{name}: {fault}" for name, one in readings.items() for fault in one.faults]
        for name, actor in READERS.items():
            async with database.transaction(actor) as connection:
                rows = await connection.fetch("select id::text, version from signal")
            faults += _differences(name, readings[name].held, {row["id"]: row["version"] for row in rows})
    finally:
        for one in readings.values():
            await one.client.aclose()
        await database.close()
    return readings, run.counts, faults


async def _keep_compacting(run: Race, owner: str) -> None:
    """The log is made shorter while it is written and read."""
    connection = await asyncpg.connect(owner)
    while not run.over:
        done = await compact(connection, 365)
        run.counts["compacted"] += done.superseded if done else 0
        await asyncio.sleep(0.2)
    await connection.close()


def _differences(name: str, held: dict[str, int], there: dict[str, int]) -> list[str]:
    return [
        f"{name}: {key} is held as {held.get(key)} and is {there.get(key)}"
        for key in held.keys() | there.keys()
        if held.get(key) != there.get(key)
    ]


def main() -> None:
    """See the module."""
    from bench.house import House

    parser = argparse.ArgumentParser(prog="python -m bench.race")
    parser.add_argument("--changes", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with House() as house:
        house.serve()
        addresses = house.hold_database()
        tokens = asyncio.run(_tokens(addresses.owner))

        def client(name: str) -> httpx.AsyncClient:
            headers = {"authorization": f"Bearer {tokens[name]}"} if name in tokens else {}
            return httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{house.service_port}", headers=headers, timeout=60, trust_env=False
            )

        began = time.perf_counter()
        readings, counts, faults = asyncio.run(
            race(addresses.service, client, changes=given.changes, seed=given.seed, owner=addresses.owner)
        )
        print(f"{time.perf_counter() - began:.0f} s; writers: {dict(counts)}")
    for name, reading in readings.items():
        print(f"{name}: {dict(reading.counts)}, holds {len(reading.held)}")
    print("\n".join(faults[:20]) or "Each reader holds exactly what he may see; nothing missed, nothing twice.")
    sys.exit(1 if faults else 0)


async def _tokens(owner: str) -> dict[str, str]:
    connection = await asyncpg.connect(owner)
    await connection.execute("select set_config('app.role', 'system', false)")
    found = {
        name: await create_client(connection, NewClient(name, actor.role, actor.hub, actor.umbrella))
        for name, actor in READERS.items()
        if actor.role != "anonymous"
    }
    await connection.close()
    return found


if __name__ == "__main__":
    main()
