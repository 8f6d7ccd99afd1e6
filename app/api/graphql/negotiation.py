"""Which media type to answer in, and whether a request's own can be read."""

from __future__ import annotations

from functools import lru_cache

JSON = "application/json"
RESPONSE = "application/graphql-response+json"
HTML = "text/html"

_UTF8 = ("utf-8", "utf8")


@lru_cache(maxsize=512)
def answer_type(accept: str | None, page: bool) -> str | None:
    """The best of what the client accepts, or None. `page` says whether HTML is on offer.

    JSON wins where the client does not care; the type made for GraphQL wins where it names both alike.
    """
    if accept is None or not accept.strip():
        return JSON
    ranges = [found for found in map(_range, accept.split(",")) if found is not None]
    best: tuple[float, int, int] = (0.0, 0, 0)
    chosen: str | None = None
    for order, offer in enumerate((JSON, RESPONSE, HTML) if page else (JSON, RESPONSE)):
        quality, precision = _match(offer, ranges)
        # Named outright, the later offer wins a tie; by a wildcard the earlier one.
        rank = (quality, precision, order if precision == 2 else -order)
        if quality > 0 and (chosen is None or rank > best):
            best, chosen = rank, offer
    return chosen


@lru_cache(maxsize=256)
def is_readable(content_type: str | None) -> bool:
    """Whether a request body of this type is JSON in UTF-8."""
    if content_type is None:
        return False
    essence, *parameters = (part.strip().lower() for part in content_type.split(";"))
    return essence == JSON and all(
        value.strip('"') in _UTF8
        for name, _, value in (part.partition("=") for part in parameters)
        if name.strip() == "charset"
    )


def _range(text: str) -> tuple[str, float] | None:
    essence, *parameters = (part.strip().lower() for part in text.split(";"))
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                quality = min(max(float(value), 0.0), 1.0)
            except ValueError:
                return None
        elif name.strip() == "charset" and value.strip('"') not in _UTF8:
            return None
    return (essence, quality) if essence else None


def _match(offer: str, ranges: list[tuple[str, float]]) -> tuple[float, int]:
    """The quality that the most precise range gives an offer, and how precise it is."""
    patterns = ("*/*", offer.split("/", maxsplit=1)[0] + "/*", offer)
    matches = [(patterns.index(essence), quality) for essence, quality in ranges if essence in patterns]
    if not matches:
        return 0.0, 0
    precision, quality = max(matches)
    return quality, precision
