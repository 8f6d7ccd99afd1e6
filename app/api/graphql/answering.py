"""From a request to the bytes of its answer: the fast way where every root field is a projection, else the executor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import orjson
import strawberry
from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    OperationType,
    VariableValues,
    get_variable_values,
)

from app.api.graphql import errors, executing
from app.api.graphql.documents import Documents, Operation, Recent, Refused
from app.api.graphql.executing import Context
from app.api.graphql.limits import Limits
from app.api.graphql.selecting import Draft, Planner, Projected, check_cost
from app.domain.errors import DomainError
from app.domain.reading import Answer, Reader

_KNOWN_INTROSPECTION = 2_000_000
_MAX_COERCION_ERRORS = 20

Drafts = tuple[tuple[bytes, bytes | Draft], ...]


class Parameters(NamedTuple):
    """The parameters of a GraphQL request."""

    query: str
    operation_name: str | None = None
    variables: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Execution:
    """An operation for the executor. `constant` says that its answer depends on the schema alone."""

    operation: Operation
    variables: dict[str, Any]
    constant: bool


class Answered(NamedTuple):
    """The JSON of an answer. `failure` is the HTTP status, other than 200 only where there is no data."""

    body: bytes
    failure: int = 200


class MutationRefused(Exception):
    """A mutation came by a method that must be safe."""


class Answering:
    """Everything between the bytes of a request and those of its answer, apart from HTTP."""

    def __init__(
        self,
        schema: strawberry.Schema,
        reader: Reader,
        projected: Mapping[str, Projected],
        limits: Limits,
        today: Callable[[], date],
    ) -> None:
        self._schema: GraphQLSchema = schema._schema  # noqa: SLF001 - Strawberry offers no other way to it
        self._reader = reader
        self._limits = limits
        self._today = today
        self._documents = Documents(self._schema, limits)
        self._planner = Planner(self._schema, projected, limits)
        self._constants: Recent[Operation, bytes] = Recent(_KNOWN_INTROSPECTION)

    def prepare(self, parameters: Parameters, *, safe: bool) -> Drafts | Execution:
        """Finds, checks and plans the operation. Raises `Refused`; `MutationRefused` where only queries are `safe`."""
        document = self._documents.get(parameters.query)
        try:
            operation = document.operation(parameters.operation_name)
            if safe and operation.node.operation is OperationType.MUTATION:
                raise MutationRefused
            if operation.node.operation is OperationType.SUBSCRIPTION:
                raise GraphQLError(
                    "Subscriptions go over graphql-transport-ws, at this address.",
                    extensions={"code": "no-subscriptions"},
                )
            variables = self._coerce(operation, parameters.variables or {})
            plan = self._planner.plan(operation, variables)
            if plan is not None:
                return plan.drafts(variables, self._limits)
            check_cost(self._planner.cost(operation, variables), self._limits)
        except GraphQLError as error:
            raise Refused([errors.of_request(error, "invalid-input")]) from None
        except DomainError as error:
            raise Refused([errors.of_domain(error)]) from None
        return Execution(operation, parameters.variables or {}, _is_constant(operation))

    async def answer(self, prepared: Drafts | Execution, context: Context) -> Answered:
        """Runs what was prepared. Never raises: what goes wrong is in the answer."""
        try:
            if isinstance(prepared, Execution):
                return await self._execute(prepared, context)
            return await self._read(prepared, context)
        except DomainError as error:
            status = errors.status_of(error)
            return Answered(envelope(None, [errors.of_domain(error)], data=status != 400), status)
        except Exception as error:  # noqa: BLE001 - the last door: nothing of an exception may leave
            return Answered(envelope(None, [errors.of_unexpected(error, context.request_id)]), 500)

    async def _read(self, drafts: Drafts, context: Context) -> Answered:
        today = self._today()
        selections = [part.on(today) for _, part in drafts if not isinstance(part, bytes)]
        answers: Sequence[Answer] = ()
        if selections:
            answers = await self._reader.read(selections, actor=context.actor, language=context.language)
        ready = iter(answers)
        pieces = [b'{"data":{']
        separator = b""
        for key, part in drafts:
            body = part if isinstance(part, bytes) else next(ready).body
            pieces += (separator, key, b"null" if body is None else body)
            separator = b","
        pieces.append(b"}}")
        return Answered(b"".join(pieces))

    async def _execute(self, execution: Execution, context: Context) -> Answered:
        known = self._constants.get(execution.operation) if execution.constant else None
        if known is not None:
            return Answered(known)
        context.reader = self._reader
        context.today = self._today()
        result = await executing.run(self._schema, execution.operation, execution.variables, context)
        found = [errors.of_execution(error, context.request_id) for error in result.errors or ()]
        body = envelope(result.data, found)
        if execution.constant and not found:
            self._constants.put(execution.operation, body, len(body))
        if result.data is not None or not found:
            return Answered(body)
        causes = (error.original_error for error in result.errors or ())
        return Answered(body, max(errors.status_of(cause) for cause in causes))

    def _coerce(self, operation: Operation, given: dict[str, Any]) -> VariableValues:
        definitions = operation.node.variable_definitions or ()
        variables = get_variable_values(self._schema, definitions, given, max_errors=_MAX_COERCION_ERRORS)
        if isinstance(variables, list):
            raise Refused([errors.of_variable(error) for error in variables])
        return variables


def envelope(content: dict[str, Any] | None, found: list[dict[str, Any]], *, data: bool = True) -> bytes:
    """The JSON of an answer: errors first, so that a reader of a long answer sees them."""
    members: dict[str, Any] = {"errors": found} if found else {}
    if data:
        members["data"] = content
    return orjson.dumps(members)


def _is_constant(operation: Operation) -> bool:
    """Whether this only asks for the schema, which does not change while the process runs."""
    node = operation.node
    return (
        node.operation is OperationType.QUERY
        and not node.variable_definitions
        and all(
            isinstance(field, FieldNode) and field.name.value in ("__schema", "__type", "__typename")
            for field in node.selection_set.selections
        )
    )
