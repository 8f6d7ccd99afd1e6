"""Reading signals: every filter, reader and walk of pages against a plain filter in Python over generated signals."""

from __future__ import annotations

import asyncio
from datetime import date

import asyncpg
import orjson
import pytest

from app.domain.access import ANONYMOUS, Actor
from app.domain.reading import Pick, Selection, Shape
from app.domain.text import fold
from app.infra import demonstration_volume, walking
from app.infra.database import Database
from app.infra.projection import Projection
from app.infra.reader import PostgresReader, Signer
from app.infra.views import VIEWS

DAY = date(2026, 6, 1)
COUNT = 2_000
ACTORS = {
    "anonymous": ANONYMOUS,
    "own hub": Actor("hub", hub="groningen"),
    "other hub": Actor("hub", hub="limburg"),
    "umbrella": Actor("umbrella", umbrella="mind"),
    "national": Actor("national"),
}
FILTERS = (
    {},
    {"theme": "wachttijden"},
    {"theme": "toegang-en-kwaliteit"},
    {"region": "GM0088"},
    {"region": "GG2014"},
    {"region": "LD01"},
    {"region": "GG2014", "theme": "toegang-en-kwaliteit"},
    {"region": "PV20", "workfield": "inclusie", "kind": "knelpunt"},
    {"workfield": "psychische-kwetsbaarheid"},
    {"workfield": "werkveldoverstijgend"},
    {"hub": "groningen"},
    {"hub": "limburg", "status": "draft"},
    {"hub": "groningen", "status": "verified", "theme": "toegang-en-kwaliteit"},
    {"hub": "limburg", "theme": "toegang-en-kwaliteit", "kind": "knelpunt"},
    {"status": "draft"},
    {"status": "withdrawn", "theme": "wachttijden"},
    {"status": "closed", "visibility": "public"},
    {"visibility": "hub"},
    {"visibility": "hub", "hub": "groningen"},
    {"visibility": "network"},
    {"kind": "ervaring"},
    {"kind": "no such kind"},
    {"status": "no such status"},
)
IN_OTHER_ORDERS = (
    {},
    {"theme": "toegang-en-kwaliteit"},
    {"region": "GG2014"},
    {"region": "LD01"},
    {"region": "GG2014", "theme": "toegang-en-kwaliteit"},
    {"hub": "groningen", "status": "draft"},
    {"hub": "limburg", "theme": "toegang-en-kwaliteit"},
)
WORKFIELDS = ("inclusie", "psychische-kwetsbaarheid", "medische-zorg")


@pytest.fixture(scope="module")
def volume(fresh):
    return fresh("volume")


@pytest.fixture(scope="module")
def signals(volume):
    """Every signal, and what the filters need to know of themes and regions."""
    return asyncio.run(_generated(volume.owner))


async def _generated(url):
    owner = await asyncpg.connect(url)
    await owner.execute("select set_config('app.role', 'system', false)")
    assert await demonstration_volume.generate(owner, COUNT, lambda done, of: None)
    assert not await demonstration_volume.generate(owner, COUNT, lambda done, of: None)
    rows = await owner.fetch("select s.*, h.slug from signal s join hub h on h.id = s.hub_id order by s.id desc")
    themes = await owner.fetch("select code, parent from term where vocabulary = 'theme'")
    touching = await owner.fetch(
        """select distinct r.code, o.region_id from region r join membership m on m.region_id = r.id
        join membership o on o.municipality_id = m.municipality_id
        where r.code = any($1) and m.valid_from <= $2 and m.valid_to > $2 and o.valid_from <= $2 and o.valid_to > $2""",
        [given["region"] for given in FILTERS if "region" in given],
        DAY,
    )
    forwarded = await owner.fetch("select signal_id, umbrella from forwarding")
    await owner.close()
    return rows, themes, touching, {(row[0], row[1]) for row in forwarded}


@pytest.fixture
async def reader(volume):
    database = Database(volume.service, size=2, role=volume.role)
    await database.open()
    yield PostgresReader(database, Projection(VIEWS), Signer(b"secret", 30))
    await database.close()


async def page_ids(reader, given, actor, sort="-createdAt", size=200):
    """The ids of all pages, in order."""
    ids, cursor = [], None
    while True:
        filters = tuple((name, index) for index, name in enumerate(given))
        shape = Shape("signal", "page", (Pick("id", "id"),), filters, sort, size, cursor is not None)
        selection = Selection(shape, tuple(given.values()), DAY, cursor)
        (answer,) = await reader.read([selection], actor=actor, language="nl")
        ids += [item["id"] for item in orjson.loads(answer.body)]
        cursor = answer.next
        if cursor is None:
            return ids


def sees(actor, row, forwarded):
    if actor.role == "hub" and actor.hub == row["slug"]:
        return True
    if row["status"] not in ("verified", "closed") or row["visibility"] == "hub":
        return False
    if row["visibility"] == "public" or actor.role in ("hub", "national"):
        return True
    return actor.role == "umbrella" and (row["id"], actor.umbrella) in forwarded


def matches(row, given, themes, touching):
    wanted = given.get("theme")
    if wanted and not {t["code"] for t in themes if wanted in (t["code"], t["parent"])} & set(row["themes"]):
        return False
    if "region" in given and row["region_id"] not in {t["region_id"] for t in touching if t["code"] == given["region"]}:
        return False
    if given.get("workfield") == "werkveldoverstijgend":
        if row["workfields_source"] != "cross-cutting":
            return False
    elif "workfield" in given and not row["workfields"] >> WORKFIELDS.index(given["workfield"]) & 1:
        return False
    plain = (("hub", "slug"), ("kind", "kind"), ("status", "status"), ("visibility", "visibility"))
    return all(row[column] == given[name] for name, column in plain if name in given)


@pytest.mark.parametrize("who", ACTORS)
async def test_every_filter_finds_what_a_plain_one_finds_newest_first(reader, signals, who):
    rows, themes, touching, forwarded = signals
    for given in FILTERS:
        expected = [
            str(row["id"])
            for row in rows
            if sees(ACTORS[who], row, forwarded) and matches(row, given, themes, touching)
        ]
        assert await page_ids(reader, given, ACTORS[who]) == expected, given


@pytest.mark.parametrize("few", [0, 25, 4_000], ids=["the order walked", "some of each", "all collected"])
@pytest.mark.parametrize(("sort", "column"), [("heardOn", "heard_on"), ("updatedAt", "updated_at")])
async def test_another_order_shows_each_signal_once_in_that_order(reader, signals, sort, column, few, monkeypatch):
    """However many rows a filter may lead to before the whole order is walked in its place."""
    monkeypatch.setattr(walking, "MOST_COLLECTED", few)
    rows, themes, touching, forwarded = signals
    actor = ACTORS["own hub"]
    for given in IN_OTHER_ORDERS:
        found = [r for r in rows if sees(actor, r, forwarded) and matches(r, given, themes, touching)]
        for name, down in ((sort, False), (f"-{sort}", True)):
            ordered = [str(r["id"]) for r in sorted(found, key=lambda r: (r[column], r["id"]), reverse=down)]
            assert await page_ids(reader, given, actor, name, 70) == ordered, given


async def test_small_pages_and_large_ones_show_the_same(reader):
    given = {"region": "GG2014", "theme": "toegang-en-kwaliteit"}
    whole = await page_ids(reader, given, ACTORS["own hub"])
    assert await page_ids(reader, given, ACTORS["own hub"], size=3) == whole


async def test_a_search_shows_no_signal_that_the_reader_may_not_see(reader, signals):
    rows, _, _, forwarded = signals
    by_id = {str(row["id"]): row for row in rows}
    for actor in ACTORS.values():
        found = await page_ids(reader, {"q": "wachten"}, actor, "-relevance")
        assert found
        assert len(found) == len(set(found))
        assert all(sees(actor, by_id[one], forwarded) for one in found if one in by_id)


async def test_search_vectors_of_generated_signals_are_those_that_postgresql_makes(volume, signals):
    owner = await asyncpg.connect(volume.owner)
    rows = [row for row in signals[0] if row["external_id"] is None]
    different = await owner.fetchval(
        """select count(*) from unnest($1::uuid[], $2::text[], $3::text[]) given(id, title, description)
        join signal s using (id)
        where s.search <> setweight(to_tsvector('dutch', given.title), 'A') || to_tsvector('dutch', given.description)""",
        [row["id"] for row in rows],
        [fold(row["title"]) for row in rows],
        [fold(row["description"]) for row in rows],
    )
    await owner.close()
    assert len(rows) == COUNT
    assert different == 0


async def test_clearing_removes_the_demonstration_and_nothing_else(fresh):
    there = await asyncio.to_thread(fresh, "volumecleared")
    owner = await asyncpg.connect(there.owner)
    await owner.execute("select set_config('app.role', 'system', false)")
    await demonstration_volume.generate(owner, 300, lambda done, of: None)
    kept = await owner.fetchval(
        "update signal set demonstration = false where id = (select s.id from signal s join hub h on h.id = s.hub_id "
        "where not h.demonstration limit 1) returning id"
    )
    told = []
    gone = await demonstration_volume.clear(owner, lambda done, of: told.append((done, of)))
    assert gone >= 299
    assert told == [(gone, gone)]
    for table, column in (("signal", "id"), ("signal_theme", "signal_id"), ("signal_history", "signal_id")):
        assert {row[0] for row in await owner.fetch(f"select {column} from {table}")} == {kept}
    await owner.close()
