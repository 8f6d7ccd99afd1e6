"""Signals under kill -9: of the service, and of PostgreSQL, while many write. What was acknowledged is there and whole."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
import time
import uuid
from dataclasses import dataclass, field

import asyncpg
import httpx
import pytest

from app.infra import packaged
from app.infra.clients import NewClient, create_client
from app.infra.embedded import OWNER, SERVICE, UNSAFE_BUT_FAST, EmbeddedPostgres
from app.infra.migrating import migrate
from app.infra.prepare import as_owner, load_reference
from tests.signal_cases import PATCH, a_signal
from tests.test_serving import PATIENCE_SECONDS, Server, data_folder, postmaster

WRITERS = 6
ENOUGH = 40
"""Acknowledged writes before a kill; the moment within the next ones is chance."""
TITLES = "wachten op een intake", "geen tolk bij de huisarts", "vervoer naar de dagbesteding"
HUB, UMBRELLA = NewClient("proef", "hub", hub="limburg"), NewClient("proef", "umbrella", umbrella="mind")


async def made_ready(postgres):
    """Makes the schema and the reference data; no demonstration, so that every signal is one of these tests. Tokens."""
    await migrate(postgres.url(OWNER), SERVICE)
    await load_reference(postgres.url(OWNER), packaged.load())
    async with as_owner(postgres.url(OWNER)) as connection:
        return [await create_client(connection, new) for new in (HUB, UMBRELLA)]


@pytest.fixture(scope="module")
def prepared():
    """A data folder, with the tokens of a hub and an umbrella."""
    with data_folder() as path:
        # In a hurry as long as nothing gets killed: the next start of the server has the settings of everybody.
        with EmbeddedPostgres(path / "postgres", settings=UNSAFE_BUT_FAST, say=lambda _: None) as postgres:
            tokens = asyncio.run(made_ready(postgres))
        yield path, tokens


@dataclass
class Told:
    """What one writer was told: per signal its last acknowledged version and fields; what was under way at the end."""

    signals: dict[str, dict] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    under_way: set[str] = field(default_factory=set)
    """Ids of signals whose last request was not answered."""
    created: list[tuple[str, dict, str]] = field(default_factory=list)
    """(key, body, id) of every acknowledged creation."""
    unanswered: list[tuple[str, dict]] = field(default_factory=list)
    """(key, body) of creations without an answer."""
    count: int = 0
    failure: str = ""


class Writer(threading.Thread):
    """Goes through the life of one signal after another until the service is gone."""

    def __init__(self, address, hub, umbrella, seed):
        super().__init__()
        self.told = Told()
        self._address, self._hub, self._umbrella = address, hub, umbrella
        self._chance = random.Random(seed)
        self.stop = threading.Event()

    def run(self):
        with httpx.Client(base_url=self._address, timeout=15) as self._client:
            while not self.stop.is_set():
                try:
                    if not self._life():
                        return
                except httpx.TransportError:
                    return
                except Exception as error:
                    self.told.failure = repr(error)
                    return

    def _life(self):
        key, body = str(uuid.uuid4()), a_signal(
            status="submitted", title=self._chance.choice(TITLES), workfields=["psychische-kwetsbaarheid"],
            themes=["wachttijden", "stigma"],
        )  # fmt: skip
        self.told.unanswered.append((key, body))
        made = self._client.post("/v1/signals", json=body, headers=self._as(self._hub, **{"idempotency-key": key}))
        if made.status_code == 503:
            return False
        assert made.status_code == 201, made.text
        self.told.unanswered.pop()
        signal_id = made.json()["id"]
        self.told.created.append((key, body, signal_id))
        self._noted(made.json())
        place = f"/v1/signals/{signal_id}"
        for _ in range(self._chance.randrange(3)):
            if not self._change("PATCH", place, {"peopleCount": self._chance.randrange(1, 1000)}, signal_id):
                return False
        if not self._change("POST", f"{place}/transitions", {"to": "verified"}, signal_id):
            return False
        answer = {"state": "answered", "response": "Wij nemen dit mee in het overleg."}
        if not self._change("PUT", f"{place}/forwardings/mind", answer, signal_id, self._umbrella):
            return False
        return self._chance.random() < 0.7 or self._change("DELETE", place, None, signal_id)

    def _change(self, method, address, content, signal_id, token=None):
        """False when the service is away."""
        self.told.under_way.add(signal_id)
        headers = self._as(token or self._hub, **{"if-match": f'"{self.told.versions[signal_id]}"'})
        if method == "PATCH":
            headers |= PATCH
        response = self._client.request(method, address, json=content, headers=headers)
        if response.status_code == 503:
            return False
        assert response.status_code in (200, 204), response.text
        self.told.under_way.discard(signal_id)
        if method == "DELETE":
            self.told.deleted.add(signal_id)
            self.told.count += 1
        else:
            self._noted(response.json())
        return True

    def _noted(self, found):
        self.told.signals[found["id"]] = found
        self.told.versions[found["id"]] = found["version"]
        self.told.count += 1

    def _as(self, token, **headers):
        return {"authorization": f"Bearer {token}", **headers}


def written(server, folder, pair, kill, seed):
    """What the writers were told until `kill` came at some moment."""
    writers = [Writer(f"http://127.0.0.1:{server.port}", *pair, seed * 100 + number) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    while sum(writer.told.count for writer in writers) < ENOUGH:
        assert any(writer.is_alive() for writer in writers), [writer.told.failure for writer in writers]
        time.sleep(0.005)
    time.sleep(random.Random(seed).random() / 10)
    kill()
    for writer in writers:
        writer.stop.set()
        writer.join(PATIENCE_SECONDS)
        assert not writer.is_alive()
        assert writer.told.failure == ""
    return [writer.told for writer in writers]


def everything_is_there(server, token, told):
    """Every acknowledged write is there; one more may be where an answer did not come."""
    headers = {"authorization": f"Bearer {token}"}
    for writer in told:
        for signal_id, content in writer.signals.items():
            found = server.get(f"/v1/signals/{signal_id}", **headers)
            history = server.get(f"/v1/signals/{signal_id}/history?limit=200", **headers).json()["items"]
            versions = [line["version"] for line in history]
            assert versions == list(range(1, len(versions) + 1)), "no version without its line, no line without it"
            last = writer.versions[signal_id]
            if signal_id in writer.deleted:
                assert (found.status_code, history[-1]["action"], versions[-1]) == (404, "deleted", last + 1)
            elif signal_id not in writer.under_way:
                assert found.json() == content
                assert versions[-1] == last
            else:
                assert versions[-1] in (last, last + 1)
                assert found.status_code == (404 if history[-1]["action"] == "deleted" else 200)
                if versions[-1] == last:
                    assert found.json() == content


HALF = """
with log as (select resource_id as id, max(version) as version, count(*) filter (where op <> 3) as entries,
    (array_agg(op order by version desc, seq))[1] as op from change where type = 1 group by 1),
told as (select signal_id as id, max(version) as version, count(*) as lines from signal_history group by 1)
select coalesce(s.id, log.id, told.id) as id, s.version as row, log.version as logged, told.version as told
from signal s full join log on log.id = s.id full join told on told.id = coalesce(s.id, log.id)
where log.version is distinct from told.version or log.entries is distinct from told.lines
   or coalesce(s.version, log.version) is distinct from log.version
   or (s.id is null) is distinct from (log.op = 2)
   or s.id is not null and (
      s.themes is distinct from (select array_agg(t.theme order by array_position(s.themes, t.theme))
         from signal_theme t where t.signal_id = s.id and t.audience = s.audience)
      or (s.status = 'verified') is distinct from exists (select from forwarding f where f.signal_id = s.id)
      or exists (select from forwarding f where f.signal_id = s.id and f.state = 'answered' and f.response is null))
union all select signal_id, null, null, null from signal_theme where signal_id not in (select id from signal)
"""


def asked(folder, sql):
    """The rows, straight from the tables."""

    async def ask():
        with EmbeddedPostgres(folder / "postgres", say=lambda _: None) as postgres:
            connection = await asyncpg.connect(postgres.url(OWNER))
            try:
                return await connection.fetch(sql)
            finally:
                await connection.close()

    return asyncio.run(ask())


def ids(folder):
    return {str(row["id"]) for row in asked(folder, "select id from signal")}


def repeated(server, token, told):
    """Every creation is sent again with its key: what was made is not made again, and the rest is made once. All ids."""
    headers = {"authorization": f"Bearer {token}"}
    made = {signal_id for writer in told for signal_id in writer.signals}
    for writer in told:
        for key, body, signal_id in writer.created:
            again = server.client.post("/v1/signals", json=body, headers=headers | {"idempotency-key": key})
            assert (again.status_code, again.json()["id"]) == (201, signal_id)
        for key, body in writer.unanswered:
            twice = [
                server.client.post("/v1/signals", json=body, headers=headers | {"idempotency-key": key}) for _ in (1, 2)
            ]
            assert {answer.status_code for answer in twice} == {201}
            made |= {answer.json()["id"] for answer in twice}
    assert len(made) == sum(len(writer.created) + len(writer.unanswered) for writer in told)
    return made


def test_a_killed_service_loses_no_acknowledged_signal_and_leaves_none_half(prepared):
    folder, (hub, umbrella) = prepared
    earlier, told = ids(folder), []
    with EmbeddedPostgres(folder / "postgres", say=lambda _: None):
        for seed in (1, 2):
            server = Server(folder)
            server.until(200)
            told += written(server, folder, (hub, umbrella), server.process.kill, seed)
            server.end(signal.SIGKILL)
        checked(folder, hub, told, earlier)


def test_a_killed_postgresql_loses_no_acknowledged_signal_and_leaves_none_half(prepared):
    folder, (hub, umbrella) = prepared
    earlier, server = ids(folder), Server(folder)
    try:
        server.until(200)
        pid = postmaster(folder)
        told = written(server, folder, (hub, umbrella), lambda: os.kill(pid, signal.SIGKILL), 3)
    finally:
        server.end()
    checked(folder, hub, told, earlier)


def checked(folder, hub, told, earlier):
    assert sum(writer.count for writer in told) >= ENOUGH
    server = Server(folder)
    try:
        server.until(200)
        assert asked(folder, HALF) == [], "no signal without its history, log and themes, or the other way round"
        everything_is_there(server, hub, told)
        made = repeated(server, hub, told)
        deleted = {signal_id for writer in told for signal_id in writer.deleted}
        in_doubt = {signal_id for writer in told for signal_id in writer.under_way}
        kept = ids(folder) - earlier
        assert made - deleted - in_doubt <= kept <= made - deleted
        assert asked(folder, HALF) == []
    finally:
        server.end()
