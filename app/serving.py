"""Serving over HTTP: uvicorn with as many worker processes as asked, and logs that a machine can read."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console

from app.settings import Settings

if TYPE_CHECKING:
    from app.infra.prepare import Addresses

# How the supervisor tells its workers where the database is; they are fresh processes.
_ADDRESS, _OWNER, _ROLE = "KNOOPPUNT_SERVICE_ADDRESS", "KNOOPPUNT_OWNER_ADDRESS", "KNOOPPUNT_SERVICE_ROLE"
_BACKGROUND = "KNOOPPUNT_BACKGROUND"


PREPARE_AGAIN_SECONDS = 2
PREPARE_FIRST_WAIT_SECONDS = 2
TEMPORARY = 75  # EX_TEMPFAIL of sysexits.h: what `knooppunt prepare` ends with when it may succeed later


@contextmanager
def ending_on_sigterm() -> Iterator[None]:
    """SIGTERM ends like any other end, so that what was started (the embedded PostgreSQL) is stopped too.

    uvicorn finishes its requests and then raises the signal again, which would kill this process on the spot.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    yield


@contextmanager
def prepared(*, wanted: bool) -> Iterator[None]:
    """Runs `knooppunt prepare` first. While the database is away or of another release, serving begins all the same,
    with 503 and the reason, and the preparation is tried until it succeeds. Anything else that is wrong ends it here.
    """
    code = _prepare(PREPARE_FIRST_WAIT_SECONDS) if wanted else 0
    if code not in (0, TEMPORARY):
        sys.exit(code)
    ended = threading.Event()
    if code == TEMPORARY:
        threading.Thread(target=_keep_preparing, args=(ended,), daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _keep_preparing(ended: threading.Event) -> None:
    while not ended.wait(PREPARE_AGAIN_SECONDS):
        if _prepare(60, ended) != TEMPORARY:
            return


def _prepare(wait_seconds: int, ended: threading.Event | None = None) -> int:
    # In a process of its own: what it needs (Alembic, the whole reference set) is no burden to the workers.
    command = [sys.executable, "-m", "app.cli", "prepare", "--wait", str(wait_seconds)]
    with subprocess.Popen(command) as child:  # noqa: S603 - our own program
        try:
            while child.poll() is None:
                if ended is not None and ended.is_set():
                    child.terminate()
                time.sleep(0.05)
        except BaseException:
            child.terminate()
            raise
        return child.returncode


def serve(settings: Settings, addresses: Addresses, workers: int, say: Console, *, background: bool = False) -> None:
    """Serves until it is told to stop; with `background` it does the work of `knooppunt worker` as well."""
    import uvicorn

    os.environ[_ADDRESS] = addresses.service
    os.environ[_OWNER] = addresses.owner
    os.environ[_ROLE] = addresses.role or ""
    os.environ[_BACKGROUND] = "1" if background else ""
    say.print(f"Knooppunt on http://{settings.host}:{settings.port}  (Ctrl-C stops it)")
    uvicorn.run(
        "app.serving:application",
        factory=True,
        http="app.api.wire:Protocol",
        host=settings.host,
        port=settings.port,
        workers=workers,
        server_header=False,  # API Design Rules: say nothing about what we run on
        access_log=False,
        log_level="warning",
        proxy_headers=settings.trusted_proxy,
        ws="app.api.wire:sockets",
        ws_max_size=131_072,
        ws_per_message_deflate=False,  # 300 kB of memory for each socket
        lifespan="on",
        timeout_graceful_shutdown=10,
    )


def application() -> Any:
    """The app of one worker, which finds the database in its environment."""
    from app.infra.prepare import Addresses
    from app.logs import configure
    from app.main import create_app

    settings = Settings()
    configure(settings.log_level)
    addresses = Addresses(os.environ[_ADDRESS], os.environ[_OWNER], os.environ[_ROLE] or None)
    app = create_app(settings, addresses, background=bool(os.environ.get(_BACKGROUND)))
    # What is there now stays. Left out of every later look for garbage, that look is short and comes in time: 3 MB less.
    gc.collect()
    gc.freeze()
    return app
