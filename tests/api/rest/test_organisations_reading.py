"""GET /v1/organisations: the public directory."""

from __future__ import annotations

import pytest


async def names(get, **params):
    return {item["name"] for item in (await get("/v1/organisations", limit="200", **params))["items"]}


async def test_an_organisation_is_read_as_the_list_shows_it(get):
    listed = (await get("/v1/organisations?limit=1"))["items"][0]
    assert await get(f"/v1/organisations/{listed['id']}") == listed
    assert listed["createdAt"].endswith("Z")


async def test_the_directory_names_organisations_and_never_people(get):
    for item in (await get("/v1/organisations?limit=200"))["items"]:
        assert not {"email", "phone", "person", "contact"} & {key.lower() for key in item}
        assert item["side"] in ("life-world", "system-world")


async def test_hosts_of_the_report_are_found_by_their_hub(get):
    assert "RCO Kompassie" in await names(get, hub="haaglanden")
    assert "RCO Kompassie" not in await names(get, hub="groningen")


async def test_filters_narrow_and_combine(get):
    everything = await names(get)
    life, system = await names(get, side="life-world"), await names(get, side="system-world")
    assert life | system == everything
    assert not life & system
    inclusive = await names(get, workfield="inclusie")
    assert inclusive < everything
    assert await names(get, workfield="inclusie", side="system-world") == inclusive & system


async def test_words_of_a_name_are_found_without_capitals_and_accents(get):
    assert "RCO Kompassie" in await names(get, q="KOMPÁSSIE")


async def test_a_region_finds_organisations_of_any_region_that_touches_it(get):
    in_zoetermeer = await names(get, region="GM0637")
    assert in_zoetermeer
    assert in_zoetermeer <= await names(get, region="GG7014")


@pytest.mark.parametrize(
    ("query", "location"),
    [
        ("type=x", "type"),
        ("side=x", "side"),
        ("workfield=x", "workfield"),
        ("region=x", "region"),
        ("hub=x", "hub"),
        ("q=!", "q"),
    ],
)
async def test_a_filter_that_leads_nowhere_is_told(api, query, location):
    response = await api.get(f"/v1/organisations?{query}")
    assert response.status_code == 400
    assert [error["location"] for error in response.json()["errors"]] == [location]


async def test_an_id_is_a_uuid_and_one_that_nobody_has_is_not_found(api):
    wrong = await api.get("/v1/organisations/nope")
    assert (wrong.status_code, wrong.json()["errors"][0]["code"]) == (400, "invalid-id")
    absent = await api.get("/v1/organisations/01890a5d-ac96-774b-bcce-b302099a8057")
    assert absent.status_code == 404
