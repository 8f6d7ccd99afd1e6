"""Pushing over GraphQL does what REST does, and refuses with the same codes."""

from __future__ import annotations

import uuid

import pytest

from tests.signal_cases import a_signal, letters

PUT = """mutation ($hub: String!, $id: String!, $signal: SignalContent!, $version: Int) {
  putSignal(hub: $hub, externalId: $id, signal: $signal, version: $version) { signal { id externalId status version title } } }"""
PUSH = """mutation ($hub: String!, $items: [PushedSignal!]!, $mode: String!, $key: String) {
  pushSignals(hub: $hub, items: $items, mode: $mode, idempotencyKey: $key) {
    results { externalId id version result errors { in location code detail } conflict { allowed current given } } } }"""
DELETE = """mutation ($hub: String!, $id: String!, $version: Int) {
  deleteSignalByExternalId(hub: $hub, externalId: $id, version: $version) { id } }"""
READ = "query ($hub: String!, $id: String!) { signalByExternalId(hub: $hub, externalId: $id) { id title version } }"


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
    return f"/v1/hubs/groningen/signals/{name}"


async def push(client, items, mode="partial", **more):
    return await ask(client, PUSH, items=items, mode=mode, **more)


async def both(client, items, mode="partial"):
    """The results of the same batch over REST and over GraphQL, under ids of their own."""
    prefixes = [letters(), letters()]
    rest = [{**item, "externalId": prefixes[0] + item["externalId"]} for item in items]
    response = await client.post("/v1/hubs/groningen/signals/_batch", json={"items": rest, "mode": mode})
    graphql = []
    for item in items:
        content = {k: v for k, v in item.items() if k not in ("externalId", "version", "delete")}
        kept = {k: item[k] for k in ("version", "delete") if k in item}
        graphql.append(
            {"externalId": prefixes[1] + item["externalId"], **kept} | ({"signal": content} if content else {})
        )
    answer = await push(client, graphql, mode)
    found = []
    for prefix, results in (
        (prefixes[0], response.json()["results"]),
        (prefixes[1], answer["data"]["pushSignals"]["results"] if answer.get("data") else answer["errors"][0]["extensions"]["results"]),
    ):  # fmt: skip
        found.append(
            [{**result, "id": None, "externalId": result["externalId"].removeprefix(prefix)} for result in results]
        )
    return found


async def test_a_signal_is_put_read_and_deleted_by_its_own_id(own):
    name, words = letters(), a_signal()
    made = (await ask(own, PUT, id=name, signal=words))["data"]["putSignal"]["signal"]
    again = (await ask(own, PUT, id=name, signal=words))["data"]["putSignal"]["signal"]
    over_rest = await own.put(at(name), json=words)
    assert made == again
    assert (over_rest.status_code, over_rest.json()["version"]) == (200, 1)
    seen = (await ask(own, READ, id=name))["data"]["signalByExternalId"]
    assert seen == {"id": made["id"], "title": words["title"], "version": 1}
    assert (await ask(own, DELETE, id=name))["data"]["deleteSignalByExternalId"]["id"] == made["id"]
    assert (await ask(own, READ, id=name))["data"]["signalByExternalId"] is None
    assert code(await ask(own, DELETE, id=name)) == "not-found"


async def test_a_batch_has_the_same_results_through_both_doors(own):
    name = letters()
    assert (await ask(own, PUT, id=name, signal=a_signal(title="Er al")))["data"]
    rest, graphql = await both(
        own,
        [
            a_signal(title="Nieuw", status="verified") | {"externalId": "a"},
            a_signal(title="Nieuw", region="XX", themes=[], description="Bel 06-12345678") | {"externalId": "b"},
            a_signal(title="Nieuw") | {"externalId": "c", "version": 3},
            a_signal(title="Nieuw", status="closed") | {"externalId": "d"},
            {"externalId": "e", "delete": True},
        ],
    )
    assert [result["result"] for result in rest] == ["created", "refused", "refused", "refused", "unchanged"]
    assert rest == graphql


async def test_all_or_nothing_is_refused_with_the_same_results_through_both_doors(own):
    rest, graphql = await both(
        own, [a_signal(title="Nieuw") | {"externalId": "a"}, a_signal(title="") | {"externalId": "b"}], "atomic"
    )
    assert [result["errors"][0]["code"] for result in rest] == ["not-carried-out", "required"]
    assert rest == graphql


@pytest.mark.parametrize(
    ("mutation", "variables", "expected"),
    [
        (PUT, {"id": "a", "signal": a_signal(region="XX")}, "invalid-input"),
        (PUT, {"id": "a\nb", "signal": a_signal()}, "invalid-input"),
        (PUT, {"id": "a\x00b", "signal": a_signal()}, "invalid-input"),
        (PUT, {"id": "nooit", "signal": a_signal(), "version": 4}, "stale-version"),
        (PUT, {"id": "nooit", "signal": a_signal(), "version": -1}, "invalid-input"),
        (PUT, {"id": "nooit", "signal": a_signal(status="closed")}, "follow-up-needed"),
        (PUT, {"id": "nooit", "signal": a_signal(status="gesloten")}, "invalid-input"),
        (PUT, {"id": "a", "signal": a_signal(), "hub": "limburg"}, "forbidden"),
        (PUT, {"id": "a", "signal": a_signal(), "hub": "nergens"}, "not-found"),
        (PUSH, {"items": [], "mode": "partial", "hub": "limburg"}, "forbidden"),
        (PUSH, {"items": [], "mode": "half"}, "invalid-input"),
        (PUSH, {"items": [{"externalId": "x"}] * 1001, "mode": "partial"}, "invalid-input"),
        (PUSH, {"items": [{"externalId": "x"}], "mode": "atomic"}, "batch-refused"),
        (
            PUSH,
            {"items": [{"externalId": "x", "delete": True, "signal": a_signal()}], "mode": "atomic"},
            "batch-refused",
        ),
        (DELETE, {"id": "a", "hub": "limburg"}, "forbidden"),
    ],
    ids=range(15),
)
async def test_a_refusal_has_the_code_that_rest_has(own, mutation, variables, expected):
    assert code(await ask(own, mutation, **variables)) == expected


async def test_a_conflict_brings_both_contents(own):
    name = letters()
    for people in (1, 2):
        await ask(own, PUT, id=name, signal=a_signal(peopleCount=people))
    answer = await ask(own, PUT, id=name, signal=a_signal(peopleCount=3), version=1)
    told = answer["errors"][0]["extensions"]
    assert (told["code"], told["currentVersion"]) == ("stale-version", 2)
    assert (told["current"]["peopleCount"], told["given"]["peopleCount"]) == (2, 3)


async def test_a_batch_with_a_key_is_carried_out_once(own):
    key, items = str(uuid.uuid4()), [{"externalId": letters(), "signal": a_signal()}]
    first, again = [await push(own, items, key=key) for _ in range(2)]
    assert first == again
    assert first["data"]["pushSignals"]["results"][0]["result"] == "created"
    assert code(await push(own, items * 2, key=key)) == "idempotency-key-reused"


async def test_without_a_token_nothing_is_pushed(api):
    assert code(await push(api, [])) == "unauthenticated"
    assert code(await ask(api, PUT, id="a", signal=a_signal())) == "unauthenticated"
