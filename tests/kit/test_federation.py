"""Two real instances: a hub keeps its signals at one, the other takes them over and ends the same."""

from __future__ import annotations

import asyncio
import dataclasses
from types import SimpleNamespace

import asyncpg
import pytest

from app.api.asking import today
from app.infra.database import Database
from app.infra.epochs import bump_epoch
from app.infra.federation import Federation
from tests.kit.conftest import running_service, served, word
from tests.kit.network import bad_network
from tests.kit.test_push import row
from tests.kit.wrong import SPOILS, Wrong, page
from tests.signal_cases import PATCH

HUB = "groningen"


@pytest.fixture(scope="module")
def home(fresh):
    """Where the hub keeps its signals."""
    with running_service(fresh("home")) as found:
        yield found


@pytest.fixture
def here(fresh, knooppunt, request):
    """An instance that takes them over; `here.pull()` does what the worker does until there is nothing more."""
    addresses = fresh(f"here_{word()[:6]}")
    with running_service(addresses) as found:
        yield SimpleNamespace(
            **dataclasses.asdict(found), service=found, client=found.client, pull=lambda: pull(addresses),
            command=lambda *given: knooppunt(*given, DATABASE_URL=addresses.service, DATABASE_OWNER_URL=addresses.owner),
        )  # fmt: skip


def pull(addresses, seconds=0.0, turns=40, workers=1):
    async def run():
        databases = [Database(addresses.service, size=6) for _ in range(workers)]
        for database in databases:
            await database.open()
        federations = [Federation(database, seconds, today) for database in databases]
        for _ in range(turns):
            more = await asyncio.gather(*(federation.step() for federation in federations))
            if not any(more):
                break
        for federation, database in zip(federations, databases, strict=True):
            await federation.stop()
            await database.close()

    asyncio.run(run())


def add(here, home, url=None, who="national", hub=HUB, *more):
    result = here.command(
        "source", "add", url or home.url, "--hub", hub, "--token", home.tokens[who], "--take-over", *more
    )
    assert result.exit_code == 0, result.output
    assert home.tokens[who] not in result.output
    return url or home.url


def push(home, rows):
    with home.client("own-hub") as client:
        response = client.post(f"/v1/hubs/{HUB}/signals/_batch", json={"items": rows})
        assert response.status_code == 200, response.text
        results = response.json()["results"]
        assert all(result["result"] != "refused" for result in results), results
        return results


def digest(instance, who="national"):
    with instance.client(who) as client:
        items = client.get("/v1/changes/digest", params={"type": "signal", "hub": HUB}).json()["items"]
        return {item["month"]: (item["count"], item["digest"]) for item in items}


def signal(instance, identity, who="national"):
    with instance.client(who) as client:
        response = client.get(f"/v1/signals/{identity}")
        return response.json() if response.status_code == 200 else response.status_code


def changes(instance, who="national", cursor=None):
    with instance.client(who) as client:
        page = client.get(
            "/v1/changes", params={"types": "signal", "limit": 1000, **({"cursor": cursor} if cursor else {})}
        )
        assert page.status_code == 200, page.text
        return page.json()


def ask(instance, sql, *args):
    async def once():
        connection = await asyncpg.connect(
            instance.addresses["owner"] if isinstance(instance.addresses, dict) else instance.addresses.owner
        )
        try:
            return await connection.fetchval(sql, *args)
        finally:
            await connection.close()

    return asyncio.run(once())


def public(name, **more):
    return row(name, status="verified", visibility="network", **more)


def test_signals_come_over_with_id_version_times_answers_and_follow_ups(here, home):
    (made,) = push(home, [public(word())])
    with home.client("umbrella") as umbrella, home.client("own-hub") as own:
        answered = umbrella.put(
            f"/v1/signals/{made['id']}/forwardings/mind",
            json={"state": "answered", "response": "Wij pakken dit op."}, headers={"if-match": "*"},
        )  # fmt: skip
        followed = own.post(
            f"/v1/signals/{made['id']}/follow-ups", headers={"if-match": "*"},
            json={"kind": "meeting", "on": "2026-04-01", "summary": "Besproken.", "public": True},
        )  # fmt: skip
        assert (answered.status_code, followed.status_code) == (200, 200), answered.text + followed.text
    add(here, home)
    here.pull()
    assert signal(here, made["id"]) == signal(home, made["id"])
    responses = {each["umbrella"]["code"]: each["response"] for each in signal(here, made["id"])["forwardings"]}
    assert responses["mind"] == "Wij pakken dit op."
    assert digest(here) == digest(home)
    assert signal(here, made["id"], "umbrella")["id"] == made["id"], "who it went to reads it here too"
    assert signal(here, made["id"], None) == 404


def test_changes_deletions_and_withdrawals_follow_and_nothing_is_doubled(here, home):
    name = word()
    made = push(home, [public(f"{name}-{n}") for n in range(4)])
    add(here, home)
    here.pull()
    cursor = changes(here)["cursor"]
    here.pull()
    assert changes(here, cursor=cursor)["items"] == [], "the same again is no change"
    push(home, [
        public(f"{name}-0", peopleCount=7), {"externalId": f"{name}-1", "delete": True},
        public(f"{name}-2") | {"visibility": "hub", "title": "Alleen voor ons", "status": "submitted"},
    ])  # fmt: skip
    here.pull()
    ops = {item["id"]: (item["op"], item["version"]) for item in changes(here, cursor=cursor)["items"]}
    assert ops[made[0]["id"]] == ("upsert", signal(home, made[0]["id"])["version"])
    assert (ops[made[1]["id"]][0], ops[made[2]["id"]][0]) == ("delete", "delete")
    assert made[3]["id"] not in ops
    assert digest(here) == digest(home)
    assert ask(here, "select count(*) from count_differences()") == 0, "the counts follow"


def test_a_copy_is_read_only_here_and_says_where_it_is_kept(here, home):
    (made,) = push(home, [public(word())])
    url = add(here, home)
    here.pull()
    item = row(word())
    with here.client("own-hub") as own, here.client("umbrella") as umbrella, here.client("other-hub") as other:
        tried = [
            own.post("/v1/signals", json={k: v for k, v in item.items() if k != "externalId"}),
            own.patch(f"/v1/signals/{made['id']}", json={"peopleCount": 3}, headers=PATCH | {"if-match": "*"}),
            own.delete(f"/v1/signals/{made['id']}", headers={"if-match": "*"}),
            own.post(f"/v1/signals/{made['id']}/transitions", json={"to": "withdrawn"}, headers={"if-match": "*"}),
            own.post(f"/v1/hubs/{HUB}/signals/_batch", json={"items": [item]}),
            own.put(f"/v1/hubs/{HUB}/signals/x", json={k: v for k, v in item.items() if k != "externalId"}),
            umbrella.put(
                f"/v1/signals/{made['id']}/forwardings/mind", json={"state": "on-agenda"}, headers={"if-match": "*"}
            ),
        ]
        for response in tried:
            assert (response.status_code, response.json()["code"]) == (403, "kept-elsewhere"), response.text
            assert response.json()["origin"] == url
        query = "mutation ($id: UUID!) { deleteSignal(id: $id, version: 1) { __typename } }"
        refused = own.post("/graphql", json={"query": query, "variables": {"id": made["id"]}}).json()
        assert [error["extensions"]["code"] for error in refused["errors"]] == ["kept-elsewhere"]
        fine = other.post("/v1/hubs/limburg/signals/_batch", json={"items": [row(word())]})
        assert fine.json()["results"][0]["result"] == "created", "other hubs are kept here"
    assert signal(here, made["id"]) == signal(home, made["id"])


def test_what_does_not_fit_is_refused_for_that_one_and_comes_when_it_fits(here, home, monkeypatch):
    name = word()
    made = push(home, [public(f"{name}-{n}") for n in range(4)])

    def spoil(wrong, asked, found):
        for entry in found["items"]:
            resource = entry.get("resource") or {}
            if entry["id"] == made[0]["id"]:
                resource["themes"] = [{"code": "thema-van-morgen"}]
            elif entry["id"] == made[1]["id"]:
                del resource["heardOn"]
                resource["title"] = "Bel 06 12345678"
            elif entry["id"] == made[2]["id"]:
                resource["hub"] = {"slug": "limburg"}

    monkeypatch.setitem(SPOILS, "federation", page(spoil))
    with served(Wrong(home.url, "federation")) as url:
        add(here, home, url)
        here.pull()
        shown = here.command("source", "status", url)
    assert [signal(here, each["id"]) == 404 for each in made] == [True, True, True, False]
    assert "3 refused now" in shown.stdout
    for word_ in ("themes[0]: unknown-code", "heardOn: missing", "id: contradiction"):
        assert word_ in shown.stdout
    assert "12345678" not in shown.stdout
    assert "thema-van-morgen" not in shown.stdout
    push(home, [public(f"{name}-{n}", peopleCount=9) for n in range(3)])
    assert here.command("source", "remove", url, "--keep").exit_code == 0
    add(here, home)
    here.pull()
    assert digest(here) == digest(home)
    assert ask(here, "select count(*) from source_refusal") == 0


def test_over_a_bad_network_with_three_workers_nothing_is_lost_or_doubled(here, home, monkeypatch):
    monkeypatch.setattr("app.infra.federation.PAGE", 15)
    push(home, [public(word()) for _ in range(60)])
    with bad_network(home.url, 0.4, seed=5) as proxy:
        add(here, home, proxy.url)
        for _ in range(30):
            pull(here.service.addresses, workers=3)
            if digest(here) == digest(home):
                break
        push(home, [public(word()) for _ in range(20)])
        for _ in range(30):
            pull(here.service.addresses, workers=3)
            if digest(here) == digest(home):
                break
    assert digest(here) == digest(home)
    assert {"lost", "cut", "unanswered", "doubled"} <= proxy.seen.keys()
    seen = [(item["id"], item["version"]) for item in changes(here)["items"]]
    assert len(seen) == len(set(seen))


def test_a_restore_of_the_home_is_followed_and_told_to_readers_here(here, home):
    name = word()
    made = push(home, [public(f"{name}-a"), public(f"{name}-b"), public(f"{name}-c")])
    push(home, [public(f"{name}-a", peopleCount=5)])
    push(home, [{"externalId": f"{name}-c", "delete": True}])
    add(here, home)
    here.pull()
    reader = changes(here)["cursor"]

    async def restore():
        owner = await asyncpg.connect(home.addresses.owner)
        await owner.execute("select set_config('app.role', 'system', false)")
        a, b = (made[n]["id"] for n in (0, 1))
        # As it was before: a without its change and at a lower version, b not there yet.
        await owner.execute("update signal set version = 1, people_count = null where id = $1", a)
        await owner.execute("delete from change where resource_id = $1 and version > 1", a)
        await owner.execute("delete from signal_history where signal_id = $1 and version > 1", a)
        await owner.execute("delete from signal where id = $1", b)
        await owner.execute("delete from change where resource_id = $1", b)
        await bump_epoch(owner)
        await owner.close()

    asyncio.run(restore())
    here.pull()
    assert digest(here) == digest(home)
    assert signal(here, made[0]["id"]) == signal(home, made[0]["id"])
    assert signal(here, made[0]["id"])["version"] == 1
    assert signal(here, made[1]["id"]) == 404
    with here.client("national") as client:
        gone = client.get("/v1/changes", params={"types": "signal", "cursor": reader})
        assert (gone.status_code, gone.json()["code"]) == (410, "new-epoch"), "versions went back: readers are told"
    versions = {item["id"]: item["version"] for item in changes(here)["items"] if item["op"] == "upsert"}
    assert versions[made[0]["id"]] == 1
    push(home, [public(f"{name}-a", peopleCount=6)])
    here.pull()
    assert signal(here, made[0]["id"])["peopleCount"] == 6
    assert ask(here, "select count(*) from count_differences()") == 0


def test_sources_are_added_paused_resumed_and_removed_by_command(here, home):
    push(home, [public(word())])
    with here.client("own-hub") as own:
        assert own.post(f"/v1/hubs/{HUB}/signals/_batch", json={"items": [row(word())]}).status_code == 200
    refused = here.command("source", "add", home.url, "--hub", HUB)
    assert (refused.exit_code, "signals of their own" in refused.stderr) == (1, True)
    for wrong in (["http://voorbeeld.example", "--hub", HUB], [home.url, "--hub", "nergens"]):
        assert here.command("source", "add", *wrong).exit_code == 1
    add(here, home)
    assert here.command("source", "add", home.url + "/x", "--hub", HUB, "--take-over").exit_code == 1, (
        "one home for a hub"
    )
    assert here.command("source", "pause", home.url).exit_code == 0
    here.pull()
    assert digest(here) != digest(home)
    assert f"{home.url}\t{HUB}\tpaused" in here.command("source", "list").stdout
    assert here.command("source", "resume", home.url).exit_code == 0
    here.pull()
    assert digest(here) == digest(home)
    shown = here.command("source", "status")
    assert (shown.exit_code, "active" in shown.stdout) == (0, True)
    with here.client(None) as client:
        metrics = client.get("/metrics").text
    assert f'knooppunt_source_failures{{source="{home.url}"}} 0.0' in metrics
    assert home.tokens["national"] not in metrics + shown.output
    assert here.command("source", "remove", home.url).exit_code == 0
    assert digest(here) == {}
    with here.client("own-hub") as own:
        again = own.post(f"/v1/hubs/{HUB}/signals/_batch", json={"items": [row(word())]})
        assert again.json()["results"][0]["result"] == "created", "the hub is kept here again"
    assert here.command("source", "remove", home.url).exit_code == 1


def test_a_home_that_is_away_is_told_and_left_alone_for_a_while(here, home):
    url = add(here, home, "http://127.0.0.1:9")
    pull(here.service.addresses, seconds=60)
    shown = here.command("source", "status", url)
    assert shown.exit_code == 1
    assert "failed 1 times in a row" in shown.stdout
    assert "cannot be reached" in shown.stdout
    assert ask(here, "select next_at > now() + interval '20 seconds' from source") is True
    with here.client(None) as client:
        assert f'knooppunt_source_failures{{source="{url}"}} 1.0' in client.get("/metrics").text


def test_a_home_that_refuses_its_own_cursors_fails_and_is_not_read_for_ever(here, home, monkeypatch):
    monkeypatch.setattr("app.infra.federation.PAGE", 5)
    push(home, [public(word()) for _ in range(12)])

    def after(wrong, asked, status, kind, content):
        if asked["params"].get("cursor"):
            return 410, "application/problem+json", b'{"code": "gone", "detail": "Too old."}'
        return status, kind, content

    monkeypatch.setitem(SPOILS, "gone", (None, after))
    with served(Wrong(home.url, "gone")) as url:
        add(here, home, url)
        pull(here.service.addresses, seconds=60)
    assert "refuses the cursor" in here.command("source", "status", url).stdout


def test_no_reader_sees_a_source_or_its_token(here, home):
    add(here, home)

    async def look():
        connection = await asyncpg.connect(here.service.addresses.service)
        await connection.execute("select set_config('app.role', 'national', false), set_config('app.hub', '1', false)")
        found = [
            await connection.fetchval(f"select count(*) from {table}")
            for table in ("source", "source_hub", "source_copy")
        ]
        await connection.close()
        return found

    assert asyncio.run(look()) == [0, 0, 0]
