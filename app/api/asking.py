"""One request as the use cases see it: who asks, in which language, on which day, and the ports to answer with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from app.domain.access import ANONYMOUS, Actor
from app.domain.reading import Language, Reader

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def today() -> date:
    """The day it is in the Netherlands."""
    return datetime.now(AMSTERDAM).date()


@dataclass(frozen=True, slots=True)
class Services:
    """What the composition root hands to the doors."""

    library: Reader
    missing_region: Callable[..., Any]
    exists: Callable[[str, str], Any]
    writing: Any = None
    counting: Any = None
    problem: Callable[[], str | None] = lambda: None
    figures: Callable[[date], Any] = lambda _: None
    today: Callable[[], date] = today
    public_url: str | None = None
    response_weeks: int = 6
    changes: Any = None
    """The port `ChangeLog`."""
    horizon: Any = None
    sources: Callable[[], Any] | None = None
    """How the instances stand whose changes are taken over."""
    feeds: Any = None
    """The port `Feeds`."""
    following: Any = None
    """The port `Following`."""


@dataclass(slots=True)
class Asked:
    """What the edge found out about a request, before any route: kept in the ASGI scope under `knooppunt`."""

    request_id: str
    language: Language = "nl"
    actor: Actor = ANONYMOUS
    base_url: str = ""
    address: str = ""
    """Where the request comes from, to count it."""
    extra: dict[str, Any] = field(default_factory=dict)
    on_stop: Callable[[], None] | None = None
    """Set by a request that waits: called when the server ends, so that it answers at once."""
    bodiless: bool = False
    """A HEAD request: nothing of the body will be sent, so an answer without end has none."""


@lru_cache(maxsize=512)
def accepted_language(header: str) -> Language:
    """Dutch unless English is preferred (RFC 9110, 12.5.4): the first of the two by weight."""
    if not header:
        return "nl"
    best: tuple[float, Language] = (0.0, "nl")
    for part in header.split(","):
        tag, _, parameter = part.strip().partition(";")
        name, _, value = parameter.strip().partition("=")
        try:
            weight = float(value) if name == "q" else 1.0
        except ValueError:
            continue
        primary = tag.split("-")[0].lower()
        if primary == "en" and weight > best[0]:
            best = (weight, "en")
        elif primary in ("nl", "*") and weight > best[0]:
            best = (weight, "nl")
    return best[1]
