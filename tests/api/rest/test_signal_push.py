"""Signals by their hub's own id, one at a time: what a PUT adds, replaces, leaves alone and refuses."""

from __future__ import annotations

import asyncio
import gzip
import uuid
from datetime import date, timedelta
from urllib.parse import quote

import pytest

from tests.signal_cases import PATCH, PLAIN, a_signal, add, answer, codes, follow_up, letters, patch, step


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
async def mind(as_):
    async with as_("umbrella") as client:
        yield client


def at(external_id, hub="groningen"):
    return f"/v1/hubs/{hub}/signals/{quote(external_id, safe='')}"


async def put(client, external_id, headers=None, hub="groningen", **changes):
    return await client.put(at(external_id, hub), json=a_signal(**changes), headers=headers or {})


async def history(client, found):
    return (await client.get(f"/v1/signals/{found['id']}/history")).json()["items"]


# Adding and replacing


async def test_what_is_pushed_first_is_added_and_comes_back_as_it_is_read(own):
    name = f"GR-{letters()}"
    made = await put(own, name)
    read = await own.get(at(name))
    assert made.status_code == 201
    assert (made.content, made.headers["etag"]) == (read.content, read.headers["etag"])
    found = made.json()
    assert (found["externalId"], found["status"], found["version"]) == (name, "draft", 1)
    assert found == (await own.get(f"/v1/signals/{found['id']}")).json()
    assert [line["action"] for line in await history(own, found)] == ["created"]


async def test_the_same_again_changes_nothing(own):
    name, content = letters(), a_signal(workfields=["medische-zorg", "inclusie"], groups=["jongeren"])
    first = await own.put(at(name), json=content)
    for again in (content, content | {"workfields": ["inclusie", "medische-zorg"]}, content | {"status": "draft"}):
        second = await own.put(at(name), json=again)
        assert (second.status_code, second.content) == (200, first.content)
        assert second.headers["etag"] == first.headers["etag"]
    assert len(await history(own, first.json())) == 1


async def test_another_content_replaces_all_of_it(own):
    name = letters()
    before = (await put(own, name, scale="wijk", peopleCount=3, groups=["jongeren"], visibility="public")).json()
    response = await own.put(at(name), json=a_signal(title="Nog steeds wachten", description="Anders."))
    after = response.json()
    assert (response.status_code, after["id"], after["version"]) == (200, before["id"], 2)
    assert (after["title"], after["scale"], after["peopleCount"], after["groups"]) == (
        "Nog steeds wachten",
        None,
        None,
        [],
    )
    assert after["visibility"] == "network"
    changes = (await history(own, after))[1]["changes"]
    assert changes["peopleCount"] == [3, None]
    assert set(changes) == {"title", "description", "scale", "peopleCount", "groups", "visibility"}


async def test_without_a_day_a_signal_keeps_its_own(own):
    name, content = letters(), a_signal()
    await own.put(at(name), json=content)
    del content["heardOn"]
    again = await own.put(at(name), json=content)
    assert (again.json()["heardOn"], again.json()["version"]) == ("2026-03-05", 1)
    new = await own.put(at(letters()), json=content)
    assert abs(date.fromisoformat(new.json()["heardOn"]) - date.today()) <= timedelta(days=1)


async def test_a_signal_that_was_posted_with_the_id_is_the_same_signal(own):
    name = letters()
    made = await add(own, externalId=name)
    found = (await put(own, name, title="Andere woorden")).json()
    assert (found["id"], found["version"]) == (made["id"], 2)


async def test_each_hub_has_ids_of_its_own(own, other):
    name = letters()
    ids = {(await put(own, name)).json()["id"], (await put(other, name, hub="limburg")).json()["id"]}
    assert len(ids) == 2


@pytest.mark.parametrize(
    "name",
    ["a/b", "a/../b", "/lead", "trail/", "é-ü-漢字-😀", "a b", "50%", "a?b#c", "_batch", "GR:2026;1", "x" * 200, "999990019"],
)  # fmt: skip
async def test_an_id_may_hold_anything_that_can_be_printed(own, name):
    name = f"{letters()}{name}"[-200:] if len(name) > 100 else f"{letters()}{name}"
    made = await put(own, name)
    assert (made.status_code, made.json()["externalId"]) == (201, name)
    assert (await own.get(at(name))).json()["id"] == made.json()["id"]
    assert (await own.delete(at(name))).status_code == 204
    assert (await own.get(at(name))).status_code == 404


@pytest.mark.parametrize(
    ("name", "status"),
    [("", 404), ("trail/", 404), ("%00", 400), ("a%0Ab", 400), ("%1F", 400), ("x" * 201, 400), ("a%E2%80%AEb", 400), ("%20", 400),
     ("jan.jansen%40example.nl", 400)],
)  # fmt: skip
async def test_an_id_that_cannot_be_one_is_refused(own, name, status):
    for method in ("PUT", "DELETE"):
        response = await own.request(
            method, f"/v1/hubs/groningen/signals/{name}", json=a_signal() if method == "PUT" else None
        )
        assert response.status_code == status, method
        assert response.headers["content-type"] == "application/problem+json"
        assert "jan.jansen" not in response.text


# Life


@pytest.mark.parametrize(
    ("status", "visibility", "umbrellas"),
    [
        ("draft", "network", 0), ("submitted", "network", 0), ("verified", "network", 3), ("verified", "hub", 0),
        ("withdrawn", "public", 0),
    ],
)  # fmt: skip
async def test_a_status_is_reached_by_the_steps_that_lead_there(own, status, visibility, umbrellas):
    found = (await put(own, letters(), status=status, visibility=visibility)).json()
    assert (found["status"], found["version"]) == (status, 1)
    assert len(found["forwardings"]) == umbrellas
    assert (found["verifiedAt"] is not None) == (status == "verified")
    assert [line["action"] for line in await history(own, found)] == ["created"]


async def test_verification_by_push_is_what_verification_is(own, mind, other):
    name = letters()
    draft = (await put(own, name, title="Wachten op hulp", themes=["stigma"])).json()
    assert (await mind.get(f"/v1/signals/{draft['id']}")).status_code == 404
    pushed = (await put(own, name, title="Wachten op hulp", themes=["stigma"], status="verified")).json()
    stepped = await add(own, title="Wachten op hulp", themes=["stigma"], status="submitted")
    stepped = (await step(own, stepped["id"], "verified")).json()
    kept = ("status", "forwardings", "workfields", "workfieldsSource")
    shown = [[{**f, "forwardedAt": None} for f in found["forwardings"]] for found in (pushed, stepped)]
    assert shown[0] == shown[1]
    assert [pushed[name] for name in kept if name != "forwardings"] == [stepped[n] for n in kept if n != "forwardings"]
    assert (await mind.get(f"/v1/signals/{draft['id']}")).status_code == 200
    assert (await other.get(f"/v1/signals/{draft['id']}")).status_code == 200
    line = (await history(own, pushed))[-1]
    assert (line["action"], line["version"], line["changes"]) == (
        "verified",
        2,
        {"status": ["draft", "verified"], "recipients": [None, ["mind"]]},
    )


async def test_new_words_of_a_verified_signal_ask_for_verification_anew(own, other):
    name = letters()
    found = (await put(own, name, status="verified")).json()
    silent = (await put(own, name)).json()
    assert silent["status"] == "submitted"
    assert (await other.get(f"/v1/signals/{found['id']}")).status_code == 404
    again = (await put(own, name, status="verified")).json()
    assert (again["status"], again["version"]) == ("verified", 3)
    assert (await other.get(f"/v1/signals/{found['id']}")).status_code == 200
    words = a_signal(status="verified")
    both = (await own.put(at(name), json=words)).json()
    assert (both["status"], both["version"], both["title"]) == ("verified", 4, words["title"])
    assert both["verifiedAt"] > again["verifiedAt"]


async def test_other_changes_leave_a_verified_signal_verified_and_what_is_new_to_others_is_forwarded(own):
    name, words = letters(), a_signal(themes=["stigma"], status="verified")
    await own.put(at(name), json=words)
    del words["status"]
    found = (await own.put(at(name), json=words | {"themes": ["stigma", "dementie"]})).json()
    assert found["status"] == "verified"
    assert {f["umbrella"]["code"] for f in found["forwardings"]} == {"mind", "patientenfederatie"}
    found = (await own.put(at(name), json=words | {"themes": ["dementie"]})).json()
    assert {f["umbrella"]["code"] for f in found["forwardings"]} == {"patientenfederatie"}


async def test_what_was_answered_stays_when_it_concerns_others(own, mind):
    name, words = letters(), a_signal(themes=["stigma"], status="verified")
    found = (await own.put(at(name), json=words)).json()
    assert (await answer(mind, found["id"], state="answered", response="Wij nemen dit mee.")).status_code == 200
    after = (await own.put(at(name), json=words | {"themes": ["dementie"]})).json()
    assert {f["umbrella"]["code"]: f["state"] for f in after["forwardings"]} == {
        "mind": "answered",
        "patientenfederatie": "forwarded",
    }
    assert (await mind.get(f"/v1/signals/{found['id']}")).status_code == 200


async def test_umbrellas_that_the_hub_chose_itself_stay(own):
    name, words = letters(), a_signal(themes=["stigma"], status="submitted")
    found = (await own.put(at(name), json=words)).json()
    await step(own, found["id"], "verified", recipients=["iederin"], reason="Zij kennen de zaak.")
    after = (await own.put(at(name), json=words | {"title": "Nieuwe woorden", "status": "verified"})).json()
    assert [(f["umbrella"]["code"], f["reason"]) for f in after["forwardings"]] == [("iederin", "Zij kennen de zaak.")]
    assert after["status"] == "verified"


async def test_closing_needs_that_something_was_done(own):
    name, words = letters(), a_signal(status="verified")
    found = (await own.put(at(name), json=words)).json()
    refused = await own.put(at(name), json=words | {"status": "closed"})
    assert (refused.status_code, refused.json()["code"]) == (409, "follow-up-needed")
    await follow_up(own, found["id"])
    assert (await own.put(at(name), json=words | {"status": "closed"})).json()["status"] == "closed"
    same = await own.put(at(name), json=words | {"status": "closed"})
    assert (same.status_code, same.json()["version"]) == (200, 3)


@pytest.mark.parametrize("ended", ["closed", "withdrawn"])
async def test_what_ended_does_not_change(own, ended):
    name, words = letters(), a_signal(status="verified")
    found = (await own.put(at(name), json=words)).json()
    await follow_up(own, found["id"])
    await step(own, found["id"], ended)
    del words["status"]
    assert (await own.put(at(name), json=words)).status_code == 200
    refused = await own.put(at(name), json=words | {"title": "Toch anders"})
    assert (refused.status_code, refused.json()["code"]) == (409, "signal-ended")
    back = await own.put(at(name), json=words | {"status": "submitted"})
    assert (back.status_code, back.json()["code"], back.json()["allowed"]) == (409, "transition-not-allowed", [ended])


@pytest.mark.parametrize(
    ("present", "wished", "allowed"),
    [
        ("submitted", "draft", ["submitted", "verified", "closed", "withdrawn"]),
        ("verified", "submitted", ["verified", "closed", "withdrawn"]),
        ("verified", "draft", ["verified", "closed", "withdrawn"]),
    ],
)
async def test_a_status_that_cannot_be_reached_is_a_conflict_that_names_what_can(own, present, wished, allowed):
    name, words = letters(), a_signal(status=present)
    await own.put(at(name), json=words)
    response = await own.put(at(name), json=words | {"status": wished})
    assert (response.status_code, response.json()["allowed"]) == (409, allowed)
    assert (await own.get(at(name))).json()["version"] == 1


# Versions


async def test_a_version_is_asked_for_only_when_one_is_given(own):
    name, words = letters(), a_signal()
    made = await own.put(at(name), json=words, headers={"if-none-match": "*"} | PLAIN)
    assert made.status_code == 201
    tag = made.headers["etag"]
    second = await own.put(at(name), json=words | {"peopleCount": 2}, headers={"if-match": tag})
    assert second.status_code == 200
    stale = await own.put(at(name), json=words | {"peopleCount": 5}, headers={"if-match": tag})
    problem = stale.json()
    assert (stale.status_code, problem["code"], problem["currentVersion"]) == (412, "stale-version", 2)
    assert problem["currentETag"] == stale.headers["etag"] == (await own.get(at(name), headers=PLAIN)).headers["etag"]
    assert (problem["current"]["peopleCount"], problem["given"]["peopleCount"]) == (2, 5)
    # It has happened already: sent again after a break.
    again = await own.put(at(name), json=words | {"peopleCount": 2}, headers={"if-match": tag})
    assert (again.status_code, again.json()["version"]) == (200, 2)
    there = await own.put(at(name), json=words, headers={"if-none-match": "*"})
    assert (there.status_code, there.json()["currentVersion"]) == (412, 2)


@pytest.mark.parametrize("tag", ["*", '"1"'])
async def test_what_is_not_there_has_no_version(own, tag):
    response = await put(own, letters(), headers={"if-match": tag})
    assert (response.status_code, response.json()["code"]) == (412, "stale-version")
    assert "etag" not in response.headers


@pytest.mark.parametrize(
    "headers", [{"if-none-match": '"1-abc"'}, {"if-none-match": "*", "if-match": "*"}, {"if-match": "x"}]
)
async def test_a_condition_that_makes_no_sense_is_refused(own, headers):
    response = await put(own, letters(), headers=headers)
    assert (response.status_code, {code for _, code in codes(response)}) == (400, {"invalid-etag"})


async def test_what_is_deleted_by_its_id_is_gone_and_its_history_stays(own):
    name = letters()
    found = (await put(own, name)).json()
    assert (await own.delete(at(name), headers={"if-match": '"7"'})).status_code == 412
    assert (await own.delete(at(name), headers={"if-match": '"1"'})).status_code == 204
    assert (await own.get(at(name))).status_code == 404
    assert (await own.delete(at(name))).status_code == 404
    assert [(line["version"], line["action"]) for line in await history(own, found)] == [(1, "created"), (2, "deleted")]
    assert (await put(own, name)).json()["id"] != found["id"]


# Who


@pytest.mark.parametrize("who", ["other-hub", "umbrella", "national", "admin"])
async def test_others_push_nothing_and_read_what_they_may(as_, own, who):
    public, draft = letters(), letters()
    await put(own, public, status="verified", visibility="public")
    await put(own, draft)
    async with as_(who) as client:
        for name in (public, draft, letters()):
            assert (await put(client, name)).status_code == 403
            assert (await client.delete(at(name))).status_code == 403
        assert (await client.get(at(public))).status_code == 200
        assert (await client.get(at(draft))).status_code == 404
        assert (await put(client, draft, hub="nergens")).status_code == 404
        assert (await client.delete(at(draft, "nergens"))).status_code == 404
        assert (await client.get(at(public, "nergens"))).status_code == 404
    assert (await own.get(at(draft))).json()["version"] == 1


async def test_without_a_token_nothing_is_pushed(api, own):
    name = letters()
    await put(own, name, status="verified", visibility="public")
    assert (await put(api, name)).status_code == 401
    assert (await api.delete(at(name))).status_code == 401
    seen = await api.get(at(name))
    assert seen.status_code == 200
    # A tag of the public answer holds no longer than the signal is public.
    await own.delete(at(name))
    assert (await api.get(at(name), headers={"if-none-match": seen.headers["etag"]})).status_code == 404


# Faults


async def test_all_faults_come_at_once_and_nothing_refused_is_repeated(own):
    name = letters()
    content = a_signal(description="Bel mij op 06-12345678", region="XX9999", themes=["niets"], heardOn="2999-01-01")
    response = await own.put(at(name), json=content)
    assert response.status_code == 400
    assert codes(response) == {
        ("description", "personal-data"), ("region", "unknown-code"), ("themes[0]", "unknown-code"), ("heardOn", "date-in-future"),
    }  # fmt: skip
    assert "12345678" not in response.text
    assert (await own.get(at(name))).status_code == 404


async def test_the_contents_of_a_conflict_are_told_only_of_what_may_be_kept(own):
    name = letters()
    await put(own, name)
    response = await put(own, name, headers={"if-match": '"9"'}, description="Mail jan@example.nl")
    assert response.status_code == 400
    assert "jan@" not in response.text


# Packed


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH"])
async def test_every_change_may_be_packed(own, method):
    import orjson

    found = (await put(own, name := letters())).json()
    content = {"peopleCount": 9} if method == "PATCH" else a_signal(peopleCount=9)
    address = {"PUT": at(name), "POST": "/v1/signals", "PATCH": f"/v1/signals/{found['id']}"}[method]
    headers = {"content-type": "application/json", "content-encoding": "gzip", "if-match": "*"}
    if method == "PATCH":
        headers |= PATCH
    if method == "POST":
        del headers["if-match"]
    response = await own.request(method, address, content=gzip.compress(orjson.dumps(content)), headers=headers)
    assert response.status_code in (200, 201), response.text
    assert response.json()["peopleCount"] == 9


async def test_a_question_of_graphql_may_be_packed(own):
    body = gzip.compress(b'{"query": "{ hub(slug: \\"limburg\\") { name } }"}')
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    assert (await own.post("/graphql", content=body, headers=headers)).json()["data"]["hub"]["name"] == "Limburg"


# At once


async def test_many_at_once_make_one_signal(own):
    name, words = letters(), a_signal(status="verified")
    answers = await asyncio.gather(*(own.put(at(name), json=words) for _ in range(30)))
    assert sorted(answer.status_code for answer in answers) == [200] * 29 + [201]
    assert {(answer.json()["id"], answer.json()["version"]) for answer in answers} == {(answers[0].json()["id"], 1)}


async def test_many_different_at_once_all_count(own):
    name = letters()
    answers = await asyncio.gather(*(put(own, name, peopleCount=n) for n in range(1, 21)))
    assert {answer.status_code for answer in answers} == {200, 201}
    found = (await own.get(at(name))).json()
    assert (found["version"], len(await history(own, found))) == (20, 20)


async def test_a_put_and_a_patch_at_once_both_count(own):
    name = letters()
    found = (await put(own, name)).json()
    await asyncio.gather(
        *(put(own, name, title=f"Titel {letters()}") for _ in range(5)),
        *(patch(own, found["id"], {"peopleCount": n}) for n in range(1, 6)),
    )
    lines = await history(own, found)
    assert [line["version"] for line in lines] == list(range(1, len(lines) + 1))
    assert (await own.get(at(name))).json()["version"] == len(lines)
    assert uuid.UUID(found["id"])
