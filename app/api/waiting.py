"""A request that waits for changes: woken by news, by the end of its time, by a client that leaves, by the server's end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol, Self

from starlette.types import Message

from app.api.asking import Asked
from app.domain.access import Actor
from app.domain.changes import Place


class Woken(Protocol):
    """See `Waiter` in infra/horizon.py."""

    told: asyncio.Future[bool]

    def tell(self, news: bool) -> None: ...


class Horizon(Protocol):
    closed: bool

    def wait(self, actor: Actor, types: Sequence[str], seen: Place) -> Any: ...

    def leave(self, waiter: Any) -> None: ...


class RequestWaiting:
    """See the port `Waiting`. As a context it listens whether the client is still there, where there is a `receive`; who
    waits on a socket is cancelled instead."""

    def __init__(self, horizon: Horizon, asked: Asked, receive: Callable[[], Awaitable[Message]] | None) -> None:
        self._horizon = horizon
        self._asked = asked
        self._receive = receive
        self._waiter: Woken | None = None
        self._listening: asyncio.Task[None] | None = None
        self.left = False
        self._stopped = False

    async def __aenter__(self) -> Self:
        self._asked.on_stop = self.stop
        return self

    async def __aexit__(self, *_: object) -> None:
        self._asked.on_stop = None
        if self._listening is not None:
            self._listening.cancel()
            with suppress(asyncio.CancelledError):
                await self._listening

    @property
    def over(self) -> bool:
        return self.left or self._stopped or self._horizon.closed

    def stop(self) -> None:
        """The server ends: who waits is answered now."""
        self._stopped = True
        if self._waiter is not None:
            self._waiter.tell(False)

    async def news(self, actor: Actor, types: Sequence[str], seen: Place, seconds: float) -> bool:
        """See the port."""
        if self._listening is None and self._receive is not None:
            self._listening = asyncio.create_task(self._listen())
        waiter: Woken = self._horizon.wait(actor, types, seen)
        self._waiter = waiter
        if self.over:
            waiter.tell(False)
        timer = asyncio.get_running_loop().call_later(seconds, waiter.tell, False)
        try:
            return await waiter.told
        finally:
            timer.cancel()
            self._horizon.leave(waiter)
            self._waiter = None

    async def _listen(self) -> None:
        assert self._receive is not None
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.left = True
        if self._waiter is not None:
            self._waiter.tell(False)
