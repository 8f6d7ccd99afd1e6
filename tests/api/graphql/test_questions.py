"""Questions through GraphQL: the same life, parts, hubs and refusals as through REST."""

from __future__ import annotations

import pytest

from app.api.rest.picks import picks
from app.api.rest.question_models import QUESTION
from tests import signal_cases
from tests.question_cases import OUTCOME
from tests.signal_cases import letters


@pytest.fixture
def house(writing_house):
    return writing_house


async def ask(client, query, **variables):
    response = await client.post("/graphql", json={"query": query, "variables": variables})
    assert response.status_code == 200, response.text
    return response.json()


def written(shown):
    return " ".join(p.key + (f" {{ {written(p.picks)} }}" if p.picks else "") for p in shown)


async def made(client, **changes):
    question = {"title": f"Zorg {letters()}", "themes": ["wachttijden"], "regions": ["GG2014"]} | changes
    found = await ask(
        client, "mutation ($q: NewQuestion!) { createQuestion(question: $q) { question { id version } } }", q=question
    )
    return found["data"]["createQuestion"]["question"]


async def test_a_question_lives_from_draft_to_followed_up(as_):
    async with as_("own-hub") as own, as_("other-hub") as other:
        one = await made(own, levels={"intended": "meewerken", "agreed": "meewerken"}, period={"from": "2026-01-01"})
        id_ = one["id"]

        async def change(field, arguments, types, **variables):
            query = f"mutation ($id: UUID!, {types}) {{ it: {field}(id: $id, {arguments}) {{ question {{ version status }} }} }}"
            found = await ask(own, query, id=id_, **variables)
            assert "errors" not in found, found
            return found["data"]["it"]["question"]

        now = await change(
            "putQuestionMatrix", "version: $v, cells: $c", "$v: Int!, $c: [CellInput!]!", v=1,
            c=[{"phase": "uitvoering", "role": "partner", "groups": ["jongeren"], "heldByHub": True}],
        )  # fmt: skip
        now = await change(
            "putQuestionMix", "version: $v, groups: $g", "$v: Int!, $g: [MixGroupInput!]!", v=now["version"],
            g=[{"group": "jongeren", "wanted": 3, "recruited": 4}],
        )  # fmt: skip
        await change("putQuestionHub", "hub: $h", "$h: String!", h="limburg")
        joined = (
            'mutation ($id: UUID!) { putQuestionHub(id: $id, hub: "limburg") { question { version hubs { slug } } } }'
        )
        found = (await ask(other, joined, id=id_))["data"]["putQuestionHub"]["question"]
        assert [hub["slug"] for hub in found["hubs"]] == ["groningen", "limburg"]
        for to in ("open", "recruiting", "in-progress"):
            found = await change(
                "transitionQuestion", "version: $v, to: $t", "$v: Int!, $t: String!", v=found["version"], t=to
            )
        found = await change(
            "putQuestionOutcome", "version: $v, outcome: $o", "$v: Int!, $o: OutcomeChange!", v=found["version"],
            o=OUTCOME | {"impactChecks": [{"on": "2026-01-01", "finding": "Goed."}]},
        )  # fmt: skip
        found = await change(
            "transitionQuestion", "version: $v, to: $t", "$v: Int!, $t: String!", v=found["version"], t="concluded"
        )
        found = await change(
            "updateQuestion", "version: $v, changes: $c", "$v: Int!, $c: QuestionChange!", v=found["version"],
            c={"levels": {"achieved": "raadplegen"}, "period": {"to": "2026-06-01"}, "methods": ["enquete"]},
        )  # fmt: skip
        signal = await signal_cases.verified(own)
        await change("linkSignal", "signal: $s", "$s: UUID!", s=signal["id"])
        await change("unlinkSignal", "signal: $s", "$s: UUID!", s=signal["id"])
        left = 'mutation ($id: UUID!) { removeQuestionHub(id: $id, hub: "limburg") { question { id } } }'
        assert "errors" not in await ask(other, left, id=id_)
        rest = (await own.get(f"/v1/questions/{id_}")).json()
        assert rest["period"] == {"from": "2026-01-01", "to": "2026-06-01"}
        shown = await ask(own, f"query ($id: UUID!) {{ question(id: $id) {{ {written(picks(QUESTION))} }} }}", id=id_)
        assert shown["data"]["question"] == rest
        history = await ask(own, "query ($id: UUID!) { questionHistory(question: $id) { nodes { action } } }", id=id_)
        assert [node["action"] for node in history["data"]["questionHistory"]["nodes"]] == [
            "created", "matrix", "mix", "invited", "joined", "open", "recruiting", "in-progress", "outcome", "concluded",
            "changed", "linked", "unlinked", "left",
        ]  # fmt: skip
        gone = await ask(
            own,
            "mutation ($id: UUID!, $v: Int!) { deleteQuestion(id: $id, version: $v) { id } }",
            id=id_,
            v=rest["version"],
        )
        assert gone["data"]["deleteQuestion"]["id"] == id_


async def test_a_refusal_has_the_code_that_rest_gives(as_):
    async with as_("own-hub") as own, as_("other-hub") as other:
        one = await made(own)
        cases = [
            (own, 'transitionQuestion(id: $id, version: 1, to: "concluded") { question { id } }', "transition-not-allowed"),
            (own, 'transitionQuestion(id: $id, version: 9, to: "open") { question { id } }', "stale-version"),
            (own, 'updateQuestion(id: $id, version: 1, changes: {levels: {achieved: "meewerken"}}) { question { id } }', "achieved-too-early"),
            (own, "updateQuestion(id: $id, version: 1, changes: {title: null}) { question { id } }", "invalid-input"),
            (own, 'putQuestionMatrix(id: $id, version: 1, cells: [{phase: "x", role: "y"}]) { question { id } }', "invalid-input"),
            (own, 'linkSignal(id: $id, signal: "01890000-0000-7000-8000-000000000000") { question { id } }', "not-found"),
            (other, 'transitionQuestion(id: $id, version: 1, to: "open") { question { id } }', "not-found"),
            (other, 'putQuestionHub(id: $id, hub: "limburg") { question { id } }', "not-found"),
        ]  # fmt: skip
        for client, field, code in cases:
            found = await ask(client, f"mutation ($id: UUID!) {{ {field} }}", id=one["id"])
            assert found["errors"][0]["extensions"]["code"] == code, field


async def test_a_key_makes_one_question(as_):
    async with as_("own-hub") as own:
        query = "mutation ($q: NewQuestion!, $k: String!) { createQuestion(question: $q, idempotencyKey: $k) { question { id } } }"
        variables = {
            "q": {"title": f"Zorg {letters()}", "themes": ["wachttijden"], "regions": ["GG2014"]},
            "k": letters(),
        }
        first, again = await ask(own, query, **variables), await ask(own, query, **variables)
        assert first["data"] == again["data"]
