"""Subscriptions over graphql-transport-ws: the protocol is Strawberry's, the documents, limits and errors are ours.

Imported when the first socket comes: what it needs is a burden to nobody else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import orjson
from graphql import ExecutionResult as GraphQLResult
from graphql import GraphQLError, OperationType, get_variable_values, subscribe
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types.execution import ExecutionResult, PreExecutionError

from app.api.graphql import errors
from app.api.graphql.documents import Documents, Operation, Refused
from app.api.graphql.executing import ReadyExecutor
from app.api.graphql.limits import Limits
from app.api.graphql.selecting import Planner, check_cost
from app.domain.access import ANONYMOUS, Actor
from app.domain.errors import DomainError

MOST_SOCKETS = 2_000
MOST_SUBSCRIPTIONS = 10  # of one socket
PATIENCE = timedelta(seconds=10)  # for connection_init
TRY_AGAIN_LATER = 1013

Authenticate = Callable[[str], Awaitable[Actor]]


class Subscriptions(GraphQL[Any, None]):
    """The ASGI application for sockets at `/graphql`. A token comes in the payload of `connection_init` as
    `Authorization`, since browsers cannot set headers here, or in the header of the request."""

    def __init__(
        self,
        schema: Any,
        context: Callable[[], Any],
        authenticate: Authenticate,
        problem: Callable[[], str | None],
        today: Callable[[], Any],
    ) -> None:
        super().__init__(
            Source(schema, today),  # type: ignore[arg-type]
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=PATIENCE,
            max_subscriptions_per_connection=MOST_SUBSCRIPTIONS,
            allowed_origins=("*",),  # no cookie is looked at: who has no token is anonymous, from wherever
        )
        self._make = context
        self._authenticate = authenticate
        self._problem = problem
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._open >= MOST_SOCKETS or self._problem() is not None:
            socket = WebSocket(scope, receive, send)
            await socket.accept(GRAPHQL_TRANSPORT_WS_PROTOCOL)
            await socket.close(TRY_AGAIN_LATER, "Not available now. Try again in a few seconds.")
            return
        self._open += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._open -= 1

    async def get_context(self, request: Any, response: Any) -> Any:
        """Strawberry's hook: what resolvers know."""
        context = self._make()
        context.authorization = request.headers.get("authorization")
        return context

    async def on_ws_connect(self, context: Any) -> Any:
        """Strawberry's hook: who asks."""
        given = next((v for k, v in context.connection_params.items() if k.lower() == "authorization"), None)
        authorization = given or context.authorization
        context.actor = ANONYMOUS
        if authorization is not None:
            scheme, _, token = str(authorization).partition(" ")
            try:
                if scheme.lower() != "bearer" or not token.strip():
                    raise ConnectionRejectionError
                context.actor = await self._authenticate(token.strip())
            except DomainError as error:
                raise ConnectionRejectionError from error
        return {}

    def encode_json(self, data: Any) -> str:
        """Strawberry's hook: with JSON of the database left as it is."""
        return orjson.dumps(data).decode()

    def decode_json(self, data: str | bytes) -> Any:
        """Strawberry's hook. A message that is no object has none of the members that it looks for."""
        found = orjson.loads(data)
        return found if isinstance(found, dict) else {}


class Source:
    """What Strawberry's protocol asks of a schema: `stream`. Our limits first, our words for what goes wrong."""

    def __init__(self, schema: Any, today: Callable[[], Any]) -> None:
        self._schema = schema._schema  # noqa: SLF001 - Strawberry offers no other way to it
        self._limits = Limits()
        self._today = today
        self._documents = Documents(self._schema, self._limits)
        self._planner = Planner(self._schema, {}, self._limits)

    async def stream(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any = None,
        root_value: Any = None,
        operation_name: str | None = None,
    ) -> AsyncIterator[Any]:
        """The results of an operation, one for each change."""
        return self._results(query, variable_values, context_value, operation_name)

    async def _results(
        self, query: Any, given: Any, context: Any, operation_name: Any
    ) -> AsyncIterator[ExecutionResult | PreExecutionError]:
        context.today = self._today()
        try:
            operation, variables = self._prepare(query, given, operation_name)
        except Refused as refused:
            yield PreExecutionError(data=None, errors=[_error(found) for found in refused.errors])
            return
        source: Any = subscribe(
            self._schema,
            operation.document,
            context_value=context,
            variable_values=variables,
            operation_name=operation_name,
            executor_class=ReadyExecutor,
        )
        source = await source if hasattr(source, "__await__") else source
        if isinstance(source, GraphQLResult):
            yield PreExecutionError(data=None, errors=self._told(source, context))
            return
        try:
            async for result in source:
                yield ExecutionResult(data=result.data, errors=self._told(result, context) or None)
        except Exception as error:  # noqa: BLE001 - nothing of an exception may leave
            wrong = GraphQLError("", original_error=error)
            yield ExecutionResult(data=None, errors=[_error(errors.of_execution(wrong, context.request_id))])
        finally:
            await source.aclose()

    def _prepare(self, query: Any, given: Any, operation_name: Any) -> tuple[Operation, dict[str, Any]]:
        """A valid document within the limits. Raises `Refused`."""
        if (
            not isinstance(query, str)
            or not isinstance(given, dict | None)
            or not isinstance(operation_name, str | None)
        ):
            wrong = GraphQLError("query is a string, variables an object, operationName a string.")
            raise Refused([errors.of_request(wrong, "invalid-input")])
        document = self._documents.get(query)
        try:
            operation = document.operation(operation_name)
            if operation.node.operation is not OperationType.SUBSCRIPTION:
                raise GraphQLError("Queries and mutations are sent by POST.", extensions={"code": "subscriptions-only"})
            variables = get_variable_values(self._schema, operation.node.variable_definitions or (), given or {})
            if isinstance(variables, list):
                raise Refused([errors.of_variable(error) for error in variables])
            check_cost(self._planner.cost(operation, variables), self._limits)
        except GraphQLError as error:
            raise Refused([errors.of_request(error, "invalid-input")]) from None
        except DomainError as error:
            raise Refused([errors.of_domain(error)]) from None
        return operation, given or {}

    def _told(self, result: GraphQLResult, context: Any) -> list[GraphQLError]:
        return [_error(errors.of_execution(error, context.request_id)) for error in result.errors or ()]


def _error(formatted: dict[str, Any]) -> GraphQLError:
    return GraphQLError(formatted["message"], path=formatted.get("path"), extensions=formatted.get("extensions"))
