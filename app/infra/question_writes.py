"""Writing questions, their signals and their history: the port `Questions`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from app.domain.access import Actor
from app.domain.ladder import Ladders
from app.domain.matrix import Group
from app.domain.question_rules import Known
from app.domain.questions import Question
from app.domain.text import fold
from app.infra.database import Connection
from app.infra.question_documents import documents, question_from
from app.infra.signal_writes import SEARCH

HUB = "nullif(current_setting('app.hub', true), '')::smallint"
_SLUGS = (
    "array(select h.slug from unnest(q.{0}) with ordinality u (id, place) join hub h on h.id = u.id order by place)"
)
QUESTIONS = f"""
select q.*, h.slug as hub, {_SLUGS.format("hubs")} as hub_slugs, {_SLUGS.format("invited")} as invited_slugs,
  array(select r.code from unnest(q.region_ids) with ordinality u (id, place) join region r on r.id = u.id
    order by place) as regions
from question q join hub h on h.id = q.hub_id
"""
_QUESTION = f"{QUESTIONS} where q.id = $1"
_REGIONS = "array(select r.id from unnest({}::text[]) with ordinality u (code, place) join region r on r.code = u.code order by place)"


# Statements with their arguments, for one question or for many at a time.
ADD = f"""insert into question (id, hub_id, hubs, readers, external_id, title, description, origin, scope,
  stakeholder_id, region_ids, themes, workfields, workfields_source, methods, levels, phases, cells, mix,
  imbalance_reason, balance, compensation, period_from, period_to, requested_on, recruited_on, status, outcome,
  visibility, opened_at, concluded_at, demonstration, search)
select $1, h.id, array[h.id], '{{}}', $3, $4, $5, $6, $7, $8, {_REGIONS.format("$9")}, $10, $11,
  $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27,
  case when $25 not in ('draft', 'cancelled') then now() end,
  case when $25 in ('concluded', 'followed-up') then now() end, $28, {SEARCH.format(title="$29", description="$30")}
from hub h where h.slug = $2"""
CHANGE = f"""update question set title = $2, description = $3, origin = $4, scope = $5, stakeholder_id = $6,
  region_ids = {_REGIONS.format("$7")}, themes = $8, workfields = $9, workfields_source = $10,
  methods = $11, levels = $12, phases = $13, cells = $14, mix = $15, imbalance_reason = $16, balance = $17,
  compensation = $18, period_from = $19, period_to = $20, requested_on = $21, recruited_on = $22, status = $23,
  outcome = $24, visibility = $25,
  opened_at = case when $23 in ('draft', 'cancelled') then opened_at else coalesce(opened_at, now()) end,
  concluded_at = case when $23 in ('concluded', 'followed-up') then coalesce(concluded_at, now()) else concluded_at end,
  version = version + 1, updated_at = now(), search = {SEARCH.format(title="$26", description="$27")}
where id = $1"""
RECORD = """insert into question_history (question_id, version, readers, action, role, by_hub, client_id, note, changes)
select $1, $2, array(select h.id from hub h where h.slug = any ($3::text[])), $4, $5, $6, $7, $8, $9"""


def added(question: Question) -> tuple[Any, ...]:
    """The arguments of `ADD`."""
    q = question
    return (
        q.id, q.hub, q.external_id, q.title, q.description, q.origin, q.scope, q.stakeholder, list(q.regions),
        list(q.themes), list(q.concerned), q.workfields_source, list(q.methods), *documents(q), q.period.from_,
        q.period.to, q.requested_on, q.recruited_on, q.status, _outcome(q), q.visibility, q.demonstration,
        fold(q.title), fold(q.description),
    )  # fmt: skip


def changed(question: Question) -> tuple[Any, ...]:
    """The arguments of `CHANGE`."""
    q = question
    return (
        q.id, q.title, q.description, q.origin, q.scope, q.stakeholder, list(q.regions), list(q.themes),
        list(q.concerned), q.workfields_source, list(q.methods), *documents(q), q.period.from_, q.period.to,
        q.requested_on, q.recruited_on, q.status, _outcome(q), q.visibility, fold(q.title), fold(q.description),
    )  # fmt: skip


def recorded(
    question: Question, actor: Actor, action: str, changes: Mapping[str, Any], note: str | None = None
) -> tuple[Any, ...]:
    """The arguments of `RECORD`: a line for its hubs, and for the one that did it."""
    readers = list(dict.fromkeys((*question.hubs, *((actor.hub,) if actor.hub else ()))))
    client = UUID(actor.client) if actor.client else None
    text = orjson.dumps(dict(changes)).decode()
    return question.id, question.version, readers, action, actor.role, actor.hub, client, note, text


class PostgresQuestions:
    """See the port."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, question_id: UUID) -> Question | None:
        """See the port. Row-level security lets a hub lock the questions it is of."""
        row = await self._connection.fetchrow(
            f"{_QUESTION} and {HUB} = any (q.hubs) for no key update of q", question_id
        )
        return question_from(row) if row is not None else None

    async def seen(self, question_id: UUID) -> Question | None:
        """See the port."""
        row = await self._connection.fetchrow(_QUESTION, question_id)
        return question_from(row) if row is not None else None

    async def add(self, question: Question) -> None:
        """See the port."""
        await self._connection.execute(ADD, *added(question))

    async def change(self, question: Question) -> None:
        """See the port."""
        await self._connection.execute(CHANGE, *changed(question))

    async def regroup(self, question: Question) -> bool:
        """See the port. A function of the database does it: who leaves may not see the row afterwards."""
        written = await self._connection.fetchval(
            "select set_question_hubs($1, $2, $3, $4)",
            question.id, question.version, list(question.hubs), list(question.invited),
        )  # fmt: skip
        return written is not None

    async def remove(self, question_id: UUID) -> None:
        """See the port."""
        await self._connection.execute("delete from question where id = $1", question_id)

    async def link(self, question_id: UUID, signal_id: UUID) -> bool:
        """See the port."""
        done = await self._connection.execute(
            """insert into question_signal (question_id, signal_id, audience, readers) values ($1, $2, 0, '{}')
            on conflict do nothing""",
            question_id, signal_id,
        )  # fmt: skip
        return bool(done == "INSERT 0 1")

    async def unlink(self, question_id: UUID, signal_id: UUID) -> bool:
        """See the port."""
        done = await self._connection.execute(
            "delete from question_signal where question_id = $1 and signal_id = $2", question_id, signal_id
        )
        return bool(done == "DELETE 1")

    async def record(
        self, question: Question, actor: Actor, action: str, changes: Mapping[str, Any], note: str | None = None
    ) -> None:
        """See the port. For its hubs, and for the one that did it."""
        await self._connection.execute(RECORD, *recorded(question, actor, action, changes, note))

    async def known(self) -> Known:
        """See the port."""
        rows = await self._connection.fetch(
            """select vocabulary, code, rank, side, organised, under_represented, workfields, framework, level from term
            where vocabulary in ('theme', 'workfield', 'participation-method', 'participation-role',
              'participation-phase', 'participant-group', 'participation-level', 'participation-rung',
              'participation-ladder') order by rank, code"""
        )
        return known_from(rows)


def known_from(rows: Any) -> Known:
    """The reference data in these rows of `term`, which come in order of rank."""
    of: dict[str, list[Any]] = {}
    for row in rows:
        of.setdefault(row["vocabulary"], []).append(row)

    def codes(vocabulary: str) -> list[str]:
        return [row["code"] for row in of.get(vocabulary, ())]

    return Known(
        themes={row["code"]: row["workfields"] for row in of.get("theme", ())},
        workfields=codes("workfield"),
        methods=codes("participation-method"),
        roles=codes("participation-role"),
        phases=codes("participation-phase"),
        groups={
            row["code"]: Group(
                row["side"], bool(row["organised"]), bool(row["under_represented"]), tuple(row["workfields"])
            )
            for row in of.get("participant-group", ())
        },
        ladders=Ladders(
            {row["code"]: row["rank"] for row in of.get("participation-level", ())},
            {row["code"]: (row["framework"], row["level"]) for row in of.get("participation-rung", ())},
            tuple(codes("participation-ladder")),
        ),
    )


def _outcome(question: Question) -> str | None:
    return None if question.outcome is None else orjson.dumps(question.outcome).decode()
