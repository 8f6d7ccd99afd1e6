"""`knooppunt pull`: every change once, into a file or a database of one's own, over a bad network and across restores."""

from __future__ import annotations

import asyncio
import json
import sqlite3

import asyncpg
import pytest

from app.infra.epochs import bump_epoch
from app.kit import feed
from tests.kit.conftest import running_service, served, word
from tests.kit.network import bad_network
from tests.kit.test_push import row
from tests.kit.wrong import SPOILS, Wrong


@pytest.fixture(scope="module")
def log(fresh):
    """An instance whose log is this module's alone: restores and visibility are no concern of others."""
    with running_service(fresh("kit_pull")) as found:
        yield found


def keeper_of(kind, tmp_path):
    return {"--sqlite": tmp_path / "k.sqlite", "--ndjson": tmp_path / "k.ndjson"}[kind]


def pulled(knooppunt, service, kind, path, *more, who="own-hub", url=None):
    return knooppunt("pull", "--url", url or service.url, kind, path, *more, KNOOPPUNT_TOKEN=service.tokens[who])


def push(service, rows):
    with service.client("own-hub") as client:
        response = client.post("/v1/hubs/groningen/signals/_batch", json={"items": rows})
        assert response.status_code == 200, response.text
        return response.json()["results"]


def signals(path):
    with sqlite3.connect(path) as database:
        return dict(database.execute("select external_id, version from signal where external_id is not null"))


BOTH = pytest.mark.parametrize("kind", ["--sqlite", "--ndjson"])


@BOTH
def test_what_was_pulled_is_what_is_there_by_digest_and_the_second_time_it_goes_on(knooppunt, log, tmp_path, kind):
    path = keeper_of(kind, tmp_path)
    first = pulled(knooppunt, log, kind, path, "--check")
    assert first.exit_code == 0, first.output
    assert "The same as there" in first.stderr
    name = word()
    push(log, [row(f"{name}-a"), row(f"{name}-b")])
    again = pulled(knooppunt, log, kind, path, "--check")
    assert again.exit_code == 0
    assert "2 changes." in again.stderr
    assert "0 changes." in pulled(knooppunt, log, kind, path).stderr


@BOTH
def test_over_a_bad_network_nothing_is_missed_or_doubled(knooppunt, log, tmp_path, kind, monkeypatch):
    monkeypatch.setattr(feed.page, "__kwdefaults__", {"limit": 25, "wait": None})
    path = keeper_of(kind, tmp_path)
    with bad_network(log.url, 0.5, seed=3) as proxy:
        result = pulled(knooppunt, log, kind, path, "--check", url=proxy.url)
    assert result.exit_code == 0, result.output
    assert {"lost", "cut", "unanswered"} <= proxy.seen.keys()
    if kind == "--ndjson":
        entries = [json.loads(line) for line in path.read_text().splitlines()]
        keys = [(e["type"], e["id"], e["version"]) for e in entries if e["op"] == "upsert"]
        assert len(keys) == len(set(keys)) > 100


@BOTH
def test_deletions_and_what_is_hidden_from_a_reader_go(knooppunt, log, tmp_path, kind):
    path, name = keeper_of(kind, tmp_path), word()
    rows = [row(f"{name}-{n}", status="verified", visibility="network") for n in range(3)]
    made = push(log, rows)
    assert pulled(knooppunt, log, kind, path, who="other-hub").exit_code == 0
    push(log, [{"externalId": f"{name}-0", "delete": True}, rows[1] | {"visibility": "hub"}])
    result = pulled(knooppunt, log, kind, path, "--check", who="other-hub")
    assert result.exit_code == 0, result.output
    text = path.read_text() if kind == "--ndjson" else ""
    if kind == "--sqlite":
        assert {key for key in signals(path) if key.startswith(name)} == {f"{name}-2"}
    else:
        ops = {e["id"]: e["op"] for e in map(json.loads, text.splitlines()) if "id" in e}
        assert [ops[r["id"]] for r in made] == ["delete", "hidden", "upsert"]


@BOTH
def test_a_restore_of_the_service_is_noticed_and_everything_read_again(knooppunt, log, tmp_path, kind):
    path, name = keeper_of(kind, tmp_path), word()
    push(log, [row(f"{name}-a"), row(f"{name}-b")])
    assert pulled(knooppunt, log, kind, path).exit_code == 0

    async def restored():
        owner = await asyncpg.connect(log.addresses.owner)
        # Brought back to before b was there: no entry, no signal.
        await owner.execute("select set_config('app.role', 'system', false)")
        gone = await owner.fetchval("select id from signal where external_id = $1", f"{name}-b")
        async with owner.transaction():
            await owner.execute("delete from signal where id = $1", gone)
            await owner.execute("delete from change where resource_id = $1", gone)
        await bump_epoch(owner)
        await owner.close()

    asyncio.run(restored())
    result = pulled(knooppunt, log, kind, path, "--check")
    assert result.exit_code == 0, result.output
    assert "read again" in result.stderr
    if kind == "--sqlite":
        assert {key for key in signals(path) if key.startswith(name)} == {f"{name}-a"}


def test_drift_is_found_and_a_new_start_mends_it(knooppunt, log, tmp_path):
    path = tmp_path / "k.sqlite"
    push(log, [row(word())])
    pulled(knooppunt, log, "--sqlite", path)
    with sqlite3.connect(path) as database:
        database.execute("delete from resource where type = 'signal' and id = (select max(id) from signal)")
    drifted = pulled(knooppunt, log, "--sqlite", path, "--check")
    assert drifted.exit_code == 3
    assert "signal of" in drifted.stderr
    assert pulled(knooppunt, log, "--sqlite", path, "--restart", "--check").exit_code == 0


def test_half_a_page_at_the_end_of_a_file_is_cut_away(knooppunt, log, tmp_path):
    path = tmp_path / "k.ndjson"
    pulled(knooppunt, log, "--ndjson", path)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op":"upsert","type":"signal","id":"x","version":1}\n{"op":"cur')
    assert pulled(knooppunt, log, "--ndjson", path, "--check").exit_code == 0
    assert b'"id":"x"' not in path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b"\n", 0, -1) - 5])  # in the middle of the last page
    assert pulled(knooppunt, log, "--ndjson", path, "--check").exit_code == 0
    keys = [e["id"] for e in map(json.loads, path.read_text().splitlines()) if e["op"] == "upsert"]
    assert len(keys) == len(set(keys))


@BOTH
def test_a_file_of_something_else_is_left_alone(knooppunt, log, tmp_path, kind):
    path = keeper_of(kind, tmp_path)
    path.write_text("mijn eigen aantekeningen\n")
    result = pulled(knooppunt, log, kind, path)
    assert result.exit_code == 1
    assert path.read_text() == "mijn eigen aantekeningen\n"
    path.unlink()
    assert pulled(knooppunt, log, kind, path, "--types", "signal").exit_code == 0
    assert pulled(knooppunt, log, kind, path, "--types", "hub").exit_code == 1


def test_one_place_to_keep_it_and_an_end_to_check_at(knooppunt, log, tmp_path):
    for more in ((), ("--sqlite", "a", "--ndjson", "b"), ("--sqlite", tmp_path / "a", "--follow", "--check")):
        assert knooppunt("pull", "--url", log.url, *more).exit_code == 2


def test_a_service_that_refuses_its_own_cursors_is_not_read_for_ever(knooppunt, log, tmp_path, monkeypatch):
    monkeypatch.setattr(feed.page, "__kwdefaults__", {"limit": 50, "wait": None})

    def after(wrong, asked, status, kind, content):
        if asked["params"].get("cursor"):
            return 410, "application/problem+json", b'{"code": "gone", "detail": "Too old."}'
        return status, kind, content

    monkeypatch.setitem(SPOILS, "gone", (None, after))
    with served(Wrong(log.url, "gone")) as url:
        result = pulled(knooppunt, log, "--sqlite", tmp_path / "k.sqlite", url=url)
    assert result.exit_code == 1
    assert "refuses its own cursors" in result.stderr
