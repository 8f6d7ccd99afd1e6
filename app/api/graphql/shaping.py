"""Answers that a use case made, in the shape that a query selects, as finished JSON: 15,000 items are too many for
resolvers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from graphql import VariableValues
from strawberry import Info

from app.api.graphql.executing import Ready
from app.api.graphql.limits import Limits
from app.api.graphql.walking import Walk
from app.domain.reading import Pick


def ready(info: Info, found: Any) -> Any:
    """An object or a list of them, with the members selected."""
    raw = info._raw_info  # noqa: SLF001 - fragments and field nodes are nowhere else
    coerced: Any = raw.variable_values
    definition = raw.parent_type.fields[raw.field_name]
    walk = Walk(raw.schema, raw.fragments, VariableValues({}, coerced), Limits())
    return Ready(orjson.dumps(_shaped(found, walk.below(definition, list(raw.field_nodes)).picks)))


def _shaped(item: Any, picks: Sequence[Pick]) -> Any:
    if item is None or not picks:
        return item
    if isinstance(item, list | tuple):
        return [_shaped(each, picks) for each in item]
    return {
        pick.key: pick.name.partition(":")[2]
        if pick.name.startswith("__typename")
        else _shaped(item.get(pick.name), pick.picks)
        for pick in picks
    }
