"""What a client says it accepts (RFC 9110, 12.5): media types with their weights, and compression."""

from __future__ import annotations

from functools import lru_cache

JSON = "application/json"
_UTF8 = ("utf-8", "utf8")


@lru_cache(maxsize=512)
def preferred(accept: str | None, offers: tuple[str, ...]) -> str | None:
    """The offer that the client likes best, the first of equals; None where it accepts none of them."""
    if accept is None or not accept.strip():
        return offers[0]
    weights = dict(_weighted(accept))
    best: tuple[float, str | None] = (0.0, None)
    for offer in offers:
        # The most precise range decides, even when a wider one is weighed higher.
        ranges = (offer, f"{offer.partition('/')[0]}/*", "*/*")
        weight = next((weights[range_] for range_ in ranges if range_ in weights), 0.0)
        if weight > best[0]:
            best = (weight, offer)
    return best[1]


@lru_cache(maxsize=512)
def accepts_gzip(accept_encoding: str | None) -> bool:
    """Whether the answer may be compressed. Without the header it may not: most programs that leave it out cannot read it."""
    if not accept_encoding:
        return False
    weights = dict(_weighted(accept_encoding))
    return weights.get("gzip", weights.get("*", 0.0)) > 0


@lru_cache(maxsize=256)
def is_in_utf8(content_type: str) -> bool:
    """Whether no other charset than UTF-8 is named: JSON has no other (RFC 8259, 8.1)."""
    pairs = (part.strip().lower().partition("=") for part in content_type.split(";")[1:])
    return all(value.strip('"') in _UTF8 for name, _, value in pairs if name == "charset")


def _weighted(header: str) -> list[tuple[str, float]]:
    """Each thing in the header with its weight from 0 to 1; one that cannot be read weighs nothing."""
    found = []
    for part in header.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                try:
                    weight = min(max(float(value), 0.0), 1.0)
                except ValueError:
                    weight = 0.0
        if name:
            found.append((name, weight))
    return found
