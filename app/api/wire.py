"""The server's protocol, where uvicorn's own does not do: what cannot be read as HTTP is refused in our own words
(uvicorn alone answers in plain text, and takes any length), and an answer is one write.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.api.problems import HttpProblem, problem
from app.api.rest.contract import API_VERSION

# The parser cannot address more than this. A longer line is read to its end first, so that the client, still sending,
# hears the answer; but not without end.
LONGEST_ADDRESS = 65_535
MOST_HEAD_BYTES = 2_000_000

_TOO_LONG = HttpProblem(414, "Address too long", "This address is too long to be read.", code="query-too-long")
_TOO_LARGE = HttpProblem(431, "Headers too large", "The headers are too large to be read.", code="headers-too-large")
_NOT_HTTP = HttpProblem(400, "Not a request", "This cannot be read as an HTTP request.", code="invalid-request")


class OneWrite:
    """A transport that holds the head of an answer back until its body comes, or the event loop comes round.

    uvicorn writes head and body apart: two system calls, and the client wakes twice. Together they gave 7 and 14% more
    answers a second (medians of 14 and 30 pairs of rounds, small answers, busy machine).
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: bytes | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Writes, now or in a moment."""
        if self._held is None:
            self._held = data
            self._loop.call_soon(self.flush)
        else:
            data, self._held = self._held + data, None
            self._transport.write(data)

    def flush(self) -> None:
        """Writes what is held."""
        if self._held is not None:
            data, self._held = self._held, None
            self._transport.write(data)

    def close(self) -> None:
        """Closes after what was written."""
        self.flush()
        self._transport.close()


class Protocol(HttpToolsProtocol):
    """The protocol of uvicorn with a limit on the head of a request, and problem+json for what it refuses itself."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = cast("asyncio.Transport", OneWrite(transport, self.loop))

    def shutdown(self) -> None:
        """The server ends: a request that waits for changes is told, and answers now."""
        if self.cycle is not None and not self.cycle.response_complete:
            asked: Any = self.cycle.scope.get("knooppunt")
            if asked is not None and asked.on_stop is not None:
                asked.on_stop()
        super().shutdown()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.head_bytes = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._count(len(name) + len(value))

    def _count(self, read: int) -> None:
        self.head_bytes += read
        if self.head_bytes > MOST_HEAD_BYTES:
            raise ValueError("the head of the request has no end")  # the parser stops, and refuses below

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words; ours follow
        """Answers and hangs up."""
        error = _NOT_HTTP
        if len(getattr(self, "url", b"")) > LONGEST_ADDRESS:
            error = _TOO_LONG
        elif getattr(self, "head_bytes", 0) > MOST_HEAD_BYTES:
            error = _TOO_LARGE
        status, _, body = problem(error)
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"application/problem+json"),
            (b"content-language", b"en"),
            (b"content-length", str(len(body)).encode()),
            (b"api-version", API_VERSION.encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"connection", b"close"),
        ]
        lines = [name + b": " + value + b"\r\n" for name, value in headers]
        self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", body]))
        self.transport.close()


def sockets(**options: Any) -> asyncio.Protocol:
    """The protocol of a WebSocket; its library is imported for the first one."""
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

    return WebSocketsSansIOProtocol(**options)
