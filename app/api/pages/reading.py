"""What the pages show, read through the same library as every other door."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from app.api.asking import Services
from app.api.rest.locations import LOCATION
from app.api.rest.picks import picks
from app.domain.access import ANONYMOUS
from app.domain.locations import place_typed
from app.domain.reading import MAX_PAGE, Language, Selection, Shape

HUBS = "slug name basis phase frontrunnerRole area { code municipalityCount population } website"
LEVEL = "code label"
STORY = (
    "id title description demonstration hub { name } regions { name } signals { title } "
    f"levels {{ intended {{ {LEVEL} }} agreed {{ {LEVEL} }} achieved {{ {LEVEL} }} }} "
    "mix { groups { group { label } recruited } } outcome { decision explanation impact toldBack { on how } }"
)
# Among so many of the newest a question is sought that can be told to its end.
STORIES = 20


class PageReading:
    """See the port `PageData` in routes.py."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def figures(self) -> Mapping[str, int]:
        """See the port."""
        found: Mapping[str, int] = await self._services.figures(self._services.today())
        return found

    async def hubs(self, language: str) -> list[dict[str, Any]]:
        """See the port."""
        return await self._items(Shape("hub", "page", picks(HUBS), first=MAX_PAGE), (), language)

    async def story(self, language: str) -> dict[str, Any] | None:
        """See the port."""
        shape = Shape(
            "question", "page", picks(STORY), (("status", 0), ("visibility", 1)), sort="-createdAt", first=STORIES
        )
        found = await self._items(shape, ("followed-up", "public"), language)
        return max(found, key=_told, default=None)

    async def locations(self, text: str, language: str) -> list[dict[str, Any]]:
        """See the port."""
        name, value = place_typed(text)
        return await self._items(Shape("location", "list", picks(LOCATION), ((name, 0),)), (value,), language)

    async def _items(self, shape: Shape, values: tuple[Any, ...], language: str) -> list[dict[str, Any]]:
        spoken: Language = "en" if language == "en" else "nl"
        selection = Selection(shape, values, self._services.today())
        (answer,) = await self._services.library.read([selection], actor=ANONYMOUS, language=spoken)
        found: list[dict[str, Any]] = orjson.loads(answer.body or b"[]")
        return found


def _told(question: dict[str, Any]) -> tuple[bool, bool, int, int]:
    """How much of a question there is to tell: what changed, signals that it came from, who took part."""
    outcome = question["outcome"] or {}
    groups = sum(item["recruited"] > 0 for item in question["mix"]["groups"])
    return bool(outcome.get("impact")), bool(outcome.get("toldBack")), len(question["signals"]), groups
