"""The composition root: settings → database → adapters → the app. The only place that knows both sides."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from app.api import app as api
from app.api.asking import Services
from app.api.asking import today as day_in_the_netherlands
from app.api.edge import Edge
from app.api.graphql import mounting
from app.api.measures import Measures
from app.api.rest.contract import API_VERSION
from app.domain.access import Actor
from app.domain.library import Library
from app.domain.trends import National
from app.infra.changes import PostgresChangeLog
from app.infra.clients import Clients
from app.infra.database import Database
from app.infra.federation import Federation
from app.infra.feeds import PostgresFeeds
from app.infra.figures import Figures
from app.infra.follow import PostgresFollowing
from app.infra.horizon import Horizon
from app.infra.national import PostgresCounts
from app.infra.prepare import Addresses
from app.infra.projection import Projection
from app.infra.reader import PostgresReader, Signer
from app.infra.registry import PostgresRegistry
from app.infra.sources import Sources
from app.infra.views import VIEWS
from app.infra.watch import Watch
from app.infra.work import work_factory
from app.infra.worker import Worker, steps
from app.settings import Settings

if TYPE_CHECKING:
    from app.infra.oidc import Identity


def create_app(
    settings: Settings | None = None, addresses: Addresses | None = None, *, background: bool = False
) -> ASGIApp:
    """The ASGI application of one worker process; with `background` it does the work of `knooppunt worker` as well."""
    settings = settings or Settings()
    addresses = addresses or Addresses.of(settings)
    database = Database(
        addresses.service,
        size=settings.database_pool_size,
        statement_timeout_seconds=settings.statement_timeout_seconds,
        role=addresses.role,
    )
    signer = Signer((settings.cursor_secret or "").encode(), settings.cursor_days)
    projection = Projection(VIEWS)
    reader = PostgresReader(database, projection, signer)
    horizon = Horizon(database)
    registry = PostgresRegistry(database)
    watch = Watch(database, signer)
    identity = _identity(settings, database)
    gate = identity or Clients(database)
    federation = Federation(database, settings.source_seconds, day_in_the_netherlands)
    worker = Worker(steps(database, federation) if background else ())
    library = Library(reader, registry, lambda: watch.catalogue)
    services = Services(
        library=library,
        missing_region=library.missing_region,
        exists=registry.exists,
        writing=work_factory(database, reader, lambda: watch.version),
        counting=National(
            PostgresCounts(database, lambda: watch.version, settings.disclosure_threshold), lambda: watch.catalogue
        ),
        problem=lambda: watch.problem,
        today=day_in_the_netherlands,
        public_url=settings.public_url,
        response_weeks=settings.response_weeks,
        figures=Figures(database).on,
        changes=PostgresChangeLog(database, projection, signer, day_in_the_netherlands),
        horizon=horizon,
        sources=Sources(database).states,
        feeds=PostgresFeeds(database, signer),
        following=PostgresFollowing(
            database, lambda: signer.secret, settings.follow_looks_per_minute, settings.follow_looks_of_all
        ),
    )

    parts = [part for part in (watch, horizon, identity, worker) if part is not None]
    measures = Measures(lambda: watch.problem is None, lambda: horizon.waiting, lambda: horizon.age)

    async def proven(token: str) -> Actor:
        actor = await gate.authenticate(token)
        await gate.confirm(actor)
        return actor

    app, lane = api.build(services, measures, lambda _: _running(database, federation, parts))
    return _Application(
        app,
        mounting.sockets(services, proven),
        Edge(
            lane,
            settings,
            api_version=API_VERSION,
            authenticate=gate.authenticate,
            confirm=gate.confirm,
            version=lambda: watch.version,
            problem=lambda: watch.problem,
            allowed=lambda path: api.allowed_methods(app, path),
            measures=measures,
        ),
    )


@asynccontextmanager
async def _running(database: Database, federation: Federation, parts: Sequence[Any]) -> AsyncIterator[None]:
    """Everything that works in the background, for as long as the app lives."""
    await database.open()
    for part in parts:
        await part.start()
    yield
    for part in reversed(parts):
        await part.stop()
    await federation.stop()
    await database.close()


def _identity(settings: Settings, database: Database) -> Identity | None:
    """An issuer's tokens need cryptography: 10 MB of memory that a worker without an issuer saves."""
    if settings.oidc_issuer is None:
        return None
    from app.infra.oidc import Identity

    return Identity(settings, database)


class _Application:
    """Requests go by the edge, sockets to the subscriptions; the lifespan is FastAPI's own."""

    def __init__(self, app: FastAPI, sockets: ASGIApp, edge: Edge) -> None:
        self.fastapi = app
        self._doors: dict[str, ASGIApp] = {"http": edge, "websocket": sockets}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._doors.get(scope["type"], self.fastapi)(scope, receive, send)
