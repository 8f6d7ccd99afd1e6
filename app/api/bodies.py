"""Request bodies on their way in: never more bytes than allowed, packed or unpacked, however well they were packed."""

from __future__ import annotations

import zlib

from starlette.types import Message, Receive

from app.api.problems import HttpProblem
from app.domain.errors import Fault, Invalid

MOST_MEMBERS = 1_000  # parts of a gzip file: each costs, however small it is


class Body:
    """An ASGI `receive` that gives the body as it was before it was packed.

    `encoding` is the `Content-Encoding`; `most` the bytes that come through, on the line and unpacked. Raises
    `HttpProblem` (413, 415) and `Invalid` once the body is read: who may not write hears that first.
    """

    def __init__(self, receive: Receive, encoding: str, most: int) -> None:
        self._receive = receive
        self._encoding = encoding.strip().lower() or "identity"
        self._most = most
        self._received = self._unpacked = self._members = 0
        self._unpacker = None if self._encoding == "identity" else _unpacker()

    async def __call__(self) -> Message:
        if self._encoding not in ("identity", "gzip", "x-gzip"):
            detail = "Send the body plain, or packed with gzip."
            raise HttpProblem(
                415, "Unsupported content encoding", detail, code="unsupported-content-encoding",
                headers={"accept-encoding": "gzip"},
            )  # fmt: skip
        message = await self._receive()
        if message["type"] != "http.request":
            return message
        body: bytes = message.get("body", b"")
        self._received += len(body)
        if self._received > self._most:
            raise too_large(self._most)
        if self._unpacker is None:
            return message
        try:
            unpacker, plain = self._unpack(self._unpacker, body)
        except zlib.error as error:
            raise _unreadable("The body is not what gzip makes.") from error
        self._unpacker = unpacker
        if not message.get("more_body") and not unpacker.eof:
            raise _unreadable("The packed body ends too early.")
        return {**message, "body": plain}

    def _unpack(self, unpacker: zlib._Decompress, body: bytes) -> tuple[zlib._Decompress, bytes]:
        parts = []
        while body:
            if unpacker.eof:
                self._members += 1
                unpacker = _unpacker()
                if self._members >= MOST_MEMBERS:
                    raise _unreadable(f"The packed body has more than {MOST_MEMBERS} parts.")
            # Never more than one byte too many: a few bytes can hold gigabytes of nothing.
            part = unpacker.decompress(body, self._most - self._unpacked + 1)
            self._unpacked += len(part)
            if self._unpacked > self._most:
                raise too_large(self._most, "Unpacked, a")
            parts.append(part)
            body = unpacker.unconsumed_tail or unpacker.unused_data
        return unpacker, b"".join(parts)


def _unpacker() -> zlib._Decompress:
    return zlib.decompressobj(16 + zlib.MAX_WBITS)


def _unreadable(detail: str) -> Invalid:
    return Invalid([Fault("body", "", "invalid-gzip", detail)])


def too_large(most: int, what: str = "A") -> HttpProblem:
    """The refusal of a body with more bytes than this."""
    return HttpProblem(
        413, "Too large", f"{what} body has at most {most} bytes. Send less at a time.", code="too-large"
    )
