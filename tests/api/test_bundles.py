"""Bundles: who makes them, who sees what of them, how far they go, and where their answer arrives; through both doors."""

from __future__ import annotations

import uuid

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.api.rest.bundles import BUNDLE
from app.domain.bundles import TRANSITIONS
from tests.conftest import BASE
from tests.signal_cases import NOBODY, PATCH, add, codes, letters, patch, step, verified

ADDRESS = "/v1/national/bundles"
ANY = {"if-match": "*"}
OWNERS = ("umbrella", "national")
EVERYBODY = ("own-hub", "other-hub", "umbrella", "national", "admin", "outsider")


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


@pytest.fixture
async def mind(as_):
    async with as_("umbrella") as client:
        yield client


@pytest.fixture
async def national(as_):
    async with as_("national") as client:
        yield client


async def bundle(client, **content):
    response = await client.post(ADDRESS, json={"title": f"Wachttijden {letters()}"} | content)
    assert response.status_code == 201, response.text
    return response.json()


async def move(client, bundle_id, to, match="*", **content):
    return await client.post(
        f"{ADDRESS}/{bundle_id}/transitions", json={"to": to, **content}, headers={"if-match": match}
    )


async def read(client, bundle_id):
    return await client.get(f"{ADDRESS}/{bundle_id}")


async def ask(client, query, **variables):
    return (await client.post("/graphql", json={"query": query, "variables": variables})).json()


def held(found):
    return {item["id"] for item in found["signals"]}


async def of_two_hubs(own, other, **changes):
    changes = {"workfields": ["psychische-kwetsbaarheid"], **changes}
    return [await verified(own, **changes), await verified(other, region="PV31", **changes)]


# Making and changing


async def test_an_umbrella_gathers_signals_of_several_hubs_into_one_matter(own, other, mind):
    ours, theirs = await of_two_hubs(own, other)
    response = await mind.post(
        ADDRESS,
        json={"title": "Wachttijden in de ggz", "summary": "Overal hetzelfde.", "signals": [ours["id"], theirs["id"]]},
    )
    made = response.json()
    assert response.headers["location"] == f"{BASE}{ADDRESS}/{made['id']}"
    assert (made["umbrella"]["code"], made["status"], made["visibility"], made["version"]) == (
        "mind",
        "open",
        "network",
        1,
    )
    assert held(made) == {ours["id"], theirs["id"]}
    assert [hub["slug"] for hub in made["hubs"]] == ["groningen", "limburg"]
    assert [theme["code"] for theme in made["themes"]] == ["wachttijden"]
    assert (await read(mind, made["id"])).json() == made
    changed = await mind.patch(
        f"{ADDRESS}/{made['id']}", json={"title": "Wachten"}, headers=PATCH | {"if-match": '"1"'}
    )
    assert (changed.json()["title"], changed.json()["version"]) == ("Wachten", 2)
    again = await mind.patch(f"{ADDRESS}/{made['id']}", json={"title": "Wachten"}, headers=PATCH | {"if-match": '"2"'})
    assert again.json()["version"] == 2, "the same again is no change"


async def test_signals_are_put_in_and_taken_out_by_the_version_of_the_bundle(own, mind):
    signal = await verified(own, workfields=["psychische-kwetsbaarheid"])
    made = await bundle(mind)
    address = f"{ADDRESS}/{made['id']}/signals/{signal['id']}"
    assert (await mind.put(address)).status_code == 428
    assert (await mind.put(address, headers={"if-match": '"9"'})).status_code == 412
    put = await mind.put(address, headers={"if-match": '"1"'})
    assert (put.status_code, put.json()["version"], held(put.json())) == (200, 2, {signal["id"]})
    assert (await mind.put(address, headers={"if-match": '"2"'})).json()["version"] == 2
    taken = await mind.delete(address, headers={"if-match": '"2"'})
    assert (taken.status_code, taken.json()["version"], taken.json()["signals"]) == (200, 3, [])
    assert (await mind.delete(address, headers=ANY)).status_code == 404


async def test_the_same_key_makes_one_bundle(mind):
    content, key = {"title": f"Eenmaal {letters()}"}, {"idempotency-key": f'"{uuid.uuid4()}"'}
    first = await mind.post(ADDRESS, json=content, headers=key)
    again = await mind.post(ADDRESS, json=content, headers=key)
    assert (first.status_code, again.content) == (201, first.content)
    assert (await mind.post(ADDRESS, json={"title": "Anders"}, headers=key)).status_code == 422


async def test_every_fault_is_told_at_once_and_personal_data_is_refused_without_being_repeated(own, mind):
    draft = await add(own)
    response = await mind.post(
        ADDRESS,
        json={
            "title": "",
            "summary": "Bel mij op 06-12345678.",
            "visibility": "public",
            "signals": [NOBODY, draft["id"]],
        },
    )
    assert response.status_code == 400
    assert {("title", "required"), ("signals[0]", "unknown-code"), ("signals[1]", "unknown-code")} <= codes(response)
    assert "summary" in {location for location, _ in codes(response)}
    assert "12345678" not in response.text
    made = await bundle(mind)
    refused = await move(mind, made["id"], "answered", response="Mail naar jan.jansen@example.nl")
    assert refused.status_code == 400
    assert "jansen" not in refused.text


@pytest.mark.parametrize("who", ["own-hub", "other-hub", "admin", "outsider"])
async def test_nobody_else_makes_bundles(as_, who):
    async with as_(who) as client:
        response = await client.post(ADDRESS, json={"title": "Van ons"})
        assert response.status_code == (401 if who == "outsider" else 403)


WRITES = {
    "PATCH": lambda c, i, s: c.patch(f"{ADDRESS}/{i}", json={"title": "Van mij"}, headers=PATCH | ANY),
    "transition": lambda c, i, s: c.post(f"{ADDRESS}/{i}/transitions", json={"to": "in-progress"}, headers=ANY),
    "PUT": lambda c, i, s: c.put(f"{ADDRESS}/{i}/signals/{s}", headers=ANY),
    "take out": lambda c, i, s: c.delete(f"{ADDRESS}/{i}/signals/{s}", headers=ANY),
    "DELETE": lambda c, i, s: c.delete(f"{ADDRESS}/{i}", headers=ANY),
}


@pytest.mark.parametrize("what", WRITES)
async def test_a_bundle_is_changed_by_the_one_who_made_it_alone(own, mind, national, as_, what):
    signal = await verified(own, visibility="public")
    for maker, others in ((mind, ("own-hub", "national", "admin")), (national, ("own-hub", "umbrella", "admin"))):
        made = await bundle(maker, visibility="public", signals=[signal["id"]])
        for who in others:
            async with as_(who) as client:
                response = await WRITES[what](client, made["id"], signal["id"])
                assert (response.status_code, response.json()["code"]) == (403, "forbidden"), who
                assert (await WRITES[what](client, NOBODY, signal["id"])).status_code == 404
        assert (await read(maker, made["id"])).json() == made


# Who sees what


async def test_each_sees_of_a_bundle_what_he_may_see_anywhere(own, other, mind, national, as_):
    public = await verified(own, visibility="public", workfields=["psychische-kwetsbaarheid"])
    network = await verified(other, region="PV31", workfields=["psychische-kwetsbaarheid"], themes=["stigma"])
    elsewhere = await verified(own, workfields=["inclusie"])
    ids = [public["id"], network["id"], elsewhere["id"]]
    made = await bundle(national, signals=ids, visibility="public")
    closed = await bundle(mind, signals=ids[:2])
    seen = {
        "own-hub": (ids, ids[:2]), "other-hub": (ids, ids[:2]), "national": (ids, ids[:2]), "umbrella": (ids[:2], ids[:2]),
        "admin": (ids[:1], None), "outsider": (ids[:1], None),
    }  # fmt: skip
    for who, (of_public, of_network) in seen.items():
        async with as_(who) as client:
            found = (await read(client, made["id"])).json()
            assert held(found) == set(of_public), who
            assert {hub["slug"] for hub in found["hubs"]} == (
                {"groningen"} if len(of_public) == 1 else {"groningen", "limburg"}
            )
            assert {t["code"] for t in found["themes"]} == (
                {"wachttijden"} if len(of_public) == 1 else {"wachttijden", "stigma"}
            )
            response = await read(client, closed["id"])
            assert response.status_code == (404 if of_network is None else 200), who
            listed = {item["id"] for item in (await client.get(f"{ADDRESS}?limit=200")).json()["items"]}
            assert made["id"] in listed
            assert (closed["id"] in listed) is (of_network is not None)
            for index, signal_id in enumerate(ids):
                found = (await client.get(ADDRESS, params={"signal": signal_id})).json()["items"]
                assert {b["id"] for b in found} & {made["id"]} == ({made["id"]} if signal_id in of_public else set())
                assert (closed["id"] in {b["id"] for b in found}) is (index < 2 and of_network is not None)
            data = (
                await ask(client, "query ($id: UUID!) { bundle(id: $id) { signals { id title } } }", id=closed["id"])
            )["data"]
            assert (data["bundle"] is None) is (of_network is None)
            of_limburg = (await client.get(f"{ADDRESS}?hub=limburg&limit=200")).json()["items"]
            assert (made["id"] in {b["id"] for b in of_limburg}) is (network["id"] in of_public)
            on_stigma = (await client.get(f"{ADDRESS}?theme=stigma&limit=200")).json()["items"]
            assert (made["id"] in {b["id"] for b in on_stigma}) is (network["id"] in of_public)


async def test_an_umbrella_sees_no_network_bundle_of_another_and_bundles_nothing_that_did_not_come_to_it(
    own, mind, national
):
    elsewhere = await verified(own, workfields=["inclusie"])
    theirs = await bundle(national, signals=[elsewhere["id"]])
    assert (await read(mind, theirs["id"])).status_code == 404
    mine = await bundle(mind)
    response = await mind.put(f"{ADDRESS}/{mine['id']}/signals/{elsewhere['id']}", headers=ANY)
    assert response.status_code == 404
    assert (await mind.put(f"{ADDRESS}/{mine['id']}/signals/{NOBODY}", headers=ANY)).json() | {
        "x": 0
    } == response.json() | {"x": 0}
    kept = await verified(own, visibility="hub")
    draft = await add(own)
    for signal in (kept, draft):
        for client, at in ((mind, mine), (national, theirs)):
            assert (await client.put(f"{ADDRESS}/{at['id']}/signals/{signal['id']}", headers=ANY)).status_code == 404


async def test_a_signal_that_is_withdrawn_or_worded_anew_leaves_every_other_readers_view_of_the_bundle(own, mind, as_):
    signal = await verified(own, visibility="public", workfields=["psychische-kwetsbaarheid"])
    made = await bundle(mind, visibility="public", signals=[signal["id"]])
    await patch(own, signal["id"], {"title": f"Anders {letters()}"})
    for who in EVERYBODY:
        async with as_(who) as client:
            found = (await read(client, made["id"])).json()
            assert held(found) == ({signal["id"]} if who == "own-hub" else set()), who
            assert bool(found["hubs"]) is (who == "own-hub")
    await step(own, signal["id"], "verified")
    async with as_("outsider") as anyone:
        assert held((await read(anyone, made["id"])).json()) == {signal["id"]}
    await step(own, signal["id"], "withdrawn")
    assert held((await read(mind, made["id"])).json()) == set()
    await own.delete(f"/v1/signals/{signal['id']}", headers=ANY)
    assert (await read(own, made["id"])).json()["signals"] == []


async def test_narrowing_a_bundle_hides_it_and_what_is_in_it_from_the_public(own, mind, as_):
    signal = await verified(own, visibility="public", workfields=["psychische-kwetsbaarheid"])
    made = await bundle(mind, visibility="public", signals=[signal["id"]])
    async with as_("outsider") as anyone:
        start = (await anyone.get("/v1/changes?types=bundle&limit=1000")).json()["cursor"]
        shown = await anyone.get(f"/v1/signals/{signal['id']}?expand=bundles")
        assert [b["id"] for b in shown.json()["bundles"]] == [made["id"]]
        await mind.patch(f"{ADDRESS}/{made['id']}", json={"visibility": "network"}, headers=PATCH | ANY)
        assert (await read(anyone, made["id"])).status_code == 404
        shown = await anyone.get(f"/v1/signals/{signal['id']}?expand=bundles")
        assert shown.json()["bundles"] == []
        entries = (await anyone.get("/v1/changes", params={"types": "bundle", "cursor": start, "limit": 1000})).json()[
            "items"
        ]
        assert [e["op"] for e in entries if e["id"] == made["id"]] == ["hidden"]
    for client in (mind, own):
        entries = (await client.get("/v1/changes?types=bundle&limit=1000")).json()["items"]
        assert [(e["op"], e["version"]) for e in entries if e["id"] == made["id"]] == [("upsert", 2)]


# Its life


@given(path=st.lists(st.sampled_from([*TRANSITIONS, "lost"]), min_size=1, max_size=5), words=st.booleans())
@settings(max_examples=25, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
async def test_a_bundle_goes_only_where_it_may_whatever_is_tried(mind, path, words):
    made = await bundle(mind)
    status, version, response = "open", 1, None
    for to in path:
        content = {"response": "Dit is ons antwoord."} if words else {}
        answer = await move(mind, made["id"], to, **content)
        lacks = to in ("answered", "closed") and response is None and not words
        if to == "lost" or lacks:
            assert answer.status_code == 400
        elif to in TRANSITIONS[status]:
            status, version, response = to, version + 1, content.get("response", response)
            assert (answer.status_code, answer.json()["status"]) == (200, to)
            assert (answer.json()["answeredAt"] is not None) is (to in ("answered", "closed"))
        else:
            assert (answer.status_code, answer.json()["code"]) == (409, "transition-not-allowed")
            assert answer.json()["allowed"] == list(TRANSITIONS[status])
        found = (await read(mind, made["id"])).json()
        assert (found["status"], found["version"], found["response"]) == (status, version, response)


async def test_a_closed_bundle_changes_no_more_but_can_go(own, mind):
    signal = await verified(own, workfields=["psychische-kwetsbaarheid"])
    made = await bundle(mind, signals=[signal["id"]])
    await move(mind, made["id"], "closed", response="Afgehandeld.")
    further = await verified(own, workfields=["psychische-kwetsbaarheid"])
    for response in (
        await mind.patch(f"{ADDRESS}/{made['id']}", json={"title": "Toch nog"}, headers=PATCH | ANY),
        await mind.put(f"{ADDRESS}/{made['id']}/signals/{further['id']}", headers=ANY),
        await mind.delete(f"{ADDRESS}/{made['id']}/signals/{signal['id']}", headers=ANY),
    ):
        assert (response.status_code, response.json()["code"]) == (409, "bundle-ended")
    assert (await mind.delete(f"{ADDRESS}/{made['id']}", headers=ANY)).status_code == 204
    assert (await read(mind, made["id"])).status_code == 404
    assert (await own.get(f"/v1/signals/{signal['id']}?expand=bundles")).json()["bundles"] == []


async def test_the_log_tells_each_step_and_the_end_to_who_may_see_it(own, mind, as_):
    clients = {"hub": own, "mind": mind}
    async with as_("outsider") as anyone:
        clients["outsider"] = anyone
        cursors = {n: (await c.get("/v1/changes?types=bundle&limit=1000")).json()["cursor"] for n, c in clients.items()}
        made = await bundle(mind)
        for act in (
            lambda: move(mind, made["id"], "in-progress"),
            lambda: mind.delete(f"{ADDRESS}/{made['id']}", headers=ANY),
        ):
            expected = {name: [] for name in clients}
            for name, client in clients.items():
                page = (
                    await client.get(
                        "/v1/changes", params={"types": "bundle", "cursor": cursors[name], "expand": "resource"}
                    )
                ).json()
                expected[name] = [e for e in page["items"] if e["id"] == made["id"]]
                cursors[name] = page["cursor"]
            assert expected["outsider"] == []
            assert expected["hub"] == expected["mind"]
            assert [e["resource"]["id"] for e in expected["hub"]] == [made["id"]]
            await act()
        page = (await own.get("/v1/changes", params={"types": "bundle", "cursor": cursors["hub"]})).json()
        assert [(e["op"], e["version"]) for e in page["items"] if e["id"] == made["id"]] == [("delete", 3)]
        graph = await ask(
            own,
            'query ($c: String) { changes(types: ["bundle"], cursor: $c) { items { id op bundle { title } } } }',
            c=cursors["hub"],
        )
        assert [e for e in graph["data"]["changes"]["items"] if e["id"] == made["id"]] == [
            {"id": made["id"], "op": "delete", "bundle": None}
        ]


# Where the answer arrives


async def test_the_answer_arrives_at_each_signal_and_at_who_spoke_up(own, other, mind, house):
    ours, theirs = await of_two_hubs(own, other)
    made = await bundle(mind, title=f"Wachten {letters()}", signals=[ours["id"], theirs["id"]])
    code = (await own.post(f"/v1/signals/{ours['id']}/follow-code")).json()["followCode"]
    address = ".".join(["10", *(str(byte) for byte in uuid.uuid4().bytes[:3])])
    transport = httpx.ASGITransport(app=house.app, client=(address, 1), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers={"follow-code": code}) as person:
        (before,) = (await person.get("/v1/follow")).json()["bundles"]
        assert before == {"title": None, "matter": {"code": "open", "label": "Gebundeld"}, "response": None}
        await move(mind, made["id"], "answered", response="Er komen meer plekken.")
        for client, signal in ((own, ours), (other, theirs)):
            shown = (await client.get(f"/v1/signals/{signal['id']}?expand=bundles")).json()["bundles"]
            assert shown == [
                {"id": made["id"], "title": made["title"], "status": "answered", "response": "Er komen meer plekken."}
            ]
        (after,) = (await person.get("/v1/follow")).json()["bundles"]
        assert (after["matter"]["code"], after["response"], after["title"]) == (
            "answered",
            "Er komen meer plekken.",
            None,
        )
        await mind.patch(f"{ADDRESS}/{made['id']}", json={"visibility": "public"}, headers=PATCH | ANY)
        (public,) = (await person.get("/v1/follow")).json()["bundles"]
        assert public["title"] == made["title"]


async def test_signals_to_bundle_are_suggested_of_other_hubs(own, other, mind, as_):
    word = letters()
    ours = await verified(own, title=f"Urenlang {word} wachten", workfields=["psychische-kwetsbaarheid"])
    theirs = await verified(
        other, title=f"Urenlang {word} wachten", region="PV31", workfields=["psychische-kwetsbaarheid"]
    )
    hidden = await verified(other, title=f"Urenlang {word} wachten", region="PV31", workfields=["inclusie"])
    found = await mind.get(f"{ADDRESS}/suggestions", params={"signal": ours["id"]})
    ids = [item["signal"]["id"] for item in found.json()["items"]]
    assert theirs["id"] in ids
    assert hidden["id"] not in ids
    async with as_("outsider") as anyone:
        assert (await anyone.get(f"{ADDRESS}/suggestions", params={"signal": ours["id"]})).status_code == 404
    assert (await mind.get(f"{ADDRESS}/suggestions")).status_code == 400


# Both doors


async def test_both_doors_read_and_write_the_same_with_the_same_refusals(own, mind):
    signal = await verified(own, workfields=["psychische-kwetsbaarheid"])
    made = await ask(
        mind,
        'mutation ($s: [UUID!]!) { createBundle(bundle: {title: "Samen", signals: $s}) { bundle { ' + BUNDLE + " } } }",
        s=[signal["id"]],
    )
    found = made["data"]["createBundle"]["bundle"]
    assert (await read(mind, found["id"])).json() == found
    i, s = found["id"], signal["id"]
    steps = [
        (f'updateBundle(id: "{i}", version: 1, changes: {{title: "Anders", summary: null}})', 2),
        (f'removeFromBundle(id: "{i}", version: 2, signal: "{s}")', 3),
        (f'addToBundle(id: "{i}", version: 3, signal: "{s}")', 4),
        (f'transitionBundle(id: "{i}", version: 4, to: "answered", response: "Gedaan.")', 5),
    ]
    for mutation, version in steps:
        answer = await ask(mind, f"mutation {{ it: {mutation} {{ bundle {{ {BUNDLE} }} }} }}")
        assert answer["data"]["it"]["bundle"]["version"] == version, answer
        assert answer["data"]["it"]["bundle"] == (await read(mind, i)).json()
    refusals = [
        (f'updateBundle(id: "{i}", version: 1, changes: {{title: "X"}})', "stale-version"),
        (f'transitionBundle(id: "{i}", version: 5, to: "open")', "transition-not-allowed"),
        (f'addToBundle(id: "{i}", version: 5, signal: "{NOBODY}")', "not-found"),
        (f'updateBundle(id: "{i}", version: 5, changes: {{title: ""}})', "invalid-input"),
    ]
    for mutation, code in refusals:
        answer = await ask(mind, f"mutation {{ it: {mutation} {{ bundle {{ id }} }} }}")
        assert answer["errors"][0]["extensions"]["code"] == code
    assert (await ask(own, f'mutation {{ deleteBundle(id: "{i}", version: 5) {{ id }} }}'))["errors"][0]["extensions"][
        "code"
    ] == "forbidden"
    listed = await ask(mind, "query ($s: UUID) { bundles(filter: {signal: $s}) { nodes { " + BUNDLE + " } } }", s=s)
    assert listed["data"]["bundles"]["nodes"] == (await mind.get(ADDRESS, params={"signal": s})).json()["items"]
    edge = await ask(own, "query ($s: UUID!) { signal(id: $s) { bundles { title response } } }", s=s)
    assert edge["data"]["signal"]["bundles"] == [{"title": "Anders", "response": "Gedaan."}]
    assert (await ask(mind, f'mutation {{ deleteBundle(id: "{i}", version: 5) {{ id }} }}'))["data"]["deleteBundle"][
        "id"
    ] == i


@pytest.mark.parametrize(
    "query", ["umbrella=nobody", "status=lost", "hub=nowhere", "theme=nothing", "signal=x", "sort=title"]
)
async def test_bad_input_is_refused(mind, query):
    assert (await mind.get(f"{ADDRESS}?{query}")).status_code == 400


async def test_the_list_is_narrowed_by_status_and_owner_and_pages(mind, national):
    for _ in range(3):
        made = await bundle(mind)
        await move(mind, made["id"], "in-progress")
    await bundle(national, visibility="public")
    found, address = [], f"{ADDRESS}?umbrella=mind&status=in-progress&limit=2"
    while address is not None:
        page = (await mind.get(address)).json()
        found, address = found + page["items"], page["next"]
    assert len(found) >= 3
    assert {(item["umbrella"]["code"], item["status"]) for item in found} == {("mind", "in-progress")}
    assert [item["id"] for item in found] == sorted((item["id"] for item in found), reverse=True)


async def test_the_database_refuses_what_the_use_cases_would(house, own, mind):
    """The second lock: as the service, in the name of others."""
    import asyncpg

    signal = await verified(own, workfields=["psychische-kwetsbaarheid"])
    made = await bundle(mind, signals=[signal["id"]])
    connection = await asyncpg.connect(house.addresses.service)
    for role, hub, umbrella in (
        ("hub", "groningen", None),
        ("umbrella", None, "iederin"),
        ("national", None, None),
        ("anonymous", None, None),
    ):
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("select enter(null, null, $1, $2, $3)", role, hub, umbrella)
        assert await connection.execute("update bundle set title = 'X' where id = $1", made["id"]) == "UPDATE 0"
        assert await connection.execute("delete from bundle where id = $1", made["id"]) == "DELETE 0"
        await connection.execute("select remove_bundled($1, $2)", made["id"], signal["id"])
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with connection.transaction():
                await connection.execute("select put_bundled($1, $2)", made["id"], [signal["id"]])
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with connection.transaction():
                await connection.execute(
                    "insert into bundle (id, title, summary, umbrella, status, visibility) values ($1, 'X', '', 'mind', 'open', 'public')",
                    uuid.uuid4(),
                )
        await transaction.rollback()
    await connection.close()
    assert held((await read(mind, made["id"])).json()) == {signal["id"]}
