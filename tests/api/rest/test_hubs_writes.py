"""POST and PATCH of /v1/hubs, as each of the cast."""

from __future__ import annotations

import asyncio

import pytest

from tests.signal_cases import letters

PATCH = {"content-type": "application/merge-patch+json"}
WRITERS = ["own-hub", "other-hub", "umbrella", "national", "admin"]
NOBODY = "01890000-0000-7000-8000-000000000000"


@pytest.fixture
def house(writing_house):
    return writing_house


def a_hub(**changes):
    """A hub that does not exist yet."""
    slug = f"hub-{letters()}"
    return {"slug": slug, "name": f"Hub {slug}", "area": {"from": "2024-01-01", "plus": ["GM0637"]}} | changes


@pytest.fixture
def new_hub(as_):
    """Adds a hub as the national coordination; its representation comes back."""

    async def add(**changes):
        async with as_("national") as national:
            response = await national.post("/v1/hubs", json=a_hub(**changes))
        assert response.status_code == 201, response.text
        return response.json()

    return add


async def patch(client, slug, content, match="*"):
    headers = PATCH | ({} if match is None else {"if-match": match})
    return await client.patch(f"/v1/hubs/{slug}", json=content, headers=headers)


def codes(response):
    """Where each fault is, and its code."""
    return {(fault["location"], fault["code"]) for fault in response.json()["errors"]}


# Who may


async def test_the_national_coordination_adds_a_hub_and_is_told_where_it_is(as_, api):
    new = a_hub()
    async with as_("national") as national:
        response = await national.post("/v1/hubs", json=new)
    assert response.status_code == 201
    assert response.headers["location"] == f"http://knooppunt.test/v1/hubs/{new['slug']}"
    read = await api.get(f"/v1/hubs/{new['slug']}")
    assert read.json() == response.json()
    assert read.headers["etag"] == response.headers["etag"]
    assert read.json()["basis"] == "network"
    assert read.json()["version"] == 1


@pytest.mark.parametrize("who", ["own-hub", "other-hub", "umbrella", "admin"])
async def test_nobody_else_adds_a_hub(as_, api, who):
    new = a_hub()
    async with as_(who) as client:
        response = await client.post("/v1/hubs", json=new)
    assert (response.status_code, response.json()["code"]) == (403, "forbidden")
    assert (await api.get(f"/v1/hubs/{new['slug']}")).status_code == 404


@pytest.mark.parametrize("who", ["own-hub", "national"])
async def test_a_hub_and_the_national_coordination_change_its_page(as_, who):
    website = f"https://{who}.example.nl"
    async with as_(who) as client:
        response = await patch(client, "groningen", {"website": website})
        assert response.status_code == 200, response.text
        assert response.json()["website"] == website
        assert response.json() == (await client.get("/v1/hubs/groningen")).json()


@pytest.mark.parametrize("who", ["other-hub", "umbrella", "admin"])
async def test_nobody_else_changes_it_whatever_version_they_name(as_, api, who):
    before = (await api.get("/v1/hubs/groningen")).content
    async with as_(who) as client:
        for match in ("*", '"99999"', None):
            response = await patch(client, "groningen", {"website": "https://x.example"}, match)
            assert (response.status_code, response.json()["code"]) == (403, "forbidden")
    assert (await api.get("/v1/hubs/groningen")).content == before


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("POST", "/v1/hubs"),
        ("PATCH", "/v1/hubs/groningen"),
        ("PUT", "/v1/hubs/groningen/area"),
        ("PUT", f"/v1/hubs/groningen/members/{NOBODY}"),
        ("DELETE", f"/v1/hubs/groningen/members/{NOBODY}"),
        ("POST", "/v1/organisations"),
        ("PATCH", f"/v1/organisations/{NOBODY}"),
    ],
)
async def test_an_outsider_is_asked_for_a_token(api, method, address):
    headers = PATCH if method == "PATCH" else {"content-type": "application/json"}
    response = await api.request(method, address, content=b"{}", headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer ")
    assert response.headers["content-type"] == "application/problem+json"


async def test_a_hub_that_is_not_there_is_not_found_for_everyone_with_a_token(as_):
    for who in WRITERS:
        async with as_(who) as client:
            assert (await patch(client, "nergens", {"name": "Nergens"})).status_code == 404


# Versions


async def test_a_change_without_a_version_is_asked_for_one(as_, new_hub):
    hub = await new_hub()
    async with as_("national") as national:
        response = await patch(national, hub["slug"], {"name": "Anders"}, match=None)
    assert (response.status_code, response.json()["code"]) == (428, "version-required")


async def test_the_etag_of_a_read_is_the_key_to_one_change(as_, api, new_hub):
    hub = await new_hub()
    address = f"/v1/hubs/{hub['slug']}"
    seen = (await api.get(address)).headers["etag"]
    async with as_("national") as national:
        first = await patch(national, hub["slug"], {"website": "https://een.example"}, seen)
        assert (first.status_code, first.json()["version"]) == (200, 2)
        assert first.headers["etag"] == (await api.get(address)).headers["etag"]
        late = await patch(national, hub["slug"], {"website": "https://twee.example"}, seen)
        assert late.status_code == 412
        assert late.json()["currentVersion"] == 2
        assert late.headers["etag"] == late.json()["currentETag"] == first.headers["etag"]
        again = await patch(national, hub["slug"], {"website": "https://twee.example"}, late.headers["etag"])
        assert (again.status_code, again.json()["version"]) == (200, 3)


@pytest.mark.parametrize("tag", ['"1"', "1", 'W/"1-abcdef"', '"1-000000000000000000"', '"1-abcdef-gzip"'])
async def test_only_the_version_in_the_etag_counts(as_, new_hub, tag):
    hub = await new_hub()
    async with as_("national") as national:
        assert (await patch(national, hub["slug"], {"website": "https://a.example"}, tag)).status_code == 200


async def test_an_etag_that_is_none_of_ours_is_refused(as_, new_hub):
    hub = await new_hub()
    async with as_("national") as national:
        response = await patch(national, hub["slug"], {"website": "https://a.example"}, '"abcdef"')
    assert response.status_code == 400
    assert codes(response) == {("If-Match", "invalid-etag")}


async def test_a_patch_that_changes_nothing_makes_no_version(as_, new_hub):
    hub = await new_hub(website="https://a.example")
    async with as_("national") as national:
        for content in ({}, {"website": "https://a.example"}, {"name": hub["name"]}):
            response = await patch(national, hub["slug"], content, '"1"')
            assert (response.status_code, response.json()["version"]) == (200, 1)
        assert (await national.get(f"/v1/hubs/{hub['slug']}")).json()["updatedAt"] == hub["updatedAt"]


async def test_of_twenty_editors_at_once_one_wins_and_the_others_see_its_version(as_, new_hub):
    hub = await new_hub()
    async with as_("national") as national:
        answers = await asyncio.gather(
            *(patch(national, hub["slug"], {"website": f"https://e{n}.example"}, '"1"') for n in range(20))
        )
        won = [answer for answer in answers if answer.status_code == 200]
        lost = [answer for answer in answers if answer.status_code == 412]
        assert (len(won), len(lost)) == (1, 19)
        assert {answer.headers["etag"] for answer in lost} == {won[0].headers["etag"]}
        assert (await national.get(f"/v1/hubs/{hub['slug']}")).json() == won[0].json()


# What a patch means


async def test_absent_stays_null_empties_and_lists_are_replaced_whole(as_, new_hub):
    async with as_("national") as national:
        hosts = (await national.get("/v1/organisations?limit=2")).json()["items"]
        given = [{"organisation": host["id"], "status": "proposed"} for host in hosts]
        hub = await new_hub(
            website="https://a.example", contact="https://a.example/contact", hosts=given,
            phases=[{"phase": "voorbereiding", "from": "2025-01-01"}],
        )  # fmt: skip
        shown = (await patch(national, hub["slug"], {"website": None, "hosts": given[:1]})).json()
    assert (shown["website"], shown["contact"]) == (None, "https://a.example/contact")
    assert [host["organisation"]["id"] for host in shown["hosts"]] == [hosts[0]["id"]]
    assert shown["phases"] == hub["phases"]
    assert shown["area"] == hub["area"]


async def test_a_new_name_is_also_that_of_the_region_of_its_area(as_, get, new_hub):
    hub = await new_hub()
    async with as_("national") as national:
        await patch(national, hub["slug"], {"name": "De Nieuwe Naam"})
    assert (await get(f"/v1/regions/{hub['area']['code']}"))["name"] == "De Nieuwe Naam"
    assert hub["slug"] in {item["slug"] for item in (await get("/v1/hubs", sort="name", limit=200))["items"]}


async def test_phases_come_back_in_the_order_of_their_dates(as_, new_hub):
    hub = await new_hub(
        phases=[{"phase": "expeditie", "from": "2025-06-01"}, {"phase": "kwartiermaken", "from": "2024-01-01"}]
    )
    assert [phase["phase"] for phase in hub["phases"]] == ["kwartiermaken", "expeditie"]


async def test_every_fault_of_a_hub_is_told_at_once(as_):
    nobody = NOBODY
    wrong = a_hub(
        website="niets", contact="ftp://a.example", frontrunnerRole="follower",
        phases=[{"phase": "uitvoering", "from": "2024-01-01"}, {"phase": "expeditie", "from": "2025-01-01"}],
        hosts=[{"organisation": nobody}], steeringGroup=[{"workfield": "sterrenkunde", "organisation": nobody}],
        area={"from": "2024-01-01", "regions": ["ZZ99", "PH01"], "plus": ["ZK10", "GM0637"], "minus": ["GM0637"]},
    )  # fmt: skip
    async with as_("national") as national:
        response = await national.post("/v1/hubs", json=wrong)
    assert response.status_code == 400
    assert codes(response) == {
        ("website", "invalid-address"),
        ("contact", "invalid-address"),
        ("phases", "wrong-order"),
        ("frontrunner", "required"),
        ("hosts[0].organisation", "unknown-id"),
        ("steeringGroup[0].organisation", "unknown-id"),
        ("steeringGroup", "unknown-code"),
        ("area.regions[0]", "unknown-code"),
        ("area.regions[1]", "hub-area"),
        ("area.plus[0]", "not-a-municipality"),
        ("area.minus[0]", "contradiction"),
    }
    assert nobody not in response.text
    assert "sterrenkunde" not in response.text


async def test_lists_that_are_emptied_are_empty(as_, new_hub):
    hub = await new_hub(phases=[{"phase": "voorbereiding", "from": "2025-01-01"}])
    async with as_("national") as national:
        empty = (await patch(national, hub["slug"], {"phases": None, "hosts": None, "steeringGroup": []})).json()
    assert (empty["phases"], empty["phase"], empty["hosts"], empty["steeringGroup"]) == ([], None, [], [])


async def test_what_is_said_twice_counts_once(as_, new_hub):
    async with as_("national") as national:
        host = (await national.get("/v1/organisations?limit=1")).json()["items"][0]["id"]
        seat = {"workfield": "inclusie", "organisation": host}
        hub = await new_hub(
            hosts=[{"organisation": host}, {"organisation": host, "status": "confirmed"}],
            steeringGroup=[seat, seat],
            area={"from": "2024-01-01", "plus": ["GM0637", "GM0637", "GM0518"]},
        )
    assert [shown["status"] for shown in hub["hosts"]] == ["confirmed"]
    assert len(hub["steeringGroup"]) == 1
    assert [region["code"] for region in hub["area"]["definition"]["plus"]] == ["GM0518", "GM0637"]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"frontrunner": "friesland"}, ("frontrunner", "not-a-follower")),
        ({"frontrunnerRole": "frontrunner", "frontrunner": "friesland"}, ("frontrunner", "not-a-follower")),
        ({"frontrunnerRole": "follower", "frontrunner": "nergens"}, ("frontrunner", "unknown-code")),
        ({"frontrunnerRole": "follower"}, ("frontrunner", "required")),
        ({"name": "   "}, ("name", "required")),
    ],
)
async def test_a_hub_follows_a_frontrunner_that_exists_and_has_a_name(as_, new_hub, changes, fault):
    hub = await new_hub()
    async with as_("national") as national:
        response = await patch(national, hub["slug"], changes)
    assert (response.status_code, codes(response)) == (400, {fault})


async def test_a_hub_does_not_follow_itself_and_follows_another(as_, new_hub):
    hub = await new_hub()
    async with as_("national") as national:
        itself = await patch(national, hub["slug"], {"frontrunnerRole": "follower", "frontrunner": hub["slug"]})
        assert codes(itself) == {("frontrunner", "unknown-code")}
        other = await patch(national, hub["slug"], {"frontrunnerRole": "follower", "frontrunner": "friesland"})
        assert other.json()["frontrunner"] == {"slug": "friesland", "name": "Friesland"}


async def test_a_hub_itself_may_name_its_frontrunner(as_):
    async with as_("own-hub") as own:
        response = await patch(own, "groningen", {"frontrunnerRole": "follower", "frontrunner": "limburg"})
        assert response.status_code == 200, response.text
        assert response.json()["frontrunner"]["slug"] == "limburg"


async def test_the_slug_the_basis_and_the_version_are_not_for_changing(as_, new_hub):
    hub = await new_hub()
    async with as_("national") as national:
        response = await patch(
            national, hub["slug"], {"slug": "x", "basis": "network", "version": 9, "areaCode": "PH01"}
        )
    assert {code for _, code in codes(response)} == {"unknown-field"}
    assert len(codes(response)) == 4


async def test_a_slug_is_taken_once_also_when_two_ask_at_once(as_):
    new = a_hub()
    async with as_("national") as national:
        answers = await asyncio.gather(*(national.post("/v1/hubs", json=new) for _ in range(8)))
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
        assert {a.json()["code"] for a in answers if a.status_code == 409} == {"already-exists"}


async def test_hubs_made_at_once_have_area_codes_of_their_own(as_):
    async with as_("national") as national:
        answers = await asyncio.gather(*(national.post("/v1/hubs", json=a_hub()) for _ in range(6)))
    areas = [answer.json()["area"]["code"] for answer in answers]
    assert len(set(areas)) == 6
    assert all(int(code.removeprefix("PH")) >= 17 for code in areas), "PH16 is Zoetermeer"


async def test_prefer_minimal_leaves_the_body_out(as_, new_hub):
    hub = await new_hub()
    minimal = {"prefer": "return=minimal"}
    async with as_("national") as national:
        headers = PATCH | minimal | {"if-match": '"1"'}
        response = await national.patch(f"/v1/hubs/{hub['slug']}", json={"name": "Kort"}, headers=headers)
        assert (response.status_code, response.content) == (204, b"")
        assert response.headers["preference-applied"] == "return=minimal"
        assert response.headers["etag"] == (await national.get(f"/v1/hubs/{hub['slug']}")).headers["etag"]
        made = await national.post("/v1/hubs", json=a_hub(), headers=minimal)
        assert (made.status_code, made.content) == (201, b"")
        assert (await national.get(made.headers["location"])).headers["etag"] == made.headers["etag"]


async def test_a_reader_with_an_old_etag_sees_the_change_at_once(as_, api, new_hub):
    hub = await new_hub()
    address = f"/v1/hubs/{hub['slug']}"
    seen = {"if-none-match": (await api.get(address)).headers["etag"]}
    assert (await api.get(address, headers=seen)).status_code == 304
    async with as_("national") as national:
        await patch(national, hub["slug"], {"name": "Veranderd"})
    # The version of the data is looked at every quarter of a second; an answer of before that is at most so old.
    await asyncio.sleep(0.6)
    assert (await api.get(address, headers=seen)).status_code == 200
