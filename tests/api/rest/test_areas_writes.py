"""PUT /v1/hubs/{slug}/area: the area that a hub agreed to, from a date on, and everything that follows from it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

ADDRESS = "/v1/hubs/groningen/area"


@pytest.fixture
def house(writing_house):
    return writing_house


@pytest.fixture
def put(as_):
    """Sets the area of a hub, as the national coordination unless told otherwise."""

    async def send(slug, content, who="national", match="*"):
        async with as_(who) as client:
            headers = {} if match is None else {"if-match": match}
            return await client.put(f"/v1/hubs/{slug}/area", json=content, headers=headers)

    return send


def codes(response):
    """Where each fault is, and its code."""
    return {(fault["location"], fault["code"]) for fault in response.json()["errors"]}


async def municipalities(get, code, **params):
    return {item["code"] for item in (await get(f"/v1/regions/{code}/municipalities", limit=200, **params))["items"]}


async def test_a_hub_sets_its_own_area_and_its_region_follows(put, get):
    before = (await get("/v1/hubs/groningen"))["version"]
    response = await put("groningen", {"from": "2024-01-01", "regions": ["PV20"], "plus": ["GM1680"]}, "own-hub")
    assert response.status_code == 200, response.text
    hub = response.json()
    assert hub["version"] == before + 1
    assert [region["code"] for region in hub["area"]["definition"]["plus"]] == ["GM1680"]
    region = await get("/v1/regions/PH01")
    assert region["municipalityCount"] == hub["area"]["municipalityCount"] == 11
    assert region["population"] == hub["area"]["population"]
    assert "GM1680" in await municipalities(get, "PH01")
    in_assen = await get("/v1/hubs", municipality="GM1680")
    assert "groningen" in {item["slug"] for item in in_assen["items"]}


@pytest.mark.parametrize("who", ["other-hub", "umbrella", "admin"])
async def test_nobody_else_sets_it(put, get, who):
    before = await get("/v1/hubs/drenthe")
    response = await put("drenthe", {"from": "2024-01-01", "plus": ["GM0637"]}, who)
    assert (response.status_code, response.json()["code"]) == (403, "forbidden")
    assert await get("/v1/hubs/drenthe") == before


async def test_an_area_goes_by_the_version_of_its_hub(put, get):
    version = (await get("/v1/hubs/zeeland"))["version"]
    area = {"from": "2024-01-01", "regions": ["PV29"]}
    assert (await put("zeeland", area, match=None)).status_code == 428
    stale = await put("zeeland", area, match=f'"{version + 1}"')
    assert stale.status_code == 412
    assert stale.headers["etag"].startswith(f'"{version}-')
    assert (await put("zeeland", area, match=stale.headers["etag"])).status_code == 200


async def test_an_area_from_a_later_date_leaves_the_older_one_readable(put, get):
    first = await put("friesland", {"from": "2024-01-01", "regions": ["PV21"]})
    code, count = first.json()["area"]["code"], first.json()["area"]["municipalityCount"]
    later = (datetime.now(UTC) + timedelta(days=400)).date().isoformat()
    response = await put("friesland", {"from": later, "regions": ["PV21"], "minus": ["GM0093", "GM0060"]})
    assert response.status_code == 200, response.text
    assert response.json()["area"]["municipalityCount"] == count, "it has not begun yet"
    assert response.json()["area"]["definition"]["from"] == "2024-01-01"
    assert (await get(f"/v1/regions/{code}"))["municipalityCount"] == count
    then = await get("/v1/hubs/friesland", asOf=later)
    assert then["area"]["municipalityCount"] == count - 2
    assert then["area"]["definition"]["from"] == later
    assert (await get(f"/v1/regions/{code}", asOf=later))["municipalityCount"] == count - 2
    assert await municipalities(get, code) - await municipalities(get, code, asOf=later) == {"GM0093", "GM0060"}
    assert (await get("/v1/hubs/friesland", asOf="2023-06-01"))["area"]["municipalityCount"] == 18, (
        "the proposal of 2022"
    )


async def test_an_area_from_an_earlier_date_replaces_what_came_after(put, get):
    await put("overijssel", {"from": "2025-01-01", "plus": ["GM0193"]})
    response = await put("overijssel", {"from": "2024-01-01", "plus": ["GM0150", "GM0193"]})
    assert response.json()["area"]["municipalityCount"] == 2
    assert (await get("/v1/regions/PH04", asOf="2026-06-01"))["municipalityCount"] == 2


async def test_the_same_area_again_makes_no_version(put):
    area = {"from": "2024-02-01", "plus": ["GM0363", "GM0363"]}
    first = (await put("amsterdam-amstelland", area)).json()
    assert (await put("amsterdam-amstelland", area)).json()["version"] == first["version"]


async def test_a_merger_is_followed_in_an_area_of_before_it(put, get):
    # Brielle, Hellevoetsluis and Westvoorne became Voorne aan Zee on 2023-01-01.
    await put("zuid-holland", {"from": "2022-06-01", "plus": ["GM0501", "GM0530", "GM0614"]})
    assert await municipalities(get, "PH13", asOf="2022-12-31") == {"GM0501", "GM0530", "GM0614"}
    assert await municipalities(get, "PH13", asOf="2023-01-01") == {"GM1992"}


async def test_areas_may_overlap(put, get):
    await put("haaglanden", {"from": "2024-01-01", "regions": ["ZK10"]})
    hubs = {item["slug"] for item in (await get("/v1/hubs", municipality="GM0637"))["items"]}
    assert {"haaglanden", "zoetermeer"} <= hubs


@pytest.mark.parametrize(
    ("area", "faults"),
    [
        ({"from": "2024-01-01"}, {("regions", "required")}),
        ({"from": "2024-01-01", "minus": ["GM0637"]}, {("regions", "required")}),
        ({"from": "2024-01-01", "regions": ["PV20"], "plus": ["GM0003"]}, {("plus[0]", "unknown-code")}),
        ({"from": "2020-01-01", "plus": ["GM1979", "GM0003"]}, {("plus[0]", "unknown-code")}),
        ({"from": "2024-01-01", "plus": ["GM9999"]}, {("plus[0]", "unknown-code")}),
        ({"from": "2024-01-01", "regions": ["PH02", "GG2014"]}, {("regions[0]", "hub-area")}),
        ({"from": "2024-01-01", "plus": ["PV20"]}, {("plus[0]", "not-a-municipality")}),
        ({"from": "2024-01-01", "plus": ["GM0637"], "minus": ["GM0637"]}, {("minus[0]", "contradiction")}),
        ({"from": "2024-01-01", "regions": ["GM0637"], "minus": ["GM0637"]}, {("regions", "empty-area")}),
        (
            {"from": "2015-12-31", "plus": ["GM9999"]},
            {("from", "date-before-first-edition"), ("plus[0]", "unknown-code")},
        ),
        ({"from": "9999-12-31", "plus": ["GM9999"]}, {("from", "date-too-late"), ("plus[0]", "unknown-code")}),
        (
            {"from": "2024-01-01", "regions": ["ZZ1", "PH01"], "plus": ["PV20"], "minus": ["GM9999"]},
            {
                ("regions[0]", "unknown-code"),
                ("regions[1]", "hub-area"),
                ("plus[0]", "not-a-municipality"),
                ("minus[0]", "unknown-code"),
            },
        ),
    ],
)
async def test_a_wrong_area_is_refused_with_every_fault_and_nothing_changes(put, get, area, faults):
    before = await get("/v1/hubs/limburg"), await get("/v1/regions/PH09")
    response = await put("limburg", area, "other-hub")
    assert (response.status_code, codes(response)) == (400, faults)
    assert (await get("/v1/hubs/limburg"), await get("/v1/regions/PH09")) == before


async def test_two_areas_at_once_come_out_as_one_of_the_two(put, get):
    version = (await get("/v1/hubs/noord-brabant"))["version"]
    answers = await asyncio.gather(
        *(put("noord-brabant", {"from": "2024-01-01", "plus": [code]}, match=f'"{version}"') for code in ("GM0772", "GM0796"))
    )  # fmt: skip
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    (won,) = [answer.json() for answer in answers if answer.status_code == 200]
    assert await municipalities(get, "PH10") == {won["area"]["definition"]["plus"][0]["code"]}
