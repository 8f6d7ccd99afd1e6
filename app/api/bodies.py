"""Request bodies on their way in: never more bytes than allowed, packed or unpacked, however well they were packed."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from starlette.types import Message, Receive

from app.api.problems import HttpProblem
from app.domain.errors import Fault, Invalid

PIECE = 65_536  # bytes unpacked at a time
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
            plain = self._unpack(self._unpacker, body)
        except zlib.error as error:
            raise _unreadable("The body is not what gzip makes.") from error
        if not message.get("more_body") and not self._unpacker.eof:
            raise _unreadable("The packed body ends too early.")
        return {**message, "body": plain}

    def _unpack(self, unpacker: zlib._Decompress, body: bytes) -> bytes:
        """What this part of the body holds. It is measured first, without keeping it: a few bytes can hold gigabytes."""
        before = None
        for present, piece in _pieces(unpacker if unpacker.eof else unpacker.copy(), body):
            self._unpacked += len(piece)
            self._members += before is not None and present is not before
            before = present
            if self._unpacked > self._most:
                raise too_large(self._most, "Unpacked, a")
            if self._members >= MOST_MEMBERS:
                raise _unreadable(f"The packed body has more than {MOST_MEMBERS} parts.")
        found = []
        for self._unpacker, piece in _pieces(unpacker, body):
            found.append(piece)
        return b"".join(found)


def _pieces(unpacker: zlib._Decompress, body: bytes) -> Iterator[tuple[zlib._Decompress, bytes]]:
    """The content in pieces, each with what unpacked it: a file may have several parts, one after the other."""
    piece = b""
    while body or len(piece) == PIECE:  # a full piece may have left something behind
        if unpacker.eof:
            if not body:
                return
            unpacker = _unpacker()
        piece = unpacker.decompress(body, PIECE)
        yield unpacker, piece
        body = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail


def _unpacker() -> zlib._Decompress:
    return zlib.decompressobj(16 + zlib.MAX_WBITS)


def _unreadable(detail: str) -> Invalid:
    return Invalid([Fault("body", "", "invalid-gzip", detail)])


def too_large(most: int, what: str = "A") -> HttpProblem:
    """The refusal of a body with more bytes than this."""
    return HttpProblem(
        413, "Too large", f"{what} body has at most {most} bytes. Send less at a time.", code="too-large"
    )
