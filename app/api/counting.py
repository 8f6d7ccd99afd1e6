"""Figures of the national layer as items: the same dictionaries for REST, CSV and GraphQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.api.asking import Services
from app.domain.access import Actor
from app.domain.national import (
    COUNT,
    HUB,
    KIND,
    PERIOD,
    REGION,
    SPREAD,
    THEME,
    WORKFIELD,
    CountQuery,
    Found,
    Place,
)
from app.domain.reading import Language
from app.domain.routing import CROSS_CUTTING
from app.domain.trends import Coverage, Trends

CROSS_CUTTING_LABELS: Mapping[Language, str] = {"nl": "Werkveldoverstijgend", "en": "Cross-cutting"}
NOWHERE: Mapping[Language, str] = {"nl": "Buiten deze indeling", "en": "Outside this scheme"}
BEHIND = 5
"""Signals shown behind a trend."""


async def labels(services: Services, vocabulary: str, language: Language) -> dict[str, dict[str, str]]:
    """References to the terms of a vocabulary, by code."""
    rows = await services.counting.labels(vocabulary, language)
    found = {code: {"code": code, "label": label} for code, label in rows.items()}
    if vocabulary == "workfield":
        found[CROSS_CUTTING] = {"code": CROSS_CUTTING, "label": CROSS_CUTTING_LABELS[language]}
    return found


def _hub(place: Place) -> dict[str, Any]:
    return {"slug": place.code, "name": place.name}


def _region(place: Place) -> dict[str, Any]:
    return {"code": place.code, "scheme": place.scheme, "name": place.name}


async def count_items(services: Services, found: Found, language: Language) -> list[dict[str, Any]]:
    """The items of a count: the keys that were grouped by, and the figures."""
    grouped = found.query.group_by
    keys: list[tuple[str, int, Mapping[Any, Any] | None]] = []
    if "theme" in grouped:
        keys.append(("theme", THEME, await labels(services, "theme", language)))
    if "workfield" in grouped:
        keys.append(("workfield", WORKFIELD, await labels(services, "workfield", language)))
    if "hub" in grouped:
        keys.append(("hub", HUB, {number: _hub(place) for number, place in found.known.hubs.items()}))
    if "region" in grouped:
        nowhere = {"code": None, "scheme": found.query.scheme, "name": NOWHERE[language]}
        regions = {number: _region(place) for number, place in found.known.regions.items()}
        keys.append(("region", REGION, {0: nowhere} | regions))
    if "kind" in grouped:
        keys.append(("kind", KIND, None))
    if "period" in grouped:
        keys.append(("period", PERIOD, None))
    items = []
    for cell in found.cells:
        item = {name: cell[at] if known is None else known.get(cell[at]) for name, at, known in keys}
        count, people = cell[COUNT], found.people(cell)
        item["count"] = _plain(count)
        item["apportioned"] = min(1.0, max(0.0, round(cell[SPREAD] / count, 4))) if cell[SPREAD] else 0
        item["per100k"] = round(count / people * 100_000, 2) if people else None
        item["protected"] = found.protected
        items.append(item)
    return items


def _plain(count: float) -> float | int:
    """To the millionth, without a fraction where there is none."""
    whole = round(count)
    return whole if abs(count - whole) < 1e-6 else round(count, 6)


async def trend_items(
    services: Services, found: Trends, query: CountQuery, actor: Actor, language: Language
) -> list[dict[str, Any]]:
    """Rising themes with the latest signals behind them, as far as this reader may see those."""
    themes = await labels(services, "theme", language)
    behind = await services.counting.behind(found, query, actor, BEHIND)
    return [
        {
            "theme": themes.get(trend.theme),
            "recent": _plain(trend.recent),
            "expected": _plain(trend.expected),
            "growth": trend.growth,
            "z": trend.z,
            "hubCount": trend.hub_count,
            "largestHubShare": trend.largest_share,
            "signals": [
                {"id": signal.id, "title": signal.title, "heardOn": signal.heard_on, "hub": _hub(signal.hub)}
                for signal in behind.get(trend.theme, ())
            ],
            "protected": found.protected,
        }
        for trend in found.items
    ]


def coverage_items(items: list[Coverage], *, protected: bool) -> list[dict[str, Any]]:
    """Regions with their hubs and signals."""
    return [
        {
            "region": _region(item.region),
            "population": item.region.population,
            "hubs": [_hub(hub) for hub in item.hubs],
            "count": _plain(item.count),
            "per100k": item.per100k,
            "silent": item.silent,
            "protected": protected,
        }
        for item in items
    ]
