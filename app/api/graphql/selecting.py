"""From a GraphQL operation to the `Selection`s that answer it.

The part that depends on the document alone is planned once (`Planner.plan`); what is left for a request is to fill in
the values (`Plan.drafts`). The day of today is added last, so that nothing remembered can hold yesterday's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Literal

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    OperationType,
    VariableValues,
    get_argument_values,
    get_named_type,
    is_abstract_type,
    is_object_type,
)
from strawberry import Info

from app.api.graphql.documents import Operation, Recent, has_variables
from app.api.graphql.executing import Context, Ready
from app.api.graphql.limits import Limits, refusal
from app.api.graphql.walking import Walk, Walked, page_size, plain
from app.domain.reading import DEFAULT_PAGE, Selection, Shape

_KNOWN_PICKS = 25_000  # 150 bytes each (4 MB), and the document that a plan was made of stays with it


@dataclass(frozen=True, slots=True)
class Projected:
    """How a field is answered by a projection.

    `filters` leads from the name of a GraphQL argument, or of a field of the argument `filter`, to that of the noun's
    filter. `sort` is the argument that holds the order, `rows` how many rows an unpaged list usually has (for the
    estimate of cost).
    """

    noun: str
    kind: Literal["one", "list", "connection"]
    filters: Mapping[str, str] = field(default_factory=dict)
    sort: str = "sort"
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A selection of `size` picks that may still lack its day."""

    shape: Shape
    values: tuple[Any, ...]
    as_of: date | None
    after: str | None
    size: int

    def on(self, today: date) -> Selection:
        return Selection(self.shape, self.values, self.as_of or today, self.after)


@dataclass(frozen=True, slots=True)
class Root:
    """One root field of a plan. `draft` is there where no variable is used, so that nothing is left to fill in."""

    name: str
    projected: Projected
    definition: GraphQLField
    node: FieldNode
    walked: Walked
    draft: Draft | None = None

    def fill(self, variables: VariableValues, limits: Limits) -> tuple[Draft, int]:
        """The selection with these variables, and its cost."""
        arguments = get_argument_values(self.definition, self.node, variables)
        return _draft(self.projected, self.walked, arguments, variables, self.name, limits)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The root fields of an operation in the order of the answer: JSON to copy, or a field to select."""

    parts: tuple[tuple[bytes, bytes | Root], ...]
    literal_cost: int
    size: int

    def drafts(self, variables: VariableValues, limits: Limits) -> tuple[tuple[bytes, bytes | Draft], ...]:
        """The parts with their values. Raises `Invalid` for a bad page, `GraphQLError` where it costs too much."""
        cost = self.literal_cost
        filled: list[tuple[bytes, bytes | Draft]] = []
        for key, part in self.parts:
            if isinstance(part, bytes):
                filled.append((key, part))
            elif part.draft is not None:
                filled.append((key, part.draft))
            else:
                draft, more = part.fill(variables, limits)
                cost += more
                filled.append((key, draft))
        check_cost(cost, limits)
        return tuple(filled)


_NO_PLAN = Plan((), 0, 0)


class Planner:
    """Makes plans and remembers them, per operation and per value of the variables that decide its shape."""

    def __init__(self, schema: GraphQLSchema, projected: Mapping[str, Projected], limits: Limits) -> None:
        self._schema = schema
        self._projected = projected
        self._limits = limits
        self._plans: Recent[tuple[Operation, tuple[Any, ...]], Plan] = Recent(_KNOWN_PICKS)
        check(schema, projected)

    def plan(self, operation: Operation, variables: VariableValues) -> Plan | None:
        """The plan, or None where a root field is not a projection and the executor must run."""
        coerced = variables.coerced
        key = (operation, tuple(_mark(coerced.get(name, _mark)) for name in operation.deciding))
        plan = self._plans.get(key)
        if plan is None:
            plan = self._make(operation, variables) or _NO_PLAN
            self._plans.put(key, plan, 10 + plan.size)
        return None if plan is _NO_PLAN else plan

    def cost(self, operation: Operation, variables: VariableValues) -> int:
        """The estimate for an operation that the executor runs."""
        type_ = self._schema.get_root_type(operation.node.operation)
        if type_ is None:  # pragma: no cover - validation refuses an operation without a root type
            return 0
        walk = Walk(self._schema, operation.fragments, variables, self._limits)
        return walk.cost(type_, operation.node.selection_set, self._rows())

    def _rows(self) -> dict[str, int]:
        root_rows = self._limits.root_rows
        return {name: p.rows or root_rows for name, p in self._projected.items() if p.kind == "list"}

    def _make(self, operation: Operation, variables: VariableValues) -> Plan | None:
        query = self._schema.query_type
        if operation.node.operation is not OperationType.QUERY or query is None:
            return None
        walk = Walk(self._schema, operation.fragments, variables, self._limits)
        grouped = walk.collect(query, [operation.node.selection_set])
        if not all(nodes[0].name.value in ("__typename", *self._projected) for nodes in grouped.values()):
            return None
        parts: list[tuple[bytes, bytes | Root]] = []
        cost = 0
        for key, nodes in grouped.items():
            name = nodes[0].name.value
            if name == "__typename":
                parts.append((_json_key(key), b'"%s"' % query.name.encode()))
                continue
            root, more = self._root(walk, query, name, nodes)
            cost += more
            parts.append((_json_key(key), root))
        size = sum(part.walked.size for _, part in parts if isinstance(part, Root))
        return Plan(tuple(parts), cost, size)

    def _root(self, walk: Walk, query: GraphQLObjectType, name: str, nodes: list[FieldNode]) -> tuple[Root, int]:
        definition = query.fields[name]
        walked = walk.below(definition, nodes)
        root = Root(name, self._projected[name], definition, nodes[0], walked)
        if has_variables(nodes[0].arguments) or not walked.literal:
            return root, 0
        draft, cost = root.fill(walk.variables, self._limits)
        return replace(root, draft=draft), cost


async def project(
    info: Info[Any, Any],
    projected: Projected,
    *,
    filters: Mapping[str, Any] | None = None,
    as_of: date | None = None,
) -> Any:
    """Answers the field that is being resolved by a projection, exactly as the fast way would.

    With `filters` (by the names of the noun) those are used instead of the field's arguments: that is how the payload
    of a mutation reads the resource that was written. The result passes for any type, since it is ready JSON.
    """
    raw = info._raw_info  # noqa: SLF001 - fragments and field nodes are nowhere else
    context: Context = info.context
    coerced: Any = raw.variable_values  # Strawberry hands resolvers the values alone
    variables = VariableValues({}, coerced)
    limits = Limits()
    definition = raw.parent_type.fields[raw.field_name]
    walked = Walk(raw.schema, raw.fragments, variables, limits).below(definition, list(raw.field_nodes))
    if filters is None:
        arguments = get_argument_values(definition, raw.field_nodes[0], variables)
    else:
        arguments = {"asOf": as_of, **filters}
        projected = replace(projected, filters={name: name for name in filters})
    draft, _ = _draft(projected, walked, arguments, variables, raw.field_name, limits)
    selections = [draft.on(context.today)]
    [answer] = await context.reader.read(selections, actor=context.actor, language=context.language)
    return Ready(answer.body)


def check(schema: GraphQLSchema, projected: Mapping[str, Projected]) -> None:
    """Fails at start-up where a declaration does not fit the schema."""
    query = schema.query_type
    for name, declared in projected.items():
        definition = query.fields.get(name) if query is not None else None
        if definition is None:
            raise ValueError(f"{name} is declared as a projection but is not a field of the query type")
        known = {*declared.filters, "first", "after", "asOf", "filter", declared.sort}
        filter_ = definition.args.get("filter")
        inputs = getattr(get_named_type(filter_.type), "fields", {}) if filter_ is not None else {}
        unknown = ({*definition.args} - known) | ({*inputs} - {*declared.filters})
        if unknown:
            raise ValueError(f"{name} takes arguments that lead nowhere: {', '.join(sorted(unknown))}")
        _check_types(name, definition)


def _check_types(name: str, definition: GraphQLField) -> None:
    """A projection cannot answer an interface or union: the database would have to say which type a row has."""
    seen: set[str] = set()
    stack = [get_named_type(definition.type)]
    while stack:
        type_ = stack.pop()
        if is_abstract_type(type_):
            raise ValueError(f"{name} leads to {type_.name}, which is abstract")
        if is_object_type(type_) and type_.name not in seen:
            seen.add(type_.name)
            stack.extend(get_named_type(below.type) for below in type_.fields.values())


def check_cost(cost: int, limits: Limits) -> None:
    """Raises the refusal where the estimate passes the limit."""
    if cost > limits.cost:
        raise refusal("limit-cost", limits.cost, cost)


def _draft(
    projected: Projected,
    walked: Walked,
    arguments: dict[str, Any],
    variables: VariableValues,
    name: str,
    limits: Limits,
) -> tuple[Draft, int]:
    values: list[Any] = []
    for binding in walked.bindings:
        values.extend(binding.values(variables))
    given = {**arguments, **(arguments.get("filter") or {})}
    filters: list[tuple[str, int]] = []
    for argument, target in projected.filters.items():
        value = given.get(argument)
        if value is not None:
            filters.append((target, len(values)))
            values.append(plain(value))
    paged = projected.kind == "connection"
    first = page_size(arguments, name) if paged else DEFAULT_PAGE
    after = arguments.get("after") if paged else None
    shape = Shape(
        noun=projected.noun,
        kind=projected.kind,
        picks=walked.picks,
        filters=tuple(filters),
        sort=plain(arguments.get(projected.sort)) or "",
        first=first,
        after=after is not None,
    )
    times = projected.rows or limits.root_rows if projected.kind == "list" else 1
    cost = 1 + walked.fixed * times + walked.rows * first
    return Draft(shape, tuple(values), arguments.get("asOf"), after, walked.size), cost


def _mark(value: Any) -> Any:
    """What of a deciding variable decides: a condition or page size by its value, anything else by being there."""
    if value is None or isinstance(value, bool | int):
        return value
    return "absent" if value is _mark else "given"


def _json_key(key: str) -> bytes:
    return b'"%s":' % key.encode()
