"""From a template and the texts of one language to a response with its headers."""

from __future__ import annotations

import hashlib
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import jinja2
from fastapi import Request, Response

from app.api.pages.assets import static_url
from app.domain.reading import Language

_HERE = Path(__file__).parent

LANGUAGES: tuple[Language, ...] = ("nl", "en")
TEXTS: dict[Language, dict[str, Any]] = {
    language: tomllib.loads((_HERE / "texts" / f"{language}.toml").read_text(encoding="utf-8"))
    for language in LANGUAGES
}

_STRICT = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


def _policy(**changes: str) -> str:
    directives = _STRICT | {name.replace("_", "-"): value for name, value in changes.items()}
    return "; ".join(f"{name} {value}" for name, value in directives.items())


CSP = _policy()
# GraphiQL adds a style element while a dialog is open and has its fonts in its style sheet. Its scripts are as
# restricted as everyone's. Swagger UI lives with the strict policy.
CSP_GRAPHIQL = _policy(style_src="'self' 'unsafe-inline'", font_src="data:")


def number(value: int | None, language: Language) -> str:
    """12345 → 12.345 in Dutch, 12,345 in English; a dash where nothing is known."""
    if value is None:
        return "–"
    written = f"{value:,}"
    return written.replace(",", ".") if language == "nl" else written


def written_date(day: date, language: Language) -> str:
    """1 januari 2026 or 1 January 2026. Own names of months: the locale of the server should not matter."""
    return f"{day.day} {TEXTS[language]['months'][day.month - 1]} {day.year}"


_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.globals["static"] = static_url
_templates.filters["number"] = number
_templates.filters["written_date"] = written_date


def language_of(request: Request) -> Language:
    """`?lang=` when it names a language of ours, else the best of `Accept-Language`, else Dutch."""
    for known in LANGUAGES:
        if request.query_params.get("lang") == known:
            return known
    best: Language = "nl"
    best_quality = 0.0
    for part in request.headers.get("accept-language", "").split(","):
        tag, _, parameters = part.strip().partition(";")
        primary = tag.strip().lower().split("-")[0]
        quality = _quality(parameters)
        if primary in LANGUAGES and quality > best_quality:
            best, best_quality = ("en" if primary == "en" else "nl"), quality
    return best


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def page_headers(policy: str) -> dict[str, str]:
    """The security headers of a page. HSTS is not here: it belongs to the service as a whole."""
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }


def render(template: str, **values: Any) -> str:
    """The HTML of a template. Names that are missing are an error, not an empty place on the page."""
    return _templates.get_template(template).render(**values)


def html(
    request: Request, language: Language, template: str, *, status: int = 200, policy: str = CSP, **values: Any
) -> Response:
    """A page in one language, with an ETag for the browser that has it already."""
    body = render(template, t=TEXTS[language], lang=language, **values).encode()
    headers = page_headers(policy) | {
        "Content-Language": language,
        "Vary": "Accept-Language",
        "Cache-Control": "no-cache" if status == 200 else "no-store",
    }
    if status == 200:
        tag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
        headers["ETag"] = tag
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
    return Response(body, status_code=status, media_type="text/html; charset=utf-8", headers=headers)
