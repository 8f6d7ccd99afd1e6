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
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.domain.participation import COMPUTED, CONDITIONS, FIGURES, GROUPED, NOTHING, NOUN
from app.infra.json_sql import Expression
from app.infra.projection import Context, Edge, Filter, Rows, View
from app.infra.question_tables import MEASURES, participation_tally
from app.infra.regions import valid
from app.infra.tables import hub, membership, region_period, term
from app.infra.terms import term_rows


def _figures(cx: Context, given: Mapping[str, Expression]) -> Rows:
    t = participation_tally.alias()
    by = given.get("groupBy", literal_column("'all'"))
    # Without a period the rows of all time, whose month is empty; with one, those of its months.
    since, until = _stretch(given)
    within = t.c.month.between(since, until)
    sums = [func.sum(t.c[name]).label(name) for name in MEASURES]
    if "scheme" in given:
        # Summed by the regions as named first: to spread every row of the tally took 90 ms at 20,000 questions, this 9.
        region = t.c.dimension == literal_column("'region'")
        named = select(t.c.key, *sums).where(region, within).group_by(t.c.key).cte()
        touched = _touched(cx, named, given["scheme"]).subquery()
        key: Expression = touched.c.region
        again = [func.sum(named.c[name]).label(name) for name in MEASURES]
        found: Any = select(
            literal_column("'region'").label("dimension"), key.label("key"), *_kept(None, key, since, until), *again
        ).select_from(named.join(touched, touched.c.key == named.c.key))
        grouped = found.group_by(key).having(func.sum(named.c.questions) > literal_column("0")).subquery()
    else:
        key = _key(t.c.key, given.get("period"))
        found = select(t.c.dimension, key.label("key"), *_kept(t, key, since, until), *sums).where(
            t.c.dimension == by, within
        )
        grouped = found.group_by(t.c.dimension, key).having(func.sum(t.c.questions) > literal_column("0")).subquery()
    return Rows(grouped, (), (grouped.c.key,))


def _stretch(given: Mapping[str, Expression]) -> tuple[Expression, Expression]:
    if "since" not in given and "until" not in given:
        return literal_column("''"), literal_column("''")
    return given.get("since", literal_column("'0000'")), given.get("until", literal_column("'9999'"))


def _kept(t: Any, key: Expression, since: Expression, until: Expression) -> list[Any]:
    """Where the marks of a row are found: the network's, by month, for one of a period; none but its own for a hub."""
    if t is None:
        dimension: Expression = cast(null(), Text)
        return [
            dimension.label("kept"), literal_column("''").label("kept_key"),
            cast(since, Text).label("since"), cast(until, Text).label("until"),
        ]  # fmt: skip
    period: Expression = t.c.dimension == literal_column("'period'")
    kept: Expression = literal_column("'all'")
    own = t.c.dimension.in_([literal_column("'all'"), literal_column("'hub'")])
    return [
        case((period, kept), (own, t.c.dimension), else_=null()).label("kept"),
        case((period, literal_column("''")), else_=key).label("kept_key"),
        case((period, func.min(t.c.key)), else_=cast(since, Text)).label("since"),
        case((period, func.max(t.c.key)), else_=cast(until, Text)).label("until"),
    ]


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
        return case(*whens, else_=null())

    facts = func.participation_facts(row.kept, row.kept_key, row.since, row.until, cx.as_of, type_=JSONB)
    # Null without a kept row: nothing is read then. `offset 0` keeps it one call, not one for each condition.
    known = case((row.kept.is_not(null()), facts), else_=null()).label("facts")
    worked_out = select(known).correlate(row.questions.table).offset(literal_column("0")).lateral()
    found = (
        select(
            t,
            one_of(0).label("count"),
            one_of(1).label("of"),
            row.kept,
            row.life_world,
            row.questions,
            worked_out.c.facts,
        )
        .select_from(t.join(worked_out, true()))
        .where(
            t.c.vocabulary == literal_column("'participation-condition'"),
            t.c.code.in_([literal_column(f"'{code}'") for code in COMPUTED]),
        )
        .correlate(row.questions.table)
        .subquery()
    )
    return Rows(found, (), (found.c.framework.desc(), found.c.rank))


def _text(value: str | None) -> Expression:
    return null() if value is None else literal_column("'" + value.replace("'", "''") + "'")


def _condition_figures(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    """The figures of a condition, with why one is null: it never can be, not by this grouping, or there is nothing yet."""
    dutch = cx.language == "nl"
    rows: list[Any] = [
        select(
            cast(_text(f.condition), Text).label("condition"),
            literal_column(str(place)).label("place"),
            cast(_text(f.code), Text).label("code"),
            cast(_text(f.unit), Text).label("unit"),
            cast(_text(f.label_nl if dutch else f.label_en), Text).label("label"),
            cast(_text(f.never[not dutch] if f.never else None), Text).label("never"),
        )
        for place, f in enumerate(FIGURES)
    ]
    all_of = union_all(*rows).subquery()
    ratio = _share(row.life_world, row.questions - row.life_world)
    worked_out = cast(row.facts.op("->>")(all_of.c.code), Numeric)
    value = case(
        (all_of.c.code == literal_column("'agenda-setting'"), ratio),
        (row.kept.is_not(null()), func.coalesce(worked_out, _nothing(all_of.c.code))),
        else_=null(),
    )
    why = case(
        (all_of.c.never.is_not(null()), all_of.c.never),
        (value.is_not(null()), null()),
        (
            and_(row.kept.is_(null()), all_of.c.code != literal_column("'agenda-setting'")),
            _text(GROUPED[not dutch]),
        ),
        else_=_text(NOTHING[not dutch]),
    )
    found = (
        select(
            all_of.c.place,
            all_of.c.code,
            all_of.c.unit,
            all_of.c.label,
            value.label("value"),
            cast(why, Text).label("reason"),
        )
        .where(all_of.c.condition == row.code)
        .correlate(row.code.table)
        .subquery()
    )
    return Rows(found, (), (found.c.place,))


def _nothing(code: Expression) -> Expression:
    """A workfield without a question has a share of nothing; anything else that is missing is not known."""
    return case((code.like(literal_column("'questions-_%'")), literal_column("0")), else_=null())


def _rows_of_figures(cx: Context, given: Mapping[str, Expression]) -> Rows:
    return Rows(term)


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
            "since": Filter(lambda cx, r, v: true()),
            "until": Filter(lambda cx, r, v: true()),
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
        {"figures": Edge("condition-figure", _condition_figures)},
    ),
    View(
        "condition-figure",
        _rows_of_figures,
        {
            "code": lambda cx, r: r.code,
            "label": lambda cx, r: r.label,
            "unit": lambda cx, r: r.unit,
            "value": lambda cx, r: r.value,
            "reason": lambda cx, r: r.reason,
        },
    ),
)
