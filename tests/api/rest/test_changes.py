"""The change log over both doors: who hears what, cursors and their refusals, retention, epochs, digests."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import uuid
from datetime import UTC, datetime, timedelta

import asyncpg
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.access import Actor
from app.domain.changes import TYPES
from app.domain.errors import Gone, Invalid
from app.infra import change_cursors as cursors
from app.infra.compacting import compact
from app.infra.epochs import bump_epoch
from app.infra.reader import Signer
from app.settings import Settings
from tests.signal_cases import add, answer, follow_up, letters, patch, step, verified


@pytest.fixture
def house(writing_house):
    return writing_house


@pytest.fixture
async def own(house):
    async with house.client("own-hub") as client:
        yield client


async def pages(client, cursor=None, **params):
    """Every change from here on, and the cursor at the end."""
    found = []
    while True:
        response = await client.get("/v1/changes", params=params | ({"cursor": cursor} if cursor else {}))
        assert response.status_code == 200, response.text
        page = response.json()
        found += page["items"]
        cursor = page["cursor"]
        if not page["more"]:
            return found, cursor
        params.pop("since", None)


async def end_of(client, **params):
    return (await pages(client, **params, limit=1000))[1]


def brief(items):
    return [(item["id"], item["op"], item["version"]) for item in items]


# What is told


async def test_a_hub_hears_every_change_of_its_own_in_the_newest_version_alone(own):
    cursor = await end_of(own)
    first = await add(own, externalId=letters())
    second = await verified(own)
    await patch(own, first["id"], {"peopleCount": 2})
    items, _ = await pages(own, cursor)
    assert brief(items) == [(second["id"], "upsert", 2), (first["id"], "upsert", 2)]
    assert items[1]["externalId"] == first["externalId"]
    assert items[1]["hub"] == {"slug": "groningen", "name": "Groningen"}
    assert set(items[1]) == {"type", "id", "externalId", "hub", "version", "op", "at"}


async def test_who_lost_sight_hears_hidden_and_a_deletion_is_told_with_the_hubs_own_id(own, house):
    name = letters()
    signal = await verified(own, externalId=name, visibility="public")
    cursors_ = {}
    for who in ("own-hub", "other-hub", "national", "outsider", "admin"):
        async with house.client(who) as client:
            cursors_[who] = await end_of(client)
    await patch(own, signal["id"], {"visibility": "network"})
    told = {}
    for who, cursor in cursors_.items():
        async with house.client(who) as client:
            items, cursors_[who] = await pages(client, cursor, expand="resource")
            told[who] = [(item["op"], item["version"], bool(item["resource"])) for item in items]
    seen, lost = [("upsert", 3, True)], [("hidden", 3, False)]
    assert told == {"own-hub": seen, "other-hub": seen, "national": seen, "outsider": lost, "admin": lost}
    await own.delete(f"/v1/signals/{signal['id']}", headers={"if-match": "*"})
    for who in ("own-hub", "other-hub", "outsider"):
        async with house.client(who) as client:
            items, _ = await pages(client, cursors_[who], expand="resource")
            expected = [("delete", 4, name)] if who != "outsider" else []
            assert [(item["op"], item["version"], item["externalId"]) for item in items] == expected


async def test_forwardings_answers_and_follow_ups_come_as_new_versions_of_their_signal(own, house):
    signal = await verified(own, workfields=["psychische-kwetsbaarheid"])
    cursor = await end_of(own)
    async with house.client("umbrella") as mind:
        await answer(mind, signal["id"], state="declined", response="Dit ligt bij de gemeente.")
    ((item,), cursor) = await pages(own, cursor, expand="resource")
    (forwarding,) = item["resource"]["forwardings"]
    assert (forwarding["state"], forwarding["response"]) == ("declined", "Dit ligt bij de gemeente.")
    await follow_up(own, signal["id"], summary="Wij gaan langs.")
    ((item,), _) = await pages(own, cursor, expand="resource")
    assert item["resource"]["followUps"][0]["summary"] == "Wij gaan langs."


async def test_a_resource_in_the_log_is_what_its_own_address_shows(own):
    cursor = await end_of(own)
    signal = await verified(own)
    ((item,), _) = await pages(own, cursor, expand="resource")
    assert item["resource"] == (await own.get(f"/v1/signals/{signal['id']}")).json()


async def test_hubs_and_reference_data_are_told_to_everybody(house):
    async with house.client("national") as national, house.client() as anyone:
        cursor = await end_of(anyone)
        slug = f"hub-{letters()}"
        new = {"slug": slug, "name": slug, "area": {"from": "2024-01-01", "plus": ["GM0637"]}}
        assert (await national.post("/v1/hubs", json=new)).status_code == 201
        (item,), _ = await pages(anyone, cursor, expand="resource")
        assert (item["type"], item["id"], item["op"], item["version"]) == ("hub", slug, "upsert", 1)
        assert item["resource"] == (await anyone.get(f"/v1/hubs/{slug}")).json()
        (data,), _ = await pages(anyone, types="reference-data", expand="resource")
        assert (data["type"], data["op"], data["resource"], data["hub"]) == ("reference-data", "upsert", None, None)


async def test_a_hub_that_comes_back_goes_on_where_it_ended(house):
    slug = f"hub-{letters()}"
    owner = await asyncpg.connect(house.addresses.owner)
    await owner.execute("select set_config('app.role', 'system', false)")
    new = """insert into hub (slug, name, sort_name, basis, area_code) values ($1, $1, $1, 'network', $1)"""
    async with house.client() as anyone:
        cursor = await end_of(anyone)
        told = []
        for act in (new, "delete from hub where slug = $1", new):
            await owner.execute(act, slug)
            items, cursor = await pages(anyone, cursor)
            told += [(item["id"], item["op"], item["version"]) for item in items]
        await owner.execute("delete from hub where slug = $1", slug)
    await owner.close()
    assert told == [(slug, "upsert", 1), (slug, "delete", 2), (slug, "upsert", 3)]


async def test_types_and_the_size_of_a_page_can_be_chosen(house, own):
    await verified(own)
    async with house.client() as anyone:
        everything, _ = await pages(anyone)
        assert {item["type"] for item in everything} - {"bundle"} == {"signal", "question", "hub", "reference-data"}
        hubs, _ = await pages(anyone, types="hub", limit=4)
        assert brief(hubs) == brief([item for item in everything if item["type"] == "hub"])
        both, _ = await pages(anyone, types="hub, signal", limit=7)
        assert brief(both) == brief([item for item in everything if item["type"] in ("hub", "signal")])


async def test_since_begins_at_a_time(own):
    before = datetime.now(UTC)
    signal = await add(own)
    items, _ = await pages(own, since=before.isoformat())
    assert brief(items) == [(signal["id"], "upsert", 1)]
    long_ago, _ = await pages(own, since="2020-01-01T00:00:00Z", limit=1000)
    assert brief(long_ago) == brief((await pages(own, limit=1000))[0])
    assert (await pages(own, since=(datetime.now(UTC) + timedelta(seconds=1)).isoformat()))[0] == []


async def test_what_only_others_change_brings_nothing_and_moves_the_cursor_all_the_same(own, house):
    async with house.client("other-hub") as other:
        cursor = await end_of(other)
        await add(own)
        items, after = await pages(other, cursor)
    assert items == []
    assert after != cursor, "what was looked at is not looked at again"


async def test_both_doors_tell_the_same(own):
    for _ in range(3):
        await verified(own)
    found, cursor, seen = [], None, (await pages(own, types="signal"))[0]
    while True:
        query = """query ($cursor: String) { changes(first: 200, cursor: $cursor, types: ["signal"]) { more cursor items {
          type id externalId hub { slug name } version op at } } }"""
        answer_ = await own.post("/graphql", json={"query": query, "variables": {"cursor": cursor}})
        page = answer_.json()["data"]["changes"]
        found += page["items"]
        cursor = page["cursor"]
        if not page["more"]:
            break
    assert found == seen
    rest = await own.get("/v1/changes", params={"cursor": cursor, "types": "signal"})
    assert rest.status_code == 200, "a cursor of one door opens the other"


async def test_a_page_of_graphql_has_its_items_once_and_their_cursors(own):
    twice = "{ changes { a: items { id } b: items { op } } }"
    errors = (await own.post("/graphql", json={"query": twice})).json()["errors"]
    assert errors[0]["extensions"]["errors"][0]["code"] == "repeated-field"
    query = "{ changes(first: 5) { __typename n: items { __typename cursor id signal { themes { code } } } more } }"
    page = (await own.post("/graphql", json={"query": query})).json()["data"]["changes"]
    assert (page["__typename"], page["n"][0]["__typename"], page["more"]) == ("ChangePage", "Change", True)
    rest = await own.get("/v1/changes", params={"cursor": page["n"][1]["cursor"], "limit": 3})
    assert [item["id"] for item in rest.json()["items"]] == [item["id"] for item in page["n"][2:]]


# What is refused


@pytest.mark.parametrize(
    ("params", "location", "code"),
    [
        ({"types": "signal,nonsense"}, "types", "unknown-code"),
        ({"types": ""}, "types", "unknown-code"),
        ({"limit": "1001"}, "limit", "out-of-range"),
        ({"limit": "0"}, "limit", "out-of-range"),
        ({"wait": "31"}, "wait", "out-of-range"),
        ({"wait": "soon"}, "wait", "invalid-number"),
        ({"since": "2999-01-01T00:00:00Z"}, "since", "date-in-future"),
        ({"since": "2026-01-01T00:00:00"}, "since", "invalid-value"),
        ({"since": "2026-01-01T00:00:00Z", "cursor": "a.b"}, "since", "not-applicable"),
        ({"expand": "hub"}, "expand", "unknown-code"),
        ({"fields": "id"}, "fields", "unknown-parameter"),
        ({"cursor": "nonsense"}, "cursor", "invalid-cursor"),
    ],
    ids=str,
)
async def test_what_cannot_be_asked_is_refused_clearly(api, params, location, code):
    response = await api.get("/v1/changes", params=params)
    assert response.status_code == 400
    assert (location, code) in {(fault["location"], fault["code"]) for fault in response.json()["errors"]}


async def test_a_cursor_is_of_one_reader_one_question_and_one_instance(house, own, running):
    cursor = await end_of(own)
    for who in ("other-hub", "umbrella", "national", "admin", "outsider"):
        async with house.client(who) as client:
            refused = await client.get("/v1/changes", params={"cursor": cursor})
            assert (refused.status_code, refused.json()["code"]) == (400, "cursor-of-another-reader")
    refused = await own.get("/v1/changes", params={"cursor": cursor, "types": "hub"})
    assert refused.json()["code"] == "cursor-of-another-question"
    other = Settings(database_url=house.addresses.service, rate_limit_per_minute=0, cursor_secret="of another")
    async with running(house.addresses, other) as elsewhere, elsewhere.client("own-hub") as client:
        refused = await client.get("/v1/changes", params={"cursor": cursor})
        assert (refused.status_code, refused.json()["code"]) == (400, "cursor-of-another-instance")
        query = f'{{ changes(cursor: "{cursor}") {{ more }} }}'
        error = (await client.post("/graphql", json={"query": query})).json()["errors"][0]
        assert error["extensions"]["code"] == "cursor-of-another-instance"


async def signer_of(house):
    owner = await asyncpg.connect(house.addresses.owner)
    secret = await owner.fetchval("select secret from instance_secret where name = 'cursor'")
    await owner.close()
    return Signer(secret, 30)


def made(signer, actor, place, epoch=1, base=0, types=tuple(TYPES)):
    """A cursor as the database makes it."""
    payload = orjson.dumps([cursors.instance(signer), cursors.who(actor), ",".join(types), epoch, base, *place])
    inner = hashlib.sha256(signer.secret + cursors.BIND.encode() + payload).digest()
    signature = hashlib.sha256(signer.secret + inner).hexdigest()[:32]
    return base64.urlsafe_b64encode(payload).rstrip(b"=").decode() + "." + signature


async def test_a_cursor_from_the_future_is_refused(house, own):
    signer, actor = await signer_of(house), Actor("hub", "groningen")
    for place, epoch in (((1, 2**50, 0), 1), ((1, 1, 0), 999)):
        refused = await own.get("/v1/changes", params={"cursor": made(signer, actor, place, epoch)})
        assert (refused.status_code, refused.json()["code"]) == (400, "cursor-from-the-future")


SIGNER = Signer(b"a secret of the tests", 30)
ACTORS = st.sampled_from([Actor(), Actor("hub", "limburg"), Actor("umbrella", None, "mind"), Actor("national")])
PLACES = st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 2**62), st.integers(0, 2**62))
QUIET = settings(max_examples=150, derandomize=True, deadline=None, database=None)


@given(actor=ACTORS, place=PLACES, epoch=st.integers(1, 1000), base=st.integers(0, 2**62))
@QUIET
def test_a_cursor_says_what_was_put_into_it(actor, place, epoch, base):
    text = made(SIGNER, actor, place, epoch, base)
    assert cursors.read(SIGNER, text, actor, tuple(TYPES)) == cursors.Cursor(place, epoch, base)


@given(actor=ACTORS, place=PLACES, index=st.integers(0, 10_000), other=st.characters(codec="ascii"))
@QUIET
def test_no_character_of_a_cursor_can_be_another(actor, place, index, other):
    text = made(SIGNER, actor, place)
    index %= len(text)
    changed = text[:index] + other + text[index + 1 :]
    if changed != text:
        with pytest.raises(Invalid):
            cursors.read(SIGNER, changed, actor, tuple(TYPES))


@given(text=st.text(max_size=300))
@QUIET
def test_whatever_is_no_cursor_is_refused_as_one(text):
    with pytest.raises(Invalid):
        cursors.read(SIGNER, text, Actor(), tuple(TYPES))


@given(
    place=PLACES,
    epoch=st.integers(1, 5),
    base=st.integers(0, 50),
    removed=st.integers(0, 100),
    present=st.integers(1, 5),
)
@QUIET
def test_a_reader_goes_on_only_where_nothing_can_have_been_missed(place, epoch, base, removed, present):
    cursor = cursors.Cursor((min(place[0], epoch), place[1] % 100, place[2]), epoch, base)
    end = cursors.LogEnd(present, 90, 100, (present, removed, 0))
    missed = epoch < present or (epoch == present and (present, removed, 0) > max((epoch, base, 0), cursor.place))
    try:
        cursors.check(cursor, end)
        outcome = "goes on"
    except Gone:
        outcome = "gone"
    except Invalid:
        outcome = "future"
    assert outcome == ("future" if epoch > present else "gone" if missed else "goes on")


@given(data=st.data())
@settings(max_examples=15, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
async def test_pages_of_any_size_come_to_the_same_changes(api, data):
    whole, _ = await pages(api, limit=1000)
    parts, cursor = [], None
    while True:
        params = {"limit": data.draw(st.integers(1, 60))} | ({"cursor": cursor} if cursor else {})
        page = (await api.get("/v1/changes", params=params)).json()
        assert len(page["items"]) <= params["limit"]
        parts += page["items"]
        cursor = page["cursor"]
        if not page["more"]:
            break
    assert parts == whole


# Retention, compaction, epochs


@pytest.fixture
async def alone(fresh, running):
    """A service on a database of its own, with an owner's connection: what others would notice."""
    place = await asyncio.to_thread(fresh, f"changes_{letters()[:8]}")
    async with running(place) as house:
        owner = await asyncpg.connect(place.owner)
        await owner.execute("select set_config('app.role', 'system', false)")
        yield house, owner
        await owner.close()


WHO = ("own-hub", "other-hub", "umbrella", "national", "outsider")


async def copies(house):
    """What each reader holds who begins now: id → version."""
    found = {}
    for who in WHO:
        async with house.client(who) as client:
            items, _ = await pages(client, limit=1000)
            found[who] = {item["id"]: item["version"] for item in items if item["op"] == "upsert"}
            assert len(found[who]) == len([item for item in items if item["op"] == "upsert"])
    return found


async def test_compaction_takes_what_is_replaced_and_nobody_notices(alone):
    house, owner = alone
    async with house.client("own-hub") as own:
        early = {}
        for who in WHO:
            async with house.client(who) as client:
                early[who] = await end_of(client)
        for number in range(12):
            signal = await verified(own, visibility=("public", "network")[number % 2], workfields=["inclusie"])
            await patch(own, signal["id"], {"visibility": ("network", "hub", "public")[number % 3]})
            await patch(own, signal["id"], {"peopleCount": 3})
            await patch(own, signal["id"], {"title": f"Anders {letters()}"})
            await step(own, signal["id"], "verified")
            if number % 4 == 0:
                await own.delete(f"/v1/signals/{signal['id']}", headers={"if-match": "*"})
        before, tails = await copies(house), {}
        for who in WHO:
            async with house.client(who) as client:
                tails[who] = brief((await pages(client, early[who]))[0])
        size = await owner.fetchval("select count(*) from change")
        done = await compact(owner, 365)
        assert done.superseded > 40
        assert done.outlived == 0
        assert await owner.fetchval("select count(*) from change") == size - done.superseded
        assert await copies(house) == before
        for who in WHO:
            async with house.client(who) as client:
                assert brief((await pages(client, early[who]))[0]) == tails[who], "the last word to each stays"
        assert (await compact(owner, 365)).superseded == 0


async def test_a_cursor_older_than_the_deletions_that_were_left_out_is_gone_and_says_how_to_go_on(alone):
    house, owner = alone
    async with house.client("own-hub") as own:
        signal = await verified(own)
        old = await end_of(own)
        await own.delete(f"/v1/signals/{signal['id']}", headers={"if-match": "*"})
        first = (await own.get("/v1/changes", params={"limit": 1})).json()["cursor"]
        late = await end_of(own)
        before = await copies(house)
        await owner.execute(
            "update change set at = at - interval '400 days' where resource_id = $1", uuid.UUID(signal["id"])
        )
        assert (await compact(owner, 365)).superseded > 0
        assert (await compact(owner, 365)).outlived == 1
        assert await owner.fetchval("select count(*) from change where resource_id = $1", uuid.UUID(signal["id"])) == 0
        refused = await own.get("/v1/changes", params={"cursor": old})
        assert (refused.status_code, refused.json()["code"]) == (410, "gone")
        assert "without cursor" in refused.json()["resync"]
        query = f'{{ changes(cursor: "{old}") {{ more }} }}'
        error = (await own.post("/graphql", json={"query": query})).json()["errors"][0]["extensions"]
        assert (error["code"], error["resync"]) == ("gone", refused.json()["resync"])
        assert (await own.get("/v1/changes", params={"cursor": late})).status_code == 200
        assert (await own.get("/v1/changes", params={"cursor": first})).status_code == 200, (
            "it began after the deletion"
        )
        stale = await own.get("/v1/changes", params={"since": "2020-01-01T00:00:00Z"})
        assert stale.status_code == 410
        stream = await own.get("/v1/changes/stream", headers={"last-event-id": old})
        assert (stream.status_code, stream.json()["code"]) == (410, "gone")
        assert await copies(house) == before


async def test_compaction_stops_at_who_still_has_to_read_the_log(alone):
    house, owner = alone
    await owner.execute("insert into log_mark values ('counts', 1, 0, 0)")
    async with house.client("own-hub") as own:
        signal = await verified(own)
        await patch(own, signal["id"], {"peopleCount": 2})
    assert (await compact(owner, 1)).superseded == 0
    await owner.execute("delete from log_mark where name = 'counts'")
    assert (await compact(owner, 1)).superseded > 0


async def test_one_compacts_at_a_time(alone):
    house, owner = alone
    other = await asyncpg.connect(house.addresses.owner)
    await other.execute("select pg_advisory_lock(4120002)")
    assert await compact(owner, 365) is None
    await other.close()


async def test_a_restore_is_noticed_by_every_reader_who_read_before_it(alone):
    house, owner = alone
    async with house.client("own-hub") as own:
        await verified(own)
        cursor = await end_of(own)
        middle = (await own.get("/v1/changes", params={"limit": 2})).json()["cursor"]
        before = await copies(house)
        await bump_epoch(owner)
        for old in (cursor, middle):
            refused = await own.get("/v1/changes", params={"cursor": old})
            assert (refused.status_code, refused.json()["code"]) == (410, "new-epoch")
            assert "without cursor" in refused.json()["resync"]
        assert await copies(house) == before, "who begins anew gets what was logged in the epochs before as well"
        cursor = await end_of(own)
        signal = await add(own)
        assert brief((await pages(own, cursor))[0]) == [(signal["id"], "upsert", 1)]


async def test_a_purge_reaches_every_reader_and_takes_the_hubs_own_id_along(alone):
    from app.infra.purging import purge_signal

    house, owner = alone
    name = letters()
    async with house.client("own-hub") as own, house.client() as anyone:
        signal = await verified(own, visibility="public", externalId=name)
        cursor = await end_of(anyone)
        await patch(own, signal["id"], {"visibility": "hub"})
        await own.delete(f"/v1/signals/{signal['id']}", headers={"if-match": "*"})
        await purge_signal(owner, uuid.UUID(signal["id"]))
        items, _ = await pages(anyone, cursor)
        assert [(item["id"], item["op"], item["externalId"]) for item in items] == [(signal["id"], "delete", None)]
    assert await owner.fetchval("select count(*) from change c where c::text like $1", f"%{name}%") == 0


# Digests


def digest_of(held):
    """As docs/sync.md says: over (type, id, version, hub, createdAt) of what a client holds."""
    groups = {}
    for type_, id_, version, hub, created in held:
        number = int.from_bytes(hashlib.sha256(f"{type_}:{id_}:{version}".encode()).digest()[:8], "big")
        count, before = groups.get((type_, hub, created[:7]), (0, 0))
        groups[type_, hub, created[:7]] = (count + 1, before ^ number)
    return {group: (count, f"{number:016x}") for group, (count, number) in groups.items()}


@pytest.mark.parametrize("who", WHO)
async def test_a_client_computes_the_same_digests_from_what_it_pulled(house, own, who):
    await verified(own, visibility="public")
    await add(own)
    async with house.client(who) as client:
        items, _ = await pages(client, types="signal,question,hub", limit=1000, expand="resource")
        held = [
            (item["type"], item["id"], item["version"], item["hub"]["slug"], item["resource"]["createdAt"])
            for item in items
            if item["op"] == "upsert"
        ]
        found = (await client.get("/v1/changes/digest")).json()["items"]
        query = "{ changeDigests { type hub { slug name } month count digest } }"
        graphql = (await client.post("/graphql", json={"query": query})).json()["data"]["changeDigests"]
    assert {(g["type"], g["hub"]["slug"], g["month"]): (g["count"], g["digest"]) for g in found} == digest_of(held)
    assert graphql == found


async def test_a_digest_shows_the_group_that_differs(own):
    before = {g["month"]: g for g in (await own.get("/v1/changes/digest?type=signal&hub=groningen")).json()["items"]}
    signal = await add(own)
    after = {g["month"]: g for g in (await own.get("/v1/changes/digest?type=signal&hub=groningen")).json()["items"]}
    month = signal["createdAt"][:7]
    assert {key for key in after if after[key] != before.get(key)} == {month}
    refused = await own.get("/v1/changes/digest?hub=nowhere")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "unknown-code")


def test_the_example_of_the_documentation_is_right(request):
    text = (request.config.rootpath / "docs" / "sync.md").read_text(encoding="utf-8")
    example = json.loads(text.partition("```json worked\n")[2].partition("```")[0])
    held = [("signal", item["id"], item["version"], "groningen", item["createdAt"]) for item in example["held"]]
    assert digest_of(held) == {
        ("signal", "groningen", group["month"]): (group["count"], group["digest"]) for group in example["digests"]
    }
