"""Selection → one SQL statement → JSON text, made by PostgreSQL.

A noun declares a `View`: where its rows come from, its fields and edges as SQL expressions, filters and sort orders.
`compile_shapes` turns shapes into one statement, whose columns are the JSON of each selection; the statement is
cached by shape, without values. Nothing on this path builds Python objects from rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    Date,
    FromClause,
    Integer,
    Select,
    Text,
    bindparam,
    case,
    cast,
    func,
    lateral,
    literal_column,
    null,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from app.domain.reading import EdgeShape, Language, NounShape, Pick, Shape
from app.infra.json_sql import Expression, array, beyond, build, constant, page_info, signed_cursor

_dialect = postgresql.asyncpg.dialect()  # type: ignore[no-untyped-call]


class Context:
    """What the expressions of one selection may use: its language, its date and its values, all as parameters."""

    def __init__(self, position: int, language: Language) -> None:
        self.position = position
        self.language = language

    @property
    def as_of(self) -> Expression:
        """The date that the selection is read as of."""
        return bindparam(f"s{self.position}_as_of", type_=Date)

    def value(self, index: int, type_: TypeEngine[Any] | type[TypeEngine[Any]] = Text) -> Expression:
        """The value with this index in `Selection.values`."""
        return bindparam(f"s{self.position}_v{index}", type_=type_)

    def cursor_part(self, index: int, type_: TypeEngine[Any]) -> Expression:
        return bindparam(f"s{self.position}_c{index}", type_=type_)

    def label(self, row: Any, name: str) -> Expression:
        """The column `name_nl` or `name_en` of a row, by the language asked for."""
        column: Expression = getattr(row, f"{name}_{self.language}")
        return column


@dataclass(frozen=True, slots=True)
class Rows:
    """Where the rows of a view or an edge come from. `row` has the columns; `order` sorts an edge's items."""

    row: FromClause
    where: tuple[Expression, ...] = ()
    order: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class Key:
    """One column of a sort order. The last key of an order must be unique, so that a cursor names one place."""

    column: str
    type_: TypeEngine[Any]


@dataclass(frozen=True, slots=True)
class Edge:
    """From a row of one view to rows of another. `args` are the arguments it takes, with their SQL types."""

    noun: str
    rows: Callable[[Context, Any, Mapping[str, Expression]], Rows]
    many: bool = True
    args: Mapping[str, TypeEngine[Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on the rows of a view. `codes` names what a value must be a code of (see `infra/reader.py`)."""

    on: Callable[[Context, Any, Expression], Expression]
    type_: TypeEngine[Any] = field(default_factory=Text)
    codes: str | None = None
    walk: Walk | None = None


@dataclass(frozen=True, slots=True)
class Walk:
    """How a rare filter is found fast: for each key of `keys(cx, value)` (one column `key`) the first rows in order, from
    an index that begins with the key; then merged. A condition would walk the whole order until a page is full.

    `rows(cx, row, key)` gives what to join to the view's row, and the condition that ties both to the key. With more
    than `most` keys the condition of the filter is better.
    """

    keys: Callable[[Context, Expression], Select[*tuple[Any, ...]]]
    rows: Callable[[Context, FromClause, Expression], tuple[FromClause | None, Expression]]
    most: int = 40


@dataclass(frozen=True, slots=True)
class View:
    """A noun, said once. The names are those of the JSON, in REST and GraphQL alike."""

    noun: str
    rows: Callable[[Context, Mapping[str, Expression]], Rows]
    fields: Mapping[str, Callable[[Context, Any], Expression]]
    edges: Mapping[str, Edge] = field(default_factory=dict)
    filters: Mapping[str, Filter] = field(default_factory=dict)
    sorts: Mapping[str, tuple[Key, ...]] = field(default_factory=dict)
    version: Callable[[Any], Expression] | None = None
    order: str | None = None
    # A filter that finds few rows by itself: with it, nothing is walked.
    finds: str | None = None

    def shape(self) -> NounShape:
        edges = {name: EdgeShape(edge.noun, edge.many, tuple(edge.args)) for name, edge in self.edges.items()}
        coded = {name: filter_.codes for name, filter_ in self.filters.items() if filter_.codes}
        order = self.order or next(iter(self.sorts), "")
        return NounShape(frozenset(self.fields), edges, frozenset(self.filters), tuple(self.sorts), coded, order)


@dataclass(frozen=True, slots=True)
class Statement:
    """Compiled text with the names of its parameters in order: `s<selection>_v<value>`, `_as_of`, `_c<cursor part>`,
    and `cursor_secret`, `cursor_expiry`, `s<selection>_bind`. `constants` are those that no request decides."""

    sql: str
    parameters: tuple[str, ...]
    constants: Mapping[str, Any]


class Projection:
    """Compiles shapes against the views of all nouns."""

    def __init__(self, views: Sequence[View]) -> None:
        self.views = {view.noun: view for view in views}

    def compile(self, shapes: Sequence[Shape], language: Language, *, actor: bool = False) -> Statement:
        """One statement for all shapes: three columns each (body, next cursor, version).

        With `actor` the reader's settings travel in the statement itself, before anything is read: `offset 0` keeps the
        planner from moving them. Should it ever read first, row-level security sees an anonymous reader.
        """
        selects = [self._select(shape, Context(position, language)) for position, shape in enumerate(shapes)]
        return self.finish(selects, actor=actor)

    def finish(self, selects: Sequence[Select[*tuple[Any, ...]]], *, actor: bool = False) -> Statement:
        """One statement with the columns of all selects, each of which gives one row or none."""
        source: FromClause = (_actor() if actor else select(literal_column("1").label("one"))).subquery("one")
        columns: list[Expression] = []
        for position, part in enumerate(selects):
            beside = lateral(part, f"s{position}")
            source, columns = source.outerjoin(beside, true()), [*columns, *beside.c]
        statement = select(*(column.label(f"c{i}") for i, column in enumerate(columns))).select_from(source)
        compiled = statement.compile(dialect=_dialect, compile_kwargs={"render_postcompile": True})
        constants = {name: value for name, value in compiled.params.items() if value is not None}
        return Statement(str(compiled), tuple(compiled.positiontup or ()), constants)

    def _select(self, shape: Shape, cx: Context) -> Select[*tuple[Any, ...]]:
        view = self.views[shape.noun]
        given = {name: cx.value(index, view.filters[name].type_) for name, index in shape.filters}
        rows = view.rows(cx, given)
        where = _where(view, rows, cx, given)
        if shape.kind == "one":
            return self._one(shape, view, rows, where, cx)
        if shape.kind == "list":
            return self._list(shape, view, rows, where, cx)
        return self._page(shape, view, rows, where, cx, given)

    def _one(
        self, shape: Shape, view: View, rows: Rows, where: list[Expression], cx: Context
    ) -> Select[*tuple[Any, ...]]:
        version = view.version(rows.row.c) if view.version else cast(null(), Integer)
        body = self._object(view, shape.picks, rows.row.c, cx)
        found = select(body.label("body"), version.label("version")).select_from(rows.row).where(*where).limit(1)
        one = found.subquery()
        return select(one.c.body, cast(null(), Text).label("next"), one.c.version)

    def _list(
        self, shape: Shape, view: View, rows: Rows, where: list[Expression], cx: Context
    ) -> Select[*tuple[Any, ...]]:
        items = array(self._object(view, shape.picks, rows.row.c, cx), rows.order)
        return (
            select(items.label("body"), cast(null(), Text).label("next"), cast(null(), Integer).label("version"))
            .select_from(rows.row)
            .where(*where)
        )

    def _page(
        self,
        shape: Shape,
        view: View,
        rows: Rows,
        where: list[Expression],
        cx: Context,
        given: Mapping[str, Expression],
    ) -> Select[*tuple[Any, ...]]:
        descending = shape.sort.startswith("-")
        keys = view.sorts[shape.sort.removeprefix("-")]
        limit: Expression = literal_column(str(shape.first + 1))
        walked = next((name for name, filter_ in view.filters.items() if filter_.walk and name in given), None)
        if walked is not None and view.finds not in given:
            found = _walked(shape, view, cx, given, walked, limit)
            source: FromClause = rows.row.join(found, rows.row.c[keys[-1].column] == found.c[keys[-1].column])
            inner = select(rows.row).select_from(source).subquery()
        else:
            beyond = _after(shape, keys, rows.row.c, cx)
            order = _ordered(shape, keys, rows.row.c)
            inner = select(rows.row).where(*where, *beyond).order_by(*order).limit(limit).subquery()
        inner_order = [c.desc() if descending else c.asc() for c in (inner.c[key.column] for key in keys)]
        place = func.row_number().over(order_by=inner_order).label("place")
        page = select(inner, place).subquery()
        shown = page.c.place <= literal_column(str(shape.first))
        cursor = signed_cursor([page.c[key.column] for key in keys], f"s{cx.position}_bind")
        more = func.count() > literal_column(str(shape.first))
        last = func.max(cursor).filter(page.c.place == literal_column(str(shape.first)))
        following = case((more, last), else_=null())
        if shape.kind == "page":
            body = array(self._object(view, shape.picks, page.c, cx), (page.c.place,), shown)
        else:
            body = self._connection(shape, view, page.c, cursor, shown, more, cx)
        return select(body.label("body"), following.label("next"), cast(null(), Integer).label("version")).select_from(
            page
        )

    def _connection(
        self, shape: Shape, view: View, row: Any, cursor: Expression, shown: Expression, more: Expression, cx: Context
    ) -> Expression:
        """A Relay connection: the picks are `nodes`, `edges` and `pageInfo`; cursors are made and signed in SQL."""
        pairs: list[tuple[str, Expression]] = []
        for pick in shape.picks:
            if pick.name == "nodes":
                value = array(self._object(view, pick.picks, row, cx), (row.place,), shown)
            elif pick.name == "edges":
                value = array(self._edge_object(view, pick.picks, row, cursor, cx), (row.place,), shown)
            elif pick.name == "pageInfo":
                value = page_info(pick.picks, row, cursor, shown, more, shape)
            else:
                value = constant(pick.name)
            pairs.append((pick.key, value))
        return build(pairs)

    def _edge_object(self, view: View, picks: Sequence[Pick], row: Any, cursor: Expression, cx: Context) -> Expression:
        def value(pick: Pick) -> Expression:
            if pick.name == "node":
                return self._object(view, pick.picks, row, cx)
            return cursor if pick.name == "cursor" else constant(pick.name)

        return build([(pick.key, value(pick)) for pick in picks])

    def pick(self, noun: str, pick: Pick, row: Any, cx: Context) -> Expression:
        """One member of the JSON of a row."""
        return self._pick(self.views[noun], pick, row, cx)

    def _object(self, view: View, picks: Sequence[Pick], row: Any, cx: Context) -> Expression:
        return build([(pick.key, self._pick(view, pick, row, cx)) for pick in picks])

    def _pick(self, view: View, pick: Pick, row: Any, cx: Context) -> Expression:
        if pick.name in view.fields:
            return view.fields[pick.name](cx, row)
        if pick.name not in view.edges:
            return constant(pick.name)
        edge = view.edges[pick.name]
        args = {name: cx.value(index, edge.args[name]) for name, index in pick.args}
        rows = edge.rows(cx, row, args)
        item = self._object(self.views[edge.noun], pick.picks, rows.row.c, cx)
        if edge.many:
            return select(array(item, rows.order)).select_from(rows.row).where(*rows.where).scalar_subquery()
        return select(item).select_from(rows.row).where(*rows.where).limit(literal_column("1")).scalar_subquery()


def _actor() -> Select[*tuple[Any, ...]]:
    """Who reads, for the policies of row-level security."""

    def setting(name: str, value: Expression) -> Expression:
        return func.set_config(literal_column(f"'app.{name}'"), value, literal_column("true")).label(name)

    mask = func.reader_mask(bindparam("actor_role", type_=Text), bindparam("actor_umbrella", type_=Text))
    hub = func.hub_number(bindparam("actor_hub", type_=Text))
    return select(
        setting("mask", cast(mask, Text)), setting("hub", func.coalesce(cast(hub, Text), literal_column("''")))
    ).offset(literal_column("0"))


def _where(view: View, rows: Rows, cx: Context, given: Mapping[str, Expression], but: str = "") -> list[Expression]:
    """The conditions of the filters given, and those that the rows come with."""
    filters = [view.filters[name].on(cx, rows.row.c, value) for name, value in given.items() if name != but]
    return [*rows.where, *filters]


def _after(shape: Shape, keys: Sequence[Key], row: Any, cx: Context) -> list[Expression]:
    """Beyond the cursor, where there is one."""
    if not shape.after:
        return []
    parts = [cx.cursor_part(index, key.type_) for index, key in enumerate(keys)]
    return [beyond([row[key.column] for key in keys], parts, shape.sort.startswith("-"))]


def _ordered(shape: Shape, keys: Sequence[Key], row: Any) -> list[Expression]:
    columns = [row[key.column] for key in keys]
    return [column.desc() if shape.sort.startswith("-") else column.asc() for column in columns]


def _walked(
    shape: Shape, view: View, cx: Context, given: Mapping[str, Expression], name: str, limit: Expression
) -> FromClause:
    """The sort keys of the rows of a page, each once. Whole rows are fetched for these alone: to tell apart 500 rows with
    their texts took 5 ms.

    With few keys the first rows of each are merged; with many the order is walked. The other branch is never begun.
    """
    walk, sort = view.filters[name].walk, view.sorts[shape.sort.removeprefix("-")]
    assert walk is not None
    keys = walk.keys(cx, given[name]).cte(f"keys{cx.position}")
    many = select(func.count()).select_from(keys).scalar_subquery()
    few, most = view.rows(cx, given), view.rows(cx, given)

    def page(rows: Rows, source: FromClause, *where: Expression) -> Select[*tuple[Any, ...]]:
        columns = rows.row.c
        chosen = select(*(columns[key.column] for key in sort)).select_from(source)
        return (
            chosen.where(*where, *_after(shape, sort, columns, cx))
            .order_by(*_ordered(shape, sort, columns))
            .limit(limit)
        )

    joined, tie = walk.rows(cx, few.row, keys.c.key)
    source = few.row if joined is None else joined
    each = lateral(page(few, source, tie, *_where(view, few, cx, given, name)).correlate(keys))
    at_most: Expression = literal_column(str(walk.most))
    merged = select(*each.c).select_from(keys.join(each, true())).where(many <= at_most)
    whole = page(most, most.row, many > at_most, *_where(view, most, cx, given)).subquery()
    found = union_all(merged, select(*whole.c)).subquery()
    return select(*found.c).distinct().order_by(*_ordered(shape, sort, found.c)).limit(limit).subquery()
