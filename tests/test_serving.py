"""The service as people run it: real processes on a folder of their own, killed and cut off in every way."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from app.infra.embedded import OWNER, SERVICE, EmbeddedPostgres

PROJECT = Path(__file__).parent.parent
PATIENCE_SECONDS = 60
OURS = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATA_FOLDER", "PORT")


def environment(**changes):
    return {name: value for name, value in os.environ.items() if name not in OURS} | changes


class Server:
    """A `knooppunt serve` in a process of its own."""

    def __init__(self, folder, *options, **settings):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log = Path(tempfile.mkdtemp(prefix="kn-log-")) / "log"
        given = environment(DATA_FOLDER=str(folder), PORT=str(self.port), RATE_LIMIT_PER_MINUTE="0", **settings)
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", "serve", *options], cwd=PROJECT, env=given, stdout=log, stderr=log
            )  # fmt: skip
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=15)

    def get(self, path, **headers):
        return self.client.get(path, headers=headers)

    def until(self, status, path="/readyz", word=""):
        """The answer, once it has this status."""
        seen = None
        for _ in range(PATIENCE_SECONDS * 20):
            assert self.process.poll() is None, self.log.read_text()
            try:
                seen = self.get(path)
                if seen.status_code == status and word in seen.text:
                    return seen
            except httpx.TransportError as error:
                seen = error
            time.sleep(0.05)
        raise AssertionError((seen, getattr(seen, "text", ""), self.log.read_text()))

    def end(self, how=signal.SIGTERM):
        """Its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(PATIENCE_SECONDS)
        self.client.close()
        shutil.rmtree(self.log.parent, ignore_errors=True)
        return code


@contextmanager
def data_folder():
    """A data folder that the account of PostgreSQL can reach; pytest's own are private."""
    path = Path(tempfile.mkdtemp(prefix="kn-"))
    path.chmod(0o755)
    yield path
    EmbeddedPostgres(path / "postgres", say=lambda _: None).remove()
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def folder():
    """One that holds everything already."""
    with data_folder() as path:
        done = command(path, "prepare")
        assert done.returncode == 0, done.stderr
        yield path


@pytest.fixture
def serve(folder):
    """Starts servers that are gone after the test, also when it fails."""
    started = []

    def start(*options, **settings):
        started.append(Server(folder, *options, **settings))
        return started[-1]

    yield start
    for server in started:
        server.end()


def command(folder, *arguments, **settings):
    """Runs `knooppunt` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments], cwd=PROJECT, env=environment(DATA_FOLDER=str(folder), **settings),
        capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip


def postmaster(folder):
    """The pid of the PostgreSQL of this folder, None when none runs."""
    server = EmbeddedPostgres(folder / "postgres", say=lambda _: None)
    pointer = server.folder / "location"
    home = Path(pointer.read_text().strip()) if pointer.exists() else server.folder
    try:
        pid = int((home / "cluster" / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, 0)
        # A killed child of init may stay as a zombie in a container: it is dead all the same.
        return None if "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text() else pid
    except (OSError, ValueError):
        return None


def test_the_first_start_makes_everything_and_sigterm_ends_it_with_its_postgresql():
    with data_folder() as empty:
        server = Server(empty, "--prepare")
        try:
            server.until(200)
            assert len(server.get("/v1/hubs").json()["items"]) == 16
            assert postmaster(empty) is not None
        finally:
            code = server.end()
        assert code == 0
        assert postmaster(empty) is None


def test_the_second_start_is_a_matter_of_seconds(serve):
    server = serve("--prepare")
    server.until(200)
    # 5 s is promised. Counted as work, its preparation included: other tests keep the clock busy.
    assert sum(psutil.Process(server.process.pid).cpu_times()[:4]) < 5
    assert server.end(signal.SIGINT) == 0


def test_two_servers_share_one_folder_and_the_last_one_closes_the_door(folder, serve):
    first, second = serve(), serve("--workers", "2")
    for server in (first, second):
        server.until(200)
    pid = postmaster(folder)
    assert first.end() == 0
    assert postmaster(folder) == pid
    assert {second.get("/v1/hubs").status_code for _ in range(10)} == {200}
    assert second.end() == 0
    assert postmaster(folder) is None


def test_tokens_are_made_rotated_and_revoked_while_it_runs(folder, serve):
    server = serve()
    server.until(200)
    made = command(folder, "client", "create", "proef", "--role", "hub", "--hub", "groningen")
    assert (made.returncode, made.stderr) == (0, "")
    token = made.stdout.removesuffix("\n")
    assert token.startswith("kp_")
    assert "\n" not in token
    bearer = {"authorization": f"Bearer {token}"}
    assert server.get("/v1/hubs/groningen", **bearer).status_code == 200
    rows = command(folder, "client", "list", COLUMNS="200").stdout.splitlines()
    identity = next(word for row in rows if "proef" in row for word in row.split() if word.count("-") == 4)
    new = {"authorization": f"Bearer {command(folder, 'client', 'rotate', identity).stdout.strip()}"}
    assert server.get("/v1/hubs/groningen", **bearer).status_code == 401
    assert server.get("/v1/hubs/groningen", **new).status_code == 200
    assert command(folder, "client", "revoke", identity).returncode == 0
    assert server.get("/v1/hubs/groningen", **new).status_code == 401
    assert server.get("/v1/hubs/groningen").status_code == 200
    assert server.end() == 0


def test_a_killed_postgresql_is_503_until_it_is_back_and_nobody_starts_the_service_again(folder, serve):
    server = serve()
    server.until(200)
    pid = postmaster(folder)
    os.kill(pid, signal.SIGKILL)
    cut_off = server.until(503, "/v1/hubs/groningen?fields=name,version")
    assert cut_off.headers["content-type"] == "application/problem+json"
    assert int(cut_off.headers["retry-after"]) > 0
    assert "cannot be reached" in server.until(503).text
    assert server.get("/livez").status_code == 200
    with EmbeddedPostgres(folder / "postgres", say=lambda _: None):
        server.until(200)
        assert server.get("/v1/hubs/groningen").status_code == 200
        assert server.process.poll() is None
        assert postmaster(folder) not in (None, pid)
        server.end()


def test_whatever_was_acknowledged_is_there_after_the_service_was_killed(folder, serve):
    """A client writes in a loop with idempotency keys; the server is killed at some moment, and again."""
    token = command(folder, "client", "create", "schrijver", "--role", "hub", "--hub", "limburg").stdout.strip()
    headers = {"authorization": f"Bearer {token}"}
    acknowledged, sent = {}, []
    for round_ in range(2):
        server = serve()
        server.until(200)

        def write(server=server, round_=round_):
            for number in range(10_000):
                name = f"Ronde {round_} nummer {number}"
                sent.append(name)
                content = {"name": name, "type": "overig", "side": "life-world", "regions": ["GM0637", "GM0518"]}
                try:
                    answer = server.client.post(
                        "/v1/organisations", json=content, headers=headers | {"idempotency-key": name}
                    )  # fmt: skip
                except httpx.TransportError:
                    return
                assert answer.status_code == 201, answer.text
                acknowledged[answer.json()["id"]] = answer.content

        writer = threading.Thread(target=write)
        writer.start()
        while len(acknowledged) < 25 * (round_ + 1):
            assert writer.is_alive()
            time.sleep(0.01)
        server.process.kill()
        writer.join(PATIENCE_SECONDS)
        assert not writer.is_alive()
    server = serve()
    server.until(200)
    for identity, content in acknowledged.items():
        assert server.get(f"/v1/organisations/{identity}").content == content
    found = {}
    address = "/v1/organisations?q=ronde&limit=200&fields=name,regions"
    while address:
        page = server.get(address).json()
        found |= {item["name"]: item["regions"] for item in page["items"]}
        address = page["next"]
    assert found.keys() <= set(sent)
    assert {len(regions) for regions in found.values()} == {2}, "no half of a change"
    assert len(acknowledged) <= len(found) <= len(acknowledged) + 2, "one was under way each time"
    # What was under way is asked again with its key, and happens once.
    last = {"name": sent[-1], "type": "overig", "side": "life-world", "regions": ["GM0637", "GM0518"]}
    again = server.client.post("/v1/organisations", json=last, headers=headers | {"idempotency-key": sent[-1]})
    assert again.status_code == 201
    once = server.get(f"/v1/organisations?q={sent[-1]}&limit=200&fields=name").json()["items"]
    assert [item["name"] for item in once].count(sent[-1]) == 1
    assert server.end() == 0


def test_it_starts_before_its_database_and_prepares_it_when_it_comes(folder, serve):
    with EmbeddedPostgres(folder / "postgres", say=lambda _: None) as postgres:
        urls = {"DATABASE_URL": postgres.url(SERVICE), "DATABASE_OWNER_URL": postgres.url(OWNER)}
    assert postmaster(folder) is None
    server, plain = serve("--prepare", **urls), serve(**urls)
    for waiting in (plain, server):
        assert "cannot be reached" in waiting.until(503).text
        assert waiting.get("/v1/hubs").status_code == 503
        assert waiting.get("/livez").status_code == 200
    with EmbeddedPostgres(folder / "postgres", say=lambda _: None):
        for waiting in (plain, server):
            waiting.until(200)
            assert len(waiting.get("/v1/hubs").json()["items"]) == 16
            assert waiting.end() == 0
        assert postmaster(folder) is not None, "a server of DATABASE_URL is not ours to stop"
