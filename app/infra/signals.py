"""Signals, their forwardings, follow-ups and history: the read views. Row-level security stands under all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from sqlalchemy import (
    ARRAY,
    Date,
    DateTime,
    Float,
    FromClause,
    Select,
    Text,
    Uuid,
    and_,
    case,
    cast,
    column,
    func,
    literal_column,
    null,
    or_,
    select,
    table,
    true,
)

from app.domain.routing import CROSS_CUTTING
from app.domain.signal_rules import Kind
from app.infra.hubs import hub_edge
from app.infra.json_sql import Expression
from app.infra.projection import Context, Edge, Filter, Key, Rows, View, Walk
from app.infra.questions import related_questions, signal_questions
from app.infra.regions import valid
from app.infra.signal_tables import bundle, bundle_signal, follow_up, forwarding, signal, signal_history, signal_theme
from app.infra.tables import hub, membership, region, region_period, term
from app.infra.terms import term_edge, term_rows
from app.infra.times import moment

MOST_MATCHES = 1000


def _signals(cx: Context, given: Mapping[str, Expression]) -> Rows:
    s = signal.alias()
    if "q" not in given:
        row = select(s, literal_column("0::real").label("rank"), cast(null(), Text).label("words")).subquery()
        return Rows(row)
    found = func.signal_candidates(given["q"], literal_column(str(MOST_MATCHES))).table_valued(
        column("id", Uuid), column("rank", Float)
    )
    # As the cursor says it again: a `real` in JSON has fewer digits than the comparison has.
    rank = cast(found.c.rank, Float).label("rank")
    row = select(s, rank, given["q"].label("words")).select_from(s.join(found, found.c.id == s.c.id)).subquery()
    return Rows(row)


def _added() -> FromClause:
    s = table("added", *(column(c.name, c.type) for c in signal.c))
    return select(s, literal_column("0::real").label("rank"), cast(null(), Text).label("words")).subquery()


def _terms_in(vocabulary: str, name: str) -> Edge:
    return Edge(
        vocabulary, lambda cx, row, args: term_rows(vocabulary, lambda t: t.code == func.any(getattr(row, name)))
    )


def _workfields(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    return term_rows("workfield", lambda t: row.workfields.op("&")(literal_column("1").op("<<")(t.bit)) != 0)


def _region(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    """The region as named: with the name it has on the date, or the last it had."""
    r = region_period.alias()
    latest = (
        select(r)
        .where(r.c.region_id == row.region_id, r.c.valid_from <= cx.as_of)
        .order_by(r.c.valid_from.desc())
        .limit(literal_column("1"))
        .correlate(row.id.table)
        .subquery()
    )
    return Rows(latest)


def _children(table: Any, *order: str) -> Any:
    def rows(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
        child = table.alias()
        return Rows(child, (child.c.signal_id == row.id,), tuple(child.c[name] for name in order))

    return rows


def _highlight(cx: Context, row: Any) -> Expression:
    """The words found, in the text around them; null when nothing was searched for."""
    query = func.websearch_to_tsquery(literal_column("'dutch'"), row.words)
    options: Expression = literal_column("'StartSel=«, StopSel=», MaxFragments=2, MaxWords=20, MinWords=8'")
    text = func.concat(row.title, literal_column("'. '"), row.description)
    return case(
        (row.words.is_not(None), func.ts_headline(literal_column("'dutch'"), text, query, options)), else_=null()
    )


def of_hub(cx: Context, row: Any, slug: Expression) -> Expression:
    """Nobody's hub is the empty one: that is seen before anything is scanned."""
    mine = select(hub.c.id).where(hub.c.slug == slug).scalar_subquery()
    return and_(row.hub_id == mine, slug != literal_column("''"))


def known(value: Expression, codes: Any) -> Expression:
    """A code that nothing can have is answered without a scan of everything (0.6 s at a million)."""
    return value.in_([literal_column(f"'{code}'") for code in get_args(codes)])


def _of_workfield(cx: Context, row: Any, code: Expression) -> Expression:
    mask = select(func.workfield_mask(_array(code))).scalar_subquery()
    return case(
        (code == CROSS_CUTTING, row.workfields_source == literal_column("'cross-cutting'")),
        else_=row.workfields.op("&")(mask) != literal_column("0"),
    )


def _array(value: Expression) -> Expression:
    return func.string_to_array(value, literal_column("' '"))


def _themes(cx: Context, code: Expression) -> Select[*tuple[Any, ...]]:
    """The theme and its children."""
    t = term.alias()
    return select(t.c.code.label("key")).where(
        t.c.vocabulary == literal_column("'theme'"), or_(t.c.code == code, t.c.parent == code)
    )


def _of_theme(cx: Context, row: Any, code: Expression) -> Expression:
    return row.themes.op("&&")(func.array(_themes(cx, code).scalar_subquery(), type_=ARRAY(Text)))  # type: ignore[no-any-return]


def _by_theme(row: FromClause, key: Any) -> tuple[FromClause | None, Expression]:
    t = signal_theme.alias()
    return row.join(t, t.c.signal_id == row.c.id), t.c.theme == key.key


def _both(cx: Context, given: Mapping[str, Expression]) -> Select[*tuple[Any, ...]]:
    """Each theme with each region."""
    themes, regions = _themes(cx, given["theme"]).subquery(), _touching(cx, given["region"]).subquery()
    return select(themes.c.key, regions.c.key.label("region")).select_from(themes.join(regions, true()))


def _by_both(row: FromClause, key: Any) -> tuple[FromClause | None, Expression]:
    t = signal_theme.alias()
    return row.join(t, t.c.signal_id == row.c.id), and_(t.c.theme == key.key, t.c.region_id == key.region)


def _theme_of_hub(cx: Context, given: Mapping[str, Expression]) -> Select[*tuple[Any, ...]]:
    themes = _themes(cx, given["theme"]).subquery()
    return select(themes.c.key, hub.c.id.label("hub")).select_from(themes.join(hub, hub.c.slug == given["hub"]))


def _by_theme_of_hub(row: FromClause, key: Any) -> tuple[FromClause | None, Expression]:
    t = signal_theme.alias()
    return row.join(t, t.c.signal_id == row.c.id), and_(t.c.theme == key.key, t.c.hub_id == key.hub)


def _own(cx: Context, given: Mapping[str, Expression]) -> Select[*tuple[Any, ...]]:
    """A hub in a status: its few drafts among its many signals."""
    return select(hub.c.id.label("key"), cast(given["status"], Text).label("status")).where(hub.c.slug == given["hub"])


def _by_own(row: FromClause, key: Any) -> tuple[FromClause | None, Expression]:
    return None, and_(row.c.hub_id == key.key, row.c.status == key.status)


def _touching(cx: Context, code: Expression) -> Select[*tuple[Any, ...]]:
    """Regions of any scheme that share a municipality with the one of this code, on the date."""
    mine, other, r = membership.alias(), membership.alias(), region.alias()
    return (
        select(other.c.region_id.label("key"))
        .select_from(
            r.join(mine, mine.c.region_id == r.c.id).join(other, other.c.municipality_id == mine.c.municipality_id)
        )
        .where(r.c.code == code, valid(mine.c, cx), valid(other.c, cx))
        .distinct()
    )


def _of_region(cx: Context, row: Any, code: Expression) -> Expression:
    return row.region_id.in_(_touching(cx, code))  # type: ignore[no-any-return]


def _by_region(row: FromClause, key: Any) -> tuple[FromClause | None, Expression]:
    return None, row.c.region_id == key.key


def _similar(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    found = func.similar_signals(row.id, literal_column("10")).table_valued(
        column("id", Uuid), column("score", Float), column("same_themes")
    )
    mine = select(found.c.id.label("similar_id"), found.c.score, found.c.same_themes).select_from(found).subquery()
    return Rows(mine, (), (mine.c.score.desc(), mine.c.similar_id.desc()))


def signal_rows(*where: Any) -> Select[*tuple[Any, ...]]:
    """Signals as rows of the view, without words sought."""
    s = signal.alias()
    conditions = [condition(s.c) for condition in where]
    return select(s, literal_column("0::real").label("rank"), cast(null(), Text).label("words")).where(*conditions)


def _bundles(cx: Context, row: Any, args: Mapping[str, Expression]) -> Rows:
    b, x = bundle.alias(), bundle_signal.alias()
    holding = select(x.c.bundle_id).where(x.c.signal_id == row.id).correlate(row.id.table)
    return Rows(b, (b.c.id.in_(holding),), (b.c.id,))


_SORTS = {
    "createdAt": (Key("id", Uuid()),),
    "updatedAt": (Key("updated_at", DateTime(timezone=True)), Key("id", Uuid())),
    "heardOn": (Key("heard_on", Date()), Key("id", Uuid())),
    "relevance": (Key("rank", Float()), Key("id", Uuid())),
}

SIGNAL = View(
    noun="signal",
    rows=_signals,
    fields={
        "id": lambda cx, r: r.id,
        "externalId": lambda cx, r: r.external_id,
        "kind": lambda cx, r: r.kind,
        "title": lambda cx, r: r.title,
        "description": lambda cx, r: r.description,
        "workfieldsSource": lambda cx, r: r.workfields_source,
        "scale": lambda cx, r: r.scale,
        "heardOn": lambda cx, r: r.heard_on,
        "peopleCount": lambda cx, r: r.people_count,
        "visibility": lambda cx, r: r.visibility,
        "status": lambda cx, r: r.status,
        "demonstration": lambda cx, r: r.demonstration,
        "version": lambda cx, r: r.version,
        "createdAt": lambda cx, r: moment(r.created_at),
        "updatedAt": lambda cx, r: moment(r.updated_at),
        "verifiedAt": lambda cx, r: moment(r.verified_at),
        "highlight": _highlight,
    },
    edges={
        "hub": hub_edge(),
        "themes": _terms_in("theme", "themes"),
        "workfields": Edge("workfield", _workfields),
        "region": Edge("region", _region, many=False),
        "groups": _terms_in("participant-group", "groups"),
        "channel": term_edge("channel", "channel"),
        "forwardings": Edge("forwarding", _children(forwarding, "umbrella")),
        "followUps": Edge("follow-up", _children(follow_up, "on_date", "id")),
        "history": Edge("signal-version", _children(signal_history, "version")),
        "bundles": Edge("bundle", _bundles),
        "similar": Edge("similar-signal", _similar),
        "questions": Edge("question", signal_questions),
        "relatedQuestions": Edge("related-question", related_questions),
    },
    filters={
        "id": Filter(lambda cx, r, v: r.id == v, Uuid()),
        "hub": Filter(of_hub, codes="hub"),
        "theme": Filter(_of_theme, codes="theme"),
        "region": Filter(_of_region, codes="region"),
        "externalId": Filter(lambda cx, r, v: r.external_id == v),
        "workfield": Filter(_of_workfield, codes="workfield"),
        "kind": Filter(lambda cx, r, v: and_(r.kind == v, known(v, Kind))),
        "status": Filter(lambda cx, r, v: r.status == v),
        "visibility": Filter(lambda cx, r, v: r.visibility == v),
        "updatedSince": Filter(lambda cx, r, v: r.updated_at >= v, DateTime(timezone=True)),
        "q": Filter(lambda cx, r, v: true()),
    },
    sorts=_SORTS,
    version=lambda r: r.version,
    order="-createdAt",
    finds="q",
    walks=(
        Walk(("hub", "status"), _own, _by_own, ("createdAt",)),
        Walk(("theme", "region"), _both, _by_both, ("createdAt",), most=400),
        Walk(("theme", "hub"), _theme_of_hub, _by_theme_of_hub, ("createdAt",)),
        Walk(("theme",), lambda cx, given: _themes(cx, given["theme"]), _by_theme, ("createdAt",)),
        Walk(
            ("region",),
            lambda cx, given: _touching(cx, given["region"]),
            _by_region,
            ("createdAt", "updatedAt", "heardOn"),
        ),
    ),
    added=_added,
)
