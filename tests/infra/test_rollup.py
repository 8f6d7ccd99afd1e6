"""The rollup: after any workload, and at any moment of it, the counts are what a plain count of the signals says."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter, defaultdict
from datetime import date

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.access import Actor
from app.domain.disclosure import published, units
from app.domain.library import Catalogue
from app.domain.national import KINDS, CountQuery, count_signals
from app.infra.database import Database
from app.infra.epochs import bump_epoch
from app.infra.national import PostgresCounts
from app.infra.purging import purge_signal
from app.infra.rollup import differences, fold, keep_network_secret, rebuild

TODAY = date(2026, 11, 22)
THEMES = (
    "wachttijden",
    "personeelstekort",
    "toegang-en-kwaliteit",
    "huisarts-en-eerstelijnszorg",
    "medische-zorg-en-behandeling",
)
REGIONS = ("GM0014", "GM1952", "GG2014", "PV20", "LD01", "GM0363", "GM0053", "PH01")
ACTORS = {
    "own": Actor("hub", "groningen"), "other": Actor("hub", "limburg"), "mind": Actor("umbrella", None, "mind"),
    "iederin": Actor("umbrella", None, "iederin"), "national": Actor("national"), "anyone": Actor(), "admin": Actor("admin"),
}  # fmt: skip
INSERT = """
insert into signal (id, hub_id, kind, title, description, themes, workfields, workfields_source, region_id, heard_on,
  visibility, status, recipients, search)
values ($1, $2, $3, 'x', '', $4, $5, $6, $7, $8, $9, $10, $11, '')
"""


@pytest.fixture(scope="module")
def place(fresh):
    return fresh("rollup")


@pytest.fixture
async def owner(place):
    connection = await asyncpg.connect(place.owner)
    await connection.execute("select set_config('app.role', 'system', false)")
    yield connection
    await connection.close()


@pytest.fixture
async def counts(place):
    database = Database(place.service, size=4)
    await database.open()
    yield PostgresCounts(database, lambda: None)
    await database.close()


class Facts:
    """Values that a signal may have, by the numbers of this database."""

    def __init__(self, rows, hubs, bits):
        self.regions, self.hubs, self.bits = rows, hubs, bits

    @classmethod
    async def of(cls, connection):
        regions = dict(await connection.fetch("select code, id from region where code = any($1)", list(REGIONS)))
        hubs = dict(
            await connection.fetch("select slug, id from hub where slug in ('groningen', 'limburg', 'utrecht')")
        )
        bits = dict(await connection.fetch("select code, umbrella_bit(code) from term where vocabulary = 'umbrella'"))
        return cls(regions, hubs, bits)

    def values(self, chance):
        visibility = chance.choice(("public", "network", "network", "hub"))
        source = chance.choice(("given", "themes", "cross-cutting"))
        return (
            chance.choice(list(self.hubs.values())), chance.choice(KINDS), chance.sample(THEMES, chance.choice((1, 1, 2, 3))),
            7 if source == "cross-cutting" else chance.choice((1, 2, 3, 4, 6)), source,
            chance.choice(list(self.regions.values())), date(chance.choice((2025, 2026)), chance.randint(1, 10), chance.randint(1, 28)),
            visibility, chance.choice(("verified", "verified", "closed", "submitted", "draft", "withdrawn")),
            sum(bit for bit in self.bits.values() if chance.random() < 0.5),
        )  # fmt: skip


CHANGE = """
update signal set hub_id = $2, kind = $3, themes = $4, workfields = $5, workfields_source = $6, region_id = $7, heard_on = $8,
  visibility = $9, status = $10, recipients = $11, version = version + 1 where id = $1
"""


async def work(place, facts, seed, ids):
    """Transactions of one writer, some of them undone; it moves, changes and removes signals of its own."""
    chance = random.Random(seed)
    connection = await asyncpg.connect(place.owner)
    try:
        for _ in range(chance.randint(2, 6)):
            transaction = connection.transaction()
            await transaction.start()
            kept = list(ids)
            for _ in range(chance.randint(1, 4)):
                what = chance.random()
                if what < 0.55 or not kept:
                    kept.append(uuid.UUID(int=chance.getrandbits(128), version=4))
                    await connection.execute(INSERT, kept[-1], *facts.values(chance))
                elif what < 0.8:
                    await connection.execute(CHANGE, chance.choice(kept), *facts.values(chance))
                elif what < 0.9:
                    await connection.execute(
                        "update signal set version = version + 1 where id = $1", chance.choice(kept)
                    )
                else:
                    gone = kept.pop(chance.randrange(len(kept)))
                    await connection.execute("delete from signal where id = $1", gone)
                await asyncio.sleep(0)
            if chance.random() < 0.2:
                await transaction.rollback()
            else:
                await transaction.commit()
                ids[:] = kept
    finally:
        await connection.close()


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seeds=st.lists(st.integers(0, 2**32), min_size=2, max_size=5, unique=True), most=st.sampled_from((1, 3, 50)))
def test_counts_agree_with_the_signals_during_and_after_any_workload(place, seeds, most):
    asyncio.run(_workload(place, seeds, most))


async def _workload(place, seeds, most):
    owner = await asyncpg.connect(place.owner)
    folder = await asyncpg.connect(place.service)
    facts = await Facts.of(owner)
    mine = [[] for _ in seeds]
    writers = asyncio.gather(*(work(place, facts, seed, ids) for seed, ids in zip(seeds, mine, strict=True)))
    folded = 0
    while not writers.done():
        folded += await fold(folder, most)
        assert await differences(owner) == []
        await asyncio.sleep(0)
    await writers
    while (more := await fold(folder, most)) > 0:
        folded += more
        assert await differences(owner) == []
    assert (
        await owner.fetchval(
            "select count(*) from change c, count_state p where (c.epoch, c.xact_id) >= (p.epoch, p.xact_id)"
        )
        == 0
    )
    await owner.execute("delete from signal where id = any($1)", [each for ids in mine for each in ids])
    await owner.close()
    await folder.close()


async def test_two_who_fold_at_once_take_turns(place, owner):
    one, other = await asyncpg.connect(place.service), await asyncpg.connect(place.service)
    async with one.transaction():
        assert await fold(one) >= 0
        assert await fold(other) == -1
    assert await fold(other) >= 0
    await one.close()
    await other.close()


async def test_what_is_not_right_is_told_and_can_be_made_anew(owner):
    assert await differences(owner) == []
    await owner.execute("update count_cell set n = n + 1 where ctid = (select ctid from count_cell limit 1)")
    await owner.execute(
        "update count_summary set n[1] = n[1] + 1 where ctid = (select ctid from count_summary limit 1)"
    )
    await owner.execute("update count_source set keys = keys + 1 where ctid = (select ctid from count_source limit 1)")
    found = await differences(owner, 1_000)
    assert {line.split()[0] for line in found} >= {"cell", "summary", "source"}
    await rebuild(owner)
    assert await differences(owner) == []


async def test_counts_survive_a_purge_an_epoch_and_another_order_of_the_reference_data(place, owner):
    facts, chance = await Facts.of(owner), random.Random(5)
    ids = [uuid.uuid4() for _ in range(30)]
    for each in ids:
        await owner.execute(INSERT, each, *facts.values(chance))
    await fold(owner)
    await purge_signal(owner, ids[0])
    await bump_epoch(owner)
    await owner.execute(CHANGE, ids[1], *facts.values(chance))
    assert await differences(owner) == []
    await fold(owner)
    assert await differences(owner) == []
    before = await owner.fetch(
        "select code, parent from term where vocabulary = 'theme' and code = any($1)", list(THEMES)
    )
    await owner.execute("update term set parent = 'zorg-en-jeugd' where vocabulary = 'theme' and code = 'wachttijden'")
    await fold(owner)
    assert await differences(owner) == []
    assert await owner.fetchval("select count(*) from count_summary where theme = 'zorg-en-jeugd' and part = ''") > 0
    for row in before:
        await owner.execute("update term set parent = $2 where vocabulary = 'theme' and code = $1", *row)
    await fold(owner)
    assert await differences(owner) == []
    await owner.execute("delete from signal where id = any($1)", ids)
    await fold(owner)


async def test_a_shared_secret_gives_two_instances_the_same_record_keys(owner):
    signal_id = uuid.UUID(int=7)
    assert await keep_network_secret(owner, None) is False
    assert (
        await keep_network_secret(
            owner, "a secret of the network, longer than the sixty-four bytes of one block of SHA-256"
        )
        is True
    )
    first = await owner.fetchval("select record_key($1)", signal_id)
    assert await keep_network_secret(owner, "another") is True
    assert await owner.fetchval("select record_key($1)", signal_id) != first
    assert await keep_network_secret(owner, "another") is False
    import hashlib
    import hmac

    digest = hmac.new(b"another", signal_id.bytes, hashlib.sha256).digest()
    assert await owner.fetchval("select record_key($1)", signal_id) == int.from_bytes(digest[:4], "big")
    assert await differences(owner) == []


async def test_the_noise_of_the_database_is_that_of_the_domain(owner):
    for count in (0, 1, 4, 5, 6, 7, 30):
        for key in range(0, 1024, 7):
            assert await owner.fetchval("select published_count($1, $2, 5)", count, key) == published(count, key)


# Reading against a plain count


async def signals_of(owner):
    rows = await owner.fetch("""
        select s.*, h.slug, r.code as region, record_key(s.id) as key from signal s join hub h on h.id = s.hub_id
        join region r on r.id = s.region_id where s.status <> 'withdrawn'""")
    return [dict(row) for row in rows]


def sees(actor, row, bits):
    if actor.role == "hub" and row["slug"] == actor.hub:
        return True
    if row["status"] not in ("verified", "closed") or row["visibility"] == "hub":
        return False
    if row["visibility"] == "public" or actor.role in ("hub", "national"):
        return True
    return actor.role == "umbrella" and bool(row["recipients"] & bits[actor.umbrella])


def keys_of(row, query, known, shares, themes):
    """Every cell that a signal is part of, without its region, as (theme, workfield, hub, kind)."""
    parents = {*row["themes"], *(known.themes[t] for t in row["themes"] if known.themes[t])}
    mask = 0 if row["workfields_source"] == "cross-cutting" else row["workfields"]
    fields = {code for code, bit in known.workfields.items() if mask & bit} or {"werkveldoverstijgend"}
    if query.workfield is not None:
        fields &= {query.workfield, "werkveldoverstijgend"}
    for theme in (parents if themes is None else parents & {*themes}) if "theme" in query.group_by else [None]:
        for field in fields if "workfield" in query.group_by else [None]:
            yield (
                theme,
                field,
                row["hub_id"] if "hub" in query.group_by else None,
                row["kind"] if "kind" in query.group_by else None,
            )


def plain_count(rows, query, actor, known, shares, bits):
    """The same question, answered signal by signal."""
    themes = None if query.theme is None else (query.theme, *(c for c, p in known.themes.items() if p == query.theme))
    period = query.period if "period" in query.group_by else None
    first = date.fromisoformat(query.first + "-01") if query.first else None
    last = date.fromisoformat(query.last + "-01") if query.last else None
    unit_of = {unit.month: unit for unit in units(first, last, period, TODAY)}
    regional = shares is not None
    found, hidden = defaultdict(float), defaultdict(list)
    for row in rows:
        unit = unit_of.get(row["heard_on"].replace(day=1))
        mask = 0 if row["workfields_source"] == "cross-cutting" else row["workfields"]
        wanted = 0 if query.workfield == "werkveldoverstijgend" else known.workfields.get(query.workfield)
        if (
            unit is None or (query.kind and row["kind"] != query.kind) or (query.hub and row["slug"] != query.hub)
            or (themes is not None and not {*themes} & {*row["themes"]}) or (query.workfield and mask and not mask & wanted)
        ):  # fmt: skip
            continue
        exact = sees(actor, row, bits)
        secret = (
            actor.role in ("anonymous", "admin")
            and row["visibility"] == "network"
            and row["status"] in ("verified", "closed")
        )
        for key in keys_of(row, query, known, shares, themes):
            source = row["region_id"] if regional else None
            if exact:
                for target, share in shares[source] if regional else [(None, 1)]:
                    found[(*key, unit.period, target)] += share
            elif secret:
                hidden[(*key, unit.period, unit.kind, unit.start, source)].append(row["key"])
    for (*key, _, _, source), records in hidden.items():
        shown = published(len(records), sum(records))
        for target, share in shares[source] if regional else [(None, 1)]:
            found[(*key, target)] += shown * share
    return {key: value for key, value in found.items() if abs(value) > 1e-6}


QUERIES = [
    {}, {"group_by": ("theme",)}, {"group_by": ("period",)}, {"group_by": ("hub",)}, {"group_by": ("kind",)},
    {"group_by": ("workfield",)}, {"group_by": ("region",), "scheme": "ggd-regio"},
    {"group_by": ("region",), "scheme": "gemeente"}, {"group_by": ("region",), "scheme": "participatiehub"},
    {"group_by": ("theme", "region", "period"), "scheme": "provincie", "first": "2026-01", "last": "2026-10"},
    {"group_by": ("theme", "hub", "period"), "period": "quarter"}, {"group_by": ("theme", "workfield")},
    {"group_by": ("workfield", "kind", "hub")}, {"group_by": ("period", "kind"), "period": "year", "first": "2025-02"},
    {"group_by": ("region", "hub"), "scheme": "zorgkantoorregio"},
    {"theme": "toegang-en-kwaliteit"}, {"theme": "wachttijden", "group_by": ("hub",)},
    {"theme": "toegang-en-kwaliteit", "group_by": ("theme", "period"), "period": "year"},
    {"workfield": "inclusie"}, {"workfield": "werkveldoverstijgend", "group_by": ("theme",)},
    {"workfield": "medische-zorg", "group_by": ("workfield",)}, {"hub": "limburg", "group_by": ("theme",)},
    {"kind": "knelpunt", "group_by": ("period",)}, {"region": "GG2014"}, {"region": "GM0014", "group_by": ("theme",)},
    {"region": "PV20", "group_by": ("region",), "scheme": "gemeente"}, {"region": "PV20", "kind": "behoefte", "hub": "groningen"},
    {"group_by": ("region",), "scheme": "ggd-regio", "as_of": date(2018, 6, 1)},
    {"group_by": ("theme", "kind"), "first": "2025-05", "last": "2026-03"}, {"first": "2025-02", "last": "2026-02"},
]  # fmt: skip


@pytest.fixture(scope="module")
async def filled(place):
    """Many signals in few cells, so that network-only parts pass the threshold; half of them folded."""
    owner = await asyncpg.connect(place.owner)
    facts, chance = await Facts.of(owner), random.Random(11)
    rows = [(uuid.UUID(int=chance.getrandbits(128), version=4), *facts.values(chance)) for _ in range(2_000)]
    await owner.executemany(INSERT, rows)
    await owner.close()
    return [row[0] for row in rows]


SHARES = {}


async def shares_of(owner, query, found):
    """Region as named → where it counts, and for how much; kept, because regions do not change here."""
    if query.region is None and "region" not in query.group_by:
        return None
    inside = found.known.inside[0] if found.known.inside else None
    key = (query.scheme, query.as_of, inside)
    if key not in SHARES:
        SHARES[key] = defaultdict(list)
        for row in await owner.fetch("select * from region_shares($1, $2, $3)", *key):
            SHARES[key][row["source_id"]].append(
                (row["target_id"] if "region" in query.group_by else None, row["share"])
            )
    return SHARES[key]


async def counted(owner, counts, query, actor):
    rows = await owner.fetch("select scheme, array_agg(year order by year) from edition group by 1")
    return await count_signals(query, actor, counts, Catalogue({row[0]: tuple(row[1]) for row in rows}), TODAY)


@pytest.mark.parametrize("who", ACTORS)
@pytest.mark.parametrize("state", ["nothing folded", "folded", "changed since"])
async def test_every_reader_gets_what_a_plain_count_gives(owner, counts, filled, who, state):
    if state == "nothing folded":  # as if no worker had run since the signals came
        await owner.execute("delete from count_cell")
        await owner.execute("delete from count_summary")
        await owner.execute("delete from count_source")
        await owner.execute("update count_state set epoch = 0, xact_id = 0")
        whole = await owner.fetchval("select count(*) from change where type = 1")
        assert whole >= 2_000
    else:
        await rebuild(owner)
    if state == "changed since":
        chance = random.Random(3)
        facts = await Facts.of(owner)
        for each in chance.sample(filled, 40):
            await owner.execute(CHANGE, each, *facts.values(chance))
    rows, bits = await signals_of(owner), (await Facts.of(owner)).bits
    for asked in QUERIES:
        query = CountQuery(**{"as_of": TODAY} | asked)
        found = await counted(owner, counts, query, ACTORS[who])
        shares = await shares_of(owner, query, found)
        expected = plain_count(rows, query, ACTORS[who], found.known, shares, bits)
        cells = {cell[:6]: cell[6] for cell in found.cells}
        assert cells.keys() == expected.keys(), asked
        for key, value in expected.items():
            assert cells[key] == pytest.approx(value, abs=1e-6), (asked, key)
    await rebuild(owner)


@pytest.mark.parametrize("who", ACTORS)
async def test_the_sum_over_any_partition_is_the_total(owner, counts, filled, who):
    """Of what a reader sees exactly. The public's network-only part is protected, and its sums are not promised."""
    actor = ACTORS[who]
    sums = Counter()
    partitions = (
        "gemeente",
        "provincie",
        "ggd-regio",
        "zorgkantoorregio",
        "corop",
        "jeugdregio",
        "landsdeel",
        "veiligheidsregio",
    )
    for scheme in (*partitions, "roaz-regio"):
        query = CountQuery(as_of=TODAY, group_by=("region",), scheme=scheme)
        sums[scheme] = sum(cell[6] for cell in (await counted(owner, counts, query, actor)).cells)
    assert len({round(value, 6) for value in sums.values()}) == 1
    if who in ("anyone", "admin"):
        return
    total = sum(cell[6] for cell in (await counted(owner, counts, CountQuery(as_of=TODAY), actor)).cells)
    assert sums["provincie"] == pytest.approx(total)
    for dims in (("hub",), ("kind",), ("period",), ("hub", "kind", "period")):
        query = CountQuery(as_of=TODAY, group_by=dims)
        assert sum(cell[6] for cell in (await counted(owner, counts, query, actor)).cells) == pytest.approx(total)
