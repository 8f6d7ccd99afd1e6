"""Follow codes: what the person who spoke up can read, and that nothing else comes of a code, through both doors."""

from __future__ import annotations

import asyncio
import re
import uuid

import httpx
import pytest

from app.domain.follow import ALPHABET, LENGTH, digest, new_code
from app.settings import Settings
from tests.conftest import BASE
from tests.signal_cases import NOBODY, a_signal, add, answer, follow_up, patch, step, verified

QUERY = """query ($code: String!) { follow(code: $code) { status { code label } receivedOn verifiedOn updatedOn
  hub { slug name contact website } answers { umbrella { code label } state { code label } respondBy respondedAt response }
  followUps { kind { code label } on summary } bundles { title matter { code label } response } } }"""
MEMBERS = {"status", "receivedOn", "verifiedOn", "updatedOn", "hub", "answers", "followUps", "bundles"}


@pytest.fixture
def house(writing_house):
    return writing_house


@pytest.fixture
async def own(as_):
    async with as_("own-hub") as client:
        yield client


@pytest.fixture
async def mind(as_):
    async with as_("umbrella") as client:
        yield client


@pytest.fixture
async def api(house):
    """Somebody at an address of his own, so that no other test uses up his looks."""
    address = ".".join(["10", *(str(byte) for byte in uuid.uuid4().bytes[:3])])
    transport = httpx.ASGITransport(app=house.app, client=(address, 1234), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        yield client


async def code_of(own, signal_id):
    response = await own.post(f"/v1/signals/{signal_id}/follow-code")
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    return response.json()["followCode"]


async def look(client, code, **headers):
    return await client.get("/v1/follow", headers={"follow-code": code, **headers})


async def ask(client, code, **headers):
    response = await client.post("/graphql", json={"query": QUERY, "variables": {"code": code}}, headers=headers)
    return response.json()


async def test_who_spoke_up_reads_how_it_stands_without_an_account_through_both_doors(own, mind, api):
    found = await verified(
        own, visibility="public", workfields=["psychische-kwetsbaarheid"], title="Niemand belt terug"
    )
    code = await code_of(own, found["id"])
    await answer(mind, found["id"], state="answered", response="Dit staat op de landelijke agenda.")
    await follow_up(own, found["id"], summary="Besproken met de wijk.", public=True)
    await follow_up(own, found["id"], summary="Dit blijft onder ons.")

    rest = await look(api, code)
    assert rest.status_code == 200
    assert rest.headers["cache-control"] == "no-store"
    assert "etag" not in rest.headers
    state = rest.json()
    assert set(state) == MEMBERS
    assert state["status"] == {"code": "verified", "label": "Bevestigd door de hub"}
    assert state["hub"]["slug"] == "groningen"
    assert [(a["umbrella"]["code"], a["state"]["label"], a["response"]) for a in state["answers"]] == [
        ("mind", "Beantwoord", "Dit staat op de landelijke agenda.")
    ]
    assert [(step["kind"]["label"], step["summary"]) for step in state["followUps"]] == [
        ("Gesprek", "Besproken met de wijk.")
    ]
    assert "Niemand belt terug" not in rest.text
    assert "onder ons" not in rest.text
    assert found["id"] not in rest.text
    assert (await ask(api, code))["data"]["follow"] == state

    english = await look(api, code, **{"accept-language": "en"})
    assert english.json()["status"]["label"] == "Confirmed by the hub"
    assert english.headers["content-language"] == "en"


async def test_what_an_umbrella_did_not_answer_yet_shows_its_state_and_no_words(own, mind, api):
    found = await verified(own, workfields=["psychische-kwetsbaarheid"])
    code = await code_of(own, found["id"])
    await answer(mind, found["id"], state="on-agenda", response="Alleen voor de hub bedoeld.")
    state = (await look(api, code)).json()
    assert [(a["state"]["code"], a["response"]) for a in state["answers"]] == [("on-agenda", None)]


async def test_a_code_can_come_with_the_signal_and_is_shown_once(own, api):
    sent, key = a_signal(followCode=True), {"idempotency-key": '"' + new_code() + '"'}
    first = await own.post("/v1/signals", json=sent, headers=key)
    code = first.headers["follow-code"]
    assert code not in first.text
    again = await own.post("/v1/signals", json=sent, headers=key)
    assert (again.status_code, again.content) == (201, first.content)
    assert "follow-code" not in again.headers
    assert "follow-code" not in (await own.post("/v1/signals", json=a_signal())).headers
    assert (await look(api, code)).json()["status"] == {"code": "draft", "label": "Ontvangen"}


async def test_a_code_comes_with_a_signal_over_graphql_too(own, api):
    mutation = """mutation { createSignal(signal: {kind: "knelpunt", title: "De bus rijdt niet", themes: ["wachttijden"],
      region: "GG2014", followCode: true}) { followCode signal { id } } }"""
    made = (await own.post("/graphql", json={"query": mutation})).json()["data"]["createSignal"]
    assert (await ask(api, made["followCode"]))["data"]["follow"]["status"]["code"] == "draft"
    renewal = f'mutation {{ issueFollowCode(id: "{made["signal"]["id"]}") {{ followCode }} }}'
    renewed = (await own.post("/graphql", json={"query": renewal})).json()["data"]["issueFollowCode"]["followCode"]
    assert (await look(api, made["followCode"])).status_code == 404
    assert (await look(api, renewed)).status_code == 200


async def test_a_new_code_ends_the_old_one_and_edits_do_not(own, api):
    found = await add(own)
    old = await code_of(own, found["id"])
    version = (await own.get(f"/v1/signals/{found['id']}")).json()["version"]
    assert version == found["version"], "a code is no change of the signal"
    await patch(own, found["id"], {"title": "Anders gezegd"})
    await step(own, found["id"], "withdrawn")
    assert (await look(api, old)).json()["status"]["label"] == "Ingetrokken"
    new = await code_of(own, found["id"])
    assert (await look(api, old)).status_code == 404
    assert (await look(api, new)).status_code == 200


async def test_a_code_dies_with_its_signal(own, api, house):
    import asyncpg

    from app.infra.purging import purge_signal

    purged, deleted = await add(own), await add(own)
    codes = [await code_of(own, found["id"]) for found in (purged, deleted)]
    await own.delete(f"/v1/signals/{deleted['id']}", headers={"if-match": "*"})
    owner = await asyncpg.connect(house.addresses.owner)
    await owner.execute("select set_config('app.role', 'system', false)")
    await purge_signal(owner, purged["id"])
    left = await owner.fetchval(
        "select count(*) from follow_code where signal_id = any($1::uuid[])", [purged["id"], deleted["id"]]
    )
    await owner.close()
    assert left == 0
    assert [(await look(api, code)).status_code for code in codes] == [404, 404]


async def test_a_wrong_code_is_not_found_and_never_echoed(api):
    for wrong in (new_code(), "hallo", "0", "' or 1=1 --", "é" * 50, "x" * 2000):
        response = await look(api, wrong.encode())
        assert (response.status_code, response.json()["code"]) == (404, "not-found")
        assert response.headers["cache-control"] == "no-store"
        if len(wrong) > 1:
            assert wrong not in response.text
        found = await ask(api, wrong)
        assert found["errors"][0]["extensions"]["code"] == "not-found"
        assert found["data"] is None


async def test_without_a_code_it_is_said_what_is_missing(api):
    response = await api.get("/v1/follow")
    assert response.status_code == 400
    assert response.json()["errors"][0] | {"detail": ""} == {
        "in": "header",
        "location": "Follow-Code",
        "code": "required",
        "detail": "",
    }


async def test_a_code_does_not_travel_in_an_address(own, api):
    code = await code_of(own, (await add(own))["id"])
    response = await api.get("/graphql", params={"query": f'{{ follow(code: "{code}") {{ receivedOn }} }}'})
    assert response.json()["errors"][0]["extensions"]["errors"][0]["code"] == "post-only"
    assert (await api.get("/v1/follow", params={"code": code})).status_code == 400


async def test_case_spaces_and_look_alikes_do_not_matter(own, api):
    code = await code_of(own, (await add(own))["id"])
    written = code.upper().replace("-", " ").replace("0", "O").replace("1", "L")
    assert (await look(api, written)).status_code == 200


def test_codes_are_long_random_and_readable():
    made = {new_code() for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(rf"([{ALPHABET}]{{4}}-){{{LENGTH // 4 - 1}}}[{ALPHABET}]{{4}}", code) for code in made)
    assert LENGTH * 5 >= 128
    assert len(set(ALPHABET)) == 32
    assert not set(ALPHABET) & set("oilu")


@pytest.mark.parametrize("who", ["other-hub", "umbrella", "national", "admin", "outsider"])
async def test_only_the_hub_of_the_signal_gives_out_a_code(own, as_, api, who):
    hidden, shared = await add(own), await verified(own, visibility="public")
    code = await code_of(own, shared["id"])
    async with as_(who) as client:
        expected = (401, 401, 401) if who == "outsider" else (404, 403, 404)
        for signal_id, status in zip((hidden["id"], shared["id"], NOBODY), expected, strict=True):
            assert (await client.post(f"/v1/signals/{signal_id}/follow-code")).status_code == status
    assert (await look(api, code)).status_code == 200


async def test_only_the_hash_is_kept_and_the_service_reads_none_of_it(own, house):
    import asyncpg

    code = await code_of(own, (await add(own))["id"])
    owner = await asyncpg.connect(house.addresses.owner)
    await owner.execute("select set_config('app.role', 'system', false)")
    assert await owner.fetchval("select count(*) from follow_code where digest = $1", digest(code)) == 1
    kept = "select count(*) from {} t where strpos(t::text, $1) > 0"
    for table in ("follow_code", "idempotency", "signal_history", "change"):
        assert await owner.fetchval(kept.format(table), code) == 0, table
    await owner.close()
    service = await asyncpg.connect(house.addresses.service)
    for table in ("follow_code", "follow_look"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service.fetch(f"select * from {table}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await service.fetch("select followed(null)")
    await service.close()


async def test_looks_are_counted_for_all_processes_and_refused_with_the_time_to_wait(fresh, running):
    addresses = await asyncio.to_thread(fresh, "looks")
    settings = Settings(
        database_url=addresses.service, rate_limit_per_minute=0, follow_looks_per_minute=3, follow_looks_of_all=100_000
    )
    async with running(addresses, settings) as one, running(addresses, settings) as other:
        async with one.client("own-hub") as own:
            code = await code_of(own, (await add(own))["id"])
        statuses = []
        async with one.client() as here, other.client() as there:
            # A minute may end in between: of any thirteen looks ten are in one of two minutes, of which three pass each.
            for client in (here, there) * 6:
                response = await look(client, new_code())
                statuses.append(response.status_code)
                if response.status_code == 429:
                    assert 1 <= int(response.headers["retry-after"]) <= 60
                    assert response.json()["code"] == "rate-limited"
                    assert response.json()["retryAfter"] == int(response.headers["retry-after"])
                    assert response.headers["cache-control"] == "no-store"
            assert set(statuses) == {404, 429}
            assert statuses.count(404) <= 6
            by_code = [await ask(here, code) for _ in range(7)]
            refused = [found for found in by_code if found.get("errors")]
            assert refused
            assert {found["errors"][0]["extensions"]["code"] for found in refused} == {"rate-limited"}


async def test_who_looks_too_often_does_not_use_up_what_all_have_together(fresh, running):
    import asyncpg

    addresses = await asyncio.to_thread(fresh, "looks_of_all")
    service = await asyncpg.connect(addresses.service)
    one, other = b"one" * 8, b"other" * 8
    asked = "select state is null and wait is null as answered from look_by_code($1, $2, 2, 9)"
    first = [await service.fetchval(asked, b"", one) for _ in range(20)]
    second = [await service.fetchval(asked, b"", other) for _ in range(2)]
    assert 2 <= first.count(True) <= 4  # two in a minute, and a minute may end in between
    assert second == [True, True]
    third = [await service.fetchval(asked, b"", str(n).encode()) for n in range(30)]
    assert False in third, "all together have a limit too"
    await service.close()
