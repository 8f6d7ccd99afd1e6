"""`knooppunt push`: a file goes in by the hub's own ids, over a bad network and with breaks, and nothing twice."""

from __future__ import annotations

import csv
import json

import pytest

from app.kit import push as pushing
from tests.kit.conftest import word
from tests.kit.network import bad_network


def row(name, **changes):
    return {
        "externalId": name, "kind": "knelpunt", "title": f"Lang wachten {word()}", "description": "Mensen wachten.",
        "themes": ["wachttijden"], "region": "GG2014", "heardOn": "2026-03-05", "status": "submitted",
    } | changes  # fmt: skip


def write(path, rows):
    path.write_text("".join(f"{json.dumps(each)}\n" for each in rows), encoding="utf-8")
    return path


@pytest.fixture
def mine(tmp_path):
    """A file of rows with ids that are nowhere else."""
    prefix = word()
    return lambda count, **changes: [row(f"{prefix}-{number}", **changes) for number in range(count)]


def pushed(knooppunt, path, service, *more, url=None, hub="groningen", who="own-hub"):
    return knooppunt(
        "push", path, "--hub", hub, "--url", url or service.url, *more, KNOOPPUNT_TOKEN=service.tokens[who]
    )


def there(service, rows):
    """The versions of those that are there, by external id."""
    with service.client("own-hub") as client:
        found = {}
        for each in rows:
            response = client.get(f"/v1/hubs/groningen/signals/{each['externalId']}")
            if response.status_code == 200:
                found[each["externalId"]] = response.json()["version"]
        return found


def test_a_file_goes_in_and_a_second_time_changes_nothing(knooppunt, service, tmp_path, mine):
    rows = mine(12)
    path = write(tmp_path / "s.ndjson", rows)
    first = pushed(knooppunt, path, service)
    assert (first.exit_code, first.stdout) == (0, "")
    assert "12 created, 0 updated, 0 unchanged, 0 deleted, 0 refused." in first.stderr
    again = pushed(knooppunt, path, service)
    assert "0 created, 0 updated, 12 unchanged" in again.stderr
    assert there(service, rows) == {each["externalId"]: 1 for each in rows}
    write(path, [rows[0] | {"title": "Anders"}, {"externalId": rows[1]["externalId"], "delete": True}])
    assert "1 updated, 0 unchanged, 1 deleted" in pushed(knooppunt, path, service).stderr
    assert sorted(tmp_path.iterdir()) == [path], "no state and no report is left"


def test_what_is_refused_is_in_a_report_without_what_stood_there(knooppunt, service, tmp_path, mine):
    rows = mine(4)
    rows[1]["themes"] = ["bestaat-niet-hoor"]
    rows[2]["description"] = "Bel mij op 06 12345678."
    path = write(tmp_path / "s.ndjson", rows)
    result = pushed(knooppunt, path, service)
    assert result.exit_code == 3
    assert "2 created, 0 updated, 0 unchanged, 0 deleted, 2 refused." in result.stderr
    with (tmp_path / "s.ndjson.refused.csv").open(encoding="utf-8", newline="") as file:
        report = list(csv.DictReader(file))
    assert [(r["row"], r["externalId"], r["field"], r["code"]) for r in report] == [
        ("2", rows[1]["externalId"], "themes[0]", "unknown-code"),
        ("3", rows[2]["externalId"], "description", "personal-data"),
    ]
    text = (tmp_path / "s.ndjson.refused.csv").read_text()
    assert "12345678" not in text
    assert "bestaat-niet" not in text
    assert set(there(service, rows)) == {rows[0]["externalId"], rows[3]["externalId"]}


def test_text_with_personal_data_does_not_leave_the_hub(knooppunt, service, tmp_path, mine, monkeypatch):
    rows = mine(2)
    rows[0]["title"] = "Mail jan@voorbeeld.nl"
    sent = []
    original = pushing.Remote.post
    monkeypatch.setattr(
        pushing.Remote, "post", lambda self, path, body, key: sent.append(body) or original(self, path, body, key)
    )
    assert pushed(knooppunt, write(tmp_path / "s.ndjson", rows), service).exit_code == 3
    assert [item["externalId"] for item in sent[0]["items"]] == [rows[1]["externalId"]]


def test_all_or_nothing(knooppunt, service, tmp_path, mine):
    rows = mine(3)
    rows[2]["region"] = "GG9999"
    path = write(tmp_path / "s.ndjson", rows)
    result = pushed(knooppunt, path, service, "--mode", "atomic")
    assert result.exit_code == 3
    assert "0 created, 0 updated, 0 unchanged, 0 deleted, 3 refused." in result.stderr
    assert there(service, rows) == {}
    rows[2]["region"] = "GG2014"
    assert "3 created" in pushed(knooppunt, write(path, rows), service, "--mode", "atomic").stderr
    rows[0]["title"] = ""
    refused = pushed(knooppunt, write(path, rows), service, "--mode", "atomic")
    assert (refused.exit_code, "nothing was sent" in refused.stderr) == (1, True)


def test_a_dry_run_sends_nothing_and_shows_the_mapping_and_the_faults(knooppunt, service, tmp_path):
    path = tmp_path / "s.csv"
    path.write_text(
        "Kenmerk;Soort;Titel;Thema;Regio;Notitie\nA;ervaring;T;wachttijden;GG2014;x\nB;geheimwoord;T;a;b;\n"
    )
    result = pushed(knooppunt, path, service, "--dry-run", url="http://127.0.0.1:9")
    assert result.exit_code == 3
    assert "Kenmerk → externalId" in result.stderr
    assert "not sent: Notitie" in result.stderr
    assert "row 3 kind: unknown-code" in result.stderr
    assert "geheimwoord" not in result.output
    assert json.loads(result.stdout)["externalId"] == "A"
    assert sorted(tmp_path.iterdir()) == [path]


def test_over_a_bad_network_everything_arrives_once(knooppunt, service, tmp_path, mine, monkeypatch):
    monkeypatch.setattr(pushing, "MOST_ITEMS", 5)
    rows = mine(60)
    path = write(tmp_path / "s.ndjson", rows)
    with bad_network(service.url, 0.5, seed=7) as proxy:
        result = pushed(knooppunt, path, service, url=proxy.url)
    assert result.exit_code == 0, result.stderr
    assert "60 created" in result.stderr, "a repeated batch is answered as the first time, by its key"
    assert {"lost", "cut", "unanswered", "doubled", "late"} <= proxy.seen.keys()
    assert there(service, rows) == {each["externalId"]: 1 for each in rows}


def test_a_push_that_broke_off_goes_on_where_it_was(knooppunt, service, tmp_path, mine, monkeypatch):
    monkeypatch.setattr(pushing, "MOST_ITEMS", 4)
    rows = mine(20)
    rows[1]["themes"] = rows[17]["themes"] = ["bestaat-niet"]
    path = write(tmp_path / "s.ndjson", rows)
    original, sent = pushing.Remote.post, []

    async def breaking(self, address, body, key):
        if len(sent) == 3:
            raise pushing_away()
        answer = await original(self, address, body, key)
        sent.append([item["externalId"] for item in body["items"]])
        return answer

    monkeypatch.setattr(pushing.Remote, "post", breaking)
    broken = pushed(knooppunt, path, service)
    assert broken.exit_code == 75
    report = tmp_path / "s.ndjson.refused.csv"
    with report.open("a") as file:
        file.write("99,half a li")  # what a break leaves behind
    monkeypatch.setattr(pushing.Remote, "post", original)
    done = pushed(knooppunt, path, service)
    assert done.exit_code == 3
    assert "18 created, 0 updated, 0 unchanged, 0 deleted, 2 refused." in done.stderr, (
        "the first twelve were not sent again"
    )
    assert [line.split(",")[0] for line in report.read_text().splitlines()] == ["row", "2", "18"]
    assert not (tmp_path / "s.ndjson.push-state.json").exists()
    again = pushed(knooppunt, path, service)
    assert "0 created, 0 updated, 18 unchanged" in again.stderr, "another run, not the answers of the first"


def pushing_away():
    from app.domain.errors import Unavailable

    return Unavailable("away")


def test_a_state_of_another_file_is_not_gone_on_with(knooppunt, service, tmp_path, mine):
    first, second = mine(2), mine(3)
    path = write(tmp_path / "s.ndjson", first)
    state = {
        "url": service.url, "hub": "groningen", "mode": "partial", "content": "another", "run": "x", "done": 2,
        "counts": {}, "reported": 0,
    }  # fmt: skip
    (tmp_path / "s.ndjson.push-state.json").write_text(json.dumps(state))
    assert "2 created" in pushed(knooppunt, path, service).stderr
    (tmp_path / "s.ndjson.push-state.json").write_text("{ broken")
    assert (
        pushed(knooppunt, write(path, [s | {"externalId": s["externalId"] + "b"} for s in second]), service).exit_code
        == 0
    )


@pytest.mark.parametrize(
    ("changes", "word_in_answer"),
    [
        ({"hub": "limburg"}, "own"), ({"hub": "nergens"}, "no hub"), ({"who": "national"}, "own"),
        ({"url": "http://voorbeeld.example"}, "https"), ({"url": "https://a:b@voorbeeld.example"}, "password"),
    ],
    ids=["another hub", "no hub", "no hub's token", "plain http", "password in the address"],
)  # fmt: skip
def test_what_cannot_be_is_a_sentence(knooppunt, service, tmp_path, mine, changes, word_in_answer):
    result = pushed(knooppunt, write(tmp_path / "s.ndjson", mine(1)), service, **changes)
    assert result.exit_code == 1
    assert word_in_answer in result.stderr


def test_a_wrong_token_is_refused_and_not_shown(knooppunt, service, tmp_path, mine):
    path = write(tmp_path / "s.ndjson", mine(1))
    result = knooppunt("push", path, "--hub", "groningen", "--url", service.url, "--token", "kp_verkeerd")
    assert result.exit_code == 1
    assert "kp_verkeerd" not in result.output
