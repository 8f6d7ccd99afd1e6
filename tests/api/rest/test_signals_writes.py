"""Creating, reading, changing and deleting signals over REST."""

from __future__ import annotations

import asyncio
import uuid
from datetime import date, timedelta

import asyncpg
import pytest

from tests.signal_cases import NOBODY, PATCH, PLAIN, a_signal, add, codes, follow_up, letters, patch, step, verified


@pytest.fixture
def house(writing_house):
    return writing_house


@pytest.fixture
async def own(as_):
    async with as_("own-hub") as client:
        yield client


@pytest.fixture
async def other(as_):
    async with as_("other-hub") as client:
        yield client


# Create


async def test_a_signal_comes_back_as_it_is_read_with_its_defaults(own):
    made = await own.post("/v1/signals", json=a_signal())
    found = made.json()
    read = await own.get(f"/v1/signals/{found['id']}")
    assert made.headers["location"] == f"http://knooppunt.test/v1/signals/{found['id']}"
    assert (made.content, made.headers["etag"]) == (read.content, read.headers["etag"])
    assert found["hub"] == {"slug": "groningen", "name": "Groningen"}
    assert found["themes"] == [{"code": "wachttijden", "label": "Wachttijden"}]
    assert found["region"]["code"] == "GG2014"
    assert {name: found[name] for name in ("status", "visibility", "version", "verifiedAt", "externalId", "groups")} == {
        "status": "draft", "visibility": "network", "version": 1, "verifiedAt": None, "externalId": None, "groups": [],
    }  # fmt: skip
    assert found["forwardings"] == found["followUps"] == []
    assert uuid.UUID(found["id"]).version == 7


async def test_a_signal_that_says_nothing_of_the_day_was_heard_today(own, house):
    new = a_signal()
    del new["heardOn"]
    found = (await own.post("/v1/signals", json=new)).json()
    assert abs(date.fromisoformat(found["heardOn"]) - date.today()) <= timedelta(days=1)


async def test_everything_that_is_given_is_kept(own):
    new = a_signal(
        status="submitted", externalId=f"GR-{letters()}", workfields=["inclusie"], scale="wijk", peopleCount=12,
        visibility="public", groups=["jongeren"], channel=None, description="Regel één\nregel twee é",
    )  # fmt: skip
    found = (await own.post("/v1/signals", json=new)).json()
    for name in ("status", "externalId", "scale", "peopleCount", "visibility", "description", "title", "heardOn"):
        assert found[name] == new[name], name
    assert [w["code"] for w in found["workfields"]] == ["inclusie"]
    assert [g["code"] for g in found["groups"]] == ["jongeren"]


@pytest.mark.parametrize(
    ("given", "themes", "workfields", "source"),
    [
        (["inclusie"], ["wachttijden"], {"inclusie"}, "given"),
        (None, ["stigma"], {"psychische-kwetsbaarheid"}, "themes"),
        (None, ["stigma", "geneesmiddelen-en-hulpmiddelen"], {"psychische-kwetsbaarheid", "medische-zorg", "inclusie"}, "themes"),
        (None, ["wachttijden"], {"psychische-kwetsbaarheid", "medische-zorg", "inclusie"}, "cross-cutting"),
        ([], ["stigma"], {"psychische-kwetsbaarheid", "medische-zorg", "inclusie"}, "cross-cutting"),
    ],
)  # fmt: skip
async def test_workfields_come_from_the_hub_the_themes_or_neither(own, given, themes, workfields, source):
    found = await add(own, workfields=given, themes=themes)
    assert {w["code"] for w in found["workfields"]} == workfields
    assert found["workfieldsSource"] == source


@pytest.mark.parametrize("who", ["umbrella", "national", "admin"])
async def test_only_a_hub_adds_signals(as_, who):
    async with as_(who) as client:
        for new in (a_signal(), a_signal(hub="groningen")):
            assert (await client.post("/v1/signals", json=new)).status_code == 403


async def test_without_a_token_nothing_is_added(api):
    assert (await api.post("/v1/signals", json=a_signal())).status_code == 401


async def test_a_hub_adds_no_signals_of_another(own):
    assert (await own.post("/v1/signals", json=a_signal(hub="limburg"))).status_code == 403


@pytest.mark.parametrize("status", ["verified", "closed", "withdrawn"])
async def test_a_signal_begins_as_draft_or_submitted(own, status):
    response = await own.post("/v1/signals", json=a_signal(status=status))
    assert response.status_code == 409
    assert response.json()["allowed"] == ["draft", "submitted"]


async def test_an_external_id_is_used_once_in_a_hub(own, other):
    name = letters()
    await add(own, externalId=name)
    assert (await own.post("/v1/signals", json=a_signal(externalId=name))).status_code == 409
    await add(other, externalId=name)


async def test_a_hundred_at_once_with_one_key_make_one_signal(own, house):
    new, headers = a_signal(), {"idempotency-key": f'"{uuid.uuid4()}"'}
    answers = await asyncio.gather(*(own.post("/v1/signals", json=new, headers=headers) for _ in range(100)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    made = {answer.json()["id"] for answer in answers if answer.status_code == 201}
    assert len(made) == 1
    assert all(answer.json()["code"] == "still-running" for answer in answers if answer.status_code == 409)
    again = await own.post("/v1/signals", json=new, headers=headers)
    assert again.json()["id"] in made
    word = new["title"].rsplit(" ", 1)[1]
    found = (await own.get("/v1/signals", params={"q": word})).json()["items"]
    assert [item["id"] for item in found] == list(made)


# Change


async def test_a_patch_changes_what_is_given_and_leaves_the_rest(own):
    before = await add(own, scale="wijk", peopleCount=3, groups=["jongeren"])
    response = await patch(own, before["id"], {"description": "Anders.", "scale": None, "groups": None})
    after = response.json()
    assert response.status_code == 200
    assert (after["description"], after["scale"], after["groups"], after["version"]) == ("Anders.", None, [], 2)
    for name in ("title", "themes", "peopleCount", "region", "heardOn", "createdAt", "workfields"):
        assert after[name] == before[name], name
    assert after["updatedAt"] > before["updatedAt"]


@pytest.mark.parametrize("change", [{}, {"peopleCount": 3}, {"workfields": ["inclusie", "medische-zorg"]}])
async def test_a_patch_that_changes_nothing_is_no_new_version(own, change):
    before = await add(own, peopleCount=3, workfields=["medische-zorg", "inclusie"])
    response = await patch(own, before["id"], change)
    assert (response.status_code, response.json()) == (200, before)


async def test_null_workfields_let_the_themes_decide_again(own):
    before = await add(own, workfields=["inclusie"], themes=["stigma"])
    after = (await patch(own, before["id"], {"workfields": None})).json()
    assert ([w["code"] for w in after["workfields"]], after["workfieldsSource"]) == (
        ["psychische-kwetsbaarheid"],
        "themes",
    )
    after = (await patch(own, before["id"], {"themes": ["dementie"]})).json()
    assert [w["code"] for w in after["workfields"]] == ["medische-zorg"]


@pytest.mark.parametrize("name", ["kind", "title", "themes", "region", "visibility", "heardOn"])
async def test_what_a_signal_cannot_do_without_is_not_emptied(own, name):
    before = await add(own)
    response = await patch(own, before["id"], {name: None})
    assert response.status_code == 400
    assert [location for location, _ in codes(response)] == [name]


async def test_fields_that_are_read_only_are_refused_all_at_once(own):
    before = await add(own)
    names = [
        "id", "hub", "externalId", "status", "workfieldsSource", "version", "createdAt", "updatedAt", "verifiedAt",
        "forwardings", "followUps", "demonstration",
    ]  # fmt: skip
    response = await patch(own, before["id"], dict.fromkeys(names, "x") | {"nonsense": 1})
    assert response.status_code == 400
    assert codes(response) == {(name, "read-only") for name in names} | {("nonsense", "unknown-field")}
    assert (await own.get(f"/v1/signals/{before['id']}")).json() == before


@pytest.mark.parametrize("field", ["title", "description"])
async def test_new_words_make_a_verified_signal_submitted_and_others_do_not_see_it(own, other, field):
    found = await verified(own)
    assert (await other.get(f"/v1/signals/{found['id']}")).status_code == 200
    after = (await patch(own, found["id"], {field: f"Andere woorden {letters()}"})).json()
    assert after["status"] == "submitted"
    assert (await other.get(f"/v1/signals/{found['id']}")).status_code == 404


async def test_other_changes_leave_a_verified_signal_verified(own, other):
    found = await verified(own)
    after = (await patch(own, found["id"], {"peopleCount": 7, "visibility": "public"})).json()
    assert (after["status"], after["verifiedAt"]) == ("verified", found["verifiedAt"])


@pytest.mark.parametrize("ended", ["closed", "withdrawn"])
async def test_a_signal_that_ended_does_not_change(own, ended):
    found = await verified(own)
    await follow_up(own, found["id"])
    assert (await step(own, found["id"], ended)).status_code == 200
    response = await patch(own, found["id"], {"title": "Toch anders"})
    assert (response.status_code, response.json()["code"]) == (409, "signal-ended")


async def test_a_change_says_from_which_version(own):
    found = await add(own)
    tag = (await own.get(f"/v1/signals/{found['id']}")).headers["etag"]
    assert (await patch(own, found["id"], {"peopleCount": 1}, match=None)).status_code == 428
    assert (await patch(own, found["id"], {"peopleCount": 1}, match="nonsense")).status_code == 400
    assert (await patch(own, found["id"], {"peopleCount": 1}, match=tag)).status_code == 200
    stale = await patch(own, found["id"], {"peopleCount": 2}, match=tag)
    assert stale.status_code == 412
    now = (await own.get(f"/v1/signals/{found['id']}", headers=PLAIN)).headers["etag"]
    assert (stale.json()["currentETag"], stale.headers["etag"]) == (now, now)
    assert (await patch(own, found["id"], {"peopleCount": 2}, match=now)).status_code == 200


@pytest.mark.parametrize("who", ["other-hub", "umbrella", "national", "admin"])
async def test_others_change_nothing_and_hear_of_it_only_what_they_may_read(as_, own, who):
    public, draft = await verified(own, visibility="public"), await add(own)
    async with as_(who) as client:
        for found, status in ((public, 403), (draft, 404), ({"id": NOBODY}, 404)):
            address = f"/v1/signals/{found['id']}"
            assert (await patch(client, found["id"], {"title": "Van mij"})).status_code == status
            assert (await step(client, found["id"], "withdrawn")).status_code == status
            assert (await follow_up(client, found["id"])).status_code == status
            assert (await client.delete(address, headers={"if-match": "*"})).status_code == status
    assert (await own.get(f"/v1/signals/{public['id']}")).json()["version"] == public["version"]


# Delete


async def test_a_deleted_signal_is_gone_and_its_history_stays_for_its_hub(own, other):
    found = await verified(own, visibility="public")
    address = f"/v1/signals/{found['id']}"
    assert (await own.delete(address)).status_code == 428
    stale = await own.delete(address, headers={"if-match": '"1"'})
    assert (stale.status_code, stale.json()["currentETag"]) == (
        412,
        (await own.get(address, headers=PLAIN)).headers["etag"],
    )
    assert (await own.delete(address, headers={"if-match": "*"})).status_code == 204
    for client in (own, other):
        assert (await client.get(address)).status_code == 404
    history = (await own.get(f"{address}/history")).json()["items"]
    assert [(line["version"], line["action"]) for line in history] == [(1, "created"), (2, "verified"), (3, "deleted")]
    assert (await other.get(f"{address}/history")).status_code == 404
    assert (await own.delete(address, headers={"if-match": "*"})).status_code == 404


# Two at once


async def test_of_two_editors_one_wins_and_one_hears_the_present_tag(own):
    found = await add(own)
    tag = (await own.get(f"/v1/signals/{found['id']}")).headers["etag"]
    answers = await asyncio.gather(*(patch(own, found["id"], {"peopleCount": n}, match=tag) for n in (11, 22)))
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    won, lost = sorted(answers, key=lambda answer: answer.status_code)
    assert lost.json()["currentETag"] == won.headers["etag"].replace("-gzip", "")


async def test_of_two_transitions_at_once_one_wins(own):
    found = await add(own, status="submitted")
    answers = await asyncio.gather(
        step(own, found["id"], "verified", match='"1"'), step(own, found["id"], "withdrawn", match='"1"')
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]


async def test_many_changes_in_any_version_at_once_all_count(own):
    found = await add(own)
    answers = await asyncio.gather(*(patch(own, found["id"], {"peopleCount": n}) for n in range(1, 21)))
    assert {answer.status_code for answer in answers} == {200}
    history = (await own.get(f"/v1/signals/{found['id']}/history")).json()["items"]
    assert [line["version"] for line in history] == list(range(1, 22))


async def test_the_media_type_of_a_change_is_merge_patch(own):
    found = await add(own)
    response = await own.patch(f"/v1/signals/{found['id']}", json={"peopleCount": 1}, headers={"if-match": "*"})
    assert response.status_code == 415
    assert response.headers["accept-patch"] == PATCH["content-type"]


@pytest.fixture
async def owner(house):
    connection = await asyncpg.connect(house.addresses.owner)
    await connection.execute("select set_config('app.role', 'system', false)")
    yield connection
    await connection.close()


async def test_a_code_that_is_new_this_very_moment_is_known(own, owner):
    """What the process keeps of the reference data may be a moment old: an unknown code is looked up before it is refused."""
    code = f"GM{uuid.uuid4().int % 10**9}"
    assert (await own.post("/v1/signals", json=a_signal(region=code))).status_code == 400
    await owner.execute(
        "insert into region (code, scheme, valid_from, valid_to) values ($1, 'gemeente', '2016-01-01', '9999-12-31')",
        code,
    )
    try:
        answer = await own.post("/v1/signals", json=a_signal(region=code))
        assert answer.status_code == 201, answer.text
    finally:
        await owner.execute("delete from signal where region_id = (select id from region where code = $1)", code)
        await owner.execute("delete from region where code = $1", code)


async def test_what_an_addition_answers_is_what_a_read_shows_with_its_first_line_of_history(as_):
    body = {
        "kind": "knelpunt",
        "title": "Eén loket",
        "themes": ["wachttijden"],
        "region": "GM0014",
        "groups": [],
        "peopleCount": 3,
    }
    async with as_("own-hub") as hub:
        for headers in ({}, {"idempotency-key": uuid.uuid4().hex}):
            made = await hub.post("/v1/signals", json=body, headers=headers)
            place = f"/v1/signals/{made.json()['id']}"
            read = await hub.get(place)
            assert (made.content, made.headers["etag"]) == (read.content, read.headers["etag"])
            history = (await hub.get(f"{place}/history")).json()["items"]
            assert [(line["version"], line["action"], line["hub"]) for line in history] == [(1, "created", "groningen")]
            assert history[0]["changes"]["peopleCount"] == [None, 3]
