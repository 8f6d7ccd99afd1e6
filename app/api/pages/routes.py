"""The routes of the pages, and the port through which they get their data."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from app.api.pages.assets import serve
from app.api.pages.rendering import CSP_GRAPHIQL, LANGUAGES, html, language_of, page_headers, render
from app.api.pages.wellknown import CATALOG_TYPE, ROBOTS_TXT, api_catalog, security_txt
from app.domain.errors import Invalid, Unavailable
from app.domain.reading import Language

_T = TypeVar("_T")

LONGEST_SEARCH = 60  # the longest name of a municipality has 36 characters
_RETRY_AFTER = "30"
_CATALOG_LINK = '</.well-known/api-catalog>; rel="api-catalog"'
_LINKS = f'{_CATALOG_LINK}, </v1/openapi.json>; rel="service-desc", </docs>; rel="service-doc"'


class PageData(Protocol):
    """What the landing page shows of this instance. Each method may raise `Unavailable`: the page then says so."""

    async def figures(self) -> Mapping[str, int]:
        """The counts of today: `hubs`, `schemes`, `regions`, `municipalities`, `questions`."""
        ...

    async def hubs(self, language: str) -> list[dict[str, Any]]:
        """All hubs, each as an item of `GET /v1/hubs`."""
        ...

    async def story(self, language: str) -> dict[str, Any] | None:
        """A public question that has been followed up, as an item of `GET /v1/questions` with its mix and outcome."""
        ...

    async def locations(self, text: str, language: str) -> list[dict[str, Any]]:
        """The municipalities for a postcode or a name, each as an item of `GET /v1/locations`; none is an empty list.

        Raises `Invalid` for a postcode that is none.
        """
        ...


@dataclass(slots=True)
class Search:
    """What the visitor asked and what came of it. `state`: none, empty, invalid, unavailable, nothing or found."""

    text: str = ""
    state: str = "none"
    locations: list[dict[str, Any]] = field(default_factory=list)

    @property
    def refused(self) -> bool:
        """Whether the visitor has to change the text."""
        return self.state in ("empty", "invalid")


async def _search(data: PageData, text: str | None, language: Language) -> Search:
    if text is None:
        return Search()
    text = " ".join(text.split())
    if not text:
        return Search(state="empty")
    if len(text) > LONGEST_SEARCH or not text.isprintable():
        return Search(text[:LONGEST_SEARCH], "invalid")
    try:
        locations = await data.locations(text, language)
    except Invalid:
        return Search(text, "invalid")
    except Unavailable:
        return Search(text, "unavailable")
    return Search(text, "found" if locations else "nothing", locations)


async def _or_none(asked: Awaitable[_T]) -> _T | None:
    try:
        return await asked
    except Unavailable:
        return None


def _today() -> date:
    return datetime.now(ZoneInfo("Europe/Amsterdam")).date()


def _other_language(path: str, language: Language, **query: str) -> str:
    other = next(known for known in LANGUAGES if known != language)
    return f"{path}?{urlencode({'lang': other} | query)}"


async def _landing(request: Request, data: PageData, source_url: str | None) -> Response:
    language = language_of(request)
    search = await _search(data, request.query_params.get("q"), language)
    figures = await _or_none(data.figures())
    hubs = await _or_none(data.hubs(language))
    story = await _or_none(data.story(language))
    missing = figures is None or hubs is None or search.state == "unavailable"
    response = html(
        request,
        language,
        "landing.html",
        status=503 if missing else 400 if search.refused else 200,
        search=search,
        figures=figures,
        hubs=hubs,
        story=story,
        basis={hub["slug"]: hub.get("basis") for hub in hubs or ()},
        today=_today(),
        other_language=_other_language("/", language, **({"q": search.text} if search.text else {})),
        chosen=request.query_params.get("lang") == language,
        longest=LONGEST_SEARCH,
        source_url=source_url,
    )
    response.headers["Link"] = _LINKS
    if missing:
        response.headers["Retry-After"] = _RETRY_AFTER
    return response


def graphiql_page() -> Response:
    """GraphiQL for this service: what the GraphQL route answers to a browser that asks for HTML."""
    headers = page_headers(CSP_GRAPHIQL) | {
        "Cache-Control": "no-cache",
        "Content-Language": "en",
        "Vary": "Accept",  # the same address answers programs with JSON
    }
    return Response(render("graphiql.html"), media_type="text/html; charset=utf-8", headers=headers)


def _without_body(response: Response) -> Response:
    """The same answer for HEAD: the headers tell the length of what GET would send."""
    response.body = b""
    return response


def pages(data: PageData, *, public_url: str | None, source_url: str | None = None) -> APIRouter:
    """The routes of the pages.

    `public_url` is the address by which the world knows this service, `source_url` where its source code is; both
    may be unknown.
    """
    router = APIRouter(include_in_schema=False)
    base = public_url.rstrip("/") if public_url else None
    security = security_txt(base, datetime.now(UTC))

    def page(path: str, answer: Callable[..., Awaitable[Response]]) -> None:
        async def get(request: Request) -> Response:
            response = await answer(request, **request.path_params)
            return _without_body(response) if request.method == "HEAD" else response

        router.add_api_route(path, get, methods=["GET", "HEAD"], name=path)

    async def landing(request: Request) -> Response:
        return await _landing(request, data, source_url)

    def told(path: str, template: str) -> Callable[..., Awaitable[Response]]:
        """A page of words in both languages."""

        async def answer(request: Request) -> Response:
            language = language_of(request)
            return html(
                request,
                language,
                template,
                other_language=_other_language(path, language),
                chosen=request.query_params.get("lang") == language,
                source_url=source_url,
            )

        return answer

    async def docs(request: Request) -> Response:
        return html(request, "en", "docs.html")

    async def static(request: Request, name: str) -> Response:
        return serve(request, name)

    async def favicon(request: Request) -> Response:
        return serve(request, "favicon.svg")

    async def security_file(request: Request) -> Response:
        return Response(security, media_type="text/plain; charset=utf-8", headers={"Cache-Control": "max-age=86400"})

    async def robots(request: Request) -> Response:
        return Response(ROBOTS_TXT, media_type="text/plain; charset=utf-8", headers={"Cache-Control": "max-age=86400"})

    async def catalog(request: Request) -> Response:
        content = json.dumps(api_catalog(base or str(request.base_url).rstrip("/")))
        # RFC 9727 section 3.1 asks for this link, so that a HEAD alone already tells what is here.
        headers = {"Link": _CATALOG_LINK, "Access-Control-Allow-Origin": "*"}
        return Response(content, headers=headers | {"Content-Type": CATALOG_TYPE, "Cache-Control": "no-cache"})

    page("/", landing)
    page("/accessibility", told("/accessibility", "accessibility.html"))
    page("/docs", docs)
    page("/docs/counts", told("/docs/counts", "counts.html"))
    page("/static/{name:path}", static)
    page("/favicon.svg", favicon)
    page("/favicon.ico", favicon)  # every browser that shows a page of ours can draw SVG
    page("/.well-known/security.txt", security_file)
    page("/.well-known/api-catalog", catalog)
    page("/robots.txt", robots)
    return router
