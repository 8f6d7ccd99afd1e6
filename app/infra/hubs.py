"""Hubs, their areas, phases, hosts, steering groups and members: the read views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    Integer,
    Text,
    Uuid,
    and_,
    case,
    cast,
    func,
    literal_column,
    null,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.infra.json_sql import Expression
from app.infra.organisations import organisation_edge
from app.infra.projection import Context, Edge, Filter, Key, Rows, View
from app.infra.regions import REGION, covering, regions_where, touching, valid
from app.infra.tables import (
    hub,
    hub_area,
    hub_host,
    hub_member,
    hub_phase,
    hub_steering,
    organisation,
    region,
    region_period,
    term,
)
from app.infra.terms import term_edge
from app.infra.times import moment


def hub_edge(column: str = "hub_id") -> Edge:
    """To the hub whose id is in this column."""

    def rows(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
        h = hub.alias()
        return Rows(h, (h.c.id == getattr(row, column),))

    return Edge("hub", rows, many=False)


def _phase(cx: Context, row: Any) -> Expression:
    p = hub_phase.alias()
    return (
        select(p.c.phase)
        .where(p.c.hub_id == row.id, p.c.valid_from <= cx.as_of)
        .order_by(p.c.valid_from.desc())
        .limit(literal_column("1"))
        .scalar_subquery()
    )


def _children(table: Any, *order: str) -> Any:
    def rows(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
        child = table.alias()
        return Rows(child, (child.c.hub_id == row.id,), tuple(child.c[name] for name in order))

    return rows


def _challenges(cx: Context, row: Any) -> Expression:
    item = func.jsonb_array_elements(row.challenges).table_valued("value", with_ordinality="place").render_derived()
    text = cast(item.c.value, JSONB).op("->>")(literal_column(f"'{cx.language}'"))
    listed = func.json_agg(text)
    return (
        select(func.coalesce(listed, literal_column("'[]'::json")))
        .select_from(item)
        .correlate(row.id.table)
        .scalar_subquery()
    )


def _area(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    """The area that holds on the date, with the figures of the region it makes."""
    a, r = hub_area.alias(), region_period.alias()
    found = (
        select(
            a.c.hub_id,
            a.c.valid_from,
            a.c.regions,
            a.c.plus,
            a.c.minus,
            r.c.region_id,
            r.c.code,
            r.c.municipality_count,
            r.c.population,
            r.c.population_date,
            row.published.label("published"),
        )
        .select_from(a.join(r, and_(r.c.code == row.area_code, valid(r.c, cx))))
        .where(a.c.hub_id == row.id, a.c.valid_from <= cx.as_of)
        .order_by(a.c.valid_from.desc())
        .limit(literal_column("1"))
        .correlate(row.id.table)
        .subquery()
    )
    return Rows(found)


def _area_definition(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    """The same row again, as the definition of the area."""
    same = (
        select(
            row.hub_id.label("hub_id"),
            row.valid_from.label("valid_from"),
            row.regions.label("regions"),
            row.plus.label("plus"),
            row.minus.label("minus"),
        )
        .correlate(row.hub_id.table)
        .subquery()
    )
    return Rows(same)


def _named_in(column: str) -> Edge:
    def rows(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
        return regions_where(cx, lambda r: r.code == func.any(getattr(row, column)))

    return Edge("region", rows)


def _published(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    same = (
        select(row.published.label("published"))
        .where(row.published.is_not(None))
        .correlate(row.hub_id.table)
        .subquery()
    )
    return Rows(same)


def _figure(name: str, type_: Any = Text) -> Any:
    return lambda cx, r: cast(cast(r.published, JSONB).op("->>")(literal_column(f"'{name}'")), type_)


def _printed_count(cx: Context, row: Any) -> Expression:
    """The number as printed; where the report gives two, both, in the language asked for."""
    printed = _figure("municipality_count")(cx, row)
    word: Expression = literal_column("' of '" if cx.language == "nl" else "' or '")
    return func.replace(printed, literal_column("' or '"), word)


def _area_region(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    r = region_period.alias()
    return Rows(r, (valid(r.c, cx), r.c.code == row.area_code))


def _hub_overlaps(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    """Overlaps of the hub's area: those of its region, seen from the hub."""
    area = region_period.alias()
    mine = select(area.c.region_id, area.c.population_weight, area.c.weight, area.c.population_date).where(
        area.c.code == row.area_code, valid(area.c, cx)
    )
    return REGION.edges["overlaps"].rows(cx, mine.correlate(row.id.table).subquery().c, args)


def _issues(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    """What the report asks and is not so: one director for each workfield, of three different organisations."""
    w, s = term.alias(), hub_steering.alias()
    seats = (
        select(func.count())
        .where(s.c.hub_id == row.id, s.c.workfield == w.c.code)
        .correlate(row.id.table, w)
        .scalar_subquery()
    )
    by_workfield = (
        select(
            case((seats == 0, literal_column("'gap'")), else_=literal_column("'double'")).label("issue"),
            w.c.code.label("workfield"),
            w.c.rank.label("rank"),
        )
        .where(w.c.vocabulary == literal_column("'workfield'"), seats != 1)
        .correlate(row.id.table)
    )
    t = hub_steering.alias()
    twice: Any = (
        select(literal_column("'same-organisation'"), cast(null(), Text), literal_column("99"))
        .where(t.c.hub_id == row.id)
        .group_by(t.c.organisation_id)
        .having(func.count() > 1)
        .correlate(row.id.table)
    )
    found = by_workfield.union_all(twice).subquery()
    return Rows(found, (), (found.c.rank, found.c.issue))


def _members(cx: Context, given: Mapping[str, Expression]) -> Rows:
    m, o = hub_member.alias(), organisation.alias()
    found = select(m, o.c.sort_name).select_from(m.join(o, o.c.id == m.c.organisation_id)).subquery()
    return Rows(found)


def _hub_members(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    m, o = hub_member.alias(), organisation.alias()
    found = (
        select(m, o.c.sort_name)
        .select_from(m.join(o, o.c.id == m.c.organisation_id))
        .where(m.c.hub_id == row.id)
        .correlate(row.id.table)
        .subquery()
    )
    return Rows(found, (), (found.c.sort_name, found.c.organisation_id))


def _area_in(ids: Any) -> Any:
    def on(cx: Context, row: Any, code: Expression) -> Expression:
        codes = select(region.c.code).where(region.c.id.in_(ids(cx, code)))
        return row.area_code.in_(codes)  # type: ignore[no-any-return]

    return on


HUB = View(
    noun="hub",
    rows=lambda cx, given: Rows(hub.alias()),
    fields={
        "slug": lambda cx, r: r.slug,
        "name": lambda cx, r: r.name,
        "basis": lambda cx, r: r.basis,
        "phase": _phase,
        "frontrunnerRole": lambda cx, r: r.frontrunner_role,
        "hostsRelation": lambda cx, r: r.hosts_relation,
        "challenges": _challenges,
        "contact": lambda cx, r: r.contact,
        "website": lambda cx, r: r.website,
        "demonstration": lambda cx, r: r.demonstration,
        "version": lambda cx, r: r.version,
        "createdAt": lambda cx, r: moment(r.created_at),
        "updatedAt": lambda cx, r: moment(r.updated_at),
    },
    edges={
        "phases": Edge("hub-phase", _children(hub_phase, "valid_from")),
        "frontrunner": hub_edge("frontrunner_id"),
        "hosts": Edge("hub-host", _children(hub_host, "rank")),
        "steeringGroup": Edge("steering-seat", _children(hub_steering, "workfield", "organisation_id")),
        "steeringGroupIssues": Edge("steering-issue", _issues),
        "area": Edge("area", _area, many=False),
        "members": Edge("member", _hub_members),
        "regions": Edge("overlap", _hub_overlaps, args={"scheme": Text()}),
    },
    filters={
        "slug": Filter(lambda cx, r, v: r.slug == v),
        "municipality": Filter(_area_in(covering), codes="municipality"),
        "region": Filter(_area_in(touching), codes="region"),
        "phase": Filter(lambda cx, r, v: _phase(cx, r) == v),
    },
    sorts={"name": (Key("sort_name", Text()), Key("slug", Text()))},
    version=lambda r: r.version,
)

HUB_PARTS = (
    View(
        "hub-phase",
        lambda cx, given: Rows(hub_phase),
        {"phase": lambda cx, r: r.phase, "from": lambda cx, r: r.valid_from},
    ),
    View(
        "hub-host",
        lambda cx, given: Rows(hub_host),
        {"status": lambda cx, r: r.status},
        {"organisation": organisation_edge()},
    ),
    View(
        "steering-seat",
        lambda cx, given: Rows(hub_steering),
        {},
        {"workfield": term_edge("workfield", "workfield"), "organisation": organisation_edge()},
    ),
    View(
        "steering-issue",
        lambda cx, given: Rows(hub_steering),
        {"code": lambda cx, r: r.issue},
        {"workfield": term_edge("workfield", "workfield")},
    ),
    View(
        "area",
        lambda cx, given: Rows(hub_area),
        {
            "code": lambda cx, r: r.code,
            "municipalityCount": lambda cx, r: r.municipality_count,
            "population": lambda cx, r: r.population,
            "populationDate": lambda cx, r: r.population_date,
        },
        {
            "definition": Edge("area-definition", _area_definition, many=False),
            "published": Edge("published-figures", _published, many=False),
        },
    ),
    View(
        "area-definition",
        lambda cx, given: Rows(hub_area),
        {"from": lambda cx, r: r.valid_from},
        {"regions": _named_in("regions"), "plus": _named_in("plus"), "minus": _named_in("minus")},
    ),
    View(
        "published-figures",
        lambda cx, given: Rows(hub),
        {
            "municipalityCount": _printed_count,
            "municipalityCountLow": _figure("municipality_count_low", Integer),
            "municipalityCountHigh": _figure("municipality_count_high", Integer),
            "population": _figure("population", Integer),
            "computedMunicipalityCount": _figure("computed_municipality_count", Integer),
            "computedPopulation": _figure("computed_population", Integer),
            "source": _figure("source"),
            "note": lambda cx, r: cast(r.published, JSONB).op("->>")(literal_column(f"'note_{cx.language}'")),
        },
    ),
    View(
        "member",
        _members,
        {
            "status": lambda cx, r: r.status,
            "strand": lambda cx, r: r.strand,
            "since": lambda cx, r: r.since,
        },
        {"organisation": organisation_edge(), "hub": hub_edge()},
        {
            "hub": Filter(
                lambda cx, r, v: r.hub_id == select(hub.c.id).where(hub.c.slug == v).scalar_subquery(), codes="hub"
            ),
            "organisation": Filter(lambda cx, r, v: cast(r.organisation_id, Text) == v),
        },
        {"name": (Key("sort_name", Text()), Key("organisation_id", Uuid()))},
    ),
)
