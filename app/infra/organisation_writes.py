"""Writing organisations: the port `Organisations`."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from app.domain.organisations import Organisation
from app.domain.text import fold
from app.infra.database import Connection

_ONE = """
select o.*, h.slug as hub,
  array(select r.code from organisation_region x join region r on r.id = x.region_id
    where x.organisation_id = o.id order by r.code) as regions
from organisation o left join hub h on h.id = o.created_by_hub where o.id = $1
"""


class PostgresOrganisations:
    """See the port."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(self, organisation_id: UUID) -> Organisation | None:
        """See the port."""
        return await self._one(organisation_id)

    async def get(self, organisation_id: UUID) -> Organisation | None:
        """See the port."""
        # Locked first, read after: a lock that had to wait gives the newest row, but not the newest of what is joined.
        lock = "select 1 from organisation where id = $1 for no key update"
        if await self._connection.fetchval(lock, organisation_id) is None:
            return None
        return await self._one(organisation_id)

    async def _one(self, organisation_id: UUID) -> Organisation | None:
        row = await self._connection.fetchrow(_ONE, organisation_id)
        if row is None:
            return None
        return Organisation(
            row["id"], row["name"], row["type"], row["side"], row["strand"], row["workfield"], tuple(row["regions"]),
            row["website"], row["hub"], row["demonstration"], row["source_key"], row["version"],
        )  # fmt: skip

    async def add(self, organisation: Organisation) -> None:
        """See the port."""
        o = organisation
        await self._connection.execute(
            """insert into organisation (id, name, sort_name, type, side, strand, workfield, website, demonstration,
              source_key, created_by_hub)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, (select id from hub where slug = $11))""",
            o.id, o.name, fold(o.name), o.type, o.side, o.strand, o.workfield, o.website, o.demonstration, o.source_key,
            o.created_by_hub,
        )  # fmt: skip
        await self._put_regions(o)

    async def change(self, organisation: Organisation) -> None:
        """See the port."""
        o = organisation
        await self._connection.execute(
            """update organisation set name = $2, sort_name = $3, type = $4, side = $5, strand = $6, workfield = $7,
              website = $8, version = version + 1, updated_at = now() where id = $1""",
            o.id, o.name, fold(o.name), o.type, o.side, o.strand, o.workfield, o.website,
        )  # fmt: skip
        await self._put_regions(o)

    async def unknown(self, ids: Collection[UUID]) -> set[UUID]:
        """See the port."""
        rows = await self._connection.fetch("select id from organisation where id = any($1::uuid[])", list(ids))
        return set(ids) - {row["id"] for row in rows}

    async def _put_regions(self, o: Organisation) -> None:
        await self._connection.execute("delete from organisation_region where organisation_id = $1", o.id)
        await self._connection.execute(
            "insert into organisation_region select $1, id from region where code = any($2::text[])",
            o.id,
            list(o.regions),
        )
