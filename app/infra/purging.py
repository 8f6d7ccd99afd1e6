"""Takes the content of a signal or a question away everywhere: for what should never have been written down."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from app.domain.errors import NotFound

# Everybody who ever saw it is told: also those who lost sight of it before, and may still hold a copy.
_TOMBSTONE = """
insert into change (epoch, xact_id, type, resource_id, version, op, audience, hub_id, owner_hub)
select (select max(id) from epoch), pg_current_xact_id()::text::bigint, 1, $1, $2, 2,
  coalesce((select bit_or(c.audience) from change c where c.resource_id = $1), 0), $3, $3
"""


async def purge_signal(connection: asyncpg.Connection, signal_id: UUID) -> None:
    """Removes a signal with its answers and follow-ups, its words in the history and in kept answers.

    What stays: that it was there (id, hub, who did what when) and a tombstone in the change log. Also after it was
    deleted. As the owner of the schema. Raises `NotFound`.
    """
    async with connection.transaction():
        await connection.execute("select 1 from signal where id = $1 for update", signal_id)
        # For the owner alone: the service would not see it, and say that there is none.
        await connection.execute("select 1 from signal_history where signal_id = $1 for update", signal_id)
        version = await connection.fetchval(
            """select greatest((select max(version) from signal_history where signal_id = $1),
              (select max(version) from change where resource_id = $1),
              (select version from signal where id = $1))""",
            signal_id,
        )
        hub_id = await connection.fetchval(
            """select coalesce((select hub_id from signal where id = $1),
              (select hub_id from signal_history where signal_id = $1 limit 1))""",
            signal_id,
        )
        if version is None or hub_id is None:
            raise NotFound("There is no signal with this id, and there never was.")
        await connection.execute("delete from signal where id = $1", signal_id)  # its parts go along, triggers log it
        await connection.execute(
            "update signal_history set note = null, changes = '{}' where signal_id = $1", signal_id
        )
        # One more than the entry of the deletion, so that this is the last word on it.
        await connection.execute(_TOMBSTONE, signal_id, version + 2, hub_id)
        await connection.execute(
            """insert into signal_history (signal_id, version, hub_id, action, role, changes)
            values ($1, $2, $3, 'purged', 'system', '{}')""",
            signal_id, version + 2, hub_id,
        )  # fmt: skip
        await connection.execute("update change set resource_key = null where resource_id = $1", signal_id)
        # First answers, kept for a day under their Idempotency-Key, hold the whole signal.
        await connection.execute("delete from idempotency where strpos(answer::text, $1) > 0", str(signal_id))


async def purge_question(connection: asyncpg.Connection, question_id: UUID) -> None:
    """As `purge_signal`, for a question: each hub that was ever of it, or asked to be, is told on its own."""
    async with connection.transaction():
        await connection.execute("select 1 from question where id = $1 for update", question_id)
        version = await connection.fetchval(
            """select greatest((select max(version) from question_history where question_id = $1),
              (select max(version) from change where resource_id = $1))""",
            question_id,
        )
        if version is None:
            raise NotFound("There is no question with this id, and there never was.")
        await connection.execute("delete from question where id = $1", question_id)
        await connection.execute(
            "update question_history set note = null, changes = '{}' where question_id = $1", question_id
        )
        await connection.execute(
            """insert into change (epoch, xact_id, type, resource_id, version, op, audience, hub_id, owner_hub)
            select (select max(id) from epoch), pg_current_xact_id()::text::bigint, 5, $1, $2, 2,
              case when row_number() over () = 1 then seen.audience else 0 end, seen.hub_id, seen.owner_hub
            from (select bit_or(audience) over () as audience, hub_id, owner_hub,
                row_number() over (partition by hub_id order by version desc) as place
              from change where resource_id = $1) seen
            where seen.place = 1 and seen.hub_id is not null""",
            question_id, version + 2,
        )  # fmt: skip
        await connection.execute(
            """insert into question_history (question_id, version, readers, action, role, changes)
            select $1, $2, readers, 'purged', 'system', '{}' from question_history where question_id = $1
            order by version desc limit 1""",
            question_id, version + 2,
        )  # fmt: skip
        await connection.execute("delete from idempotency where strpos(answer::text, $1) > 0", str(question_id))
