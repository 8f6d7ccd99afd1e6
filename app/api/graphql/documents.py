"""Documents that were parsed, measured and validated once, and are remembered by their text."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from graphql import (
    ArgumentNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    parse,
    specified_rules,
    validate,
)
from graphql.validation.rules import overlapping_fields_can_be_merged
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from app.api.graphql import errors
from app.api.graphql.limits import Limits, check_form, check_size, refusal
from app.api.graphql.plain import Plain

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_MAX_ERRORS = 10
_KNOWN_TEXT = 150_000  # characters of accepted query text that are remembered (5 MB), of refused text a tenth

# The library's own budget for comparing fields of one response name allows a hostile document 0.6 s of CPU. The
# largest document that passes our limits needs a few thousand units.
_MAX_COMPLEXITY = 20_000
overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = _MAX_COMPLEXITY

# The schema has no @defer and @stream, so any use of them is refused as an unknown directive.
_RULES = (
    *(rule for rule in specified_rules if "Defer" not in rule.__name__ and "Stream" not in rule.__name__),
    MaybeNullValidationRule,
    OneOfInputValidationRule,
)
_RULES_WITHOUT_VARIABLES = tuple(rule for rule in _RULES if "Variable" not in rule.__name__)


class Recent(Generic[K, V]):
    """A mapping that forgets what was used longest ago once the weights together pass `capacity`."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._weight = 0
        self._items: dict[K, tuple[V, int]] = {}

    def get(self, key: K) -> V | None:
        item = self._items.pop(key, None)
        if item is None:
            return None
        self._items[key] = item
        return item[0]

    def put(self, key: K, value: V, weight: int = 1) -> None:
        previous = self._items.pop(key, None)
        if previous is not None:
            self._weight -= previous[1]
        if weight > self._capacity:
            return
        self._items[key] = (value, weight)
        self._weight += weight
        while self._weight > self._capacity:
            oldest = next(iter(self._items))
            self._weight -= self._items.pop(oldest)[1]

    def __len__(self) -> int:
        return len(self._items)


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One operation of a valid document. `deciding` names the variables that decide its shape (see `deciding`)."""

    document: DocumentNode
    node: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    deciding: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A valid document with its operations by name."""

    operations: Mapping[str, Operation]
    only: Operation | None

    def operation(self, name: str | None) -> Operation:
        """The operation to run; a `GraphQLError` where the request does not say which."""
        if not name:
            if self.only is None:
                raise GraphQLError("Must provide operation name if query contains multiple operations.")
            return self.only
        if name not in self.operations:
            raise GraphQLError("Unknown operation name.")
        return self.operations[name]


class Refused(Exception):
    """A request that is not run. `errors` are GraphQL errors, ready for JSON."""

    def __init__(self, found: list[dict[str, Any]]) -> None:
        super().__init__("refused")
        self.errors = found


class Documents:
    """Valid documents by text. Refused ones are remembered too, as their errors: a bad client repeats itself."""

    def __init__(self, schema: GraphQLSchema, limits: Limits) -> None:
        self._schema = schema
        self._limits = limits
        self._plain = Plain(schema)
        self._valid: Recent[str, Document] = Recent(_KNOWN_TEXT)
        self._refused: Recent[str, list[dict[str, Any]]] = Recent(_KNOWN_TEXT // 10)

    def get(self, text: str) -> Document:
        """The document with this text. Raises `Refused` where it is not valid or passes a limit."""
        known = self._valid.get(text)
        if known is not None:
            return known
        refused = self._refused.get(text)
        if refused is not None:
            raise Refused(refused)
        try:
            document = self._read(text)
        except Refused as refusal_:
            self._refused.put(text, refusal_.errors, len(text) + 1)
            raise
        self._valid.put(text, document, len(text))
        return document

    def _read(self, text: str) -> Document:
        _refuse(check_size(text, self._limits), "limit-size")
        # Locations are for refusals alone: without them reading is faster, and what is remembered takes a seventh of
        # the memory. A document that is refused is read again, with them.
        ast = self._parse(text, no_location=True)
        try:
            self._check(ast, text)
        except Refused:
            self._check(self._parse(text), text)
            raise
        return _document(ast)

    def _check(self, ast: DocumentNode, text: str) -> None:
        """Raises `Refused`."""
        _refuse(check_form(ast, self._limits), "limit")
        if self._plain.accepts(ast):
            return
        # The rules on variables walk the whole document again, a third of the time, where there can be none.
        rules = _RULES if "$" in text else _RULES_WITHOUT_VARIABLES
        _refuse(map(_explained, validate(self._schema, ast, rules, max_errors=_MAX_ERRORS)), "invalid-document")

    def _parse(self, text: str, *, no_location: bool = False) -> DocumentNode:
        tokens = self._limits.tokens
        try:
            return parse(text, no_location=no_location, max_lexical_tokens=tokens, max_comments=tokens)
        except GraphQLSyntaxError as error:
            if "Parsing aborted" in error.message:
                error = refusal("limit-tokens", tokens, tokens + 1)  # type: ignore[assignment]
            raise Refused([errors.of_request(error, "syntax-error")]) from None


def _refuse(found: Iterable[GraphQLError], code: str) -> None:
    refused = [errors.of_request(error, code) for error in found]
    if refused:
        raise Refused(refused)


def _explained(error: GraphQLError) -> GraphQLError:
    """The library says no more than this where a document passes one of its budgets."""
    if error.message == "Validation aborted.":
        return refusal("limit-complexity", _MAX_COMPLEXITY, _MAX_COMPLEXITY + 1)
    return error


def _document(ast: DocumentNode) -> Document:
    fragments = {node.name.value: node for node in ast.definitions if isinstance(node, FragmentDefinitionNode)}
    operations = [
        Operation(ast, node, fragments, deciding(node, fragments))
        for node in ast.definitions
        if isinstance(node, OperationDefinitionNode)
    ]
    named = {operation.node.name.value: operation for operation in operations if operation.node.name is not None}
    return Document(named, operations[0] if len(operations) == 1 else None)


def deciding(operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]) -> tuple[str, ...]:
    """The variables on which the shape of the answer depends: those of directives and of arguments below the root.

    Variables that are only arguments of root fields change values, not the shape, so one plan serves them all.
    """
    names: dict[str, None] = {}
    stack = [(operation.selection_set, True), *((fragment.selection_set, False) for fragment in fragments.values())]
    while stack:
        selections, root = stack.pop()
        for node in selections.selections:
            names.update(dict.fromkeys(_variables(node.directives or ())))
            if isinstance(node, FieldNode) and not root:
                names.update(dict.fromkeys(_variables(node.arguments or ())))
            below: SelectionSetNode | None = getattr(node, "selection_set", None)
            if below is not None:
                stack.append((below, False))
    return tuple(sorted(names))


def has_variables(nodes: tuple[ArgumentNode, ...] | None) -> bool:
    """Whether any of these arguments has a variable in it."""
    return next(_variables(nodes or ()), None) is not None


def _variables(nodes: tuple[ArgumentNode | DirectiveNode, ...]) -> Iterator[str]:
    """The names of the variables within arguments, or within the arguments of directives."""
    for node in nodes:
        if isinstance(node, DirectiveNode):
            yield from _variables(node.arguments or ())
        else:
            yield from _within(node.value)


def _within(value: ValueNode) -> Iterator[str]:
    if isinstance(value, VariableNode):
        yield value.name.value
    elif isinstance(value, ListValueNode):
        for item in value.values:
            yield from _within(item)
    elif isinstance(value, ObjectValueNode):
        for member in value.fields:
            yield from _within(member.value)
