"""Counts from the rollup: the port of the national layer on PostgreSQL."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from app.domain.access import Actor
from app.domain.disclosure import THRESHOLD, following
from app.domain.national import KINDS, Asked, Behind, Cell, CountQuery, Known, Place
from app.domain.reading import Language
from app.domain.routing import CROSS_CUTTING
from app.infra.database import Database

_TERMS = """
select vocabulary, code, parent, case when vocabulary = 'workfield' then workfield_mask(array[code])::int end as bit
from term where vocabulary in ('theme', 'workfield')
order by vocabulary, coalesce((select p.rank from term p where p.vocabulary = 'theme' and p.code = term.parent), rank),
  parent is not null, rank, code
"""
_HUBS = """
select h.id, h.slug, h.name, (select p.population from region_period p
  where p.code = h.area_code and p.valid_from <= $1 and p.valid_to > $1) as population
from hub h
"""
_REGIONS = """
select p.region_id, p.code, p.name, p.scheme, case when $3::int is null or p.region_id = $3 then p.population else (
  select round(case when bool_and(a.population is not null) then sum(a.share * b.share * a.population) end)::int
  from membership a join membership b on b.municipality_id = a.municipality_id and b.region_id = $3
    and b.valid_from <= $2 and b.valid_to > $2
  where a.region_id = p.region_id and a.valid_from <= $2 and a.valid_to > $2) end as population
from region_period p where p.scheme = $1 and p.valid_from <= $2 and p.valid_to > $2
  and ($3::int is null or exists (select from membership a join membership b on b.municipality_id = a.municipality_id
    where a.region_id = p.region_id and b.region_id = $3 and a.valid_from <= $2 and a.valid_to > $2
      and b.valid_from <= $2 and b.valid_to > $2))
"""
_INSIDE = """
select region_id, code, name, scheme, population from region_period where code = $1 and valid_from <= $2 and valid_to > $2
"""
_COUNTRY = """
select case when bool_and(population is not null) then sum(population) end from region_period
where scheme = 'gemeente' and valid_from <= $1 and valid_to > $1
"""
_LABELS = "select code, label_nl, label_en from term where vocabulary = $1 order by rank, code"
_HUBS_IN = """
select a.region_id, array_agg(distinct h.id) as hubs
from membership a join membership b on b.municipality_id = a.municipality_id and b.scheme = 'participatiehub'
  and b.valid_from <= $2 and b.valid_to > $2
join region r on r.id = b.region_id join hub h on h.area_code = r.code
where a.scheme = $1 and a.valid_from <= $2 and a.valid_to > $2 group by 1
"""
_CELLS = "select * from count_signals($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
# Under row-level security, in the name of the reader. A theme that rises has signals in every part of its months.
_BEHIND = """
select s.id::text, s.title, s.heard_on::text, h.slug, h.name from signal s join hub h on h.id = s.hub_id
where s.heard_on >= $1 and s.heard_on < $2 and s.themes && $3::text[] and s.status <> 'withdrawn'
  and ($4::smallint is null or s.hub_id = $4) and ($5::text is null or s.kind = $5)
  and ($6::int is null or s.workfields_source = 'cross-cutting' or s.workfields & $6 <> 0)
  and ($7::int[] is null or s.region_id = any ($7))
order by s.heard_on desc, s.id desc limit $8
"""
_SUMMARISED = {"hub", "kind", "workfield", "region"}
MOST_REMEMBERED = 40


@dataclass(frozen=True, slots=True)
class _Shares:
    sources: list[int]
    targets: list[int]
    shares: list[float]


class PostgresCounts:
    """See the port. What only public data decides (codes, shares of regions) is kept under the version of that data."""

    def __init__(self, database: Database, version: Callable[[], int | None], threshold: int = THRESHOLD) -> None:
        self._database = database
        self._version = version
        self._threshold = threshold
        self._kept: OrderedDict[tuple[Any, ...], Any] = OrderedDict()

    async def known(self, query: CountQuery) -> Known:
        """See the port."""
        terms = await self._rows(_TERMS)
        hubs = {
            row["id"]: Place(row["slug"], row["name"], "", row["population"])
            for row in await self._rows(_HUBS, query.as_of)
        }
        inside: tuple[int, Place] | None = None
        missing = None
        if query.region is not None:
            found = await self._rows(_INSIDE, query.region, query.as_of)
            if found:
                inside = (found[0]["region_id"], _place(found[0]))
            else:
                missing = await self._missing(query.region)
        regions = {}
        if query.scheme is not None:
            rows = await self._rows(_REGIONS, query.scheme, query.as_of, inside[0] if inside else None)
            regions = {row["region_id"]: _place(row) for row in rows}
        country = await self._rows(_COUNTRY, query.as_of)
        return Known(
            themes={row["code"]: row["parent"] for row in terms if row["vocabulary"] == "theme"},
            workfields={row["code"]: row["bit"] for row in terms if row["vocabulary"] == "workfield"},
            hubs=hubs,
            regions=regions,
            inside=inside,
            population=country[0][0],
            missing_region=missing,
        )

    async def cells(self, asked: Asked, actor: Actor) -> list[Cell]:
        """See the port."""
        query = asked.query
        shares = None
        if "region" in query.group_by or asked.inside is not None:
            scheme = query.scheme if "region" in query.group_by else None
            shares = await self._shares(scheme, query.as_of, asked.inside)
        bits = None
        if query.workfield is not None:
            bits = 0 if query.workfield == CROSS_CUTTING else asked.known.workfields[query.workfield]
        part, keys = _part(asked, bits)
        arguments = (
            list(query.group_by), query.as_of, part, keys, self._threshold,
            [unit.month for unit in asked.units], [unit.period for unit in asked.units],
            [unit.kind for unit in asked.units], [unit.start for unit in asked.units],
            shares and shares.sources, shares and shares.targets, shares and shares.shares,
            None if asked.themes is None else list(asked.themes), asked.hub_id, query.kind, bits,
        )  # fmt: skip
        async with self._database.transaction(actor) as connection:
            rows = await connection.fetch(_CELLS, *arguments)
        return list(map(tuple, rows))

    async def labels(self, vocabulary: str, language: Language) -> Mapping[str, str]:
        """See the port."""
        rows = await self._rows(_LABELS, vocabulary)
        return {row["code"]: row["label_en" if language == "en" else "label_nl"] for row in rows}

    async def hubs_in(self, scheme: str, as_of: date) -> Mapping[int, Sequence[int]]:
        """See the port."""
        return {row["region_id"]: row["hubs"] for row in await self._rows(_HUBS_IN, scheme, as_of)}

    async def behind(
        self, query: CountQuery, known: Known, themes: Sequence[str], months: tuple[date, date], actor: Actor, most: int
    ) -> dict[str, list[Behind]]:
        """See the port."""
        hub = next((number for number, place in known.hubs.items() if place.code == query.hub), None)
        regions = None
        if known.inside is not None:
            regions = list({*(await self._shares(None, query.as_of, known.inside[0])).sources})
        bits = known.workfields.get(query.workfield or "", 0) if query.workfield is not None else None
        found = {}
        async with self._database.transaction(actor) as connection:
            for theme in themes:
                codes = [theme, *(code for code, parent in known.themes.items() if parent == theme)]
                rows = await connection.fetch(
                    _BEHIND, months[0], following(months[1]), codes, hub, query.kind, bits, regions, most
                )
                found[theme] = [Behind(row[0], row[1], row[2], Place(row[3], row[4])) for row in rows]
        return found

    async def _shares(self, scheme: str | None, day: date, inside: int | None) -> _Shares:
        rows = await self._rows("select * from region_shares($1, $2, $3)", scheme, day, inside)
        kept: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
        return _Shares(*kept)

    async def _missing(self, code: str) -> str | None:
        """Why a region is not there on the day; None when it never was."""
        rows = await self._rows("select valid_from, valid_to from region where code = $1", code)
        if not rows:
            return None
        return (
            f"This region exists from {rows[0][0].isoformat()} up to {rows[0][1].isoformat()}. Ask for another asOf; "
            f"/v1/regions/{code}/lineage tells what came before and after."
        )

    async def _rows(self, sql: str, *args: Any) -> Sequence[Any]:
        """Rows of public data, kept as long as its version is the one they were read under."""
        version = self._version()
        key = (version, sql, *args)
        found: Sequence[Any] | None = self._kept.get(key) if version is not None else None
        if found is None:
            async with self._database.transaction(Actor()) as connection:
                rows: Sequence[Any] = await connection.fetch(sql, *args)
            found = rows
            if version is not None:
                self._kept[key] = found
                if len(self._kept) > MOST_REMEMBERED:
                    self._kept.popitem(last=False)
        return found


def _place(row: Mapping[str, Any]) -> Place:
    return Place(row["code"], row["name"], row["scheme"], row["population"])


def _part(asked: Asked, bits: int | None) -> tuple[str | None, list[int] | None]:
    """The summary that can answer, with the keys in it: where one thing is asked for besides theme and period."""
    query = asked.query
    filters = {"hub": query.hub, "kind": query.kind, "workfield": query.workfield, "region": query.region}
    dims = ({*query.group_by} & _SUMMARISED) | {name for name, value in filters.items() if value is not None}
    if len(dims) > 1:
        return None, None
    name = next(iter(dims), "")
    keys: list[int] | None = None
    if name == "hub" and asked.hub_id is not None:
        keys = [asked.hub_id]
    elif name == "kind" and query.kind is not None:
        keys = [KINDS.index(query.kind) + 1]
    elif name == "workfield" and bits is not None:
        keys = [bits, 0]
        if not asked.exact and "workfield" not in query.group_by:
            return None, None  # of two rows together the noise is another than that of each
    elif name == "region":
        inside = asked.known.inside
        name = query.scheme or (inside[1].scheme if inside is not None else "")
        keys = None if inside is None else [inside[0]]
        if name == "gemeente" or (query.region is not None and query.scheme is not None):
            return None, None
    return name, keys
