"""The GraphQL endpoint with this service's schema, behind the edge that already knows who asks."""

from __future__ import annotations

from starlette.types import Scope

from app.api.asking import Asked, Services
from app.api.graphql.schema import PROJECTED, schema
from app.api.graphql.transport import GraphQLEndpoint
from app.api.graphql.writing import WritingContext
from app.api.pages import graphiql_page


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
        )

    return GraphQLEndpoint(
        schema=schema,
        reader=services.library,
        projected=PROJECTED,
        context=context,
        today=services.today,
        page=graphiql_page,
    )
