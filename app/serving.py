"""Serving over HTTP: uvicorn with as many worker processes as asked, and logs that a machine can read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from rich.console import Console

from app.settings import Settings

if TYPE_CHECKING:
    from app.infra.prepare import Addresses

# How the supervisor tells its workers where the database is; they are fresh processes.
_ADDRESS, _OWNER, _ROLE = "KNOOPPUNT_SERVICE_ADDRESS", "KNOOPPUNT_OWNER_ADDRESS", "KNOOPPUNT_SERVICE_ROLE"


def serve(settings: Settings, addresses: Addresses, workers: int, say: Console) -> None:
    """Serves until it is told to stop."""
    import uvicorn

    os.environ[_ADDRESS] = addresses.service
    os.environ[_OWNER] = addresses.owner
    os.environ[_ROLE] = addresses.role or ""
    say.print(f"Knooppunt on http://{settings.host}:{settings.port}  (Ctrl-C stops it)")
    uvicorn.run(
        "app.serving:application",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=workers,
        server_header=False,  # API Design Rules: say nothing about what we run on
        access_log=False,
        log_level="warning",
        proxy_headers=settings.trusted_proxy,
        ws="none",
        lifespan="on",
        timeout_graceful_shutdown=10,
        h11_max_incomplete_event_size=64 * 1024,
    )


def application() -> Any:
    """The app of one worker, which finds the database in its environment."""
    from app.infra.prepare import Addresses
    from app.logs import configure
    from app.main import create_app

    settings = Settings()
    configure(settings.log_level)
    addresses = Addresses(os.environ[_ADDRESS], os.environ[_OWNER], os.environ[_ROLE] or None)
    return create_app(settings, addresses)
