"""REST and GraphQL give the same answers to the same questions, and the same refusals."""

from __future__ import annotations

from typing import Any

import pytest

from app.api.rest import hubs, locations, organisations, regions, terms
from app.api.rest.picks import picks
from app.domain.reading import Pick


def selection(shown: tuple[Pick, ...]) -> str:
    return " ".join(p.key + (f" {{ {selection(p.picks)} }}" if p.picks else "") for p in shown)


async def ask(client: Any, query: str, **variables: Any) -> Any:
    response = await client.post("/graphql", json={"query": query, "variables": variables})
    return response.json()


COLLECTIONS = [
    ("/v1/regions?scheme=ggd-regio", 'regions(filter: {scheme: "ggd-regio"})', regions.REGION),
    ("/v1/regions?municipality=GM0363&asOf=2022-02-01", 'regions(filter: {municipality: "GM0363"}, asOf: "2022-02-01")', regions.REGION),
    ("/v1/regions?q=s%C3%BAdwest", 'regions(filter: {q: "súdwest"})', regions.REGION),
    ("/v1/region-schemes", "regionSchemes", regions.SCHEME),
    ("/v1/hubs", "hubs", hubs.HUB),
    ("/v1/hubs?municipality=GM0637", 'hubs(filter: {municipality: "GM0637"})', hubs.HUB),
    ("/v1/hubs?phase=uitvoering", 'hubs(filter: {phase: "uitvoering"})', hubs.HUB),
    ("/v1/hubs?sort=-name&limit=3", 'hubs(sort: "-name", first: 3)', hubs.HUB),
    ("/v1/hubs/zoetermeer/members", 'hubMembers(hub: "zoetermeer")', hubs.MEMBER),
    ("/v1/organisations?hub=limburg", 'organisations(filter: {hub: "limburg"})', organisations.ORGANISATION),
    ("/v1/workfields", "workfields", terms.TERM),
    ("/v1/umbrellas", "umbrellas", terms.UMBRELLA),
    ("/v1/themes", "themes", terms.THEME),
    ("/v1/participation-levels", "participationLevels", terms.LEVEL),
    ("/v1/participation-roles", "participationRoles", terms.RANKED),
    ("/v1/participation-phases", "participationPhases", terms.RANKED),
    ("/v1/participation-methods", "participationMethods", terms.TERM),
    ("/v1/participant-groups", "participantGroups", terms.GROUP),
    ("/v1/channels", "channels", terms.TERM),
]  # fmt: skip
LISTS = [
    ("/v1/crosswalks/roaz-regio/provincie", 'crosswalk(from: "roaz-regio", to: "provincie")', regions.CROSSWALK),
    ("/v1/locations?postcode=9711%20AB", 'locations(postcode: "9711 AB")', locations.LOCATION),
    ("/v1/locations?municipality=GM0003", 'locations(municipality: "GM0003")', locations.LOCATION),
    ("/v1/locations?q=haren", 'locations(q: "haren")', locations.LOCATION),
]
SINGLES = [
    ("/v1/regions/GG2014", 'region(code: "GG2014")', regions.REGION),
    ("/v1/regions/GM0003?asOf=2018-01-01", 'region(code: "GM0003", asOf: "2018-01-01")', regions.REGION),
    ("/v1/region-schemes/roaz-regio", 'regionScheme(code: "roaz-regio")', regions.SCHEME),
    ("/v1/hubs/haaglanden", 'hub(slug: "haaglanden")', hubs.HUB),
]


@pytest.mark.parametrize(("address", "field", "shown"), COLLECTIONS)
async def test_a_collection_is_the_same_through_both_doors(api, address, field, shown):
    rest = (await api.get(address)).json()
    found = await ask(
        api, f"{{ it: {field} {{ nodes {{ {selection(picks(shown))} }} pageInfo {{ hasNextPage endCursor }} }} }}"
    )
    assert rest["items"]
    assert found["data"]["it"]["nodes"] == rest["items"]
    assert found["data"]["it"]["pageInfo"]["hasNextPage"] is (rest["next"] is not None)


@pytest.mark.parametrize(("address", "field", "shown"), LISTS)
async def test_a_list_is_the_same_through_both_doors(api, address, field, shown):
    rest = (await api.get(address)).json()
    found = await ask(api, f"{{ it: {field} {{ {selection(picks(shown))} }} }}")
    assert rest["items"]
    assert found["data"]["it"] == rest["items"]


@pytest.mark.parametrize(("address", "field", "shown"), SINGLES)
async def test_a_resource_is_the_same_through_both_doors(api, address, field, shown):
    rest = (await api.get(address)).json()
    found = await ask(api, f"{{ it: {field} {{ {selection(picks(shown))} }} }}")
    assert found["data"]["it"] == rest


async def test_overlaps_hub_regions_and_lineage_are_the_same_through_both_doors(api):
    overlaps = (await api.get("/v1/regions/GG2014/overlaps?scheme=zorgkantoorregio")).json()["items"]
    of_hub = (await api.get("/v1/hubs/haaglanden/regions?scheme=ggd-regio")).json()["items"]
    lineage = (await api.get("/v1/regions/GM0014/lineage")).json()
    shown = selection(picks(regions.OVERLAP))
    found = await ask(
        api,
        f"""query ($scheme: String) {{ region(code: "GG2014") {{ overlaps(scheme: $scheme) {{ {shown} }} }}
        hub(slug: "haaglanden") {{ regions(scheme: "ggd-regio") {{ {shown} }} }}
        regionLineage(code: "GM0014") {{ predecessors {{ code scheme name date change }} successors {{ code scheme name date change }} }} }}""",
        scheme="zorgkantoorregio",
    )
    assert found["data"] == {"region": {"overlaps": overlaps}, "hub": {"regions": of_hub}, "regionLineage": lineage}


async def test_a_cursor_of_one_door_opens_the_next_page_of_the_same_order_at_that_door(api):
    seen, after = [], None
    while True:
        found = await ask(
            api,
            "query ($after: String) { hubs(first: 5, after: $after) { nodes { slug } pageInfo { endCursor hasNextPage hasPreviousPage } } }",
            after=after,
        )
        page = found["data"]["hubs"]
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        seen += [node["slug"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    everything = (await api.get("/v1/hubs?limit=200&fields=slug")).json()["items"]
    assert seen == [item["slug"] for item in everything]


@pytest.mark.parametrize(
    ("address", "field"),
    [
        ("/v1/regions?scheme=nonsense", 'regions(filter: {scheme: "nonsense"}) { nodes { code } }'),
        ("/v1/regions?asOf=2001-01-01", 'regions(asOf: "2001-01-01") { nodes { code } }'),
        ("/v1/regions?scheme=roaz-regio&asOf=2018-01-01", 'regions(filter: {scheme: "roaz-regio"}, asOf: "2018-01-01") { nodes { code } }'),
        ("/v1/regions?municipality=GM9999", 'regions(filter: {municipality: "GM9999"}) { nodes { code } }'),
        ("/v1/regions?q=!!", 'regions(filter: {q: "!!"}) { nodes { code } }'),
        ("/v1/regions?sort=size", 'regions(sort: "size") { nodes { code } }'),
        ("/v1/regions?cursor=abc.def", 'regions(after: "abc.def") { nodes { code } }'),
        ("/v1/locations?postcode=97111", 'locations(postcode: "97111") { place }'),
        ("/v1/locations?postcode=9711&q=x", 'locations(postcode: "9711", q: "x") { place }'),
        ("/v1/locations", "locations { place }"),
        ("/v1/hubs?region=XX99", 'hubs(filter: {region: "XX99"}) { nodes { slug } }'),
        ("/v1/organisations?workfield=no", 'organisations(filter: {workfield: "no"}) { nodes { name } }'),
    ],
)  # fmt: skip
async def test_a_refusal_is_the_same_through_both_doors(api, address, field):
    rest = await api.get(address)
    graphql = await ask(api, f"{{ {field} }}")
    assert rest.status_code == 400
    assert graphql["errors"][0]["extensions"]["code"] == rest.json()["code"]
    assert graphql["errors"][0]["extensions"]["errors"] == rest.json()["errors"]


async def test_english_labels_come_through_both_doors(api):
    english = {"accept-language": "en-GB,en;q=0.9,nl;q=0.5"}
    rest = await api.get("/v1/workfields?fields=label", headers=english)
    graphql = await api.post("/graphql", json={"query": "{ workfields { nodes { label } } }"}, headers=english)
    assert rest.headers["content-language"] == "en"
    assert graphql.json()["data"]["workfields"]["nodes"] == rest.json()["items"]
    assert {"label": "Inclusion"} in rest.json()["items"]


HOSTILE = {
    "depth 50": '{ hub(slug: "limburg") { ' + "frontrunner { " * 50 + "name" + " }" * 50 + " } }",
    "ten thousand aliases": "{ " + " ".join(f'a{i}: hub(slug: "limburg") {{ name }}' for i in range(10_000)) + " }",
    "a cyclic fragment": 'fragment F on Hub { frontrunner { ...F } } { hub(slug: "limburg") { ...F } }',
    "an unknown variable": "{ hub(slug: $nobody) { name } }",
    "more than a page": "{ hubs(first: 201) { nodes { name } } }",
    "too many rows": "{ regions(first: 200) { nodes { municipalities { overlaps { region { municipalities { name } } } } } } }",
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_a_hostile_document_is_refused_and_the_service_goes_on(api, what):
    response = await api.post(
        "/graphql", json={"query": HOSTILE[what]}, headers={"accept": "application/graphql-response+json"}
    )
    assert response.status_code in (400, 413), what
    assert response.json()["errors"][0]["message"]
    assert (await ask(api, '{ hub(slug: "limburg") { name } }'))["data"]["hub"]["name"] == "Limburg"
