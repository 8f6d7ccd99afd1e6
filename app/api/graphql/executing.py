"""What does not go the fast way: introspection, mutations and ordinary resolvers, run by graphql-core's executor.

A resolver may return `Ready`, JSON that the database made; the executor then passes it on as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from inspect import isawaitable
from typing import Any, cast

import orjson
from graphql import ExecutionResult, GraphQLOutputType, GraphQLResolveInfo, GraphQLSchema, execute
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import AwaitableOrValue, Path
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from app.api.graphql.documents import Operation
from app.domain.reading import Language, Reader


@dataclass(slots=True, kw_only=True)
class Context:
    """What resolvers know of the request. The composition root makes it and may extend it with ports of use cases.

    The endpoint fills in `reader` and `today`, so that `project` reads exactly as the fast way does.
    """

    actor: Any
    language: Language
    request_id: str
    reader: Reader = field(init=False, repr=False)
    today: date = field(init=False)


@dataclass(frozen=True, slots=True)
class Ready:
    """A finished value: JSON text that holds precisely what was selected."""

    body: bytes | None


class ReadyExecutor(StrawberryGraphQLCoreExecutionContext):
    """Completes ready values by leaving them alone; everything else as Strawberry does."""

    def complete_value(
        self,
        return_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: Any,
    ) -> AwaitableOrValue[Any]:
        if type(result) is Ready:
            if result.body is not None and result.body != b"null":
                return orjson.Fragment(result.body)
            result = None
        return super().complete_value(return_type, field_details_list, info, path, result, position_context)


async def run(
    schema: GraphQLSchema, operation: Operation, variables: dict[str, Any], context: Context
) -> ExecutionResult:
    """Runs an operation of a valid document."""
    name = operation.node.name
    result = execute(
        schema,
        operation.document,
        context_value=context,
        variable_values=variables,
        operation_name=name.value if name is not None else None,
        executor_class=ReadyExecutor,
        is_awaitable=cast("Any", optimized_is_awaitable),
    )
    if isawaitable(result):
        return await result
    return result
