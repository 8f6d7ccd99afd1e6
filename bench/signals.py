"""Signals at ten thousand and at a million: reading against the limit, growth, row-level security, search, writing.

`python -m bench --part signals [--million] [--quick]`. Each size has a database of its own on one server of its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from statistics import median

import asyncpg
import orjson
from rich.console import Console
from rich.table import Table

from app.domain.ids import new_id
from app.domain.text import fold
from app.infra import demonstration, demonstration_volume, packaged
from app.infra.clients import NewClient, create_client
from app.infra.embedded import SERVICE, SUPERUSER
from app.infra.migrating import migrate
from app.infra.prepare import Addresses, load_reference
from app.infra.signal_writes import SEARCH
from app.settings import Settings
from bench.capture import Question, capture
from bench.cases import DAY, Case
from bench.house import House, Measured
from bench.table import Row, compare
from bench.table import tables as against

SMALL, MILLION = 10_000, 1_000_000
WANTED_REST, WANTED_GRAPHQL, WANTED_CREATE = 0.70, 0.45, 0.35
GROWTH, GROWTH_NARROW, SLOWEST_MS, MOST_SEARCH, MOST_LOCK = 1.3, 2.0, 20.0, 10.0, 1.10

# name, query, whether few or no signals are found
PAGES = (
    ("plain", "", False),
    ("workfield", "&workfield=inclusie", False),
    ("GGD region", "&region=GG2014", False),
    ("small municipality", "&region=GM0088", True),
    ("theme with children", "&theme=toegang-en-kwaliteit", False),
    ("nothing found", "&status=draft&hub=limburg", True),
)
# Not among those with a mark for growth: what was slow once. Each stays under the same 20 ms.
FURTHER = (
    ("theme in a small municipality", "&theme=jeugd-en-gezin&region=GM0088"),
    ("GGD region, last changed first", "&region=GG2014&sort=-updatedAt"),
    ("own drafts", "&status=draft"),
)
SEARCHED = ("full text", "&q=huisarts%20wachttijd&sort=-relevance", False)
GRAPHQL = (
    f'{{ signals(first: 50, asOf: "{DAY}") {{ nodes {{ id title status heardOn hub {{ slug name }} themes {{ code label }} '
    "region { code name } forwardings { umbrella { code } state respondBy } } pageInfo { hasNextPage endCursor } } }"
)
MARKED = frozenset(name for name, _, _ in PAGES)
say = Console(stderr=True, highlight=False)


async def build(superuser: str, name: str, size: int) -> tuple[Addresses, dict[str, str], float]:
    """A database with this many signals; its addresses, tokens, and how many a second were generated."""
    owner = superuser.replace("/postgres?", f"/{name}?")
    connection = await asyncpg.connect(superuser)
    await connection.execute(f"create database {name} template template0 encoding 'UTF8' locale 'C'")
    await connection.close()
    await migrate(owner, SERVICE)
    await load_reference(owner, packaged.load())
    connection = await asyncpg.connect(owner)
    await connection.execute("select set_config('app.role', 'system', false)")
    await demonstration.load(connection)
    began = time.perf_counter()
    await demonstration_volume.generate(connection, size, lambda done, of: None)
    rate = size / (time.perf_counter() - began)
    tokens = {
        "hub": await create_client(connection, NewClient("bench hub", "hub", hub="groningen")),
        "umbrella": await create_client(connection, NewClient("bench umbrella", "umbrella", umbrella="mind")),
    }
    await connection.close()
    return Addresses(owner, owner, SERVICE), tokens, rate


def cases(tokens: dict[str, str]) -> list[Case]:
    """Every page as each reader; GraphQL as anonymous."""
    found = []
    for who in ("anonymous", "hub", "umbrella"):
        headers = (("authorization", f"Bearer {tokens[who]}"),) if who in tokens else ()
        for name, query in (*(page[:2] for page in (*PAGES, SEARCHED)), *FURTHER):
            # An address of its own for each reader: the limit finds its question by it.
            target = f"/v1/signals?limit=50&asOf={DAY}{query}&" + "&" * ("anonymous", "hub", "umbrella").index(who)
            wanted = WANTED_REST if name in MARKED else None
            found.append(Case(f"{name}, {who}", "REST", target, wanted=wanted, headers=headers))
    body = orjson.dumps({"query": GRAPHQL})
    found.append(Case("hub, themes, region, forwardings", "GraphQL", "/graphql", body, WANTED_GRAPHQL))
    return found


async def times(addresses: Addresses, questions: list[Question], seconds: float) -> list[float]:
    """The median of each question's statement in milliseconds, one connection, in turns."""
    settings = {"jit": "off", "timezone": "UTC", "role": SERVICE}
    connection = await asyncpg.connect(addresses.service, server_settings=settings)
    prepared = [await connection.prepare(question.sql) for question in questions]
    taken: list[list[float]] = [[] for _ in questions]
    ends = time.perf_counter() + seconds * len(questions)
    turn = 0
    while turn < 12 or time.perf_counter() < ends:
        for place, (statement, question) in enumerate(zip(prepared, questions, strict=True)):
            began = time.perf_counter()
            await statement.fetchrow(*question.arguments)
            if turn > 5:  # five custom plans come first
                taken[place].append((time.perf_counter() - began) * 1000)
        turn += 1
    await connection.close()
    return [median(one) for one in taken]


async def lock_cost(addresses: Addresses, token: str, seconds: float) -> float:
    """Row-level security for a hub, the check of its token included, against the same page with its predicate written
    out, run by the owner of the tables. In turns; the medians of many single runs."""
    shows = (
        "id, hub_id, external_id, kind, title, description, themes, workfields, workfields_source, region_id, scale, groups, "
        "channel, heard_on, people_count, visibility, status, demonstration, version, created_at, updated_at, verified_at"
    )
    page = f"select json_agg(s) from (select {shows} from signal where {{}} order by id desc limit 50) s"
    actor = "select enter($1, $2, 'hub', 'groningen', null) as entered offset 0"
    locked = f"select a.entered, p.* from ({actor}) a left join lateral ({page.format('a.entered')}) p on true"
    service = await asyncpg.connect(addresses.service, server_settings={"jit": "off", "role": SERVICE})
    owner = await asyncpg.connect(addresses.owner, server_settings={"jit": "off"})
    shown = hashlib.sha256(token.encode()).digest()
    client = await owner.fetchrow("select id, hub_id from client where token_hash = $1", shown)
    plain = page.format(f"(audience & 3 <> 0 or hub_id = {client['hub_id']}::smallint)")
    sides = [(await service.prepare(locked), (shown, client["id"])), (await owner.prepare(plain), ())]
    taken: list[list[float]] = [[], []]
    ends, turn = time.perf_counter() + seconds, 0
    while turn < 210 or time.perf_counter() < ends:
        for place in ((0, 1), (1, 0))[turn % 2]:
            statement, arguments = sides[place]
            began = time.perf_counter()
            await statement.fetchrow(*arguments)
            taken[place].append(time.perf_counter() - began)
        turn += 1
    await service.close()
    await owner.close()
    return median(taken[0][10:]) / median(taken[1][10:])


async def likeness(addresses: Addresses) -> float:
    """The median of asking what is similar to each of twenty public signals, in milliseconds."""
    settings = {"jit": "off", "role": SERVICE}
    connection = await asyncpg.connect(addresses.service, server_settings=settings)
    ids = await connection.fetch("select id from signal where audience & 1 <> 0 order by md5(id::text) limit 20")
    taken = []
    for row in [*ids[:3], *ids]:  # the first three warm up
        began = time.perf_counter()
        await connection.fetch("select * from similar_signals($1, 10)", row[0])
        taken.append((time.perf_counter() - began) * 1000)
    await connection.close()
    return median(taken[3:])


async def inserts(addresses: Addresses, seconds: float) -> float:
    """Bare inserts a second over 16 connections, with the same indexes and triggers, committed one by one."""
    pool = await asyncpg.create_pool(addresses.owner, min_size=16, max_size=16)
    statement = f"""insert into signal (id, hub_id, kind, title, description, themes, workfields, workfields_source, region_id,
        heard_on, visibility, status, search) select $1, h.id, 'knelpunt', $2, $3, '{{wachttijden}}', 1, 'themes', r.id,
        '2026-05-01', 'network', 'draft', {SEARCH.format(title="$4", description="$5")}
        from hub h, region r where h.slug = 'groningen' and r.code = 'GG0111'"""
    ends, done = time.perf_counter() + seconds, 0

    async def work() -> None:
        nonlocal done
        async with pool.acquire() as connection:
            while time.perf_counter() < ends:
                await connection.execute(statement, new_id(), TITLE, TEXT, fold(TITLE), fold(TEXT))
                done += 1

    await asyncio.gather(*(work() for _ in range(16)))
    await pool.close()
    return done / seconds


TITLE = "Wachten op een eerste gesprek"
TEXT = "Mensen wachten maanden en horen tussendoor niets. Een telefoontje kost weinig en geeft rust."


def creation(token: str) -> Case:
    """A signal through REST."""
    body = {"kind": "knelpunt", "title": TITLE, "description": TEXT, "themes": ["wachttijden"], "region": "GG0111"}
    return Case("create", "REST", "/v1/signals", orjson.dumps({**body, "heardOn": "2026-05-01"}),
                headers=(("authorization", f"Bearer {token}"),))  # fmt: skip


class Signals:
    """One run over all sizes."""

    def __init__(self, house: House, sizes: Sequence[int], *, quick: bool) -> None:
        self.house, self.sizes = house, sizes
        self.rounds, self.seconds = (2, 0.3) if quick else (5, 0.5)
        self.rows: list[Row] = []
        self.medians: dict[int, dict[str, float]] = {}
        self.figures: list[tuple[str, str, str, bool]] = []

    def run(self) -> None:
        """Builds, measures, and keeps what was found."""
        self.house.database.start()
        superuser = self.house.database.url(SUPERUSER, "postgres")
        for size in self.sizes:
            say.print(f"{size:,} signals …")
            addresses, tokens, rate = asyncio.run(build(superuser, f"signals_{size}", size))
            self._figure(f"generated a second, {size:,}", rate, "/s")
            self._size(size, addresses, tokens)
        self._pages()

    def _size(self, size: int, addresses: Addresses, tokens: dict[str, str]) -> None:
        asked = cases(tokens)
        settings = Settings(data_folder=self.house.folder, rate_limit_per_minute=0)
        questions, failed = asyncio.run(capture(asked, settings, addresses))
        for case, why in failed.items():
            say.print(f"{case.name}: {why}", markup=False)
        asked = [case for case in asked if case not in failed]
        taken = asyncio.run(times(addresses, questions, self.seconds))
        self.medians[size] = dict(zip((case.name for case in asked), taken, strict=True))
        lock = asyncio.run(lock_cost(addresses, tokens["hub"], self.seconds * 6))
        self._figure(f"row-level security and token against the predicate, {size:,}", lock, "×", MOST_LOCK)
        alike = asyncio.run(likeness(addresses))
        self._figure(
            f"similar signals: times a plain page, {size:,}",
            alike / self.medians[size]["plain, anonymous"],
            "×",
            MOST_SEARCH,
        )
        self.house.serve_on(addresses)
        self.house.serve_limit(questions, addresses)
        self.rows += [replace(self._compare(case), case=f"{case.name}, {size:,}") for case in asked]
        self._creation(size, addresses, tokens["hub"])
        self.house.stop_sides()

    def _compare(self, case: Case) -> Row:
        say.print(f"  {case.name} …")
        ports = [self.house.limit_port, self.house.service_port]
        sides: dict[int, list[Measured]] = {port: [] for port in ports}
        for turn in range(-1, self.rounds):
            for port in ports if turn % 2 else ports[::-1]:
                found = self.house.run(port, [case.request()], self.seconds / (3 if turn < 0 else 1))
                if turn >= 0:
                    sides[port].append(found)
        return compare(case.name, case.door, case.wanted, sides[ports[0]], sides[ports[1]])

    def _creation(self, size: int, addresses: Addresses, token: str) -> None:
        ratios = []
        for _ in range(self.rounds):
            bare = asyncio.run(inserts(addresses, self.seconds))
            ours = self.house.run(self.house.service_port, [creation(token).request()], self.seconds)
            if set(ours.statuses) != {"201"}:
                say.print(f"create answers {dict(ours.statuses)}")
            ratios.append(ours.rate / bare)
        self._figure(f"create over REST as part of a bare insert, {size:,}", median(ratios), "", -WANTED_CREATE)

    def _pages(self) -> None:
        """What pages take by themselves, and how that grows where there are two sizes."""
        small, large = min(self.medians), max(self.medians)
        narrow = {name for name, _, few in PAGES if few}
        for name, there in self.medians[large].items():
            what = name.rpartition(", ")[0]
            if what == SEARCHED[0]:
                plain = self.medians[large][name.replace(what, "plain")]
                self._figure(f"{name}: times a plain page, {large:,}", there / plain, "×", MOST_SEARCH)
                continue
            if small != large and what not in dict(FURTHER):
                most = GROWTH_NARROW if what in narrow else GROWTH
                self._figure(f"{name}: {large:,} against {small:,}", there / self.medians[small][name], "×", most)
            self._figure(f"{name}: median, {large:,}", there, "ms", SLOWEST_MS)

    def _figure(self, name: str, value: float, unit: str, wanted: float | None = None) -> None:
        """A negative `wanted` is a least, a positive one a most."""
        short = wanted is not None and (value < -wanted if wanted < 0 else value > wanted)
        limit = "" if wanted is None else f"{'≥' if wanted < 0 else '≤'} {abs(wanted):g} {unit}".strip()
        self.figures.append(
            (name, f"{value:,.0f} {unit}" if value > 100 else f"{value:.2f} {unit}".strip(), limit, short)
        )


def tables(rows: list[Row], figures: list[tuple[str, str, str, bool]]) -> list[Table]:
    """The comparison with the limit in the style of the house, and the further figures."""
    further = Table(title="Signals, further")
    for head in ("what", "measured", "wanted"):
        further.add_column(head, justify="left" if head == "what" else "right", no_wrap=True)
    for name, value, wanted, short in figures:
        further.add_row(name, value, wanted, style="red" if short else "")
    return [against(rows, [])[0], further]


def measure(sizes: Sequence[int], *, quick: bool) -> list[Table]:
    """The whole run."""
    with House() as house:
        signals = Signals(house, sizes, quick=quick)
        try:
            signals.run()
        finally:
            with suppress(Exception):
                house.stop_sides()
        return tables(signals.rows, signals.figures)
