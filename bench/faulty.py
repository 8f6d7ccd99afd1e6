"""A bad network between a client and a service: requests lost, sent twice, overtaken; answers cut in the middle."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress
from types import TracebackType
from typing import Self

FAULTS = ("lost", "doubled", "late", "cut", "unanswered")


class FaultyProxy:
    """Passes HTTP/1.1 on to `target`, with a fault in a `share` of the requests. `seen` counts what it did.

    `lost`: the request never arrives. `unanswered`: it arrives, the answer does not. `cut`: half an answer. `doubled`: it
    arrives twice, the second time after the first was answered. `late`: a copy of it arrives after later requests.
    """

    def __init__(self, target: tuple[str, int], share: float, seed: int = 1) -> None:
        self.target = target
        self.share = share
        self.seen: Counter[str] = Counter()
        self._chance = random.Random(seed)
        self._coming: list[str] = []
        self._server: asyncio.Server | None = None
        self._copies: set[asyncio.Task[bytes]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for copy in self._copies:
            copy.cancel()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            request = await _request(reader)
            fault = self._next() if self._chance.random() < self.share else "passed"
            self.seen[fault] += 1
            if fault != "lost":
                answer = await self._pass(request)
                if fault == "doubled":
                    answer = await self._pass(request)
                elif fault == "late":
                    copy = asyncio.create_task(self._later(request))
                    self._copies.add(copy)
                    copy.add_done_callback(self._copies.discard)
                half = {"cut": len(answer) // 2, "unanswered": 0}.get(fault, len(answer))
                writer.write(answer[:half])
                await writer.drain()
        writer.close()

    def _next(self) -> str:
        """Every fault once before any comes again."""
        if not self._coming:
            self._coming = self._chance.sample(FAULTS, len(FAULTS))
        return self._coming.pop()

    async def _later(self, request: bytes) -> bytes:
        await asyncio.sleep(self._chance.uniform(0.05, 0.5))
        with suppress(OSError, asyncio.IncompleteReadError):
            return await self._pass(request)
        return b""

    async def _pass(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*self.target)
        try:
            writer.write(request)
            await writer.drain()
            return await reader.read()
        finally:
            writer.close()


async def _request(reader: asyncio.StreamReader) -> bytes:
    """One request, asked to be the last on its connection."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = [line for line in head[:-4].split(b"\r\n") if not line.lower().startswith(b"connection:")]
    length = next((int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:")), 0)
    body = await reader.readexactly(length) if length else b""
    return b"\r\n".join([*lines, b"connection: close", b"", b""]) + body
