"""The processes of a run: the embedded PostgreSQL, the service, the limit and the load generator, in one folder."""

from __future__ import annotations

import os
import pickle
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import orjson

from app.infra.embedded import OWNER, SERVICE, EmbeddedPostgres
from app.infra.prepare import Addresses
from app.settings import Settings
from bench import limit
from bench.capture import Question

ROOT = Path(__file__).resolve().parent.parent
CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Measured:
    """What one round gave."""

    rate: float
    p50: float
    p95: float
    busy: float
    cpu: float
    statuses: Mapping[str, int]


class House:
    """Everything that a run starts, and stops again."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="knooppunt-bench-"))
        self.folder.chmod(0o755)  # as root, PostgreSQL runs as somebody else, who must get through
        self.database = EmbeddedPostgres(self.folder / "postgres", say=lambda _: None)
        self._held = False
        self._running: list[subprocess.Popen[Any]] = []
        self.service: subprocess.Popen[Any] | None = None
        self.limit: subprocess.Popen[Any] | None = None
        self._load: subprocess.Popen[bytes] | None = None
        self.service_port, self.limit_port = _free_port(), _free_port()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in reversed(self._running):
            _stop(process)
        if self._held:
            self.database.remove()  # otherwise the service, its only user, stopped it
        shutil.rmtree(self.folder, ignore_errors=True)

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of the processes: none of the caller's own settings, no rate limit."""
        ours = {name.upper() for name in Settings.model_fields}
        kept = {name: value for name, value in os.environ.items() if name.upper() not in ours}
        return {**kept, "DATA_FOLDER": str(self.folder), "RATE_LIMIT_PER_MINUTE": "0", **more}

    def serve(self) -> float:
        """Starts the service as `make run` does; the seconds until it is ready."""
        began = time.perf_counter()
        environment = self.environment(PORT=str(self.service_port))
        self.service = self._start(["-m", "app.cli", "serve", "--prepare"], environment)
        self._await(self.service, f"http://127.0.0.1:{self.service_port}/readyz")
        return time.perf_counter() - began

    def serve_on(self, addresses: Addresses) -> None:
        """Starts the service on a database that is ready."""
        environment = self.environment(PORT=str(self.service_port), DATABASE_URL=addresses.service)
        self.service = self._start(["-m", "app.cli", "serve"], environment)
        self._await(self.service, f"http://127.0.0.1:{self.service_port}/readyz")

    def stop_sides(self) -> None:
        """Stops the service and the limit."""
        for process in (self.service, self.limit):
            if process is not None:
                _stop(process)

    def stop_service(self) -> None:
        if self.service is not None:
            _stop(self.service)

    def hold_database(self) -> Addresses:
        """The addresses of the running server, which now stays until the end."""
        self.database.start()
        self._held = True
        return Addresses(self.database.url(SERVICE), self.database.url(OWNER))

    def serve_limit(self, questions: Sequence[Question], addresses: Addresses) -> None:
        """Starts the limit for these questions."""
        file = self.folder / "questions"
        file.write_bytes(pickle.dumps(list(questions)))
        environment = self.environment(
            PORT=str(self.limit_port),
            **{limit.QUESTIONS: str(file), limit.ADDRESS: addresses.service, limit.ROLE: addresses.role or ""},
        )
        self.limit = self._start(["-m", "bench.limit"], environment)
        self._await(self.limit, None, self.limit_port)

    def run(
        self, port: int, requests: Sequence[bytes], seconds: float, *, connections: int = CONNECTIONS, most: int = 10**9
    ) -> Measured:
        """One round of load."""
        if self._load is None:
            command = [sys.executable, "-m", "bench.load"]
            self._load = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self._running.append(self._load)
        assert self._load.stdin is not None
        assert self._load.stdout is not None
        texts = [request.decode("latin-1") for request in requests]
        order = {"port": port, "requests": texts, "seconds": seconds, "connections": connections, "most": most}
        self._load.stdin.write(orjson.dumps(order) + b"\n")
        self._load.stdin.flush()
        before = self._cpu_seconds(port)
        found = orjson.loads(self._load.stdout.readline())
        cpu = (self._cpu_seconds(port) - before) / max(1, found["count"])
        return Measured(found["rate"], found["p50"], found["p95"], found["busy"], cpu, found["statuses"])

    def _cpu_seconds(self, port: int) -> float:
        """The processor time that the server at this port has used; NaN where the system does not tell."""
        process = self.service if port == self.service_port else self.limit
        assert process is not None
        with suppress(OSError):
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return float("nan")

    def peak_memory(self) -> float:
        """The most memory that the service ever held, in MB; NaN where the system does not tell."""
        assert self.service is not None
        with suppress(OSError):
            found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.service.pid}/status").read_text())
            if found:
                return int(found[1]) / 1024
        return float("nan")

    def _await(self, process: subprocess.Popen[Any], url: str | None, port: int = 0) -> None:
        """Waits for the address to answer 200, or for the port to be open."""
        ends = time.monotonic() + 120
        while time.monotonic() < ends and process.poll() is None:
            with suppress(OSError, httpx.HTTPError):
                if url is None:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    return
                if httpx.get(url, trust_env=False).status_code == 200:
                    return
            time.sleep(0.02)
        logs = "\n".join(file.read_text(errors="replace")[-3000:] for file in self.folder.glob("*.log"))
        raise SystemExit(f"{process.args!r} did not start:\n{logs}")

    def _start(self, arguments: list[str], environment: dict[str, str]) -> subprocess.Popen[Any]:
        log = (self.folder / f"{arguments[1]}.log").open("ab")
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        self._running.append(process)
        return process


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _stop(process: subprocess.Popen[Any]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
