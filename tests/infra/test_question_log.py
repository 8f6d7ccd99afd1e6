"""Questions in the change log: each reader hears what he may, once; who lost sight hears hidden, and none of its hubs does."""

from __future__ import annotations

import uuid

import asyncpg
import pytest

from app.domain.access import Actor
from app.domain.errors import NotFound
from app.infra.database import Database
from app.infra.purging import purge_question
from tests.question_cases import add, brought_to, patch, put, put_bare, step
from tests.signal_cases import letters

UPSERT, DELETE, HIDDEN = 1, 2, 3
READERS = {
    "own": Actor("hub", "groningen"), "joined": Actor("hub", "limburg"), "other": Actor("hub", "utrecht"),
    "mind": Actor("umbrella", None, "mind"), "iederin": Actor("umbrella", None, "iederin"), "national": Actor("national"),
    "admin": Actor("admin"), "anyone": Actor(),
}  # fmt: skip


@pytest.fixture
def house(writing_house):
    return writing_house


@pytest.fixture
async def own(as_):
    async with as_("own-hub") as client:
        yield client


@pytest.fixture
async def limburg(as_):
    async with as_("other-hub") as client:
        yield client


@pytest.fixture
async def read(house):
    """The entries of a question as each reader sees them: reader → [(version, op)], those without any left out."""
    database = Database(house.addresses.service, size=2)
    await database.open()

    async def entries(question, since=0):
        found = {}
        for name, actor in READERS.items():
            async with database.transaction(actor) as connection:
                rows = await connection.fetch(
                    """select version, op from change where resource_id = $1 and version > $2 and type = 5
                    order by epoch, xact_id, seq""",
                    uuid.UUID(question["id"]), since,
                )  # fmt: skip
                if rows:
                    found[name] = [tuple(row) for row in rows]
        return found

    yield entries
    await database.close()


async def together(own, limburg, **changes):
    """A question of two hubs, at version 3."""
    found = await add(own, workfields=["psychische-kwetsbaarheid"], **changes)
    await put_bare(own, found["id"], "hubs/limburg")
    assert (await put_bare(limburg, found["id"], "hubs/limburg")).json()["version"] == 3
    return found


async def test_a_draft_is_logged_for_its_hubs_and_those_they_asked(own, limburg, read):
    found = await add(own)
    assert await read(found) == {"own": [(1, UPSERT)]}
    await put_bare(own, found["id"], "hubs/limburg")
    assert await read(found, 1) == {"own": [(2, UPSERT)], "joined": [(2, UPSERT)]}
    await put_bare(limburg, found["id"], "hubs/limburg")
    await patch(limburg, found["id"], {"scope": "specific"})
    assert await read(found, 2) == {key: [(3, UPSERT), (4, UPSERT)] for key in ("own", "joined")}


async def test_a_hub_that_leaves_hears_that_it_is_hidden(own, limburg, read):
    found = await together(own, limburg)
    assert (await limburg.delete(f"/v1/questions/{found['id']}/hubs/limburg")).status_code == 204
    assert await read(found, 3) == {"own": [(4, UPSERT)], "joined": [(4, HIDDEN)]}


async def test_what_was_opened_is_logged_once_for_each_who_may_read_it(own, limburg, read):
    found = await together(own, limburg)
    await step(own, found["id"], "open")
    assert await read(found, 3) == {key: [(4, UPSERT)] for key in ("own", "joined", "other", "mind", "national")}


@pytest.mark.parametrize(
    ("before", "after", "lost", "kept"),
    [
        ("public", "network", ("iederin", "admin", "anyone"), ("own", "joined", "other", "mind", "national")),
        ("public", "hub", ("other", "mind", "iederin", "national", "admin", "anyone"), ("own", "joined")),
        ("network", "hub", ("other", "mind", "national"), ("own", "joined")),
    ],
)
async def test_who_lost_sight_hears_hidden_and_none_of_its_hubs_does(own, limburg, read, before, after, lost, kept):
    found = await together(own, limburg, visibility=before)
    await step(own, found["id"], "open")
    assert (await patch(own, found["id"], {"visibility": after})).status_code == 200
    assert await read(found, 4) == {**{key: [(5, HIDDEN)] for key in lost}, **{key: [(5, UPSERT)] for key in kept}}


async def test_a_deletion_is_a_tombstone_for_those_who_saw_it_with_the_id_of_the_hub(own, limburg, read, house):
    name = f"own-{uuid.uuid4().hex}"
    found = await together(own, limburg, externalId=name)
    await own.delete(f"/v1/questions/{found['id']}", headers={"if-match": "*"})
    assert await read(found, 3) == {"own": [(4, DELETE)], "joined": [(4, DELETE)]}
    connection = await asyncpg.connect(house.addresses.owner)
    keys = await connection.fetch(
        "select distinct resource_key from change where resource_id = $1 and op = 2", uuid.UUID(found["id"])
    )
    await connection.close()
    assert [row[0] for row in keys] == [name]


async def test_a_cancelled_question_stays_known_to_those_who_could_read_it(own, read, as_):
    found = await brought_to(own, "open", visibility="public")
    await step(own, found["id"], "cancelled")
    entries = await read(found, 2)
    assert entries["anyone"] == [(3, UPSERT)]
    async with as_("outsider") as anyone:
        assert (await anyone.get(f"/v1/questions/{found['id']}")).json()["status"] == "cancelled"


async def test_a_purge_takes_the_words_away_everywhere_and_tells_everybody_who_ever_saw_it(own, limburg, read, house):
    word = letters()
    found = await together(own, limburg, visibility="public", description=f"Woord {word}")
    await put(own, found["id"], "mix", {"groups": [], "imbalanceReason": f"Woord {word}"})
    await step(own, found["id"], "open", note=f"Woord {word}")
    await limburg.delete(f"/v1/questions/{found['id']}/hubs/limburg")
    await patch(own, found["id"], {"visibility": "hub"})
    owner = await asyncpg.connect(house.addresses.owner)
    await purge_question(owner, uuid.UUID(found["id"]))
    entries = await read(found)
    assert set(entries) == set(READERS)
    assert all(seen[-1][1] == DELETE for seen in entries.values())
    for table in ("question", "question_history", "change", "idempotency"):
        assert not await owner.fetchval(f"select exists (select from {table} t where strpos(t::text, $1) > 0)", word), (
            table
        )
    history = (await own.get(f"/v1/questions/{found['id']}/history")).json()["items"]
    assert history[-1]["action"] == "purged"
    with pytest.raises(NotFound):
        await purge_question(owner, uuid.uuid4())
    await owner.close()
