"""Questions by their hub's own ids, one at a time and by the thousand, over REST."""

from __future__ import annotations

import asyncio
import uuid
from urllib.parse import quote

import orjson
import pytest

from tests.question_cases import OUTCOME, a_question, add, brought_to, patch, put, put_bare
from tests.signal_cases import NOBODY, letters

BATCH = "/v1/hubs/groningen/questions/_batch"
LINES = {"content-type": "application/x-ndjson"}
LEVELS = {"intended": "meewerken", "agreed": "raadplegen", "explanation": "Er was te weinig tijd."}
MATRIX = {
    "cells": [
        {"phase": "verkenning", "role": "adviseur", "activity": "Gesprek", "groups": ["mantelzorgers"], "on": "2026-03-02", "realised": True},
        {"phase": "besluit", "role": "toehoorder", "heldByHub": True},
    ],
    "phases": [{"code": "verkenning", "label": "Verkenning"}, {"code": "besluit", "label": "Besluit"}],
}  # fmt: skip
MIX = {"groups": [{"group": "mantelzorgers", "wanted": 4, "recruited": 1}], "imbalanceReason": "Een gerichte vraag."}
WHOLE = {
    "origin": "life-world", "scope": "specific", "regions": ["GG2014", "PV20"], "workfields": ["medische-zorg", "inclusie"],
    "methods": ["focusgroep", "enquete"], "compensation": {"offered": True, "what": "Reiskosten."},
    "period": {"from": "2026-03-01", "to": "2026-09-30"}, "requestedOn": "2026-02-01", "visibility": "public",
    "levels": LEVELS, "matrix": MATRIX, "mix": MIX, "outcome": OUTCOME, "status": "concluded",
}  # fmt: skip


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


def at(name, hub="groningen"):
    return f"/v1/hubs/{hub}/questions/{quote(name, safe='')}"


async def send_one(client, name, content, hub="groningen", **headers):
    return await client.put(at(name, hub), json=content, headers=headers)


async def kept(client, name, content):
    """The question after a push that is carried out."""
    response = await send_one(client, name, content)
    assert response.status_code in (200, 201), response.text
    return response.json()


def item(external_id=None, **changes):
    return a_question(**changes) | {"externalId": external_id or letters()}


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


async def lines(client, id_):
    return (await client.get(f"/v1/questions/{id_}/history")).json()["items"]


async def entries(client, id_):
    """What the change log says of one question."""
    found, cursor = [], ""
    while True:
        page = (await client.get(f"/v1/changes?types=question&limit=1000{cursor}")).json()
        found += [entry for entry in page["items"] if entry["id"] == id_]
        if not page["more"]:
            return found
        cursor = f"&cursor={quote(page['cursor'])}"


# One


async def test_what_is_pushed_first_is_added_and_comes_back_as_it_is_read(own):
    name = f"VR/{letters()}"
    made = await send_one(own, name, a_question())
    read = await own.get(at(name))
    assert (made.status_code, made.content, made.headers["etag"]) == (201, read.content, read.headers["etag"])
    found = made.json()
    assert (found["externalId"], found["status"], found["version"]) == (name, "draft", 1)
    assert (found["hub"]["slug"], [hub["slug"] for hub in found["hubs"]]) == ("groningen", ["groningen"])
    assert found == (await own.get(f"/v1/questions/{found['id']}")).json()
    assert [line["action"] for line in await lines(own, found["id"])] == ["created"]


async def test_a_whole_question_comes_with_all_its_parts_at_once(own):
    name, content = letters(), a_question(**WHOLE)
    found = await kept(own, name, content)
    assert (found["status"], found["version"], found["visibility"]) == ("concluded", 1, "public")
    assert found["openedAt"] and found["concludedAt"] and found["recruitedOn"]
    assert (found["levels"]["agreed"]["code"], found["levels"]["agreed"]["setBy"]["slug"]) == (
        "raadplegen",
        "groningen",
    )
    assert [phase["code"] for phase in found["matrix"]["phases"]] == ["verkenning", "besluit"]
    assert [(cell["role"]["code"], cell["realised"], cell["heldByHub"]) for cell in found["matrix"]["cells"]] == [
        ("adviseur", True, False), ("toehoorder", False, True),
    ]  # fmt: skip
    assert [(group["group"]["code"], group["recruited"]) for group in found["mix"]["groups"]] == [("mantelzorgers", 1)]
    assert found["balance"]["state"] == "deliberate"
    assert found["outcome"]["decision"] == OUTCOME["decision"]
    assert found["compensation"] == WHOLE["compensation"]
    assert found["period"] == WHOLE["period"]


async def test_the_same_again_changes_nothing(own):
    name, content = letters(), a_question(**WHOLE)
    first = await send_one(own, name, content)
    found = first.json()
    before = await entries(own, found["id"])
    for again in (
        content,
        content | {"workfields": ["inclusie", "medische-zorg"]},
        content | {"status": None, "levels": None, "matrix": None, "mix": None, "outcome": None},
    ):
        second = await send_one(own, name, again)
        assert (second.status_code, second.content) == (200, first.content)
    results = await push(own, [content | {"externalId": name}])
    assert (outcomes(results), results[0]["version"]) == (["unchanged"], 1)
    assert await entries(own, found["id"]) == before
    assert len(before) == len(await lines(own, found["id"])) == 1


@pytest.mark.parametrize("workfields", [None, []])
@pytest.mark.parametrize("theme", ["zelfstandig-ouder-worden", "wachttijden", "stigma"])
async def test_workfields_that_nobody_names_stay_unnamed(own, workfields, theme):
    name, content = letters(), a_question(themes=[theme], workfields=workfields)
    assert [(await kept(own, name, content))["version"] for _ in range(2)] == [1, 1]


async def test_another_content_replaces_all_of_it_but_the_parts_that_it_leaves_out(own):
    name = letters()
    before = await kept(own, name, a_question(**WHOLE))
    after = await kept(own, name, a_question(title="Iets anders", visibility="public"))
    assert (after["id"], after["version"], after["status"]) == (before["id"], 2, "concluded")
    assert (after["title"], after["origin"], after["scope"], after["methods"]) == (
        "Iets anders",
        "system-world",
        "broad",
        [],
    )
    assert (after["compensation"], after["period"], after["requestedOn"]) == (None, None, None)
    assert after["workfieldsSource"] != "given"
    for part in ("levels", "matrix", "mix", "outcome", "recruitedOn", "concludedAt"):
        assert after[part] == before[part], part
    line = (await lines(own, after["id"]))[1]
    assert line["action"] == "changed"
    assert line["changes"]["title"] == [before["title"], "Iets anders"]
    assert not {"levels", "matrix", "mix", "outcome"} & set(line["changes"])


async def test_a_part_that_is_given_replaces_the_one_that_is_there(own):
    name, content = letters(), a_question()
    await kept(own, name, content | {"levels": LEVELS, "matrix": MATRIX, "mix": MIX})
    after = await kept(
        own, name, content | {"levels": {"intended": "raadplegen"}, "matrix": {"cells": []}, "mix": {"groups": []}}
    )
    assert after["version"] == 2
    assert (after["levels"]["intended"]["code"], after["levels"]["agreed"]) == ("raadplegen", None)
    assert (after["levels"]["explanation"], after["matrix"]["cells"], after["mix"]["groups"]) == (None, [], [])


async def test_a_level_on_another_ladder_is_the_same_again(own):
    name, content = letters(), a_question(levels={"ladder": "arnstein", "intended": "partnership"})
    rungs = (await own.get("/v1/participation-ladders")).json()["items"]
    rung = next(ladder for ladder in rungs if ladder["code"] == "arnstein")["rungs"][0]["code"]
    content["levels"]["intended"] = rung
    first, again = await kept(own, name, content), await kept(own, name, content)
    assert first == again
    assert first["levels"]["intended"]["rung"]["code"] == rung
    moved = await kept(own, name, content | {"levels": {"intended": first["levels"]["intended"]["code"]}})
    assert (moved["version"], moved["levels"]["ladder"]["code"], moved["levels"]["intended"]["rung"]) == (
        2,
        "landelijk",
        None,
    )


async def test_a_question_that_was_posted_with_the_id_is_the_same_question(own):
    name = letters()
    made = await add(own, externalId=name)
    assert (await own.get(at(name))).json()["id"] == made["id"]
    found = await kept(own, name, a_question(title="Andere woorden"))
    assert (found["id"], found["version"]) == (made["id"], 2)


async def test_each_hub_has_ids_of_its_own_also_in_a_question_of_both(own, other):
    name = letters()
    led = await kept(own, name, a_question())
    for client in (own, other):
        assert (await put_bare(client, led["id"], "hubs/limburg")).status_code == 200
    assert (await other.get(at(name, "limburg"))).status_code == 404
    assert (await other.get(at(name))).json()["id"] == led["id"]
    mine = (await send_one(other, name, a_question(), "limburg")).json()
    assert mine["id"] != led["id"]
    for hub, expected in (("groningen", led["id"]), ("limburg", mine["id"])):
        assert (await other.get(at(name, hub))).json()["id"] == expected
    # Who takes part stays as it was.
    after = await kept(own, name, a_question(title="Samen verder"))
    assert [hub["slug"] for hub in after["hubs"]] == ["groningen", "limburg"]


async def test_what_may_not_be_seen_is_not_there_by_its_id_either(own, other, api):
    name = letters()
    await kept(own, name, a_question(status="open", visibility="hub"))
    assert (await other.get(at(name))).status_code == 404
    await kept(own, name, a_question(status="open", visibility="network"))
    assert (await other.get(at(name))).status_code == 200
    assert (await api.get(at(name))).status_code == 404


@pytest.mark.parametrize("by", ["own id", "id"])
async def test_a_question_that_is_withdrawn_from_the_public_is_gone_for_who_has_its_tag(own, api, by):
    name = letters()
    found = await kept(own, name, a_question(status="open", visibility="public"))
    address = at(name) if by == "own id" else f"/v1/questions/{found['id']}"
    tag = {"if-none-match": (await api.get(address)).headers["etag"]}
    assert [(await api.get(address, headers=tag)).status_code for _ in range(2)] == [304, 304]
    await kept(own, name, a_question(visibility="hub"))
    assert (await api.get(address, headers=tag)).status_code == 404


async def test_a_question_is_deleted_by_its_id_with_a_tombstone_and_its_history(own):
    name = letters()
    found = await kept(own, name, a_question())
    assert (await own.delete(at(name))).status_code == 204
    assert [r.status_code for r in (await own.get(at(name)), await own.delete(at(name)))] == [404, 404]
    assert [line["action"] for line in await lines(own, found["id"])] == ["created", "deleted"]
    last = (await entries(own, found["id"]))[-1]
    assert (last["op"], last["externalId"], last["version"]) == ("delete", name, 2)
    again = await kept(own, name, a_question())
    assert again["id"] != found["id"]


@pytest.mark.parametrize(
    ("hub", "status", "code"), [("limburg", 403, "forbidden"), ("nergens", 404, "not-found")], ids=["another", "none"]
)
async def test_under_another_hub_nothing_is_pushed(own, hub, status, code):
    name = letters()
    for response in (
        await send_one(own, name, a_question(), hub),
        await own.delete(at(name, hub)),
        await own.post(f"/v1/hubs/{hub}/questions/_batch", json={"items": [item()]}),
    ):
        assert (response.status_code, response.json()["code"]) == (status, code)


async def test_who_is_no_hub_pushes_nothing(as_, api):
    async with as_("umbrella") as umbrella:
        assert (await send_one(umbrella, "a", a_question())).status_code == 403
    assert (await send_one(api, "a", a_question())).status_code == 401


async def test_headers_say_what_a_push_goes_by(own):
    name, content = letters(), a_question()
    assert (await send_one(own, name, content, **{"if-match": '"1"'})).status_code == 412
    made = await send_one(own, name, content, **{"if-none-match": "*"})
    assert made.status_code == 201
    assert (await send_one(own, name, content | {"title": "Nieuw"}, **{"if-none-match": "*"})).status_code == 412
    second = await send_one(own, name, content | {"title": "Nieuw"}, **{"if-match": made.headers["etag"]})
    assert (second.status_code, second.json()["version"]) == (200, 2)
    stale = await send_one(own, name, content | {"mix": MIX, "levels": LEVELS}, **{"if-match": made.headers["etag"]})
    told = stale.json()
    assert (stale.status_code, told["code"], told["currentVersion"]) == (412, "stale-version", 2)
    assert (told["current"]["title"], told["given"]["title"]) == ("Nieuw", content["title"])
    assert told["given"]["mix"]["groups"][0]["wanted"] == 4
    assert (told["current"]["levels"]["agreed"], told["given"]["levels"]["agreed"]) == (None, "raadplegen")


# Life


async def test_with_a_status_the_steps_that_lead_there_are_one_version(own):
    name, content = letters(), a_question(levels=LEVELS)
    assert (await kept(own, name, content | {"status": "open"}))["version"] == 1
    ended = content | {"status": "followed-up", "outcome": OUTCOME, "levels": {**LEVELS, "achieved": "meedenken"}}
    levels = [level["code"] for level in (await own.get("/v1/participation-levels")).json()["items"]]
    ended["levels"]["achieved"] = levels[0]
    found = await kept(own, name, ended)
    assert (found["status"], found["version"], found["levels"]["achieved"]["code"]) == ("followed-up", 2, levels[0])
    assert found["concludedAt"]
    assert [line["action"] for line in await lines(own, found["id"])] == ["created", "followed-up"]
    assert (await kept(own, name, ended))["version"] == 2
    assert (await kept(own, name, content | {"levels": None}))["status"] == "followed-up"


@pytest.mark.parametrize(
    ("before", "changes", "code", "location"),
    [
        ({}, {"status": "concluded"}, "outcome-needed", "outcome"),
        ({}, {"status": "followed-up", "outcome": OUTCOME}, "achieved-needed", "levels.achieved"),
        ({}, {"outcome": OUTCOME}, "outcome-too-early", "outcome"),
        ({}, {"levels": {"achieved": "raadplegen"}}, "achieved-too-early", "levels.achieved"),
        ({"status": "recruiting"}, {"status": "open"}, "transition-not-allowed", "status"),
        ({"status": "cancelled"}, {"title": "Toch nog"}, "question-ended", ""),
        ({"status": "concluded", "outcome": OUTCOME, "levels": LEVELS}, {"levels": {"intended": "raadplegen"}}, "promise-fixed", "levels"),
    ],
    ids=["no-outcome", "nothing-achieved", "early-outcome", "early-level", "back", "ended", "promise"],
)  # fmt: skip
async def test_what_its_life_does_not_allow_is_a_conflict(own, before, changes, code, location):
    name, content = letters(), a_question()
    first = await kept(own, name, content | before)
    wished = content | changes
    response = await send_one(own, name, wished)
    assert (response.status_code, response.json()["code"]) == (409, code)
    (result,) = await push(own, [wished | {"externalId": name}])
    assert (result["result"], faults(result), result["version"]) == ("refused", {(location, code)}, 1)
    assert (await own.get(at(name))).json() == first


async def test_a_status_that_cannot_be_reached_names_what_can(own):
    name = letters()
    await kept(own, name, a_question(status="in-progress"))
    (result,) = await push(own, [item(name, status="recruiting")])
    assert result["conflict"]["allowed"] == ["in-progress", "concluded", "followed-up", "cancelled"]


async def test_what_was_done_here_stays_when_the_same_is_pushed_again(own):
    """A system of a hub that knows titles and themes alone does not wipe what its people did here."""
    name = letters()
    found = await brought_to(own, "concluded", externalId=name)
    assert (await put(own, found["id"], "mix", MIX)).status_code == 200
    content = {n: found[n] for n in ("title", "description", "visibility")} | {
        "themes": ["zelfstandig-ouder-worden"], "regions": ["GG2014"],
    }  # fmt: skip
    after = await kept(own, name, content)
    assert after == (await own.get(f"/v1/questions/{found['id']}")).json()
    assert (after["version"], after["outcome"]["decision"]) == (found["version"] + 1, OUTCOME["decision"])
    assert (await patch(own, found["id"], {"title": "Hier veranderd"})).status_code == 200
    assert (await kept(own, name, content))["version"] == found["version"] + 3


# Many


async def test_each_item_has_its_result_in_order(own):
    same, changed, deleted, new = (item() for _ in range(4))
    before = await push(own, [same, changed, deleted])
    assert outcomes(before) == ["created"] * 3
    wrong = item(regions=["XX9999"])
    batch = [
        {"externalId": deleted["externalId"], "delete": True}, changed | {"mix": MIX}, wrong, same, new,
        {"externalId": letters(), "delete": True},
    ]  # fmt: skip
    results = await push(own, batch)
    assert outcomes(results) == ["deleted", "updated", "refused", "unchanged", "created", "unchanged"]
    assert [result["externalId"] for result in results] == [sent["externalId"] for sent in batch]
    assert [result["version"] for result in results] == [2, 2, None, 1, 1, None]
    assert faults(results[2]) == {("regions[0]", "unknown-code")}
    assert (await own.get(at(new["externalId"]))).json()["id"] == results[4]["id"]
    assert (await own.get(at(deleted["externalId"]))).status_code == 404
    assert (await own.get(f"/v1/questions/{before[1]['id']}")).json()["mix"]["groups"][0]["wanted"] == 4


async def test_a_batch_may_come_as_lines(own):
    first, second = item(), item()
    body = b"\n".join([orjson.dumps(first), b"{", b"", orjson.dumps(second)])
    response = await own.post(BATCH, content=body, headers=LINES)
    assert outcomes(response.json()["results"]) == ["created", "refused", "created"]
    refused = await own.post(BATCH + "?mode=atomic", content=body, headers=LINES)
    assert (refused.status_code, refused.json()["code"]) == (400, "batch-refused")
    assert outcomes((await own.post(BATCH, content=body, headers=LINES)).json()["results"])[::2] == ["unchanged"] * 2


async def test_all_or_nothing_is_nothing_when_one_is_refused(own):
    fine, wrong = item(), item(title="", matrix={"cells": [{"phase": "nooit", "role": "adviseur"}]})
    response = await send(own, [fine, wrong], "atomic")
    told = response.json()
    assert (response.status_code, told["code"]) == (400, "batch-refused")
    assert outcomes(told["results"]) == ["refused", "refused"]
    assert faults(told["results"][0]) == {("", "not-carried-out")}
    assert {error["location"] for error in told["errors"]} == {"items[1].title", "items[1].matrix.cells[0].phase"}
    assert (await own.get(at(fine["externalId"]))).status_code == 404
    assert outcomes(await push(own, [fine, item()], "atomic")) == ["created", "created"]


async def test_a_version_that_is_not_there_any_more_is_refused_with_both_contents(own):
    same = item()
    await push(own, [same])
    await push(own, [same | {"title": "Twee"}])
    old, none, new, retried = await push(
        own,
        [
            same | {"title": "Drie", "version": 1},
            item(version=4),
            item(version=0),
            {"externalId": letters(), "delete": True},
        ],
    )
    assert outcomes([old, none, new, retried]) == ["refused", "refused", "created", "unchanged"]
    assert faults(old) == faults(none) == {("version", "stale-version")}
    assert (old["version"], old["conflict"]["current"]["title"], old["conflict"]["given"]["title"]) == (
        2,
        "Twee",
        "Drie",
    )
    assert none["conflict"]["current"] is None
    assert outcomes(await push(own, [same | {"title": "Drie", "version": 2}])) == ["updated"]
    assert outcomes(await push(own, [same | {"title": "Drie", "version": 2}])) == ["unchanged"]  # a retry


async def test_two_items_of_one_id_are_both_refused(own):
    name = letters()
    results = await push(own, [item(name), item(), item(name)])
    assert outcomes(results) == ["refused", "created", "refused"]
    assert faults(results[0]) == faults(results[2]) == {("externalId", "repeated-external-id")}
    assert (await own.get(at(name))).status_code == 404


async def test_more_than_a_thousand_items_are_too_many(own):
    names = [letters() for _ in range(1001)]
    bare = a_question()
    response = await send(own, [bare | {"externalId": name} for name in names])
    assert response.status_code == 400
    assert [(error["location"], error["code"]) for error in response.json()["errors"]] == [("items", "too-many")]
    assert (await own.get(at(names[0]))).status_code == 404


def many_faults():
    """What may stand in a batch between two items that are fine, and how it is told."""
    return [
        (5, {("", "wrong-type")}),
        ({}, {(n, "required") for n in ("externalId", "title", "themes", "regions")}),
        (item("een", id=NOBODY, title=4), {("id", "unknown-field"), ("title", "wrong-type")}),
        (item("een", hubs=["limburg"]), {("hubs", "unknown-field")}),
        (item("een", version=-1), {("version", "out-of-range")}),
        (item("een", status="klaar", visibility="geheim"), {("status", "unknown-code"), ("visibility", "unknown-code")}),
        (item("een", levels={"intended": 3}, mix=[], period={"from": "gisteren"}), {("levels.intended", "wrong-type"), ("mix", "wrong-type"), ("period.from", "invalid-date")}),
        (item("een", regions=["GG2014\x00"]), {("", "control-character")}),
        (item("een", title=" ", themes=[], regions=[]), {("title", "required"), ("themes", "required"), ("regions", "required")}),
        (item("een", stakeholder=NOBODY), {("stakeholder", "unknown-id")}),
        (item("een", period={"from": "2026-05-01", "to": "2026-04-01"}), {("period.to", "wrong-order")}),
        (item("een", title="Bel 06-12345678", description="jan@example.nl"), {("title", "personal-data"), ("description", "personal-data")}),
        (item("een", levels={"ladder": "nergens", "intended": "x"}), {("levels.ladder", "unknown-code")}),
        (item("een", levels={"intended": "nooit", "achieved": "niets"}), {("levels.intended", "unknown-code"), ("levels.achieved", "unknown-code")}),
        (item("een", levels={"agreed": "raadplegen"}, themes=["niets"]), {("levels.agreed", "intended-needed"), ("themes[0]", "unknown-code")}),
        (item("een", mix={"groups": [{"group": "niemand", "wanted": -1, "organisations": [NOBODY]}], "imbalanceReason": "Mail jan@example.nl"}), {("mix.groups[0].group", "unknown-code"), ("mix.groups[0].wanted", "out-of-range"), ("mix.groups[0].organisations[0]", "unknown-id"), ("mix.imbalanceReason", "personal-data")}),
        (item("een", matrix={"cells": [{"phase": "voorbereiding", "role": "baas", "activity": "Bel 06-12345678"}]}), {("matrix.cells[0].role", "unknown-code"), ("matrix.cells[0].activity", "personal-data")}),
        (item("een", status="in-progress", outcome=OUTCOME | {"decision": "", "decidedOn": "2999-01-01"}), {("outcome.decision", "required"), ("outcome.decidedOn", "date-in-future")}),
        (item("jan@example.nl"), {("externalId", "personal-data")}),
        (item("a\nb"), {("externalId", "control-character")}),
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(len(many_faults())))
async def test_what_is_wrong_with_an_item_is_told_of_that_item_alone(own, number):
    wrong, expected = many_faults()[number]
    response = await send(own, [item(), wrong, item()])
    results = response.json()["results"]
    assert outcomes(results) == ["created", "refused", "created"]
    assert faults(results[1]) == expected
    assert not any(said in response.text for said in ("12345678", "jan@example"))


async def test_a_batch_with_a_key_is_carried_out_once(own):
    items, key = [item()], {"idempotency-key": str(uuid.uuid4())}
    first, again = [await send(own, items, **key) for _ in range(2)]
    assert first.content == again.content
    assert outcomes(first.json()["results"]) == ["created"]


async def test_batches_that_meet_make_each_question_once(own):
    names = [letters() for _ in range(8)]
    batches = [[item(name) for name in order] for order in (names, names[::-1], names[3:] + names[:3])]
    answers = await asyncio.gather(*(push(own, batch) for batch in batches))
    assert sum(outcome == "created" for results in answers for outcome in outcomes(results)) == len(names)
    ids = {(result["externalId"], result["id"]) for results in answers for result in results}
    assert len(ids) == len(names)


async def test_a_thousand_questions_are_pushed_at_once(own):
    batch = [item(levels={"intended": "meewerken"}, mix=MIX, status="open") for _ in range(1000)]
    assert set(outcomes(await push(own, batch, "atomic"))) == {"created"}
    assert set(outcomes(await push(own, batch, "atomic"))) == {"unchanged"}
    gone = [{"externalId": sent["externalId"], "delete": True} for sent in batch]
    assert set(outcomes(await push(own, gone, "atomic"))) == {"deleted"}
