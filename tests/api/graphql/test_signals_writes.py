"""Changes of signals over GraphQL: the same rules, the same faults and the same codes as over REST."""

from __future__ import annotations

import asyncio
import uuid
from datetime import date, timedelta

import pytest

from tests.signal_cases import NOBODY, PATCH, a_signal, add, letters, verified

TOMORROW = (date.today() + timedelta(days=2)).isoformat()
CREATE = "mutation($s: NewSignal!, $k: String) { createSignal(signal: $s, idempotencyKey: $k) { signal { id title version status } } }"
UPDATE = """mutation($i: UUID!, $v: Int!, $c: SignalChange!) { updateSignal(id: $i, version: $v, changes: $c) {
  signal { id title version status scale groups { code } workfields { code } peopleCount } } }"""
STEP = """mutation($i: UUID!, $v: Int!, $to: String!, $n: String, $r: [String!], $w: String) {
  transitionSignal(id: $i, version: $v, to: $to, note: $n, recipients: $r, reason: $w) {
    signal { id version status forwardings { umbrella { code } state reason } } } }"""
ANSWER = """mutation($i: UUID!, $v: Int!, $u: String!, $s: String!, $r: String) {
  answerForwarding(id: $i, version: $v, umbrella: $u, state: $s, response: $r) {
    signal { version forwardings { state response } } } }"""
FOLLOW = """mutation($i: UUID!, $v: Int!, $k: String!, $on: Date!, $s: String!, $p: Boolean! = false) {
  addFollowUp(id: $i, version: $v, kind: $k, on: $on, summary: $s, public: $p) { signal { version followUps { kind summary public } } } }"""
DELETE = "mutation($i: UUID!, $v: Int!) { deleteSignal(id: $i, version: $v) { id } }"
WITHDRAWN = {"to": "withdrawn"}


@pytest.fixture
def house(writing_house):
    return writing_house


@pytest.fixture
async def own(as_):
    async with as_("own-hub") as client:
        yield client


@pytest.fixture
async def mind(as_):
    async with as_("umbrella") as client:
        yield client


async def ask(client, query, **variables):
    response = await client.post("/graphql", json={"query": query, "variables": variables})
    return response.json()


async def done(client, query, **variables):
    """What the mutation gives, which has to succeed."""
    answer = await ask(client, query, **variables)
    assert "errors" not in answer, answer
    (payload,) = answer["data"].values()
    return payload.get("signal", payload)


async def refused(client, query, **variables):
    """The extensions of its one error; nothing else came of it."""
    answer = await ask(client, query, **variables)
    assert not any((answer.get("data") or {}).values())
    (error,) = answer["errors"]
    return error["extensions"]


def faults(extensions):
    assert extensions["code"] == "invalid-input", extensions
    assert len({str(fault) for fault in extensions["errors"]}) == len(extensions["errors"]), "each once"
    return {(fault["location"], fault["code"]) for fault in extensions["errors"]}


async def test_a_signal_goes_through_its_life_and_shows_the_same_over_rest(own, mind):
    made = await done(own, CREATE, s=a_signal(status="submitted", workfields=["psychische-kwetsbaarheid"]))
    found = {"i": made["id"]}
    assert (made["version"], made["status"]) == (1, "submitted")
    changed = await done(own, UPDATE, **found, v=1, c={"peopleCount": 4, "scale": "wijk", "groups": ["jongeren"]})
    assert (changed["version"], changed["peopleCount"], changed["scale"]) == (2, 4, "wijk")
    shared = await done(own, STEP, **found, v=2, to="verified", n="Gelezen.")
    assert shared["forwardings"] == [{"umbrella": {"code": "mind"}, "state": "forwarded", "reason": None}]
    answered = await done(mind, ANSWER, **found, v=3, u="mind", s="answered", r="Staat op de agenda.")
    assert answered == {"version": 4, "forwardings": [{"state": "answered", "response": "Staat op de agenda."}]}
    followed = await done(own, FOLLOW, **found, v=4, k="meeting", on="2026-04-01", s="Besproken.", p=True)
    assert followed == {"version": 5, "followUps": [{"kind": "meeting", "summary": "Besproken.", "public": True}]}
    assert (await done(own, STEP, **found, v=5, to="closed"))["status"] == "closed"
    assert await done(own, DELETE, **found, v=6) == {"id": made["id"]}
    assert (await own.get(f"/v1/signals/{made['id']}")).status_code == 404
    lines = (await own.get(f"/v1/signals/{made['id']}/history")).json()["items"]
    actions = ["created", "changed", "verified", "forwarding", "follow-up", "closed", "deleted"]
    assert [(line["version"], line["action"]) for line in lines] == list(enumerate(actions, 1))


async def test_what_is_emptied_and_what_is_left_out_differ(own):
    found = await add(own, scale="wijk", groups=["jongeren"], peopleCount=3, workfields=["inclusie"], themes=["stigma"])
    kept = await done(own, UPDATE, i=found["id"], v=1, c={"peopleCount": 5})
    assert (kept["scale"], kept["groups"], kept["workfields"]) == (
        "wijk",
        [{"code": "jongeren"}],
        [{"code": "inclusie"}],
    )
    emptied = await done(
        own, UPDATE, i=found["id"], v=2, c={"scale": None, "groups": None, "peopleCount": None, "workfields": None}
    )
    assert (emptied["scale"], emptied["groups"], emptied["peopleCount"]) == (None, [], None)
    assert emptied["workfields"] == [{"code": "psychische-kwetsbaarheid"}], "the themes decide again"
    same = await done(own, UPDATE, i=found["id"], v=3, c={"title": found["title"]})
    assert same["version"] == 3, "nothing changed"


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "klacht"}, {"visibility": "iedereen"}, {"scale": "planeet"}, {"themes": []}, {"themes": ["weer"]},
        {"themes": [f"t{n}" for n in range(11)]}, {"workfields": ["voetbal"]}, {"groups": ["marsmannen"]},
        {"channel": "postduif"}, {"region": "GG9999"}, {"region": "GM0018"}, {"title": ""}, {"title": "x" * 201},
        {"description": "é" * 50_000}, {"title": "bel\u0007"}, {"heardOn": TOMORROW}, {"heardOn": "2015-12-31"},
        {"peopleCount": 0}, {"peopleCount": 10**9}, {"externalId": " "}, {"externalId": "a\tb"}, {"externalId": "x" * 201},
        {"externalId": "999990019"}, {"description": "Bel 06-12345678"},
        {"title": "", "themes": ["weer"], "region": "XX", "heardOn": TOMORROW, "description": "Mail a@voorbeeld.nl", "peopleCount": -1},
    ],
    ids=lambda changes: str(changes)[:60],
)  # fmt: skip
async def test_both_doors_find_the_same_faults(own, changes):
    over_rest = await own.post("/v1/signals", json=a_signal(**changes))
    assert over_rest.status_code == 400
    expected = {(fault["location"], fault["code"]) for fault in over_rest.json()["errors"]}
    assert faults(await refused(own, CREATE, s=a_signal(**changes))) == expected
    if "externalId" not in changes:
        found = await add(own)
        assert faults(await refused(own, UPDATE, i=found["id"], v=1, c=changes)) == expected
        headers = PATCH | {"if-match": "*"}
        patched = await own.patch(f"/v1/signals/{found['id']}", json=changes, headers=headers)
        assert {(fault["location"], fault["code"]) for fault in patched.json()["errors"]} == expected


async def test_what_a_signal_cannot_do_without_is_told_with_the_rest(own):
    found, changes = await add(own), {"title": None, "heardOn": None, "themes": ["weer"], "peopleCount": 0}
    expected = {
        ("title", "required"),
        ("heardOn", "required"),
        ("themes[0]", "unknown-code"),
        ("peopleCount", "out-of-range"),
    }
    assert faults(await refused(own, UPDATE, i=found["id"], v=1, c=changes)) == expected
    patched = await own.patch(f"/v1/signals/{found['id']}", json=changes, headers=PATCH | {"if-match": "*"})
    assert {fault["location"] for fault in patched.json()["errors"]} == {location for location, _ in expected}
    assert faults(await refused(own, UPDATE, i=found["id"], v=1, c={"title": None})) == {("title", "required")}
    assert (await own.get(f"/v1/signals/{found['id']}")).json() == found


async def test_only_a_hub_adds_signals_and_a_step_that_is_not_allowed_names_those_that_are(own, as_):
    for who in ("umbrella", "national", "admin"):
        async with as_(who) as client:
            assert (await refused(client, CREATE, s=a_signal()))["code"] == "forbidden"
    async with as_("outsider") as client:
        assert (await refused(client, CREATE, s=a_signal()))["code"] == "unauthenticated"
    assert (await refused(own, CREATE, s=a_signal(hub="limburg")))["code"] == "forbidden"
    born = await refused(own, CREATE, s=a_signal(status="verified"))
    assert (born["code"], born["allowed"]) == ("transition-not-allowed", ["draft", "submitted"])
    draft = await add(own)
    early = await refused(own, STEP, i=draft["id"], v=1, to="verified")
    assert (early["code"], early["allowed"]) == ("transition-not-allowed", ["submitted", "withdrawn"])
    assert faults(await refused(own, STEP, i=draft["id"], v=1, to="weg")) == {("to", "unknown-code")}
    shared = await verified(own)
    assert (await refused(own, STEP, i=shared["id"], v=2, to="closed"))["code"] == "follow-up-needed"
    assert (await refused(own, FOLLOW, i=draft["id"], v=1, k="none", on="2026-04-01", s="x"))["code"] == "follow-up-not-allowed"  # fmt: skip
    await done(own, STEP, i=shared["id"], v=2, to="withdrawn")
    assert (await refused(own, UPDATE, i=shared["id"], v=3, c={"peopleCount": 1}))["code"] == "signal-ended"


async def test_a_step_an_answer_and_a_follow_up_are_checked_whole(own, mind):
    ready, shared = await add(own, status="submitted"), await verified(own, workfields=["psychische-kwetsbaarheid"])
    step = await refused(
        own, STEP, i=ready["id"], v=1, to="verified", r=["mind", "niemand"], w="Bel 06-12345678", n="x\u0007"
    )
    assert faults(step) == {
        ("recipients[1]", "unknown-code"),
        ("reason", "personal-data"),
        ("note", "control-character"),
    }
    answer = await refused(mind, ANSWER, i=shared["id"], v=2, u="mind", s="answered")
    assert faults(answer) == {("response", "required")}
    answer = await refused(mind, ANSWER, i=shared["id"], v=2, u="mind", s="forwarded", r="Mail a@voorbeeld.nl")
    assert faults(answer) == {("state", "unknown-code"), ("response", "personal-data")}
    follow = await refused(own, FOLLOW, i=shared["id"], v=2, k="feest", on=TOMORROW, s=" ")
    assert faults(follow) == {("kind", "unknown-code"), ("on", "date-in-future"), ("summary", "required")}


async def test_an_umbrella_answers_for_itself_alone(own, mind, as_):
    shared = await verified(own, workfields=["psychische-kwetsbaarheid"], visibility="public")
    assert (await refused(mind, ANSWER, i=shared["id"], v=2, u="iederin", s="acknowledged"))["code"] == "forbidden"
    assert (await refused(own, ANSWER, i=shared["id"], v=2, u="mind", s="acknowledged"))["code"] == "forbidden"
    async with as_("outsider") as client:
        assert (await refused(client, ANSWER, i=shared["id"], v=2, u="mind", s="acknowledged"))[
            "code"
        ] == "unauthenticated"
    elsewhere = await verified(own, workfields=["inclusie"])
    assert (await refused(mind, ANSWER, i=elsewhere["id"], v=2, u="mind", s="acknowledged"))["code"] == "not-found"


CHANGES = {
    UPDATE: {"c": {"title": "Van mij"}}, STEP: WITHDRAWN, DELETE: {},
    FOLLOW: {"k": "none", "on": "2026-04-01", "s": "x"},
}  # fmt: skip


@pytest.mark.parametrize("mutation", CHANGES, ids=["update", "transition", "delete", "follow-up"])
async def test_a_change_names_the_version_it_saw_and_a_stale_one_is_told_the_present(own, as_, mutation):
    given = CHANGES[mutation]
    found = await add(own, status="submitted")
    await done(own, UPDATE, i=found["id"], v=1, c={"peopleCount": 2})
    stale = await refused(own, mutation, i=found["id"], v=1, **given)
    assert (stale["code"], stale["currentVersion"]) == ("stale-version", 2)
    without = mutation.replace(", $v: Int!", "").replace(", version: $v", "")
    assert "version" in (await ask(own, without, i=found["id"], **given))["errors"][0]["message"]
    public = await verified(own, visibility="public")
    for who in ("other-hub", "umbrella", "national", "admin"):
        async with as_(who) as client:
            assert (await refused(client, mutation, i=public["id"], v=2, **given))["code"] == "forbidden"
            for hidden in (found["id"], NOBODY):
                assert (await refused(client, mutation, i=hidden, v=2, **given))["code"] == "not-found"
    assert (await own.get(f"/v1/signals/{found['id']}")).json()["version"] == 2
    await done(own, mutation, i=found["id"], v=2, **given)


async def test_of_two_editors_one_wins_and_one_hears_the_present_version(own):
    found = await add(own)
    answers = await asyncio.gather(*(ask(own, UPDATE, i=found["id"], v=1, c={"peopleCount": n}) for n in (11, 22)))
    won, lost = sorted(answers, key=lambda answer: "errors" in answer)
    assert lost["errors"][0]["extensions"]["code"] == "stale-version"
    assert lost["errors"][0]["extensions"]["currentVersion"] == 2
    kept = (await own.get(f"/v1/signals/{found['id']}")).json()
    assert kept["peopleCount"] == won["data"]["updateSignal"]["signal"]["peopleCount"]
    assert kept["version"] == 2


async def test_one_editor_at_each_door_and_one_wins(own):
    found = await add(own)
    headers = PATCH | {"if-match": '"1"'}
    over_rest, over_graphql = await asyncio.gather(
        own.patch(f"/v1/signals/{found['id']}", json={"peopleCount": 11}, headers=headers),
        ask(own, UPDATE, i=found["id"], v=1, c={"peopleCount": 22}),
    )
    assert (over_rest.status_code == 200) == ("errors" in over_graphql)
    assert over_rest.status_code in (200, 412)


async def test_many_at_once_with_one_key_make_one_signal_and_the_key_keeps_to_its_content(own):
    key, new = str(uuid.uuid4()), a_signal(externalId=letters())
    answers = await asyncio.gather(*(ask(own, CREATE, s=new, k=key) for _ in range(50)))
    made = {answer["data"]["createSignal"]["signal"]["id"] for answer in answers if "errors" not in answer}
    assert len(made) == 1
    assert {a["errors"][0]["extensions"]["code"] for a in answers if "errors" in a} <= {"still-running"}
    assert (await done(own, CREATE, s=new, k=key))["id"] in made
    assert (await refused(own, CREATE, s=a_signal(), k=key))["code"] == "idempotency-key-reused"
    assert (await refused(own, CREATE, s=new))["code"] == "already-exists", "without the key it is another request"
    word = new["title"].rsplit(" ", 1)[1]
    assert len((await own.get("/v1/signals", params={"q": word})).json()["items"]) == 1
