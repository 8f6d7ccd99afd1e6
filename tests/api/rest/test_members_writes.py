"""PUT and DELETE of /v1/hubs/{slug}/members/{organisationId}."""

from __future__ import annotations

import asyncio

import pytest

from tests.signal_cases import letters

NOBODY = "01890000-0000-7000-8000-000000000000"


@pytest.fixture
def house(writing_house):
    return writing_house


@pytest.fixture
async def organisation(as_):
    """An organisation that is nobody's member yet."""
    async with as_("national") as national:
        new = {"name": f"Stichting {letters()}", "type": "overig", "side": "life-world"}
        return (await national.post("/v1/organisations", json=new)).json()


def member_of(slug, organisation):
    return f"/v1/hubs/{slug}/members/{organisation['id']}"


async def members(get, slug):
    return {item["organisation"]["id"]: item for item in (await get(f"/v1/hubs/{slug}/members", limit=200))["items"]}


async def test_a_hub_takes_in_changes_and_lets_go_of_a_member(as_, get, organisation):
    address = member_of("groningen", organisation)
    version = (await get("/v1/hubs/groningen"))["version"]
    async with as_("own-hub") as own:
        new = await own.put(address, json={"status": "talking", "strand": "patients"})
        assert (new.status_code, new.json()["status"]) == (201, "talking")
        changed = await own.put(address, json={"status": "member", "since": "2025-05-01"})
        assert changed.status_code == 200
        assert changed.json() == {
            "organisation": {"id": organisation["id"], "name": organisation["name"]},
            "status": "member", "strand": None, "since": "2025-05-01",
        }  # fmt: skip
        assert (await members(get, "groningen"))[organisation["id"]] == changed.json()
        assert organisation["id"] in {
            item["id"] for item in (await get("/v1/organisations", hub="groningen", limit=200))["items"]
        }
        gone = await own.delete(address)
        assert (gone.status_code, gone.content) == (204, b"")
        assert (await own.delete(address)).status_code == 404
    assert organisation["id"] not in await members(get, "groningen")
    assert (await get("/v1/hubs/groningen"))["version"] == version + 3


@pytest.mark.parametrize("who", ["other-hub", "umbrella", "admin"])
async def test_nobody_else_touches_the_network_of_a_hub(as_, get, organisation, who):
    address = member_of("groningen", organisation)
    async with as_("own-hub") as own:
        await own.put(address, json={})
    before = await members(get, "groningen")
    async with as_(who) as client:
        for response in (await client.put(address, json={"status": "none"}), await client.delete(address)):
            assert (response.status_code, response.json()["code"]) == (403, "forbidden")
    assert await members(get, "groningen") == before


async def test_the_national_coordination_may_do_it_for_a_hub(as_, get, organisation):
    async with as_("national") as national:
        assert (await national.put(member_of("limburg", organisation), json={})).status_code == 201
    assert organisation["id"] in await members(get, "limburg")


async def test_an_organisation_or_hub_that_is_not_there_is_not_found(as_, organisation):
    async with as_("national") as national:
        for address in (
            f"/v1/hubs/groningen/members/{NOBODY}",
            member_of("nergens", organisation),
        ):
            assert (await national.put(address, json={})).status_code == 404
            assert (await national.delete(address)).status_code == 404


async def test_a_member_goes_by_the_version_of_its_hub_where_one_is_given(as_, get, organisation):
    version = (await get("/v1/hubs/utrecht"))["version"]
    address = member_of("utrecht", organisation)
    async with as_("national") as national:
        stale = await national.put(address, json={}, headers={"if-match": f'"{version + 5}"'})
        assert (stale.status_code, stale.json()["currentVersion"]) == (412, version)
        assert stale.headers["etag"] == f'"{version}"'
        assert organisation["id"] not in await members(get, "utrecht")
        assert (await national.put(address, json={}, headers={"if-match": stale.headers["etag"]})).status_code == 201
        late = await national.delete(address, headers={"if-match": stale.headers["etag"]})
        assert (late.status_code, late.headers["etag"]) == (412, f'"{version + 1}"')
        assert (await national.delete(address, headers={"if-match": late.headers["etag"]})).status_code == 204


async def test_a_wrong_status_strand_or_date_is_refused_at_once(as_, organisation):
    async with as_("own-hub") as own:
        response = await own.put(
            member_of("groningen", organisation),
            json={"status": "vriend", "strand": "buren", "since": "gisteren", "role": "x"},
        )
    assert response.status_code == 400
    assert {fault["location"] for fault in response.json()["errors"]} == {"status", "strand", "since", "role"}
    assert "vriend" not in response.text


async def test_members_put_at_once_are_all_there_and_each_is_a_version(as_, get):
    async with as_("national") as national:
        new = [
            (await national.post("/v1/organisations", json={"name": f"Lid {n}", "type": "overig", "side": "life-world"})).json()
            for n in range(8)
        ]  # fmt: skip
        version = (await get("/v1/hubs/gelderland"))["version"]
        answers = await asyncio.gather(*(national.put(member_of("gelderland", o), json={}) for o in new))
    assert {answer.status_code for answer in answers} == {201}
    assert {o["id"] for o in new} <= set(await members(get, "gelderland"))
    assert (await get("/v1/hubs/gelderland"))["version"] == version + 8
