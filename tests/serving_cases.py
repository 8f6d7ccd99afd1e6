"""The app behind a real server on a port of its own, for what goes on while a connection is open."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import httpx
import uvicorn


class Served:
    """`address` is where it answers; `stop` ends it as SIGTERM would."""

    def __init__(self, server, task):
        self.server = server
        self.task = task
        port = server.servers[0].sockets[0].getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"

    def client(self, token=None):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(base_url=self.address, headers=headers, timeout=40, trust_env=False)

    async def stop(self):
        self.server.should_exit = True
        await self.task


@asynccontextmanager
async def serving(app):
    """The lifespan of the app is somebody else's."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, http="app.api.wire:Protocol", ws="app.api.wire:sockets", lifespan="off",
        log_level="critical", timeout_graceful_shutdown=10, ws_per_message_deflate=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    server.capture_signals = _no_signals
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn sets no event
        await asyncio.sleep(0.01)
    served = Served(server, task)
    try:
        yield served
    finally:
        await served.stop()


def _no_signals():
    from contextlib import nullcontext

    return nullcontext()
