"""Side doors to signals: whatever may not be seen looks like what never was, also in the work that it takes."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass

import asyncpg
import orjson
import pytest

from app.infra import database
from tests.signal_cases import NOBODY, PATCH, PLAIN, a_signal, add, letters, patch, step, verified

# Those whom each signal is hidden from: a draft from all others, what was routed to iederin from the umbrella mind.
HIDDEN = {
    "other-hub": ("draft", "submitted", "kept", "withdrawn"), "national": ("draft", "submitted", "kept", "withdrawn"),
    "umbrella": ("draft", "submitted", "kept", "withdrawn", "elsewhere"), "admin": ("draft", "kept", "withdrawn", "elsewhere"),
    "outsider": ("draft", "kept", "withdrawn", "elsewhere"),
}  # fmt: skip
STEPS = {"if-match": '"1"'}


@dataclass
class Place:
    """A house of its own, its signals by name, and every statement that its database was asked."""

    house: object
    addresses: object
    signals: dict
    asked: list

    def since(self, start):
        """What was asked after `start` others, without the watch, the look for changes and the notes of who used a token."""
        ours = (
            "alembic_version",
            "keep_epoch",
            "client_used",
            "data_version",
            "pg_catalog",
            "change_news",
            "current_setting('jit')",
        )
        return [(sql, args) for sql, args in self.asked[start:] if not any(word in sql for word in ours)]


@pytest.fixture(scope="module")
async def place(fresh, running):
    addresses, asked = await asyncio.to_thread(fresh, "leaks"), []
    prepared = database._prepared

    async def listening(connection):
        await prepared(connection)
        connection.add_query_logger(lambda record: asked.append((record.query, record.args)))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(database, "_prepared", listening)
        async with running(addresses) as house:
            async with house.client("own-hub") as own:
                signals = {
                    "draft": await add(own),
                    "submitted": await add(own, status="submitted"),
                    "kept": await verified(own, visibility="hub"),
                    "withdrawn": await verified(own, visibility="public"),
                    "elsewhere": await verified(own, workfields=["inclusie"]),
                }
                await step(own, signals["withdrawn"]["id"], "withdrawn")
            yield Place(house, addresses, {name: found["id"] for name, found in signals.items()}, asked)


def mutation(name, more, kind="signal { id }"):
    return lambda i: ("POST", "/graphql", {"query": f'mutation {{ {name}(id: "{i}", {more}) {{ {kind} }} }}'}, {})


READS = {
    "GET": lambda i: ("GET", f"/v1/signals/{i}", None, {}),
    "GET with everything": lambda i: ("GET", f"/v1/signals/{i}?expand=history,similar", None, {}),
    "history": lambda i: ("GET", f"/v1/signals/{i}/history", None, {}),
    "similar": lambda i: ("GET", f"/v1/signals/{i}/similar", None, {}),
    "bundles": lambda i: ("GET", f"/v1/signals/{i}?expand=bundles", None, {}),
    "suggestions": lambda i: ("GET", f"/v1/national/bundles/suggestions?signal={i}", None, {}),
    "query": lambda i: ("POST", "/graphql", {"query": f'{{ signal(id: "{i}") {{ title hub {{ name }} forwardings {{ response }} similar {{ score }} }} }}'}, {}),
    "queried history": lambda i: ("POST", "/graphql", {"query": f'{{ signalHistory(signal: "{i}") {{ nodes {{ note }} pageInfo {{ hasNextPage }} }} }}'}, {}),
}  # fmt: skip
WRITES = {
    "PATCH": lambda i: ("PATCH", f"/v1/signals/{i}", {"title": "Van mij"}, PATCH | STEPS),
    "PATCH with faults": lambda i: ("PATCH", f"/v1/signals/{i}", {"title": "", "colour": 1}, PATCH | STEPS),
    "PATCH of any version": lambda i: ("PATCH", f"/v1/signals/{i}", {"title": "Van mij"}, PATCH),
    "DELETE": lambda i: ("DELETE", f"/v1/signals/{i}", None, STEPS),
    "transition": lambda i: ("POST", f"/v1/signals/{i}/transitions", {"to": "verified"}, STEPS),
    "follow-up": lambda i: ("POST", f"/v1/signals/{i}/follow-ups", {"kind": "meeting", "on": "2026-04-01", "summary": "x"}, STEPS),
    "answer": lambda i: ("PUT", f"/v1/signals/{i}/forwardings/mind", {"state": "acknowledged"}, STEPS),
    "follow code": lambda i: ("POST", f"/v1/signals/{i}/follow-code", None, {}),
    "answer for another": lambda i: ("PUT", f"/v1/signals/{i}/forwardings/iederin", {"state": "acknowledged"}, STEPS),
    "updateSignal": mutation("updateSignal", 'version: 1, changes: {title: "Van mij"}'),
    "transitionSignal": mutation("transitionSignal", 'version: 1, to: "verified"'),
    "addFollowUp": mutation("addFollowUp", 'version: 1, kind: "meeting", on: "2026-04-01", summary: "x"'),
    "answerForwarding": mutation("answerForwarding", 'version: 1, umbrella: "mind", state: "acknowledged"'),
    "issueFollowCode": mutation("issueFollowCode", "", "followCode"),
    "deleteSignal": mutation("deleteSignal", "version: 1", "id"),
}  # fmt: skip


async def ask(client, request):
    method, address, content, headers = request
    body = None if content is None else orjson.dumps(content)
    kind = {} if content is None else {"content-type": "application/json"}
    return await client.request(method, address, content=body, headers=PLAIN | kind | headers)


@pytest.mark.parametrize("door", [*READS, *WRITES])
@pytest.mark.parametrize("who", HIDDEN)
async def test_hidden_and_not_there_are_the_same_answer_after_the_same_questions_to_the_database(place, who, door):
    """The time of a 404 tells nothing: the same statements, as many, each with the same kind of values."""
    request = (READS | WRITES)[door]
    async with place.house.client(who) as client:
        await ask(client, request(uuid.uuid4()))  # what is learnt at the first time
        found = {}
        for name in (*HIDDEN[who], "nobody"):
            start = len(place.asked)
            answer = await ask(client, request(place.signals.get(name, NOBODY)))
            shapes = [(sql, [type(value) for value in args]) for sql, args in place.since(start)]
            headers = {key: value for key, value in answer.headers.items() if key not in ("request-id", "x-request-id")}
            found[name] = (answer.status_code, answer.content, headers, shapes)
    nothing = found.pop("nobody")
    assert nothing[0] in (400, 401, 403, 404) or "/graphql" in request(NOBODY)[1]
    for name, seen in found.items():
        assert seen == nothing, name
    if who != "outsider" or door in READS:
        assert nothing[3], "the database was asked"


def walked(plan):
    """The nodes of a plan with what each gave and how often it ran.

    Not `Result`, which has no rows of a table: for the policy it gives the settings of the reader. What an index gives
    to a bitmap is refused one node up.
    """
    if plan["Node Type"] == "Bitmap Index Scan":
        yield plan["Node Type"], None, plan["Actual Loops"]
    elif plan["Node Type"] != "Result":
        yield plan["Node Type"], plan["Actual Rows"], plan["Actual Loops"]
    for part in plan.get("Plans", ()):
        yield from walked(part)


@pytest.mark.parametrize(("who", "door"), [
    *((who, door) for who in HIDDEN for door in ("GET with everything", "history", "query")),
    ("other-hub", "PATCH"), ("umbrella", "answer"),
])  # fmt: skip
async def test_the_plan_for_a_hidden_signal_does_the_work_of_one_that_is_not_there(place, who, door):
    """One row more is fetched by its index and refused by the policy; nothing is done with it after that."""
    request = (READS | WRITES)[door]
    plans = {}
    connection = await asyncpg.connect(place.addresses.service)
    async with place.house.client(who) as client:
        await ask(client, request(uuid.uuid4()))
        for name in (HIDDEN[who][0], HIDDEN[who][-1], "nobody"):
            start = len(place.asked)
            await ask(client, request(place.signals.get(name, NOBODY)))
            transaction = connection.transaction()
            await transaction.start()
            plans[name] = []
            for sql, args in place.since(start):
                if "client_of" in sql or not sql.lstrip().lower().startswith(("select", "with")):
                    continue
                explained = await connection.fetchval(f"explain (analyze, costs off, timing off, summary off, buffers off, format json) {sql}", *args)  # fmt: skip
                plans[name].append(list(walked(orjson.loads(explained)[0]["Plan"])))
            await transaction.rollback()
    await connection.close()
    nothing = plans.pop("nobody")
    assert sum(len(nodes) for nodes in nothing) > 1
    for name, nodes in plans.items():
        assert nodes == nothing, name


async def test_hidden_signals_leave_no_gap_and_no_next_page(place):
    word = letters()
    async with place.house.client("own-hub") as own:
        shown = []
        for number in range(4):
            shown.append((await verified(own, visibility="public", title=f"Over {word}"))["id"])
            await add(own, title=f"Over {word}", peopleCount=number + 1)
            await verified(own, visibility="hub", title=f"Over {word}")
    for who in ("outsider", "umbrella", "other-hub", "admin"):
        async with place.house.client(who) as client:
            for sort in ("", "&sort=createdAt", "&sort=-updatedAt", "&sort=-relevance"):
                page = (await client.get(f"/v1/signals?q={word}&limit=4{sort}")).json()
                assert ({item["id"] for item in page["items"]}, page["next"]) == (set(shown), None)
                first = (await client.get(f"/v1/signals?q={word}&limit=3{sort}")).json()
                rest = (await client.get(first["next"])).json()
                assert (len(first["items"]), len(rest["items"]), rest["next"]) == (3, 1, None)
            query = f'{{ signals(first: 4, filter: {{q: "{word}"}}) {{ nodes {{ id }} pageInfo {{ hasNextPage }} }} }}'
            found = (await client.post("/graphql", json={"query": query})).json()["data"]["signals"]
            assert {node["id"] for node in found["nodes"]} == set(shown)
            assert found["pageInfo"]["hasNextPage"] is False


async def test_a_cursor_of_another_actor_is_refused_over_graphql_and_in_histories_too(place):
    word = letters()
    async with place.house.client("own-hub") as own:
        for _ in range(2):
            found = await verified(own, visibility="public", title=f"Over {word}")
        history = f"/v1/signals/{found['id']}/history?limit=1"
        cursor_of_history = (await own.get(history)).json()["next"]
        whole = '{ signals(first: 1, filter: {q: "%s"}%s) { nodes { id } pageInfo { endCursor } } }'
        page = await own.post("/graphql", json={"query": whole % (word, "")})
        cursor = page.json()["data"]["signals"]["pageInfo"]["endCursor"]
        mine = await own.post("/graphql", json={"query": whole % (word, f', after: "{cursor}"')})
        assert len(mine.json()["data"]["signals"]["nodes"]) == 1
        assert (await own.get(cursor_of_history)).status_code == 200
    for who in ("other-hub", "umbrella", "national", "admin", "outsider"):
        async with place.house.client(who) as client:
            theirs = await client.post("/graphql", json={"query": whole % (word, f', after: "{cursor}"')})
            assert theirs.json().get("data") is None
            assert theirs.json()["errors"][0]["extensions"]["errors"][0]["code"] == "invalid-cursor"
            assert (await client.get(cursor_of_history)).status_code == 400


async def test_a_key_of_another_client_gives_nothing_of_its_answer(place):
    key, body = {"idempotency-key": f'"{uuid.uuid4()}"'}, a_signal()
    async with place.house.client("own-hub") as own, place.house.client("other-hub") as other:
        mine = (await own.post("/v1/signals", json=body, headers=key)).json()
        theirs = (await other.post("/v1/signals", json=body, headers=key)).json()
        assert (mine["hub"]["slug"], theirs["hub"]["slug"]) == ("groningen", "limburg")
        assert mine["id"] != theirs["id"]
        changed = await other.post("/v1/signals", json=body | {"hub": "groningen"}, headers=key)
        assert changed.status_code == 422
        assert mine["id"] not in changed.text


@pytest.mark.parametrize("way", ["withdrawn", "hub", "words", "deleted"])
async def test_what_went_out_of_sight_is_gone_for_every_way_of_asking(place, way):
    word = letters()
    async with place.house.client("own-hub") as own, place.house.client("other-hub") as other:
        beside = await verified(other, visibility="public", title=f"Ook over {word}", region="PV31")
        found = await verified(own, visibility="public", title=f"Over {word}")
        address, listed = f"/v1/signals/{found['id']}", f"/v1/signals?q={word}"
        readers = ("outsider", "umbrella", "other-hub", "national", "admin")
        tags = {}
        for who in readers:
            async with place.house.client(who) as client:
                tags[who] = [(await client.get(a, headers=PLAIN)).headers["etag"] for a in (address, listed)]
                assert found["id"] in (await client.get(f"/v1/signals/{beside['id']}/similar")).text
        await {
            "withdrawn": lambda: step(own, found["id"], "withdrawn"),
            "hub": lambda: patch(own, found["id"], {"visibility": "hub"}),
            "words": lambda: patch(own, found["id"], {"description": "Nieuwe woorden."}),
            "deleted": lambda: own.delete(address, headers={"if-match": "*"}),
        }[way]()
    query = f'{{ signal(id: "{found["id"]}") {{ id }} signals(filter: {{q: "{word}"}}) {{ nodes {{ id }} }} }}'
    for who in readers:
        async with place.house.client(who) as client:
            one, many = [
                await client.get(a, headers=PLAIN | {"if-none-match": tag})
                for a, tag in zip((address, listed), tags[who], strict=True)
            ]
            assert one.status_code == 404
            assert [item["id"] for item in many.json()["items"]] == [beside["id"]], "and no 304"
            assert found["id"] not in (await client.get(f"/v1/signals/{beside['id']}/similar")).text
            assert (await client.get(f"{address}/history")).status_code == 404
            data = (await client.post("/graphql", json={"query": query})).json()["data"]
            assert data == {"signal": None, "signals": {"nodes": [{"id": beside["id"]}]}}
