"""Reference data that content is checked against, kept in the process for as long as its version is the same.

What is kept is at most as old as the last look of the watch (a quarter of a second). A code that it does not know is
looked up before it is called unknown; one that went in that moment meets the foreign keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from app.domain.routing import Umbrella
from app.domain.vocabulary import Life, Vocabulary
from app.infra.database import Connection

_TERMS = """
select vocabulary, code, workfields, case when vocabulary = 'umbrella' then umbrella_bit(code) end as bit
from term order by vocabulary, rank
"""
_REGIONS = "select code, scheme, valid_from, valid_to from region"


@dataclass(slots=True)
class Kept:
    """What a process keeps, and of which version of the data."""

    version: int | None = None
    vocabulary: Vocabulary | None = None


@dataclass(slots=True)
class Vocabularies:
    """The vocabulary for one unit of work. Without a `version` it is read anew."""

    connection: Connection
    version: int | None = None
    kept: Kept = field(default_factory=Kept)
    read: bool = False

    async def now(self) -> Vocabulary:
        """What is kept, when it is of this version; otherwise what the database says."""
        kept = self.kept
        if kept.vocabulary is None or not (self.read or (self.version is not None and kept.version == self.version)):
            return await self.anew()
        return kept.vocabulary

    async def anew(self) -> Vocabulary:
        """What the database says; once in a unit of work."""
        kept = self.kept
        if kept.vocabulary is None or not self.read:
            kept.vocabulary, kept.version, self.read = await self._read(), self.version, True
        return kept.vocabulary

    async def _read(self) -> Vocabulary:
        terms = await self.connection.fetch(_TERMS)
        regions = await self.connection.fetch(_REGIONS)
        codes: dict[str, dict[str, None]] = {}
        for term in terms:
            codes.setdefault(term["vocabulary"], {})[term["code"]] = None
        return Vocabulary(
            codes,
            {t["code"]: t["workfields"] for t in terms if t["vocabulary"] == "theme" and t["workfields"]},
            [Umbrella(t["code"], t["workfields"][0], t["bit"]) for t in terms if t["vocabulary"] == "umbrella"],
            {region["code"]: Life(*list(region.values())[1:]) for region in regions},
        )
