"""Pulls the changes of a Knooppunt into a file of one's own, once and in order, for years."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from app.domain.errors import Unavailable
from app.kit import feed
from app.kit.feed import Group, StartAnew
from app.kit.keeping import Keeper
from app.kit.remote import Refused, Remote

FOLLOW_WAIT_SECONDS = 25
LONGEST_PAUSE_SECONDS = 60.0
COMPARED_TIMES = 3
MOST_BEGINNINGS = 3
"""In one reading. A service that refuses the cursor it just gave would be read from the beginning for ever."""

Told = Callable[[str], None]
Progress = Callable[[int], None]
"""(changes kept by now)."""


async def pull(remote: Remote, keeper: Keeper, types: str | None, progress: Progress, say: Told) -> int:
    """Reads on to the end of the log; how many changes came. Raises `Refused`, `Unavailable`: the same again goes on."""
    count = begun = 0
    while True:
        try:
            page = await feed.page(remote, keeper.cursor, types)
        except StartAnew as error:
            begun += 1
            if begun > MOST_BEGINNINGS:
                raise Refused(
                    400, {"code": error.code, "detail": f"The service refuses its own cursors. {error.detail}"}
                ) from None
            say(f"{error.detail} Everything is read again.")
            keeper.start_anew()
            continue
        keeper.keep(page)
        count += len(page.items)
        progress(count)
        if not page.more:
            return count


async def follow(remote: Remote, keeper: Keeper, types: str | None, progress: Progress, say: Told) -> None:
    """Goes on for ever: long-polls, and bears with a service that is away for a while."""
    count, pause = 0, 1.0
    while True:
        try:
            page = await feed.page(remote, keeper.cursor, types, wait=FOLLOW_WAIT_SECONDS)
        except StartAnew as error:
            say(f"{error.detail} Everything is read again.")
            keeper.start_anew()
            continue
        except Unavailable as error:
            say(str(error))
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - nothing secret
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            continue
        keeper.keep(page)
        count, pause = count + len(page.items), 1.0
        if page.items:
            progress(count)


async def compare(remote: Remote, keeper: Keeper, types: str | None, say: Told) -> list[tuple[Group, int, int]]:
    """Where what is held differs from what is there. Something may change between the two looks, so a difference counts
    when it is still there after reading on."""
    named = types.split(",") if types else []
    found: list[tuple[Group, int, int]] = []
    for _ in range(COMPARED_TIMES):
        theirs = await feed.digests(remote)
        await pull(remote, keeper, types, lambda _: None, say)
        found = feed.differences(keeper.held(), theirs, named)
        if not found:
            break
    return found
