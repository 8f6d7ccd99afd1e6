"""The app with all its routes: one list."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from app.api.asking import Services
from app.api.graphql import mounting
from app.api.measures import CONTENT_TYPE, Measures
from app.api.pages import pages
from app.api.pages.reading import PageReading
from app.api.problems import HttpProblem, internal_error, problem
from app.api.rest import (
    bundles,
    changes,
    feeds,
    follow,
    hubs,
    locations,
    national,
    organisations,
    participation,
    question_push,
    questions,
    regions,
    signal_push,
    signals,
    terms,
)
from app.api.rest.contract import API_VERSION, add_contract
from app.api.rest.lane import Lane
from app.domain.errors import DomainError

ROUTERS = (
    regions.router,
    locations.router,
    hubs.router,
    organisations.router,
    signals.router,
    signal_push.router,
    follow.router,
    question_push.router,
    changes.router,
    national.router,
    questions.router,
    participation.router,
    feeds.router,
    bundles.router,
    terms.router,
)

SOURCE = "https://github.com/knooppunt/knooppunt"

DESCRIPTION = """\
The open-source backend of the Dutch national network of regional participation hubs in care.

**Regions** come in fifteen overlapping schemes and are read as of a date. **Hubs** are networks with a coverage area.
Public data needs no token. The interface is in English; codes that the field itself names stay Dutch, labels exist in
both languages (`Accept-Language`). Errors are `application/problem+json`, in English, with every fault at once.

Bodies may be packed: `Content-Encoding: gzip`. Hubs push what they have by their own ids (Sync).

Collections answer `{"items": […], "next": …}`; follow `next` to the last page. Every resource has an `ETag`.
"""
TAGS = [
    {"name": "Regions", "description": "Region schemes, regions as of a date, overlaps, crosswalks, places."},
    {"name": "Hubs", "description": "Hubs, their areas, phases, hosts, steering groups and members."},
    {"name": "Organisations", "description": "The public directory of organisations, life world and system world."},
    {"name": "Signals", "description": "What people run into or propose, on its way to tables and umbrellas."},
    {
        "name": "Sync",
        "description": "For systems of hubs: push by your own ids, one at a time or a thousand; pull everything that "
        "changed, once and in order, by pages, long polling or events; digests.",
    },
    {
        "name": "National layer",
        "description": "Counts, trends and coverage across every scheme of regions; desks of umbrellas, and bundles.",
    },
    {"name": "Questions", "description": "Questions at regional tables: ladder, matrix, mix, outcome, their signals."},
    {
        "name": "Feeds",
        "description": "What the hubs bring to each umbrella, to the national coordination and to everybody, for feed readers: "
        "JSON Feed, Atom, CloudEvents, Server-Sent Events.",
    },
    {"name": "Reference data", "description": "Vocabularies with labels in Dutch and English."},
]


def build(services: Services, measures: Measures, lifespan: Any) -> tuple[FastAPI, Lane]:
    """The FastAPI app, and the short way into it, without the edge around them."""
    app = FastAPI(
        title="Knooppunt",
        summary="Regions and participation hubs in Dutch care.",
        description=DESCRIPTION,
        version=API_VERSION,
        contact={
            "name": "Knooppunt",
            "url": SOURCE,
            "email": "api@knooppunt.example",
        },
        license_info={"name": "EUPL-1.2", "identifier": "EUPL-1.2"},
        openapi_tags=TAGS,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        exception_handlers={DomainError: _domain_error, HTTPException: _http_error, Exception: _fault},
    )
    app.state.services = services
    for router in ROUTERS:
        # The routes themselves, not an included router: FastAPI's inclusion costs 80 µs a request.
        app.router.routes.extend(router.routes)
    add_contract(
        app, [{"url": f"{services.public_url or 'https://api.knooppunt.example'}/v1", "description": "This version"}]
    )
    _operations(app, services, measures)
    graphql = mounting.endpoint(services)
    app.router.routes.append(Route("/graphql", graphql, include_in_schema=False))
    for page in pages(PageReading(services), public_url=services.public_url, source_url=SOURCE).routes:
        app.router.routes.append(page)
    return app, Lane(app, app, {"/graphql": graphql})


def allowed_methods(app: FastAPI, path: str) -> set[str]:
    """Every method that some route takes at this path."""
    found: set[str] = set()
    scope = {"type": "http", "path": path, "method": "GET", "root_path": "", "headers": []}
    for route in app.router.routes:
        if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE:
            found |= set(route.methods or ())
    return found | {"HEAD"} if "GET" in found else found


def _operations(app: FastAPI, services: Services, measures: Measures) -> None:
    async def openapi(_: Request) -> Response:
        return Response(
            orjson.dumps(app.openapi()), media_type="application/json", headers={"cache-control": "no-cache"}
        )

    async def livez(_: Request) -> Response:
        return Response(b"ok\n", media_type="text/plain")

    async def readyz(_: Request) -> Response:
        why = services.problem()
        if why is None:
            return Response(b"ready\n", media_type="text/plain")
        raise HttpProblem(503, "Not ready", why, code="unavailable", headers={"retry-after": "2"})

    async def metrics(_: Request) -> Response:
        if services.sources is not None and services.problem() is None:
            with suppress(DomainError):  # the database went this very moment: the other measures are worth more then
                measures.show_sources(await services.sources())
        return Response(measures.exposition(), headers={"content-type": CONTENT_TYPE, "cache-control": "no-store"})

    for path, endpoint in (
        ("/v1/openapi.json", openapi),
        ("/livez", livez),
        ("/readyz", readyz),
        ("/metrics", metrics),
    ):
        app.router.add_route(path, endpoint, ["GET"], include_in_schema=False)


async def _domain_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, DomainError)
    status, headers, body = problem(error)
    return Response(body, status, {**headers, "content-language": "en"}, "application/problem+json")


async def _fault(request: Request, _: Exception) -> Response:
    """A fault of ours; the edge logs it."""
    return await _domain_error(request, internal_error(request.scope["knooppunt"].request_id))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allow = ", ".join(sorted({*allowed_methods(request.app, request.url.path), "OPTIONS"}))
        refusal: DomainError = HttpProblem(
            405,
            "Method not allowed",
            f"This address takes {allow}.",
            code="method-not-allowed",
            headers={"allow": allow},
        )
    elif error.status_code == 404:
        refusal = HttpProblem(404, "Not found", "There is nothing at this address.", code="not-found")
    else:
        refusal = HttpProblem(
            error.status_code, str(error.detail), "The request cannot be carried out.", code="http-error"
        )
    return await _domain_error(request, refusal)
