"""Digests of what a reader may see, by type, hub and month: to find out what differs without a download.

Of each resource the first eight bytes of SHA-256 of `<type>:<id>:<version>`; of a group these, combined by exclusive or.
A group's month is that of `createdAt`, in UTC. docs/sync.md works an example.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Integer, Select, Text, cast, func, literal_column, select, union_all
from sqlalchemy.dialects.postgresql import BIT

from app.infra.changes import KINDS, Kind
from app.infra.hubs import hub_edge
from app.infra.json_sql import Expression
from app.infra.projection import Context, Filter, Rows, View
from app.infra.tables import hub

_UTC: Expression = literal_column("'UTC'")


def _of(kind: Kind) -> Select[*tuple[Any, ...]]:
    assert kind.table is not None
    t = kind.table.alias()
    named = func.concat(literal_column(f"'{kind.type}:'"), t.c[kind.key], literal_column("':'"), t.c.version)
    hashed = func.encode(func.sha256(func.convert_to(named, literal_column("'UTF8'"))), literal_column("'hex'"))
    number = cast(
        cast(func.concat(literal_column("'x'"), func.left(hashed, literal_column("16"))), BIT(64)), BigInteger
    )
    assert kind.owner is not None
    owner = t.c[kind.owner]
    month = func.date_trunc(literal_column("'month'"), func.timezone(_UTC, t.c.created_at))
    return select(
        literal_column(f"'{kind.type}'::text").label("type"),
        owner.label("hub_id"),
        month.label("month"),
        cast(func.count(), Integer).label("count"),
        func.bit_xor(number).label("digest"),
    ).group_by(owner, month)


def _rows(cx: Context, given: Mapping[str, Expression]) -> Rows:
    found = union_all(*(_of(kind) for kind in KINDS if kind.table is not None and kind.owner)).subquery()
    return Rows(found, (), (found.c.type, found.c.hub_id, found.c.month))


def _of_hub(cx: Context, row: Any, slug: Expression) -> Expression:
    return row.hub_id == select(hub.c.id).where(hub.c.slug == slug).scalar_subquery()  # type: ignore[no-any-return]


CHANGE_DIGEST = View(
    noun="change-digest",
    rows=_rows,
    fields={
        "type": lambda cx, r: r.type,
        "month": lambda cx, r: func.to_char(r.month, literal_column("'YYYY-MM'")),
        "count": lambda cx, r: r.count,
        "digest": lambda cx, r: func.lpad(func.to_hex(r.digest), literal_column("16"), literal_column("'0'")),
    },
    edges={"hub": hub_edge()},
    filters={
        "type": Filter(lambda cx, r, v: r.type == v, Text()),
        "hub": Filter(_of_hub, codes="hub"),
    },
)
