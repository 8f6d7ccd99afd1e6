"""Feeds in every format: who may read them, what is in them, how entries change and go, and readers that others wrote."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import datetime

import asyncpg
import feedparser
import orjson
import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_structured_event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.api.rest.atom import atom
from app.domain.access import Actor
from app.domain.feeds import feed_eyes, may_read_feed
from app.infra.compacting import compact
from app.infra.epochs import bump_epoch
from app.infra.purging import purge_signal
from tests.serving_cases import serving
from tests.signal_cases import PLAIN, add, answer, letters, patch, step, verified

FEEDS = ("openbaar", "landelijk", "mind", "iederin", "patientenfederatie")
CAST = {
    "outsider": Actor(),
    "own-hub": Actor("hub", hub="groningen"),
    "other-hub": Actor("hub", hub="limburg"),
    "umbrella": Actor("umbrella", umbrella="mind"),
    "national": Actor("national"),
    "admin": Actor("admin"),
}
MIND, REST = ["psychische-kwetsbaarheid"], ["inclusie", "medische-zorg"]
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@pytest.fixture
def house(writing_house):
    return writing_house


@pytest.fixture
async def own(house):
    async with house.client("own-hub") as client:
        yield client


@pytest.fixture
async def national(house):
    async with house.client("national") as client:
        yield client


@pytest.fixture
async def mind(house):
    async with house.client("umbrella") as client:
        yield client


async def page(client, feed, **params):
    response = await client.get(f"/v1/feeds/{feed}", params=params)
    assert response.status_code == 200, response.text
    return response.json()


async def newest(client, feed, signal_id):
    """The entry of a signal among the newest; None where it is not."""
    items = (await page(client, feed))["items"]
    found = [item for item in items if item["id"] == f"urn:uuid:{signal_id}"]
    assert len(found) <= 1
    return found[0] if found else None


async def states(client, signal_id, feeds=FEEDS):
    """What each feed says of a signal: its state and version, None where it is not in it."""
    found = {}
    for feed in feeds:
        entry = await newest(client, feed, signal_id)
        found[feed] = entry and (entry["_knooppunt"]["state"], entry["_knooppunt"]["version"])
    return found


# Who may read what


@pytest.mark.parametrize("who", CAST)
async def test_each_reader_has_the_feeds_that_are_for_it_and_the_others_are_not_there(house, who):
    allowed = [feed for feed in FEEDS if may_read_feed(CAST[who], feed)]
    async with house.client(who) as client:
        listed = (await client.get("/v1/feeds")).json()
        assert sorted(item["code"] for item in listed["items"]) == sorted(allowed)
        for feed in (*FEEDS, "nergens", "MIND", "%2e"):
            response = await client.get(f"/v1/feeds/{feed}")
            stream = await client.head(f"/v1/feeds/{feed}/stream")
            known = feed in allowed
            assert (response.status_code, stream.status_code) == ((200, 200) if known else (404, 404)), feed
            if not known:
                assert response.json()["code"] == "not-found"


@pytest.mark.parametrize("who", CAST)
@pytest.mark.parametrize("feed", [*FEEDS, "nergens"])
async def test_the_database_has_the_same_rule_and_leaves_no_more_than_the_feed(house, who, feed):
    """The second lock: whatever the service asks, who may not read the feed has no bits at all."""
    actor = CAST[who]
    connection = await asyncpg.connect(house.addresses.service)
    try:
        async with connection.transaction():
            there = await connection.fetchval(
                "select enter_feed(null, null, $1, $2, $3, $4)", actor.role, actor.hub, actor.umbrella, feed
            )
            seen = await connection.fetchval("select count(*) from signal")
            bits = await connection.fetchval("select current_setting('app.mask')::int")
            hub = await connection.fetchval("select current_setting('app.hub')")
    finally:
        await connection.close()
    allowed = may_read_feed(actor, feed) and feed in FEEDS
    assert (there, bits != 0, hub) == (allowed, allowed, "")
    assert allowed or seen == 0


async def test_a_signal_is_in_the_feeds_of_those_who_may_see_it_and_to_whom_it_went(own, national):
    public = await verified(own, visibility="public", workfields=MIND)
    network = await verified(own, visibility="network", workfields=MIND)
    hidden = await verified(own, visibility="hub", workfields=MIND)
    draft = await add(own, visibility="public", workfields=MIND)
    there = ("present", 2)
    nobody = dict.fromkeys(FEEDS)
    assert await states(national, public["id"]) == nobody | {"openbaar": there, "landelijk": there, "mind": there}
    assert await states(national, network["id"]) == nobody | {"landelijk": there, "mind": there}
    assert await states(national, hidden["id"]) == nobody
    assert await states(national, draft["id"]) == nobody
    assert await states(own, draft["id"], ["openbaar"]) == {"openbaar": None}  # not even for its own hub


async def test_every_reader_of_a_feed_gets_the_same_bytes(house, own, mind, national):
    await verified(own, visibility="public", workfields=MIND)
    async with house.client() as anyone:
        public = [(await client.get("/v1/feeds/openbaar")).content for client in (anyone, own, mind, national)]
    assert len(set(public)) == 1
    assert (await mind.get("/v1/feeds/mind")).content == (await national.get("/v1/feeds/mind")).content


async def test_an_umbrella_sees_its_own_forwarding_alone_on_what_is_not_public(own, mind, national):
    signal = await verified(own, visibility="network", workfields=[*MIND, *REST])
    mine = await newest(mind, "mind", signal["id"])
    assert [forwarding["umbrella"] for forwarding in mine["_knooppunt"]["forwardings"]] == ["mind"]
    all_ = await newest(national, "landelijk", signal["id"])
    assert len(all_["_knooppunt"]["forwardings"]) == 3
    assert signal["id"] not in (await mind.get("/v1/feeds/openbaar")).text


# How entries change


async def test_an_entry_changes_with_its_signal_and_comes_to_the_front(own, mind, national):
    first = await verified(own, visibility="public", workfields=MIND)
    await verified(own, visibility="public", workfields=MIND)
    await patch(own, first["id"], {"heardOn": "2026-02-27"})
    item = (await page(national, "openbaar"))["items"][0]
    known = item["_knooppunt"]
    assert (item["id"], known["heardOn"], known["version"]) == (f"urn:uuid:{first['id']}", "2026-02-27", 3)
    await answer(mind, first["id"], state="answered", response="Wij nemen dit mee.")
    item = (await page(mind, "mind"))["items"][0]
    assert item["_knooppunt"]["forwardings"][0]["response"] == "Wij nemen dit mee."
    assert item["_knooppunt"]["version"] == 4


async def test_what_is_narrowed_stays_for_who_may_see_it_and_is_a_tombstone_for_who_lost_it(own, national):
    signal = await verified(own, visibility="public", workfields=MIND, title="Straks niet meer te lezen")
    await patch(own, signal["id"], {"visibility": "network"})
    found = await states(national, signal["id"], ["openbaar", "landelijk", "mind"])
    assert found == {"openbaar": ("withdrawn", 3), "landelijk": ("present", 3), "mind": ("present", 3)}
    response = await national.get("/v1/feeds/openbaar", headers=PLAIN)
    entry = next(item for item in response.json()["items"] if item["id"] == f"urn:uuid:{signal['id']}")
    assert "Straks niet meer" not in response.text
    assert set(entry) == {"id", "title", "content_text", "date_modified", "language", "_knooppunt"}
    await patch(own, signal["id"], {"visibility": "public"})
    assert (await states(national, signal["id"], ["openbaar"]))["openbaar"] == ("present", 4)


async def test_a_signal_that_goes_to_another_umbrella_leaves_the_feed_of_the_first(own, mind, national):
    signal = await verified(own, visibility="public", workfields=MIND)
    changed = await patch(own, signal["id"], {"workfields": ["inclusie"]})
    assert changed.status_code == 200, changed.text
    found = await states(national, signal["id"])
    assert found["openbaar"] == found["landelijk"] == found["iederin"] == ("present", 3)
    assert found["mind"] == (await states(mind, signal["id"], ["mind"]))["mind"] == ("withdrawn", 3)


async def test_a_withdrawn_signal_and_a_purged_one_leave_nothing_of_their_text(house, own, national, owner_of):
    withdrawn = await verified(own, visibility="public", workfields=MIND, title="Deze wordt ingetrokken")
    purged = await verified(own, visibility="public", workfields=MIND, title="Deze wordt gewist")
    assert (await step(own, withdrawn["id"], "withdrawn", note="Dubbel")).status_code == 200
    await purge_signal(owner_of, purged["id"])
    for feed in ("openbaar", "landelijk", "mind"):
        for format_ in ("json", "atom", "cloudevents"):
            text = (await national.get(f"/v1/feeds/{feed}?format={format_}")).text
            assert "Deze wordt" not in text, (feed, format_)
            assert withdrawn["id"] in text
            assert purged["id"] in text
        assert (await newest(national, feed, withdrawn["id"]))["_knooppunt"]["state"] == "withdrawn"
        assert (await newest(national, feed, purged["id"]))["_knooppunt"]["state"] == "deleted"


@pytest.fixture
async def owner_of(house):
    connection = await asyncpg.connect(house.addresses.owner)
    await connection.execute("select set_config('app.role', 'system', false)")
    yield connection
    await connection.close()


async def test_a_change_that_is_under_way_is_not_shown_before_it_and_all_before_it_are_final(own, national, owner_of):
    """A reader who stops at the first entry that it knows must not miss one that came in below it later."""
    before = await verified(own, visibility="public")
    async with owner_of.transaction():
        await owner_of.execute("update signal set version = version + 1 where id = $1", before["id"])
        later = await verified(own, visibility="public")
        assert await newest(national, "openbaar", later["id"]) is None
    found = [item["id"] for item in (await page(national, "openbaar"))["items"][:2]]
    assert set(found) == {f"urn:uuid:{before['id']}", f"urn:uuid:{later['id']}"}


# Pages


@pytest.mark.parametrize("feed", ["openbaar", "landelijk", "mind"])
async def test_pages_lead_to_the_very_first_entry_and_each_signal_comes_once(own, national, feed):
    for _ in range(3):
        await verified(own, visibility="public", workfields=MIND)
    seen, address = [], f"/v1/feeds/{feed}?limit=37"
    while address:
        response = await national.get(address)
        found = response.json()
        assert found["items"]
        assert len(found["items"]) == 37 or "next_url" not in found
        seen += [item["id"] for item in found["items"]]
        address = found.get("next_url")
        assert (f'<{address}>; rel="next"' in response.headers["link"]) is (address is not None)
    assert len(seen) == len(set(seen))
    whole = (await page(national, feed, limit=200))["items"]
    assert [item["id"] for item in whole] == seen[:200]


async def test_the_public_feed_holds_all_that_is_public(house, national):
    async with house.client() as anyone:
        ids, address = set(), "/v1/signals?fields=id&limit=200"
        while address:
            found = (await anyone.get(address)).json()
            ids |= {f"urn:uuid:{item['id']}" for item in found["items"]}
            address = found["next"]
        held, address = set(), "/v1/feeds/openbaar?limit=200"
        while address:
            found = (await anyone.get(address)).json()
            held |= {item["id"] for item in found["items"] if item["_knooppunt"]["state"] == "present"}
            address = found.get("next_url")
    assert held == ids


@pytest.mark.parametrize("limit", ["0", "201", "x", "-1"])
async def test_a_page_has_a_size(national, limit):
    response = await national.get("/v1/feeds/openbaar", params={"limit": limit, "format": "rss"})
    assert response.status_code == 400
    assert {fault["location"] for fault in response.json()["errors"]} == {"limit", "format"}


async def test_a_cursor_opens_its_own_feed_alone(house, own, national, mind):
    await verified(own, visibility="public", workfields=MIND)
    await verified(own, visibility="public", workfields=MIND)
    found = await page(mind, "mind", limit=1)
    cursor = found["next_url"].partition("cursor=")[2]
    live = found["hubs"][0]["url"].partition("cursor=")[2]
    assert (await mind.get(f"/v1/feeds/mind?cursor={cursor}")).status_code == 200
    assert (await national.get(f"/v1/feeds/mind?cursor={cursor}")).status_code == 200
    for address in (
        f"openbaar?cursor={cursor}", f"mind?cursor={live}", f"mind?cursor={cursor}x", "mind?cursor=", "mind?cursor=a.b",
        f"mind/stream?cursor={cursor}", "mind/stream?cursor=x",
    ):  # fmt: skip
        response = await mind.get(f"/v1/feeds/{address}")
        assert response.status_code == 400, address
        assert response.json()["errors"][0]["location"] == "cursor"
    async with house.client() as anyone:
        assert (await anyone.get(f"/v1/feeds/mind?cursor={cursor}")).status_code == 404


async def test_a_feed_known_already_is_not_sent_again_until_it_changes(house, own):
    async with house.client() as anyone:
        for format_ in ("json", "atom", "cloudevents"):
            address = f"/v1/feeds/openbaar?format={format_}"
            tag = (await anyone.get(address, headers=PLAIN)).headers["etag"]
            await add(own)  # nothing of this feed
            again = await anyone.get(address, headers=PLAIN | {"if-none-match": tag})
            assert (again.status_code, again.content) == (304, b"")
            await verified(own, visibility="public")
            assert (await anyone.get(address, headers=PLAIN | {"if-none-match": tag})).status_code == 200
            head = await anyone.head(address, headers=PLAIN)
            whole = await anyone.get(address, headers=PLAIN)
            assert head.content == b""
            for name in ("etag", "link", "content-type", "content-length"):
                assert head.headers[name] == whole.headers[name], name


# Formats


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, "application/feed+json"), ("*/*", "application/feed+json"), ("application/json", "application/json"),
        ("application/feed+json", "application/feed+json"), ("application/atom+xml", "application/atom+xml"),
        ("application/cloudevents-batch+json", "application/cloudevents-batch+json"),
        ("text/html;q=0.9, application/atom+xml;q=0.5", "application/atom+xml"),
        ("application/atom+xml;q=0.4, application/feed+json;q=0.6", "application/feed+json"),
    ],
)  # fmt: skip
async def test_the_format_is_the_one_that_the_client_likes_best(national, accept, media):
    response = await national.get("/v1/feeds/openbaar", headers={"accept": accept} if accept else {})
    assert response.headers["content-type"] == media


async def test_a_format_that_is_not_there_is_406_and_one_in_the_address_goes_first(national):
    refused = await national.get("/v1/feeds/openbaar", headers={"accept": "application/rss+xml"})
    assert refused.status_code == 406
    assert "application/atom+xml" in refused.json()["detail"]
    for format_, media in (
        ("json", "application/feed+json"),
        ("atom", "application/atom+xml"),
        ("cloudevents", "application/cloudevents-batch+json"),
    ):
        found = await national.get(f"/v1/feeds/openbaar?format={format_}", headers={"accept": "*/*"})
        assert found.headers["content-type"] == media


async def test_json_feed_keeps_the_rules_of_its_specification(own, national):
    """Every member that version 1.1 names has the type it gives, and what is required is there."""
    await verified(own, visibility="public", description='Regel één\nRegel <twee> & "drie"')
    gone = await verified(own, visibility="public")
    await step(own, gone["id"], "withdrawn", note="Dubbel")
    feed = await page(national, "openbaar", limit=50)
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    for name in ("title", "home_page_url", "feed_url", "next_url", "language"):
        assert isinstance(feed.get(name, ""), str), name
    assert set(feed) <= {
        "version", "title", "home_page_url", "feed_url", "next_url", "language", "authors", "hubs", "items",
    }  # fmt: skip
    assert all(isinstance(hub["type"], str) and hub["url"].startswith("http") for hub in feed["hubs"])
    for item in feed["items"]:
        assert isinstance(item["id"], str)
        assert isinstance(item["content_text"], str)
        assert item["content_text"]
        assert set(item) - {"_knooppunt"} <= {
            "id", "url", "title", "content_text", "date_published", "date_modified", "authors", "tags", "language",
        }  # fmt: skip
        for name in ("date_published", "date_modified"):
            assert name not in item or RFC3339.fullmatch(item[name])
        assert all(isinstance(tag, str) for tag in item.get("tags", []))
        assert all({"name", "url", "avatar"} >= set(author) for author in item.get("authors", []))
    assert any(item["content_text"] == 'Regel één\nRegel <twee> & "drie"' for item in feed["items"])


async def test_an_entry_says_what_the_signal_says_and_its_address_leads_there(own, national):
    signal = await verified(own, visibility="public", workfields=MIND)
    entry = await newest(national, "openbaar", signal["id"])
    shown = (await national.get(entry["url"])).json()
    assert (entry["title"], entry["content_text"]) == (shown["title"], shown["description"])
    assert entry["tags"] == [theme["label"] for theme in shown["themes"]]
    assert entry["authors"][0]["name"] == shown["hub"]["name"]
    assert (entry["date_published"], entry["date_modified"]) == (shown["verifiedAt"], shown["updatedAt"])
    known = entry["_knooppunt"]
    for name in ("version", "kind", "status", "visibility", "heardOn"):
        assert known[name] == shown[name], name
    assert known["region"] == {name: shown["region"][name] for name in ("code", "scheme", "name")}
    assert known["workfields"] == [workfield["code"] for workfield in shown["workfields"]]
    english = await national.get("/v1/feeds/openbaar?limit=1", headers={"accept-language": "en"})
    assert english.json()["title"] == "Public signals of the participation hubs"
    assert english.json()["items"][0]["tags"] != entry["tags"]


async def test_feedparser_reads_the_atom_feed_page_after_page(own, national):
    text = 'Wie & wat <b>hier</b> "staat" ]]> é 🙂'
    signal = await verified(own, visibility="public", title="Titel & <i>meer</i>", description=text)
    gone = await verified(own, visibility="public")
    await step(own, gone["id"], "withdrawn", note="Dubbel")
    address, seen = "/v1/feeds/openbaar?format=atom&limit=60", []
    first = None
    while address:
        response = await national.get(address)
        parsed = feedparser.parse(response.content, response_headers={"content-type": response.headers["content-type"]})
        assert not parsed.bozo, parsed.get("bozo_exception")
        assert parsed.version == "atom10"
        first = first or parsed
        assert parsed.feed.id == first.feed.id
        seen += parsed.entries
        address = next((link.href for link in parsed.feed.links if link.rel == "next"), None)
    ids = [entry.id for entry in seen]
    assert len(ids) == len(set(ids)) > 60
    entries = {entry.id: entry for entry in seen}
    found = entries[f"urn:uuid:{signal['id']}"]
    assert found.content[0].type == "text/plain"
    assert found.content[0].value == text
    assert found.title == "Titel & <i>meer</i>"
    assert found.link.endswith(f"/v1/signals/{signal['id']}")
    assert [tag.term for tag in found.tags] == ["wachttijden"]
    removed = entries[f"urn:uuid:{gone['id']}"]
    assert (removed.title, [tag.term for tag in removed.tags]) == ("Ingetrokken signaal", ["withdrawn"])
    assert all(entry.updated_parsed for entry in seen)
    json_ids = [item["id"] for item in (await page(national, "openbaar", limit=60))["items"]]
    assert ids[:60] == json_ids


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1), st.text(min_size=1))
def test_whatever_the_text_the_atom_feed_can_be_read(title, text):
    moment = "2026-03-01T10:00:00.000Z"
    item = {
        "id": "urn:uuid:01890000-0000-7000-8000-000000000000", "url": 'http://a/b?c="d"&e', "title": title, "content_text": text,
        "date_published": moment, "date_modified": moment, "authors": [{"name": title, "url": "http://a/"}], "language": "nl",
        "_knooppunt": {"state": "present", "themes": [text]},
    }  # fmt: skip
    body = atom(text, "nl", {"self": "http://a/?x=1&y=2", "first": "http://a/"}, "http://a/v1/themes", [item])
    parsed = feedparser.parse(body)
    assert not parsed.bozo, parsed.get("bozo_exception")
    assert len(parsed.entries) == 1


async def test_the_cloudevents_sdk_reads_the_batch_and_events_are_thin(own, national):
    new = await verified(own, visibility="public", title="Geheim voor de envelop", workfields=MIND)
    changed = await verified(own, visibility="public", workfields=MIND)
    await patch(own, changed["id"], {"peopleCount": 4})
    gone = await verified(own, visibility="public", workfields=MIND)
    await step(own, gone["id"], "withdrawn", note="Dubbel")
    response = await national.get("/v1/feeds/openbaar?format=cloudevents")
    assert "Geheim" not in response.text
    events = {}
    for event in response.json():
        message = HTTPMessage({"content-type": "application/cloudevents+json"}, orjson.dumps(event))
        read = from_structured_event(message)
        events[read.get_subject()] = read
        assert len(orjson.dumps(event)) < 64 * 1024
        assert all(re.fullmatch("[a-z0-9]{1,20}", name) for name in event)
        assert read.get_source() == "urn:nld:knooppunt:feed:openbaar"
        assert isinstance(read.get_time(), datetime)
        assert read.get_extension("dataref").endswith(f"/v1/signals/{read.get_subject()}")
    types = [events[signal["id"]].get_type() for signal in (new, changed, gone)]
    assert types == [f"nl.knooppunt.signal.{name}" for name in ("verified", "changed", "withdrawn")]
    sequences = [event["sequence"] for event in response.json()]
    assert sequences == sorted(sequences, reverse=True)
    assert len({event["id"] for event in response.json()}) == len(sequences)


# Both doors


async def test_graphql_gives_the_same_feeds_and_refuses_in_the_same_words(house, own, mind):
    signal = await verified(own, visibility="network", workfields=MIND)
    gone = await verified(own, visibility="network", workfields=MIND)
    await step(own, gone["id"], "withdrawn", note="Dubbel")
    rest = await page(mind, "mind", limit=3)
    query = """query ($cursor: String) { feeds { code title } feed(code: "mind", first: 3, cursor: $cursor) { code title next
        entries { id state version updated published title text url hub kind status visibility heardOn themes workfields region
            forwardings { umbrella state respondBy response } } } }"""
    found = (await mind.post("/graphql", json={"query": query})).json()["data"]
    assert [feed["code"] for feed in found["feeds"]] == ["openbaar", "mind"]
    assert found["feed"]["title"] == rest["title"] == "Signalen voor MIND"
    assert rest["next_url"].endswith(found["feed"]["next"])
    first, second = found["feed"]["entries"][:2]
    assert (first["id"], first["state"], first["title"], first["forwardings"]) == (gone["id"], "withdrawn", None, None)
    assert (second["id"], second["text"], second["region"]) == (signal["id"], signal["description"], "GG2014")
    assert second["forwardings"] == rest["items"][1]["_knooppunt"]["forwardings"]
    older = (await mind.post("/graphql", json={"query": query, "variables": {"cursor": found["feed"]["next"]}})).json()
    assert older["data"]["feed"]["entries"][0]["id"] not in {entry["id"] for entry in found["feed"]["entries"]}
    async with house.client() as anyone:
        refused = (await anyone.post("/graphql", json={"query": '{ feed(code: "mind") { title } }'})).json()
        assert refused["errors"][0]["extensions"]["code"] == "not-found"
        wrong = (
            await anyone.post("/graphql", json={"query": '{ feed(code: "openbaar", first: 201) { title } }'})
        ).json()
        assert wrong["errors"][0]["extensions"]["code"] == "invalid-input"


# The stream


@pytest.fixture
async def served(house):
    async with serving(house.app) as found:
        yield found


async def events_of(client, address, enough, after=None):
    """Events of a stream as (cursor, item), until `enough` says so."""
    found, current = [], {}
    headers = {"last-event-id": after} if after else {}
    async with asyncio.timeout(20), client.stream("GET", address, headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        async for line in response.aiter_lines():
            name, _, value = line.partition(": ")
            if line and not line.startswith(":"):
                current[name] = value
            elif "data" in current:
                found.append((current["id"], json.loads(current["data"])))
                current = {}
                if enough(found):
                    return found
    raise AssertionError(found)


async def test_the_stream_goes_on_where_the_feed_ends_and_where_it_broke_off(house, served, own):
    async with served.client(house.tokens["umbrella"]) as mind:
        await verified(own, visibility="network", workfields=MIND)
        live = (await page(mind, "mind"))["hubs"][0]["url"]
        following = asyncio.create_task(events_of(mind, live, lambda found: len(found) == 2))
        other = await verified(own, visibility="network", workfields=["inclusie"])
        first = await verified(own, visibility="network", workfields=MIND)
        second = await verified(own, visibility="network", workfields=MIND)
        found = await following
        assert [item["id"] for _, item in found] == [f"urn:uuid:{signal['id']}" for signal in (first, second)]
        assert other["id"] not in str(found)
        assert found[0][1] == await newest(mind, "mind", first["id"])
        await step(own, second["id"], "withdrawn", note="Dubbel")
        (again,) = await events_of(mind, live, lambda found: bool(found), after=found[0][0])
        assert again[1]["_knooppunt"] == {"state": "withdrawn", "version": 3}


async def test_a_stream_without_cursor_tells_everything_first(house, served, own):
    last = await verified(own, visibility="public")
    async with served.client() as anyone:
        found = await events_of(
            anyone, "/v1/feeds/openbaar/stream", lambda found: found[-1][1]["id"] == f"urn:uuid:{last['id']}"
        )
        ids, address = [], "/v1/feeds/openbaar?limit=200"
        while address:
            part = (await anyone.get(address)).json()
            ids += [item["id"] for item in part["items"]]
            address = part.get("next_url")
    assert [item["id"] for _, item in found] == ids[::-1]


async def test_many_who_listen_without_a_token_cost_the_database_one_look(house, served, own, monkeypatch):
    feeds = house.app.fastapi.state.services.feeds
    await verified(own, visibility="public")
    looks = []
    row = feeds._database.row

    async def watched(sql, *args):
        looks.append(args)
        return await row(sql, *args)

    async with served.client() as anyone:
        live = (await page(anyone, "openbaar"))["hubs"][0]["url"]
        streams = [asyncio.create_task(events_of(anyone, live, lambda found: len(found) == 2)) for _ in range(30)]
        async with asyncio.timeout(20):
            while house.app.fastapi.state.services.horizon.waiting < 30:  # noqa: ASYNC110 - it sets no event
                await asyncio.sleep(0.01)
        monkeypatch.setattr(feeds._database, "row", watched)
        first = await verified(own, visibility="public")
        second = await verified(own, visibility="public")
        found = await asyncio.gather(*streams)
    assert {tuple(item["id"] for _, item in one) for one in found} == {
        (f"urn:uuid:{first['id']}", f"urn:uuid:{second['id']}")
    }
    assert len([args for args in looks if "openbaar" in args]) < 30


@pytest.fixture
async def alone(fresh, running):
    """A service on a database of its own, with an owner's connection: what others would notice."""
    place = await asyncio.to_thread(fresh, f"feeds_{letters()[:8]}")
    async with running(place) as house:
        owner = await asyncpg.connect(place.owner)
        await owner.execute("select set_config('app.role', 'system', false)")
        yield house, owner
        await owner.close()


async def held(client, feed):
    """All of a feed: id → state and version."""
    found, address = {}, f"/v1/feeds/{feed}?limit=200"
    while address:
        part = (await client.get(address)).json()
        found |= {item["id"]: item["_knooppunt"]["state"] for item in part["items"]}
        address = part.get("next_url")
    return found


async def test_a_shortened_log_gives_the_same_feeds_and_forgets_old_tombstones(alone):
    house, owner = alone
    async with house.client("own-hub") as own, house.client("national") as national:
        gone = await verified(own, visibility="public", workfields=MIND)
        old = (await page(national, "mind"))["hubs"][0]["url"]
        moved = await verified(own, visibility="public", workfields=MIND)
        await patch(own, moved["id"], {"workfields": ["inclusie"]})
        await own.delete(f"/v1/signals/{gone['id']}", headers={"if-match": "*"})
        before = {feed: await held(national, feed) for feed in FEEDS}
        assert before["mind"][f"urn:uuid:{moved['id']}"] == "withdrawn"
        assert (await compact(owner, 365)).superseded > 0
        assert {feed: await held(national, feed) for feed in FEEDS} == before
        assert (await national.head(old)).status_code == 200
        # A year later the deletion is forgotten: an old reader must begin anew, one who begins now need not.
        await owner.execute("update change set at = at - interval '400 days'")
        assert (await compact(owner, 365)).outlived > 0
        after = await held(national, "mind")
        assert after == {entry: state for entry, state in before["mind"].items() if state == "present"}
        refused = await national.get(old)
        assert (refused.status_code, refused.json()["code"]) == (410, "gone")
        live = (await page(national, "mind"))["hubs"][0]["url"]
        assert (await national.head(live)).status_code == 200


async def test_a_house_that_was_brought_back_refuses_the_cursors_of_before_in_its_streams(alone):
    house, owner = alone
    async with house.client() as anyone:
        live = (await page(anyone, "openbaar"))["hubs"][0]["url"]
        assert (await anyone.head(live)).status_code == 200
        await bump_epoch(owner)
        refused = await anyone.get(live)
        assert (refused.status_code, refused.json()["code"]) == (410, "new-epoch")
        fresh_one = (await page(anyone, "openbaar"))["hubs"][0]["url"]
        assert (await anyone.head(fresh_one)).status_code == 200


def test_what_a_feed_is_made_for_is_never_more_than_its_readers_may_see():
    assert feed_eyes("openbaar") == Actor()
    assert feed_eyes("mind") == Actor("umbrella", umbrella="mind")
    assert not may_read_feed(Actor("umbrella", umbrella="mind"), "landelijk")
    assert not may_read_feed(Actor("hub", hub="mind"), "mind")
