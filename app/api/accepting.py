"""What a client says it accepts (RFC 9110, 12.5): media types with their weights, and compression."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from math import isnan

JSON = "application/json"
_UTF8 = ("utf-8", "utf8")
_OUTRIGHT = 2


@lru_cache(maxsize=512)
def preferred(accept: str | None, offers: tuple[str, ...]) -> str | None:
    """The offer that the client likes best, the first of equals; None where it accepts none of them."""
    if accept is None or not accept.strip():
        return offers[0]
    ranges = _weighted(accept)
    best = max(offers, key=lambda offer: weighed(offer, ranges)[0])
    return best if weighed(best, ranges)[0] > 0 else None


@lru_cache(maxsize=512)
def best_named(accept: str | None, offers: tuple[str, ...]) -> str | None:
    """As `preferred`, but of equals the one that is named more precisely, and of those that are named outright the last:
    a client that names the newer type as well as the older can read it."""
    if accept is None or not accept.strip():
        return offers[0]
    ranges = _weighted(accept)
    ranks = []
    for order, offer in enumerate(offers):
        weight, precision = weighed(offer, ranges)
        ranks.append((weight, precision, order if precision == _OUTRIGHT else -order, offer))
    weight, _, _, offer = max(ranks)
    return offer if weight > 0 else None


def weighed(offer: str, ranges: Mapping[str, float]) -> tuple[float, int]:
    """The weight of an offer and how precisely it is named. The most precise range decides, even when a wider one is
    weighed higher."""
    for precision, range_ in ((_OUTRIGHT, offer), (1, f"{offer.partition('/')[0]}/*"), (0, "*/*")):
        if range_ in ranges:
            return ranges[range_], precision
    return 0.0, 0


@lru_cache(maxsize=512)
def accepts_gzip(accept_encoding: str | None) -> bool:
    """Whether the answer may be compressed. Without the header it may not: most programs that leave it out cannot read it."""
    if not accept_encoding:
        return False
    weights = _weighted(accept_encoding)
    return weights.get("gzip", weights.get("*", 0.0)) > 0


@lru_cache(maxsize=256)
def is_in_utf8(content_type: str) -> bool:
    """Whether no other charset than UTF-8 is named: JSON has no other (RFC 8259, 8.1)."""
    return _names_utf8(content_type.split(";")[1:])


@lru_cache(maxsize=256)
def is_json(content_type: str | None) -> bool:
    """Whether a request body of this type is JSON in UTF-8."""
    if content_type is None:
        return False
    return content_type.partition(";")[0].strip().lower() == JSON and is_in_utf8(content_type)


def _names_utf8(parameters: Iterable[str]) -> bool:
    pairs = (part.strip().lower().partition("=") for part in parameters)
    return all(value.strip().strip('"') in _UTF8 for name, _, value in pairs if name.strip() == "charset")


def _weighted(header: str) -> dict[str, float]:
    """Each thing in the header with its weight from 0 to 1. What cannot be read, or wants another charset than ours,
    does not count."""
    found: dict[str, float] = {}
    for part in header.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = _weight(parameters)
        if name and weight is not None and _names_utf8(parameters):
            found[name] = max(weight, found.get(name, 0.0))
    return found


def _weight(parameters: Iterable[str]) -> float | None:
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                weight = float(value)
            except ValueError:
                return None
            return None if isnan(weight) else min(max(weight, 0.0), 1.0)
    return 1.0
