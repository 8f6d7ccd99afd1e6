"""The GraphQL endpoint with this service's schema, behind the edge that already knows who asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.asking import Asked, Services
from app.api.graphql.schema import PROJECTED, schema
from app.api.graphql.transport import GraphQLEndpoint
from app.api.graphql.writing import WritingContext
from app.api.pages import graphiql_page
from app.api.waiting import RequestWaiting
from app.domain.access import ANONYMOUS, Actor
from app.domain.ids import new_id


def endpoint(services: Services) -> GraphQLEndpoint:
    """The ASGI application for `/graphql`."""

    async def context(scope: Scope) -> WritingContext:
        asked: Asked = scope["knooppunt"]
        return WritingContext(
            actor=asked.actor,
            language=asked.language,
            request_id=asked.request_id,
            work=services.writing,
            services=services,
            response_weeks=services.response_weeks,
            address=asked.address,
            by_post=scope["method"] == "POST",
            changes=services.changes,
            base_url=asked.base_url,
        )

    return GraphQLEndpoint(
        schema=schema,
        reader=services.library,
        projected=PROJECTED,
        context=context,
        today=services.today,
        page=graphiql_page,
    )


@dataclass(slots=True, kw_only=True)
class SocketContext(WritingContext):
    """What resolvers of one socket know. `waiting` makes a reader who waits for changes."""

    waiting: Callable[[], Any]
    connection_params: dict[str, Any] = field(default_factory=dict)
    authorization: str | None = None


def sockets(services: Services, authenticate: Callable[[str], Awaitable[Actor]]) -> ASGIApp:
    """The ASGI application for sockets: subscriptions at `/graphql`, nothing anywhere else."""
    application: ASGIApp | None = None

    def context() -> SocketContext:
        asked = Asked(new_id().hex)
        return SocketContext(
            actor=ANONYMOUS,
            language=asked.language,
            request_id=asked.request_id,
            work=services.writing,
            changes=services.changes,
            waiting=lambda: RequestWaiting(services.horizon, asked, None),
        )

    async def connect(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal application
        if scope["path"] != "/graphql":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        if application is None:
            from app.api.graphql.subscribing import Subscriptions

            application = Subscriptions(schema, context, authenticate, services.problem, services.today)
        await application(scope, receive, send)

    return connect
