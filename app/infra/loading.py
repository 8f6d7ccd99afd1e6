"""Loads the reference data: packaged, plus the editions this instance imported, in one transaction or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from datetime import date
from typing import Any

import asyncpg
import orjson

from app.domain.areas import area_history
from app.domain.errors import Fault, Invalid
from app.domain.hub_areas import hub_region_periods
from app.domain.ids import new_id
from app.domain.periods import FOREVER, MembershipPeriod, RegionPeriod
from app.domain.reference import Area, ProposedHub, ReferenceData, Succession
from app.domain.text import fold
from app.domain.timeline import Timeline, compute

Progress = Callable[[str, int, int], None]
"""(what, done, of): called for every step."""

LOCK = 7_201_620_261_122
PUBLISHED_SOURCE = "Van Knelpunt naar Knooppunt (2022), tabel 2"


def quiet(what: str, done: int, of: int) -> None:
    """No progress shown."""


async def load(connection: asyncpg.Connection, data: ReferenceData, progress: Progress = quiet) -> bool:
    """Makes the database hold exactly this set (hubs that exist already keep what they changed themselves).

    `connection` is of the owner, `data` has been verified. False when this very set was there already.
    """
    async with connection.transaction():
        await take_turn(connection)
        latest = await connection.fetchval("select digest from dataset order by id desc limit 1")
        if latest == data.digest:
            return False
        await hold_writers(connection)
        steps: list[tuple[str, Callable[[], Any]]] = []
        timeline = compute(_without_hubs(data))
        ids: dict[str, int] = {}
        steps.append(("terms", lambda: _terms(connection, data)))
        steps.append(("schemes", lambda: _schemes(connection, data)))
        steps.append(("regions", lambda: _regions(connection, data, timeline, ids)))
        steps.append(("periods", lambda: _periods(connection, timeline.regions, timeline.memberships, ids)))
        steps.append(("successions", lambda: _successions(connection, timeline.successions, ids)))
        steps.append(("postcodes", lambda: _postcodes(connection, data, ids)))
        steps.append(("hubs", lambda: _hubs(connection, data)))
        steps.append(("hub areas", lambda: _areas(connection, data, timeline, ids)))
        steps.append(("editions", lambda: _editions(connection, data)))
        for done, (what, step) in enumerate(steps):
            progress(what, done, len(steps))
            await step()
        await connection.execute("insert into dataset (edition, digest) values ($1, $2)", data.edition, data.digest)
        progress("done", len(steps), len(steps))
    await connection.execute("analyze")
    return True


async def take_turn(connection: asyncpg.Connection) -> None:
    """In a transaction: as the loader, and one at a time. Others wait until it ends."""
    await connection.execute("select set_config('app.role', 'system', true)")
    await connection.execute("select pg_advisory_xact_lock($1)", LOCK)


async def hold_writers(connection: asyncpg.Connection) -> None:
    """In a transaction: lets running changes of hubs and organisations end and keeps new ones waiting; reads go on.

    Every change raises the data version. Without this, a change that has its hub and waits for that row, and a loader
    that has that row and waits for the hub, would be a deadlock.
    """
    await connection.execute("lock table hub, organisation in exclusive mode")


def _without_hubs(data: ReferenceData) -> ReferenceData:
    return replace(data, hubs=())


async def _terms(connection: asyncpg.Connection, data: ReferenceData) -> None:
    await _check_room(connection, data)
    # Deleted, not truncated, here and below: truncating would keep every reader waiting until the load is done.
    await connection.execute("delete from term")
    await connection.copy_records_to_table(
        "term",
        columns=[
            "vocabulary", "code", "rank", "parent", "label_nl", "label_en", "description_nl", "description_en",
            "example_nl", "example_en", "workfields", "side", "organised", "under_represented", "nearest_role", "basis",
            "framework", "level",
        ],
        records=[
            (
                t.vocabulary, t.code, t.rank, t.parent, t.label.nl, t.label.en, t.description.nl, t.description.en,
                t.example and t.example.nl, t.example and t.example.en, list(t.workfields), t.side, t.organised,
                t.under_represented, t.nearest_role, t.basis, t.framework, t.level,
            )
            for t in data.terms
        ],
    )  # fmt: skip


# How many there can ever be in a mask (see the table `term_bit`): the places of those that went are not given again.
ROOM = {"umbrella": 28, "workfield": 15}


async def _check_room(connection: asyncpg.Connection, data: ReferenceData) -> None:
    faults = []
    for vocabulary, room in ROOM.items():
        kept = {
            row["code"] for row in await connection.fetch("select code from term_bit where vocabulary = $1", vocabulary)
        }
        count = len(kept | {term.code for term in data.terms if term.vocabulary == vocabulary})
        if count > room:
            detail = f"There is room for {room} codes of {vocabulary}, those that went included; this would be {count}."
            faults.append(Fault("data", "reference", "no-room", detail))
    if faults:
        raise Invalid(faults)


async def _schemes(connection: asyncpg.Connection, data: ReferenceData) -> None:
    await connection.executemany(
        """insert into scheme values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        on conflict (code) do update set rank = excluded.rank, name_nl = excluded.name_nl, name_en = excluded.name_en,
          description_nl = excluded.description_nl, description_en = excluded.description_en,
          code_prefix = excluded.code_prefix, partition = excluded.partition, assumed_shares = excluded.assumed_shares""",
        [
            (s.code, s.rank, s.name.nl, s.name.en, s.description.nl, s.description.en, s.code_prefix, s.partition,
             s.assumed_shares)
            for s in data.schemes
        ],
    )  # fmt: skip


async def _regions(
    connection: asyncpg.Connection, data: ReferenceData, timeline: Timeline, ids: dict[str, int]
) -> None:
    """Regions keep their id for ever: other tables point to it."""
    await _upsert_regions(connection, timeline.regions)
    # An ended region may be known from its end alone.
    ids.update(await connection.fetch("select code, id from region"))


async def _upsert_regions(connection: asyncpg.Connection, periods: Iterable[RegionPeriod]) -> None:
    lives: dict[str, tuple[str, date, date]] = {}
    for p in periods:
        _, start, end = lives.get(p.region, (p.scheme, p.region_from, p.region_to))
        lives[p.region] = (p.scheme, min(start, p.region_from), max(end, p.region_to))
    await connection.executemany(
        """insert into region (code, scheme, valid_from, valid_to) values ($1, $2, $3, $4)
        on conflict (code) do update set valid_from = excluded.valid_from, valid_to = excluded.valid_to""",
        [(code, scheme, start, end) for code, (scheme, start, end) in lives.items()],
    )


async def _periods(
    connection: asyncpg.Connection,
    regions: Sequence[RegionPeriod],
    memberships: Sequence[MembershipPeriod],
    ids: dict[str, int],
) -> None:
    await connection.execute("delete from membership where scheme <> 'participatiehub'")
    await connection.execute("delete from region_period where scheme <> 'participatiehub'")
    await insert_periods(connection, regions, memberships, ids)


async def insert_periods(
    connection: Any, regions: Sequence[RegionPeriod], memberships: Sequence[MembershipPeriod], ids: dict[str, int]
) -> None:
    """Writes periods of regions and memberships. The service uses it too, for the area of one hub."""
    await connection.executemany(
        """insert into membership (region_id, municipality_id, valid_from, valid_to, scheme, share, population)
        values ($1, $2, $3, $4, $5, $6, $7)""",
        [
            (ids[m.region], ids[m.municipality], m.valid_from, m.valid_to, m.scheme, m.share, m.population)
            for m in memberships
        ],
    )
    by_region: dict[str, list[MembershipPeriod]] = {}
    for m in memberships:
        by_region.setdefault(m.region, []).append(m)
    await connection.executemany(
        """insert into region_period (region_id, valid_from, valid_to, scheme, code, name, sort_name, search, edition,
          municipality_count, population, population_date, weight, population_weight, region_from, region_to)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)""",
        [
            (
                ids[r.region], r.valid_from, r.valid_to, r.scheme, r.region, r.name, fold(r.name),
                "|".join(fold(name) for name in (r.name, *r.aliases)), r.edition, r.municipality_count, r.population,
                r.population_date, *_weights(r, by_region.get(r.region, [])), r.region_from, r.region_to,
            )
            for r in regions
        ],
    )  # fmt: skip


def _weights(period: RegionPeriod, members: Iterable[MembershipPeriod]) -> tuple[float, float | None]:
    """The sums of shares and of shares times population on the first day of the period, not rounded."""
    present = [m for m in members if m.valid_from <= period.valid_from < m.valid_to]
    weight = sum(m.share for m in present)
    if any(m.population is None for m in present):
        return weight, None
    return weight, sum(m.share * (m.population or 0) for m in present)


async def _successions(connection: asyncpg.Connection, successions: Sequence[Succession], ids: dict[str, int]) -> None:
    await connection.execute("delete from succession")
    await connection.executemany(
        """insert into succession (on_date, predecessor_id, predecessor_name, successor_id, successor_name, change)
        values ($1, $2, $3, $4, $5, $6)""",
        [
            (s.on, ids[s.predecessor], s.predecessor_name, ids[s.successor], s.successor_name, s.change)
            for s in successions
        ],
    )


async def _postcodes(connection: asyncpg.Connection, data: ReferenceData, ids: dict[str, int]) -> None:
    await connection.execute("delete from postcode")
    await connection.copy_records_to_table(
        "postcode",
        columns=["pc4", "municipality_id", "is_primary", "area_share", "place", "search", "population"],
        records=[
            (p.pc4, ids[p.municipality], p.primary, p.area_share, p.place, p.place and fold(p.place), p.population)
            for p in data.postcodes
        ],
    )


async def _editions(connection: asyncpg.Connection, data: ReferenceData) -> None:
    """Counts are those of the edition as it was published: hubs that were added since are no part of it."""
    await connection.execute("delete from edition")
    published = [hub.area_code for hub in data.hubs]
    await connection.executemany(
        """insert into edition (scheme, year, method, source, licence, remark, region_count, municipality_count)
        select $1, $2, $3, $4, $5, $6,
          (select count(*) from region_period p
            where p.scheme = $1 and p.valid_from <= d.day and p.valid_to > d.day
              and ($1 <> 'participatiehub' or p.code = any($7::text[]))),
          (select count(distinct m.municipality_id) from membership m join region r on r.id = m.region_id
            where m.scheme = $1 and m.valid_from <= d.day and m.valid_to > d.day
              and ($1 <> 'participatiehub' or r.code = any($7::text[])))
        from (select make_date($2::int, 1, 1) as day) d""",
        [(e.scheme, e.year, e.method, e.source, e.licence, e.remark, published) for e in data.editions],
    )


async def _hubs(connection: asyncpg.Connection, data: ReferenceData) -> None:
    """Adds the proposed hubs and their possible hosts; what is there already is left as it is."""
    for o in data.organisations:
        identity = await connection.fetchval(
            """insert into organisation (id, name, sort_name, type, side, strand, workfield, website, basis, source_key)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (source_key) do nothing returning id""",
            new_id(), o.name, fold(o.name), o.type, o.side, o.strand, o.workfield, o.website, o.basis, o.key,
        )  # fmt: skip
        await connection.execute(
            "insert into organisation_region select $1, id from region where code = any($2::text[]) and $1::uuid is not null",
            identity, list(o.regions),
        )  # fmt: skip
    organisations = dict(await connection.fetch("select source_key, id from organisation where source_key is not null"))
    added = [hub for hub in data.hubs if await _hub(connection, hub, organisations)]
    for hub in added:
        if hub.frontrunner:
            await connection.execute(
                "update hub set frontrunner_id = f.id from hub f where hub.slug = $1 and f.slug = $2",
                hub.slug, hub.frontrunner,
            )  # fmt: skip


async def _hub(connection: asyncpg.Connection, hub: ProposedHub, organisations: dict[str, uuid.UUID]) -> bool:
    """False when there is a hub of this name already."""
    hub_id = await connection.fetchval(
        """insert into hub (slug, name, sort_name, basis, frontrunner_role, hosts_relation, challenges, area_code, published)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (slug) do nothing returning id""",
        hub.slug, hub.name, fold(hub.name), hub.basis, hub.frontrunner_role, hub.hosts_relation,
        orjson.dumps([asdict(c) for c in hub.challenges]).decode(), hub.area_code, _published(hub),
    )  # fmt: skip
    if hub_id is None:
        return False
    await connection.executemany(
        "insert into hub_host values ($1, $2, 'proposed', $3)",
        [(hub_id, organisations[key], rank) for rank, key in enumerate(hub.hosts)],
    )
    await connection.execute(
        "insert into hub_area values ($1, $2, $3, $4, $5)",
        hub_id, hub.area.valid_from, list(hub.area.regions), list(hub.area.plus), list(hub.area.minus),
    )  # fmt: skip
    return True


def _published(hub: ProposedHub) -> str | None:
    """The printed figures; the computed ones are added when the area is (`_areas`)."""
    p = hub.published
    if p is None:
        return None
    return orjson.dumps(
        {
            "municipality_count": p.municipality_count,
            "municipality_count_low": p.municipality_count_low,
            "municipality_count_high": p.municipality_count_high,
            "population": p.population,
            "source": PUBLISHED_SOURCE,
            "note_nl": p.note.nl,
            "note_en": p.note.en,
        }
    ).decode()


async def _areas(connection: asyncpg.Connection, data: ReferenceData, timeline: Timeline, ids: dict[str, int]) -> None:
    """Works out the area of every hub in the database, from its own dated definitions."""
    await connection.execute("delete from membership where scheme = 'participatiehub'")
    await connection.execute("delete from region_period where scheme = 'participatiehub'")
    years = [e.year for e in data.editions if e.scheme == "participatiehub"]
    counted = _population_dates(timeline.regions)
    rows = await connection.fetch(
        """select h.name, h.area_code, a.valid_from, a.regions, a.plus, a.minus
        from hub h join hub_area a on a.hub_id = h.id order by h.id, a.valid_from"""
    )
    areas: dict[tuple[str, str], list[Area]] = {}
    for row in rows:
        areas.setdefault((row["area_code"], row["name"]), []).append(
            Area(row["valid_from"], tuple(row["regions"]), tuple(row["plus"]), tuple(row["minus"]))
        )
    for (code, name), defined in areas.items():
        members = area_history(defined, FOREVER, timeline.memberships, region=code, successions=data.successions)
        periods = hub_region_periods(code, name, members, years, counted)
        await _upsert_regions(connection, periods)
        ids[code] = await connection.fetchval("select id from region where code = $1", code)
        await insert_periods(connection, periods, members, ids)
    # The report counts municipalities of 2022; populations are known for the municipalities of 2023 on.
    await connection.execute(
        """update hub set published = published || jsonb_build_object(
          'computed_municipality_count', n.municipality_count, 'computed_population', p.population)
        from region_period n, region_period p
        where n.code = hub.area_code and n.valid_from <= date '2022-06-01' and n.valid_to > date '2022-06-01'
          and p.code = hub.area_code and p.valid_from <= date '2023-01-01' and p.valid_to > date '2023-01-01'
          and not hub.published ? 'computed_population'"""
    )


def _population_dates(regions: Iterable[RegionPeriod]) -> dict[str, date]:
    """The date of each municipality's latest population figure."""
    return {r.region: r.population_date for r in regions if r.scheme == "gemeente" and r.population_date is not None}
