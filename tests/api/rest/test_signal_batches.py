"""Up to a thousand signals at a time: a result for each in order, all or nothing, and batches that meet."""

from __future__ import annotations

import asyncio
import gzip
import uuid
import zlib
from datetime import date, timedelta
from urllib.parse import quote

import asyncpg
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.signal_cases import NOBODY, a_signal, follow_up, letters, step
from tests.signal_cases import answer as respond

BATCH = "/v1/hubs/groningen/signals/_batch"
LINES = {"content-type": "application/x-ndjson"}


@pytest.fixture
def house(writing_house):
    return writing_house


@pytest.fixture
async def own(as_):
    async with as_("own-hub") as client:
        yield client


@pytest.fixture
async def other(as_):
    async with as_("other-hub") as client:
        yield client


@pytest.fixture
async def owner(house):
    connection = await asyncpg.connect(house.addresses.owner)
    yield connection
    await connection.close()


def item(external_id=None, **changes):
    return a_signal(**changes) | {"externalId": external_id or letters()}


def gone(external_id, **more):
    return {"externalId": external_id, "delete": True} | more


async def send(client, items, mode="partial", **headers):
    return await client.post(BATCH, json={"mode": mode, "items": items}, headers=headers)


async def push(client, items, mode="partial"):
    """The results of a batch that is carried out."""
    response = await send(client, items, mode)
    assert response.status_code == 200, response.text
    return response.json()["results"]


def outcomes(results):
    return [result["result"] for result in results]


def faults(result):
    return {(fault["location"], fault["code"]) for fault in result["errors"]}


async def read(client, external_id):
    response = await client.get(f"/v1/hubs/groningen/signals/{quote(external_id, safe='')}")
    return response.json() if response.status_code == 200 else None


# Results


async def test_each_item_has_its_result_in_order(own):
    kept, changed, deleted, new = (item() for _ in range(4))
    before = await push(own, [kept, changed, deleted])
    assert outcomes(before) == ["created"] * 3
    wrong = item(region="XX9999")
    batch = [gone(deleted["externalId"]), changed | {"peopleCount": 4}, wrong, kept, new, gone(letters())]
    results = await push(own, batch)
    assert outcomes(results) == ["deleted", "updated", "refused", "unchanged", "created", "unchanged"]
    assert [result["externalId"] for result in results] == [sent["externalId"] for sent in batch]
    assert [result["version"] for result in results] == [2, 2, None, 1, 1, None]
    ids = {result["externalId"]: result["id"] for result in before}
    assert [result["id"] for result in results[:2]] == [ids[deleted["externalId"]], ids[changed["externalId"]]]
    assert (results[2]["id"], results[5]["id"], faults(results[2])) == (None, None, {("region", "unknown-code")})
    assert (await read(own, new["externalId"]))["id"] == results[4]["id"]
    assert await read(own, deleted["externalId"]) is None
    assert await read(own, wrong["externalId"]) is None


async def test_the_same_batch_again_leaves_no_trace(own, owner):
    batch = [item(status=status) for status in ("draft", "submitted", "verified", "withdrawn")]
    first = await push(own, batch)
    ids = [uuid.UUID(result["id"]) for result in first]
    counted = "select (select count(*) from change where resource_id = any($1)), (select count(*) from signal_history where signal_id = any($1))"
    await owner.execute("select set_config('app.role', 'system', false)")
    before = await owner.fetchrow(counted, ids)
    again = await push(own, batch)
    assert outcomes(again) == ["unchanged"] * 4
    assert [(r["id"], r["version"]) for r in again] == [(r["id"], r["version"]) for r in first]
    assert await owner.fetchrow(counted, ids) == before == (4, 4)


async def test_a_whole_batch_is_carried_out_with_its_history_and_forwardings(own, other, as_):
    batch = [item(themes=["stigma"], status="verified", title=f"Wachten {n}") for n in "abcdefghij"]
    results = await push(own, batch, "atomic")
    async with as_("umbrella") as mind:
        for result in results:
            found = (await mind.get(f"/v1/signals/{result['id']}")).json()
            assert [f["umbrella"]["code"] for f in found["forwardings"]] == ["mind"]
            assert (await other.get(f"/v1/signals/{result['id']}")).status_code == 200
            lines = (await own.get(f"/v1/signals/{result['id']}/history")).json()["items"]
            assert [(line["action"], line["version"], line["hub"]) for line in lines] == [("created", 1, "groningen")]


@pytest.mark.parametrize(
    "name",
    [
        "01a20113-9a8a-701d-9bb2-6137af12c0de",
        "LB-01a20183-12d8-720e-823b-061234567812",
        "9711AB-12",
        "20260412",
        "LB-4711-A",
        "2026-0612345678",
    ],
)
async def test_keys_of_machines_are_no_personal_data(own, name):
    assert outcomes(await push(own, [item(name)]))[0] in ("created", "updated")
    assert outcomes(await push(own, [gone(name)])) == ["deleted"]


async def test_an_empty_batch_has_no_results(own):
    assert await push(own, []) == []


# Versions


async def test_a_version_that_is_not_there_any_more_is_refused_with_both_contents(own):
    kept, new = item(), item()
    await push(own, [kept])
    await push(own, [kept | {"peopleCount": 2}])
    results = await push(
        own,
        [
            kept | {"peopleCount": 3, "version": 1},
            new | {"version": 4},
            item() | {"version": 0},
            gone(letters(), version=3),
        ],
    )
    assert outcomes(results) == ["refused", "refused", "created", "unchanged"]
    assert faults(results[0]) == faults(results[1]) == {("version", "stale-version")}
    assert results[0]["version"] == 2
    conflict = results[0]["conflict"]
    assert (conflict["current"]["peopleCount"], conflict["given"]["peopleCount"]) == (2, 3)
    assert conflict["given"] == {name: value for name, value in kept.items() if name != "externalId"} | {
        "peopleCount": 3, "workfields": [], "scale": None, "groups": [], "channel": None, "visibility": "network", "status": "draft",
    }  # fmt: skip
    assert results[1]["conflict"]["current"] is None
    results = await push(own, [kept | {"peopleCount": 3, "version": 2}])
    assert outcomes(results) == ["updated"]
    # Sent again after a break: it has happened already.
    assert outcomes(await push(own, [kept | {"peopleCount": 3, "version": 2}])) == ["unchanged"]
    assert outcomes(await push(own, [kept | {"version": 0}])) == ["refused"]
    stale = await push(own, [gone(kept["externalId"], version=2)])
    assert (outcomes(stale), stale[0]["conflict"]["given"]) == (["refused"], None)
    assert outcomes(await push(own, [gone(kept["externalId"], version=3)])) == ["deleted"]


async def test_a_status_that_cannot_be_reached_names_what_can(own):
    draft, verified = item(), item(status="verified")
    await push(own, [draft, verified])
    results = await push(own, [draft | {"status": "closed"}, verified | {"status": "draft"}])
    assert [faults(result) for result in results] == [
        {("status", "follow-up-needed")},
        {("status", "transition-not-allowed")},
    ]
    assert results[1]["conflict"]["allowed"] == ["verified", "closed", "withdrawn"]


# Faults


def many_faults():
    """What may stand in a batch between two items that are fine, and how it is told."""
    return [
        (5, None, {("", "wrong-type")}),
        (None, None, {("", "wrong-type")}),
        ([], None, {("", "wrong-type")}),
        ({}, None, {(n, "required") for n in ("externalId", "kind", "title", "themes", "region")}),
        ({"externalId": "een", "delete": "ja"}, "een", {("delete", "unknown-code")}),
        ({"externalId": "een", "delete": True, "title": "x"}, "een", {("title", "unknown-field")}),
        (item("een", id=NOBODY, title=4), "een", {("id", "unknown-field"), ("title", "wrong-type")}),
        (item("een", version=-1), "een", {("version", "out-of-range")}),
        (item("een", version="1"), "een", {("version", "invalid-number")}),
        (item("een", heardOn=20260305), "een", {("heardOn", "invalid-date")}),
        (item("een", heardOn="2999-01-01"), "een", {("heardOn", "date-in-future")}),
        (item("een", themes=["niets"], region="GG2014\x00"), "een", {("", "control-character")}),
        (item("een", title="a\x01b", region="é", themes=[]), "een", {("title", "control-character"), ("region", "unknown-code"), ("themes", "required")}),
        (item("een", title="Bel 06-12345678"), "een", {("title", "personal-data")}),
        (item("x" * 201), None, {("externalId", "too-long")}),
        (item("a\nb"), None, {("externalId", "control-character")}),
        (item("jan@example.nl"), None, {("externalId", "personal-data")}),
        (item() | {"externalId": 7}, None, {("externalId", "wrong-type")}),
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(len(many_faults())))
async def test_what_is_wrong_with_an_item_is_told_of_that_item_alone(own, number):
    wrong, named, expected = many_faults()[number]
    first, last = item(), item()
    response = await send(own, [first, wrong, last])
    results = response.json()["results"]
    assert outcomes(results) == ["created", "refused", "created"]
    assert (results[1]["externalId"], results[1]["id"], faults(results[1])) == (named, None, expected)
    assert not any(said in response.text for said in ("12345678", "jan@example", "XX9999"))
    first, last = item(), item()
    response = await send(own, [first, wrong, last], "atomic")
    problem = response.json()
    assert (response.status_code, problem["code"]) == (400, "batch-refused")
    assert outcomes(problem["results"]) == ["refused"] * 3
    assert [faults(problem["results"][place]) for place in (0, 2)] == [{("", "not-carried-out")}] * 2
    assert {(f["location"], f["code"]) for f in problem["errors"]} == {
        (f"items[1].{location}".rstrip("."), code) for location, code in expected
    }
    assert not any(said in response.text for said in ("12345678", "jan@example"))
    assert await read(own, first["externalId"]) is None
    assert await read(own, last["externalId"]) is None


@pytest.mark.parametrize("mode", ["partial", "atomic"])
async def test_one_id_twice_is_refused_both_times(own, mode):
    one, two = item(), item()
    batch = [one, two, one | {"peopleCount": 3}, gone(one["externalId"])]
    response = await send(own, batch, mode)
    results = response.json()["results"]
    assert outcomes(results) == (["refused", "created", "refused", "refused"] if mode == "partial" else ["refused"] * 4)
    assert [faults(results[place]) for place in (0, 2, 3)] == [{("externalId", "repeated-external-id")}] * 3
    assert await read(own, one["externalId"]) is None
    assert (await read(own, two["externalId"]) is None) == (mode == "atomic")


async def test_a_thousand_and_one_items_are_too_many_however_they_come(own):
    items = [{"externalId": f"x{n}"} for n in range(1001)]
    for response in (
        await send(own, items),
        await own.post(BATCH, content=b"\n".join(map(orjson.dumps, items)), headers=LINES),
    ):
        assert response.status_code == 400
        assert [(f["location"], f["code"]) for f in response.json()["errors"]] == [("items", "too-many")]


@pytest.mark.parametrize(
    ("body", "location", "code"),
    [
        (b"{", "", "invalid-json"), (b"[]", "", "wrong-type"), (b"{}", "items", "required"), (b'{"items": 5}', "items", "wrong-type"),
        (b'{"items": [], "mode": "half"}', "mode", "unknown-code"), (b'{"items": [], "more": 1}', "more", "unknown-field"),
        (b'{"items": [{"externalId": "\xff"}]}', "", "invalid-json"),
    ],
)  # fmt: skip
async def test_an_envelope_that_cannot_be_read_is_refused_whole(own, body, location, code):
    response = await own.post(BATCH, content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert [(f["location"], f["code"]) for f in response.json()["errors"]] == [(location, code)]


@pytest.mark.parametrize("who", ["other-hub", "umbrella", "national", "admin"])
async def test_others_push_nothing(as_, own, who):
    new = item()
    async with as_(who) as client:
        assert (await send(client, [new])).status_code == 403
        assert (await client.post("/v1/hubs/nergens/signals/_batch", json={"items": [new]})).status_code == 404
    assert await read(own, new["externalId"]) is None


async def test_without_a_token_a_batch_is_not_even_read(api):
    assert (await api.post(BATCH, content=b"x", headers={"content-encoding": "br"})).status_code == 401


# Lines and packed bodies


async def test_lines_are_items_and_a_broken_one_is_told_by_its_number(own):
    first, last = item(), item()
    body = b"\n".join([orjson.dumps(first), b"", b'{"externalId": "half', orjson.dumps(last), b"\xff\xfe", b""])
    response = await own.post(BATCH, content=body, headers=LINES)
    results = response.json()["results"]
    assert outcomes(results) == ["created", "refused", "created", "refused"]
    assert [faults(results[place]) for place in (1, 3)] == [{("", "invalid-json")}] * 2
    assert ["Line 3" in results[1]["errors"][0]["detail"], "Line 5" in results[3]["errors"][0]["detail"]] == [
        True,
        True,
    ]
    first, last = item(), item()
    body = b"\r\n".join([orjson.dumps(first), b"{", orjson.dumps(last)])
    response = await own.post(f"{BATCH}?mode=atomic", content=body, headers=LINES)
    assert (response.status_code, response.json()["code"]) == (400, "batch-refused")
    assert await read(own, first["externalId"]) is None


async def test_the_mode_is_said_in_one_place(own):
    assert (await own.post(f"{BATCH}?mode=atomic", json={"items": [], "mode": "partial"})).status_code == 400
    assert (await own.post(f"{BATCH}?mode=atomic", json={"items": [5]})).status_code == 400
    assert (await own.post(f"{BATCH}?mode=half", json={"items": []})).status_code == 400


async def packed(client, body, **headers):
    return await client.post(BATCH, content=body, headers=LINES | {"content-encoding": "gzip"} | headers)


async def test_a_packed_batch_is_the_batch(own):
    batch = [item() for _ in range(20)]
    lines = b"\n".join(map(orjson.dumps, batch))
    assert outcomes((await packed(own, gzip.compress(lines))).json()["results"]) == ["created"] * 20
    parts = gzip.compress(lines[:100]) + gzip.compress(lines[100:])
    assert outcomes((await packed(own, parts)).json()["results"]) == ["unchanged"] * 20


async def test_a_packed_body_that_is_broken_is_refused_and_nothing_is_done(own):
    new = item()
    whole = gzip.compress(orjson.dumps(new))
    for body in (whole[:-9], whole[:12], b"", b"no gzip", whole + b"and more", gzip.compress(b"") * 1001):
        response = await packed(own, body)
        assert response.status_code == 400, body[:20]
        assert [f["code"] for f in response.json()["errors"]] == ["invalid-gzip"]
    assert await read(own, new["externalId"]) is None


async def test_a_bomb_is_too_large_before_it_goes_off(own):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b" " * 1_000_000) for _ in range(400)) + packer.flush()
    assert len(bomb) < 500_000
    response = await packed(own, bomb)
    assert (response.status_code, response.json()["code"]) == (413, "too-large")
    assert "Unpacked" in response.json()["detail"]


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "deflate", "nonsense"])
async def test_another_encoding_is_told_which_one_there_is(own, encoding):
    response = await packed(own, b"x", **{"content-encoding": encoding})
    assert (response.status_code, response.json()["code"]) == (415, "unsupported-content-encoding")
    assert response.headers["accept-encoding"] == "gzip"


async def test_a_batch_may_be_larger_than_one_signal_but_not_without_end(own):
    batch = [item(description="Mensen wachten. " * 600) for _ in range(150)]
    assert outcomes(await push(own, batch)) == ["created"] * 150
    response = await own.post(BATCH, content=b" " * 16_000_001, headers=LINES)
    assert (response.status_code, response.json()["code"]) == (413, "too-large")
    response = await own.post("/v1/signals", content=b" " * 1_000_001, headers={"content-type": "application/json"})
    assert response.status_code == 413


@pytest.mark.parametrize("media", ["text/csv", "application/ndjson", "application/x-ndjson; charset=latin-1", ""])
async def test_another_media_type_is_told_which_there_are(own, media):
    response = await own.post(BATCH, content=b"x", headers={"content-type": media})
    assert response.status_code == 415
    assert response.headers["accept-post"] == "application/json, application/x-ndjson"


# Once


async def test_a_batch_with_a_key_is_carried_out_once(own):
    kept, key = item(), {"idempotency-key": f'"{uuid.uuid4()}"'}
    first = await send(own, [kept], **key)
    again = await send(own, [kept], **key)
    assert again.content == first.content
    assert outcomes(again.json()["results"]) == ["created"]
    other = await send(own, [kept, item()], **key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")


async def test_a_refused_batch_leaves_its_key_free(own):
    key = {"idempotency-key": f'"{uuid.uuid4()}"'}
    assert (await send(own, [item(region="no")], "atomic", **key)).status_code == 400
    assert (await send(own, [item()], "atomic", **key)).status_code == 200


# At once


async def test_the_same_batch_ten_times_at_once_makes_each_once(own, owner):
    batch = [item(status="verified") for _ in range(60)]
    answers = await asyncio.gather(*(send(own, batch) for _ in range(10)))
    assert [answer.status_code for answer in answers] == [200] * 10
    for place in zip(*(answer.json()["results"] for answer in answers), strict=True):
        assert sorted(outcomes(place)) == ["created"] + ["unchanged"] * 9
        assert len({result["id"] for result in place}) == 1
    names = [sent["externalId"] for sent in batch]
    assert await owner.fetchval("select count(*) from signal where external_id = any($1)", names) == 60


async def test_batches_in_opposite_order_wait_for_each_other_and_never_both(own):
    there, new = [item() for _ in range(40)], [item() for _ in range(40)]
    await push(own, there)

    def turned(number):
        order = [g | {"peopleCount": number} for pair in zip(there, new, strict=True) for g in pair]
        return order[::-1] if number % 2 else order

    answers = await asyncio.gather(*(send(own, turned(number), "atomic") for number in range(1, 11)))
    assert [answer.status_code for answer in answers] == [200] * 10
    for sent in there + new:
        assert (await read(own, sent["externalId"]))["version"] == 10 + (sent in there)


async def test_pushes_and_answers_of_umbrellas_at_once_all_count(own, as_):
    batch = [item(status="verified", themes=["stigma"]) for _ in range(10)]
    results = await push(own, batch)
    async with as_("umbrella") as mind:
        answers = await asyncio.gather(
            *(send(own, [sent | {"peopleCount": n} for sent in batch]) for n in (1, 2, 3)),
            *(respond(mind, result["id"], state="answered", response="Wij nemen dit mee.") for result in results),
        )
    assert {answer.status_code for answer in answers} == {200}
    for sent in batch:
        found = await read(own, sent["externalId"])
        assert (found["version"], found["forwardings"][0]["state"]) == (5, "answered")


# The same as one by one

NAMES = st.sampled_from("abcde")
WISHES = st.fixed_dictionaries(
    {},
    optional={
        "title": st.sampled_from(["Lang wachten", "Nog langer wachten", "", "Bel 06-12345678"]),
        "themes": st.sampled_from([["wachttijden"], ["stigma"], ["dementie", "stigma"], []]),
        "workfields": st.sampled_from([None, [], ["inclusie"], ["inclusie", "medische-zorg"], ["niets"]]),
        "visibility": st.sampled_from(["hub", "network", "public"]),
        "status": st.sampled_from(["draft", "submitted", "verified", "closed", "withdrawn"]),
        "region": st.sampled_from(["GG2014", "PV20", "XX"]),
        "peopleCount": st.sampled_from([None, 1, 0]),
        "version": st.sampled_from([0, 1, 2, 3]),
    },
)
PUSHES = st.lists(
    st.dictionaries(NAMES, st.one_of(st.none(), WISHES, WISHES, WISHES), min_size=1, max_size=5), min_size=1, max_size=4
)


async def one_by_one(client, wish, prefix):
    """The results of the items of a batch, sent by themselves."""
    results = []
    for name, content in wish.items():
        address = f"/v1/hubs/groningen/signals/{prefix}{name}"
        if content is None:
            response = await client.delete(address)
            results.append("deleted" if response.status_code == 204 else "unchanged")
            continue
        version = content.get("version")
        headers = {} if version is None else {"if-match": f'"{version}"'} if version else {"if-none-match": "*"}
        before = await client.get(address)
        body = {"title": "Wachten", "description": "", "heardOn": "2026-03-05", "kind": "knelpunt", "themes": ["wachttijden"], "region": "GG2014"} | {k: v for k, v in content.items() if k != "version"}  # fmt: skip
        response = await client.put(address, json=body, headers=headers)
        if response.status_code >= 400:
            problem = response.json()
            results.append(sorted(f["code"] for f in problem.get("errors", [problem])))
        elif response.status_code == 201:
            results.append("created")
        else:
            results.append("unchanged" if before.json()["version"] == response.json()["version"] else "updated")
    return results


async def as_batch(client, wish, prefix):
    base = {"title": "Wachten", "description": "", "heardOn": "2026-03-05", "kind": "knelpunt", "themes": ["wachttijden"], "region": "GG2014"}  # fmt: skip
    batch = [
        gone(prefix + name) if content is None else base | content | {"externalId": prefix + name}
        for name, content in wish.items()
    ]
    results = await push(client, batch)
    return [
        sorted(fault["code"] for fault in result["errors"]) if result["result"] == "refused" else result["result"]
        for result in results
    ]


async def state(client, prefix):
    """All that can be read of the signals, without what time and chance make of it."""
    found = {}
    for name in "abcde":
        signal = await read(client, prefix + name)
        if signal is None:
            continue
        lines = (await client.get(f"/v1/signals/{signal['id']}/history")).json()["items"]
        forwardings = sorted(
            (f["umbrella"]["code"], f["state"], f["respondBy"], f["reason"]) for f in signal["forwardings"]
        )
        chance = ("id", "createdAt", "updatedAt", "externalId", "forwardings", "verifiedAt", "followUps")
        found[name] = {key: value for key, value in signal.items() if key not in chance} | {
            "forwardings": forwardings, "verified": signal["verifiedAt"] is not None,
            "history": [(line["version"], line["action"], {k: v for k, v in line["changes"].items() if k != "externalId"}) for line in lines],
        }  # fmt: skip
    return found


@given(pushes=PUSHES)
@settings(max_examples=25, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
async def test_a_batch_ends_where_its_items_end_one_by_one(as_, pushes):
    async with as_("own-hub") as own:
        singly, together = f"{letters()}-", f"{letters()}-"
        for number, wish in enumerate(pushes):
            assert await as_batch(own, wish, together) == await one_by_one(own, wish, singly), number
            for prefix in (singly, together):  # something that single steps leave behind
                found = await read(own, prefix + "a")
                if found and number == 0 and found["status"] == "verified":
                    assert (await follow_up(own, found["id"])).status_code == 200
                if found and number == 1 and found["status"] == "submitted":
                    await step(own, found["id"], "verified", recipients=["mind"], reason="Zij weten ervan.")
        assert await state(own, together) == await state(own, singly)


async def test_a_day_that_is_left_out_is_today_for_every_item(own):
    batch = [item() for _ in range(3)]
    for sent in batch:
        del sent["heardOn"]
    await push(own, batch)
    for sent in batch:
        heard = date.fromisoformat((await read(own, sent["externalId"]))["heardOn"])
        assert abs(heard - date.today()) <= timedelta(days=1)
