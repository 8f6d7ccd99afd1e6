"""Bad input of signals: each fault clear, all at once, personal data refused and repeated nowhere."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.signal_cases import a_signal, add, answer, codes, follow_up, patch, step, verified


@pytest.fixture
def house(writing_house):
    return writing_house


@pytest.fixture
async def own(as_):
    async with as_("own-hub") as client:
        yield client


TOMORROW = (date.today() + timedelta(days=2)).isoformat()


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({"kind": "klacht"}, {("kind", "unknown-code")}),
        ({"visibility": "iedereen"}, {("visibility", "unknown-code")}),
        ({"scale": "planeet"}, {("scale", "unknown-code")}),
        ({"themes": []}, {("themes", "required")}),
        ({"themes": ["wachttijden", "weer"]}, {("themes[1]", "unknown-code")}),
        ({"themes": [f"t{n}" for n in range(11)]}, {("themes", "too-many")}),
        ({"workfields": ["voetbal"]}, {("workfields[0]", "unknown-code")}),
        ({"groups": ["marsmannen"]}, {("groups[0]", "unknown-code")}),
        ({"channel": "postduif"}, {("channel", "unknown-code")}),
        ({"region": "GG9999"}, {("region", "unknown-code")}),
        ({"region": "GM0018", "heardOn": "2026-03-05"}, {("region", "unknown-code")}),
        ({"title": ""}, {("title", "required")}),
        ({"title": " \n\t"}, {("title", "required")}),
        ({"title": "x" * 201}, {("title", "too-long")}),
        ({"description": "é" * 50_000}, {("description", "too-long")}),
        ({"title": "bel\u0007"}, {("title", "control-character")}),
        ({"description": "a\u0085b\u009fc"}, {("description", "control-character")}),
        ({"heardOn": TOMORROW}, {("heardOn", "date-in-future")}),
        ({"heardOn": "2015-12-31"}, {("heardOn", "date-before-first-edition"), ("region", "unknown-code")}),
        ({"heardOn": 1_700_000_000}, {("heardOn", "invalid-date")}),
        ({"heardOn": "2026-02-30"}, {("heardOn", "invalid-date")}),
        ({"peopleCount": 0}, {("peopleCount", "out-of-range")}),
        ({"peopleCount": 10**15}, {("peopleCount", "out-of-range")}),
        ({"peopleCount": 1.5}, {("peopleCount", "invalid-number")}),
        ({"externalId": " "}, {("externalId", "invalid-value")}),
        ({"externalId": ""}, {("externalId", "invalid-value")}),
        ({"externalId": "a\u200bb"}, {("externalId", "invalid-value")}),
        ({"externalId": "regel\ntwee"}, {("externalId", "control-character")}),
        ({"externalId": "a\u0085b"}, {("externalId", "control-character")}),
        ({"externalId": "x" * 201}, {("externalId", "too-long")}),
        ({"externalId": 12}, {("externalId", "wrong-type")}),
        ({"colour": "red"}, {("colour", "unknown-field")}),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),
)
async def test_a_fault_is_told_where_it_is(own, changes, faults):
    response = await own.post("/v1/signals", json=a_signal(**changes))
    assert response.status_code == 400, response.text
    assert codes(response) == faults


async def test_a_region_of_the_day_it_was_heard_is_taken_though_it_is_gone_now(own):
    found = await add(own, region="GM0018", heardOn="2017-06-01")
    assert found["region"]["code"] == "GM0018"


async def test_a_change_is_checked_as_a_whole(own):
    found = await add(own, region="GM0018", heardOn="2017-06-01")
    assert codes(await patch(own, found["id"], {"heardOn": "2026-01-01"})) == {("region", "unknown-code")}
    assert codes(await patch(own, found["id"], {"title": "", "kind": "klacht"})) >= {("kind", "unknown-code")}


async def test_all_faults_come_at_once_and_nothing_refused_is_repeated(own):
    bad = a_signal(
        title="", description="Mail aan piet.puk@voorbeeld.nl", themes=["geheimwoord"], region="XX1", heardOn=TOMORROW,
        peopleCount=-3, groups=["geheimwoord"],
    )  # fmt: skip
    response = await own.post("/v1/signals", json=bad)
    assert codes(response) == {
        ("title", "required"), ("description", "personal-data"), ("themes[0]", "unknown-code"), ("region", "unknown-code"),
        ("heardOn", "date-in-future"), ("peopleCount", "out-of-range"), ("groups[0]", "unknown-code"),
    }  # fmt: skip
    for value in ("geheimwoord", "piet.puk", "XX1", TOMORROW):
        assert value not in response.text


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({"title": "", "themes": ["weer"], "colour": "rood", "heardOn": "2026-02-30", "region": "XX1", "kind": "klacht"},
         {("title", "required"), ("themes[0]", "unknown-code"), ("colour", "unknown-field"), ("heardOn", "invalid-date"),
          ("region", "unknown-code"), ("kind", "unknown-code")}),
        ({"peopleCount": 1.5, "externalId": "999990019", "groups": ["marsmannen"], "status": "nieuw"},
         {("peopleCount", "invalid-number"), ("externalId", "personal-data"), ("groups[0]", "unknown-code"),
          ("status", "unknown-code")}),
        ({"themes": "wachttijden", "description": "Bel 06-12345678", "channel": "postduif"},
         {("themes", "wrong-type"), ("description", "personal-data"), ("channel", "unknown-code")}),
    ],
    ids=["six kinds", "numbers", "lists"],
)  # fmt: skip
async def test_a_wrong_shape_does_not_hide_what_else_is_wrong(own, changes, faults):
    response = await own.post("/v1/signals", json=a_signal(**changes))
    assert response.status_code == 400
    assert codes(response) == faults
    assert len(response.json()["errors"]) == len(faults)


async def test_what_is_not_given_is_told_once_beside_the_rest(own):
    response = await own.post("/v1/signals", json={"description": "Bel 06-12345678", "heardOn": TOMORROW})
    assert codes(response) == {
        ("kind", "required"), ("title", "required"), ("themes", "required"), ("region", "required"),
        ("description", "personal-data"), ("heardOn", "date-in-future"),
    }  # fmt: skip
    assert len(response.json()["errors"]) == 6


async def test_a_wrong_header_hides_nothing_and_is_hidden_by_nothing(own):
    found = await add(own)
    changed = await patch(own, found["id"], {"title": "", "status": "closed", "themes": ["weer"]}, match="nonsense")
    assert changed.status_code == 400
    assert codes(changed) == {
        ("If-Match", "invalid-etag"), ("title", "required"), ("status", "read-only"), ("themes[0]", "unknown-code"),
    }  # fmt: skip
    assert codes(await patch(own, found["id"], {"peopleCount": 2}, match="nonsense")) == {("If-Match", "invalid-etag")}
    key = {"idempotency-key": "x" * 201}
    response = await own.post("/v1/signals", json=a_signal(title="", colour="rood"), headers=key)
    assert codes(response) == {("Idempotency-Key", "invalid-key"), ("title", "required"), ("colour", "unknown-field")}
    assert codes(await own.post("/v1/signals", json=a_signal(), headers=key)) == {("Idempotency-Key", "invalid-key")}
    assert (await own.get(f"/v1/signals/{found['id']}")).json() == found, "and nothing was written"


async def test_read_only_fields_and_wrong_ones_are_told_together(own):
    found = await add(own)
    response = await patch(own, found["id"], {"version": 7, "hub": "limburg", "visibility": None, "region": "XX1"})
    assert codes(response) >= {("version", "read-only"), ("hub", "read-only"), ("region", "unknown-code")}
    assert "visibility" in {location for location, _ in codes(response)}


async def test_a_bad_request_to_a_signal_that_is_not_ones_own_tells_no_more_than_its_shape(own, as_):
    public, draft = await verified(own, visibility="public"), await add(own)
    async with as_("other-hub") as other:
        for signal_id in (public["id"], draft["id"], "01890000-0000-7000-8000-000000000000"):
            response = await patch(other, signal_id, {"title": "", "colour": "rood"})
            assert (response.status_code, codes(response)) == (400, {("colour", "unknown-field")})


async def test_a_step_an_answer_and_a_follow_up_are_told_whole(own, as_):
    ready, shared = await add(own, status="submitted"), await verified(own, workfields=["psychische-kwetsbaarheid"])
    response = await step(
        own, ready["id"], "verzonden", note="Bel 06-12345678", recipients=["niemand"], reason="x\u0007", colour=1
    )
    assert codes(response) == {
        ("to", "unknown-code"), ("note", "personal-data"), ("recipients[0]", "unknown-code"),
        ("reason", "control-character"), ("colour", "unknown-field"),
    }  # fmt: skip
    response = await step(own, ready["id"], "verified", recipients=["niemand"], note="Mail a@voorbeeld.nl")
    assert codes(response) == {
        ("recipients[0]", "unknown-code"), ("reason", "required"), ("note", "personal-data"),
    }  # fmt: skip
    async with as_("umbrella") as mind:
        response = await answer(mind, shared["id"], state="weg", response="x\u0007", colour=1)
    assert codes(response) == {
        ("state", "unknown-code"),
        ("response", "control-character"),
        ("colour", "unknown-field"),
    }
    response = await follow_up(own, shared["id"], kind="feest", on=TOMORROW, summary="é" * 50_000)
    assert codes(response) == {("kind", "unknown-code"), ("on", "date-in-future"), ("summary", "too-long")}
    assert (await own.get(f"/v1/signals/{shared['id']}")).json()["version"] == 2


EXTERNAL = {
    "bsn": "999990019", "bsn with a word": "client-999990019", "iban": "NL91ABNA0417164300", "e-mail": "jan@voorbeeld.nl",
    "phone": "0612345678",
}  # fmt: skip


@pytest.mark.parametrize("kind", EXTERNAL)
async def test_an_external_id_is_nobodys_number_or_address(own, kind, caplog):
    response = await own.post("/v1/signals", json=a_signal(externalId=EXTERNAL[kind]))
    assert (response.status_code, codes(response)) == (400, {("externalId", "personal-data")})
    assert EXTERNAL[kind] not in response.text + caplog.text


@pytest.mark.parametrize(
    "name",
    ["2026-04711", "GR/2026/00012", "1", "20260311123", "Melding 12 (Haren)", "ZK-12-9711", "https://hub.example.nl/signalen/12",
     "f81d4fae-7dec-11d0-a765-999990019012", "F81D4FAE7DEC11D0A765999990019012", "x" * 200],
)  # fmt: skip
async def test_an_external_id_of_ones_own_system_is_kept_as_it_is(own, name):
    made = await add(own, externalId=name)
    assert made["externalId"] == name
    await own.delete(f"/v1/signals/{made['id']}", headers={"if-match": "*"})


PERSONAL = {
    "bsn": "Zijn BSN is 999990019.",
    "iban": "Betaald met NL91ABNA0417164300.",
    "email": "Mail naar jan.jansen@voorbeeld.nl graag.",
    "phone": "Bel haar op 06-12345678.",
    "address": "Zij woont op Dorpsstraat 12, 9711 AB Groningen.",
}
VALUES = ("999990019", "NL91ABNA0417164300", "jan.jansen", "12345678", "9711")


async def _every_free_text(own, mind, text):
    """A request for each free text there is, by the field that holds it."""
    draft, open_, done = await add(own), await add(own, status="submitted"), await verified(own)
    yield "title", await own.post("/v1/signals", json=a_signal(title=text))
    yield "description", await own.post("/v1/signals", json=a_signal(description=text))
    yield "title", await patch(own, draft["id"], {"title": text})
    yield "description", await patch(own, draft["id"], {"description": text})
    yield "note", await step(own, draft["id"], "submitted", note=text)
    yield "reason", await step(own, open_["id"], "verified", recipients=["mind"], reason=text)
    yield "response", await answer(mind, done["id"], state="answered", response=text)
    yield "summary", await follow_up(own, open_["id"], summary=text)
    organisation = {"name": text, "type": "overig", "side": "life-world"}
    yield "name", await own.post("/v1/organisations", json=organisation)


@pytest.mark.parametrize("kind", PERSONAL)
async def test_personal_data_is_refused_in_every_free_text_and_repeated_nowhere(own, as_, kind, capfd, caplog):
    async with as_("umbrella") as mind, as_("national") as national:
        requests = [pair async for pair in _every_free_text(own, mind, PERSONAL[kind])]
        hub = {"slug": "hub-met-naam", "name": PERSONAL[kind], "area": {"from": "2024-01-01", "plus": ["GM0637"]}}
        requests.append(("name", await national.post("/v1/hubs", json=hub)))
    for field, response in requests:
        assert response.status_code == 400, (field, response.text)
        assert codes(response) == {(field, "personal-data")}
        assert "at characters" in response.json()["errors"][0]["detail"]
    told = "".join(response.text for _, response in requests) + caplog.text + "".join(capfd.readouterr())
    assert not [value for value in VALUES if value in told]


async def test_personal_data_is_refused_over_graphql_too(own):
    query = "mutation($s: NewSignal!) { createSignal(signal: $s) { signal { id } } }"
    for text in PERSONAL.values():
        response = await own.post("/graphql", json={"query": query, "variables": {"s": a_signal(description=text)}})
        (error,) = response.json()["errors"]
        assert [fault["code"] for fault in error["extensions"]["errors"]] == ["personal-data"]
        assert not [value for value in VALUES if value in response.text]


async def test_years_amounts_and_areas_are_no_personal_data(own):
    await add(own, description="In 2024 betaalden 120 mensen uit 9711 samen 1.250 euro, van de 17.000.000.")


@pytest.mark.parametrize(
    ("query", "location"),
    [
        ("theme=weer", "theme"), ("hub=nergens", "hub"), ("workfield=voetbal", "workfield"), ("region=GG9999", "region"),
        ("kind=klacht", "kind"), ("status=af", "status"), ("visibility=x", "visibility"), ("updatedSince=gisteren", "updatedSince"),
        ("updatedSince=2026-01-01T00:00:00", "updatedSince"), ("q=", "q"), ("q=%21%3F", "q"), ("sort=title", "sort"), ("limit=0", "limit"),
        ("colour=red", "colour"), ("cursor=abc.def", "cursor"), ("asOf=2010-01-01", "asOf"), ("fields=geheim", "fields"),
    ],
)  # fmt: skip
async def test_a_question_that_cannot_be_answered_is_refused_in_words(api, query, location):
    response = await api.get(f"/v1/signals?{query}")
    assert response.status_code == 400, response.text
    assert {fault["location"] for fault in response.json()["errors"]} == {location}


async def test_cross_cutting_is_a_question_of_its_own_also_where_nothing_is_found(api):
    response = await api.get("/v1/signals?workfield=werkveldoverstijgend&status=draft")
    assert (response.status_code, response.json()["items"]) == (200, [])


async def test_a_graphql_time_without_a_zone_is_told(own):
    query = '{ signals(filter: {updatedSince: "2026-01-01T00:00:00"}) { nodes { id } } }'
    response = await own.post("/graphql", json={"query": query})
    assert "nodes" in response.text or response.json()["errors"][0]["extensions"]["code"] != "internal-error"


@pytest.mark.parametrize("address", ["/v1/signals/1", "/v1/signals/x/history", "/v1/signals/x/similar"])
async def test_an_id_is_a_uuid(api, address):
    assert codes(await api.get(address)) == {("id", "invalid-id")}
