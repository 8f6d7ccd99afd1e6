"""The participation profile: the read view on the tally that triggers keep. Row-level security decides what adds up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    ARRAY,
    Integer,
    Numeric,
    Text,
    and_,
    case,
    cast,
    func,
    literal_column,
    null,
    select,
    true,
)

from app.domain.participation import CONDITIONS, NOUN
from app.infra.json_sql import Expression
from app.infra.projection import Context, Edge, Filter, Rows, View
from app.infra.question_tables import MEASURES, participation_tally
from app.infra.regions import valid
from app.infra.tables import hub, membership, region_period, term
from app.infra.terms import term_rows


def _figures(cx: Context, given: Mapping[str, Expression]) -> Rows:
    t = participation_tally.alias()
    by = given.get("groupBy", literal_column("'all'"))
    sums = [func.sum(t.c[name]).label(name) for name in MEASURES]
    if "scheme" in given:
        # Summed by the regions as named first: to spread every row of the tally took 90 ms at 20,000 questions, this 9.
        named = select(t.c.key, *sums).where(t.c.dimension == literal_column("'region'")).group_by(t.c.key).cte()
        touched = _touched(cx, named, given["scheme"]).subquery()
        key: Expression = touched.c.region
        again = [func.sum(named.c[name]).label(name) for name in MEASURES]
        found: Any = select(literal_column("'region'").label("dimension"), key.label("key"), *again).select_from(
            named.join(touched, touched.c.key == named.c.key)
        )
        grouped = found.group_by(key).having(func.sum(named.c.questions) > literal_column("0")).subquery()
    else:
        key = _key(t.c.key, given.get("period"))
        found = select(t.c.dimension, key.label("key"), *sums).where(t.c.dimension == by)
        grouped = found.group_by(t.c.dimension, key).having(func.sum(t.c.questions) > literal_column("0")).subquery()
    return Rows(grouped, (), (grouped.c.key,))


def _key(month: Expression, period: Expression | None) -> Expression:
    if period is None:
        return month
    quarter = func.concat(func.left(month, 4), "-Q", (cast(func.right(month, 2), Integer) + 2) / 3)
    return case((period == "year", func.left(month, 4)), (period == "quarter", quarter), else_=month)


def _touched(cx: Context, named: Any, scheme: Expression) -> Any:
    """Each set of regions as named, with the regions of the scheme that share a municipality with it: a question counts
    once in each of those."""
    mine, other = membership.alias(), membership.alias()
    ids = func.unnest(func.string_to_array(named.c.key, literal_column("' '")).cast(ARRAY(Integer)))
    sets = select(named.c.key, ids.label("id")).subquery()
    return (
        select(sets.c.key, cast(other.c.region_id, Text).label("region"))
        .select_from(sets)
        .join(mine, mine.c.region_id == sets.c.id)
        .join(other, and_(other.c.municipality_id == mine.c.municipality_id, other.c.scheme == scheme))
        .where(valid(mine.c, cx), valid(other.c, cx))
        .distinct()
    )


def _of(dimension: str, noun: str, rows: Any) -> Edge:
    """What the figures are grouped by, where they are grouped by that."""

    def found(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
        from_, condition = rows(cx, row)
        return Rows(from_, (row.dimension == literal_column(f"'{dimension}'"), condition))

    return Edge(noun, found, many=False)


def _hub(cx: Context, row: Any) -> tuple[Any, Expression]:
    h = hub.alias()
    return h, cast(h.c.id, Text) == row.key


def _region(cx: Context, row: Any) -> tuple[Any, Expression]:
    r = region_period.alias()
    return r, and_(cast(r.c.region_id, Text) == row.key, valid(r.c, cx))


def _term(vocabulary: str) -> Any:
    def found(cx: Context, row: Any) -> tuple[Any, Expression]:
        rows = term_rows(vocabulary, lambda t: t.code == row.key)
        return rows.row, and_(*rows.where)

    return found


def _levels(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    t = term.alias()
    counts = [
        case(
            *((t.c.rank == literal_column(str(rank)), getattr(row, f"{moment}_{rank}")) for rank in range(1, 6)),
            else_=literal_column("0"),
        ).label(moment)
        for moment in ("intended", "agreed", "achieved")
    ]
    found = (
        select(t.c.code, t.c.rank, *counts)
        .where(t.c.vocabulary == literal_column("'participation-level'"))
        .correlate(row.questions.table)
        .subquery()
    )
    return Rows(found, (), (found.c.rank,))


def _conditions(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    t = term.alias()

    def one_of(place: int) -> Expression:
        whens = (
            (t.c.code == literal_column(f"'{code}'"), getattr(row, names[place])) for code, names in CONDITIONS.items()
        )
        return case(*whens, else_=literal_column("0"))

    found = (
        select(t, one_of(0).label("count"), one_of(1).label("of"))
        .where(
            t.c.vocabulary == literal_column("'participation-condition'"),
            t.c.code.in_([literal_column(f"'{code}'") for code in CONDITIONS]),
        )
        .correlate(row.questions.table)
        .subquery()
    )
    return Rows(found, (), (found.c.framework.desc(), found.c.rank))


def _share(part: Expression, whole: Expression) -> Expression:
    """From 0 to 1; null where there is nothing to have a share of."""
    return func.round(cast(part, Numeric) / func.nullif(whole, literal_column("0")), 3)


def _protected(cx: Context, row: Any) -> Expression:
    """Whether questions of the network were left out, because this reader may not see all of them: bit 2 sees them all."""
    mask = func.nullif(func.current_setting(literal_column("'app.mask'"), true()), literal_column("''"))
    return func.coalesce(cast(mask, Integer), literal_column("1")).op("&")(literal_column("2")) == literal_column("0")


def _rows_of_levels(cx: Context, given: Mapping[str, Expression]) -> Rows:
    return Rows(term)


PARTICIPATION = (
    View(
        NOUN,
        _figures,
        {
            "period": lambda cx, r: case((r.dimension == literal_column("'period'"), r.key), else_=null()),
            "crossCutting": lambda cx, r: and_(
                r.dimension == literal_column("'workfield'"), r.key == literal_column("'werkveldoverstijgend'")
            ),
            "questionCount": lambda cx, r: r.questions,
            "concludedCount": lambda cx, r: r.concluded,
            "asPromised": lambda cx, r: r.as_promised,
            "lessThanPromised": lambda cx, r: r.less,
            "moreThanPromised": lambda cx, r: r.more,
            "shareToldBack": lambda cx, r: _share(r.told_back, r.concluded),
            "shareBalanced": lambda cx, r: _share(r.balanced, r.mixed),
            "shareCompensated": lambda cx, r: _share(r.compensated, r.questions),
            "shareFromLifeWorld": lambda cx, r: _share(r.life_world, r.questions),
            "protected": _protected,
        },
        {
            "hub": _of("hub", "hub", _hub),
            "region": _of("region", "region", _region),
            "workfield": _of("workfield", "workfield", _term("workfield")),
            "theme": _of("theme", "theme", _term("theme")),
            "levels": Edge("level-figures", _levels),
            "conditions": Edge("condition-figures", _conditions),
        },
        {
            "groupBy": Filter(lambda cx, r, v: true()),
            "scheme": Filter(lambda cx, r, v: true()),
            "period": Filter(lambda cx, r, v: true()),
        },
    ),
    View(
        "level-figures",
        _rows_of_levels,
        {
            "intended": lambda cx, r: r.intended,
            "agreed": lambda cx, r: r.agreed,
            "achieved": lambda cx, r: r.achieved,
        },
        {
            "level": Edge(
                "participation-level",
                lambda cx, row, args: term_rows("participation-level", lambda t: t.code == row.code),
                many=False,
            )
        },
    ),
    View(
        "condition-figures",
        _rows_of_levels,
        {
            "code": lambda cx, r: r.code,
            "label": lambda cx, r: cx.label(r, "label"),
            "framework": lambda cx, r: r.framework,
            "count": lambda cx, r: r.count,
            "of": lambda cx, r: r.of,
            "share": lambda cx, r: _share(r.count, r.of),
        },
    ),
)
