"""Live figures of this instance, for the landing page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from app.infra.database import Database

_FIGURES = """
select (select count(*) from hub) as hubs, (select count(*) from scheme) as schemes,
  (select count(*) from region_period where valid_from <= $1 and valid_to > $1 and scheme <> 'gemeente') as regions,
  (select count(*) from region_period where valid_from <= $1 and valid_to > $1 and scheme = 'gemeente') as municipalities,
  (select coalesce(sum(questions), 0) from participation_tally where dimension = 'all' and month = '') as questions
"""


class Figures:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def on(self, day: date) -> Mapping[str, int]:
        """Hubs, schemes, regions (without municipalities) and municipalities as of the day; questions that are public."""
        row = await self._database.row(_FIGURES, day)
        return dict(row) if row is not None else {}
