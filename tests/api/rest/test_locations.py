"""GET /v1/locations: where am I, and who is there for me."""

from __future__ import annotations

import pytest


async def municipalities(get, **params):
    return [item["municipality"]["code"] for item in (await get("/v1/locations", **params))["items"]]


@pytest.mark.parametrize("postcode", ["9711", "9711 AB", "9711ab", " 9711AB "])
async def test_a_postcode_leads_to_its_municipality_regions_and_hub(get, postcode):
    (found,) = (await get("/v1/locations", postcode=postcode))["items"]
    assert found["municipality"] == {"code": "GM0014", "name": "Groningen"}
    assert [hub["slug"] for hub in found["hubs"]] == ["groningen"]
    ggd = {"scheme": "ggd-regio", "code": "GG0111", "name": "GGD Groningen", "share": 1, "shareAssumed": False}
    assert ggd in found["regions"]
    assert "gemeente" not in {region["scheme"] for region in found["regions"]}


@pytest.mark.parametrize(
    "postcode", ["97111", "AB 9711", "AB9711", "0123", "971", "97I1", "9711 A", "9711 1A", "9711-AB", ""]
)
async def test_a_wrong_postcode_is_refused_with_an_example_of_a_right_one(api, postcode):
    response = await api.get("/v1/locations", params={"postcode": postcode})
    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert (error["location"], error["code"]) == ("postcode", "invalid-postcode")
    assert "9711 AB" in error["detail"]


async def test_a_postcode_that_nobody_has_finds_nothing(get):
    assert (await get("/v1/locations", postcode="1000")) == {"items": [], "next": None}


async def test_a_postcode_over_a_border_gives_both_municipalities_the_larger_part_first(get):
    found = (await get("/v1/locations", postcode="1027"))["items"]
    assert [item["municipality"]["code"] for item in found] == ["GM0363", "GM0852"]
    assert [item["areaShare"] for item in found] == [0.977, 0.023]


@pytest.mark.parametrize(
    "name", ["GM0518", "gm0518", "'s-Gravenhage", "s gravenhage", "Den Haag", "den haag", "DEN-HAAG"]
)
async def test_the_hague_goes_by_its_code_and_both_its_names(get, name):
    assert (await municipalities(get, municipality=name))[0] == "GM0518"


@pytest.mark.parametrize("q", ["Súdwest", "sudwest", "SÚDWEST-FRYSLÂN", "fryslan"])
async def test_accents_do_not_matter(get, q):
    assert "GM1900" in await municipalities(get, q=q)


async def test_the_whole_name_comes_before_a_name_that_begins_with_it_and_one_that_holds_it(get):
    found = await municipalities(get, q="groningen")
    assert found[0] == "GM0014"
    assert len(found) == len(set(found)) <= 20


async def test_a_place_leads_to_its_municipality(get):
    (found,) = (await get("/v1/locations", q="appingedam"))["items"]
    assert found["municipality"] == {"code": "GM1979", "name": "Eemsdelta"}
    assert found["place"] == "Appingedam"


async def test_a_municipality_that_has_ended_leads_to_what_came_after_and_before_to_itself(get):
    assert await municipalities(get, municipality="GM0003") == ["GM1979"]
    assert await municipalities(get, municipality="GM0003", asOf="2020-12-31") == ["GM0003"]


async def test_a_municipality_before_its_time_leads_to_what_was_there(get):
    found = await municipalities(get, municipality="GM1979", asOf="2020-12-31")
    assert sorted(found) == ["GM0003", "GM0010", "GM0024"]


async def test_a_code_that_never_was_is_told(api):
    response = await api.get("/v1/locations?municipality=GM9999")
    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert (error["location"], error["code"]) == ("municipality", "unknown-code")


async def test_amsterdam_shows_both_its_roaz_regions_and_that_the_split_is_assumed(get):
    (found,) = (await get("/v1/locations", municipality="GM0363"))["items"]
    roaz = [region for region in found["regions"] if region["scheme"] == "roaz-regio"]
    assert [(region["share"], region["shareAssumed"]) for region in roaz] == [(0.5, True), (0.5, True)]
    assert [hub["slug"] for hub in found["hubs"]] == ["amsterdam-amstelland"]


async def test_zoetermeer_has_the_small_hub_first_and_the_large_one_around_it(get):
    (found,) = (await get("/v1/locations", postcode="2711"))["items"]
    assert [hub["slug"] for hub in found["hubs"]] == ["zoetermeer", "haaglanden"]
    (before,) = (await get("/v1/locations", postcode="2711", asOf="2024-06-01"))["items"]
    assert [hub["slug"] for hub in before["hubs"]] == ["haaglanden"]


@pytest.mark.parametrize(
    ("query", "locations"),
    [
        ("", ["postcode"]),
        ("postcode=9711&q=haren", ["postcode", "q"]),
        ("municipality=GM0014&q=x", ["municipality", "q"]),
    ],
)
async def test_exactly_one_way_to_say_where(api, query, locations):
    response = await api.get(f"/v1/locations?{query}")
    assert response.status_code == 400
    assert [(error["location"], error["code"]) for error in response.json()["errors"]] == [
        (location, "one-of") for location in locations
    ]


async def test_two_letters_are_needed(api):
    response = await api.get("/v1/locations?q=x")
    assert response.json()["errors"][0]["code"] == "too-short"
