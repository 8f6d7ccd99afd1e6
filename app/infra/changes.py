"""The change log: its read view, one page of it in one statement, and digests of what it leads to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Select,
    SmallInteger,
    Table,
    Text,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal_column,
    null,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql

from app.domain.access import Actor
from app.domain.changes import OPS, TYPES, Entry, Page, Pull
from app.domain.reading import Language, Pick
from app.infra import change_cursors as cursors
from app.infra.database import Database
from app.infra.hubs import hub_edge
from app.infra.json_sql import Expression, array, build
from app.infra.projection import Context, Edge, Projection, Rows, Statement, View
from app.infra.question_tables import question
from app.infra.reader import Signer, acting
from app.infra.signal_tables import bundle, change, epoch, log_mark, signal
from app.infra.tables import hub
from app.infra.times import moment

MOST_STATEMENTS = 50


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of the log and where it lives. `key` is the column that an entry leads to: an id, or the text in
    `resource_key`. `owner` is the column with the number of its hub, `external` that of the hub's own id."""

    type: str
    noun: str | None = None
    table: Table | None = None
    key: str = "id"
    owner: str | None = "hub_id"
    external: str | None = None

    @property
    def code(self) -> Expression:
        return literal_column(str(TYPES[self.type]))

    @property
    def by_text(self) -> bool:
        return self.key != "id"

    def leads(self, row: Any, target: Any) -> Expression:
        """Whether the entry `row` is of this very row of the noun."""
        entry = row.resource_key if self.by_text else row.resource_id
        return and_(target[self.key] == entry, row.type == self.code, row.op == literal_column(str(OPS["upsert"])))


KINDS: tuple[Kind, ...] = (
    Kind("signal", "signal", signal, external="external_id"),
    Kind("question", "question", question, external="external_id"),
    Kind("hub", "hub", hub, key="slug", owner="id"),
    Kind("reference-data", key="edition"),
    Kind("bundle", "bundle", bundle, owner=None),
)


def _id(cx: Context, row: Any) -> Expression:
    by_text: list[Expression] = [literal_column(str(TYPES[kind.type])) for kind in KINDS if kind.by_text]
    return case((row.type.in_(by_text), row.resource_key), else_=cast(row.resource_id, Text))


def _external_id(cx: Context, row: Any) -> Expression:
    """From the resource; of one that was deleted from its tombstone."""
    choices = []
    for kind in KINDS:
        if kind.external is None or kind.table is None:
            continue
        t = kind.table.alias()
        its = select(t.c[kind.external]).where(kind.leads(row, t.c)).scalar_subquery()
        choices.append((row.type == kind.code, func.coalesce(row.resource_key, its)))
    return case(*choices, else_=null())


def _named(column: str, codes: Mapping[str, int]) -> Callable[[Context, Any], Expression]:
    names: dict[int, Expression] = {code: literal_column(f"'{name}'") for name, code in codes.items()}
    return lambda cx, row: case(
        *((getattr(row, column) == literal_column(str(code)), name) for code, name in names.items())
    )


def _edge(kind: Kind) -> Edge:
    assert kind.table is not None
    assert kind.noun is not None
    table, noun = kind.table, kind.noun

    def rows(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
        found = _rows_of(noun, table)
        return Rows(found, (kind.leads(row, found.c),))

    return Edge(noun, rows, many=False)


def _rows_of(noun: str, table: Table) -> Any:
    """The rows that a view's expressions expect: what can be searched comes with what a search would add."""
    if noun in ("signal", "question"):
        s = table.alias()
        return select(s, literal_column("0::real").label("rank"), cast(null(), Text).label("words")).subquery()
    return table.alias()


CHANGE = View(
    noun="change",
    rows=lambda cx, given: Rows(change.alias()),
    fields={
        "type": _named("type", TYPES),
        "id": _id,
        "externalId": _external_id,
        "version": lambda cx, r: r.version,
        "op": _named("op", OPS),
        "at": lambda cx, r: moment(r.at),
        "cursor": lambda cx, r: cursors.in_sql(_present(), _final(), (r.epoch, r.xact_id, r.seq)),
    },
    edges={
        "hub": hub_edge("owner_hub"),
        **{kind.noun: _edge(kind) for kind in KINDS if kind.noun is not None and kind.noun != "hub"},
    },
)


def _present() -> Expression:
    return select(func.max(epoch.c.id)).scalar_subquery()


def _snapshot(end: str) -> Expression:
    text = cast(getattr(func, f"pg_snapshot_{end}")(func.pg_current_snapshot()), Text)
    return select(cast(text, BigInteger)).scalar_subquery()


def _final() -> Expression:
    """The first transaction that may still be running: what is before it is there, or never will be."""
    return _snapshot("xmin")


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a pull decides the statement."""

    picks: tuple[Pick, ...]
    resources: tuple[tuple[str, tuple[Pick, ...]], ...]
    limit: int
    language: Language
    known: bool
    apart: bool
    signals: bool


class PostgresChangeLog:
    """See the port."""

    def __init__(self, database: Database, projection: Projection, signer: Signer, today: Callable[[], date]) -> None:
        self._database = database
        self._projection = projection
        self._signer = signer
        self._today = today
        self._statements: OrderedDict[Shape, Statement] = OrderedDict()

    async def page(self, actor: Actor, pull: Pull, *, apart: bool = False) -> Page:
        """See the port."""
        begin = cursors.Cursor()
        if pull.cursor is not None:
            begin = cursors.read(self._signer, pull.cursor, actor, pull.types)
        elif pull.since is not None:
            begin = await self._since(pull)
        known = actor.role != "anonymous"
        shape = Shape(pull.picks, pull.resources, pull.limit, pull.language, known, apart, "signal" in pull.types)
        statement = self._statement(shape)
        row = await self._database.row(statement.sql, *self._arguments(statement, actor, pull, begin))
        assert row is not None
        actor.hold()
        items, cursor, more, count, present, final, ahead, *removed = row
        gone = None if removed[0] is None else (removed[0], removed[1], removed[2])
        cursors.check(begin, cursors.LogEnd(present, final, ahead, gone))
        if not apart:
            return Page(items, count, cursor, more, (present, final, 0))
        entries = tuple(Entry(body, after) for body, after in items or ())
        return Page(b"", count, cursor, more, (present, final, 0), entries)

    async def _since(self, pull: Pull) -> cursors.Cursor:
        row = await self._database.row(
            "select s.*, (select max(id) from epoch) as present from change_since($1) s", pull.since
        )
        assert row is not None
        return cursors.Cursor((row["epoch"], row["xact_id"], row["seq"]), row["present"], 0)

    def _arguments(self, statement: Statement, actor: Actor, pull: Pull, begin: cursors.Cursor) -> list[Any]:
        values: dict[str, Any] = dict(statement.constants)
        values |= cursors.parameters(self._signer, actor, pull.types, begin)
        values |= {f"s0_v{index}": value for index, value in enumerate(pull.values)}
        values |= {f"after_{index}": part for index, part in enumerate(begin.place)}
        values |= {"s0_as_of": self._today(), "types": [TYPES[name] for name in pull.types]}
        values |= acting(actor)
        return [values[name] for name in statement.parameters]

    def _statement(self, shape: Shape) -> Statement:
        statement = self._statements.get(shape)
        if statement is None:
            statement = self._projection.finish([self._select(shape)], actor=shape.known)
            self._statements[shape] = statement
            if len(self._statements) > MOST_STATEMENTS:
                self._statements.popitem(last=False)
        else:
            self._statements.move_to_end(shape)
        return statement

    def _select(self, shape: Shape) -> Select[*tuple[Any, ...]]:
        """One row: the entries, the cursor after them, whether there are more, how many, and where the log ends."""
        cx = Context(0, shape.language)
        found = _entries(shape.limit + 1, signals=shape.signals)
        place = func.row_number().over(order_by=[found.c.epoch, found.c.xact_id, found.c.seq]).label("place")
        page = select(found, place).subquery()
        r = page.c
        most: Expression = literal_column(str(shape.limit))
        shown, more = r.place <= most, func.count() > most
        present, final = _present(), _final()
        item = self._item(shape, r, cx)
        last = func.max(cursors.in_sql(present, final, (r.epoch, r.xact_id, r.seq))).filter(r.place == most)
        after = case((more, last), else_=cursors.in_sql(present, final, (present, final, literal_column("0"))))
        if shape.apart:
            pair = postgresql.array([cast(item, Text), CHANGE.fields["cursor"](cx, r)])
            items: Expression = func.array_agg(postgresql.aggregate_order_by(pair, r.place)).filter(shown)
        else:
            items = array(item, (r.place,), shown)
        mark = log_mark.alias()
        removed = [
            select(mark.c[name]).where(mark.c.name == literal_column("'removed'")).scalar_subquery()
            for name in ("epoch", "xact_id", "seq")
        ]
        columns = (items, after, more, func.least(func.count(), most), present, final, _snapshot("xmax"), *removed)
        return select(*(column.label(f"p{index}") for index, column in enumerate(columns))).select_from(page)

    def _item(self, shape: Shape, row: Any, cx: Context) -> Expression:
        pairs = [(pick.key, self._projection.pick("change", pick, row, cx)) for pick in shape.picks]
        if shape.resources:
            shown = dict(shape.resources)
            choices = [
                (row.type == kind.code, self._resource(kind, shown[kind.type], row, cx))
                for kind in KINDS
                if kind.type in shown
            ]
            pairs.append(("resource", case(*choices, else_=null())))
        return build(pairs)

    def _resource(self, kind: Kind, picks: tuple[Pick, ...], row: Any, cx: Context) -> Expression:
        assert kind.table is not None
        assert kind.noun is not None
        target = _rows_of(kind.noun, kind.table)
        item = build([(pick.key, self._projection.pick(kind.noun, pick, target.c, cx)) for pick in picks])
        return select(item).where(kind.leads(row, target.c)).limit(literal_column("1")).scalar_subquery()


def _entries(most: int, *, signals: bool) -> Any:
    """The entries of a page in order: after the cursor, final, of the types asked for, and the last word on their
    resource that this reader may see. `offset 0` keeps that a look-up by id: without it a page took 678 ms at two
    million entries, with it 2 to 11.
    """
    c, n = change.alias("c"), change.alias("n")
    here, there = (tuple_(t.c.epoch, t.c.xact_id, t.c.seq) for t in (c, n))
    types = zip(("after_0", "after_1", "after_2"), cursors.PLACE_TYPES, strict=True)
    after = tuple_(*(bindparam(name, type_=type_) for name, type_ in types))
    newer: Any = (
        select(literal_column("1"))
        .select_from(n)
        .where(
            n.c.resource_id == c.c.resource_id,
            n.c.version >= c.c.version,
            or_(n.c.version > c.c.version, there > here),
        )
        .offset(literal_column("0"))
        .correlate(c)
    )
    return (
        select(c)
        .where(
            here > after,
            or_(c.c.epoch < _present(), c.c.xact_id < _final()),
            *(() if signals else (c.c.type != literal_column(str(TYPES["signal"])),)),  # an index has the others alone
            c.c.type == func.any(bindparam("types", type_=ARRAY(SmallInteger))),
            ~exists(newer),
        )
        .order_by(c.c.epoch, c.c.xact_id, c.c.seq)
        .limit(literal_column(str(most)))
        .subquery()
    )
