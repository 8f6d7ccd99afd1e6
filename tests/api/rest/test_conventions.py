"""What holds for every address: paging, fields, tags, languages, methods, media types, and bad input told clearly."""

from __future__ import annotations

import pytest

COLLECTIONS = [
    "/v1/regions", "/v1/region-schemes", "/v1/regions/GG0111/municipalities", "/v1/hubs", "/v1/hubs/zoetermeer/members",
    "/v1/organisations", "/v1/themes", "/v1/channels",
]  # fmt: skip
SINGLES = ["/v1/regions/GG0111", "/v1/region-schemes/corop", "/v1/hubs/groningen"]
EVERYTHING = [*COLLECTIONS, *SINGLES, "/v1/regions/GM0014/overlaps", "/v1/regions/GM1979/lineage", "/v1/hubs/groningen/regions",
              "/v1/crosswalks/provincie/landsdeel", "/v1/locations?postcode=9711"]  # fmt: skip


def joined(address, query):
    return f"{address}{'&' if '?' in address else '?'}{query}"


async def refused(client, address, status=400, method="GET", **more):
    response = await client.request(method, address, **more)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["content-language"] == "en"
    assert response.headers["cache-control"] == "no-store"
    found = response.json()
    assert found["status"] == status
    assert {"type", "title", "detail", "code"} <= set(found)
    assert "nput should" not in response.text, "the words of a library"
    return found


async def faults(client, address):
    return [(e["in"], e["location"], e["code"]) for e in (await refused(client, address))["errors"]]


@pytest.mark.parametrize("address", COLLECTIONS)
async def test_a_collection_pages_with_next_and_link_and_ends_with_null(api, address):
    whole = (await api.get(joined(address, "limit=200"))).json()
    first = await api.get(joined(address, "limit=1"))
    assert first.json()["items"] == whole["items"][:1]
    following = first.json()["next"]
    if len(whole["items"]) == 1:
        assert following is None
        assert "link" not in first.headers
        return
    assert first.headers["link"] == f'<{following}>; rel="next"'
    assert following.startswith(f"http://knooppunt.test{address}?limit=1&cursor=")
    assert (await api.get(following)).json()["items"] == whole["items"][1:2]


async def test_the_next_address_keeps_the_question(api):
    first = (await api.get("/v1/regions?scheme=gemeente&asOf=2022-06-01&limit=2&fields=code&sort=-name")).json()
    assert "scheme=gemeente&asOf=2022-06-01&limit=2&fields=code&sort=-name&cursor=" in first["next"]
    second = (await api.get(first["next"])).json()
    assert all(set(item) == {"code"} for item in second["items"])


async def test_the_default_page_has_fifty_items_and_the_largest_two_hundred(get):
    assert len((await get("/v1/regions"))["items"]) == 50
    assert len((await get("/v1/regions?limit=200"))["items"]) == 200


@pytest.mark.parametrize("address", EVERYTHING)
async def test_an_answer_known_already_is_not_sent_again_and_repeats_its_headers(api, address):
    for language in ("nl", "en"):
        fresh = await api.get(address, headers={"accept-language": language})
        tag = fresh.headers["etag"]
        assert tag.startswith('"')
        for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
            again = await api.get(address, headers={"accept-language": language, "if-none-match": known})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == tag
            assert again.headers["content-language"] == language
            for name in ("vary", "cache-control", "api-version", "request-id", "content-security-policy"):
                assert again.headers[name]
        other = await api.get(address, headers={"accept-language": language, "if-none-match": '"other"'})
        assert other.status_code == 200


async def test_another_representation_has_another_tag(api):
    tags = {
        (await api.get(f"/v1/hubs/noord-holland{query}", headers={"accept-language": language})).headers["etag"]
        for query in ("", "?fields=name,challenges", "?expand=members", "?asOf=2022-06-01&expand=regions")
        for language in ("nl", "en")
    }
    assert len(tags) == 8


@pytest.mark.parametrize("address", EVERYTHING)
async def test_head_is_get_without_its_body(api, address):
    got, head = await api.get(address), await api.head(address)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "etag", "content-language"):
        assert head.headers[name] == got.headers[name]


async def test_options_tell_the_methods_that_there_are(api):
    for address, allow in [
        ("/v1/hubs", "GET, HEAD, POST, OPTIONS"), ("/v1/hubs/groningen", "GET, HEAD, PATCH, OPTIONS"),
        ("/v1/regions", "GET, HEAD, OPTIONS"), ("/v1/hubs/groningen/area", "PUT, OPTIONS"),
    ]:  # fmt: skip
        response = await api.options(address)
        assert (response.status_code, response.headers["allow"]) == (204, allow)
    assert (await api.options("/v1/nothing")).status_code == 404


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "POST", "TRACE", "BREW"])
async def test_a_method_that_an_address_does_not_take_is_405_with_all_that_it_takes(api, method):
    response = await api.request(method, "/v1/regions")
    assert response.status_code == 405
    assert {part.strip() for part in response.headers["allow"].split(",")} == {"GET", "HEAD", "OPTIONS"}
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "address", ["/v1/hubs/", "/v1/regions/GG0111/", "/v1//hubs", "/v1/Hubs", "/v1", "/v1/", "/v2/hubs", "/v1/hubs.json", "/v1/x/y/z", "/v1/..%2fhubs"]
)  # fmt: skip
async def test_an_address_with_nothing_there_is_a_problem_and_never_a_redirect(api, address):
    await refused(api, address, 404)


@pytest.mark.parametrize(
    "accept", ["text/xml", "application/json;q=0", "*/*;q=0", "text/*", "application/jsonx", "application/problem+json"]
)
async def test_what_cannot_be_had_is_406(api, accept):
    found = await refused(api, "/v1/hubs", 406, headers={"accept": accept})
    assert "application/json" in found["detail"]


@pytest.mark.parametrize(
    "accept",
    ["*/*", "application/*", "text/html, */*;q=0.1", "APPLICATION/JSON", "application/json; charset=utf-8", ""],
)
async def test_what_can_be_had_is_given(api, accept):
    response = await api.get("/v1/hubs?limit=1", headers={"accept": accept})
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")


async def test_a_range_is_not_taken_and_the_whole_comes(api):
    assert (await api.get("/v1/hubs", headers={"range": "bytes=0-10"})).status_code == 200


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("limit=0", ("limit", "out-of-range")), ("limit=-1", ("limit", "out-of-range")), ("limit=201", ("limit", "out-of-range")),
        ("limit=abc", ("limit", "invalid-number")), ("limit=1.0", ("limit", "invalid-number")), ("limit=1_0", ("limit", "invalid-number")),
        ("limit=+5", ("limit", "invalid-number")), ("limit=", ("limit", "invalid-number")), ("limit=" + "9" * 40, ("limit", "invalid-number")),
        ("asOf=yesterday", ("asOf", "invalid-date")), ("asOf=2022-02-30", ("asOf", "invalid-date")), ("asOf=1640995200", ("asOf", "invalid-date")),
        ("asOf=2022-01-01T00:00:00", ("asOf", "invalid-date")), ("asOf=20220101", ("asOf", "invalid-date")), ("asOf=", ("asOf", "invalid-date")),
        ("cursor=abc", ("cursor", "invalid-cursor")), ("cursor=", ("cursor", "invalid-cursor")), ("cursor=%C3%A9.%00", ("cursor", "control-character")),
        ("cursor=" + "a" * 2001, ("cursor", "too-long")), ("sort=colour", ("sort", "unknown-sort")), ("sort=--name", ("sort", "unknown-sort")),
        ("colour=red", ("colour", "unknown-parameter")), ("as_of=2022-01-01", ("as_of", "unknown-parameter")), ("Limit=1", ("Limit", "unknown-parameter")),
        ("fields=colour", ("fields", "unknown-field")), ("fields=", ("fields", "unknown-field")), ("fields=name.code", ("fields", "unknown-field")),
        ("fields=name,,code", ("fields", "unknown-field")), ("fields=area.definition.regions.hubs.slug", ("fields", "too-many-fields")),
        ("fields=" + ".".join(["area"] * 10), ("fields", "too-many-fields")), ("expand=name", ("expand", "unknown-field")),
        ("expand=" + ",".join(f"e{n}" for n in range(150)), ("expand", "too-long")), ("fields=" + ",".join(f"f{n}" for n in range(150)), ("fields", "too-many-fields")),
        ("limit=1&limit=2", ("", "repeated-parameter")), ("fields=%ff", ("", "invalid-encoding")), ("fields=na%00me", ("fields", "control-character")),
        ("&".join(f"p{n}=1" for n in range(60)), ("", "too-many-parameters")),
    ],
)  # fmt: skip
async def test_bad_input_is_told_by_its_place_and_a_stable_word(api, query, found):
    assert ("query", *found) in await faults(api, f"/v1/hubs?{query}")


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("limit=0", "At least 1 is needed."), ("limit=300", "At most 200 is allowed."), ("limit=x", "A whole number is needed."),
        ("phase=x", "One of these is needed: 'kwartiermaken', 'voorbereiding', 'expeditie' or 'uitvoering'."),
        ("municipality=x", "The code of a municipality is GM and four digits, such as GM0014."),
        ("asOf=x", "A date of the calendar is needed, written YYYY-MM-DD."), ("sort=x", "This can be sorted by: name, or the same with a -."),
        ("region=" + "x" * 30, "At most 20 characters are allowed."),
    ],
)  # fmt: skip
async def test_a_refusal_is_a_sentence_that_helps(api, query, detail):
    assert (await refused(api, f"/v1/hubs?{query}"))["detail"] == detail


async def test_all_faults_come_at_once(api):
    found = await refused(api, "/v1/regions?limit=0&asOf=x&municipality=y&colour=z")
    assert {e["location"] for e in found["errors"]} == {"limit", "asOf", "municipality", "colour"}
    assert found["detail"] == "4 things are wrong with this request; see errors."


@pytest.mark.parametrize(
    "address",
    ["/v1/hubs?{}=1&limit=1", "/v1/hubs?asOf={0}", "/v1/hubs?cursor={}", "/v1/hubs?fields={}", "/v1/hubs?region={}", "/v1/locations?postcode=99{}",
     "/v1/regions/{}", "/v1/hubs/{}", "/v1/crosswalks/{}/gemeente", "/v1/organisations/{}", "/v1/organisations?type={}"],
)  # fmt: skip
async def test_a_refused_value_is_never_repeated(api, address):
    response = await api.get(address.format("qwxzsecret"))
    assert response.status_code in (400, 404)
    if "=1" not in address:  # the name of a parameter is told, its value never
        assert "qwxz" not in response.text


@pytest.mark.parametrize(
    "address",
    [
        "/v1/regions/%00",
        "/v1/hubs/a%00b",
        "/v1/region-schemes/%01",
        "/v1/crosswalks/%00/gemeente",
        "/v1/regions/a%1fb/overlaps",
    ],
)
async def test_control_characters_in_an_address_are_refused(api, address):
    assert "control-character" in {code for _, _, code in await faults(api, address)}


@pytest.mark.parametrize(
    "address", ["/v1/regions/%ff%fe", "/v1/regions/%F0%9F%98%80", "/v1/hubs/" + "a" * 50, "/v1/regions/%27%3B--"]
)
async def test_strange_codes_are_simply_not_there(api, address):
    await refused(api, address, 404)


async def test_a_query_of_a_megabyte_is_too_long(api):
    await refused(api, "/v1/regions?q=" + "a" * 60_000, 414)


async def test_fields_choose_and_expand_adds(get):
    assert await get("/v1/hubs/groningen?fields=slug") == {"slug": "groningen"}
    nested = await get("/v1/hubs/groningen?fields=name,area.population,area.definition.regions.code")
    assert set(nested) == {"name", "area"}
    assert set(nested["area"]) == {"population", "definition"}
    assert list(nested["area"]["definition"]["regions"][0]) == ["code"]
    assert set(await get("/v1/hubs/groningen?expand=members,regions")) == set(await get("/v1/hubs/groningen")) | {
        "members",
        "regions",
    }
    reference = await get("/v1/organisations?limit=1&fields=hubs,regions")
    assert set(reference["items"][0]) == {"hubs", "regions"}


async def test_more_than_is_good_for_the_others_is_refused_with_the_cheaper_way(api):
    found = await refused(api, "/v1/regions?limit=200&fields=municipalities.overlaps.region.overlaps")
    assert found["errors"][0]["code"] == "limit-cost"
    assert "smaller limit" in found["detail"]


PROBE = {"slug": "probe", "name": "Probe", "area": {"from": "2026-01-01", "plus": ["GM0014"]}}
WRITES = [
    ("POST", "/v1/hubs"), ("PATCH", "/v1/hubs/groningen"), ("PUT", "/v1/hubs/groningen/area"), ("POST", "/v1/organisations"),
    ("PUT", "/v1/hubs/groningen/members/01890a5d-ac96-774b-bcce-b302099a8057"),
    ("DELETE", "/v1/hubs/groningen/members/01890a5d-ac96-774b-bcce-b302099a8057"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "address"), WRITES)
@pytest.mark.parametrize("content", [b"", b"{}", b"not json", b"\xff"])
async def test_nobody_changes_anything_whatever_is_sent(api, method, address, content):
    response = await api.request(method, address, content=content, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["code"]) == (401, "token-required")
    assert response.headers["www-authenticate"] == 'Bearer realm="knooppunt"'


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b"{", "invalid-json"), (b"", "invalid-json"), (b"\xff\xfe", "invalid-json"), (b"[" * 50_000, "invalid-json"), (b"[1]", "wrong-type"),
        (b"null", "wrong-type"), (b'"text"', "wrong-type"), (b'{"slug": NaN}', "invalid-json"), (b'{"slug": "\\ud800"}', "invalid-json"),
        (b'{"slug": "a\\u0000b"}', "control-character"), (b'{"a\\u0000": [1]}', "control-character"),
    ],
)  # fmt: skip
async def test_a_body_that_cannot_be_read_is_told(as_, content, where):
    async with as_("national") as client:
        found = await refused(
            client, "/v1/hubs", method="POST", content=content, headers={"content-type": "application/json"}
        )
    assert [(e["in"], e["code"]) for e in found["errors"]] == [("body", where)]


async def test_every_fault_of_a_body_has_its_place(as_):
    body = {
        "slug": "A B", "name": "", "area": {"from": 1, "regions": 5, "minus": ["x" * 30]}, "colour": 1,
        "phases": [{"phase": "x", "from": "2022-13-01"}], "hosts": [{"organisation": "x", "status": 1}], "website": 7,
    }  # fmt: skip
    async with as_("national") as client:
        found = await refused(client, "/v1/hubs", method="POST", json=body)
    assert {(e["location"], e["code"]) for e in found["errors"]} == {
        ("slug", "wrong-form"), ("name", "too-short"), ("area.from", "invalid-date"), ("area.regions", "wrong-type"),
        ("area.minus[0]", "too-long"), ("colour", "unknown-field"), ("phases[0].phase", "unknown-code"), ("phases[0].from", "invalid-date"),
        ("hosts[0].organisation", "invalid-id"), ("hosts[0].status", "unknown-code"), ("website", "wrong-type"),
    }  # fmt: skip
    assert all(e["detail"].endswith(".") and e["in"] == "body" for e in found["errors"])


@pytest.mark.parametrize(
    "media", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "multipart/form-data", "application/merge-patch+json", ""]
)  # fmt: skip
async def test_a_body_of_another_kind_is_415_with_the_right_kind(as_, media):
    async with as_("national") as client:
        found = await refused(client, "/v1/hubs", 415, "POST", content=b"{}", headers={"content-type": media})
        assert "application/json" in found["detail"]
        response = await client.patch("/v1/hubs/groningen", content=b"{}", headers={"content-type": "application/json"})
        assert (response.status_code, response.headers["accept-patch"]) == (415, "application/merge-patch+json")


async def test_a_body_of_a_megabyte_is_too_large(as_):
    async with as_("national") as client:
        await refused(
            client, "/v1/hubs", 413, "POST", content=b"a" * 1_000_001, headers={"content-type": "application/json"}
        )


async def test_any_site_may_read(api):
    response = await api.get("/v1/hubs", headers={"origin": "https://elsewhere.test"})
    assert response.headers["access-control-allow-origin"] == "*"
    contract = await api.get("/v1/openapi.json")
    assert contract.headers["access-control-allow-origin"] == "*"


async def test_a_wrong_token_is_refused_even_for_what_is_public(api):
    found = await refused(api, "/v1/hubs", 401, headers={"authorization": "Bearer kp_wrong"})
    assert "kp_wrong" not in str(found)


async def test_who_has_a_token_gets_nothing_that_a_cache_keeps(as_):
    async with as_("own-hub") as client:
        response = await client.get("/v1/hubs/groningen")
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")
    assert "Authorization" in response.headers["vary"]
