"""Packed request bodies: unpacked in whatever parts they come, and never by more than is allowed."""

from __future__ import annotations

import gzip
import random

import pytest

from app.api.bodies import PIECE, Body
from app.api.problems import HttpProblem
from app.domain.errors import Invalid


async def unpacked(packed, most=10_000_000, chunk=10**9):
    """The whole body as what follows reads it, sent in chunks of this size."""
    parts = [packed[start : start + chunk] for start in range(0, len(packed), chunk)] or [b""]
    messages = iter(
        {"type": "http.request", "body": part, "more_body": place < len(parts)} for place, part in enumerate(parts, 1)
    )

    async def receive():
        return next(messages)

    body, found, more = Body(receive, "gzip", most), b"", True
    while more:
        message = await body()
        found, more = found + message["body"], message["more_body"]
    return found


@pytest.mark.parametrize("size", [0, 1, 300, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 500_000])
@pytest.mark.parametrize("kind", ["nothing", "noise", "words"])
async def test_what_was_packed_comes_out_in_whatever_parts_it_comes(kind, size):
    content = {
        "nothing": bytes(size), "noise": random.Random(size).randbytes(size), "words": (b"wachten op hulp " * size)[:size],
    }[kind]  # fmt: skip
    for packed in (gzip.compress(content), gzip.compress(content[: size // 2]) + gzip.compress(content[size // 2 :])):
        for chunk in (7 if len(packed) < 3_000 else 1_000, PIECE, 10**9):
            assert await unpacked(packed, chunk=chunk) == content


@pytest.mark.parametrize("most", [1_000, 100_000])
async def test_the_limit_holds_for_what_comes_out(most):
    assert len(await unpacked(gzip.compress(bytes(most)), most)) == most
    for chunk in (20, 10**9):
        with pytest.raises(HttpProblem, match="Unpacked"):
            await unpacked(gzip.compress(bytes(most + 1)), most, chunk)


async def test_the_limit_holds_for_what_comes_in():
    noise = gzip.compress(random.Random(0).randbytes(2_000))
    with pytest.raises(HttpProblem, match="at most 1000 bytes"):
        await unpacked(noise, 1_000)


@pytest.mark.parametrize("cut", [1, 8, 20])
async def test_what_ends_too_early_is_told(cut):
    with pytest.raises(Invalid, match="too early"):
        await unpacked(gzip.compress(b"wachten op hulp" * 50)[:-cut], chunk=10)
