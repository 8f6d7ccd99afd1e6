"""Questions: the read view. Row-level security stands under it; the parts are in question_parts.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    ARRAY,
    DateTime,
    Float,
    Integer,
    Text,
    Uuid,
    case,
    cast,
    column,
    exists,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
)

from app.domain.routing import CROSS_CUTTING
from app.infra.hubs import hub_edge
from app.infra.json_sql import Expression
from app.infra.organisations import organisation_edge
from app.infra.projection import Context, Edge, Filter, Key, Rows, View
from app.infra.question_tables import question, question_history, question_signal
from app.infra.regions import valid
from app.infra.signal_tables import signal
from app.infra.tables import hub, membership, region, region_period, term
from app.infra.terms import term_rows
from app.infra.times import moment

MOST_MATCHES = 1000
MOST_RELATED = 20


def question_rows(*where: Any) -> Any:
    """Questions as rows of the view, without words sought."""
    q = question.alias()
    conditions = [condition(q.c) for condition in where]
    return select(q, literal_column("0::real").label("rank"), cast(null(), Text).label("words")).where(*conditions)


def _questions(cx: Context, given: Mapping[str, Expression]) -> Rows:
    if "q" not in given:
        return Rows(question_rows().subquery())
    q = question.alias()
    found = func.question_candidates(given["q"], literal_column(str(MOST_MATCHES))).table_valued(
        column("id", Uuid), column("rank", Float)
    )
    row = select(q, found.c.rank, given["q"].label("words")).select_from(q.join(found, found.c.id == q.c.id)).subquery()
    return Rows(row)


def _in_order(array: Any, name: str, type_: Any) -> Any:
    return func.unnest(array).table_valued(column(name, type_), with_ordinality="place").render_derived()


def _hubs(name: str) -> Edge:
    def rows(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
        item = _in_order(getattr(row, name), "hub_id", Integer)
        found = (
            select(hub, item.c.place)
            .select_from(item.join(hub, hub.c.id == item.c.hub_id))
            .correlate(row.id.table)
            .subquery()
        )
        return Rows(found, (), (found.c.place,))

    return Edge("hub", rows)


def _regions(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    """The regions as named, in that order: each with the name it has on the date, or the last it had."""
    item, r, other = _in_order(row.region_ids, "region_id", Integer), region_period.alias(), region_period.alias()
    latest = (
        select(func.max(other.c.valid_from))
        .where(other.c.region_id == r.c.region_id, other.c.valid_from <= cx.as_of)
        .scalar_subquery()
    )
    found = (
        select(r, item.c.place)
        .select_from(item.join(r, r.c.region_id == item.c.region_id))
        .where(r.c.valid_from == latest)
        .correlate(row.id.table)
        .subquery()
    )
    return Rows(found, (), (found.c.place,))


def _terms_in(vocabulary: str, name: str) -> Edge:
    return Edge(
        vocabulary, lambda cx, row, args: term_rows(vocabulary, lambda t: t.code == func.any(getattr(row, name)))
    )


def _part(noun: str, *columns: str) -> Edge:
    """A part that lies in the row itself: the same row again, under the name of the part."""

    def rows(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
        found = select(*(getattr(row, name).label(name) for name in columns)).correlate(row.id.table).subquery()
        first = found.c[columns[0]]
        return Rows(found, (first.is_not(None),))

    return Edge(noun, rows, many=False)


def _period(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    found = select(row.period_from, row.period_to).correlate(row.id.table).subquery()
    return Rows(found, (or_(found.c.period_from.is_not(None), found.c.period_to.is_not(None)),))


def _signals(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    """Those that this reader may see: both the link and the signal are read under row-level security."""
    s, link = signal.alias(), question_signal.alias()
    found = (
        select(s, literal_column("0::real").label("rank"), cast(null(), Text).label("words"), link.c.linked_at)
        .select_from(link.join(s, s.c.id == link.c.signal_id))
        .where(link.c.question_id == row.id)
        .correlate(row.id.table)
        .subquery()
    )
    return Rows(found, (), (found.c.linked_at, found.c.id))


def signal_questions(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    """The questions that took a signal up, as far as this reader may see them."""
    link = question_signal.alias()
    found = (
        question_rows(
            lambda q: q.id.in_(select(link.c.question_id).where(link.c.signal_id == row.id).correlate(row.id.table))
        )
        .correlate(row.id.table)
        .subquery()
    )
    return Rows(found, (), (found.c.id,))


def _related(function: Any, label: str) -> Any:
    def rows(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
        found = function(row.id, literal_column(str(MOST_RELATED))).table_valued(
            column("id", Uuid), column("score", Float), column("same_themes", ARRAY(Text)), column("overlap", Float),
            column("words", Float),
        )  # fmt: skip
        mine = select(
            found.c.id.label(label), found.c.score, found.c.same_themes, found.c.overlap, found.c.words
        ).select_from(found)
        near = mine.subquery()
        return Rows(near, (), (near.c.score.desc(), near.c[label].desc()))

    return rows


related_signals = _related(func.related_signals, "signal_id")
related_questions = _related(func.related_questions, "question_id")


def _history(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    h = question_history.alias()
    return Rows(h, (h.c.question_id == row.id,), (h.c.version,))


def _highlight(cx: Context, row: Any) -> Expression:
    """The words found, in the text around them; null when nothing was searched for."""
    query = func.websearch_to_tsquery(literal_column("'dutch'"), row.words)
    options: Expression = literal_column("'StartSel=«, StopSel=», MaxFragments=2, MaxWords=20, MinWords=8'")
    text = func.concat(row.title, literal_column("'. '"), row.description)
    return case(
        (row.words.is_not(None), func.ts_headline(literal_column("'dutch'"), text, query, options)), else_=null()
    )


def _of_hub(cx: Context, row: Any, slug: Expression) -> Expression:
    """Every question that the hub is of, also those that another leads."""
    mine = select(hub.c.id).where(hub.c.slug == slug).scalar_subquery()
    return mine == func.any(row.hubs)


def _led_by(cx: Context, row: Any, slug: Expression) -> Expression:
    return row.hub_id == select(hub.c.id).where(hub.c.slug == slug).scalar_subquery()  # type: ignore[no-any-return]


def _of_theme(cx: Context, row: Any, code: Expression) -> Expression:
    t = term.alias()
    family = select(t.c.code).where(
        t.c.vocabulary == literal_column("'theme'"), or_(t.c.code == code, t.c.parent == code)
    )
    return row.themes.op("&&")(func.array(family.scalar_subquery(), type_=ARRAY(Text)))  # type: ignore[no-any-return]


def _of_region(cx: Context, row: Any, code: Expression) -> Expression:
    """Questions of regions, of any scheme, that share a municipality with the one of this code on the date."""
    mine, other, r = membership.alias(), membership.alias(), region.alias()
    near = (
        select(other.c.region_id)
        .select_from(
            r.join(mine, mine.c.region_id == r.c.id).join(other, other.c.municipality_id == mine.c.municipality_id)
        )
        .where(r.c.code == code, valid(mine.c, cx), valid(other.c, cx))
        .distinct()
    )
    return row.region_ids.op("&&")(func.array(near.scalar_subquery(), type_=ARRAY(Integer)))  # type: ignore[no-any-return]


def _of_workfield(cx: Context, row: Any, code: Expression) -> Expression:
    return case(
        (code == CROSS_CUTTING, row.workfields_source == literal_column("'cross-cutting'")),
        else_=code == func.any(row.workfields),
    )


def _of_level(cx: Context, row: Any, code: Expression) -> Expression:
    """The level that holds: achieved, else agreed, else intended."""

    def of(name: str) -> Expression:
        return row.levels.op("#>>")(literal_column(f"'{{{name},level}}'"))  # type: ignore[no-any-return]

    return func.coalesce(of("achieved"), of("agreed"), of("intended")) == code


def _of_signal(cx: Context, row: Any, signal_id: Expression) -> Expression:
    link = question_signal.alias()
    return exists(select(link.c.signal_id).where(link.c.question_id == row.id, link.c.signal_id == signal_id))


QUESTION = View(
    noun="question",
    rows=_questions,
    fields={
        "id": lambda cx, r: r.id,
        "externalId": lambda cx, r: r.external_id,
        "title": lambda cx, r: r.title,
        "description": lambda cx, r: r.description,
        "origin": lambda cx, r: r.origin,
        "scope": lambda cx, r: r.scope,
        "workfieldsSource": lambda cx, r: r.workfields_source,
        "requestedOn": lambda cx, r: r.requested_on,
        "recruitedOn": lambda cx, r: r.recruited_on,
        "visibility": lambda cx, r: r.visibility,
        "status": lambda cx, r: r.status,
        "demonstration": lambda cx, r: r.demonstration,
        "version": lambda cx, r: r.version,
        "createdAt": lambda cx, r: moment(r.created_at),
        "updatedAt": lambda cx, r: moment(r.updated_at),
        "openedAt": lambda cx, r: moment(r.opened_at),
        "concludedAt": lambda cx, r: moment(r.concluded_at),
        "highlight": _highlight,
    },
    edges={
        "hub": hub_edge(),
        "hubs": _hubs("hubs"),
        "invited": _hubs("invited"),
        "stakeholder": organisation_edge("stakeholder_id"),
        "regions": Edge("region", _regions),
        "themes": _terms_in("theme", "themes"),
        "workfields": _terms_in("workfield", "workfields"),
        "methods": _terms_in("participation-method", "methods"),
        "levels": _part("levels", "levels"),
        "matrix": _part("matrix", "cells", "phases"),
        "mix": _part("mix", "mix", "imbalance_reason"),
        "balance": _part("balance", "balance", "phases"),
        "compensation": _part("compensation", "compensation"),
        "period": Edge("period", _period, many=False),
        "outcome": _part("outcome", "outcome", "phases"),
        "signals": Edge("signal", _signals),
        "relatedSignals": Edge("related-signal", related_signals),
        "history": Edge("question-version", _history),
    },
    filters={
        "id": Filter(lambda cx, r, v: r.id == v, Uuid()),
        "hub": Filter(_of_hub, codes="hub"),
        "lead": Filter(_led_by, codes="hub"),
        "externalId": Filter(lambda cx, r, v: r.external_id == v),
        "theme": Filter(_of_theme, codes="theme"),
        "region": Filter(_of_region, codes="region"),
        "workfield": Filter(_of_workfield, codes="workfield"),
        "level": Filter(_of_level, codes="participation-level"),
        "status": Filter(lambda cx, r, v: r.status == v),
        "scope": Filter(lambda cx, r, v: r.scope == v),
        "origin": Filter(lambda cx, r, v: r.origin == v),
        "visibility": Filter(lambda cx, r, v: r.visibility == v),
        "signal": Filter(_of_signal, Uuid()),
        "updatedSince": Filter(lambda cx, r, v: r.updated_at >= v, DateTime(timezone=True)),
        "q": Filter(lambda cx, r, v: true()),
    },
    sorts={
        "createdAt": (Key("id", Uuid()),),
        "updatedAt": (Key("updated_at", DateTime(timezone=True)), Key("id", Uuid())),
        "relevance": (Key("rank", Float()), Key("id", Uuid())),
    },
    version=lambda r: r.version,
    order="-createdAt",
    finds="q",
)
