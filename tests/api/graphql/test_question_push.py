"""Pushing questions over GraphQL does what REST does, and refuses with the same codes."""

from __future__ import annotations

import uuid

import pytest

from tests.question_cases import OUTCOME, a_question
from tests.signal_cases import letters

PUT = """mutation ($hub: String!, $id: String!, $question: QuestionContent!, $version: Int) {
  putQuestion(hub: $hub, externalId: $id, question: $question, version: $version) {
    question { id externalId status version title levels { intended { code } } mix { groups { wanted } } } } }"""
PUSH = """mutation ($hub: String!, $items: [PushedQuestion!]!, $mode: String!, $key: String) {
  pushQuestions(hub: $hub, items: $items, mode: $mode, idempotencyKey: $key) {
    results { externalId id version result errors { in location code detail } conflict { allowed current given } } } }"""
DELETE = """mutation ($hub: String!, $id: String!, $version: Int) {
  deleteQuestionByExternalId(hub: $hub, externalId: $id, version: $version) { id } }"""
READ = "query ($hub: String!, $id: String!) { questionByExternalId(hub: $hub, externalId: $id) { id title version } }"
PARTS = {
    "levels": {"intended": "meewerken"},
    "matrix": {"cells": [{"phase": "voorbereiding", "role": "adviseur", "groups": ["mantelzorgers"], "on": "2026-03-02"}]},
    "mix": {"groups": [{"group": "mantelzorgers", "wanted": 4}], "imbalanceReason": "Een gerichte vraag."},
    "compensation": {"offered": True}, "period": {"from": "2026-03-01"}, "workfields": ["medische-zorg"],
}  # fmt: skip


@pytest.fixture
def house(writing_house):
    return writing_house


@pytest.fixture
async def own(as_):
    async with as_("own-hub") as client:
        yield client


async def ask(client, document, hub="groningen", **variables):
    response = await client.post("/graphql", json={"query": document, "variables": {"hub": hub, **variables}})
    return response.json()


def code(answer):
    return answer["errors"][0]["extensions"]["code"]


def at(name):
    return f"/v1/hubs/groningen/questions/{name}"


async def push(client, items, mode="partial", **more):
    return await ask(client, PUSH, items=items, mode=mode, **more)


async def both(client, items, mode="partial"):
    """The results of the same batch over REST and over GraphQL, under ids of their own."""
    prefixes = [letters(), letters()]
    rest = [{**item, "externalId": prefixes[0] + item["externalId"]} for item in items]
    response = await client.post("/v1/hubs/groningen/questions/_batch", json={"items": rest, "mode": mode})
    graphql = []
    for item in items:
        content = {k: v for k, v in item.items() if k not in ("externalId", "version", "delete")}
        kept = {k: item[k] for k in ("version", "delete") if k in item}
        named = {"externalId": prefixes[1] + item["externalId"], **kept}
        graphql.append(named | ({"question": content} if content else {}))
    answer = await push(client, graphql, mode)
    over = answer["data"]["pushQuestions"] if answer.get("data") else answer["errors"][0]["extensions"]
    return [
        [{**result, "id": None, "externalId": result["externalId"].removeprefix(prefix)} for result in results]
        for prefix, results in zip(prefixes, (response.json()["results"], over["results"]), strict=True)
    ]


async def test_a_question_is_put_read_and_deleted_by_its_own_id(own):
    name, content = letters(), a_question(**PARTS)
    made, again = [
        (await ask(own, PUT, id=name, question=content))["data"]["putQuestion"]["question"] for _ in range(2)
    ]
    over_rest = await own.put(at(name), json=content)
    assert made == again
    assert (made["levels"]["intended"]["code"], made["mix"]["groups"]) == ("meewerken", [{"wanted": 4}])
    assert (over_rest.status_code, over_rest.json()["version"]) == (200, 1)
    seen = (await ask(own, READ, id=name))["data"]["questionByExternalId"]
    assert seen == {"id": made["id"], "title": content["title"], "version": 1}
    assert (await ask(own, DELETE, id=name))["data"]["deleteQuestionByExternalId"]["id"] == made["id"]
    assert (await ask(own, READ, id=name))["data"]["questionByExternalId"] is None
    assert code(await ask(own, DELETE, id=name)) == "not-found"


async def test_what_rest_wrote_is_unchanged_over_graphql_with_all_its_parts(own):
    name, content = letters(), a_question(**PARTS, status="concluded", outcome=OUTCOME)
    assert (await own.put(at(name), json=content)).status_code == 201
    answer = await push(own, [{"externalId": name, "question": content}])
    assert answer["data"]["pushQuestions"]["results"][0]["result"] == "unchanged"


async def test_a_batch_has_the_same_results_through_both_doors(own):
    bare = a_question(title="Nieuw")
    rest, graphql = await both(
        own,
        [
            bare | PARTS | {"externalId": "a", "status": "open"},
            bare | {"externalId": "b", "regions": ["XX"], "themes": [], "description": "Bel 06-12345678"},
            bare | {"externalId": "c", "version": 3},
            bare | {"externalId": "d", "status": "concluded"},
            bare | {"externalId": "e", "mix": {"groups": [{"group": "niemand"}]}, "levels": {"intended": "nooit"}},
            {"externalId": "f", "delete": True},
        ],
    )
    assert [result["result"] for result in rest] == ["created", *["refused"] * 4, "unchanged"]
    assert rest == graphql


async def test_a_code_that_cannot_be_stored_is_the_fault_of_its_item_alone(own):
    contents = [a_question(), a_question(regions=["GG2014", "GG\x00"])]
    answer = await push(own, [{"externalId": letters(), "question": content} for content in contents])
    fine, wrong = answer["data"]["pushQuestions"]["results"]
    assert (fine["result"], wrong["result"]) == ("created", "refused")
    assert [(error["location"], error["code"]) for error in wrong["errors"]] == [("regions[1]", "unknown-code")]


async def test_all_or_nothing_is_refused_with_the_same_results_through_both_doors(own):
    bare = a_question(title="Nieuw")
    rest, graphql = await both(own, [bare | {"externalId": "a"}, bare | {"externalId": "b", "title": ""}], "atomic")
    assert [result["errors"][0]["code"] for result in rest] == ["not-carried-out", "required"]
    assert rest == graphql


@pytest.mark.parametrize(
    ("mutation", "variables", "expected"),
    [
        (PUT, {"id": "a", "question": a_question(regions=["XX"])}, "invalid-input"),
        (PUT, {"id": "a\nb", "question": a_question()}, "invalid-input"),
        (PUT, {"id": "nooit", "question": a_question(title="Bel 06-12345678")}, "invalid-input"),
        (PUT, {"id": "nooit", "question": a_question(), "version": 4}, "stale-version"),
        (PUT, {"id": "nooit", "question": a_question(), "version": -1}, "invalid-input"),
        (PUT, {"id": "nooit", "question": a_question(status="concluded")}, "outcome-needed"),
        (PUT, {"id": "nooit", "question": a_question(outcome=OUTCOME)}, "outcome-too-early"),
        (PUT, {"id": "nooit", "question": a_question(status="klaar")}, "invalid-input"),
        (PUT, {"id": "a", "question": a_question(), "hub": "limburg"}, "forbidden"),
        (PUT, {"id": "a", "question": a_question(), "hub": "nergens"}, "not-found"),
        (PUSH, {"items": [], "mode": "partial", "hub": "limburg"}, "forbidden"),
        (PUSH, {"items": [], "mode": "half"}, "invalid-input"),
        (PUSH, {"items": [{"externalId": "x"}] * 1001, "mode": "partial"}, "invalid-input"),
        (PUSH, {"items": [{"externalId": "x"}], "mode": "atomic"}, "batch-refused"),
        (PUSH, {"items": [{"externalId": "x", "delete": True, "question": a_question()}], "mode": "atomic"}, "batch-refused"),
        (DELETE, {"id": "a", "hub": "limburg"}, "forbidden"),
    ],
    ids=range(16),
)  # fmt: skip
async def test_a_refusal_has_the_code_that_rest_has(own, mutation, variables, expected):
    assert code(await ask(own, mutation, **variables)) == expected


async def test_a_conflict_brings_both_contents(own):
    name = letters()
    for title in ("Een", "Twee"):
        await ask(own, PUT, id=name, question=a_question(title=title))
    answer = await ask(own, PUT, id=name, question=a_question(title="Drie", **PARTS), version=1)
    told = answer["errors"][0]["extensions"]
    assert (told["code"], told["currentVersion"]) == ("stale-version", 2)
    assert (told["current"]["title"], told["given"]["title"]) == ("Twee", "Drie")
    assert (told["given"]["levels"]["intended"], told["given"]["period"]["from"]) == ("meewerken", "2026-03-01")


async def test_a_batch_with_a_key_is_carried_out_once(own):
    key, items = str(uuid.uuid4()), [{"externalId": letters(), "question": a_question(**PARTS)}]
    first, again = [await push(own, items, key=key) for _ in range(2)]
    assert first == again
    assert first["data"]["pushQuestions"]["results"][0]["result"] == "created"
    assert code(await push(own, items * 2, key=key)) == "idempotency-key-reused"


async def test_without_a_token_nothing_is_pushed(api):
    assert code(await push(api, [])) == "unauthenticated"
    assert code(await ask(api, PUT, id="a", question=a_question())) == "unauthenticated"
