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
