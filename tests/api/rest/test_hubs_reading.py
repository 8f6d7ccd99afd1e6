"""GET /v1/hubs and what hangs on it: the fifteen areas of the report, and a hub inside another."""

from __future__ import annotations

import pytest

# Table 1 of the report, in its order: the number of municipalities on 1 June 2022.
COUNTS = {
    "groningen": 10, "friesland": 18, "drenthe": 12, "overijssel": 25, "flevoland-gooi": 13, "gelderland": 51, "utrecht": 24,
    "zeeland": 13, "limburg": 31, "noord-brabant": 56, "noord-holland": 31, "amsterdam-amstelland": 7, "zuid-holland": 28,
    "haaglanden": 10, "rotterdam-rijnmond": 15,
}  # fmt: skip


async def hubs(get, **params):
    found = (await get("/v1/hubs", limit="200", **params))["items"]
    return {hub["slug"]: hub for hub in found}


async def test_the_fifteen_hubs_have_the_areas_of_the_report(get):
    found = await hubs(get, asOf="2022-06-01")
    fifteen = {slug: hub for slug, hub in found.items() if hub["basis"] == "advice-report"}
    assert {slug: hub["area"]["municipalityCount"] for slug, hub in fifteen.items()} == COUNTS
    assert [fifteen[slug]["area"]["code"] for slug in COUNTS] == [f"PH{number:02}" for number in range(1, 16)]
    assert sum(COUNTS.values()) == 344


async def test_mergers_change_the_areas_by_themselves(get):
    found = await hubs(get, asOf="2026-01-01")
    assert found["rotterdam-rijnmond"]["area"]["municipalityCount"] == 13
    assert sum(h["area"]["municipalityCount"] for h in found.values() if h["basis"] == "advice-report") == 342


async def test_published_figures_stand_next_to_the_computed_ones_with_the_difference_explained(get):
    found = await hubs(get, asOf="2022-06-01")
    for slug, count in COUNTS.items():
        published = found[slug]["area"]["published"]
        assert published["municipalityCountLow"] <= published["municipalityCountHigh"]
        assert published["computedMunicipalityCount"] == count
        assert published["population"] > 300_000
        assert published["source"]
        assert published["note"]
    brabant = found["noord-brabant"]["area"]["published"]
    assert (brabant["municipalityCount"], brabant["municipalityCountLow"], brabant["municipalityCountHigh"]) == (
        "55 of 56",
        55,
        56,
    )
    assert found["noord-holland"]["area"]["published"]["municipalityCount"] == "32"


async def test_the_notes_are_in_the_language_asked_for(api):
    dutch, english = [
        (await api.get("/v1/hubs/noord-holland", headers={"accept-language": language})) for language in ("nl", "en")
    ]
    assert (dutch.headers["content-language"], english.headers["content-language"]) == ("nl", "en")
    assert dutch.json()["area"]["published"]["note"] != english.json()["area"]["published"]["note"]
    assert dutch.json()["challenges"] != english.json()["challenges"]


async def test_a_proposal_of_the_report_is_never_a_present_fact(get):
    for slug, hub in (await hubs(get)).items():
        if slug in COUNTS:
            assert (hub["basis"], hub["demonstration"], hub["phase"], hub["steeringGroup"]) == (
                "advice-report",
                False,
                None,
                [],
            )
            assert {host["status"] for host in hub["hosts"]} <= {"proposed"}
            assert [issue["code"] for issue in hub["steeringGroupIssues"]] == ["gap"] * 3


async def test_frontrunners_and_followers_go_together(get):
    found = await hubs(get)
    frontrunners = {slug for slug, hub in found.items() if hub["frontrunnerRole"] == "frontrunner"}
    assert len(frontrunners) == 7
    assert "limburg" in frontrunners
    for hub in found.values():
        assert (hub["frontrunnerRole"] == "follower") == (hub["frontrunner"] is not None)
        if hub["frontrunner"]:
            assert hub["frontrunner"]["slug"] in frontrunners
            assert set(hub["frontrunner"]) == {"slug", "name"}
    assert "limburg" not in {(hub["frontrunner"] or {}).get("slug") for hub in found.values()}


async def test_zoetermeer_lies_inside_haaglanden_with_its_phases_by_date(get):
    hub = await get("/v1/hubs/zoetermeer")
    assert (hub["demonstration"], hub["area"]["municipalityCount"]) == (True, 1)
    assert [place["code"] for place in hub["area"]["definition"]["plus"]] == ["GM0637"]
    assert {"phase": "expeditie", "from": "2025-06-16"} in hub["phases"]
    for day, phase in [("2025-06-15", "voorbereiding"), ("2025-06-16", "expeditie"), ("2026-01-01", "uitvoering")]:
        assert (await get(f"/v1/hubs/zoetermeer?asOf={day}"))["phase"] == phase
    around = (await get("/v1/hubs/zoetermeer/regions?scheme=participatiehub"))["items"]
    haaglanden = next(item for item in around if item["region"]["code"] == "PH14")
    assert haaglanden["shareOfThis"] == 1
    assert 0 < haaglanden["shareOfOther"] < 0.2


async def test_before_its_first_area_a_hub_has_none(get):
    assert (await get("/v1/hubs/zoetermeer?asOf=2024-01-01"))["area"] is None


async def test_an_area_is_said_as_whole_regions_plus_and_minus_municipalities(get):
    definition = (await get("/v1/hubs/haaglanden"))["area"]["definition"]
    assert definition["regions"] == [{"code": "ZK10", "scheme": "zorgkantoorregio", "name": "Haaglanden"}]
    assert {"code": "GM0503", "scheme": "gemeente", "name": "Delft"} in definition["plus"]


async def test_hubs_are_found_by_municipality_region_and_phase(get):
    assert set(await hubs(get, municipality="GM0637")) == {"haaglanden", "zoetermeer"}
    assert set(await hubs(get, region="GG0111")) == {"groningen"}
    assert set(await hubs(get, region="PH14")) == {"haaglanden", "zoetermeer"}
    assert set(await hubs(get, phase="uitvoering", asOf="2026-01-01")) == {"zoetermeer"}
    assert set(await hubs(get, phase="kwartiermaken")) == set()


@pytest.mark.parametrize(
    ("query", "location", "code"),
    [
        ("municipality=GM9999", "municipality", "unknown-code"),
        ("municipality=GM0003", "municipality", "region-ended"),
        ("municipality=9711", "municipality", "wrong-form"),
        ("region=NOPE", "region", "unknown-code"),
        ("phase=party", "phase", "unknown-code"),
    ],
)
async def test_a_filter_that_leads_nowhere_is_told(api, query, location, code):
    response = await api.get(f"/v1/hubs?{query}")
    assert response.status_code == 400
    assert [(e["location"], e["code"]) for e in response.json()["errors"]] == [(location, code)]


@pytest.mark.parametrize("slug", COUNTS)
async def test_the_regions_of_a_hub_make_up_its_area(get, slug):
    found = (await get(f"/v1/hubs/{slug}/regions?asOf=2026-01-01"))["items"]
    for scheme in ("provincie", "zorgkantoorregio", "ggd-regio", "roaz-regio"):
        shares = [item["shareOfThis"] for item in found if item["region"]["scheme"] == scheme]
        assert sum(shares) == pytest.approx(1, abs=1e-5), scheme
    area = await get(f"/v1/regions/{(await get(f'/v1/hubs/{slug}'))['area']['code']}?asOf=2026-01-01")
    assert area["scheme"] == "participatiehub"


async def test_members_are_organisations_in_order_of_name(get):
    found = (await get("/v1/hubs/zoetermeer/members"))["items"]
    assert found
    names = [member["organisation"]["name"].lower() for member in found]
    assert names == sorted(names)
    assert all(set(member) == {"organisation", "status", "strand", "since"} for member in found)
    one_by_one = await get("/v1/hubs/zoetermeer/members?limit=1")
    assert one_by_one["items"] == found[:1]


@pytest.mark.parametrize("part", ["", "/members", "/regions"])
async def test_a_hub_that_is_not_there_has_no_parts(api, part):
    response = await api.get(f"/v1/hubs/nope{part}")
    assert (response.status_code, response.json()["code"]) == (404, "not-found")


async def test_the_tag_of_a_hub_begins_with_its_version(api):
    response = await api.get("/v1/hubs/groningen")
    assert response.headers["etag"].startswith(f'"{response.json()["version"]}-')
