"""Server-Sent Events (WHATWG HTML, 9.2) of the change log, straight on ASGI.

Not `sse-starlette`: it runs three tasks and a task group for each stream and replaces a method of uvicorn to hear of the
server's end. Here the waiting reader hears that already, and what is left of the format are four kinds of line.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import Response
from starlette.types import Receive, Scope, Send

from app.api.rest.contract import STREAM
from app.api.waiting import RequestWaiting
from app.domain.changes import Page
from app.domain.errors import DomainError

HEARTBEAT_SECONDS = 15.0
RETRY_MILLISECONDS = 3_000
PATIENCE_SECONDS = 60.0  # a reader who takes nothing for so long is gone, or will come back


class EventStream(Response):
    """Each change an event `change`: its cursor as `id`, its JSON as `data`. A page is written when the one before was
    taken; where nothing happens a comment keeps the connection alive."""

    def __init__(self, first: Page, pages: AsyncIterator[Page], waiting: RequestWaiting, *, bodiless: bool) -> None:
        super().__init__(b"", 200, {"cache-control": "no-store", "x-accel-buffering": "no"}, STREAM)
        del self.headers["content-length"]
        self._first = first
        self._pages = pages
        self._waiting = waiting
        self._bodiless = bodiless

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            if not self._bodiless:
                await self._write(send)
            await send({"type": "http.response.body", "body": b""})
        finally:
            await self._pages.aclose()  # type: ignore[attr-defined]
            await self._waiting.__aexit__(None, None, None)

    async def _write(self, send: Send) -> None:
        body = b"retry: %d\n\n" % RETRY_MILLISECONDS + events(self._first)
        try:
            while not self._waiting.left:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await send({"type": "http.response.body", "body": body, "more_body": True})
                body = events(await anext(self._pages))
        except (StopAsyncIteration, TimeoutError, DomainError):
            return  # the head has gone out: who comes back hears the reason, if it still holds


def events(page: Page) -> bytes:
    """A page as events; one without entries as a comment."""
    if not page.entries:
        return b": nothing new\n\n"
    return "".join(f"id: {entry.cursor}\nevent: change\ndata: {entry.body}\n\n" for entry in page.entries).encode()
