"""Questions for tests: what a hub sends, and the steps after it."""

from __future__ import annotations

from tests.signal_cases import PATCH, letters

STEPS = ("open", "recruiting", "in-progress", "concluded", "followed-up")
OUTCOME = {
    "inputSummary": "Mensen willen dichtbij terecht kunnen.",
    "decision": "Er komt een inloopspreekuur in de wijk.",
    "explanation": "Een tweede locatie bleek te duur.",
    "inputs": [
        {"source": "Wijkplatform", "taken": "yes"},
        {"source": "Ouderenbond", "taken": "no", "reason": "Te duur voor dit jaar."},
    ],
}


def a_question(**changes):
    """A question as own-hub sends it; each has its own title."""
    return {
        "title": f"Zorg voor kwetsbare ouderen {letters()}", "description": "Hoe houden we hulp dichtbij?",
        "themes": ["zelfstandig-ouder-worden"], "regions": ["GG2014"],
    } | changes  # fmt: skip


async def add(client, **changes):
    """Adds it and gives its representation."""
    response = await client.post("/v1/questions", json=a_question(**changes))
    assert response.status_code == 201, response.text
    return response.json()


async def step(client, question_id, to, match="*", **more):
    return await client.post(
        f"/v1/questions/{question_id}/transitions", json={"to": to, **more}, headers={"if-match": match}
    )


async def put(client, question_id, part, content, match="*"):
    headers = {} if match is None else {"if-match": match}
    return await client.put(f"/v1/questions/{question_id}/{part}", json=content, headers=headers)


async def put_bare(client, question_id, part, match=None):
    """A `PUT` without content: hubs and signals."""
    headers = {"content-type": "application/json"} | ({} if match is None else {"if-match": match})
    return await client.put(f"/v1/questions/{question_id}/{part}", headers=headers)


async def patch(client, question_id, content, match="*"):
    headers = PATCH | ({} if match is None else {"if-match": match})
    return await client.patch(f"/v1/questions/{question_id}", json=content, headers=headers)


async def brought_to(client, status, **changes):
    """Adds it and brings it to a status, with an outcome and an achieved level where those are needed."""
    levels = {"intended": "meewerken", "agreed": "meewerken"}
    found = await add(client, **{"levels": levels, **changes})
    for to in STEPS[: STEPS.index(status) + 1]:
        if to == "concluded":
            done = await put(client, found["id"], "outcome", OUTCOME)
            assert done.status_code == 200, done.text
        if to == "followed-up":
            done = await patch(client, found["id"], {"levels": {"achieved": "raadplegen"}})
            assert done.status_code == 200, done.text
        response = await step(client, found["id"], to)
        assert response.status_code == 200, response.text
        found = response.json()
    return found
