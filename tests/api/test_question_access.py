"""Who sees what of questions: every status, visibility and mix of hubs, at both doors, against the pure policy."""

from __future__ import annotations

import asyncio
import itertools
import re
import uuid
from dataclasses import dataclass

import asyncpg
import pytest

from app.domain.access import Actor, SharedQuestion, may_see_question
from tests.signal_cases import NOBODY

ACTORS = {
    "own-hub": Actor("hub", "groningen"), "other-hub": Actor("hub", "limburg"), "umbrella": Actor("umbrella", None, "mind"),
    "national": Actor("national"), "admin": Actor("admin"), "outsider": Actor(),
}  # fmt: skip
HUBS = {"groningen": 1, "limburg": 9, "utrecht": 7}
UMBRELLA = {"psychische-kwetsbaarheid": "mind", "inclusie": "iederin"}
MARK = re.compile(r"qk[a-j]+z[a-z]+")
PLACES = ("title", "words", "cell", "reason", "outcome", "compensation", "note", "change", "link")


@dataclass(frozen=True)
class Case:
    id: uuid.UUID
    number: int
    hubs: tuple
    invited: tuple
    status: str
    visibility: str
    field: str

    def word(self, place):
        return f"qk{''.join('abcdefghij'[int(digit)] for digit in str(self.number))}z{place}"

    @property
    def shared(self):
        opened = self.status not in ("draft", "cancelled")
        return SharedQuestion(
            frozenset(self.hubs), self.visibility, opened, frozenset(self.invited), frozenset({UMBRELLA[self.field]})
        )

    def allowed(self, actor):
        if not may_see_question(actor, self.shared):
            return set()
        return {self.word(place) for place in ("title", "words", "cell", "reason", "outcome", "compensation")}

    def history(self, actor):
        return {self.word("note"), self.word("change")} if actor.role == "hub" and actor.hub in self.hubs else set()


CASES = [
    Case(uuid.UUID(int=(0x0191 << 112) | (7 << 76) | (2 << 62) | number), number, *parts[0], *parts[1:])
    for number, parts in enumerate(
        itertools.product(
            [(("groningen",), ()), (("limburg",), ("groningen",)), (("utrecht", "groningen"), ()), (("utrecht",), ())],
            ("draft", "open", "followed-up", "cancelled"), ("hub", "network", "public"),
            ("psychische-kwetsbaarheid", "inclusie"),
        )
    )
]  # fmt: skip


async def _write(owner, case):
    w = case.word
    await owner.execute(
        """insert into question (id, hub_id, hubs, invited, readers, title, description, origin, scope, region_ids, themes,
          workfields, workfields_source, levels, cells, imbalance_reason, balance, compensation, status, outcome, visibility,
          opened_at, search)
        select $1, $2, $3, $4, '{}', $5, $6, 'life-world', 'broad', array[r.id], '{wachttijden}', array[$7], 'given',
          '{"ladder": "landelijk", "intended": null, "agreed": null, "achieved": null, "explanation": null, "confirmed": false}',
          jsonb_build_array(jsonb_build_object('place', 0, 'phase', 'uitvoering', 'role', 'partner', 'activity', $8::text,
            'groups', '[]'::jsonb, 'on', null, 'realised', false, 'held_by_hub', false)), $9,
          '{"state": "unknown", "basis": "wanted", "missing_sides": [], "missing_forms": [], "missing_workfields": [],
            "missing_groups": [], "groups_without_influence": [], "phases_without_influence": [], "over_recruited": []}',
          jsonb_build_object('offered', true, 'what', $10::text), $11,
          jsonb_build_object('input_summary', $12::text, 'decision', 'x', 'explanation', 'x', 'inputs', '[]'::jsonb,
            'impact', null, 'impact_checks', '[]'::jsonb, 'told_back', '[]'::jsonb, 'decided_on', null), $13,
          case when $14 then now() end, setweight(to_tsvector('dutch', $5), 'A') || to_tsvector('dutch', $6)
        from region r where r.code = 'GG2014'""",
        case.id, HUBS[case.hubs[0]], [HUBS[hub] for hub in case.hubs], [HUBS[hub] for hub in case.invited],
        f"Wachten op hulp {w('title')}", f"Mensen wachten {w('words')}", case.field, w("cell"), w("reason"),
        w("compensation"), case.status, w("outcome"), case.visibility, case.shared.opened,
    )  # fmt: skip
    await owner.execute(
        """insert into question_history (question_id, version, readers, action, role, note, changes)
        values ($1, 1, $2, 'created', 'hub', $3, jsonb_build_object('title', $4::text))""",
        case.id, [HUBS[hub] for hub in case.hubs], w("note"), w("change"),
    )  # fmt: skip
    await owner.execute(
        """insert into question_signal (question_id, signal_id, audience, readers)
        select $1, id, 0, '{}' from signal where external_id = 'demo-0001'""",
        case.id,
    )


@pytest.fixture(scope="module")
async def house(fresh, running):
    addresses = await asyncio.to_thread(fresh, "question_access")
    owner = await asyncpg.connect(addresses.owner)
    for case in CASES:
        await _write(owner, case)
    await owner.close()
    async with running(addresses) as house:
        yield house


def words(text):
    return set(MARK.findall(text))


def allowed(who):
    return set().union(*(case.allowed(ACTORS[who]) | case.history(ACTORS[who]) for case in CASES))


FIELDS = "fields=id,title,description,matrix,mix,outcome,compensation,history.note,history.changes,highlight"


def test_the_cast_sees_some_and_not_all():
    for who, actor in ACTORS.items():
        seen = sum(may_see_question(actor, case.shared) for case in CASES)
        assert 0 < seen < len(CASES), who


@pytest.mark.parametrize("who", ACTORS)
async def test_a_question_shows_exactly_what_the_policy_says(as_, who):
    actor = ACTORS[who]
    async with as_(who) as client:
        for case in CASES:
            response = await client.get(f"/v1/questions/{case.id}?{FIELDS}")
            seen = may_see_question(actor, case.shared)
            assert response.status_code == (200 if seen else 404), case
            assert words(response.text) == case.allowed(actor) | (case.history(actor) if seen else set()), case
            history = await client.get(f"/v1/questions/{case.id}/history")
            assert history.status_code == (200 if case.history(actor) else 404), case
            assert words(history.text) == case.history(actor), case
            for part in ("matrix", "matrix?format=csv", "matrix?format=html", "related-signals"):
                response = await client.get(f"/v1/questions/{case.id}/{part}")
                assert response.status_code == (200 if seen else 404), (case, part)
                assert words(response.text) <= case.allowed(actor), (case, part)


@pytest.mark.parametrize("who", ACTORS)
async def test_lists_have_what_may_be_read_and_nothing_else(as_, who):
    actor = ACTORS[who]
    async with as_(who) as client:
        for query in (
            "",
            "&sort=-updatedAt",
            "&theme=toegang-en-kwaliteit",
            "&region=GG2014",
            "&origin=life-world",
            "&q=wachten",
        ):
            text, address = "", f"/v1/questions?limit=40&expand=matrix,mix,outcome{query}"
            while address:
                page = await client.get(address)
                assert page.status_code == 200, page.text
                text, address = text + page.text, page.json()["next"]
            assert words(text) == set().union(*(case.allowed(actor) for case in CASES)), query


@pytest.mark.parametrize("who", ACTORS)
@pytest.mark.parametrize(
    "query",
    [
        *(f"status={status}" for status in ("draft", "open", "followed-up", "cancelled")),
        *(f"visibility={way}" for way in ("hub", "network", "public")), "hub=groningen", "hub=limburg", "hub=utrecht",
        "workfield=inclusie", "workfield=werkveldoverstijgend", "level=raadplegen", "scope=broad",
        "updatedSince=2020-01-01T00:00:00Z", "expand=history,signals,relatedSignals",
    ],
)  # fmt: skip
async def test_no_filter_or_edge_shows_more(as_, who, query):
    async with as_(who) as client:
        response = await client.get(f"/v1/questions?limit=50&{query}")
    assert response.status_code == 200, response.text
    assert words(response.text) <= allowed(who)


@pytest.mark.parametrize("who", ACTORS)
async def test_a_search_finds_by_words_that_may_be_read_alone(as_, who):
    actor = ACTORS[who]
    async with as_(who) as client:
        for case in CASES[::3]:
            for place in ("title", "words"):
                found = (await client.get("/v1/questions", params={"q": case.word(place)})).json()["items"]
                assert bool(found) == may_see_question(actor, case.shared), case
            for place in ("cell", "note", "change", "outcome"):
                assert (await client.get("/v1/questions", params={"q": case.word(place)})).json()["items"] == []


@pytest.mark.parametrize("who", ACTORS)
async def test_a_signal_shows_the_questions_that_may_be_seen_alone(as_, who):
    async with as_(who) as client:
        signal = (await client.get("/v1/signals?hub=groningen&sort=createdAt&limit=200&fields=id,externalId")).json()[
            "items"
        ]
        mine = next(item["id"] for item in signal if item["externalId"] == "demo-0001")
        expected = {str(case.id) for case in CASES if may_see_question(ACTORS[who], case.shared)}
        found = {item["id"] for item in (await client.get(f"/v1/signals/{mine}/questions")).json()["items"]}
        assert found & {str(case.id) for case in CASES} == expected
        response = await client.get(f"/v1/signals/{mine}/related-questions")
        assert words(response.text) <= allowed(who)
        query = f'{{ signal(id: "{mine}") {{ questions {{ title outcome {{ inputSummary }} }} relatedQuestions {{ question {{ title }} }} }} }}'
        assert words((await client.post("/graphql", json={"query": query})).text) <= allowed(who)


@pytest.mark.parametrize("who", ACTORS)
async def test_not_there_and_not_yours_look_the_same(as_, who):
    actor = ACTORS[who]
    hidden = next(case for case in CASES if not may_see_question(actor, case.shared) and not case.history(actor))
    async with as_(who) as client:
        for part in ("", "?expand=history", "/history", "/matrix", "/related-signals"):
            answers = [await client.get(f"/v1/questions/{found}{part}") for found in (hidden.id, NOBODY)]
            assert [answer.status_code for answer in answers] == [404, 404]
            assert answers[0].content == answers[1].content
        queries = [f'{{ question(id: "{found}") {{ title history {{ note }} }} }}' for found in (hidden.id, NOBODY)]
        first, second = [await client.post("/graphql", json={"query": query}) for query in queries]
        assert first.content == second.content


SHOWN = (
    "id title description matrix { cells { activity phase { code label } role { code } } } mix { imbalanceReason } "
    "compensation { what } outcome { inputSummary } history { note changes } signals { title } levels { ladder { code } } "
    "hubs { slug } invited { slug } regions { code } balance { state missingGroups { code } phasesWithoutInfluence { code } }"
)


@pytest.mark.parametrize("who", ACTORS)
async def test_graphql_shows_the_same(as_, who):
    actor = ACTORS[who]
    async with as_(who) as client:
        text, after = "", None
        while True:
            query = "query ($a: String) { questions(first: 20, after: $a) { nodes { %s } pageInfo { endCursor hasNextPage } } }"
            response = await client.post("/graphql", json={"query": query % SHOWN, "variables": {"a": after}})
            found = response.json()
            assert "errors" not in found, found
            text += response.text
            after = found["data"]["questions"]["pageInfo"]["endCursor"]
            if not found["data"]["questions"]["pageInfo"]["hasNextPage"]:
                break
    assert words(text) == set().union(
        *(case.allowed(actor) | (case.history(actor) if case.allowed(actor) else set()) for case in CASES)
    )
