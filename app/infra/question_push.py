"""Writing questions many at a time: the port `PushedQuestions`. The statements are those of single questions."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from app.domain.access import Actor
from app.domain.question_push import Write
from app.domain.questions import Question
from app.infra.database import Connection
from app.infra.push import HUB, QUESTIONS_FROM, lock_ids
from app.infra.question_documents import question_from
from app.infra.question_writes import ADD, CHANGE, QUESTIONS, RECORD, added, changed, recorded


class PostgresPushedQuestions:
    """See the port."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def locked(self, external_ids: Collection[str]) -> dict[str, Question]:
        """See the port."""
        ids = list(external_ids)
        await lock_ids(self._connection, QUESTIONS_FROM, ids)
        rows = await self._connection.fetch(
            QUESTIONS + f" where q.hub_id = {HUB} and q.external_id = any($1::text[])"
            " order by q.external_id for no key update of q",
            ids,
        )
        return {row["external_id"]: question_from(row) for row in rows}

    async def write(self, writes: Sequence[Write], actor: Actor) -> None:
        """See the port. The lines of history first: a question that is gone has no hubs any more."""
        if writes:
            lines = [recorded(write.after, actor, write.action, write.changes) for write in writes]
            await self._connection.executemany(RECORD, lines)
        deleted = [write.after.id for write in writes if write.action == "deleted"]
        if deleted:
            await self._connection.execute("delete from question where id = any($1::uuid[])", deleted)
        other = [write.after for write in writes if write.action not in ("created", "deleted")]
        if other:
            await self._connection.executemany(CHANGE, [changed(question) for question in other])
        new = [write.after for write in writes if write.action == "created"]
        if new:
            await self._connection.executemany(ADD, [added(question) for question in new])
