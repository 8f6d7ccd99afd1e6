"""Counts, trends and coverage over REST, and the same through GraphQL."""

from __future__ import annotations

import csv
import io

import pytest

from tests.signal_cases import PLAIN, codes, patch, step, verified

COUNTS = "/v1/national/signal-counts"
FIELDS = "theme { code label } workfield { code label } hub { slug name } region { code scheme name } kind period count apportioned per100k protected"


@pytest.fixture
def house(writing_house):
    return writing_house


@pytest.fixture
async def own(as_):
    async with as_("own-hub") as client:
        yield client


async def total(client, **params):
    response = await client.get(COUNTS, params=params)
    assert response.status_code == 200, response.text
    items = response.json()["items"]
    return items[0]["count"] if items else 0


@pytest.mark.parametrize(
    ("visibility", "workfields", "seen"),
    [
        ("public", ["psychische-kwetsbaarheid"], {"own-hub", "other-hub", "umbrella", "national", "admin", "outsider"}),
        ("network", ["psychische-kwetsbaarheid"], {"own-hub", "other-hub", "umbrella", "national"}),
        ("network", ["inclusie"], {"own-hub", "other-hub", "national"}),
        ("hub", ["psychische-kwetsbaarheid"], {"own-hub"}),
    ],
)
async def test_each_reader_counts_what_it_may_see_and_nothing_else(own, as_, visibility, workfields, seen):
    """A month and kind of its own for each case: others write too."""
    filters = {
        "from": "2019-02", "to": "2019-02", "theme": "personeelstekort", "hub": "groningen", "kind": "ervaring",
        "groupBy": "theme,hub,kind,period",
    }  # fmt: skip
    readers = ("own-hub", "other-hub", "umbrella", "national", "admin", "outsider")

    async def counted():
        found = {}
        for who in readers:
            async with as_(who) as client:
                found[who] = [
                    await total(client, **(filters | {"groupBy": by}))
                    for by in ("theme,hub,kind,period", "theme", "hub")
                ]
        return found

    before = await counted()
    await verified(
        own,
        visibility=visibility,
        workfields=workfields,
        themes=["personeelstekort"],
        kind="ervaring",
        heardOn="2019-02-03",
    )
    after = await counted()
    for who in readers:
        grown = {now - then for now, then in zip(after[who], before[who], strict=True)}
        if who in seen:
            assert grown == {1}, who
        elif (
            who not in ("admin", "outsider") or visibility == "hub"
        ):  # the public sees protected figures of the network: below
            assert grown == {0}, who


async def test_a_change_a_withdrawal_and_a_deletion_are_counted_at_once(own, as_):
    async with as_("national") as client:
        where = {"from": "2019-03", "to": "2019-04", "kind": "oplossing", "hub": "groningen"}
        before = await total(client, **where)
        one = await verified(own, kind="oplossing", heardOn="2019-03-05")
        two = await verified(own, kind="oplossing", heardOn="2019-04-05")
        assert await total(client, **where) == before + 2
        await patch(own, one["id"], {"heardOn": "2018-01-01"})
        assert await total(client, **where) == before + 1
        await step(own, two["id"], "withdrawn")
        assert await total(client, **where) == before
        await patch(own, one["id"], {"heardOn": "2019-03-01"})
        assert await total(client, **where) == before + 1
        await own.delete(f"/v1/signals/{one['id']}", headers={"if-match": "*"})
        assert await total(client, **where) == before


async def test_a_larger_region_is_spread_and_a_smaller_one_counts_whole(own, as_):
    async with as_("national") as client:
        where = {"from": "2019-05", "to": "2019-05", "kind": "behoefte", "hub": "groningen", "groupBy": "region"}
        for region in ("PV20", "GM0014"):
            await verified(own, kind="behoefte", heardOn="2019-05-05", region=region)
        items = (await client.get(COUNTS, params=where | {"scheme": "gemeente"})).json()["items"]
        by_code = {item["region"]["code"]: item for item in items}
        assert by_code["GM0014"]["count"] > 1
        assert 0 < by_code["GM0014"]["apportioned"] < 1
        others = [item for code, item in by_code.items() if code != "GM0014"]
        assert {item["apportioned"] for item in others} == {1}
        assert sum(item["count"] for item in items) == pytest.approx(2)
        whole = (await client.get(COUNTS, params=where | {"scheme": "landsdeel"})).json()
        assert [(item["region"]["code"], item["count"], item["apportioned"]) for item in whole["items"]] == [
            ("LD01", 2, 0)
        ]
        assert whole["edition"] == 2026
        region = (await client.get("/v1/regions/LD01")).json()
        assert whole["items"][0]["per100k"] == round(2 / region["population"] * 100_000, 2)


async def test_a_signal_with_two_themes_counts_in_both_and_once_in_the_main_theme_and_the_total(own, as_):
    async with as_("national") as client:
        where = {"from": "2019-06", "to": "2019-06", "kind": "goed-voorbeeld", "hub": "groningen"}
        await verified(own, kind="goed-voorbeeld", heardOn="2019-06-05", themes=["wachttijden", "personeelstekort"])
        items = (await client.get(COUNTS, params=where | {"groupBy": "theme"})).json()["items"]
        assert {item["theme"]["code"]: item["count"] for item in items} == {
            "toegang-en-kwaliteit": 1, "wachttijden": 1, "personeelstekort": 1}  # fmt: skip
        assert await total(client, **where) == 1


FAULTS = [
    ({"groupBy": "colour"}, {("groupBy", "unknown-grouping")}),
    ({"groupBy": "theme,theme"}, {("groupBy", "repeated-grouping")}),
    ({"groupBy": "region"}, {("scheme", "required")}),
    ({"scheme": "ggd-regio"}, {("scheme", "not-applicable")}),
    ({"groupBy": "region", "scheme": "nonsense"}, {("scheme", "unknown-scheme")}),
    ({"groupBy": "region", "scheme": "roaz-regio", "asOf": "2018-01-01"}, {("asOf", "date-before-first-edition")}),
    ({"asOf": "2001-01-01"}, {("asOf", "date-before-first-edition")}),
    ({"from": "2026-03", "to": "2026-02"}, {("from", "from-after-to")}),
    ({"from": "2026-13"}, {("from", "invalid-month")}),
    ({"from": "2026-02-30"}, {("from", "invalid-month")}),
    ({"from": "1999-01"}, {("from", "date-before-first-edition")}),
    ({"theme": "x", "workfield": "y", "hub": "z", "region": "XX1", "kind": "w", "to": "soon"},
     {("theme", "unknown-code"), ("workfield", "unknown-code"), ("hub", "unknown-code"), ("region", "unknown-code"),
      ("kind", "unknown-code"), ("to", "invalid-month")}),
    ({"region": "GM0003"}, {("region", "region-ended")}),
    ({"groupBy": "theme,region,period,hub,kind,workfield", "scheme": "gemeente"}, {("groupBy", "limit-cells")}),
    ({"period": "week"}, {("period", "unknown-code")}),
]  # fmt: skip


@pytest.mark.parametrize(("params", "faults"), FAULTS, ids=range(len(FAULTS)))
async def test_every_fault_of_a_question_is_told_at_once(api, params, faults):
    response = await api.get(COUNTS, params=params)
    assert response.status_code == 400
    assert {location for location, _ in codes(response)} == {location for location, _ in faults}
    if "period" not in params:
        assert codes(response) == faults


async def test_a_table_that_is_too_large_is_refused_with_a_cheaper_way(api):
    response = await api.get(COUNTS, params={"groupBy": "theme,region,period", "scheme": "gemeente"})
    detail = response.json()["errors"][0]["detail"]
    assert "100,000" in detail
    assert "period=year" in detail


QUESTIONS = [
    ("", ""),
    ("?groupBy=theme", "(groupBy: [THEME])"),
    (
        "?groupBy=region,kind&scheme=provincie&asOf=2022-01-01",
        '(groupBy: [REGION, KIND], scheme: "provincie", asOf: "2022-01-01")',
    ),
    (
        "?groupBy=period,workfield&period=quarter&from=2025-01",
        '(groupBy: [PERIOD, WORKFIELD], period: QUARTER, from: "2025-01")',
    ),
    ("?groupBy=hub&theme=wachttijden&region=LD01", '(groupBy: [HUB], filter: {theme: "wachttijden", region: "LD01"})'),
    ("?groupBy=region&scheme=participatiehub", '(groupBy: [REGION], scheme: "participatiehub")'),
]


@pytest.mark.parametrize("who", ["outsider", "own-hub", "umbrella", "national"])
@pytest.mark.parametrize(("address", "arguments"), QUESTIONS, ids=range(len(QUESTIONS)))
async def test_both_doors_and_csv_give_the_same_figures(as_, who, address, arguments):
    async with as_(who) as client:
        rest = (await client.get(COUNTS + address, headers=PLAIN)).json()["items"]
        graph = (await client.post("/graphql", json={"query": f"{{ signalCounts{arguments} {{ {FIELDS} }} }}"})).json()
        assert [
            {k: v for k, v in item.items() if v is not None or k == "per100k"} for item in graph["data"]["signalCounts"]
        ] == rest
        table = await client.get(COUNTS + address, headers=PLAIN | {"accept": "text/csv"})
        rows = list(csv.DictReader(io.StringIO(table.text)))
        assert [float(row["count"]) for row in rows] == [item["count"] for item in rest]
        assert {item["protected"] for item in rest} <= {who == "outsider"}


@pytest.mark.parametrize(
    ("address", "field"),
    [
        (f"{COUNTS}?groupBy=region", "signalCounts(groupBy: [REGION]) { count }"),
        (
            f"{COUNTS}?from=2026-03&to=2026-01&theme=x",
            'signalCounts(from: "2026-03", to: "2026-01", filter: {theme: "x"}) { count }',
        ),
        ("/v1/national/trends?to=2099-01", 'trends(to: "2099-01") { z }'),
        ("/v1/national/coverage?scheme=nonsense", 'coverage(scheme: "nonsense") { count }'),
    ],
    ids=range(4),
)
async def test_a_refusal_is_the_same_through_both_doors(api, address, field):
    rest = await api.get(address)
    graph = (await api.post("/graphql", json={"query": f"{{ {field} }}"})).json()
    assert rest.status_code == 400
    assert graph["errors"][0]["extensions"]["errors"] == rest.json()["errors"]


async def test_aliases_fragments_and_typenames_work_on_counts(api):
    query = "query { a: signalCounts(groupBy: [KIND]) { ...F t: __typename } } fragment F on SignalCount { soort: kind n: count }"
    found = (await api.post("/graphql", json={"query": query})).json()["data"]["a"]
    assert found
    assert {tuple(item) for item in found} == {("soort", "n", "t")}
    assert {item["t"] for item in found} == {"SignalCount"}


async def test_a_theme_that_rises_is_found_with_its_spread_and_the_signals_behind_it(own, as_):
    async with as_("other-hub") as other, as_("outsider") as outsider, as_("national") as national:
        for month in ("2020-09", "2020-10", "2020-11"):
            for client in (own, own, own, other):
                region = "GM0014" if client is own else "PV31"
                await verified(
                    client,
                    themes=["huisarts-en-eerstelijnszorg"],
                    heardOn=f"{month}-02",
                    visibility="public",
                    region=region,
                )
        for address in (
            "/v1/national/trends?to=2020-11",
            "/v1/national/trends?to=2020-11&theme=medische-zorg-en-behandeling",
        ):
            for client in (outsider, national):
                found = (await client.get(address)).json()
                assert found["recent"] == {"from": "2020-09", "to": "2020-11"}
                assert found["past"] == {"from": "2019-09", "to": "2020-08"}
                item = next(i for i in found["items"] if i["theme"]["code"] == "huisarts-en-eerstelijnszorg")
                assert item["recent"] >= 12
                assert item["hubCount"] == 2
                assert item["largestHubShare"] == 0.75
                assert item["z"] > 2.33
                assert 0 < len(item["signals"]) <= 5
        graph = await outsider.post(
            "/graphql",
            json={
                "query": '{ trends(to: "2020-11") { theme { code } z recent signals { id title heardOn hub { slug } } } }'
            },
        )
        rest = (await outsider.get("/v1/national/trends?to=2020-11")).json()["items"]
        assert [item["theme"]["code"] for item in graph.json()["data"]["trends"]] == [
            item["theme"]["code"] for item in rest
        ]


async def test_a_trend_shows_nobody_a_signal_that_is_not_his_to_see(own, as_):
    facts = {"themes": ["spreiding-van-voorzieningen"], "heardOn": "2021-03-02", "visibility": "hub"}
    mine = [await verified(own, **facts) for _ in range(8)]
    hidden = {signal["id"] for signal in mine}
    for who in ("own-hub", "other-hub", "umbrella", "national", "admin", "outsider"):
        async with as_(who) as client:
            found = (await client.get("/v1/national/trends?to=2021-03&months=1")).json()["items"]
            themes = {item["theme"]["code"] for item in found}
            assert ("spreiding-van-voorzieningen" in themes) == (who == "own-hub")
            shown = {signal["id"] for item in found for signal in item["signals"]}
            assert bool(shown & hidden) == (who == "own-hub")


async def test_coverage_names_every_region_and_why_it_is_silent(own, as_):
    async with as_("national") as client:
        await verified(own, heardOn="2017-03-02", region="GM0014")
        answer = (await client.get("/v1/national/coverage?scheme=provincie&from=2017-03&to=2017-03")).json()
        assert answer["period"] == {"from": "2017-03", "to": "2017-03"}
        items = {item["region"]["code"]: item for item in answer["items"]}
        assert len(items) == 12
        assert items["PV20"]["silent"] is None
        assert items["PV20"]["count"] >= 1
        assert "groningen" in {hub["slug"] for hub in items["PV20"]["hubs"]}
        assert items["PV29"]["silent"] == "no-signals"
        graph = (
            await client.post(
                "/graphql",
                json={
                    "query": '{ coverage(scheme: "provincie", from: "2017-03", to: "2017-03") { region { code } hubs { slug } count silent } }'
                },
            )
        ).json()
        assert {item["region"]["code"]: item["silent"] for item in graph["data"]["coverage"]} == {
            code: item["silent"] for code, item in items.items()
        }
        towns = (await client.get("/v1/national/coverage?scheme=gemeente")).json()["items"]
        assert len(towns) == 342
