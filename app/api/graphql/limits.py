"""What a query may ask: every limit with its refusal. Form is measured here, before validation; cost while selecting.

A refusal says what the limit is, what was found, and the cheaper way to the same answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

# Fragments may be chained without adding depth: this is how far a chain is followed before it counts as too deep.
_MAX_DESCENT = 100
# Spreading fragments can multiply fields beyond any integer of JSON.
_MANY = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a document (size … fields) and of an operation with its variables (cost).

    `fields` counts every field after fragments are spread. `list_rows` and `root_rows` are the rows that an unpaged
    list is taken to have, nested or at the root. Introspection has limits of its own: the query that GraphiQL sends
    is deep and wide, and would otherwise set the limits for everything else.
    """

    size: int = 100_000
    tokens: int = 2_000
    depth: int = 12
    aliases: int = 50
    alias_length: int = 60
    directives: int = 50
    root_fields: int = 20
    fields: int = 500
    introspection_depth: int = 20
    introspection_fields: int = 300
    cost: int = 50_000
    list_rows: int = 10
    root_rows: int = 100


_HINTS = {
    "limit-size": "Leave out what is not used, pass values as variables, or split the query.",
    "limit-tokens": "Name repeated parts in a fragment, pass values as variables, or split the query.",
    "limit-depth": "Ask for the nested resource by its own root field, in a second query.",
    "limit-aliases": "Ask once for a list with a filter instead of once for each item, or split the query.",
    "limit-alias-length": "Choose a shorter alias.",
    "limit-directives": "Send two queries instead of one with many conditions.",
    "limit-root-fields": "Ask once for a list with a filter instead of once for each item, or split the query.",
    "limit-fields": "Ask for fewer fields, or split the query.",
    "limit-introspection": "Read the schema in one plain introspection query, or from the published schema file.",
    "limit-complexity": "Select each field once, and use fewer fragments.",
    "limit-cost": "Ask for fewer rows (a smaller `first`, then page with `after`) or fewer lists within lists.",
}
_WHAT = {
    "limit-size": "characters of query text",
    "limit-tokens": "tokens",
    "limit-depth": "levels of fields",
    "limit-aliases": "aliases",
    "limit-alias-length": "characters in an alias",
    "limit-directives": "directives",
    "limit-root-fields": "root fields",
    "limit-fields": "fields",
    "limit-introspection": "fields or levels of introspection",
    "limit-complexity": "or more comparisons of fields and fragments",
    "limit-cost": "rows times fields",
}


def refusal(code: str, limit: int, found: int) -> GraphQLError:
    """The error for a passed limit."""
    return GraphQLError(
        f"This query has {found:,} {_WHAT[code]}; the limit is {limit:,}. {_HINTS[code]}",
        extensions={"code": code, "limit": limit, "found": found, "hint": _HINTS[code]},
    )


def check_size(text: str, limits: Limits) -> list[GraphQLError]:
    """The one limit that can be checked before parsing."""
    return [refusal("limit-size", limits.size, len(text))] if len(text) > limits.size else []


def check_form(document: DocumentNode, limits: Limits) -> list[GraphQLError]:
    """Every limit of form that this document passes. Runs before validation, so it trusts nothing, cycles included."""
    survey = _Survey(document)
    extents = [survey.extent(operation.selection_set, 0) for operation in survey.operations]
    found: list[tuple[str, int, int]] = [
        ("limit-depth", limits.depth, max((extent.depth for extent in extents), default=0)),
        ("limit-aliases", limits.aliases, survey.aliases),
        ("limit-alias-length", limits.alias_length, survey.alias_length),
        ("limit-directives", limits.directives, survey.directives),
        ("limit-root-fields", limits.root_fields, max((extent.width for extent in extents), default=0)),
        ("limit-fields", limits.fields, max((extent.fields for extent in extents), default=0)),
        ("limit-introspection", limits.introspection_depth, survey.introspection_depth),
        ("limit-introspection", limits.introspection_fields, survey.introspection_fields),
    ]
    return [refusal(code, limit, number) for code, limit, number in found if number > limit]


class Extent(NamedTuple):
    """How far a selection set reaches, fragments spread out: fields directly in it, levels, fields in all."""

    width: int
    depth: int
    fields: int


_NOTHING = Extent(0, 0, 0)
_TOO_DEEP = Extent(0, _MAX_DESCENT + 1, 0)


class _Survey:
    """Measures each selection set once, however often a fragment is spread, so that no document is slow to refuse."""

    def __init__(self, document: DocumentNode) -> None:
        definitions = document.definitions
        self.operations = [node for node in definitions if isinstance(node, OperationDefinitionNode)]
        self.fragments: Mapping[str, FragmentDefinitionNode] = {
            node.name.value: node for node in definitions if isinstance(node, FragmentDefinitionNode)
        }
        self.aliases = 0
        self.alias_length = 0
        self.directives = sum(len(node.directives or ()) for node in self.operations)
        self.introspection_depth = 0
        self.introspection_fields = 0
        self._known: dict[str, Extent] = {}

    def extent(self, selections: SelectionSetNode, descent: int) -> Extent:
        if descent > _MAX_DESCENT:
            return _TOO_DEEP
        width = depth = fields = 0
        for node in selections.selections:
            if node.directives:
                self.directives += len(node.directives)
            if isinstance(node, FieldNode):
                reach = self._field(node, descent)
            elif isinstance(node, InlineFragmentNode):
                reach = self.extent(node.selection_set, descent + 1)
            elif isinstance(node, FragmentSpreadNode):
                reach = self._fragment(node.name.value, descent)
            else:  # pragma: no cover - the grammar has no other selection
                continue
            width = min(width + reach.width, _MANY)
            depth = max(depth, reach.depth)
            fields = min(fields + reach.fields, _MANY)
        return Extent(width, depth, fields)

    def _field(self, node: FieldNode, descent: int) -> Extent:
        if node.alias is not None:
            self.aliases += 1
            self.alias_length = max(self.alias_length, len(node.alias.value))
        if node.selection_set is None:
            return Extent(1, 1, 1)
        within = self.extent(node.selection_set, descent + 1)
        if node.name.value in ("__schema", "__type"):
            self.introspection_depth = max(self.introspection_depth, within.depth + 1)
            self.introspection_fields += within.fields + 1
            return Extent(1, 1, 1)
        return Extent(1, within.depth + 1, within.fields + 1)

    def _fragment(self, name: str, descent: int) -> Extent:
        fragment = self.fragments.get(name)
        if fragment is None:
            return _NOTHING
        if name not in self._known:
            self._known[name] = _NOTHING  # a cycle ends here; validation refuses it
            self.directives += len(fragment.directives or ())
            self._known[name] = self.extent(fragment.selection_set, descent + 1)
        return self._known[name]
