"""Two instances over a bad network, of which everything is killed at random while signals go from the one to the other.

`python -m bench.faults` pushes 20,000 signals to a hub's own instance while another takes them over. Server, worker and
PostgreSQL of either are killed with SIGKILL, 50 times in all, and the network between loses, cuts, doubles and delays.
At the end both must hold the same, by digest, and every entry once. `--signals` and `--kills` make it smaller.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncpg
import httpx
import stamina
from rich.console import Console

from app.domain.errors import Unavailable
from app.infra.embedded import OWNER, SERVICE, UNSAFE_BUT_FAST, EmbeddedPostgres
from app.kit.push import Errand, push
from app.kit.remote import Patience, Remote
from app.kit.rows import Row
from app.settings import Settings
from bench.faulty import FaultyProxy

HUB = "groningen"
SHARE_OF_FAULTS = 0.15
ENOUGH_SECONDS = 240.0
say = Console(stderr=True, highlight=False)


class Instance:
    """One Knooppunt: its PostgreSQL, its server and, where it takes over from another, its workers."""

    def __init__(self, folder: Path, *, safe: bool) -> None:
        self.folder = folder
        folder.mkdir(mode=0o755)
        self.database = EmbeddedPostgres(
            folder / "postgres", settings={} if safe else UNSAFE_BUT_FAST, say=lambda _: None
        )
        self.port = _free_port()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.tokens: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        ours = {name.upper() for name in Settings.model_fields}
        kept = {name: value for name, value in os.environ.items() if name.upper() not in ours}
        return {
            **kept, "DATABASE_URL": self.database.url(SERVICE), "DATABASE_OWNER_URL": self.database.url(OWNER),
            "DATA_FOLDER": str(self.folder), "PORT": str(self.port), "RATE_LIMIT_PER_MINUTE": "0",
            "SOURCE_SECONDS": "0.2", "LOG_LEVEL": "error",
        }  # fmt: skip

    def command(self, *arguments: str) -> str:
        """Runs a command to its end; its stdout."""
        done = subprocess.run(
            [sys.executable, "-m", "app.cli", *arguments],
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def prepare(self) -> None:
        """Makes the database, with reference data and without signals."""
        self.database.start()
        self.command("migrate")
        self.command("reference", "load")
        self.tokens = {
            "hub": self.command("client", "create", "hub", "--role", "hub", "--hub", HUB),
            "national": self.command("client", "create", "reader", "--role", "national"),
        }

    def start(self, *names: str) -> None:
        """Starts `serve` or a `worker`; any name after `worker-` is one more."""
        for name in names:
            command = [sys.executable, "-m", "app.cli", name.partition("-")[0]]
            with (self.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(command, env=self.environment(), stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        """Without a chance to say goodbye, and starts it again."""
        if name == "postgres":
            with suppress(OSError, ValueError, IndexError):
                os.kill(int(self.database._pid_file()[0]), signal.SIGKILL)
            time.sleep(0.2)
            self.database.start()
        else:
            process = self.processes.pop(name)
            process.kill()
            process.wait()
            self.start(name)

    def stop(self) -> None:
        """Ends all of it, data included."""
        for process in self.processes.values():
            process.kill()
            process.wait()
        with suppress(Exception):
            self.database.remove()

    def digest(self) -> dict[str, tuple[int, str]]:
        """Month → count and digest of the hub's signals, as the national coordination sees them."""
        headers = {"authorization": f"Bearer {self.tokens['national']}"}
        answer = httpx.get(f"{self.url}/v1/changes/digest?type=signal&hub={HUB}", headers=headers, timeout=30)
        return {item["month"]: (item["count"], item["digest"]) for item in answer.raise_for_status().json()["items"]}

    async def ask(self, sql: str) -> Any:
        """One value, as the owner."""
        connection = await asyncpg.connect(self.database.url(OWNER))
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()


@dataclass(slots=True)
class Outcome:
    """What came of a run."""

    signals: int
    killed: Counter[str] = field(default_factory=Counter)
    network: Counter[str] = field(default_factory=Counter)
    same: bool = False
    held: int = 0
    doubled: int = 0
    counts_differ: int = 0
    seconds: float = 0.0

    @property
    def sound(self) -> bool:
        return self.same and self.held == self.signals and self.doubled == 0 and self.counts_differ == 0


class Scene:
    """Both instances and the network between them."""

    def __init__(self, *, safe: bool, workers: int = 2) -> None:
        self.workers = workers
        self.folder = Path(tempfile.mkdtemp(prefix="knooppunt-faults-"))
        self.folder.chmod(0o755)  # as root, PostgreSQL runs as somebody else, who must get through
        self.home, self.here = (Instance(self.folder / name, safe=safe) for name in ("home", "here"))

    def __enter__(self) -> Self:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(Instance.prepare, (self.home, self.here)))
        self.home.start("serve")
        if self.workers:
            self.here.start("serve", *(f"worker-{number}" for number in range(self.workers)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.home.stop()
        self.here.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    async def run(self, signals: int, kills: int, pause: float, seed: int = 1) -> Outcome:
        """Pushes, takes over and kills; then waits until both are the same, or for long enough."""
        began, outcome = time.monotonic(), Outcome(signals)
        target = ("127.0.0.1", self.home.port)
        async with FaultyProxy(target, SHARE_OF_FAULTS, seed) as network:
            adding = ("source", "add", network.url, "--hub", HUB, "--token", self.home.tokens["national"])
            await asyncio.to_thread(self.here.command, *adding)
            pushing = asyncio.create_task(self._push(rows(signals, seed), network.url))
            await self._kill(kills, pause, seed, outcome)
            await pushing
            outcome.same = await self._level()
            outcome.network = network.seen
        outcome.held = await self.here.ask("select count(*) from signal")
        outcome.doubled = await self.here.ask(
            "select count(*) from (select from change where type = 1 group by resource_id, version having count(*) > 1) d"
        )
        outcome.counts_differ = await self.here.ask("select count(*) from count_differences()")
        outcome.seconds = time.monotonic() - began
        return outcome

    async def _push(self, given: Sequence[Row], url: str) -> None:
        """As the hub: the same again whenever it broke off."""
        errand = Errand(HUB, "partial", self.folder / "state.json", self.folder / "refused.csv")
        while True:
            try:
                async with Remote(
                    url, self.home.tokens["hub"], patience=Patience(attempts=20, longest_wait=1.0)
                ) as remote:
                    counts = await push(remote, errand, given, lambda _: None)
                break
            except Unavailable:
                await asyncio.sleep(0.5)
        assert not counts.get("refused"), counts

    async def _kill(self, kills: int, pause: float, seed: int, outcome: Outcome) -> None:
        chance = random.Random(seed)
        victims = [(self.home, "serve"), (self.home, "postgres"), (self.here, "serve"), (self.here, "postgres")]
        victims += [(self.here, f"worker-{number}") for number in range(self.workers)]
        coming: list[tuple[Instance, str]] = []
        for _ in range(kills):
            coming = coming or chance.sample(victims, len(victims))
            instance, name = coming.pop()
            await asyncio.sleep(chance.uniform(0.3, 1) * pause)
            await asyncio.to_thread(instance.kill, name)
            outcome.killed[f"{instance.folder.name} {name.partition('-')[0]}"] += 1

    async def _level(self) -> bool:
        ends = time.monotonic() + ENOUGH_SECONDS
        while time.monotonic() < ends:
            with suppress(httpx.HTTPError):
                home, here = await asyncio.to_thread(self.home.digest), await asyncio.to_thread(self.here.digest)
                if home == here and home:
                    return True
            await asyncio.sleep(0.3)
        return False


def rows(count: int, seed: int) -> list[Row]:
    """Signals as a hub has them, verified, so that others read them."""
    words = ("wachten", "vervoer", "zorg", "jeugd", "wonen", "hulp", "werk", "inloop", "buurt", "overgang")
    chance = random.Random(seed)
    return [
        Row(number, f"proef-{number}", {
            "externalId": f"proef-{number}", "kind": "knelpunt", "title": " ".join(chance.choices(words, k=5)),
            "description": " ".join(chance.choices(words, k=30)), "themes": ["wachttijden"], "region": "GG0111",
            "heardOn": "2026-03-05", "status": "verified", "visibility": "network",
        })
        for number in range(count)
    ]  # fmt: skip


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument("--signals", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    stamina.instrumentation.set_on_retry_hooks([])  # there will be many, and they are no news
    say.print("Two instances …")
    with Scene(safe=True) as scene:
        found = asyncio.run(scene.run(given.signals, given.kills, 2.0, given.seed))
    say.print(
        f"{found.signals:,} signals in {found.seconds:.0f} s; killed: {dict(found.killed)}; network: {dict(found.network)}"
    )
    say.print(
        f"Same by digest: {found.same}. Held: {found.held:,}. Doubled entries: {found.doubled}. "
        f"Counts that differ: {found.counts_differ}."
    )
    raise SystemExit(0 if found.sound else 1)


if __name__ == "__main__":
    main()
