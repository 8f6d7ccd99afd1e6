"""Writing bundles: the port `Bundles`. Whose they are is kept by row-level security, what is in them by functions."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from app.domain.bundles import Bundle
from app.infra.database import Connection

_OWN = """
select id, title, summary, umbrella, status, response, visibility, version from bundle
where id = $1 and umbrella is not distinct from nullif(current_setting('app.umbrella', true), '')
for no key update
"""


class PostgresBundles:
    """See the port."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, bundle_id: UUID) -> Bundle | None:
        """See the port. Row-level security lets one lock one's own rows alone."""
        row = await self._connection.fetchrow(_OWN, bundle_id)
        return Bundle(*row.values()) if row is not None else None

    async def seen(self, bundle_id: UUID) -> bool:
        """See the port."""
        found: bool = await self._connection.fetchval("select exists (select from bundle where id = $1)", bundle_id)
        return found

    async def add(self, bundle: Bundle) -> None:
        """See the port."""
        b = bundle
        await self._connection.execute(
            "insert into bundle (id, title, summary, umbrella, status, visibility) values ($1, $2, $3, $4, $5, $6)",
            b.id, b.title, b.summary, b.umbrella, b.status, b.visibility,
        )  # fmt: skip

    async def change(self, bundle: Bundle) -> None:
        """See the port."""
        b = bundle
        await self._connection.execute(
            """update bundle set title = $2, summary = $3, status = $4, response = $5, visibility = $6,
              answered_at = case when $4 in ('answered', 'closed') then coalesce(answered_at, now()) end,
              version = version + 1, updated_at = now() where id = $1""",
            b.id, b.title, b.summary, b.status, b.response, b.visibility,
        )  # fmt: skip

    async def remove(self, bundle_id: UUID) -> None:
        """See the port."""
        await self._connection.execute("delete from bundle where id = $1", bundle_id)

    async def signals(self, bundle_id: UUID) -> set[UUID]:
        """See the port."""
        rows = await self._connection.fetch("select signal_id from bundle_signal where bundle_id = $1", bundle_id)
        return {row["signal_id"] for row in rows}

    async def shared(self, ids: Sequence[UUID]) -> set[UUID]:
        """See the port."""
        rows = await self._connection.fetch(
            "select id from signal where id = any($1::uuid[]) and status in ('verified', 'closed')", list(ids)
        )
        return {row["id"] for row in rows}

    async def put_signals(self, bundle_id: UUID, ids: Sequence[UUID]) -> None:
        """See the port."""
        await self._connection.execute("select put_bundled($1, $2::uuid[])", bundle_id, list(ids))

    async def remove_signal(self, bundle_id: UUID, signal_id: UUID) -> None:
        """See the port."""
        await self._connection.execute("select remove_bundled($1, $2)", bundle_id, signal_id)
