"""The parts of questions (levels, matrix, mix, balance, outcome, history, relatives): read views on documents in the row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    Date,
    Integer,
    Numeric,
    Text,
    Uuid,
    cast,
    column,
    func,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.infra.json_sql import Expression
from app.infra.projection import Context, Edge, Filter, Key, Rows, View
from app.infra.question_tables import question_history
from app.infra.questions import question_rows
from app.infra.signals import signal_rows
from app.infra.tables import hub, organisation, term
from app.infra.terms import term_edge, term_rows
from app.infra.times import moment

Field = Callable[[Context, Any], Expression]


def _records(document: Any, **columns: Any) -> Any:
    """The items of a list in a document as rows."""
    return (
        func.jsonb_to_recordset(document)
        .table_valued(*(column(name, type_) for name, type_ in columns.items()))
        .render_derived(with_types=True)
    )


def _member(document: Any, *path: str) -> Expression:
    return document.op("#>>")(literal_column(f"'{{{','.join(path)}}}'"))  # type: ignore[no-any-return]


def _items(source: str, order: str, /, **columns: Any) -> Callable[[Context, Any, Mapping[str, Expression]], Rows]:
    """Rows of the list `source` (a column, or `column.member`), with the phases of the question at hand."""
    name, _, member = source.partition(".")

    def rows(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
        document = getattr(row, name)
        if member:
            document = document.op("->")(literal_column(f"'{member}'"))
        item = _records(cast(document, JSONB), **columns)
        shown = [item.c[name] for name in columns]
        if hasattr(row, "phases"):
            shown.append(row.phases.label("phases"))
        found = select(*shown).select_from(item).correlate(getattr(row, name).table).subquery()
        return Rows(found, (), (found.c[order],) if order else ())

    return rows


def _phases(cx: Context, row: Any, only: Callable[[Any], Any] | None = None) -> Rows:
    """The phases that the question names itself, or else the template."""
    outer = row.phases.table
    own = _records(row.phases, place=Integer, code=Text, label=Text)
    t = term.alias()
    empty = row.phases == literal_column("'[]'::jsonb")
    named = select(own.c.place, own.c.code, own.c.label).select_from(own).correlate(outer)
    template = (
        select(cast(t.c.rank, Integer), t.c.code, cx.label(t.c, "label"))
        .where(t.c.vocabulary == literal_column("'participation-phase'"), empty)
        .correlate(outer)
    )
    if only is not None:
        named, template = named.where(only(own.c)), template.where(only(t.c))
    found = union_all(named, template).subquery()
    return Rows(found, (), (found.c.place,))


def _phase(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    return _phases(cx, row, lambda phase: phase.code == row.phase)


def _terms(vocabulary: str, member: str) -> Edge:
    """Terms whose codes are listed in the document of the balance."""
    return Edge(
        vocabulary,
        lambda cx, row, args: term_rows(
            vocabulary, lambda t: row.balance.op("->")(literal_column(f"'{member}'")).op("?")(t.code)
        ),
    )


def _setting(name: str) -> Edge:
    def rows(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
        t = term.alias()
        found = (
            select(
                t,
                _member(row.levels, name, "rung").label("rung"),
                _member(row.levels, name, "set_by").label("set_by"),
                _member(row.levels, name, "set_on").label("set_on"),
            )
            .where(
                t.c.vocabulary == literal_column("'participation-level'"),
                t.c.code == _member(row.levels, name, "level"),
            )
            .correlate(row.levels.table)
            .subquery()
        )
        return Rows(found)

    return Edge("set-level", rows, many=False)


def _set_by(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    h = hub.alias()
    return Rows(h, (h.c.slug == row.set_by,))


def _ladder(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    return term_rows("participation-ladder", lambda t: t.code == _member(row.levels, "ladder"))


def _organisations(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    o = organisation.alias()
    return Rows(o, (o.c.id == row.organisations.any_(),), (o.c.sort_name, o.c.id))


def _that(rows: Callable[..., Any], name: str) -> Any:
    def found(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
        key = getattr(row, name)
        return Rows(rows(lambda r: r.id == key).correlate(key.table).subquery())

    return found


def _truth(document: str, name: str) -> Field:
    return lambda cx, r: cast(_member(getattr(r, document), name), Boolean)


def _text(document: str, name: str) -> Field:
    return lambda cx, r: _member(getattr(r, document), name)


def _json(document: str, name: str) -> Field:
    return lambda cx, r: getattr(r, document).op("->")(literal_column(f"'{name}'"))


def _view(noun: str, fields: Mapping[str, Field], edges: Mapping[str, Edge] | None = None) -> View:
    """A part is reached from its question alone."""
    return View(noun, lambda cx, given: Rows(term), fields, edges or {})


_REASONS: dict[str, Field] = {
    "score": lambda cx, r: func.round(cast(r.score, Numeric), 3),
    "sameThemes": lambda cx, r: func.array_to_json(r.same_themes),
    "overlap": lambda cx, r: func.round(cast(r.overlap, Numeric), 3),
    "sameWords": lambda cx, r: r.words > literal_column("0"),
}

QUESTION_PARTS = (
    _view(
        "levels",
        {"explanation": _text("levels", "explanation"), "confirmed": _truth("levels", "confirmed")},
        {
            "ladder": Edge("participation-ladder", _ladder, many=False),
            "intended": _setting("intended"),
            "agreed": _setting("agreed"),
            "achieved": _setting("achieved"),
        },
    ),
    _view(
        "set-level",
        {
            "code": lambda cx, r: r.code,
            "label": lambda cx, r: cx.label(r, "label"),
            "rank": lambda cx, r: r.rank,
            "setOn": lambda cx, r: r.set_on,
        },
        {"rung": term_edge("participation-rung", "rung"), "setBy": Edge("hub", _set_by, many=False)},
    ),
    _view(
        "matrix",
        {},
        {
            "phases": Edge("matrix-phase", lambda cx, row, args: _phases(cx, row)),
            "cells": Edge(
                "matrix-cell",
                _items(
                    "cells",
                    "place",
                    place=Integer,
                    phase=Text,
                    role=Text,
                    activity=Text,
                    groups=ARRAY(Text),
                    on=Date,
                    realised=Boolean,
                    held_by_hub=Boolean,
                ),
            ),
        },
    ),
    _view("matrix-phase", {"code": lambda cx, r: r.code, "label": lambda cx, r: r.label}),
    _view(
        "matrix-cell",
        {
            "activity": lambda cx, r: r.activity,
            "on": lambda cx, r: r.on,
            "realised": lambda cx, r: r.realised,
            "heldByHub": lambda cx, r: r.held_by_hub,
        },
        {
            "phase": Edge("matrix-phase", _phase, many=False),
            "role": term_edge("participation-role", "role"),
            "groups": Edge(
                "participant-group",
                lambda cx, row, args: term_rows("participant-group", lambda t: t.code == row.groups.any_()),
            ),
        },
    ),
    _view(
        "mix",
        {"imbalanceReason": lambda cx, r: r.imbalance_reason},
        {
            "groups": Edge(
                "mix-group",
                _items(
                    "mix",
                    "place",
                    place=Integer,
                    group=Text,
                    wanted=Integer,
                    recruited=Integer,
                    organisations=ARRAY(Uuid),
                ),
            )
        },
    ),
    _view(
        "mix-group",
        {"wanted": lambda cx, r: r.wanted, "recruited": lambda cx, r: r.recruited},
        {
            "group": term_edge("participant-group", "group"),
            "organisations": Edge("organisation", _organisations),
        },
    ),
    _view(
        "balance",
        {
            "state": _text("balance", "state"),
            "basis": _text("balance", "basis"),
            "missingSides": _json("balance", "missing_sides"),
            "missingForms": _json("balance", "missing_forms"),
        },
        {
            "missingWorkfields": _terms("workfield", "missing_workfields"),
            "missingGroups": _terms("participant-group", "missing_groups"),
            "groupsWithoutInfluence": _terms("participant-group", "groups_without_influence"),
            "phasesWithoutInfluence": Edge(
                "matrix-phase",
                lambda cx, row, args: _phases(
                    cx,
                    row,
                    lambda phase: row.balance.op("->")(literal_column("'phases_without_influence'")).op("?")(
                        phase.code
                    ),
                ),
            ),
            "overRecruited": _terms("participant-group", "over_recruited"),
        },
    ),
    _view("compensation", {"offered": _truth("compensation", "offered"), "what": _text("compensation", "what")}),
    _view("period", {"from": lambda cx, r: r.period_from, "to": lambda cx, r: r.period_to}),
    _view(
        "outcome",
        {
            "inputSummary": _text("outcome", "input_summary"),
            "decision": _text("outcome", "decision"),
            "explanation": _text("outcome", "explanation"),
            "decidedOn": _text("outcome", "decided_on"),
            "impact": _text("outcome", "impact"),
        },
        {
            "inputs": Edge(
                "outcome-input", _items("outcome.inputs", "", source=Text, taken=Text, reason=Text, phase=Text)
            ),
            "impactChecks": Edge("impact-check", _items("outcome.impact_checks", "on", on=Date, finding=Text)),
            "toldBack": Edge("told-back", _items("outcome.told_back", "on", on=Date, how=Text, phase=Text)),
        },
    ),
    _view(
        "outcome-input",
        {"source": lambda cx, r: r.source, "taken": lambda cx, r: r.taken, "reason": lambda cx, r: r.reason},
        {"phase": Edge("matrix-phase", _phase, many=False)},
    ),
    _view("impact-check", {"on": lambda cx, r: r.on, "finding": lambda cx, r: r.finding}),
    _view(
        "told-back",
        {"on": lambda cx, r: r.on, "how": lambda cx, r: r.how},
        {"phase": Edge("matrix-phase", _phase, many=False)},
    ),
    View(
        "question-version",
        lambda cx, given: Rows(question_history.alias()),
        {
            "version": lambda cx, r: r.version,
            "at": lambda cx, r: moment(r.at),
            "action": lambda cx, r: r.action,
            "role": lambda cx, r: r.role,
            "hub": lambda cx, r: r.by_hub,
            "note": lambda cx, r: r.note,
            "changes": lambda cx, r: r.changes,
        },
        {},
        {"question": Filter(lambda cx, r, v: r.question_id == v, Uuid())},
        {"version": (Key("version", Integer()),)},
    ),
    _view("related-signal", _REASONS, {"signal": Edge("signal", _that(signal_rows, "signal_id"), many=False)}),
    _view(
        "related-question", _REASONS, {"question": Edge("question", _that(question_rows, "question_id"), many=False)}
    ),
)
