"""The vocabularies (workfields, umbrellas, themes, ladder levels …) as views on one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import SmallInteger, Text, func, literal_column

from app.infra.json_sql import Expression
from app.infra.projection import Context, Edge, Filter, Key, Rows, View
from app.infra.tables import term


def term_rows(vocabulary: str, *where: Callable[[Any], Expression]) -> Rows:
    """The terms of one vocabulary, in its own order."""
    row = term.alias()
    conditions = tuple(condition(row.c) for condition in where)
    return Rows(row, (row.c.vocabulary == literal_column(f"'{vocabulary}'"), *conditions), (row.c.rank, row.c.code))


def term_edge(vocabulary: str, column: str) -> Edge:
    """To the term whose code is in this column."""
    return Edge(
        vocabulary, lambda cx, row, args: term_rows(vocabulary, lambda t: t.code == getattr(row, column)), many=False
    )


_WORKFIELDS = Edge("workfield", lambda cx, row, args: term_rows("workfield", lambda t: t.code == row.workfields.any_()))
_WORKFIELD = Edge(
    "workfield", lambda cx, row, args: term_rows("workfield", lambda t: t.code == row.workfields[1]), many=False
)


def _children(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    return term_rows("theme", lambda t: t.parent == row.code)


def _parent(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    return term_rows("theme", lambda t: t.code == row.parent)


def _rungs(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    """Of the national ladder its levels are the rungs, and they are a vocabulary of their own."""
    return term_rows("participation-rung", lambda t: t.framework == row.code)


def _view(
    vocabulary: str,
    fields: Mapping[str, Callable[[Context, Any], Expression]] | None = None,
    edges: Mapping[str, Edge] | None = None,
    filters: Mapping[str, Filter] | None = None,
) -> View:
    return View(
        noun=vocabulary,
        rows=lambda cx, given: term_rows(vocabulary),
        fields={
            "code": lambda cx, r: r.code,
            "label": lambda cx, r: cx.label(r, "label"),
            "description": lambda cx, r: cx.label(r, "description"),
            **(fields or {}),
        },
        edges=edges or {},
        filters={"code": Filter(lambda cx, r, v: r.code == v), **(filters or {})},
        sorts={"rank": (Key("rank", SmallInteger()), Key("code", Text()))},
    )


_TOP = Filter(lambda cx, r, v: r.parent.is_not_distinct_from(func.nullif(v, "")))

TERM_VIEWS = (
    _view("workfield"),
    _view("umbrella", edges={"workfield": _WORKFIELD}),
    _view(
        "theme",
        fields={"basis": lambda cx, r: r.basis},
        edges={
            "workfields": _WORKFIELDS,
            "children": Edge("theme", _children),
            "parent": Edge("theme", _parent, many=False),
        },
        filters={"parent": _TOP},
    ),
    _view(
        "participation-level",
        fields={"rank": lambda cx, r: r.rank, "example": lambda cx, r: cx.label(r, "example")},
        edges={"nearestRole": term_edge("participation-role", "nearest_role")},
    ),
    _view("participation-role", fields={"rank": lambda cx, r: r.rank}),
    _view("participation-phase", fields={"rank": lambda cx, r: r.rank}),
    _view("participation-method"),
    _view("participation-ladder", edges={"rungs": Edge("participation-rung", _rungs)}),
    _view(
        "participation-rung",
        fields={"rank": lambda cx, r: r.rank},
        edges={"level": term_edge("participation-level", "level")},
    ),
    _view(
        "participation-condition",
        fields={"framework": lambda cx, r: r.framework, "mode": lambda cx, r: r.basis},
    ),
    _view(
        "participant-group",
        fields={
            "side": lambda cx, r: r.side,
            "organised": lambda cx, r: r.organised,
            "underRepresented": lambda cx, r: r.under_represented,
        },
        edges={"workfield": _WORKFIELD},
    ),
    _view("channel"),
)
