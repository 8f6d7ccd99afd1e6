"""What hangs on a signal: forwardings, follow-ups, versions of its history and likenesses, as read views."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import (
    Boolean,
    Date,
    DateTime,
    Integer,
    Numeric,
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

from app.domain.signal_rules import ForwardingState
from app.infra.json_sql import Expression
from app.infra.projection import Context, Edge, Filter, Key, Rows, View
from app.infra.signal_tables import follow_up, forwarding, signal, signal_history
from app.infra.signals import known, of_hub
from app.infra.terms import term_edge
from app.infra.times import moment


def signal_of(column: str) -> Callable[[Context, Any, Mapping[str, Expression]], Rows]:
    """To the signal whose id is in this column."""

    def rows(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
        s, its = signal.alias(), getattr(row, column)
        there = (
            select(s, literal_column("0::real").label("rank"), cast(null(), Text).label("words"))
            .where(s.c.id == its)
            .correlate(its.table)
            .subquery()
        )
        return Rows(there)

    return rows


def overdue(cx: Context, row: Any) -> Expression:
    """Its term is over, and nothing was said of it but that it came in."""
    open_states: list[Expression] = [literal_column("'forwarded'"), literal_column("'acknowledged'")]
    return and_(row.respond_by < cx.as_of, row.state.in_(open_states))


SIGNAL_PARTS = (
    View(
        "forwarding",
        lambda cx, given: Rows(forwarding.alias()),
        {
            "state": lambda cx, r: r.state,
            "respondBy": lambda cx, r: r.respond_by,
            "overdue": overdue,
            "overdueDays": lambda cx, r: case((overdue(cx, r), cx.as_of - r.respond_by), else_=literal_column("0")),
            "response": lambda cx, r: r.response,
            "reason": lambda cx, r: r.reason,
            "forwardedAt": lambda cx, r: moment(r.forwarded_at),
            "respondedAt": lambda cx, r: moment(r.responded_at),
        },
        {"umbrella": term_edge("umbrella", "umbrella"), "signal": Edge("signal", signal_of("signal_id"), many=False)},
        {
            "umbrella": Filter(lambda cx, r, v: and_(r.umbrella == v, v != literal_column("''")), codes="umbrella"),
            "hub": Filter(of_hub, codes="hub"),
            "state": Filter(lambda cx, r, v: and_(r.state == v, known(v, ForwardingState))),
            "overdue": Filter(lambda cx, r, v: overdue(cx, r) == v, Boolean()),
        },
        {
            "respondBy": (Key("respond_by", Date()), Key("signal_id", Uuid()), Key("umbrella", Text())),
            "forwardedAt": (
                Key("forwarded_at", DateTime(timezone=True)),
                Key("signal_id", Uuid()),
                Key("umbrella", Text()),
            ),
        },
        order="respondBy",
    ),
    View(
        "follow-up",
        lambda cx, given: Rows(follow_up),
        {
            "id": lambda cx, r: r.id,
            "kind": lambda cx, r: r.kind,
            "on": lambda cx, r: r.on_date,
            "summary": lambda cx, r: r.summary,
            "public": lambda cx, r: r.public,
            "createdAt": lambda cx, r: moment(r.created_at),
        },
    ),
    View(
        "signal-version",
        lambda cx, given: Rows(signal_history.alias()),
        {
            "version": lambda cx, r: r.version,
            "at": lambda cx, r: moment(r.at),
            "action": lambda cx, r: r.action,
            "role": lambda cx, r: r.role,
            "hub": lambda cx, r: r.by_hub,
            "umbrella": lambda cx, r: r.by_umbrella,
            "note": lambda cx, r: r.note,
            "changes": lambda cx, r: r.changes,
        },
        {},
        {"signal": Filter(lambda cx, r, v: r.signal_id == v, Uuid())},
        {"version": (Key("version", Integer()),)},
    ),
    View(
        "similar-signal",
        lambda cx, given: Rows(signal),
        {
            "score": lambda cx, r: func.round(cast(r.score, Numeric), 3),
            "sameThemes": lambda cx, r: func.array_to_json(r.same_themes),
        },
        {"signal": Edge("signal", signal_of("similar_id"), many=False)},
    ),
)
