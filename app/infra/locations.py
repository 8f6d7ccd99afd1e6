"""Where is this? From a postcode, a municipality or a few letters to municipalities, their regions and their hubs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    Double,
    FromClause,
    Integer,
    Text,
    and_,
    case,
    cast,
    func,
    literal_column,
    null,
    or_,
    select,
)

from app.infra.json_sql import Expression
from app.infra.projection import Context, Edge, Filter, Rows, View
from app.infra.regions import always, region_rows, valid
from app.infra.tables import (
    hub,
    membership,
    postcode,
    region,
    region_period,
    scheme,
    succession,
)

MOST_LOCATIONS = 20


def _nobody() -> list[Expression]:
    return [cast(null(), Text).label("place"), cast(null(), Double).label("area_share")]


def _starts(cx: Context, given: Mapping[str, Expression]) -> Any:
    """The municipalities asked for, as of any date: id, place rank, place name and share of the postcode's area."""
    if "postcode" in given:
        p = postcode.alias()
        rank = case((p.c.is_primary, 0), else_=1)
        return select(
            p.c.municipality_id.label("id"),
            rank.label("rank"),
            p.c.place.label("place"),
            p.c.area_share.label("area_share"),
        ).where(p.c.pc4 == given["postcode"])
    r = region.alias()
    return select(r.c.id, cast(literal_column("0"), Integer).label("rank"), *_nobody()).where(
        r.c.code == given["municipality"], r.c.scheme == literal_column("'gemeente'")
    )


def _carried(cx: Context, given: Mapping[str, Expression]) -> FromClause:
    """The same municipalities on the date asked for: one that has ended leads to its successors, one that does not
    exist yet to its predecessors."""
    reached = _starts(cx, given).cte(recursive=True)
    r, s = region.alias(), succession.alias()
    ended = and_(s.c.predecessor_id == r.c.id, r.c.valid_to <= cx.as_of, s.c.on_date <= cx.as_of)
    unborn = and_(s.c.successor_id == r.c.id, r.c.valid_from > cx.as_of)
    step = (
        select(
            case((ended, s.c.successor_id), else_=s.c.predecessor_id).label("id"),
            reached.c.rank,
            reached.c.place,
            reached.c.area_share,
        )
        .select_from(reached.join(r, r.c.id == reached.c.id).join(s, or_(ended, unborn)))
        .where(s.c.change != literal_column("'boundary-change'"))
    )
    reached = reached.union(step)
    return (
        select(
            reached.c.id,
            func.min(reached.c.rank).label("rank"),
            func.min(reached.c.place).label("place"),
            func.max(reached.c.area_share).label("area_share"),
        )
        .group_by(reached.c.id)
        .subquery()
    )


def _named(cx: Context, text: Expression) -> FromClause:
    """Municipalities whose name or alias, or a place in them, begins with or holds the text; best match first."""
    r, p = region_period.alias(), postcode.alias()
    whole = func.concat(literal_column("'|'"), r.c.search, literal_column("'|'"))
    rank = case(
        (whole.contains(func.concat(literal_column("'|'"), text, literal_column("'|'"))), 0),
        (whole.contains(func.concat(literal_column("'|'"), text)), 1),
        else_=3,
    )
    by_name = select(r.c.region_id.label("id"), rank.label("rank"), *_nobody()).where(
        r.c.scheme == literal_column("'gemeente'"), valid(r.c, cx), r.c.search.contains(text)
    )
    exact = case((p.c.search == text, 1), else_=2)
    by_place = select(p.c.municipality_id, exact, p.c.place, cast(null(), Double)).where(
        p.c.search.startswith(text), p.c.is_primary
    )
    either = by_name.union_all(by_place).subquery()
    return (
        select(
            either.c.id,
            func.min(either.c.rank).label("rank"),
            func.min(either.c.place).label("place"),
            func.max(either.c.area_share).label("area_share"),
        )
        .group_by(either.c.id)
        .order_by(literal_column("2"), literal_column("1"))
        .limit(literal_column(str(MOST_LOCATIONS * 5)))
        .subquery()
    )


def _locations(cx: Context, given: Mapping[str, Expression]) -> Rows:
    start = _named(cx, given["q"]) if "q" in given else _carried(cx, given)
    r = region_period.alias()
    found = (
        select(r.c.region_id, r.c.code, r.c.name, r.c.sort_name, start.c.rank, start.c.place, start.c.area_share)
        .select_from(start.join(r, and_(r.c.region_id == start.c.id, valid(r.c, cx))))
        .order_by(start.c.rank, start.c.area_share.desc().nulls_last(), r.c.sort_name, r.c.code)
        .limit(literal_column(str(MOST_LOCATIONS)))
        .subquery()
    )
    return Rows(found, (), (found.c.rank, found.c.area_share.desc().nulls_last(), found.c.sort_name, found.c.code))


def _municipality(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    r = region_period.alias()
    return Rows(r, (valid(r.c, cx), r.c.region_id == row.region_id))


def _located_regions(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    m, r, s = membership.alias(), region_period.alias(), scheme.alias()
    found = (
        select(
            r.c.region_id,
            r.c.code,
            r.c.scheme,
            r.c.name,
            s.c.rank,
            m.c.share,
            and_(s.c.assumed_shares, m.c.share < 1).label("assumed"),
        )
        .select_from(m.join(r, and_(r.c.region_id == m.c.region_id, valid(r.c, cx))).join(s, s.c.code == m.c.scheme))
        .where(m.c.municipality_id == row.region_id, valid(m.c, cx), m.c.scheme != literal_column("'gemeente'"))
        .correlate(row.region_id.table)
        .subquery()
    )
    return Rows(found, (), (found.c.rank, found.c.code))


def hubs_covering(cx: Context, municipality_id: Expression) -> Rows:
    """Hubs in whose area the municipality lies, the smallest area first: the nearest hub."""
    m, r, h = membership.alias(), region_period.alias(), hub.alias()
    found = (
        select(h, r.c.municipality_count)
        .select_from(m.join(r, and_(r.c.region_id == m.c.region_id, valid(r.c, cx))).join(h, h.c.area_code == r.c.code))
        .where(
            m.c.municipality_id == municipality_id,
            m.c.scheme == literal_column("'participatiehub'"),
            valid(m.c, cx),
        )
        .correlate(municipality_id.table)
        .subquery()
    )
    return Rows(found, (), (found.c.municipality_count, found.c.sort_name, found.c.slug))


LOCATION = View(
    noun="location",
    rows=_locations,
    fields={
        "place": lambda cx, r: r.place,
        "areaShare": lambda cx, r: r.area_share,
    },
    edges={
        "municipality": Edge("region", _municipality, many=False),
        "regions": Edge("located-region", _located_regions),
        "hubs": Edge("hub", lambda cx, row, args: hubs_covering(cx, row.region_id)),
    },
    filters={
        "postcode": Filter(always),
        "municipality": Filter(always, codes="municipality"),
        "q": Filter(always),
    },
)

LOCATED_REGION = View(
    noun="located-region",
    rows=lambda cx, given: region_rows(cx),
    fields={
        "scheme": lambda cx, r: r.scheme,
        "code": lambda cx, r: r.code,
        "name": lambda cx, r: r.name,
        "share": lambda cx, r: r.share,
        "shareAssumed": lambda cx, r: r.assumed,
    },
)
