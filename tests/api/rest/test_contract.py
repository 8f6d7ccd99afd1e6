"""The published contract: what it promises, by the Dutch API Design Rules, and that every answer keeps it."""

from __future__ import annotations

import re

import jsonschema_rs
import pytest

EXAMPLES = {
    "/crosswalks/{fromScheme}/{toScheme}": "/crosswalks/ggd-regio/zorgkantoorregio",
    "/feeds/{feed}": "/feeds/openbaar",
    "/hubs/{slug}": "/hubs/zoetermeer",
    "/hubs/{slug}/members": "/hubs/zoetermeer/members",
    "/hubs/{slug}/regions": "/hubs/zoetermeer/regions",
    "/locations": "/locations?postcode=2711",
    "/national/coverage": "/national/coverage?scheme=ggd-regio",
    "/region-schemes/{scheme}": "/region-schemes/roaz-regio",
    "/regions/{code}": "/regions/GM0363",
    "/regions/{code}/lineage": "/regions/GM1979/lineage",
    "/regions/{code}/municipalities": "/regions/GG0111/municipalities",
    "/regions/{code}/overlaps": "/regions/GM0363/overlaps",
}
MORE = {
    "/hubs": ["/hubs?limit=200", "/hubs?asOf=2022-06-01&limit=200"],
    "/regions": [
        "/regions?asOf=2016-06-01&limit=200",
        "/regions?scheme=roaz-regio",
        "/regions?scheme=gemeente&limit=200",
    ],
    "/organisations": ["/organisations?limit=200"],
    "/national/signal-counts": [
        "/national/signal-counts?groupBy=theme,region,period&scheme=participatiehub&from=2026-01",
        "/national/signal-counts?groupBy=workfield,hub,kind",
    ],
    "/national/coverage": ["/national/coverage?scheme=participatiehub&asOf=2022-06-01"],
    "/national/trends": ["/national/trends?to=2026-05&months=12"],
    "/locations": ["/locations?municipality=GM0363", "/locations?q=ber", "/locations?postcode=1000"],
    "/hubs/{slug}": ["/hubs/groningen", "/hubs/groningen?asOf=2022-01-01", "/hubs/zoetermeer?asOf=2024-01-01"],
    "/regions/{code}/overlaps": ["/regions/GG0111/overlaps?asOf=2016-06-01"],
    "/crosswalks/{fromScheme}/{toScheme}": ["/crosswalks/roaz-regio/gemeente?asOf=2022-06-01"],
    "/participant-groups": ["/participant-groups?limit=200"],
}


@pytest.fixture(scope="session")
async def contract(house):
    async with house.client() as client:
        response = await client.get("/v1/openapi.json")
    assert response.headers["content-type"] == "application/json"
    return response.json()


def operations(contract):
    return [
        (path, method, operation)
        for path, methods in contract["paths"].items()
        for method, operation in methods.items()
    ]


def strict(schema):
    """The schema with nothing allowed that it does not name: what an answer holds more is not promised."""
    if isinstance(schema, dict):
        found = {key: strict(value) for key, value in schema.items()}
        if "properties" in found:
            found.setdefault("additionalProperties", False)
        return found
    return [strict(part) for part in schema] if isinstance(schema, list) else schema


def validator(contract, schema):
    whole = {**strict(schema), "components": strict(contract["components"])}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


async def test_every_get_of_the_contract_answers_as_its_schema_says(contract, api):
    tried = 0
    for path, method, operation in operations(contract):
        if method != "get":
            continue
        if path == "/follow":  # only with a code, which a hub gives out: see test_follow.py
            continue
        content = operation["responses"]["200"]["content"]
        if "text/event-stream" in content:  # without end: see test_changes_waiting.py
            continue
        schema = content["application/json"]["schema"]
        check = validator(contract, schema)
        addresses = [EXAMPLES.get(path, path), *MORE.get(path, [])]
        if path == "/organisations/{id}":
            first = (await api.get("/v1/organisations?limit=1")).json()["items"][0]
            addresses = [f"/organisations/{first['id']}"]
        if path == "/national/bundles/{id}":  # a ledger that may be empty: see test_bundles.py
            found = (await api.get("/v1/national/bundles?limit=1")).json()["items"]
            addresses = [f"/national/bundles/{item['id']}" for item in found]
        if path == "/national/bundles/suggestions":
            first = (await api.get("/v1/signals?limit=1")).json()["items"][0]
            addresses = [f"/national/bundles/suggestions?signal={first['id']}"]
        if path.startswith("/signals/{id}"):  # its history is its hub's alone: see test_signals_routing.py
            found = (await api.get("/v1/signals?limit=1")).json()["items"]
            addresses = [path.format(id=item["id"]) for item in found if not path.endswith("/history")]
        if path in ("/hubs/{slug}/signals/{externalId}", "/hubs/{slug}/questions/{externalId}"):
            noun = path.split("/")[3]
            found = (await api.get(f"/v1/{noun}?limit=200&fields=externalId,hub")).json()["items"]
            named = next(item for item in found if item["externalId"])
            addresses = [f"/hubs/{named['hub']['slug']}/{noun}/{named['externalId']}"]
        if path.startswith("/questions/{id}"):  # likewise
            found = (await api.get("/v1/questions?limit=1")).json()["items"]
            addresses = [path.format(id=item["id"]) for item in found if not path.endswith("/history")]
        for address in addresses:
            for language in ("nl", "en"):
                response = await api.get(f"/v1{address}", headers={"accept-language": language})
                assert response.status_code == 200, address
                errors = [f"{address}: {e.instance_path} {e.message[:200]}" for e in check.iter_errors(response.json())]
                assert errors == []
                for header in operation["responses"]["200"]["headers"]:
                    assert header in response.headers or header.startswith("RateLimit"), header
                tried += 1
    assert tried > 60


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/v1/regions?limit=0&asOf=x", 400),
        ("/v1/regions/GM0003", 404),
        ("/v1/nothing", 404),
        ("/v1/hubs?fields=x", 400),
    ],
)
async def test_every_problem_is_as_its_schema_says(contract, api, address, status):
    response = await api.get(address)
    assert response.status_code == status
    check = jsonschema_rs.Draft202012Validator(
        {"$ref": "#/components/schemas/Problem", "components": contract["components"]}
    )
    assert check.is_valid(response.json())


def test_the_contract_says_who_made_it_and_which_version_it_is(contract):
    assert contract["openapi"].startswith("3.1.")
    assert re.fullmatch(r"\d+\.\d+\.\d+", contract["info"]["version"])
    assert all(contract["info"]["contact"][key] for key in ("name", "url", "email"))
    for server in contract["servers"]:
        assert re.fullmatch(r"https://[^/]+/v1", server["url"])


async def test_every_answer_says_the_version_of_the_contract(contract, api):
    for address in ("/v1/hubs", "/v1/nothing", "/v1/hubs?limit=0", "/"):
        assert (await api.get(address)).headers["api-version"] == contract["info"]["version"]


def test_paths_are_in_kebab_case_without_a_slash_at_the_end_or_an_extension(contract):
    for path in contract["paths"]:
        for segment in path[1:].split("/"):
            assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*|_[a-z]+|\{[a-z][A-Za-z]*\}", segment), path


def test_query_keys_and_members_are_in_camel_case(contract):
    for path, _, operation in operations(contract):
        for parameter in operation["parameters"]:
            if parameter["in"] in ("query", "path"):
                assert re.fullmatch(r"[a-z][a-z0-9]*([A-Z][a-z0-9]*)*", parameter["name"]), path
    for name, schema in contract["components"]["schemas"].items():
        for member in schema["properties"]:
            assert re.fullmatch(r"[a-z][a-z0-9]*([A-Z][a-z0-9]*)*", member), name


def test_every_operation_has_a_name_words_and_a_tag(contract):
    names = [operation["operationId"] for _, _, operation in operations(contract)]
    assert len(set(names)) == len(names)
    tags = {tag["name"] for tag in contract["tags"]}
    for path, _, operation in operations(contract):
        assert re.fullmatch(r"[a-z]+([A-Z][a-z]+)+", operation["operationId"]), path
        assert operation["summary"]
        assert set(operation["tags"]) <= tags


def test_every_refusal_is_a_problem_and_bad_input_is_400(contract):
    for path, method, operation in operations(contract):
        answers = operation["responses"]
        assert {"400", "401", "406", "429", "500", "503"} <= set(answers), path
        assert ("422" in answers) == (method == "post"), "the one exception: a key used before"
        if "{" in path:
            assert "404" in answers, path
        if method != "get":
            assert {"403", "409", "413", "415"} <= set(answers)
            assert operation["security"] == [{"bearer": []}]
        for status, answer in answers.items():
            assert "API-Version" in answer["headers"], (path, status)
            if status[0] in "45":
                assert list(answer["content"]) == ["application/problem+json"]


def test_a_change_goes_by_merge_patch_with_the_version_it_is_based_on(contract):
    for _, method, operation in operations(contract):
        headers = {p["name"] for p in operation["parameters"] if p["in"] == "header"}
        if method == "patch":
            assert list(operation["requestBody"]["content"]) == ["application/merge-patch+json"]
        if method in ("patch", "put", "delete"):
            assert "If-Match" in headers
            assert {"412", "428"} <= set(operation["responses"])
        if method == "post":
            assert "Idempotency-Key" in headers


def test_schemas_have_names_for_people_and_nothing_of_the_framework(contract):
    names = set(contract["components"]["schemas"])
    assert {"RegionCollection", "HubCollection", "Region", "Hub", "Problem"} <= names
    assert all(re.fullmatch(r"([A-Z][a-z]+)+", name) for name in names)
    assert not names & {"HTTPValidationError", "ValidationError"}


def test_every_reference_leads_somewhere_and_every_schema_is_used(contract):
    text = str(contract)
    references = set(re.findall(r"#/components/schemas/(\w+)", text))
    assert references == set(contract["components"]["schemas"])


def test_what_may_be_null_says_so_and_a_parameter_never_is(contract):
    for path, _, operation in operations(contract):
        for parameter in operation["parameters"]:
            assert "anyOf" not in parameter["schema"], (path, parameter["name"])
            assert parameter["schema"]["type"] in ("string", "integer", "boolean")
            assert parameter["description"], (path, parameter["name"])
    region = contract["components"]["schemas"]["Region"]["properties"]
    assert (region["population"]["type"], region["population"].get("format")) == (["integer", "null"], None)
    assert (region["validTo"]["type"], region["validTo"]["format"]) == (["string", "null"], "date")


def test_a_merge_patch_has_no_defaults_because_absent_means_unchanged(contract):
    changes = [s for name, s in contract["components"]["schemas"].items() if name.endswith("Change")]
    assert changes
    assert not [member for schema in changes for member in schema["properties"].values() if "default" in member]
    assert not [schema for schema in changes if schema.get("required")]


def test_dates_are_dates_and_moments_have_a_zone(contract):
    for name, schema in contract["components"]["schemas"].items():
        for member, described in schema["properties"].items():
            if re.search(r"(^d|D)ate$", member) or member in ("validFrom", "validTo", "since"):
                assert described["format"] == "date", (name, member)
            if member.endswith("At"):
                assert described["format"] == "date-time", (name, member)
