"""Bundles: the read view. Of the signals in one a reader sees those that he may see anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import DateTime, Uuid, and_, cast, literal_column, null, or_, select
from sqlalchemy import Text as TextType

from app.domain.bundles import BundleStatus
from app.infra.json_sql import Expression
from app.infra.projection import Context, Edge, Filter, Key, Rows, View
from app.infra.signal_tables import bundle, bundle_signal, signal, signal_theme
from app.infra.signals import known
from app.infra.tables import hub, term
from app.infra.terms import term_edge, term_rows
from app.infra.times import moment


def _signals(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    s, x = signal.alias(), bundle_signal.alias()
    there = (
        select(s, literal_column("0::real").label("rank"), cast(null(), TextType).label("words"))
        .select_from(s.join(x, x.c.signal_id == s.c.id))
        .where(x.c.bundle_id == row.id)
        .correlate(row.id.table)
        .subquery()
    )
    return Rows(there, (), (there.c.id,))


def _hubs(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    h, x = hub.alias(), bundle_signal.alias()
    theirs = select(x.c.hub_id).where(x.c.bundle_id == row.id).correlate(row.id.table)
    return Rows(h, (h.c.id.in_(theirs),), (h.c.sort_name, h.c.slug))


def _themes(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    x, t = bundle_signal.alias(), signal_theme.alias()
    held = x.join(t, t.c.signal_id == x.c.signal_id)
    named = select(t.c.theme).select_from(held).where(x.c.bundle_id == row.id).correlate(row.id.table)
    return term_rows("theme", lambda term: term.code.in_(named))


def _holding(row: Any, *where: Any) -> Expression:
    """Whether a signal is in it, that the reader may see, for which this holds."""
    x = bundle_signal.alias()
    return row.id.in_(select(x.c.bundle_id).where(*(condition(x.c) for condition in where)))  # type: ignore[no-any-return]


def _of_hub(cx: Context, row: Any, slug: Expression) -> Expression:
    mine = select(hub.c.id).where(hub.c.slug == slug).scalar_subquery()
    return _holding(row, lambda x: x.hub_id == mine)


def _of_theme(cx: Context, row: Any, code: Expression) -> Expression:
    """The theme and its children."""
    t, named = term.alias(), signal_theme.alias()
    codes = select(t.c.code).where(
        t.c.vocabulary == literal_column("'theme'"),
        or_(t.c.code == code, t.c.parent == code),
    )
    return _holding(row, lambda x: x.signal_id.in_(select(named.c.signal_id).where(named.c.theme.in_(codes))))


BUNDLE = View(
    noun="bundle",
    rows=lambda cx, given: Rows(bundle.alias()),
    fields={
        "id": lambda cx, r: r.id,
        "title": lambda cx, r: r.title,
        "summary": lambda cx, r: r.summary,
        "status": lambda cx, r: r.status,
        "response": lambda cx, r: r.response,
        "visibility": lambda cx, r: r.visibility,
        "version": lambda cx, r: r.version,
        "createdAt": lambda cx, r: moment(r.created_at),
        "updatedAt": lambda cx, r: moment(r.updated_at),
        "answeredAt": lambda cx, r: moment(r.answered_at),
    },
    edges={
        "umbrella": term_edge("umbrella", "umbrella"),
        "signals": Edge("signal", _signals),
        "hubs": Edge("hub", _hubs),
        "themes": Edge("theme", _themes),
    },
    filters={
        "id": Filter(lambda cx, r, v: r.id == v, Uuid()),
        "umbrella": Filter(lambda cx, r, v: r.umbrella == v, codes="umbrella"),
        "status": Filter(lambda cx, r, v: and_(r.status == v, known(v, BundleStatus))),
        "visibility": Filter(lambda cx, r, v: r.visibility == v),
        "hub": Filter(_of_hub, codes="hub"),
        "theme": Filter(_of_theme, codes="theme"),
        "signal": Filter(lambda cx, r, v: _holding(r, lambda x: x.signal_id == v), Uuid()),
    },
    sorts={
        "createdAt": (Key("id", Uuid()),),
        "updatedAt": (Key("updated_at", DateTime(timezone=True)), Key("id", Uuid())),
    },
    version=lambda r: r.version,
    order="-createdAt",
)
