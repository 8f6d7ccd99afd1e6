"""The participation profile: what triggers add up is what the questions themselves say, for each reader."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import date
from statistics import median
from urllib.parse import urlsplit

import asyncpg
import pytest

from app.infra.migrating import migrate
from tests import signal_cases
from tests.question_cases import OUTCOME, add, brought_to, patch, put, put_bare, step

WHO = ("own-hub", "other-hub", "umbrella", "national", "admin", "outsider")


@pytest.fixture(scope="module")
async def house(fresh, running):
    async for found in _house(fresh, running):
        yield found


async def _house(fresh, running):
    addresses = await asyncio.to_thread(fresh, "profile")
    async with running(addresses) as house:
        async with house.client("own-hub") as own:
            await brought_to(own, "followed-up", visibility="hub")
            shared = await brought_to(own, "open", visibility="network", themes=["stigma"])
            await put_bare(own, shared["id"], "hubs/limburg")
            gone = await brought_to(own, "open", visibility="public")
            await own.delete(f"/v1/questions/{gone['id']}", headers={"if-match": "*"})
            cancelled = await brought_to(own, "recruiting", visibility="public")
            await step(own, cancelled["id"], "cancelled")
            linked = await brought_to(own, "in-progress", visibility="public")
            signal = await signal_cases.verified(own)
            await put_bare(own, linked["id"], f"signals/{signal['id']}")
            await put(
                own, linked["id"], "outcome", OUTCOME | {"toldBack": [{"on": "2026-03-01"}], "impact": "Minder reizen."}
            )
            await step(own, linked["id"], "concluded")
            await patch(own, linked["id"], {"levels": {"achieved": "regie-voeren"}})
        async with house.client("other-hub") as other:
            await put_bare(other, shared["id"], "hubs/limburg")
        yield house


async def everything(client):
    found, address = [], "/v1/questions?limit=20&expand=matrix,mix,outcome,signals"
    while address:
        page = (await client.get(address)).json()
        found, address = found + page["items"], page["next"]
    return [item for item in found if item["openedAt"] and item["status"] != "cancelled"]


async def profile(client, **params):
    response = await client.get("/v1/participation-profile", params=params)
    assert response.status_code == 200, response.text
    return response.json()["items"]


def expected(questions):
    """The figures by counting the questions themselves."""
    done = [q for q in questions if q["status"] in ("concluded", "followed-up")]
    told = [q for q in done if q["outcome"]["toldBack"]]
    mixed = [q for q in questions if q["balance"]["state"] != "unknown"]
    kept = Counter()
    for q in questions:
        promised = q["levels"]["agreed"] or q["levels"]["intended"]
        if promised and q["levels"]["achieved"]:
            kept[
                (q["levels"]["achieved"]["rank"] > promised["rank"])
                - (q["levels"]["achieved"]["rank"] < promised["rank"])
            ] += 1

    def share(part, whole):
        return round(len(part) / len(whole), 3) if whole else None

    return {
        "questionCount": len(questions), "concludedCount": len(done), "asPromised": kept[0], "lessThanPromised": kept[-1],
        "moreThanPromised": kept[1], "shareToldBack": share(told, done),
        "shareBalanced": share([q for q in mixed if q["balance"]["state"] in ("balanced", "deliberate")], mixed),
        "shareCompensated": share([q for q in questions if (q["compensation"] or {}).get("offered")], questions),
        "shareFromLifeWorld": share([q for q in questions if q["origin"] == "life-world"], questions),
    }  # fmt: skip


@pytest.mark.parametrize("who", WHO)
async def test_the_figures_are_those_of_the_questions_that_a_reader_sees(as_, who):
    async with as_(who) as client:
        questions = await everything(client)
        (whole,) = await profile(client)
        assert {name: whole[name] for name in expected(questions)} == expected(questions)
        assert whole["protected"] is (who not in ("own-hub", "other-hub", "national"))
        for moment in ("intended", "agreed", "achieved"):
            counted = Counter(q["levels"][moment]["code"] for q in questions if q["levels"][moment])
            assert {item["level"]["code"]: item[moment] for item in whole["levels"] if item[moment]} == counted
        found = {item["code"]: (item["count"], item["of"]) for item in whole["conditions"]}
        done = [q for q in questions if q["status"] in ("concluded", "followed-up")]
        cells = [cell for q in questions for cell in q["matrix"]["cells"]]
        assert found["mensen-zelf-aan-tafel"] == (sum(not cell["heldByHub"] for cell in cells), len(cells))
        assert found["transparantie"] == (sum(q["visibility"] == "public" for q in done), len(done))
        confirmed = [q for q in questions if q["stakeholder"] and q["levels"]["confirmed"]]
        assert found["verantwoordelijkheid-en-zeggenschap"] == (len(confirmed), len(questions))
        followed = [q for q in done if q["levels"]["achieved"] and q["outcome"]["impact"] and q["outcome"]["toldBack"]]
        assert found["impact-en-opvolging"] == (len(followed), len(done))
        if who == "own-hub":
            assert found["brug-leefwereld-systeemwereld"][0] == len([q for q in questions if q["signals"]])


@pytest.mark.parametrize("who", ["own-hub", "other-hub", "outsider"])
async def test_grouped_each_question_counts_in_everything_it_is_of(as_, who):
    async with as_(who) as client:
        questions = await everything(client)
        by_hub = {item["hub"]["slug"]: item["questionCount"] for item in await profile(client, groupBy="hub")}
        assert by_hub == Counter(hub["slug"] for q in questions for hub in q["hubs"])
        by_theme = {item["theme"]["code"]: item["questionCount"] for item in await profile(client, groupBy="theme")}
        assert by_theme == Counter(theme["code"] for q in questions for theme in q["themes"])
        fields = await profile(client, groupBy="workfield")
        named = [q for q in questions if q["workfieldsSource"] != "cross-cutting"]
        assert {i["workfield"]["code"]: i["questionCount"] for i in fields if i["workfield"]} == Counter(
            field["code"] for q in named for field in q["workfields"]
        )
        assert sum(i["questionCount"] for i in fields if i["crossCutting"]) == len(questions) - len(named)
        months = {item["period"]: item["questionCount"] for item in await profile(client, groupBy="period")}
        assert months == Counter(q["openedAt"][:7] for q in questions)
        years = {
            item["period"]: item["questionCount"] for item in await profile(client, groupBy="period", period="year")
        }
        assert years == Counter(q["openedAt"][:4] for q in questions)
        quarters = await profile(client, groupBy="period", period="quarter")
        assert sum(item["questionCount"] for item in quarters) == len(questions)
        assert all(item["period"][4:6] == "-Q" for item in quarters)


async def test_grouped_by_region_a_question_counts_in_each_region_of_the_scheme_that_it_touches(as_):
    async with as_("national") as client:
        questions = await everything(client)
        touched = {}
        for region in {region["code"] for q in questions for region in q["regions"]}:
            overlaps = (await client.get(f"/v1/regions/{region}/overlaps?scheme=provincie")).json()["items"]
            touched[region] = {item["region"]["code"] for item in overlaps}
        wanted = Counter(code for q in questions for code in set().union(*(touched[r["code"]] for r in q["regions"])))
        found = {
            item["region"]["code"]: item["questionCount"]
            for item in await profile(client, groupBy="region", scheme="provincie")
        }
        assert found == wanted


@pytest.mark.parametrize(
    ("query", "location", "code"),
    [
        ("groupBy=region", "scheme", "required"), ("groupBy=region&scheme=nonsense", "scheme", "unknown-scheme"),
        ("groupBy=hub&scheme=provincie", "scheme", "not-applicable"), ("groupBy=hub&period=year", "period", "not-applicable"),
        ("from=2026-02&to=2026-01", "to", "wrong-order"), ("from=spring", "from", "invalid-month"),
        ("groupBy=colour", "groupBy", "unknown-code"), ("by=hub", "by", "unknown-parameter"),
    ],
)  # fmt: skip
async def test_a_grouping_that_means_nothing_is_refused(as_, query, location, code):
    async with as_("outsider") as client:
        response = await client.get(f"/v1/participation-profile?{query}")
    assert response.status_code == 400, response.text
    assert [(fault["location"], fault["code"]) for fault in response.json()["errors"]] == [(location, code)]


async def test_both_doors_give_the_same_figures(as_):
    from app.api.rest.participation import FIGURES

    async with as_("national") as client:
        rest = await profile(client, groupBy="hub")
        query = f"{{ participationProfile(groupBy: HUB) {{ {FIGURES} }} }}"
        answer = (await client.post("/graphql", json={"query": query})).json()
        assert "errors" not in answer, answer
        assert answer["data"]["participationProfile"] == rest


async def test_folding_the_tally_changes_no_figure(as_, house):
    owner = await asyncpg.connect(house.addresses.owner)
    async with as_("national") as client:
        before = [await profile(client, groupBy=by) for by in ("all", "hub", "theme")]
        await owner.execute("select fold_tally()")
        assert [await profile(client, groupBy=by) for by in ("all", "hub", "theme")] == before
    rows, keys = await owner.fetchrow(
        "select count(*), count(distinct (dimension, key, month, audience, readers)) from participation_tally"
    )
    await owner.close()
    assert rows == keys


async def test_a_draft_counts_for_nobody(as_):
    async with as_("own-hub") as own:
        (before,) = await profile(own)
        await add(own)
        assert await profile(own) == [before]


def figures(row):
    return {figure["code"]: figure for condition in row["conditions"] for figure in condition["figures"]}


def days(first, last):
    return (date.fromisoformat(last[:10]) - date.fromisoformat(first)).days


@pytest.mark.parametrize("who", ["own-hub", "outsider", "national"])
async def test_distinct_numbers_and_medians_are_those_of_the_questions_that_a_reader_sees(as_, who):
    async with as_(who) as client:
        questions = await everything(client)
        (whole,) = await profile(client)
    found = {code: figure["value"] for code, figure in figures(whole).items()}
    used = Counter(method["code"] for q in questions for method in q["methods"])
    assert found["methods"] == len(used)
    assert found["most-used-method"] == pytest.approx(max(used.values()) / used.total(), abs=0.001)
    recruited = {g["group"]["code"] for q in questions for g in q["mix"]["groups"] if g["recruited"]}
    assert found["groups"] == len(recruited)
    done = [q for q in questions if q["status"] in ("concluded", "followed-up")]
    levels = {q["levels"]["achieved"]["code"] for q in done if q["levels"]["achieved"]}
    assert found["levels"] == pytest.approx(len(levels) / 5, abs=0.001)
    cross = [q for q in questions if q["workfieldsSource"] == "cross-cutting"]
    assert found["questions-werkveldoverstijgend"] == pytest.approx(len(cross) / len(questions), abs=0.001)
    assert found["schemes"] == len({region["scheme"] for q in questions for region in q["regions"]})
    waited = [days(q["requestedOn"], q["recruitedOn"]) for q in questions if q["requestedOn"] and q["recruitedOn"]]
    assert found["days-to-recruitment"] == (round(median(waited), 1) if waited else None)


async def test_a_figure_that_is_not_there_says_why(as_):
    async with as_("outsider") as client:
        (whole,) = await profile(client)
        by_theme = await profile(client, groupBy="theme")
        english = (await client.get("/v1/participation-profile", headers={"accept-language": "en"})).json()["items"]
    for figure in [f for row in (whole, *by_theme, *english) for f in figures(row).values()]:
        assert (figure["value"] is None) is (figure["reason"] is not None), figure
    for code in ("signals", "national-agenda", "admitted"):
        assert figures(whole)[code]["value"] is None
        assert figures(whole)[code]["reason"] != figures(english[0])[code]["reason"]
    assert "per hub" in figures(by_theme[0])["methods"]["reason"]


async def test_a_hub_has_its_own_figures(as_):
    async with as_("own-hub") as client:
        questions = await everything(client)
        rows = {row["hub"]["slug"]: figures(row) for row in await profile(client, groupBy="hub")}
    for slug, found in rows.items():
        own = [q for q in questions if slug in [hub["slug"] for hub in q["hubs"]]]
        assert found["methods"]["value"] == len({method["code"] for q in own for method in q["methods"]})


async def test_answers_of_umbrellas_count_when_they_come_and_in_time(as_):
    async with as_("own-hub") as own:

        async def read():
            rows = await profile(own, groupBy="hub")
            return next(figures(row) for row in rows if row["hub"]["slug"] == "groningen")

        signal = await signal_cases.verified(own)
        before = await read()
        async with as_("umbrella") as umbrella:
            answered = await umbrella.put(
                f"/v1/signals/{signal['id']}/forwardings/mind",
                json={"state": "on-agenda"}, headers={"if-match": "*"},
            )  # fmt: skip
            assert answered.status_code == 200, answered.text
        after = await read()
    assert after["on-agenda"]["value"] == before["on-agenda"]["value"] + 1
    assert after["responded"]["value"] > before["responded"]["value"]
    assert after["in-time"]["value"] == 1 or after["in-time"]["value"] > before["in-time"]["value"]


async def test_of_a_period_only_what_was_opened_in_it_counts(as_):
    async with as_("national") as client:
        questions = await everything(client)
        this = questions[0]["openedAt"][:7]
        for by in ({}, {"groupBy": "hub"}, {"groupBy": "theme"}, {"groupBy": "region", "scheme": "provincie"}):
            whole = await profile(client, **by)
            assert [row["questionCount"] for row in await profile(client, **by, **{"from": "2020-01"})] == [
                row["questionCount"] for row in whole
            ]
            assert await profile(client, **by, to="2020-01") == []
        (month,) = await profile(client, **{"from": this, "to": this})
        assert month["questionCount"] == sum(q["openedAt"].startswith(this) for q in questions)
        opened = [q for q in questions if q["openedAt"].startswith(this)]
        assert figures(month)["methods"]["value"] == len({m["code"] for q in opened for m in q["methods"]})
        (period,) = [row for row in await profile(client, groupBy="period") if row["period"] == this]
        assert figures(period)["methods"] == figures(month)["methods"]


async def test_both_doors_take_a_period(as_):
    async with as_("national") as client:
        query = '{ participationProfile(from: "2020-01", to: "2020-02") { questionCount } }'
        assert (await client.post("/graphql", json={"query": query})).json()["data"]["participationProfile"] == []
        query = query.replace("2020-02", "2019-12")
        (error,) = (await client.post("/graphql", json={"query": query})).json()["errors"]
        assert [fault["code"] for fault in error["extensions"]["errors"]] == ["wrong-order"]


async def test_what_was_there_before_the_tallies_is_added_up_by_the_migration(fresh):
    addresses = await asyncio.to_thread(fresh, "profile_before")

    async def tallies():
        owner = await asyncpg.connect(addresses.owner)
        await owner.execute("select fold_tally()")
        found = [
            sorted(map(str, await owner.fetch(f"select * from {table}")))
            for table in ("participation_tally", "participation_mark", "answer_tally")
        ]
        await owner.close()
        return found

    before = await tallies()
    assert all(before)
    service = urlsplit(addresses.service).username
    await migrate(addresses.owner, service, "20261130_federation")
    await migrate(addresses.owner, service)
    assert await tallies() == before
