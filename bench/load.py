"""The load generator, a process of its own: reads orders as lines of JSON, answers each with a line of JSON.

Raw sockets and no HTTP library: it must cost less than the servers that it measures. It says how busy it was itself.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import orjson
import uvloop

_END, _LENGTH = b"\r\n\r\n", b"content-length: "


@dataclass(slots=True)
class Round:
    """What the connections of one round share. `requests` are sent in turn, again and again or up to `most`."""

    requests: list[bytes]
    ends: float
    most: int
    sent: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def next(self) -> bytes | None:
        if self.sent >= self.most or time.perf_counter() >= self.ends:
            return None
        self.sent += 1
        return self.requests[(self.sent - 1) % len(self.requests)]


class Client(asyncio.Protocol):
    """One connection that asks again as soon as it was answered."""

    def __init__(self, round_: Round) -> None:
        self.round = round_
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.head = b""
        self.missing = 0
        self.began = 0.0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._ask()

    def _ask(self) -> None:
        request = self.round.next()
        if request is None:
            self.transport.close()
            return
        self.began = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self.missing:
            self.missing -= len(data)
        else:
            data = self.head + data
            end = data.find(_END)
            if end < 0:
                self.head = data
                return
            self.head = b""
            status = data[9:12].decode()
            self.round.statuses[status] = self.round.statuses.get(status, 0) + 1
            place = data.find(_LENGTH, 0, end)
            length = int(data[place + len(_LENGTH) : data.find(b"\r\n", place)]) if place > 0 else 0
            self.missing = end + 4 + length - len(data)
        if not self.missing:
            self.round.seconds.append(time.perf_counter() - self.began)
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if not self.done.done():
            self.done.set_result(None)


async def run(order: dict[str, Any]) -> dict[str, Any]:
    """One round: what `Load.run` asks for."""
    began, busy = time.perf_counter(), time.process_time()
    round_ = Round([r.encode("latin-1") for r in order["requests"]], began + order["seconds"], order["most"])
    loop = asyncio.get_running_loop()
    clients = []
    for _ in range(order["connections"]):
        _, client = await loop.create_connection(lambda: Client(round_), "127.0.0.1", order["port"])
        clients.append(client)
    await asyncio.gather(*(client.done for client in clients))
    lasted = time.perf_counter() - began
    round_.seconds.sort()
    return {
        "rate": len(round_.seconds) / lasted,
        "count": len(round_.seconds),
        "statuses": round_.statuses,
        "p50": _quantile(round_.seconds, 0.50),
        "p95": _quantile(round_.seconds, 0.95),
        "busy": (time.process_time() - busy) / lasted,
    }


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def main() -> None:
    """Serves orders until there are no more."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for line in sys.stdin.buffer:
            print(orjson.dumps(runner.run(run(orjson.loads(line)))).decode(), flush=True)


if __name__ == "__main__":
    main()
