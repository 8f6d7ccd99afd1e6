"""Who sees what of signals: every REST path and every GraphQL field, as each of the cast, against the pure policies.

Each text of each signal holds a word that is nowhere else, so that whatever an answer shows can be told from its text.
"""

from __future__ import annotations

import itertools
import re
import uuid
from dataclasses import dataclass

import asyncpg
import pytest

from app.domain.access import Actor, Shared, may_see_follow_up, may_see_forwarding, may_see_history, may_see_signal
from tests.signal_cases import NOBODY, PLAIN

ACTORS = {
    "own-hub": Actor("hub", "groningen"), "other-hub": Actor("hub", "limburg"), "umbrella": Actor("umbrella", None, "mind"),
    "national": Actor("national"), "admin": Actor("admin"), "outsider": Actor(),
}  # fmt: skip
HUBS = {"groningen": 1, "limburg": 9}
RECIPIENTS = ((), ("mind",), ("mind", "iederin"))
EVERYTHING = (
    "fields=id,title,description,forwardings.response,forwardings.reason,followUps.summary,history.note,history.changes"
)
MARK = re.compile(r"mk[a-j]+z[a-z]+")


@dataclass(frozen=True)
class Case:
    """A signal with its words: `word("title")` is in its title, and nowhere else."""

    id: uuid.UUID
    shared: Shared
    number: int

    def word(self, place):
        digits = "".join("abcdefghij"[int(digit)] for digit in str(self.number))
        return f"mk{digits}z{place}"

    def allowed(self, actor):
        """Every word of a representation that this actor may read."""
        if not may_see_signal(actor, self.shared):
            return set()
        places = {"title", "words"}
        for umbrella in self.shared.recipients:
            if may_see_forwarding(actor, self.shared, umbrella):
                places |= {f"answer{umbrella}", f"why{umbrella}"}
        places |= {
            f"done{way}" for way in ("open", "own") if may_see_follow_up(actor, self.shared, public=way == "open")
        }
        return {self.word(place) for place in places}

    def history(self, actor):
        return {self.word("note"), self.word("change")} if may_see_history(actor, self.shared.hub) else set()


def a_case(number, hub, status, visibility, recipients):
    return Case(
        uuid.UUID(int=(0x0190 << 112) | (7 << 76) | (2 << 62) | number),
        Shared(hub, visibility, status, frozenset(recipients)),
        number,
    )


CASES = [
    a_case(number, *parts)
    for number, parts in enumerate(
        itertools.product(
            HUBS, ("draft", "submitted", "verified", "closed", "withdrawn"), ("hub", "network", "public"), RECIPIENTS
        )
    )
]  # fmt: skip


async def _write(owner, case):
    shared, w = case.shared, case.word
    await owner.execute(
        """insert into signal (id, hub_id, external_id, kind, title, description, themes, workfields, workfields_source,
          region_id, heard_on, visibility, status, recipients, search)
        select $1::uuid, $2, 'case/' || $1::uuid, 'knelpunt', $3, $4, '{wachttijden}', 7, 'cross-cutting', r.id, '2026-03-05', $5, $6,
          coalesce((select bit_or(umbrella_bit(u)) from unnest($7::text[]) u), 0),
          setweight(to_tsvector('dutch', $3), 'A') || to_tsvector('dutch', $4) from region r where r.code = 'GG2014'""",
        case.id, HUBS[shared.hub], f"Wachten op hulp {w('title')}", f"Mensen wachten {w('words')}", shared.visibility,
        shared.status, list(shared.recipients),
    )  # fmt: skip
    for umbrella in shared.recipients:
        await owner.execute(
            "insert into forwarding values ($1, $2, 0, 0, 'answered', '2026-05-01', $3, $4)",
            case.id, umbrella, w(f"answer{umbrella}"), w(f"why{umbrella}"),
        )  # fmt: skip
    for way in ("open", "own"):
        await owner.execute(
            "insert into follow_up values ($1, $2, 0, 0, 'meeting', '2026-04-01', $3, $4)",
            uuid.uuid4(), case.id, w(f"done{way}"), way == "open",
        )  # fmt: skip
    await owner.execute(
        """insert into signal_history (signal_id, version, hub_id, action, role, note, changes)
        values ($1, 1, $2, 'created', 'hub', $3, jsonb_build_object('title', $4::text))""",
        case.id, HUBS[shared.hub], w("note"), w("change"),
    )  # fmt: skip


@pytest.fixture(scope="module")
async def house(fresh, running):
    import asyncio

    addresses = await asyncio.to_thread(fresh, "access")
    owner = await asyncpg.connect(addresses.owner)
    for case in CASES:
        await _write(owner, case)
    await owner.close()
    async with running(addresses) as house:
        yield house


def words(text):
    return set(MARK.findall(text))


def allowed(who):
    """Every word that this actor may read anywhere."""
    actor = ACTORS[who]
    return set().union(*(case.allowed(actor) | case.history(actor) for case in CASES))


@pytest.mark.parametrize("who", ACTORS)
async def test_a_signal_shows_exactly_what_the_policies_say(as_, who):
    actor = ACTORS[who]
    async with as_(who) as client:
        for case in CASES:
            response = await client.get(f"/v1/signals/{case.id}?{EVERYTHING}")
            assert response.status_code == (200 if may_see_signal(actor, case.shared) else 404), case
            expected = case.allowed(actor) | (case.history(actor) if response.status_code == 200 else set())
            assert words(response.text) == expected, case
            by_own_id = await client.get(f"/v1/hubs/{case.shared.hub}/signals/case%2F{case.id}?{EVERYTHING}")
            assert (by_own_id.status_code, words(by_own_id.text)) == (response.status_code, expected), case
            history = await client.get(f"/v1/signals/{case.id}/history")
            assert history.status_code == (200 if may_see_history(actor, case.shared.hub) else 404), case
            assert words(history.text) == case.history(actor), case


@pytest.mark.parametrize("who", ACTORS)
async def test_the_list_has_what_may_be_read_and_nothing_else(as_, who):
    actor = ACTORS[who]
    async with as_(who) as client:
        for query in (
            "",
            "&sort=-updatedAt",
            "&sort=heardOn",
            "&theme=toegang-en-kwaliteit",
            "&region=GG2014",
            "&workfield=inclusie",
        ):
            text, address = "", f"/v1/signals?limit=40{query}"
            while address:
                page = await client.get(address)
                text, address = text + page.text, page.json()["next"]
            assert words(text) == set().union(*(case.allowed(actor) for case in CASES)), query


@pytest.mark.parametrize("who", ACTORS)
@pytest.mark.parametrize(
    "query",
    [
        *(f"status={status}" for status in ("draft", "submitted", "verified", "closed", "withdrawn")),
        *(f"visibility={way}" for way in ("hub", "network", "public")), "hub=groningen", "hub=limburg", "kind=knelpunt",
        "updatedSince=2020-01-01T00:00:00Z", "q=wachten", "fields=title,history.note,forwardings.response,followUps.summary,similar.signal.title",
        "expand=history,similar",
    ],
)  # fmt: skip
async def test_no_filter_field_or_edge_shows_more(as_, who, query):
    async with as_(who) as client:
        response = await client.get(f"/v1/signals?limit=200&sort=createdAt&{query}")
    assert response.status_code == 200, response.text
    assert words(response.text) <= allowed(who)


@pytest.mark.parametrize("who", ACTORS)
async def test_a_search_finds_by_words_that_may_be_read_alone(as_, who):
    actor = ACTORS[who]
    async with as_(who) as client:
        for case in CASES[:: 3 if who == "own-hub" else 4]:
            for place in ("title", "words"):
                found = (await client.get("/v1/signals", params={"q": case.word(place)})).json()["items"]
                assert bool(found) == may_see_signal(actor, case.shared), case
            for place in ("answermind", "whymind", "donown", "note", "change"):
                assert (await client.get("/v1/signals", params={"q": case.word(place)})).json()["items"] == []


@pytest.mark.parametrize("who", ACTORS)
async def test_what_is_similar_is_shown_of_what_may_be_read_alone(as_, who):
    actor, seen = ACTORS[who], 0
    async with as_(who) as client:
        for case in CASES[::2]:
            response = await client.get(f"/v1/signals/{case.id}/similar")
            assert response.status_code == (200 if may_see_signal(actor, case.shared) else 404), case
            assert words(response.text) <= allowed(who)
            seen += len(words(response.text))
    assert seen, "the test would pass where nothing is ever similar"


@pytest.mark.parametrize("who", ACTORS)
async def test_not_there_and_not_yours_look_the_same(as_, who):
    actor = ACTORS[who]
    hidden = next(case for case in CASES if not may_see_signal(actor, case.shared) and not case.history(actor))
    async with as_(who) as client:
        for part in ("", "?expand=history", "?fields=title", "/history", "/similar"):
            for headers in ({}, {"if-none-match": "*"}):
                answers = [
                    await client.get(f"/v1/signals/{signal_id}{part}", headers=headers) for signal_id in (hidden.id, NOBODY)
                ]  # fmt: skip
                assert [answer.status_code for answer in answers] == [404, 404]
                assert answers[0].content == answers[1].content
                assert sorted(set(answers[0].headers) ^ set(answers[1].headers)) == []
        queries = [
            f'{{ signal(id: "{signal_id}") {{ title forwardings {{ response }} }} }}' for signal_id in (hidden.id, NOBODY)
        ]  # fmt: skip
        first, second = [await client.post("/graphql", json={"query": query}) for query in queries]
        assert first.content == second.content


async def test_every_path_that_reads_shows_nobody_more_than_he_may_see(as_):
    samples = {
        "code": "GG2014", "slug": "groningen", "scheme": "provincie", "fromScheme": "gemeente", "toScheme": "provincie",
        "from": "provincie", "to": "landsdeel",
    }  # fmt: skip
    hidden = [case.id for case in CASES if case.shared.status in ("draft", "withdrawn")][:2]
    for who in ACTORS:
        async with as_(who) as client:
            paths = (await client.get("/v1/openapi.json")).json()["paths"]
            reading = [f"/v1{path}" for path, item in paths.items() if "get" in item and not path.endswith("/stream")]
            assert {path for path in reading if "signals" in path} == {
                "/v1/signals", "/v1/signals/{id}", "/v1/signals/{id}/history", "/v1/signals/{id}/similar",
                "/v1/hubs/{slug}/signals/{externalId}",
                # With questions, in test_question_access.py.
                "/v1/signals/{id}/questions", "/v1/signals/{id}/related-questions", "/v1/questions/{id}/related-signals",
            }, "a new path: give it a test of its own above"  # fmt: skip
            for path in [*reading, "/", "/metrics", "/v1/openapi.json"]:
                for signal_id in hidden if "{id}" in path else hidden[:1]:
                    address = re.sub(
                        r"\{(\w+)\}", lambda m, i=signal_id: str(i) if m[1] == "id" else samples.get(m[1], "x"), path
                    )
                    response = await client.get(address)
                    assert response.status_code < 500, address
                    assert words(response.text) <= allowed(who), address


@pytest.mark.parametrize("who", ACTORS)
async def test_the_change_log_leads_to_exactly_what_the_policies_say(as_, who):
    actor = ACTORS[who]
    async with as_(who) as client:
        found, seen, cursor = {}, "", None
        while True:
            params = {"types": "signal", "limit": 500, "expand": "resource"} | ({"cursor": cursor} if cursor else {})
            response = await client.get("/v1/changes", params=params)
            page = response.json()
            seen += response.text
            found |= {item["id"]: item for item in page["items"]}
            cursor = page["cursor"]
            if not page["more"]:
                break
    assert words(seen) == set().union(*(case.allowed(actor) for case in CASES))
    for case in CASES:
        item = found.get(str(case.id))
        assert (item is not None and item["op"] == "upsert") == may_see_signal(actor, case.shared), case
        assert item is None or item["resource"] is not None


async def test_a_cursor_of_another_actor_is_refused(as_):
    cursors = {}
    for who in ACTORS:
        async with as_(who) as client:
            cursors[who] = (await client.get("/v1/signals?limit=1")).json()["next"]
    for who, other in itertools.product(ACTORS, ACTORS):
        async with as_(who) as client:
            response = await client.get(cursors[other])
            assert response.status_code == (200 if who == other else 400), (who, other)


async def test_a_tag_of_one_actor_saves_no_other_from_reading_anew(as_):
    public = next(
        case
        for case in CASES
        if case.allowed(ACTORS["outsider"]) and case.shared.recipients and case.shared.hub == "groningen"
    )
    for first, second in itertools.permutations(ACTORS, 2):
        async with as_(first) as one, as_(second) as other:
            for address in (f"/v1/signals/{public.id}", "/v1/signals?limit=200&sort=createdAt"):
                mine = await one.get(address, headers=PLAIN)
                theirs = await other.get(address, headers=PLAIN | {"if-none-match": mine.headers["etag"]})
                if theirs.status_code == 304:
                    same = await other.get(address, headers=PLAIN)
                    assert same.content == mine.content
                else:
                    assert words(theirs.text) <= allowed(second)
                if second != "outsider":
                    assert theirs.headers["cache-control"] == "no-store"


# GraphQL


def _named(of):
    while of["ofType"]:
        of = of["ofType"]
    return of["name"]


ARGUMENTS = {
    "code": '"GG2014"', "slug": '"groningen"', "hub": '"groningen"', "scheme": '"provincie"', "from": '"provincie"', "to": '"landsdeel"',
    "fromScheme": '"gemeente"', "toScheme": '"provincie"', "postcode": '"9711"',
}  # fmt: skip

UNKNOWN = '"x"'


def _call(field, signal_id):
    given = []
    for argument in field["args"]:
        if argument["name"] in ("id", "signal"):
            given.append(f'{argument["name"]}: "{signal_id}"')
        elif argument["name"] == "externalId":
            given.append(f'externalId: "case/{signal_id}"')
        elif argument["name"] == "first":
            given.append("first: 3")
        elif argument["type"]["kind"] == "NON_NULL" and argument["defaultValue"] is None:
            given.append(f"{argument['name']}: {ARGUMENTS.get(argument['name'], UNKNOWN)}")
    return field["name"] + (f"({', '.join(given)})" if given else "")


def _selected(types, name, depth, signal_id):
    parts = []
    for field in types[name]["fields"]:
        inner = _named(field["type"])
        if types[inner]["kind"] in ("SCALAR", "ENUM"):
            parts.append(_call(field, signal_id))
        elif depth > 1:
            parts.append(f"{_call(field, signal_id)} {{ {_selected(types, inner, depth - 1, signal_id)} }}")
    return " ".join(parts) or "__typename"


INTROSPECTION = """{ __schema { queryType { name } types { name kind fields { name
  type { name kind ofType { name kind ofType { name kind ofType { name kind ofType { name kind } } } } }
  args { name defaultValue type { name kind ofType { name kind } } } } } } }"""


async def _types(client):
    schema = (await client.post("/graphql", json={"query": INTROSPECTION})).json()["data"]["__schema"]
    return {type_["name"]: type_ for type_ in schema["types"]}, schema["queryType"]["name"]


@pytest.mark.parametrize("who", ACTORS)
async def test_no_graphql_field_shows_anybody_more_than_he_may_see(as_, who):
    asked, seen = 0, set()
    async with as_(who) as client:
        types, root = await _types(client)
        for field in types[root]["fields"]:
            name, deepest = _named(field["type"]), 5
            for case in (
                CASES[::5] if any(a["name"] in ("id", "signal", "externalId") for a in field["args"]) else CASES[:1]
            ):
                for depth in range(deepest, 0, -1):  # as deep as the limits allow
                    query = f"{{ {_call(field, case.id)} {{ {_selected(types, name, depth, case.id)} }} }}"
                    response = await client.post("/graphql", json={"query": query})
                    assert response.status_code == 200 or depth > 1, (field["name"], response.text)
                    if response.status_code == 200 and "limit" not in response.text[:300]:
                        deepest = depth
                        break
                assert words(response.text) <= allowed(who), field["name"]
                seen |= words(response.text)
                asked += 1
    assert asked > 40
    assert seen, "the walk reaches signals"


@pytest.mark.parametrize("who", ACTORS)
async def test_graphql_shows_exactly_what_the_policies_say_also_nested_and_side_by_side(as_, who):
    actor = ACTORS[who]
    parts = "title description forwardings { response reason } followUps { summary } history { note changes }"
    async with as_(who) as client:
        for some in (
            itertools.batched(CASES, 10)
            if hasattr(itertools, "batched")
            else [CASES[i : i + 10] for i in range(0, len(CASES), 10)]
        ):
            fields = " ".join(f's{case.number}: signal(id: "{case.id}") {{ {parts} }}' for case in some)
            data = (await client.post("/graphql", json={"query": f"{{ {fields} }}"})).json()["data"]
            for case in some:
                expected = case.allowed(actor) | (case.history(actor) if may_see_signal(actor, case.shared) else set())
                assert words(str(data[f"s{case.number}"])) == expected, case
                assert (data[f"s{case.number}"] is None) == (not may_see_signal(actor, case.shared))
        query = """{ signals(first: 100) { nodes { similar { signal { title forwardings { response } followUps { summary }
          history { note } similar { signal { title } } } } } } hubs(first: 2) { nodes { slug } } }"""
        response = await client.post("/graphql", json={"query": query})
        assert words(response.text) <= allowed(who)


async def test_who_asks_after_another_on_the_same_connection_sees_his_own(as_):
    """The pool resets nothing: every statement brings its own reader."""
    order = ["own-hub", "outsider", "national", "umbrella", "outsider", "other-hub", "admin"] * 5
    for who in order:
        async with as_(who) as client:
            rest = await client.get("/v1/signals?limit=200&sort=createdAt&fields=title,forwardings.response")
            graph = await client.post(
                "/graphql", json={"query": '{ signals(first: 200, sort: "createdAt") { nodes { title } } }'}
            )
            titles = {case.word("title") for case in CASES if may_see_signal(ACTORS[who], case.shared)}
            assert {word for word in words(rest.text) if word.endswith("ztitle")} == titles
            assert words(graph.text) == titles
