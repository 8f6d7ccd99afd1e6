"""Waiting for changes over a real server: long polling, events, subscriptions, clients that leave, a server that ends."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from websockets.asyncio.client import connect

from app.api.rest.streaming import EventStream
from app.domain.changes import Entry, Page
from tests.serving_cases import serving
from tests.signal_cases import add, answer, patch, verified


@pytest.fixture
def house(writing_house):
    return writing_house


@pytest.fixture
async def served(house):
    async with serving(house.app) as found:
        yield found


@pytest.fixture
async def own(house):
    async with house.client("own-hub") as client:
        yield client


async def end_of(client, **params):
    """The cursor at the end of the log."""
    cursor = None
    while True:
        given = {**params, "limit": 1000} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/v1/changes", params=given)).json()
        cursor = page["cursor"]
        if not page["more"]:
            return cursor


def waiting(house):
    horizon = house.app.fastapi.state.services.horizon
    return horizon.waiting


async def until(condition):
    """Waits for something that is about to happen; the test's own limit of time ends it otherwise."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what happens elsewhere sets no event
            await asyncio.sleep(0.01)


async def test_who_waits_is_told_of_what_he_may_see_and_not_of_the_rest(house, served, own):
    async with served.client(house.tokens["own-hub"]) as mine, served.client(house.tokens["other-hub"]) as other:
        at_mine, at_other = await end_of(mine), await end_of(other)
        polls = [
            asyncio.create_task(client.get("/v1/changes", params={"cursor": cursor, "wait": 30}))
            for client, cursor in ((mine, at_mine), (other, at_other))
        ]
        await until(lambda: waiting(house) == 2)
        draft = await add(own)
        found = (await polls[0]).json()
        assert [(item["id"], item["op"], item["version"]) for item in found["items"]] == [(draft["id"], "upsert", 1)]
        assert not polls[1].done()
        shared = await verified(own)
        told = (await polls[1]).json()
        assert [(item["id"], item["version"]) for item in told["items"]] == [(shared["id"], 2)]
        assert waiting(house) == 0


async def test_a_wait_that_brings_nothing_ends_with_an_empty_page_that_goes_on(served, house):
    async with served.client(house.tokens["umbrella"]) as mind:
        cursor = await end_of(mind)
        began = time.monotonic()
        page = (await mind.get("/v1/changes", params={"cursor": cursor, "wait": 1})).json()
        assert time.monotonic() - began >= 1
        assert (page["items"], page["more"]) == ([], False)
        assert (await mind.get("/v1/changes", params={"cursor": page["cursor"]})).status_code == 200


async def test_the_answer_of_an_umbrella_reaches_the_hub_that_waits(house, served, own):
    signal = await verified(own, workfields=["psychische-kwetsbaarheid"])
    async with served.client(house.tokens["own-hub"]) as mine, served.client(house.tokens["umbrella"]) as mind:
        cursor = await end_of(mine)
        poll = asyncio.create_task(
            mine.get("/v1/changes", params={"cursor": cursor, "wait": 30, "expand": "resource", "types": "signal"})
        )
        refused = await poll
        assert refused.json()["code"] == "cursor-of-another-question"
        cursor = await end_of(mine, types="signal")
        poll = asyncio.create_task(
            mine.get("/v1/changes", params={"cursor": cursor, "wait": 30, "expand": "resource", "types": "signal"})
        )
        await until(lambda: waiting(house) == 1)
        await answer(mind, signal["id"], state="answered", response="Wij nemen dit mee.")
        (item,) = (await poll).json()["items"]
    assert item["id"] == signal["id"]
    assert item["resource"]["forwardings"][0]["response"] == "Wij nemen dit mee."
    assert item["resource"]["version"] == item["version"]


async def test_a_client_that_leaves_is_not_waited_for(house, served):
    async with served.client(house.tokens["own-hub"]) as mine:
        cursor = await end_of(mine)
        poll = asyncio.create_task(mine.get("/v1/changes", params={"cursor": cursor, "wait": 30}))
        await until(lambda: waiting(house) == 1)
        poll.cancel()
        await asyncio.gather(poll, return_exceptions=True)
    await until(lambda: waiting(house) == 0)


def read_events(text):
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and not line.startswith(":"))
        if "data" in lines:
            found.append((lines["id"], lines["event"], json.loads(lines["data"])))
    return found


class Stream:
    """Reads events until it has as many as asked for."""

    def __init__(self, response):
        self.lines = response.aiter_text()
        self.text = ""

    async def take(self, count):
        async with asyncio.timeout(20):
            while len(read_events(self.text.rpartition("\n\n")[0])) < count:
                self.text += await anext(self.lines)
        return read_events(self.text)


async def test_a_stream_tells_each_change_once_and_goes_on_from_the_last_id(house, served, own):
    async with served.client(house.tokens["own-hub"]) as mine:
        cursor = await end_of(mine, types="signal")
        first = await add(own)
        where = {"cursor": cursor, "types": "signal"}
        async with mine.stream("GET", "/v1/changes/stream", params=where) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            assert "retry: 3000" in (stream := Stream(response)).text + await anext(stream.lines)
        async with mine.stream("GET", "/v1/changes/stream", params=where) as response:
            stream = Stream(response)
            (event,) = await stream.take(1)
            assert (event[1], event[2]["id"], event[2]["version"]) == ("change", first["id"], 1)
            await patch(own, first["id"], {"peopleCount": 3})
            assert (await stream.take(2))[1][2]["version"] == 2
        second = await add(own)
        headers = {"last-event-id": (await stream.take(2))[1][0]}
        async with mine.stream("GET", "/v1/changes/stream", params=where, headers=headers) as response:
            (again,) = await Stream(response).take(1)
        assert again[2]["id"] == second["id"]
    await until(lambda: waiting(house) == 0)


async def test_a_stream_refuses_before_it_begins_and_a_head_request_ends(house, served):
    async with served.client(house.tokens["own-hub"]) as mine:
        bad = await mine.get("/v1/changes/stream", headers={"last-event-id": "made.up"})
        assert (bad.status_code, bad.json()["code"]) == (400, "invalid-cursor")
        assert bad.headers["content-type"] == "application/problem+json"
        head = await mine.head("/v1/changes/stream")
        assert head.status_code == 200
        assert head.headers["content-type"].startswith("text/event-stream")


async def test_a_server_that_ends_answers_all_who_wait_at_once(house):
    async with serving(house.app) as served:  # noqa: SIM117 - the clients leave before the server does
        async with served.client(house.tokens["own-hub"]) as mine, served.client() as anyone:
            cursor, publicly = await end_of(mine), await end_of(anyone)
            polls = [
                asyncio.create_task(client.get("/v1/changes", params={"cursor": at, "wait": 30}))
                for client, at in ((mine, cursor), (anyone, publicly), (mine, cursor))
            ]
            async with mine.stream("GET", "/v1/changes/stream", params={"cursor": cursor}) as response:
                lines = response.aiter_text()
                await anext(lines)
                socket = await subscribe(served, house.tokens["own-hub"], cursor)
                await until(lambda: waiting(house) == 5)
                began = time.monotonic()
                await served.stop()
                assert time.monotonic() - began < 5, "the end of the server hangs on those who wait"
                assert [r.json()["items"] for r in await asyncio.gather(*polls)] == [[], [], []]
                assert "".join([text async for text in lines]) == "", "the stream ends, and ends well"
                await socket.wait_closed()
    assert waiting(house) == 0


# Subscriptions


async def start(served, payload=None, headers=None):
    socket = await connect(
        served.address.replace("http", "ws") + "/graphql", subprotocols=["graphql-transport-ws"],
        additional_headers=headers, proxy=None,
    )  # fmt: skip
    await send(socket, type="connection_init", **({"payload": payload} if payload is not None else {}))
    return socket


async def send(socket, **message):
    await socket.send(json.dumps(message))


async def receive(socket):
    async with asyncio.timeout(20):
        return json.loads(await socket.recv())


CHANGES = """subscription ($cursor: String, $types: [String!]) {
  changes(cursor: $cursor, types: $types) { cursor type id op version hub { slug } signal { title: title version } } }"""


async def subscribe(served, token, cursor=None, query=CHANGES, **variables):
    socket = await start(served, {"Authorization": f"Bearer {token}"} if token else None)
    assert (await receive(socket))["type"] == "connection_ack"
    payload = {"query": query, "variables": {"cursor": cursor, **variables}}
    await send(socket, type="subscribe", id="1", payload=payload)
    return socket


async def test_a_subscription_tells_each_change_and_goes_on_from_its_cursor(house, served, own):
    async with served.client(house.tokens["own-hub"]) as mine:
        cursor = await end_of(mine)
    socket = await subscribe(served, house.tokens["own-hub"], cursor)
    signal = await add(own)
    message = await receive(socket)
    assert (message["type"], message["id"]) == ("next", "1")
    told = message["payload"]["data"]["changes"]
    assert (told["id"], told["op"], told["version"], told["hub"]) == (signal["id"], "upsert", 1, {"slug": "groningen"})
    assert told["signal"] == {"title": signal["title"], "version": 1}
    await socket.close()
    await until(lambda: waiting(house) == 0)
    await patch(own, signal["id"], {"peopleCount": 4})
    socket = await subscribe(served, house.tokens["own-hub"], told["cursor"])
    again = (await receive(socket))["payload"]["data"]["changes"]
    assert (again["id"], again["version"]) == (signal["id"], 2)
    await send(socket, type="complete", id="1")
    await until(lambda: waiting(house) == 0)
    await socket.close()


async def test_a_token_may_come_in_the_header_and_a_wrong_one_is_refused(house, served):
    socket = await start(served, headers={"authorization": f"Bearer {house.tokens['own-hub']}"})
    assert (await receive(socket))["type"] == "connection_ack"
    await send(socket, type="subscribe", id="1", payload={"query": CHANGES})
    first = (await receive(socket))["payload"]["data"]["changes"]
    assert first["type"] == "hub"
    await socket.close()
    for payload in ({"Authorization": "Bearer kp_wrong"}, {"authorization": "Basic x"}, {"authorization": 5}):
        socket = await start(served, payload)
        await socket.wait_closed()
        assert socket.close_code == 4403


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription { changes { nonsense } }", "invalid-document"),
        ("subscription { changes {", "syntax-error"),
        ("{ hubs { nodes { slug } } }", "subscriptions-only"),
        ('mutation { deleteSignal(id: "01890000-0000-7000-8000-000000000000", version: 1) { id } }', "subscriptions-only"),
        ('subscription { changes(cursor: "made.up") { id } }', "invalid-cursor"),
        ('subscription { changes(types: ["nothing"]) { id } }', "invalid-input"),
        ("subscription { changes { hub { " + "frontrunner { " * 30 + "slug" + " }" * 30 + " } } }", "limit-depth"),
        ("subscription { changes { " + " ".join(f"a{n}: id" for n in range(60)) + " } }", "limit-aliases"),
    ],
    ids=lambda value: value[:30],
)  # fmt: skip
async def test_what_cannot_be_subscribed_to_is_refused_in_our_own_words(served, query, code):
    socket = await start(served)
    await receive(socket)
    await send(socket, type="subscribe", id="x", payload={"query": query})
    message = await receive(socket)
    errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
    assert errors[0]["extensions"]["code"] == code
    await socket.close()


async def test_a_socket_has_limits(served, house):
    async with served.client() as anyone:
        query = f'subscription {{ changes(cursor: "{await end_of(anyone)}") {{ id }} }}'
    socket = await start(served)
    await receive(socket)
    for number in range(12):
        await send(socket, type="subscribe", id=str(number), payload={"query": query})
    messages = [await receive(socket) for _ in range(2)]
    assert {message["type"] for message in messages} == {"error"}
    await socket.close()
    await until(lambda: waiting(house) == 0)
    socket = await start(served)
    await receive(socket)
    await socket.send("no JSON")
    await socket.wait_closed()
    assert socket.close_code == 4400


async def test_nothing_else_takes_a_socket(served):
    with pytest.raises(Exception, match="403"):
        await connect(served.address.replace("http", "ws") + "/v1/changes", proxy=None)
    socket = await connect(served.address.replace("http", "ws") + "/graphql", proxy=None)
    await socket.wait_closed()
    assert socket.close_code == 4406


class NobodyLeft:
    left = False

    async def __aexit__(self, *_):
        pass


async def test_who_reads_a_stream_slowly_gets_the_next_page_when_he_took_the_one_before():
    read = 0

    async def pages():
        nonlocal read
        while read < 5:
            read += 1
            yield Page(b"", 1, "c", more=True, seen=(1, 1, 0), entries=(Entry("{}", f"c{read}"),))

    taken, room = [], asyncio.Semaphore(0)

    async def send(message):
        if message.get("more_body"):
            await room.acquire()
        taken.append(message.get("body", b""))

    source = pages()
    first = await anext(source)
    stream = EventStream(first, source, NobodyLeft(), bodiless=False)
    running = asyncio.create_task(stream({"type": "http"}, None, send))
    for step in range(1, 5):
        for _ in range(20):
            await asyncio.sleep(0)
        assert read == step, "no page is read ahead of the reader"
        room.release()
    room.release()
    await running
    assert b"".join(taken).count(b"event: change") == 5
