"""Writing signals, forwardings, follow-ups and history: the port `Signals`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import orjson

from app.domain.access import Actor
from app.domain.routing import Umbrella
from app.domain.signal_ports import Desk, Line
from app.domain.signals import FollowUp, Signal
from app.domain.text import fold
from app.infra.database import Connection, Turn
from app.infra.vocabulary import Vocabularies

SIGNALS = """
select s.*, h.slug as hub, r.code as region,
  array(select t.code from term t where t.vocabulary = 'workfield' and s.workfields & (1 << t.bit) <> 0
    order by t.rank) as concerned
from signal s join hub h on h.id = s.hub_id join region r on r.id = s.region_id
"""
_SIGNAL = SIGNALS + " where s.id = $1"
SEARCH = "setweight(to_tsvector('dutch', {title}), 'A') || to_tsvector('dutch', {description})"


_ADD = f"""
insert into signal (id, hub_id, external_id, kind, title, description, themes, workfields, workfields_source, region_id,
  scale, groups, channel, heard_on, people_count, visibility, status, demonstration, search)
select $1, h.id, $3, $4, $5, $6, $7, workfield_mask($8), $9, r.id, $11, $12, $13, $14, $15, $16, $17, $18,
  {SEARCH.format(title="$19", description="$20")}
from hub h, region r where h.slug = $2 and r.code = $10"""
_ADD_JOINED = f"""with {{entered}}added as ({_ADD}{{gate}} returning *), line as (
insert into signal_history (signal_id, version, hub_id, action, role, by_hub, by_umbrella, client_id, note, changes)
select id, version, hub_id, $21, $22, $23, $24, $25, $26, $27 from added)
{{answer}}"""
_ADD_WITH_LINE = _ADD_JOINED.format(entered="", gate="", answer="select from added")


def _columns(s: Signal) -> tuple[Any, ...]:
    """The arguments of `_ADD`."""
    return (
        s.id, s.hub, s.external_id, s.kind, s.title, s.description, list(s.themes), list(s.concerned),
        s.workfields_source, s.region, s.scale, list(s.groups), s.channel, s.heard_on, s.people_count, s.visibility,
        s.status, s.demonstration, fold(s.title), fold(s.description),
    )  # fmt: skip


class PostgresSignals:
    """See the port."""

    def __init__(self, connection: Connection, vocabularies: Vocabularies | None = None) -> None:
        self._connection = connection
        self._vocabularies = vocabularies or Vocabularies(connection)

    async def get(self, signal_id: UUID) -> Signal | None:
        """See the port. Row-level security lets a hub lock its own rows alone."""
        row = await self._connection.fetchrow(
            _SIGNAL + " and s.hub_id = nullif(current_setting('app.hub', true), '')::smallint for no key update of s",
            signal_id,
        )
        return as_signal(row) if row is not None else None

    async def seen(self, signal_id: UUID) -> Signal | None:
        """See the port."""
        row = await self._connection.fetchrow(_SIGNAL, signal_id)
        return as_signal(row) if row is not None else None

    async def add(self, signal: Signal, line: Line | None = None) -> None:
        """See the port. With a line both are one statement, held back so that the answer may join it (see `conclude`)."""
        if line is None:
            await self._connection.execute(_ADD, *_columns(signal))
            return
        who = line.actor
        arguments = (
            *_columns(signal), line.action, who.role, who.hub, who.umbrella, UUID(who.client) if who.client else None,
            line.note, orjson.dumps(dict(line.changes)).decode(),
        )  # fmt: skip
        if isinstance(self._connection, Turn):
            await self._connection.later(_ADD_WITH_LINE, _ADD_JOINED, *arguments)
        else:
            await self._connection.execute(_ADD_WITH_LINE, *arguments)

    async def change(self, signal: Signal, *, recipients: Sequence[str] | None = None, verified: bool = False) -> None:
        """See the port."""
        s = signal
        await self._connection.execute(
            f"""update signal set kind = $2, title = $3, description = $4, themes = $5, workfields = workfield_mask($6),
              workfields_source = $7, region_id = (select id from region where code = $8), scale = $9, groups = $10,
              channel = $11, heard_on = $12, people_count = $13, visibility = $14, status = $15,
              verified_at = case when $19 then now() else verified_at end,
              recipients = case when $16::text[] is null then recipients else (
                select coalesce(bit_or(umbrella_bit(code)), 0) from (
                  select unnest($16::text[]) as code
                  union select umbrella from forwarding where signal_id = $1 and state in ('answered', 'declined')) t) end,
              version = version + 1, updated_at = now(),
              search = {SEARCH.format(title="$17", description="$18")}
            where id = $1""",
            s.id, s.kind, s.title, s.description, list(s.themes), list(s.concerned), s.workfields_source, s.region, s.scale,
            list(s.groups), s.channel, s.heard_on, s.people_count, s.visibility, s.status, None if recipients is None else list(recipients), fold(s.title),
            fold(s.description), verified,
        )  # fmt: skip

    async def remove(self, signal_id: UUID) -> None:
        """See the port."""
        await self._connection.execute("delete from signal where id = $1", signal_id)

    async def forward(self, signal_id: UUID, umbrellas: Sequence[str], by: date, reason: str | None) -> None:
        """See the port. The signal first: its audience decides that of the forwardings."""
        await self._connection.execute(
            """delete from forwarding where signal_id = $1 and not umbrella = any($2::text[])
            and state in ('forwarded', 'acknowledged', 'on-agenda')""",
            signal_id,
            list(umbrellas),
        )
        await self._connection.executemany(
            """insert into forwarding (signal_id, umbrella, hub_id, audience, state, respond_by, reason)
            values ($1, $2, 0, 0, 'forwarded', $3, $4) on conflict (signal_id, umbrella) do update
            set respond_by = excluded.respond_by, reason = excluded.reason
            where forwarding.state in ('forwarded', 'acknowledged', 'on-agenda')""",
            [(signal_id, umbrella, by, reason) for umbrella in umbrellas],
        )

    async def rerouted(self, signal_id: UUID) -> bool:
        """See the port."""
        found: bool = await self._connection.fetchval(
            "select exists (select from forwarding where signal_id = $1 and reason is not null)", signal_id
        )
        return found

    async def desk(self, signal_id: UUID) -> Desk | None:
        """See the port."""
        row = await self._connection.fetchrow("select version, state, response from lock_to_answer($1)", signal_id)
        return Desk(row["version"], row["state"], row["response"]) if row is not None else None

    async def answer(self, signal_id: UUID, umbrella: str, state: str, response: str | None) -> None:
        """See the port. A trigger makes it the next version of the signal."""
        await self._connection.execute(
            """update forwarding set state = $3, response = coalesce($4, response), responded_at = now()
            where signal_id = $1 and umbrella = $2""",
            signal_id, umbrella, state, response,
        )  # fmt: skip

    async def add_follow_up(self, signal_id: UUID, item: FollowUp) -> None:
        """See the port."""
        await self._connection.execute(
            """insert into follow_up (id, signal_id, hub_id, audience, kind, on_date, summary, public)
            values ($1, $2, 0, 0, $3, $4, $5, $6)""",
            item.id, signal_id, item.kind, item.on, item.summary, item.public,
        )  # fmt: skip

    async def has_response(self, signal_id: UUID) -> bool:
        """See the port."""
        found: bool = await self._connection.fetchval(
            """select exists (select from follow_up where signal_id = $1)
            or exists (select from forwarding where signal_id = $1 and state = 'answered')""",
            signal_id,
        )
        return found

    async def record(
        self, signal: Signal, actor: Actor, action: str, changes: Mapping[str, Any], note: str | None = None
    ) -> None:
        """See the port."""
        await self._connection.execute(
            """insert into signal_history (signal_id, version, hub_id, action, role, by_hub, by_umbrella, client_id, note,
              changes)
            select $1, $2, h.id, $4, $5, $6, $7, $8, $9, $10 from hub h where h.slug = $3""",
            signal.id, signal.version, signal.hub, action, actor.role, actor.hub, actor.umbrella,
            UUID(actor.client) if actor.client else None, note, orjson.dumps(dict(changes)).decode(),
        )  # fmt: skip

    async def umbrellas(self) -> Sequence[Umbrella]:
        """See the port."""
        # Asked each time: who hears of a signal is decided once, and a new umbrella must not miss it.
        rows = await self._connection.fetch(
            "select code, workfields[1], umbrella_bit(code) from term where vocabulary = 'umbrella' order by rank"
        )
        return [Umbrella(*row) for row in rows]


def as_signal(row: Any) -> Signal:
    """A row of `SIGNALS` as the domain has it."""
    source = row["workfields_source"]
    concerned = tuple(row["concerned"])
    # What the hub gave: named fields, nothing (the themes decided), or nothing on purpose.
    given = {"given": concerned, "themes": None}.get(source, ())
    return Signal(
        id=row["id"],
        hub=row["hub"],
        kind=row["kind"],
        title=row["title"],
        description=row["description"],
        themes=tuple(row["themes"]),
        region=row["region"],
        heard_on=row["heard_on"],
        workfields=given,
        external_id=row["external_id"],
        scale=row["scale"],
        groups=tuple(row["groups"]),
        channel=row["channel"],
        people_count=row["people_count"],
        visibility=row["visibility"],
        status=row["status"],
        demonstration=row["demonstration"],
        version=row["version"],
        concerned=concerned,
        workfields_source=source,
    )
