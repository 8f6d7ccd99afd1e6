"""The desks of umbrellas and hubs: what waits for an answer, since when, and nothing of anybody else."""

from __future__ import annotations

import pytest

from tests.signal_cases import answer, verified

LATER = "2027-06-01"
FIELDS = "signal { id title hub { slug name } kind status } umbrella { code label } state respondBy overdue overdueDays forwardedAt respondedAt"


@pytest.fixture
def house(writing_house):
    return writing_house


@pytest.fixture
async def own(as_):
    async with as_("own-hub") as client:
        yield client


async def listed(client, **params):
    """Every item, over pages of 3."""
    found, response = [], await client.get("/v1/national/forwardings", params={"limit": 3, **params})
    while True:
        assert response.status_code == 200, response.text
        found += response.json()["items"]
        following = response.json()["next"]
        if following is None:
            return found
        response = await client.get(following)


def of(items, signal):
    return [item for item in items if item["signal"]["id"] == signal["id"]]


async def test_each_sees_its_own_desk_and_nothing_of_others(own, as_):
    shared = await verified(own, workfields=["psychische-kwetsbaarheid", "inclusie"])
    public = await verified(own, visibility="public", workfields=["inclusie"])
    async with as_("other-hub") as other:
        theirs = await verified(other, workfields=["psychische-kwetsbaarheid"], region="PV31")
        desk = await listed(other)
        assert {item["signal"]["hub"]["slug"] for item in desk} == {"limburg"}
        assert await listed(other, hub="groningen") == []
    mine = await listed(own)
    assert {item["signal"]["hub"]["slug"] for item in mine} == {"groningen"}
    assert [item["umbrella"]["code"] for item in of(mine, shared)] == ["iederin", "mind"]
    async with as_("umbrella") as mind:
        desk = await listed(mind)
        assert {item["umbrella"]["code"] for item in desk} == {"mind"}
        assert (len(of(desk, shared)), len(of(desk, public)), len(of(desk, theirs))) == (1, 0, 1)
        assert await listed(mind, umbrella="iederin") == []
        assert of(await listed(mind, hub="limburg"), theirs) == of(desk, theirs)
    async with as_("national") as national:
        desk = await listed(national)
        assert [len(of(desk, found)) for found in (shared, public, theirs)] == [2, 1, 1]
        assert of(await listed(national, umbrella="mind", hub="groningen"), shared)[0]["umbrella"]["code"] == "mind"
    for who in ("outsider", "admin"):
        async with as_(who) as client:
            assert await listed(client) == []


async def test_what_is_overdue_is_told_with_the_days_until_it_is_answered(own, as_):
    found = await verified(own, workfields=["psychische-kwetsbaarheid"])
    async with as_("umbrella") as mind:
        assert of(await listed(mind, overdue="true"), found) == []
        (item,) = of(await listed(mind, overdue="true", asOf=LATER), found)
        assert (item["overdue"], item["state"]) == (True, "forwarded")
        assert item["overdueDays"] > 0
        (fresh,) = of(await listed(mind), found)
        assert (fresh["overdue"], fresh["overdueDays"], fresh["respondBy"]) == (False, 0, item["respondBy"])
        await answer(mind, found["id"], state="acknowledged")
        assert of(await listed(mind, overdue="true", state="acknowledged", asOf=LATER), found)
        await answer(mind, found["id"], state="answered", response="Wij brengen dit in.")
        assert of(await listed(mind, overdue="true", asOf=LATER), found) == []
        (item,) = of(await listed(mind, overdue="false", state="answered", asOf=LATER), found)
        assert (item["overdue"], item["overdueDays"]) == (False, 0)


async def test_the_list_is_in_the_order_of_terms_and_the_same_through_both_doors(own):
    for _ in range(4):
        await verified(own, workfields=["psychische-kwetsbaarheid", "inclusie"])
    items = await listed(own, asOf=LATER, overdue="true")
    terms = [(item["respondBy"], item["signal"]["id"], item["umbrella"]["code"]) for item in items]
    assert terms == sorted(terms)
    assert len(set(terms)) == len(terms)
    nodes, after = [], None
    while True:
        query = f"""query ($after: String) {{ forwardings(first: 3, after: $after, filter: {{overdue: true}}, asOf: "{LATER}")
          {{ nodes {{ {FIELDS} }} pageInfo {{ endCursor hasNextPage }} }} }}"""
        page = (await own.post("/graphql", json={"query": query, "variables": {"after": after}})).json()["data"][
            "forwardings"
        ]
        nodes, after = nodes + page["nodes"], page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert nodes == items


@pytest.mark.parametrize(
    ("query", "filter", "code"),
    [
        ("umbrella=nobody", '{umbrella: "nobody"}', "unknown-code"),
        ("hub=nowhere", '{hub: "nowhere"}', "unknown-code"),
    ],
)
async def test_an_unknown_code_is_told_through_both_doors(own, query, filter, code):
    rest = await own.get(f"/v1/national/forwardings?{query}")
    assert (rest.status_code, rest.json()["errors"][0]["code"]) == (400, code)
    graphql = await own.post("/graphql", json={"query": f"{{ forwardings(filter: {filter}) {{ nodes {{ state }} }} }}"})
    assert graphql.json()["errors"][0]["extensions"]["errors"] == rest.json()["errors"]


@pytest.mark.parametrize("query", ["overdue=perhaps", "state=lost", "sort=title", "colour=red", "cursor=a.b"])
async def test_bad_input_is_refused(own, query):
    assert (await own.get(f"/v1/national/forwardings?{query}")).status_code == 400


async def test_a_cursor_of_one_desk_opens_no_other(own, as_):
    for _ in range(2):
        await verified(own, workfields=["psychische-kwetsbaarheid"])
    following = (await own.get("/v1/national/forwardings?limit=1")).json()["next"]
    async with as_("umbrella") as mind:
        assert (await mind.get(following)).json()["errors"][0]["code"] == "invalid-cursor"
