"""Walks the selection sets of a valid document: which fields are wanted, merged as GraphQL says, and what they cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLAbstractType,
    GraphQLField,
    GraphQLIncludeDirective,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLSkipDirective,
    InlineFragmentNode,
    NamedTypeNode,
    SelectionNode,
    SelectionSetNode,
    VariableValues,
    get_argument_values,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_list_type,
    is_object_type,
)

from app.api.graphql.documents import has_variables
from app.api.graphql.limits import Limits
from app.domain.errors import Fault, Invalid
from app.domain.reading import DEFAULT_PAGE, MAX_PAGE, Pick

_CONDITIONS = {"skip": (GraphQLSkipDirective, False), "include": (GraphQLIncludeDirective, True)}

Fields = dict[str, list[FieldNode]]


@dataclass(frozen=True, slots=True, eq=False)
class Binding:
    """Arguments of a field below the root, whose values go into `Selection.values`."""

    definition: GraphQLField
    node: FieldNode
    names: tuple[str, ...]
    literal: tuple[Any, ...] | None

    def values(self, variables: VariableValues) -> tuple[Any, ...]:
        if self.literal is not None:
            return self.literal
        arguments = get_argument_values(self.definition, self.node, variables)
        return tuple(plain(arguments[name]) for name in self.names)


@dataclass(frozen=True, slots=True, eq=False)
class Walked:
    """What lies below a field: `size` picks in all.

    It costs `fixed`, plus `rows` for every row of its page where it is a connection.
    """

    picks: tuple[Pick, ...]
    bindings: tuple[Binding, ...]
    fixed: int
    rows: int
    size: int

    @property
    def literal(self) -> bool:
        return all(binding.literal is not None for binding in self.bindings)


class Walk:
    """One operation with its fragments and variables."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: VariableValues,
        limits: Limits,
    ) -> None:
        self.variables = variables
        self._schema = schema
        self._fragments = fragments
        self._limits = limits
        self._bindings: list[Binding] = []
        self._values = 0
        self._size = 0

    def below(self, definition: GraphQLField, nodes: list[FieldNode]) -> Walked:
        """Everything selected below these nodes, which are one field of the answer."""
        self._bindings, self._values, self._size = [], 0, 0
        type_ = get_named_type(definition.type)
        picks, fixed, rows = self._fields(type_, nodes, "first" in definition.args)
        return Walked(picks, tuple(self._bindings), fixed, rows, self._size)

    def cost(self, type_: GraphQLObjectType, selections: SelectionSetNode, rows: Mapping[str, int]) -> int:
        """The estimate for a whole operation. `rows` are those of root fields that are unpaged lists."""
        total = 0
        for nodes in self.collect(type_, [selections]).values():
            name = nodes[0].name.value
            definition = type_.fields.get(name)
            if definition is not None:
                cost = self._field(definition, nodes, paged=False)[1]
                total += cost * rows[name] // self._limits.list_rows if name in rows else cost
        return total

    def collect(self, type_: GraphQLObjectType, selection_sets: Iterable[SelectionSetNode]) -> Fields:
        """The fields of an object by response key, in the order of the answer."""
        grouped: Fields = {}
        seen: set[str] = set()
        for selections in selection_sets:
            self._collect(type_, selections, grouped, seen)
        return grouped

    def _collect(self, type_: GraphQLObjectType, selections: SelectionSetNode, grouped: Fields, seen: set[str]) -> None:
        for node in selections.selections:
            if node.directives and not self._included(node):
                continue
            if isinstance(node, FieldNode):
                key = node.alias.value if node.alias is not None else node.name.value
                grouped.setdefault(key, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                if self._applies(node.type_condition, type_):
                    self._collect(type_, node.selection_set, grouped, seen)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._fragments.get(node.name.value)
                if fragment is None or node.name.value in seen or not self._applies(fragment.type_condition, type_):
                    continue
                seen.add(node.name.value)
                self._collect(type_, fragment.selection_set, grouped, seen)

    def _included(self, node: SelectionNode) -> bool:
        for directive in node.directives or ():
            known = _CONDITIONS.get(directive.name.value)
            if known is not None:
                definition, wanted = known
                if get_argument_values(definition, directive, self.variables)["if"] is not wanted:
                    return False
        return True

    def _applies(self, condition: NamedTypeNode | None, type_: GraphQLObjectType) -> bool:
        if condition is None or condition.name.value == type_.name:
            return True
        wanted = self._schema.get_type(condition.name.value)
        return is_abstract_type(wanted) and self._schema.is_sub_type(wanted, type_)

    def _fields(
        self, type_: GraphQLNamedType, nodes: list[FieldNode], paged: bool
    ) -> tuple[tuple[Pick, ...], int, int]:
        """The picks of an object, their fixed cost, and their cost for each row of the page they belong to."""
        if is_abstract_type(type_):
            return (), self._dearest(type_, nodes), 0
        if not is_object_type(type_):
            return (), 0, 0
        picks: list[Pick] = []
        fixed = rows = 0
        selection_sets = [node.selection_set for node in nodes if node.selection_set is not None]
        for key, group in self.collect(type_, selection_sets).items():
            self._size += 1
            name = group[0].name.value
            if name == "__typename":
                picks.append(Pick(f"__typename:{type_.name}", key))
                fixed += 1
                continue
            definition = type_.fields[name]
            args = self._arguments(definition, group[0])
            below, once, each_row = self._field(definition, group, paged)
            picks.append(Pick(name, key, below, args))
            fixed += once
            rows += each_row
        return tuple(picks), fixed, rows

    def _field(
        self, definition: GraphQLField, nodes: list[FieldNode], paged: bool
    ) -> tuple[tuple[Pick, ...], int, int]:
        type_ = get_named_type(definition.type)
        if is_list_type(get_nullable_type(definition.type)):
            picks, fixed, _ = self._fields(type_, nodes, False)
            if paged:
                return picks, 0, fixed + 1
            return picks, 1 + fixed * self._limits.list_rows, 0
        connection = "first" in definition.args
        picks, fixed, rows = self._fields(type_, nodes, connection)
        return picks, 1 + fixed + rows * (self._first(definition, nodes[0]) if connection else 0), 0

    def _first(self, definition: GraphQLField, node: FieldNode) -> int:
        return page_size(get_argument_values(definition, node, self.variables), node.name.value)

    def _arguments(self, definition: GraphQLField, node: FieldNode) -> tuple[tuple[str, int], ...]:
        """The arguments of a field that have a value, each with the index of that value."""
        if not definition.args:
            return ()
        given = get_argument_values(definition, node, self.variables)
        names = tuple(name for name, value in given.items() if value is not None)
        if not names:
            return ()
        literal = None if has_variables(node.arguments) else tuple(plain(given[name]) for name in names)
        self._bindings.append(Binding(definition, node, names, literal))
        start = self._values
        self._values += len(names)
        return tuple((name, start + index) for index, name in enumerate(names))

    def _dearest(self, type_: GraphQLAbstractType, nodes: list[FieldNode]) -> int:
        possible = self._schema.get_possible_types(type_)
        return max((self._fields(member, nodes, False)[1] for member in possible), default=0)


def plain(value: Any) -> Any:
    """A value as the reader wants it: enums by their value, also within lists."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def page_size(arguments: Mapping[str, Any], name: str) -> int:
    """The argument `first` of a connection, by default 50."""
    first = arguments.get("first")
    if first is None:
        return DEFAULT_PAGE
    if not 1 <= first <= MAX_PAGE:
        raise Invalid([Fault("query", f"{name}.first", "out-of-range", f"first must be from 1 to {MAX_PAGE}.")])
    return int(first)
