"""POST and PATCH of /v1/organisations, as each of the cast."""

from __future__ import annotations

import asyncio

import pytest

from tests.signal_cases import letters

PATCH = {"content-type": "application/merge-patch+json"}


@pytest.fixture
def house(writing_house):
    return writing_house


def an_organisation(**changes):
    return {"name": f"Stichting {letters()}", "type": "bewonersinitiatief", "side": "life-world"} | changes


@pytest.fixture
def added(as_):
    """Adds an organisation as one of the cast; its representation comes back."""

    async def add(who="own-hub", **changes):
        async with as_(who) as client:
            response = await client.post("/v1/organisations", json=an_organisation(**changes))
        assert response.status_code == 201, response.text
        return response.json()

    return add


async def patch(client, identity, content, match="*"):
    headers = PATCH | ({} if match is None else {"if-match": match})
    return await client.patch(f"/v1/organisations/{identity}", json=content, headers=headers)


@pytest.mark.parametrize("who", ["own-hub", "other-hub", "national"])
async def test_hubs_and_the_national_coordination_keep_the_directory(as_, get, added, who):
    made = await added(who, workfield="inclusie", strand="citizens", regions=["GG2014", "GM0637", "GM0637"])
    read = await get(f"/v1/organisations/{made['id']}")
    assert read == made
    assert [region["code"] for region in read["regions"]] == ["GG2014", "GM0637"]
    assert read["workfield"]["code"] == "inclusie"
    assert (read["basis"], read["version"], read["demonstration"]) == (None, 1, False)


@pytest.mark.parametrize("who", ["umbrella", "admin"])
async def test_umbrellas_and_administrators_do_not(as_, who):
    async with as_(who) as client:
        response = await client.post("/v1/organisations", json=an_organisation())
    assert (response.status_code, response.json()["code"]) == (403, "forbidden")


async def test_a_hub_changes_what_it_added_and_the_national_coordination_everything(as_, added):
    made = await added("own-hub")
    for version, who in enumerate(("own-hub", "national"), start=1):
        async with as_(who) as client:
            response = await patch(client, made["id"], {"name": f"Door {who}"}, f'"{version}"')
        assert (response.status_code, response.json()["version"]) == (200, version + 1)


@pytest.mark.parametrize("who", ["other-hub", "umbrella", "admin"])
async def test_nobody_changes_what_another_hub_added(as_, get, added, who):
    made = await added("own-hub", regions=["GM0637"])
    async with as_(who) as client:
        response = await patch(client, made["id"], {"name": "Gekaapt", "regions": []})
    assert (response.status_code, response.json()["code"]) == (403, "forbidden")
    assert await get(f"/v1/organisations/{made['id']}") == made


async def test_a_hub_does_not_change_what_the_report_or_the_national_coordination_named(as_, get, added):
    named = (await get("/v1/organisations", limit=200))["items"]
    reported = next(item for item in named if item["basis"] == "advice-report")
    made = await added("national")
    async with as_("own-hub") as own:
        for organisation in (reported, made):
            assert (await patch(own, organisation["id"], {"name": "Anders"})).status_code == 403


async def test_a_change_takes_the_version_that_was_read(as_, api, added):
    made = await added()
    seen = (await api.get(f"/v1/organisations/{made['id']}")).headers["etag"]
    async with as_("own-hub") as own:
        assert (await patch(own, made["id"], {"name": "X"}, None)).status_code == 428
        first = await patch(own, made["id"], {"name": "Eerst"}, seen)
        assert first.status_code == 200
        late = await patch(own, made["id"], {"name": "Laat"}, seen)
        assert (late.status_code, late.headers["etag"]) == (412, first.headers["etag"])


async def test_absent_stays_and_null_empties(as_, added):
    made = await added(website="https://a.example", strand="patients", workfield="inclusie", regions=["GM0637"])
    async with as_("own-hub") as own:
        shown = (await patch(own, made["id"], {"workfield": None, "regions": None})).json()
        assert (shown["workfield"], shown["regions"]) == (None, [])
        assert (shown["website"], shown["strand"]) == ("https://a.example", "patients")
        refused = await patch(own, made["id"], {"name": None, "type": None})
    assert refused.status_code == 400
    assert {fault["location"] for fault in refused.json()["errors"]} == {"name", "type"}


async def test_every_fault_is_told_at_once_and_no_value_is_echoed(as_):
    async with as_("own-hub") as own:
        shape = await own.post(
            "/v1/organisations", json=an_organisation(type="geheim", side="x", strand="y", owner="z")
        )
        codes = await own.post(
            "/v1/organisations",
            json=an_organisation(name=" ", workfield="geheim", regions=["PV20", "GEHEIM"], website="geheim"),
        )
    assert {fault["location"] for fault in shape.json()["errors"]} == {"type", "side", "strand", "owner"}
    assert {(fault["location"], fault["code"]) for fault in codes.json()["errors"]} == {
        ("name", "required"), ("workfield", "unknown-code"), ("regions[1]", "unknown-code"), ("website", "invalid-address"),
    }  # fmt: skip
    for response in (shape, codes):
        assert response.status_code == 400
        assert "geheim" not in response.text.lower()


async def test_of_two_editors_one_wins(as_, added):
    made = await added()
    async with as_("own-hub") as own, as_("national") as national:
        answers = await asyncio.gather(
            patch(own, made["id"], {"name": "Van de hub", "regions": ["GM0637"]}, '"1"'),
            patch(national, made["id"], {"name": "Landelijk", "regions": ["GM0518"]}, '"1"'),
        )
    assert sorted(answer.status_code for answer in answers) == [200, 412]


async def test_editors_that_overwrite_leave_no_mixture(as_, get, added):
    made = await added()
    async with as_("own-hub") as own:
        sent = [
            {"name": f"Naam {n}", "regions": [code]} for n, code in enumerate(("GM0637", "GM0518", "GM0363", "GM0599"))
        ]
        answers = await asyncio.gather(*(patch(own, made["id"], content) for content in sent))
    assert {answer.status_code for answer in answers} == {200}
    shown = await get(f"/v1/organisations/{made['id']}")
    assert {"name": shown["name"], "regions": [region["code"] for region in shown["regions"]]} in sent
    assert shown["version"] == 5
