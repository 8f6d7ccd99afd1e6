"""The small files that machines look for: security.txt, the API catalogue, robots.txt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

SECURITY_CONTACT = "mailto:security@knooppunt.example"
CATALOG_TYPE = 'application/linkset+json; profile="https://www.rfc-editor.org/info/rfc9727"'


def security_txt(public_url: str | None, started: datetime) -> str:
    """RFC 9116. It asks for an expiry within a year; counted from the start, so a service that runs stays valid."""
    expires = (started + timedelta(days=364)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = [f"Contact: {SECURITY_CONTACT}", f"Expires: {expires}", "Preferred-Languages: nl, en"]
    if public_url is not None:
        lines.append(f"Canonical: {public_url}/.well-known/security.txt")
    return "\n".join(lines) + "\n"


def api_catalog(base: str) -> dict[str, Any]:
    """RFC 9727 with the link relations of RFC 8631: two APIs, where each is described and how it is doing."""
    described = "application/vnd.oai.openapi+json;version=3.1"
    health = [{"href": f"{base}/readyz", "type": "application/json"}]
    return {
        "linkset": [
            {
                "anchor": f"{base}/.well-known/api-catalog",
                "item": [{"href": f"{base}/v1"}, {"href": f"{base}/graphql"}],
            },
            {
                "anchor": f"{base}/v1",
                "service-desc": [{"href": f"{base}/v1/openapi.json", "type": described}],
                "service-doc": [{"href": f"{base}/docs", "type": "text/html"}],
                "status": health,
            },
            {
                "anchor": f"{base}/graphql",
                "service-doc": [{"href": f"{base}/graphql", "type": "text/html"}],
                "status": health,
            },
        ]
    }


# The pages may be found; answers of the API and searches for a postcode have no place in a search engine.
ROBOTS_TXT = """\
User-agent: *
Disallow: /v1/
Disallow: /graphql
Disallow: /*?q=
"""
