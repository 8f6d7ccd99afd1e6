"""The public directory of organisations, of the life world and the system world: its read view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Text, Uuid, func, literal_column, select, union

from app.infra.json_sql import Expression
from app.infra.projection import Context, Edge, Filter, Key, Rows, View
from app.infra.regions import regions_where, touching
from app.infra.tables import (
    hub,
    hub_host,
    hub_member,
    hub_steering,
    organisation,
    organisation_region,
)
from app.infra.terms import term_edge
from app.infra.times import moment


def organisation_edge(column: str = "organisation_id") -> Edge:
    """To the organisation whose id is in this column."""

    def rows(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
        o = organisation.alias()
        return Rows(o, (o.c.id == getattr(row, column),))

    return Edge("organisation", rows, many=False)


def _regions(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    within = (
        select(organisation_region.c.region_id)
        .where(organisation_region.c.organisation_id == row.id)
        .correlate(row.id.table)
    )
    return regions_where(cx, lambda r: r.region_id.in_(within))


def _involved(hub_id: Expression | None = None, organisation_id: Any = None) -> Any:
    """Pairs of hub and organisation, whatever the tie: member, host or steering group."""
    ties = []
    for table in (hub_member, hub_host, hub_steering):
        tie = select(table.c.hub_id if organisation_id is not None else table.c.organisation_id)
        if organisation_id is not None:
            tie = tie.where(table.c.organisation_id == organisation_id).correlate(organisation_id.table)
        if hub_id is not None:
            tie = tie.where(table.c.hub_id == hub_id)
        ties.append(tie)
    return union(*ties)


def _hubs(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    h = hub.alias()
    return Rows(h, (h.c.id.in_(_involved(organisation_id=row.id)),), (h.c.sort_name, h.c.slug))


def _of_hub(cx: Context, row: Any, slug: Expression) -> Expression:
    found = select(hub.c.id).where(hub.c.slug == slug).scalar_subquery()
    return row.id.in_(_involved(hub_id=found))  # type: ignore[no-any-return]


def _in_region(cx: Context, row: Any, code: Expression) -> Expression:
    within = select(organisation_region.c.organisation_id).where(
        organisation_region.c.region_id.in_(touching(cx, code))
    )
    return row.id.in_(within)  # type: ignore[no-any-return]


ORGANISATION = View(
    noun="organisation",
    rows=lambda cx, given: Rows(organisation.alias()),
    fields={
        "id": lambda cx, r: r.id,
        "name": lambda cx, r: r.name,
        "type": lambda cx, r: r.type,
        "side": lambda cx, r: r.side,
        "strand": lambda cx, r: r.strand,
        "website": lambda cx, r: r.website,
        "basis": lambda cx, r: r.basis,
        "demonstration": lambda cx, r: r.demonstration,
        "version": lambda cx, r: r.version,
        "createdAt": lambda cx, r: moment(r.created_at),
        "updatedAt": lambda cx, r: moment(r.updated_at),
    },
    edges={
        "workfield": term_edge("workfield", "workfield"),
        "regions": Edge("region", _regions),
        "hubs": Edge("hub", _hubs),
    },
    filters={
        "id": Filter(lambda cx, r, v: r.id == v, Uuid()),
        "type": Filter(lambda cx, r, v: r.type == v),
        "side": Filter(lambda cx, r, v: r.side == v),
        "workfield": Filter(lambda cx, r, v: r.workfield == v, codes="workfield"),
        "region": Filter(_in_region, codes="region"),
        "hub": Filter(_of_hub, codes="hub"),
        "q": Filter(lambda cx, r, v: func.strpos(r.sort_name, v) > literal_column("0")),
    },
    sorts={"name": (Key("sort_name", Text()), Key("id", Uuid()))},
    version=lambda r: r.version,
)
