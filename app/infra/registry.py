"""Looking up codes, for questions that found nothing: the `Registry` port on PostgreSQL."""

from __future__ import annotations

from datetime import date

from app.domain.library import Life
from app.domain.routing import CROSS_CUTTING
from app.infra.database import Database

_REGION = """
with recursive life as (
  select r.id, r.code, r.scheme, r.valid_from, r.valid_to, p.name
  from region r join lateral (
    select name from region_period p where p.region_id = r.id order by p.valid_from desc limit 1) p on true
  where r.code = $1
), after as (
  select s.successor_id as id from life join succession s on s.predecessor_id = life.id
  where life.valid_to <= $2 and s.change <> 'boundary-change' and s.on_date <= $2
  union
  select s.successor_id from after join region r on r.id = after.id join succession s on s.predecessor_id = r.id
  where r.valid_to <= $2 and s.change <> 'boundary-change' and s.on_date <= $2
)
select life.code, life.scheme, life.name, life.valid_from, life.valid_to, coalesce((
  select array_agg(array[p.code, p.scheme, p.name] order by p.sort_name)
  from after join region_period p on p.region_id = after.id and p.valid_from <= $2 and p.valid_to > $2), '{}') as successors
from life
"""


class PostgresRegistry:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def region(self, code: str, as_of: date) -> Life | None:
        """See the port."""
        row = await self._database.row(_REGION, code, as_of)
        if row is None:
            return None
        successors = tuple((found[0], found[1], found[2]) for found in row["successors"])
        return Life(row["code"], row["scheme"], row["name"], row["valid_from"], row["valid_to"], successors)

    async def exists(self, kind: str, code: str) -> bool:
        """See the port."""
        if (kind, code) == ("workfield", CROSS_CUTTING):  # a question of its own, no term
            return True
        sql = (
            "select exists (select from hub where slug = $1)"
            if kind == "hub"
            else "select exists (select from term where code = $1 and vocabulary = $2)"
        )
        row = await self._database.row(sql, *((code,) if kind == "hub" else (code, kind)))
        return bool(row and row[0])
