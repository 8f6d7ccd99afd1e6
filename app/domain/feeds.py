"""Feeds of signals: one for each umbrella, one for the national coordination, one for everybody.

A feed holds each signal once, with the last that its readers may know of it: as it is now, or that it is gone. The newest
change comes first, and pages lead back to the very first entry.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal, Protocol

from app.domain.access import ANONYMOUS, Actor
from app.domain.changes import Page, Pull, Waiting, follow_changes
from app.domain.errors import Faults, NotFound
from app.domain.reading import Language

PUBLIC, NATIONAL = "openbaar", "landelijk"
DEFAULT_ENTRIES = 100
MOST_ENTRIES = 200

Form = Literal["items", "events"]
"""`items` of JSON Feed 1.1, or thin `events` of CloudEvents."""


@dataclass(frozen=True, slots=True)
class FeedQuery:
    """What is asked of a feed. `base_url` is where this service is, for the addresses in entries; `cursor` leads to older
    ones."""

    code: str
    form: Form = "items"
    limit: int = DEFAULT_ENTRIES
    cursor: str | None = None
    base_url: str = ""
    language: Language = "nl"


@dataclass(frozen=True, slots=True)
class FeedPage:
    """`items` is JSON text of `count` entries, the newest first. `next` is the cursor to older ones, None on the last page;
    `live` the one with which a stream goes on after the newest entry here, None where there is none. `name` is that of the
    umbrella, None for the two other feeds."""

    items: bytes
    count: int
    next: str | None
    live: str | None
    name: str | None


@dataclass(frozen=True, slots=True)
class FeedSummary:
    """A feed that the reader may read."""

    code: str
    title: str


class Feeds(Protocol):
    """The port of the feeds."""

    async def page(self, actor: Actor, query: FeedQuery) -> FeedPage | None:
        """A page of a feed; None when this actor may not read it, or there is none of this code.

        Raises `Invalid` for a cursor that is not of this feed, `Unavailable`.
        """
        ...

    async def after(self, actor: Actor, query: FeedQuery) -> Page | None:
        """The entries after the cursor one by one, the oldest first, for a stream. Raises `Gone` as well."""
        ...

    async def umbrellas(self, language: Language) -> list[tuple[str, str]]:
        """Code and label of every umbrella."""
        ...


def feed_eyes(code: str) -> Actor:
    """Whom a feed is made for. What they see is never more than those who may read it see."""
    if code == PUBLIC:
        return ANONYMOUS
    return Actor("national") if code == NATIONAL else Actor("umbrella", umbrella=code)


def may_read_feed(actor: Actor, code: str) -> bool:
    """Everybody the public one, an umbrella its own, the national coordination all. PostgreSQL has the same rule in
    `enter_feed`."""
    return code == PUBLIC or actor.role == "national" or (actor.role == "umbrella" and actor.umbrella == code)


def feed_title(code: str, name: str | None, language: Language) -> str:
    """What a feed is called."""
    english = language == "en"
    if code == PUBLIC:
        return "Public signals of the participation hubs" if english else "Openbare signalen van de participatiehubs"
    if code == NATIONAL:
        return "Signals of all participation hubs" if english else "Signalen van alle participatiehubs"
    return f"Signals for {name or code}" if english else f"Signalen voor {name or code}"


async def list_feeds(feeds: Feeds, actor: Actor, language: Language) -> list[FeedSummary]:
    """The feeds that this actor may read, the widest first."""
    found: list[tuple[str, str | None]] = [(PUBLIC, None), (NATIONAL, None), *await feeds.umbrellas(language)]
    return [FeedSummary(code, feed_title(code, name, language)) for code, name in found if may_read_feed(actor, code)]


async def read_feed(feeds: Feeds, actor: Actor, query: FeedQuery, where: str = "query") -> FeedPage:
    """A page of a feed. Raises `NotFound`, also for who may not read it, and as `Feeds.page`."""
    faults = Faults()
    if not 1 <= query.limit <= MOST_ENTRIES:
        faults.add(where, "limit", "out-of-range", f"From 1 to {MOST_ENTRIES} entries at a time.")
    faults.raise_if_any()
    page = await feeds.page(actor, query) if may_read_feed(actor, query.code) else None
    if page is None:
        raise _missing()
    return page


def follow_feed(
    feeds: Feeds, actor: Actor, query: FeedQuery, waiting: Waiting, heartbeat: float
) -> AsyncIterator[Page]:
    """Entries as they come, the oldest first; see `follow_changes`. Raises `NotFound`, also for who may not read it."""
    if not may_read_feed(actor, query.code):
        raise _missing()
    pull = Pull((), ("signal",), query.cursor, limit=query.limit, language=query.language)
    return follow_changes(_Following(feeds, actor, query), feed_eyes(query.code), pull, waiting, heartbeat)


@dataclass(frozen=True, slots=True)
class _Following:
    """A feed as the log that `follow_changes` reads. Who waits does so with the eyes of the feed; who reads shows his own
    token each time."""

    feeds: Feeds
    reader: Actor
    query: FeedQuery

    async def page(self, actor: Actor, pull: Pull, *, apart: bool = False) -> Page:  # noqa: ARG002 - the port's signature
        """See `ChangeLog`."""
        query = FeedQuery(
            self.query.code, self.query.form, pull.limit, pull.cursor, self.query.base_url, self.query.language
        )
        page = await self.feeds.after(self.reader, query)
        if page is None:
            raise _missing()
        return page


def _missing() -> NotFound:
    return NotFound("There is no feed at this address, or it is not yours to read.")
