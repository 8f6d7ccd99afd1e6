"""GET /v1/regions and what hangs on it, through HTTP on the packaged data."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict

import pytest

PARTITIONS = [
    "provincie", "zorgkantoorregio", "ggd-regio", "jeugdregio", "corop", "veiligheidsregio", "arbeidsmarktregio",
    "res-regio", "politie-eenheid", "arrondissement", "ressort", "landsdeel",
]  # fmt: skip
SCHEMES = ["gemeente", *PARTITIONS, "roaz-regio", "participatiehub"]


async def walked(get, address):
    found = []
    while address:
        page = await get(address)
        found += page["items"]
        address = page["next"]
    return found


@pytest.mark.parametrize(
    ("day", "count"),
    [
        ("2016-01-01", 390), ("2016-06-01", 390), ("2021-12-31", 352), ("2022-01-01", 345), ("2022-02-01", 345),
        ("2022-03-24", 344), ("2022-06-01", 344), ("2023-01-01", 342), ("2026-01-01", 342), ("2030-01-01", 342),
    ],
)  # fmt: skip
async def test_the_municipalities_are_exact_by_date(get, day, count):
    found = await walked(get, f"/v1/regions?scheme=gemeente&limit=200&asOf={day}&fields=code")
    assert len(found) == len({item["code"] for item in found}) == count


@pytest.mark.parametrize(
    ("scheme", "count"),
    [("zorgkantoorregio", 31), ("roaz-regio", 11), ("ggd-regio", 25), ("jeugdregio", 42), ("corop", 40), ("veiligheidsregio", 25), ("provincie", 12), ("participatiehub", 15)],
)  # fmt: skip
async def test_the_divisions_have_as_many_regions_as_the_report_lists(get, scheme, count):
    assert len(await walked(get, f"/v1/regions?scheme={scheme}&asOf=2022-06-01")) == count


async def test_the_fifteen_schemes_say_their_editions_and_where_they_come_from(get):
    found = (await get("/v1/region-schemes"))["items"]
    assert {scheme["code"] for scheme in found} == set(SCHEMES)
    for scheme in found:
        assert await get(f"/v1/region-schemes/{scheme['code']}") == scheme
        assert scheme["partition"] is (scheme["code"] in ("gemeente", *PARTITIONS)), scheme["code"]
        years = [edition["year"] for edition in scheme["editions"]]
        assert years == sorted(set(years))
        for edition in scheme["editions"]:
            assert edition["regionCount"] > 0
            assert edition["method"]
            assert edition["source"]
            assert edition["licence"]
    by_code = {scheme["code"]: scheme for scheme in found}
    assert [e["year"] for e in by_code["gemeente"]["editions"]] == [2016, 2022, 2023, 2026]
    assert by_code["roaz-regio"]["assumedShares"] is True
    assert by_code["ggd-regio"]["assumedShares"] is False


@pytest.mark.parametrize("scheme", SCHEMES[:-1])  # hubs come and go between editions
async def test_the_edition_of_a_scheme_counts_what_its_regions_count(get, scheme):
    edition = (await get(f"/v1/region-schemes/{scheme}"))["editions"][-1]
    found = await walked(get, f"/v1/regions?scheme={scheme}&limit=200&asOf={edition['year']}-01-01")
    assert len(found) == edition["regionCount"]
    assert {item["edition"] for item in found} == {edition["year"]}
    assert {item["method"] for item in found} == {edition["method"]}


async def test_a_region_is_read_as_the_list_shows_it(get):
    listed = (await get("/v1/regions?scheme=ggd-regio&asOf=2022-06-01"))["items"]
    region = await get(f"/v1/regions/{listed[0]['code']}?asOf=2022-06-01")
    assert region == listed[0]
    assert region["scheme"] == "ggd-regio"
    assert region["validTo"] is None
    assert region["populationDate"] == "2022-01-01"


async def test_the_inhabitants_of_a_partition_are_those_of_the_country(get):
    totals = {
        scheme: sum(
            r["population"] for r in await walked(get, f"/v1/regions?scheme={scheme}&limit=200&asOf=2026-01-01")
        )
        for scheme in ("gemeente", *PARTITIONS)
    }
    assert len(set(totals.values())) == 1, totals
    assert 17_000_000 < totals["gemeente"] < 18_000_000


async def test_a_population_that_is_not_known_is_null_and_not_a_guess(get):
    region = await get("/v1/regions/GG0111?asOf=2016-06-01")
    assert (region["population"], region["populationDate"]) == (None, None)
    assert region["municipalityCount"] == 23


async def test_regions_of_a_municipality_are_one_for_each_partition_and_two_where_it_lies_in_two(get):
    found = await walked(get, "/v1/regions?municipality=GM0363&asOf=2026-01-01")
    counts = Counter(item["scheme"] for item in found)
    assert counts.pop("roaz-regio") == 2
    assert set(counts.values()) == {1}
    assert set(counts) == set(SCHEMES) - {"roaz-regio"}


@pytest.mark.parametrize(
    ("q", "code"), [("sudwest", "GM1900"), ("SÚDWEST-fryslân", "GM1900"), ("s-gravenhage", "GM0518"), ("Den Haag", "GM0518"), ("haag", "GM0518")]
)  # fmt: skip
async def test_names_are_found_without_accents_and_by_the_name_that_people_use(get, q, code):
    found = await get("/v1/regions", scheme="gemeente", q=q, asOf="2022-06-01")
    assert code in {item["code"] for item in found["items"]}


async def test_signs_of_a_pattern_are_no_pattern(get, api):
    everything = await get("/v1/regions?scheme=provincie")
    assert len(everything["items"]) == 12
    assert (await api.get("/v1/regions?scheme=provincie&q=%25")).json()["errors"][0]["code"] == "nothing-to-search"
    assert (await get("/v1/regions?scheme=provincie&q=a%25d"))["items"] == []


async def test_regions_are_in_the_order_of_their_names_and_turn_around(get):
    found = [item["code"] for item in await walked(get, "/v1/regions?scheme=gemeente&limit=200")]
    turned = [item["code"] for item in await walked(get, "/v1/regions?scheme=gemeente&limit=200&sort=-name")]
    assert turned == found[::-1]
    assert found[0] == "GM1680"  # Aa en Hunze


async def test_the_municipalities_of_a_region_add_up_to_it(get):
    region = await get("/v1/regions/GG0111?asOf=2022-06-01")
    inside = await walked(get, "/v1/regions/GG0111/municipalities?asOf=2022-06-01")
    assert len(inside) == region["municipalityCount"] == 10
    assert sum(item["population"] for item in inside) == region["population"]
    assert {item["scheme"] for item in inside} == {"gemeente"}


async def test_a_municipality_that_has_ended_leads_to_its_successors(api):
    response = await api.get("/v1/regions/GM0003")
    assert response.status_code == 404
    assert response.json()["code"] == "region-ended"
    assert response.json()["successors"] == [{"code": "GM1979", "scheme": "gemeente", "name": "Eemsdelta"}]
    assert response.json()["validTo"] == "2021-01-01"
    assert (await api.get("/v1/regions/GM0003?asOf=2020-12-31")).json()["name"] == "Appingedam"


@pytest.mark.parametrize("part", ["", "/municipalities", "/overlaps"])
async def test_every_part_of_an_ended_region_leads_on(api, part):
    response = await api.get(f"/v1/regions/GM0003{part}")
    assert (response.status_code, response.json()["code"]) == (404, "region-ended")
    assert response.json()["successors"][0]["code"] == "GM1979"


async def test_a_municipality_that_merged_away_in_2016_leads_all_the_way_to_today(api):
    # Haaren was divided over four municipalities in 2021.
    response = await api.get("/v1/regions/GM0788")
    assert {found["code"] for found in response.json()["successors"]} == {"GM0757", "GM0824", "GM0855", "GM0865"}


async def test_a_region_before_its_time_says_from_when_it_is(api):
    response = await api.get("/v1/regions/GM1979?asOf=2020-12-31")
    assert (response.status_code, response.json()["code"]) == (404, "region-not-yet")
    assert response.json()["validFrom"] == "2021-01-01"


@pytest.mark.parametrize("part", ["", "/municipalities", "/overlaps", "/lineage"])
async def test_a_code_that_never_was_is_not_found(api, part):
    response = await api.get(f"/v1/regions/NOPE{part}")
    assert (response.status_code, response.json()["code"]) == (404, "not-found")
    assert "NOPE" not in response.text


async def test_lineage_is_told_from_both_sides(get):
    before = await get("/v1/regions/GM0003/lineage")
    assert before["successors"] == [
        {"code": "GM1979", "scheme": "gemeente", "name": "Eemsdelta", "date": "2021-01-01", "change": "merger"}
    ]
    after = await get("/v1/regions/GM1979/lineage")
    assert {found["code"] for found in after["predecessors"]} == {"GM0003", "GM0010", "GM0024"}
    assert after["successors"] == []


@pytest.fixture
async def partitions(get):
    """Partitions with an edition on a day."""
    editions = {s["code"]: s["editions"][0]["year"] for s in (await get("/v1/region-schemes"))["items"]}
    return lambda day: [scheme for scheme in PARTITIONS if editions[scheme] <= int(day[:4])]


@pytest.mark.parametrize("place", range(len(PARTITIONS)))
@pytest.mark.parametrize(
    ("day", "bases"),
    [
        ("2016-06-01", {"municipalities"}),
        ("2022-06-01", {"municipalities", "population"}),
        ("2026-01-01", {"population"}),
    ],
)
async def test_overlaps_of_every_region_add_up_in_every_partition(get, partitions, place, day, bases):
    there = partitions(day)
    scheme = there[place % len(there)]
    # One question for all regions of the scheme: the overlaps come with the list.
    regions = await walked(get, f"/v1/regions?scheme={scheme}&asOf={day}&fields=code,overlaps&limit=50")
    assert len(regions) > 3
    seen = set()
    for region in regions:
        shares, basis = defaultdict(float), defaultdict(set)
        for overlap in region["overlaps"]:
            shares[overlap["region"]["scheme"]] += overlap["shareOfThis"]
            basis[overlap["region"]["scheme"]].add(overlap["shareBasis"])
        for other in set(there) - {scheme}:
            assert shares[other] == pytest.approx(1, abs=1e-5), (region["code"], other)
            assert len(basis[other]) == 1, "one listing, one way of counting"
            seen |= basis[other]
    assert seen == bases


async def test_a_division_into_eleven_roaz_regions_adds_up_too_with_assumed_shares(get):
    for region in await walked(get, "/v1/regions?scheme=provincie&asOf=2026-01-01&fields=code,overlaps"):
        shares = [o["shareOfThis"] for o in region["overlaps"] if o["region"]["scheme"] == "roaz-regio"]
        assert sum(shares) == pytest.approx(1, abs=1e-5)


async def test_amsterdam_lies_in_two_roaz_regions_with_shares_that_are_assumed(get):
    found = (await get("/v1/regions/GM0363/overlaps?scheme=roaz-regio"))["items"]
    assert [item["shareOfThis"] for item in found] == [0.5, 0.5]
    assert [item["sharesAssumed"] for item in found] == [True, True]
    groningen = (await get("/v1/regions/GM0014/overlaps?scheme=roaz-regio"))["items"]
    assert [(item["shareOfThis"], item["sharesAssumed"]) for item in groningen] == [(1, False)]


async def test_overlaps_are_a_matter_of_one_scheme_when_asked(get):
    found = (await get("/v1/regions/GG0111/overlaps?scheme=zorgkantoorregio&asOf=2022-06-01"))["items"]
    assert {item["region"]["scheme"] for item in found} == {"zorgkantoorregio"}
    itself = (await get("/v1/regions/GG0111/overlaps?scheme=ggd-regio"))["items"]
    assert [(item["region"]["code"], item["shareOfThis"], item["shareOfOther"]) for item in itself] == [
        ("GG0111", 1, 1)
    ]


@pytest.mark.parametrize(
    ("from_", "to", "day"),
    [
        ("gemeente", "ggd-regio", "2016-06-01"), ("gemeente", "roaz-regio", "2022-06-01"), ("ggd-regio", "zorgkantoorregio", "2026-01-01"),
        ("roaz-regio", "provincie", "2026-01-01"), ("corop", "jeugdregio", "2016-06-01"), ("provincie", "provincie", "2022-06-01"),
    ],
)  # fmt: skip
async def test_a_crosswalk_adds_up_for_each_from_and_each_to(get, from_, to, day):
    found = await get(f"/v1/crosswalks/{from_}/{to}?asOf={day}")
    froms, tos = defaultdict(float), defaultdict(float)
    for item in found["items"]:
        assert (item["from"]["scheme"], item["to"]["scheme"]) == (from_, to)
        froms[item["from"]["code"]] += item["shareOfFrom"]
        tos[item["to"]["code"]] += item["shareOfTo"]
    assert found["next"] is None
    assert list(froms.values()) == pytest.approx([1] * len(froms), abs=1e-4)
    assert list(tos.values()) == pytest.approx([1] * len(tos), abs=1e-4)
    assert len(froms) == len(await walked(get, f"/v1/regions?scheme={from_}&limit=200&fields=code&asOf={day}"))
    assert len({item["shareBasis"] for item in found["items"]}) == 1


async def test_a_crosswalk_as_csv_says_the_same_as_json(api):
    address = "/v1/crosswalks/ggd-regio/zorgkantoorregio?asOf=2022-06-01"
    items = (await api.get(address)).json()["items"]
    response = await api.get(address, headers={"accept": "text/csv"})
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == 'attachment; filename="ggd-regio-zorgkantoorregio-2022-06-01.csv"'
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert len(rows) == len(items)
    for row, item in zip(rows, items, strict=True):
        for end in ("from", "to"):
            assert (row[end], row[f"{end}Name"]) == (item[end]["code"], item[end]["name"])
        for key in ("shareOfFrom", "shareOfTo"):
            assert float(row[key]) == item[key]
        for key in ("municipalityCount", "population", "populationDate", "shareBasis"):
            assert row[key] == ("" if item[key] is None else str(item[key]))
        assert row["sharesAssumed"] == str(item["sharesAssumed"]).lower()


async def test_csv_comes_only_where_it_is_liked_best(api):
    address = "/v1/crosswalks/provincie/landsdeel"
    for accept, media in [
        ("text/csv;q=0.9, application/json;q=0.8", "text/csv"),
        ("text/csv;q=0.5, application/json", "application/json"),
        ("*/*", "application/json"),
    ]:
        assert (await api.get(address, headers={"accept": accept})).headers["content-type"].startswith(media)
    assert (await api.get("/v1/regions", headers={"accept": "text/csv"})).status_code == 406


@pytest.mark.parametrize(
    "address", ["/v1/crosswalks/nope/gemeente", "/v1/crosswalks/gemeente/nope", "/v1/region-schemes/nope"]
)
async def test_a_scheme_in_the_address_that_does_not_exist_is_not_found(api, address):
    response = await api.get(address)
    assert (response.status_code, response.json()["code"]) == (404, "not-found")


@pytest.mark.parametrize(
    "address",
    ["/v1/regions", "/v1/regions/GM0014", "/v1/crosswalks/gemeente/provincie", "/v1/locations?q=haren", "/v1/hubs"],
)
async def test_a_date_before_the_first_edition_names_the_editions(api, address):
    response = await api.get(f"{address}{'&' if '?' in address else '?'}asOf=2015-12-31")
    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert (error["in"], error["location"], error["code"]) == ("query", "asOf", "date-before-first-edition")
    for year in ("2016", "2022", "2023", "2026"):
        assert year in error["detail"]


@pytest.mark.parametrize(
    "address",
    ["/v1/regions?scheme=roaz-regio", "/v1/regions/GM0363/overlaps?scheme=roaz-regio", "/v1/crosswalks/roaz-regio/provincie", "/v1/hubs/groningen/regions?scheme=roaz-regio"],
)  # fmt: skip
async def test_roaz_regions_before_2020_are_refused_with_their_editions(api, address):
    response = await api.get(f"{address}{'&' if '?' in address else '?'}asOf=2018-01-01")
    assert response.status_code == 400
    assert "2020" in response.json()["errors"][0]["detail"]
    assert response.json()["errors"][0]["location"] == "asOf"


@pytest.mark.parametrize(
    ("query", "location", "code"),
    [
        ("scheme=nope", "scheme", "unknown-scheme"),
        ("municipality=GM9999", "municipality", "unknown-code"),
        ("municipality=GM0003", "municipality", "region-ended"),
        ("municipality=groningen", "municipality", "wrong-form"),
        ("q=!", "q", "nothing-to-search"),
        ("sort=colour", "sort", "unknown-sort"),
    ],
)
async def test_what_leads_nowhere_is_told_and_not_an_empty_list(api, query, location, code):
    response = await api.get(f"/v1/regions?{query}")
    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert (error["in"], error["location"], error["code"]) == ("query", location, code)
