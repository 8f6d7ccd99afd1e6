"""The feeds on PostgreSQL: a page of the change log in one statement, its entries as finished JSON.

Row-level security chooses the entries: `enter_feed` leaves the reader no more than the bits of the feed.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import Any

from app.domain.access import Actor
from app.domain.changes import Entry, Page, Place
from app.domain.feeds import PUBLIC, FeedPage, FeedQuery, Form, feed_eyes
from app.domain.reading import Language
from app.infra import change_cursors as cursors
from app.infra.database import Database, entering
from app.infra.reader import Signer

BEGIN = (0, 0, 0)
END = (2**31 - 1, 2**63 - 1, 2**63 - 1)
_POSITION = "epoch, xact_id, seq"
_MOMENT = "to_char(timezone('UTC', {}), 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
_LABEL = "case $11 when 'en' then t.label_en else t.label_nl end"
SOURCE = "urn:nld:knooppunt:feed:"
"""With the code of the feed: the source of its events (NL GOV profile for CloudEvents, a URN)."""

# Only what is final is shown, and only the last word on a signal: so new entries come at the front alone.
_STATEMENT = """
select one.there, p.*, (select {label} from term t where t.vocabulary = 'umbrella' and t.code = $6) as name
from (select enter_feed($1, $2, $3, $4, $5, $6) as there offset 0) one
left join lateral (
    with ends as materialized (
        select (select max(id) from epoch) as present, pg_snapshot_xmin(pg_current_snapshot())::text::bigint as final,
            pg_snapshot_xmax(pg_current_snapshot())::text::bigint as ahead
    ), found as materialized (
        select {position}, type, resource_id, version, op, at, owner_hub, before_level,
            row_number() over (order by {order}) as place
        from (
            select c.* from change c
            where (c.epoch, c.xact_id, c.seq) {beyond} ($7::int, $8::bigint, $9::bigint) and c.type = 1{only}
                and (c.epoch < (select present from ends) or c.xact_id < (select final from ends))
                and not exists (
                    select 1 from change n where n.resource_id = c.resource_id and n.version >= c.version
                        and (n.version > c.version or (n.epoch, n.xact_id, n.seq) > (c.epoch, c.xact_id, c.seq)) offset 0)
            order by {order} limit {most}
        ) c
    ), page as (
        select f.*, {item} as item from found f
        left join signal s on s.id = f.resource_id and f.op = 1 left join hub h on h.id = f.owner_hub
        where f.place < {most}
    )
    select {items} as items, (select count(*) from found) as found, ends.*, r.epoch as gone_epoch, r.xact_id as gone_xact,
        r.seq as gone_seq,
        array_agg(array[page.epoch, page.xact_id, page.seq]::bigint[] order by place) filter (where {kept}) as places
    from ends left join page on true left join log_mark r on r.name = 'removed'
    group by ends.present, ends.final, ends.ahead, r.epoch, r.xact_id, r.seq
) p on true
"""

_ITEM = f"""
case when s.id is not null then json_build_object(
    'id', 'urn:uuid:' || s.id, 'url', $10::text || '/v1/signals/' || s.id, 'title', s.title,
    'content_text', coalesce(nullif(s.description, ''), s.title),
    'date_published', {_MOMENT.format("coalesce(s.verified_at, s.created_at)")}, 'date_modified', {_MOMENT.format("f.at")},
    'authors', json_build_array(json_build_object('name', h.name, 'url', $10::text || '/v1/hubs/' || h.slug)),
    'language', 'nl', 'tags', coalesce((select json_agg({_LABEL} order by t.rank, t.code) from term t
        where t.vocabulary = 'theme' and t.code = any (s.themes)), '[]'),
    '_knooppunt', json_build_object(
        'state', 'present', 'version', f.version, 'kind', s.kind, 'status', s.status, 'visibility', s.visibility,
        'heardOn', s.heard_on, 'hub', h.slug, 'themes', s.themes,
        'workfields', coalesce((select json_agg(t.code order by t.rank) from term t
            where t.vocabulary = 'workfield' and s.workfields & (1 << (t.rank - 1)) <> 0), '[]'),
        'region', (select json_build_object('code', g.code, 'scheme', g.scheme, 'name', (select e.name from region_period e
            where e.region_id = g.id order by e.valid_from desc limit 1)) from region g where g.id = s.region_id),
        'forwardings', coalesce((select json_agg(json_build_object('umbrella', w.umbrella, 'state', w.state,
            'respondBy', w.respond_by, 'response', w.response) order by w.umbrella)
            from forwarding w where w.signal_id = s.id), '[]')))
else json_build_object(
    'id', 'urn:uuid:' || f.resource_id,
    'title', case $11 when 'en' then 'Withdrawn signal' else 'Ingetrokken signaal' end,
    'content_text', case $11 when 'en' then 'This signal is not here any more. Remove your copy.'
        else 'Dit signaal is hier niet meer. Verwijder uw kopie.' end,
    'date_modified', {_MOMENT.format("f.at")}, 'language', $11::text,
    '_knooppunt', json_build_object('state', case f.op when 2 then 'deleted' else 'withdrawn' end, 'version', f.version))
end
"""
_EVENT = f"""
json_build_object(
    'specversion', '1.0', 'id', f.resource_id || ':' || f.version || ':' || f.op, 'source', '{SOURCE}' || $6,
    'type', 'nl.knooppunt.signal.' || case when f.op = 2 then 'deleted' when f.op = 3 or s.id is null then 'withdrawn'
        when coalesce(f.before_level, 0) = 0 then 'verified' else 'changed' end,
    'time', {_MOMENT.format("f.at")}, 'subject', f.resource_id,
    'sequence', lpad(f.epoch::text, 6, '0') || '-' || lpad(f.xact_id::text, 19, '0') || '-' || lpad(f.seq::text, 19, '0'),
    'dataref', $10::text || '/v1/signals/' || f.resource_id, 'hub', h.slug, 'signalversion', f.version)
"""
_UMBRELLAS = """
select array_agg(array[code, case $1 when 'en' then label_en else label_nl end] order by rank)
from term where vocabulary = 'umbrella'
"""


@lru_cache(maxsize=64)
def _statement(form: Form, limit: int, *, public: bool, apart: bool) -> str:
    """Of pages the newest first, of a stream (`apart`) the oldest, one by one."""
    down = "" if apart else " desc"
    return _STATEMENT.format(
        label=_LABEL,
        position=_POSITION,
        order=", ".join(f"c.{name}{down}" for name in _POSITION.split(", ")),
        beyond=">" if apart else "<",
        only=" and c.audience & 1 <> 0" if public else "",
        most=limit + 1,
        item=_ITEM if form == "items" else _EVENT,
        items=(
            "array_agg(item::text order by place) filter (where place is not null)"
            if apart
            else "coalesce(json_agg(item order by place) filter (where place is not null), '[]')"
        ),
        kept="place is not null" if apart else f"place in (1, {limit})",
    )


class PostgresFeeds:
    """See the port."""

    def __init__(self, database: Database, signer: Signer) -> None:
        self._database = database
        self._signer = signer
        self._under_way: dict[Any, asyncio.Task[Any]] = {}

    async def page(self, actor: Actor, query: FeedQuery) -> FeedPage | None:
        """See the port."""
        eyes, bind = feed_eyes(query.code), (f"feed:{query.code}:older",)
        begin = END if query.cursor is None else cursors.read(self._signer, query.cursor, eyes, bind).place
        row = await self._row(actor, query, begin, apart=False)
        if row is None:
            return None
        places = row["places"] or []
        count = min(row["found"], query.limit)
        following = live = None
        if row["found"] > query.limit:
            following = self._written(eyes, bind[0], row["present"], 0, places[-1])
        if places and query.cursor is None:
            # What was removed before the newest entry was shown is no loss for who begins there.
            base = 0 if row["gone_xact"] is None else row["gone_xact"] + 1
            live = self._written(eyes, f"feed:{query.code}", row["present"], base, places[0])
        return FeedPage(row["items"], count, following, live, row["name"])

    async def after(self, actor: Actor, query: FeedQuery) -> Page | None:
        """See the port."""
        eyes, bind = feed_eyes(query.code), f"feed:{query.code}"
        begin = cursors.Cursor()
        if query.cursor is not None:
            begin = cursors.read(self._signer, query.cursor, eyes, (bind,))
        row = await self._row(actor, query, begin.place, apart=True)
        if row is None:
            return None
        present, final = row["present"], row["final"]
        gone = None if row["gone_epoch"] is None else (row["gone_epoch"], row["gone_xact"], row["gone_seq"])
        cursors.check(begin, cursors.LogEnd(present, final, row["ahead"], gone))
        base = final if begin.base is None else begin.base
        places = row["places"] or []
        entries = tuple(
            Entry(item, self._written(eyes, bind, present, base, place))
            for item, place in zip(row["items"] or (), places, strict=True)
        )
        more = row["found"] > query.limit
        # After the last entry, not after all of the log: so all who heard the same stand at the same place.
        after = self._written(eyes, bind, present, base if more else final, places[-1] if places else begin.place)
        return Page(b"", len(entries), after, more, (present, final, 0), entries)

    async def umbrellas(self, language: Language) -> list[tuple[str, str]]:
        """See the port."""
        row = await self._database.row(_UMBRELLAS, language)
        return [(code, label) for code, label in (row[0] if row else None) or ()]

    def _written(self, eyes: Actor, bind: str, present: int, base: int, place: Any) -> str:
        epoch, xact_id, seq = place
        return cursors.written(self._signer, eyes, (bind,), cursors.Cursor((epoch, xact_id, seq), present, base))

    async def _row(self, actor: Actor, query: FeedQuery, begin: Place, *, apart: bool) -> Any:
        sql = _statement(query.form, query.limit, public=query.code == PUBLIC, apart=apart)
        given = (*entering(actor), query.code, *begin, query.base_url, query.language)
        if apart and actor.role == "anonymous":
            row = await self._together(sql, given)
        else:
            row = await self._database.row(sql, *given)
            actor.hold()
        return row if row is not None and row["there"] else None

    async def _together(self, sql: str, given: tuple[Any, ...]) -> Any:
        """One look for all who listen without a token and wake at the same moment: a thousand took some seconds. Who joins
        a look that began before he was woken is woken again, by what he then has seen."""
        key = (sql, given)
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(self._database.row(sql, *given))
            task.add_done_callback(lambda done: self._done(key, done))
        return await asyncio.shield(task)

    def _done(self, key: Any, task: asyncio.Task[Any]) -> None:
        del self._under_way[key]
        if not task.cancelled():
            task.exception()  # heard by whoever is still there
