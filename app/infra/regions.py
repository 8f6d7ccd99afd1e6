"""Regions, schemes, overlaps, crosswalks and locations as views on the membership table, as of a date."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    FromClause,
    Integer,
    Numeric,
    Select,
    SmallInteger,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
)

from app.infra.json_sql import Expression
from app.infra.projection import Context, Edge, Filter, Key, Rows, View
from app.infra.tables import (
    edition,
    hub,
    membership,
    region,
    region_period,
    scheme,
    succession,
)

OPEN_END = date.max


def valid(table: Any, cx: Context) -> ColumnElement[bool]:
    """Periods that hold on the date asked for; `valid_to` is exclusive."""
    return and_(table.valid_from <= cx.as_of, table.valid_to > cx.as_of)


def region_rows(cx: Context, *where: Expression) -> Rows:
    """Regions as of the date, in order of name."""
    row = region_period.alias()
    return Rows(row, (valid(row.c, cx), *where), (row.c.sort_name, row.c.code))


def regions_where(cx: Context, condition: Any) -> Rows:
    """Regions as of the date for which `condition(columns)` holds."""
    row = region_period.alias()
    return Rows(row, (valid(row.c, cx), condition(row.c)), (row.c.sort_name, row.c.code))


def covering(cx: Context, code: Expression) -> Select[*tuple[Any, ...]]:
    """Ids of the regions, of any scheme, in which the municipality with this code lies."""
    m, g = membership.alias(), region.alias()
    return select(m.c.region_id).join(g, g.c.id == m.c.municipality_id).where(g.c.code == code, valid(m.c, cx))


def touching(cx: Context, code: Expression) -> Select[*tuple[Any, ...]]:
    """Ids of the regions, of any scheme, that share a municipality with the region of this code."""
    mine, other, r = membership.alias(), membership.alias(), region.alias()
    return (
        select(other.c.region_id)
        .select_from(
            r.join(mine, mine.c.region_id == r.c.id).join(other, other.c.municipality_id == mine.c.municipality_id)
        )
        .where(r.c.code == code, valid(mine.c, cx), valid(other.c, cx))
    )


def _open(column: Expression) -> Expression:
    return case((column == literal(OPEN_END), null()), else_=column)


def _method(cx: Context, row: Any) -> Expression:
    e = edition.alias()
    return select(e.c.method).where(e.c.scheme == row.scheme, e.c.year == row.edition).scalar_subquery()


def _municipalities(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    m = membership.alias()
    inside = select(m.c.municipality_id).where(m.c.region_id == row.region_id, valid(m.c, cx)).correlate(_table_of(row))
    return regions_where(cx, lambda r: and_(r.region_id.in_(inside), r.scheme == literal_column("'gemeente'")))


def _lineage(forwards: bool) -> Any:
    def rows(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
        s, other = succession.alias(), region.alias()
        here, there, name = (
            (s.c.predecessor_id, s.c.successor_id, s.c.successor_name)
            if forwards
            else (s.c.successor_id, s.c.predecessor_id, s.c.predecessor_name)
        )
        found = (
            select(other.c.code, other.c.scheme, name.label("name"), s.c.on_date, s.c.change)
            .select_from(s.join(other, other.c.id == there))
            .where(here == row.region_id)
            .correlate(_table_of(row))
            .subquery()
        )
        return Rows(found, (), (found.c.on_date, found.c.code))

    return rows


def _table_of(row: Any) -> FromClause:
    """The FROM element whose columns these are: what an inner statement must be correlated with."""
    table: FromClause = row.region_id.table
    return table


def _overlaps(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    """Regions that share municipalities with this one, with both shares.

    The weight of a municipality is its share here times its share there. The basis of a listing (population, or
    number of municipalities when a population is unknown) is one per scheme, so that its shares add up.
    """
    mine, other, whole = membership.alias(), membership.alias(), region_period.alias()
    same = other.c.scheme == mine.c.scheme
    hub_area = mine.c.scheme == literal_column("'participatiehub'")
    if "scheme" in args:
        wanted = and_(other.c.scheme == args["scheme"], or_(~same, other.c.region_id == mine.c.region_id, hub_area))
    else:
        elsewhere = and_(other.c.scheme != literal_column("'gemeente'"), ~same)
        wanted = or_(elsewhere, and_(same, hub_area, other.c.region_id != mine.c.region_id))
    weight = case((other.c.region_id == mine.c.region_id, mine.c.share), else_=mine.c.share * other.c.share)
    met = (
        select(
            other.c.region_id,
            func.count().label("municipality_count"),
            func.sum(weight).label("weight"),
            func.sum(weight * mine.c.population).label("population_weight"),
            func.bool_and(mine.c.population.is_not(None)).label("known"),
            func.bool_or(or_(mine.c.share < 1, other.c.share < 1)).label("assumed"),
        )
        .select_from(mine.join(other, other.c.municipality_id == mine.c.municipality_id))
        .where(mine.c.region_id == row.region_id, valid(mine.c, cx), valid(other.c, cx), wanted)
        .group_by(other.c.region_id)
        .correlate(_table_of(row))
        .subquery()
    )
    by_population = and_(
        row.population_weight.is_not(None),
        func.bool_and(whole.c.population_weight.is_not(None)).over(partition_by=whole.c.scheme),
    )
    found = (
        select(
            met.c.region_id,
            whole.c.scheme,
            whole.c.sort_name,
            whole.c.code,
            met.c.municipality_count,
            met.c.assumed,
            case((met.c.known, met.c.population_weight), else_=null()).label("population"),
            row.population_date.label("population_date"),
            *_shares(by_population, met.c, (row, "share_of_this"), (whole.c, "share_of_other")),
        )
        .select_from(met.join(whole, and_(whole.c.region_id == met.c.region_id, valid(whole.c, cx))))
        .correlate(_table_of(row))
        .subquery()
    )
    return Rows(found, (), (found.c.scheme, found.c.share_of_this.desc(), found.c.sort_name, found.c.code))


def _shares(by_population: Expression, part: Any, *wholes: tuple[Any, str]) -> list[Expression]:
    """The part as a share of each whole, 0–1 to six decimals, and the basis it was taken on."""
    shares = [
        func.round(
            cast(
                case(
                    (by_population, part.population_weight / func.nullif(whole.population_weight, 0)),
                    else_=part.weight / whole.weight,
                ),
                Numeric,
            ),
            6,
        ).label(name)
        for whole, name in wholes
    ]
    basis = case((by_population, literal_column("'population'")), else_=literal_column("'municipalities'"))
    return [*shares, basis.label("share_basis")]


def _one_region(column: str) -> Any:
    def rows(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
        return regions_where(cx, lambda r: r.region_id == getattr(row, column))

    return rows


def _region_hubs(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    """Hubs whose area shares a municipality with this region."""
    mine, area, h = membership.alias(), membership.alias(), hub.alias()
    r = region.alias()
    ids = (
        select(r.c.code)
        .select_from(
            mine.join(area, area.c.municipality_id == mine.c.municipality_id).join(r, r.c.id == area.c.region_id)
        )
        .where(
            mine.c.region_id == row.region_id,
            area.c.scheme == literal_column("'participatiehub'"),
            valid(mine.c, cx),
            valid(area.c, cx),
        )
        .correlate(_table_of(row))
    )
    return Rows(h, (h.c.area_code.in_(ids),), (h.c.sort_name, h.c.slug))


REGION = View(
    noun="region",
    rows=lambda cx, given: region_rows(cx),
    fields={
        "code": lambda cx, r: r.code,
        "scheme": lambda cx, r: r.scheme,
        "name": lambda cx, r: r.name,
        "edition": lambda cx, r: r.edition,
        "method": _method,
        "validFrom": lambda cx, r: r.region_from,
        "validTo": lambda cx, r: _open(r.region_to),
        "municipalityCount": lambda cx, r: r.municipality_count,
        "population": lambda cx, r: r.population,
        "populationDate": lambda cx, r: r.population_date,
    },
    edges={
        "municipalities": Edge("region", _municipalities),
        "overlaps": Edge("overlap", _overlaps, args={"scheme": Text()}),
        "predecessors": Edge("lineage", _lineage(forwards=False)),
        "successors": Edge("lineage", _lineage(forwards=True)),
        "hubs": Edge("hub", _region_hubs),
    },
    filters={
        "code": Filter(lambda cx, r, v: r.code == v),
        "scheme": Filter(lambda cx, r, v: r.scheme == v),
        "municipality": Filter(lambda cx, r, v: r.region_id.in_(covering(cx, v)), codes="municipality"),
        "within": Filter(
            lambda cx, r, v: and_(
                r.scheme == literal_column("'gemeente'"),
                r.region_id.in_(
                    select(membership.c.municipality_id)
                    .join(region, region.c.id == membership.c.region_id)
                    .where(region.c.code == v, valid(membership.c, cx))
                ),
            ),
            codes="region",
        ),
        "q": Filter(lambda cx, r, v: func.strpos(r.search, v) > literal_column("0")),
    },
    sorts={"name": (Key("sort_name", Text()), Key("code", Text()))},
    version=lambda r: cast(r.edition, Integer),
)


def _lives(cx: Context, given: Mapping[str, Expression]) -> Rows:
    return Rows(select(region.c.id.label("region_id"), region.c.code, region.c.scheme).subquery())


# A region whatever the date: for lineage, which leads from regions that have ended to those that came after.
REGION_LIFE = View(
    noun="region-life",
    rows=_lives,
    fields={"code": lambda cx, r: r.code, "scheme": lambda cx, r: r.scheme},
    edges={
        "predecessors": Edge("lineage", _lineage(forwards=False)),
        "successors": Edge("lineage", _lineage(forwards=True)),
    },
    filters={"code": Filter(lambda cx, r, v: r.code == v)},
)

LINEAGE = View(
    noun="lineage",
    rows=lambda cx, given: Rows(succession),
    fields={
        "code": lambda cx, r: r.code,
        "scheme": lambda cx, r: r.scheme,
        "name": lambda cx, r: r.name,
        "date": lambda cx, r: r.on_date,
        "change": lambda cx, r: r.change,
    },
)

OVERLAP = View(
    noun="overlap",
    rows=lambda cx, given: Rows(membership),
    fields={
        "municipalityCount": lambda cx, r: r.municipality_count,
        "population": lambda cx, r: func.round(cast(r.population, Numeric)),
        "populationDate": lambda cx, r: r.population_date,
        "shareOfThis": lambda cx, r: r.share_of_this,
        "shareOfOther": lambda cx, r: r.share_of_other,
        "shareBasis": lambda cx, r: r.share_basis,
        "sharesAssumed": lambda cx, r: r.assumed,
    },
    edges={"region": Edge("region", _one_region("region_id"), many=False)},
)


def _scheme_editions(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    e = edition.alias()
    return Rows(e, (e.c.scheme == row.code,), (e.c.year,))


SCHEME = View(
    noun="region-scheme",
    rows=lambda cx, given: Rows(scheme.alias()),
    fields={
        "code": lambda cx, r: r.code,
        "name": lambda cx, r: cx.label(r, "name"),
        "description": lambda cx, r: cx.label(r, "description"),
        "codePrefix": lambda cx, r: r.code_prefix,
        "partition": lambda cx, r: r.partition,
        "assumedShares": lambda cx, r: r.assumed_shares,
    },
    edges={"editions": Edge("edition", _scheme_editions)},
    filters={"code": Filter(lambda cx, r, v: r.code == v)},
    sorts={"rank": (Key("rank", SmallInteger()), Key("code", Text()))},
)

EDITION = View(
    noun="edition",
    rows=lambda cx, given: Rows(edition),
    fields={
        "year": lambda cx, r: r.year,
        "regionCount": lambda cx, r: r.region_count,
        "municipalityCount": lambda cx, r: r.municipality_count,
        "method": lambda cx, r: r.method,
        "source": lambda cx, r: r.source,
        "licence": lambda cx, r: r.licence,
        "remark": lambda cx, r: r.remark,
    },
)


def _crosswalk(cx: Context, given: Mapping[str, Expression]) -> Rows:
    """Every pair of regions of two schemes that share municipalities. One basis for the whole table, so that the
    shares add up both ways."""
    a, b, left, right = membership.alias(), membership.alias(), region_period.alias(), region_period.alias()
    weight = case((a.c.region_id == b.c.region_id, a.c.share), else_=a.c.share * b.c.share)
    met = (
        select(
            a.c.region_id.label("from_id"),
            b.c.region_id.label("to_id"),
            func.count().label("municipality_count"),
            func.sum(weight).label("weight"),
            func.sum(weight * a.c.population).label("population_weight"),
            func.bool_and(a.c.population.is_not(None)).label("known"),
            func.bool_or(or_(a.c.share < 1, b.c.share < 1)).label("assumed"),
        )
        .select_from(a.join(b, b.c.municipality_id == a.c.municipality_id))
        .where(
            a.c.scheme == given["from"],
            b.c.scheme == given["to"],
            valid(a.c, cx),
            valid(b.c, cx),
            or_(
                a.c.scheme != b.c.scheme,
                a.c.region_id == b.c.region_id,
                a.c.scheme == literal_column("'participatiehub'"),
            ),
        )
        .group_by(a.c.region_id, b.c.region_id)
        .subquery()
    )
    by_population = func.bool_and(
        and_(left.c.population_weight.is_not(None), right.c.population_weight.is_not(None))
    ).over()
    found = (
        select(
            met.c.from_id,
            met.c.to_id,
            left.c.sort_name.label("from_name"),
            right.c.sort_name.label("to_name"),
            left.c.code.label("from_code"),
            right.c.code.label("to_code"),
            met.c.municipality_count,
            met.c.assumed,
            case((met.c.known, met.c.population_weight), else_=null()).label("population"),
            func.coalesce(left.c.population_date, right.c.population_date).label("population_date"),
            *_shares(by_population, met.c, (left.c, "share_of_from"), (right.c, "share_of_to")),
        )
        .select_from(
            met.join(left, and_(left.c.region_id == met.c.from_id, valid(left.c, cx))).join(
                right, and_(right.c.region_id == met.c.to_id, valid(right.c, cx))
            )
        )
        .subquery()
    )
    return Rows(found, (), (found.c.from_name, found.c.from_code, found.c.to_name, found.c.to_code))


def always(cx: Context, row: Any, value: Expression) -> Expression:
    """The value is used where the rows come from; here it only has to be a condition."""
    return literal_column("true", Boolean)


CROSSWALK = View(
    noun="crosswalk",
    rows=_crosswalk,
    fields={
        "municipalityCount": lambda cx, r: r.municipality_count,
        "population": lambda cx, r: func.round(cast(r.population, Numeric)),
        "populationDate": lambda cx, r: r.population_date,
        "shareOfFrom": lambda cx, r: r.share_of_from,
        "shareOfTo": lambda cx, r: r.share_of_to,
        "shareBasis": lambda cx, r: r.share_basis,
        "sharesAssumed": lambda cx, r: r.assumed,
    },
    edges={
        "from": Edge("region", _one_region("from_id"), many=False),
        "to": Edge("region", _one_region("to_id"), many=False),
    },
    filters={"from": Filter(always), "to": Filter(always)},
)

REGION_VIEWS = (REGION, REGION_LIFE, LINEAGE, OVERLAP, SCHEME, EDITION, CROSSWALK)
