"""Writing signals many at a time: the port `PushedSignals`. Each statement takes all rows, as one JSON."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import orjson

from app.domain.access import Actor
from app.domain.signal_ports import Standing
from app.domain.signal_push import Write
from app.domain.signals import Signal
from app.domain.text import fold
from app.infra.database import Connection
from app.infra.push import HUB, SIGNALS_FROM, lock_ids
from app.infra.signal_writes import SEARCH, SIGNALS, as_signal

# Masks once for each list of fields, not for each row: a look-up of its own takes longer than the row.
_GIVEN = """
with given as materialized (
  select * from json_to_recordset($1::json) as x(id uuid, external_id text, kind text, title text, description text,
    themes text[], concerned text[], source text, region text, scale text, groups text[], channel text, heard_on date,
    people_count int, visibility text, status text, recipients text[], verified boolean, folded_title text,
    folded_description text)),
fields as materialized (
  select concerned, workfield_mask(concerned) as mask from (select distinct concerned from given) d),
readers as materialized (
  select recipients, (select coalesce(bit_or(umbrella_bit(u)), 0) from unnest(recipients) u) as mask
  from (select distinct recipients from given where recipients is not null) d)
"""
_JOINED = """given g join fields f on f.concerned = g.concerned join region r on r.code = g.region
  left join readers w on w.recipients = g.recipients"""
_SEARCH = SEARCH.format(title="g.folded_title", description="g.folded_description")

_ADD = f"""{_GIVEN}
insert into signal (id, hub_id, external_id, kind, title, description, themes, workfields, workfields_source, region_id,
  scale, groups, channel, heard_on, people_count, visibility, status, recipients, verified_at, search)
select g.id, {HUB}, g.external_id, g.kind, g.title, g.description, g.themes, f.mask, g.source, r.id, g.scale, g.groups,
  g.channel, g.heard_on, g.people_count, g.visibility, g.status, coalesce(w.mask, 0),
  case when g.verified then now() end, {_SEARCH}
from {_JOINED}"""

_CHANGE = f"""{_GIVEN}
update signal s set kind = g.kind, title = g.title, description = g.description, themes = g.themes, workfields = f.mask,
  workfields_source = g.source, region_id = r.id, scale = g.scale, groups = g.groups, channel = g.channel,
  heard_on = g.heard_on, people_count = g.people_count, visibility = g.visibility, status = g.status,
  verified_at = case when g.verified then now() else s.verified_at end,
  recipients = case when g.recipients is null then s.recipients else coalesce(w.mask, 0) | (
    select coalesce(bit_or(umbrella_bit(a.umbrella)), 0) from forwarding a
    where a.signal_id = s.id and a.state in ('answered', 'declined')) end,
  version = s.version + 1, updated_at = now(), search = {_SEARCH}
from {_JOINED} where s.id = g.id"""

_FORWARDED = """from json_to_recordset($1::json) as g(id uuid, recipients text[])"""
_UNFORWARD = f"""delete from forwarding a using (select * {_FORWARDED}) g
where a.signal_id = g.id and not a.umbrella = any(g.recipients) and a.state in ('forwarded', 'acknowledged', 'on-agenda')"""
_FORWARD = f"""insert into forwarding (signal_id, umbrella, hub_id, audience, state, respond_by)
select g.id, u, 0, 0, 'forwarded', $2 {_FORWARDED}, unnest(g.recipients) u
on conflict (signal_id, umbrella) do update set respond_by = excluded.respond_by, reason = excluded.reason
where forwarding.state in ('forwarded', 'acknowledged', 'on-agenda')"""

_RECORD = f"""insert into signal_history (signal_id, version, hub_id, action, role, by_hub, by_umbrella, client_id, changes)
select g.id, g.version, {HUB}, g.action, $2, $3, $4, $5, g.changes
from json_to_recordset($1::json) as g(id uuid, version int, action text, changes jsonb)"""


class PostgresPushedSignals:
    """See the port."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def locked(self, external_ids: Collection[str]) -> dict[str, Signal]:
        """See the port."""
        ids = list(external_ids)
        await lock_ids(self._connection, SIGNALS_FROM, ids)
        rows = await self._connection.fetch(
            SIGNALS + f" where s.hub_id = {HUB} and s.external_id = any($1::text[])"
            " order by s.external_id for no key update of s",
            ids,
        )
        return {row["external_id"]: as_signal(row) for row in rows}

    async def standing(self, ids: Collection[UUID]) -> Standing:
        """See the port."""
        row = await self._connection.fetchrow(
            """select
              array(select signal_id from follow_up where signal_id = any($1::uuid[])
                union select signal_id from forwarding where signal_id = any($1::uuid[]) and state = 'answered') as responded,
              array(select distinct signal_id from forwarding where signal_id = any($1::uuid[]) and reason is not null)
                as rerouted""",
            list(ids),
        )
        return Standing(frozenset(row["responded"]), frozenset(row["rerouted"]))

    async def write(self, writes: Sequence[Write], actor: Actor, by: date) -> None:
        """See the port. The signal before its forwardings: its audience decides theirs."""
        deleted = [write.after.id for write in writes if write.action == "deleted"]
        if deleted:
            await self._connection.execute("delete from signal where id = any($1::uuid[])", deleted)
        changed = [write for write in writes if write.action not in ("created", "deleted")]
        if changed:
            await self._all(_CHANGE, _row, changed)
        created = [write for write in writes if write.action == "created"]
        if created:
            await self._all(_ADD, _row, created)
        forwarded = [write for write in writes if write.forwards]
        if forwarded:
            await self._all(_UNFORWARD, _recipients, forwarded)
            await self._all(_FORWARD, _recipients, forwarded, by)
        if writes:
            client = UUID(actor.client) if actor.client else None
            await self._all(_RECORD, _line, writes, actor.role, actor.hub, actor.umbrella, client)

    async def _all(self, sql: str, row: Callable[[Write], dict[str, Any]], writes: Iterable[Write], *more: Any) -> None:
        await self._connection.execute(sql, orjson.dumps([row(write) for write in writes]), *more)


def _row(write: Write) -> dict[str, Any]:
    s = write.after
    return {
        "id": str(s.id), "external_id": s.external_id, "kind": s.kind, "title": s.title, "description": s.description,
        "themes": s.themes, "concerned": s.concerned, "source": s.workfields_source, "region": s.region,
        "scale": s.scale, "groups": s.groups, "channel": s.channel, "heard_on": s.heard_on,
        "people_count": s.people_count, "visibility": s.visibility, "status": s.status, "recipients": write.recipients,
        "verified": write.verified, "folded_title": fold(s.title), "folded_description": fold(s.description),
    }  # fmt: skip


def _recipients(write: Write) -> dict[str, Any]:
    return {"id": str(write.after.id), "recipients": write.recipients}


def _line(write: Write) -> dict[str, Any]:
    version = write.after.version
    return {"id": str(write.after.id), "version": version, "action": write.action, "changes": dict(write.changes)}
