"""Generated signals in volume, for trying out and measuring: the same for the same number, marked as demonstration.

Written by COPY, through the same triggers as any other signal, 10,000 to a transaction: an open writing transaction
holds back every reader of changes.
"""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import asyncpg

from app.domain.routing import RESPONSE_WEEKS, concerned_workfields
from app.infra import demonstration_text as text
from app.infra.demonstration_text import Composer, Vectors, every_word

CHUNK = 10_000
SEED = 20_220_101
FIRST, LAST = datetime(2022, 1, 1, tzinfo=UTC), datetime(2026, 6, 30, tzinfo=UTC)
KINDS = ("knelpunt",) * 9 + ("behoefte",) * 4 + ("oplossing",) * 3 + ("goed-voorbeeld",) * 2 + ("ervaring",) * 2
STATUSES = ("verified",) * 12 + ("closed",) * 4 + ("submitted",) * 2 + ("draft", "withdrawn")
VISIBILITIES = ("public",) * 10 + ("network",) * 8 + ("hub",) * 2
STATES = ("answered", "answered", "on-agenda", "acknowledged", "forwarded", "declined")
SCALES = ("wijk", "lokaal", "lokaal", "regionaal", "regionaal", "landelijk")
KINDS_OF_FOLLOW_UP = ("meeting", "training", "question", "advice")
# How often a signal names a place in a scheme: most are about a municipality.
SCHEMES = {"gemeente": 60, "ggd-regio": 10, "zorgkantoorregio": 8, "participatiehub": 8, "jeugdregio": 5,
           "provincie": 4, "corop": 3, "arbeidsmarktregio": 2}  # fmt: skip

Progress = Callable[[int, int], None]
"""(done, of): called after every chunk."""


@dataclass(frozen=True, slots=True)
class Place:
    """A region of a hub as it can be named."""

    id: int
    name: str
    since: date
    until: date


@dataclass(frozen=True, slots=True)
class Ground:
    """What generated signals refer to: the reference data that is there."""

    hubs: Sequence[tuple[int, str, Sequence[Sequence[Place]]]]
    themes: Sequence[str]
    hints: dict[str, Sequence[str]]
    workfields: Mapping[str, int]
    """Each with its place in a mask."""
    umbrellas: Sequence[tuple[str, str, int]]
    groups: Sequence[str]
    channels: Sequence[str]


@dataclass(slots=True)
class Batch:
    """The lines of one COPY for each table."""

    signals: list[str] = field(default_factory=list)
    forwardings: list[str] = field(default_factory=list)
    follow_ups: list[str] = field(default_factory=list)
    history: list[str] = field(default_factory=list)


COLUMNS = {
    "signal": (
        "id", "hub_id", "kind", "title", "description", "themes", "workfields", "workfields_source", "region_id", "scale",
        "groups", "channel", "heard_on", "people_count", "visibility", "status", "recipients", "search", "demonstration",
        "version", "created_at", "updated_at", "verified_at",
    ),
    "forwarding": (
        "signal_id", "umbrella", "hub_id", "audience", "state", "respond_by", "response", "forwarded_at", "responded_at",
    ),
    "follow_up": ("id", "signal_id", "hub_id", "audience", "kind", "on_date", "summary", "public", "created_at"),
    "signal_history": ("signal_id", "version", "hub_id", "at", "action", "role", "by_hub", "changes"),
}  # fmt: skip


async def generate(connection: asyncpg.Connection, count: int, progress: Progress) -> bool:
    """Adds `count` signals. False when generated signals are there already."""
    if await connection.fetchval("select 1 from signal where demonstration and external_id is null limit 1"):
        return False
    maker = await maker_for(connection, count)
    coming = asyncio.create_task(asyncio.to_thread(maker.batch, 0))
    for start in range(0, count, CHUNK):
        batch = await coming
        coming = asyncio.create_task(asyncio.to_thread(maker.batch, start + CHUNK))  # while PostgreSQL writes this one
        async with connection.transaction():
            await connection.execute("select set_config('app.role', 'system', true)")
            await _write(connection, batch)
        progress(min(count, start + CHUNK), count)
    await coming
    await _settle(connection)
    return True


async def clear(connection: asyncpg.Connection, progress: Progress = lambda done, of: None) -> int:
    """Removes the signals of the demonstration, and those of hubs that are part of it; their number.

    Children first and set-wise: the cascades then find nothing. Where somebody read them, the change log says that they
    went.
    """
    gone, last = 0, UUID(int=0)
    of = await connection.fetchval(f"select count(*) from signal s where {_DEMONSTRATION}")  # noqa: S608
    while True:
        async with connection.transaction():
            await connection.execute("select set_config('app.role', 'system', true)")
            ids = [row[0] for row in await connection.fetch(_TO_CLEAR, last, CHUNK)]
            if not ids:
                break
            for table in ("signal_theme", "forwarding", "follow_up", "signal_history"):
                await connection.execute(f"delete from {table} where signal_id = any($1::uuid[])", ids)  # noqa: S608
            await connection.execute("delete from signal where id = any($1::uuid[])", ids)
        gone, last = gone + len(ids), ids[-1]
        progress(gone, of)
    if gone > CHUNK:
        await _settle(connection)
    return gone


async def _settle(connection: asyncpg.Connection) -> None:
    """Without it the planner takes the tables of a moment ago for granted."""
    for table in ("signal", "signal_theme", "forwarding", "follow_up", "signal_history", "change"):
        await connection.execute(f"vacuum (analyze) {table}")


_DEMONSTRATION = "(s.demonstration or s.hub_id in (select id from hub where demonstration))"
_TO_CLEAR = f"select s.id from signal s where s.id > $1 and {_DEMONSTRATION} order by s.id limit $2"  # noqa: S608


async def _write(connection: asyncpg.Connection, batch: Batch) -> None:
    """COPY into tables of the session, INSERT from there: COPY refuses a table with forced row-level security."""
    for table, lines in (
        ("signal", batch.signals),
        ("forwarding", batch.forwardings),
        ("follow_up", batch.follow_ups),
        ("signal_history", batch.history),
    ):
        columns = ", ".join(COLUMNS[table])
        await connection.execute(
            f"create temp table incoming_{table} on commit drop as select {columns} from {table} with no data"  # noqa: S608
        )
        source = io.BytesIO("".join(lines).encode())
        await connection.copy_to_table(f"incoming_{table}", source=source, columns=COLUMNS[table])
        await connection.execute(f"insert into {table} ({columns}) select {columns} from incoming_{table}")  # noqa: S608


async def maker_for(connection: asyncpg.Connection, count: int) -> Maker:
    """A maker that knows the reference data, and what PostgreSQL makes of every word that may come up."""
    given = text.phrases()
    names = [row[0] for row in await connection.fetch("select distinct name from region_period")]
    rows = await connection.fetch(
        "select word, tsvector_to_array(to_tsvector('dutch', word)) from unnest($1::text[]) word",
        every_word(given, names),
    )
    return Maker(await survey(connection), count, Composer(Vectors({row[0]: row[1] for row in rows}), given))


async def survey(connection: asyncpg.Connection) -> Ground:
    """Hubs with the regions that lie for the most part within them, and the vocabularies."""
    rows = await connection.fetch(
        """with mine as (
            select h.id as hub_id, m.municipality_id from hub h join region r on r.code = h.area_code
            join membership m on m.region_id = r.id and m.valid_to = 'infinity'
        ), touching as (
            select mine.hub_id, m.region_id, count(*) as common from mine
            join membership m on m.municipality_id = mine.municipality_id and m.valid_to = 'infinity' group by 1, 2
        )
        select h.id, h.slug, r.scheme, r.id as region_id, p.name, r.valid_from, r.valid_to
        from touching t join hub h on h.id = t.hub_id join region r on r.id = t.region_id
        join region_period p on p.region_id = r.id and p.valid_to = r.valid_to
        where r.scheme = any($1::text[]) and t.common * 2 > p.municipality_count
        order by h.slug, r.scheme, r.code""",
        list(SCHEMES),
    )
    hubs: dict[tuple[int, str], dict[str, list[Place]]] = {}
    for row in rows:
        place = Place(row["region_id"], row["name"], row["valid_from"], row["valid_to"])
        hubs.setdefault((row["id"], row["slug"]), {}).setdefault(row["scheme"], []).append(place)
    weighted = [
        (number, slug, [places for scheme, places in schemes.items() for _ in range(SCHEMES[scheme])])
        for (number, slug), schemes in hubs.items()
    ]
    terms = await connection.fetch(
        "select vocabulary, code, parent, workfields, 1 << bit as bit from term order by vocabulary, rank, code"
    )
    of = {name: [t for t in terms if t["vocabulary"] == name] for name in {t["vocabulary"] for t in terms}}
    return Ground(
        weighted,
        [t["code"] for t in of["theme"] for _ in range(4 if t["parent"] else 1)],
        {t["code"]: t["workfields"] for t in of["theme"] if t["workfields"]},
        {t["code"]: t["bit"] for t in of["workfield"]},
        [(t["code"], t["workfields"][0], t["bit"]) for t in of["umbrella"]],
        [t["code"] for t in of["participant-group"]],
        [t["code"] for t in of["channel"]],
    )


class Maker:
    """Makes the lines; each signal has its own chance, so that its place in a chunk does not matter."""

    def __init__(self, ground: Ground, count: int, composer: Composer) -> None:
        self.ground = ground
        self.count = count
        self.composer = composer
        self.step = (LAST - FIRST) / count
        self.workfields: dict[tuple[str, ...], tuple[int, str, tuple[tuple[str, str, int], ...]]] = {}

    def batch(self, start: int) -> Batch:
        """The lines of one chunk."""
        batch, chance = Batch(), random.Random(SEED + start)  # noqa: S311 - nothing secret
        for number in range(start, min(self.count, start + CHUNK)):
            self._signal(number, chance, batch)
        return batch

    def _routing(self, themes: tuple[str, ...], named: int) -> tuple[int, str, tuple[tuple[str, str, int], ...]]:
        every = tuple(self.ground.workfields)
        given = (every[named],) if named < len(every) else None
        key = (*themes, str(given))
        found = self.workfields.get(key)
        if found is None:
            codes, source = concerned_workfields(given, themes, self.ground.hints, every)
            mask = sum(self.ground.workfields[code] for code in codes)
            found = self.workfields[key] = (mask, source, tuple(u for u in self.ground.umbrellas if u[1] in codes))
        return found

    def _signal(self, number: int, chance: random.Random, batch: Batch) -> None:
        r, ground = chance.random, self.ground
        created = FIRST + self.step * number
        heard = (created - timedelta(days=int(r() * 30))).date()
        hub, slug, schemes = ground.hubs[int(r() ** 1.5 * len(ground.hubs))]
        place = _existing(schemes, heard, r)
        theme = ground.themes[int(r() ** 1.3 * len(ground.themes))]
        second = ground.themes[int(r() * len(ground.themes))] if r() < 0.4 else theme
        themes = (theme,) if second == theme else (theme, second)
        mask, source, umbrellas = self._routing(themes, int(r() * 8))
        kind, status, visibility = KINDS[int(r() * 20)], STATUSES[int(r() * 20)], VISIBILITIES[int(r() * 20)]
        groups = ground.groups[int(r() * len(ground.groups))] if r() < 0.7 else ""
        title, description, search = self.composer.compose(chance, theme, place.name, groups)
        settled = status in ("verified", "closed")
        forwarded = umbrellas if settled and visibility != "hub" else ()
        verified = created + timedelta(days=1 + int(r() * 20), seconds=int(r() * 86_400)) if settled else None
        updated = (verified or created) + timedelta(days=int(r() * 60) if settled else 0)
        identity = _identity(created, chance)
        version = {"verified": 2, "withdrawn": 2, "closed": 3}.get(status, 1)
        people = str(1 + int(1 / (r() + 0.003))) if r() < 0.6 else r"\N"
        batch.signals.append(
            f"{identity}\t{hub}\t{kind}\t{title}\t{description}\t{{{','.join(themes)}}}\t{mask}\t{source}\t{place.id}\t"
            f"{SCALES[int(r() * 6)]}\t{{{groups}}}\t{ground.channels[int(r() * len(ground.channels))]}\t{heard}\t{people}\t"
            f"{visibility}\t{status}\t{sum(u[2] for u in forwarded)}\t{search}\tt\t{version}\t{created}\t{updated}\t"
            f"{verified or _NULL}\n"
        )
        for umbrella, _, _ in forwarded:
            batch.forwardings.append(_forwarding(identity, umbrella, hub, verified or created, r))
        if status == "closed" or (status == "verified" and r() < 0.2):
            on = updated.date()
            batch.follow_ups.append(
                f"{_identity(updated, chance)}\t{identity}\t{hub}\t0\t{KINDS_OF_FOLLOW_UP[int(r() * 4)]}\t{on}\t"
                f"{text.SUMMARIES[int(r() * 4)]}\t{'t' if r() < 0.5 else 'f'}\t{updated}\n"
            )
        _history(batch, identity, status, hub, slug, created, verified or updated, updated)


_NULL = r"\N"


def _existing(schemes: Sequence[Sequence[Place]], day: date, r: Callable[[], float]) -> Place:
    """A place that existed on the day: municipalities come and go."""
    for _ in range(50):
        places = schemes[int(r() * len(schemes))]
        place = places[int(r() ** 1.5 * len(places))]
        if place.since <= day < place.until:
            return place
    return next(p for places in schemes for p in places if p.since <= day < p.until)


def _identity(at: datetime, chance: random.Random) -> UUID:
    """A UUID of version 7 of that moment."""
    milliseconds = int(at.timestamp() * 1000)
    bits = chance.getrandbits(74)
    return UUID(int=milliseconds << 80 | 7 << 76 | (bits >> 62) << 64 | 2 << 62 | bits & (1 << 62) - 1)


def _forwarding(identity: UUID, umbrella: str, hub: int, at: datetime, r: Callable[[], float]) -> str:
    state = STATES[int(r() * 6)]
    done = at + timedelta(days=3 + int(r() * 50)) if state != "forwarded" else None
    response = text.RESPONSES[int(r() * 3)] if state in ("answered", "declined") else _NULL
    by = at.date() + timedelta(weeks=RESPONSE_WEEKS)
    return f"{identity}\t{umbrella}\t{hub}\t0\t{state}\t{by}\t{response}\t{at}\t{done or _NULL}\n"


def _history(
    batch: Batch, identity: UUID, status: str, hub: int, slug: str, created: datetime, then: datetime, last: datetime
) -> None:
    steps = {"verified": ("verified",), "closed": ("verified", "closed"), "withdrawn": ("withdrawn",)}.get(status, ())
    batch.history.append(f"{identity}\t1\t{hub}\t{created}\tcreated\thub\t{slug}\t{{}}\n")
    before = "submitted"
    for version, step in enumerate(steps, 2):
        at = then if version == 2 else last
        changes = f'{{"status": ["{before}", "{step}"]}}'
        batch.history.append(f"{identity}\t{version}\t{hub}\t{at}\t{step}\thub\t{slug}\t{changes}\n")
        before = step
