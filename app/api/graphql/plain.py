"""Documents of the plain kind, found valid in one walk.

Most documents are one operation without fragments and directives. Of those, most of what validation looks for cannot be
wrong, and the rest is seen by walking along the types once: in a tenth of the time. What is not plain, or not valid,
is left to the whole validation, which also says what is wrong. So this only ever says yes or nothing, and may say yes
only where the whole validation finds no fault.
"""

from __future__ import annotations

from typing import NoReturn

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    GraphQLArgument,
    GraphQLError,
    GraphQLField,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLType,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    get_named_type,
    is_input_object_type,
    is_input_type,
    is_leaf_type,
    is_required_argument,
    type_from_ast,
)
from graphql.utilities.validate_input_value import validate_input_literal
from graphql.validation.rules.variables_in_allowed_position import allowed_variable_usage

_DEEPEST_VALUE = 8

# The fields of a type by name: the definition, the type below it, None for a leaf, and the arguments that must be there.
Known = dict[str, tuple[GraphQLField, GraphQLNamedType | None, tuple[str, ...]]]


class _Misfit(Exception):
    """A way out at the first fault: a hostile value has thousands."""


def _misfit(error: GraphQLError, _: list[str | int]) -> NoReturn:
    raise _Misfit from error


class Plain:
    """Knows the plain documents of a schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._fields: dict[str, Known] = {
            name: {key: _prepared(field) for key, field in type_.fields.items()}
            for name, type_ in schema.type_map.items()
            if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) and not name.startswith("__")
        }
        # An input with exactly one of its fields has rules of its own.
        self._takes_objects = not any(map(_is_one_of, schema.type_map.values()))

    def accepts(self, document: DocumentNode) -> bool:
        """Whether this is a plain document without a fault. The limits of form must have been checked."""
        if len(document.definitions) != 1:
            return False
        operation = document.definitions[0]
        if not isinstance(operation, OperationDefinitionNode) or operation.directives:
            return False
        root = self._schema.get_root_type(operation.operation)
        if root is None or operation.operation is OperationType.SUBSCRIPTION:
            return False
        check = _Check(self._schema, self._fields, self._takes_objects)
        return check.variables(operation.variable_definitions or ()) and check.fields(root, operation.selection_set)


def _is_one_of(type_: GraphQLNamedType) -> bool:
    """Strawberry keeps it to itself."""
    ours = type_.extensions.get("strawberry-definition")
    return is_input_object_type(type_) and (type_.is_one_of or bool(getattr(ours, "is_one_of", False)))


def _prepared(field: GraphQLField) -> tuple[GraphQLField, GraphQLNamedType | None, tuple[str, ...]]:
    below = get_named_type(field.type)
    required = tuple(name for name, argument in field.args.items() if is_required_argument(argument))
    return field, None if is_leaf_type(below) else below, required


class _Check:
    """The walk through one operation."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fields: dict[str, Known],
        takes_objects: bool,
    ) -> None:
        self._schema = schema
        self._fields = fields
        self._takes_objects = takes_objects
        self._variables: dict[str, tuple[GraphQLType, ValueNode | None]] = {}
        self._unused: set[str] = set()

    def variables(self, definitions: tuple[VariableDefinitionNode, ...]) -> bool:
        """Each of another name and of a type that goes in, with a default that fits."""
        for node in definitions:
            name = node.variable.name.value
            type_ = type_from_ast(self._schema, node.type)
            if node.directives or name in self._variables or not is_input_type(type_):
                return False
            if node.default_value is not None and not self._fits(node.default_value, type_):
                return False
            self._variables[name] = type_, node.default_value
        self._unused = set(self._variables)
        return True

    def fields(self, type_: GraphQLNamedType, selections: SelectionSetNode) -> bool:
        """The whole operation: every field below the root, and then every variable used."""
        return self._below(type_, selections) and not self._unused

    def _below(self, type_: GraphQLNamedType, selections: SelectionSetNode) -> bool:
        known = self._fields.get(type_.name)
        if known is None or not selections.selections:
            return False
        keys: set[str] = set()
        for node in selections.selections:
            if not isinstance(node, FieldNode) or node.directives or not self._field(known, node):
                return False
            keys.add(node.name.value if node.alias is None else node.alias.value)
        return len(keys) == len(selections.selections)  # what has one name only cannot be in conflict

    def _field(self, known: Known, node: FieldNode) -> bool:
        name = node.name.value
        if name == "__typename":
            return not node.arguments and node.selection_set is None
        found = known.get(name)
        if found is None:  # so are `__schema` and `__type`, which have limits of their own
            return False
        definition, below, required = found
        if (node.arguments or required) and not self._arguments(definition.args, node.arguments or (), required):
            return False
        if below is None or node.selection_set is None:
            return below is None and node.selection_set is None
        return self._below(below, node.selection_set)

    def _arguments(
        self, known: dict[str, GraphQLArgument], given: tuple[ArgumentNode, ...], required: tuple[str, ...]
    ) -> bool:
        names: set[str] = set()
        for node in given:
            name = node.name.value
            argument = known.get(name)
            if argument is None or name in names:
                return False
            names.add(name)
            fits = self._takes if isinstance(node.value, VariableNode) else self._fits_argument
            if not fits(node.value, argument):  # type: ignore[arg-type]
                return False
        return names.issuperset(required)

    def _takes(self, value: VariableNode, argument: GraphQLArgument) -> bool:
        """Whether a variable may stand here. Only as the whole value: within lists and objects is not plain."""
        variable = self._variables.get(value.name.value)
        if variable is None:
            return False
        self._unused.discard(value.name.value)
        type_, default = variable
        otherwise = argument.default if argument.default is not None else argument.default_value
        return allowed_variable_usage(self._schema, type_, default, argument.type, otherwise)

    def _fits_argument(self, value: ValueNode, argument: GraphQLArgument) -> bool:
        return self._fits(value, argument.type)

    def _fits(self, value: ValueNode, type_: GraphQLInputType) -> bool:
        if not self._is_simple(value, 0):
            return False
        try:
            validate_input_literal(value, type_, _misfit, hide_suggestions=True)
        except _Misfit:
            return False
        return True

    def _is_simple(self, value: ValueNode, depth: int) -> bool:
        """No null and no variable in it, and no member of an object twice: these have rules of their own."""
        if depth > _DEEPEST_VALUE or isinstance(value, NullValueNode | VariableNode):
            return False
        if isinstance(value, ListValueNode):
            return all(self._is_simple(item, depth + 1) for item in value.values)
        if isinstance(value, ObjectValueNode):
            names = {member.name.value for member in value.fields}
            return (
                self._takes_objects
                and len(names) == len(value.fields)
                and all(self._is_simple(member.value, depth + 1) for member in value.fields)
            )
        return True
