"""The rows of a page where filters are rare: found by an index that begins with the filter, in place of the whole order.

Whole rows are fetched for these alone: to tell apart 500 rows with their texts took 5 ms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import FromClause, Select, func, lateral, literal_column, select, true, union_all

from app.domain.reading import Shape
from app.infra.json_sql import Expression, beyond

if TYPE_CHECKING:
    from app.infra.projection import Context, Key, Rows, View, Walk

MOST_COLLECTED = 4_000
"""Rows. Beyond these a filter is not rare: in a million it holds for one in 250, and the order is walked until a page is
full. To collect them takes some 6 ms, to walk that far some 12."""


def conditions(
    view: View, rows: Rows, cx: Context, given: Mapping[str, Expression], but: Sequence[str] = ()
) -> list[Expression]:
    """The conditions of the filters given, and those that the rows come with."""
    return [
        *rows.where,
        *(view.filters[name].on(cx, rows.row.c, value) for name, value in given.items() if name not in but),
    ]


def after(shape: Shape, keys: Sequence[Key], row: Any, cx: Context) -> list[Expression]:
    """Beyond the cursor, where there is one."""
    if not shape.after:
        return []
    parts = [cx.cursor_part(index, key.type_) for index, key in enumerate(keys)]
    return [beyond([row[key.column] for key in keys], parts, shape.sort.startswith("-"))]


def ordered(shape: Shape, keys: Sequence[Key], row: Any) -> list[Expression]:
    columns = [row[key.column] for key in keys]
    return [column.desc() if shape.sort.startswith("-") else column.asc() for column in columns]


def walked(
    shape: Shape, view: View, walk: Walk, cx: Context, given: Mapping[str, Expression], limit: Expression
) -> FromClause:
    """The sort keys of the rows of a page, each once: from few keys or rows by the walk, from many by the whole order. The
    branch that is not taken is never begun."""
    sort = view.sorts[shape.sort.removeprefix("-")]
    keys = walk.keys(cx, given).cte(f"keys{cx.position}")
    near, far = view.rows(cx, given), view.rows(cx, given)
    joined, tie = walk.rows(near.row, keys.c)
    found = _chosen(shape, sort, near, near.row if joined is None else joined, cx).where(
        tie, *conditions(view, near, cx, given, walk.filters)
    )
    if shape.sort.removeprefix("-") in walk.sorts:
        most, few = walk.most, keys
        each = lateral(found.order_by(*ordered(shape, sort, near.row.c)).limit(limit).correlate(keys))
        by_walk = select(*each.c).select_from(keys.join(each, true()))
    else:
        most = MOST_COLLECTED
        # The limit of each keeps the planner to the index: without it, it read the whole table to join it with the keys.
        enough: Expression = literal_column(str(most + 1))
        each = lateral(found.limit(enough).correlate(keys))
        few = select(*each.c).select_from(keys.join(each, true())).limit(enough).cte(f"few{cx.position}")
        by_walk = select(*few.c)
    at_most: Expression = literal_column(str(most))
    many = select(func.count()).select_from(few).scalar_subquery()
    whole = (
        _chosen(shape, sort, far, far.row, cx)
        .where(many > at_most, *conditions(view, far, cx, given))
        .order_by(*ordered(shape, sort, far.row.c))
        .limit(limit)
        .subquery()
    )
    both = union_all(by_walk.where(many <= at_most), select(*whole.c)).subquery()
    return select(*both.c).distinct().order_by(*ordered(shape, sort, both.c)).limit(limit).subquery()


def _chosen(shape: Shape, sort: Sequence[Key], rows: Rows, source: FromClause, cx: Context) -> Select[*tuple[Any, ...]]:
    columns = rows.row.c
    return select(*(columns[key.column] for key in sort)).select_from(source).where(*after(shape, sort, columns, cx))
