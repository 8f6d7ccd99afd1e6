"""The life of a signal after it was added: transitions, umbrellas and their answers, follow-ups, closing, history."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

import pytest

from app.domain.signal_rules import TRANSITIONS
from tests.signal_cases import PLAIN, add, answer, codes, follow_up, letters, patch, step, verified


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


async def brought_to(own, status):
    """A signal in this status."""
    found = await add(
        own, status="draft" if status == "draft" else "submitted", workfields=["psychische-kwetsbaarheid"]
    )
    if status in ("verified", "closed"):
        await step(own, found["id"], "verified")
    if status == "closed":
        await follow_up(own, found["id"])
    if status in ("closed", "withdrawn"):
        assert (await step(own, found["id"], status)).status_code == 200
    return found["id"]


@pytest.mark.parametrize("present", TRANSITIONS)
async def test_from_each_status_a_signal_goes_only_where_it_may_and_a_refusal_names_that(own, present):
    allowed = {
        "draft": {"submitted", "withdrawn"},
        "submitted": {"verified", "withdrawn"},
        "verified": {"closed", "withdrawn"},
    }
    for to in TRANSITIONS:
        signal_id = await brought_to(own, present)
        if present == "verified":
            await follow_up(own, signal_id)
        response = await step(own, signal_id, to)
        if to in allowed.get(present, ()):
            assert (response.status_code, response.json()["status"]) == (200, to)
        else:
            assert (response.status_code, response.json()["code"]) == (409, "transition-not-allowed")
            assert set(response.json()["allowed"]) == allowed.get(present, set())


async def test_an_unknown_status_and_what_does_not_fit_the_step_are_refused(own):
    found = await add(own, status="submitted")
    assert codes(await step(own, found["id"], "afgehandeld")) == {("to", "unknown-code")}
    response = await step(own, found["id"], "withdrawn", recipients=["mind"], reason="Omdat.", note="a\u0007b")
    assert codes(response) == {("recipients", "not-applicable"), ("note", "control-character")}
    assert codes(await step(own, found["id"], "verified", reason="Zomaar.")) == {("reason", "not-applicable")}


# Forwarding


@pytest.mark.parametrize(
    ("changes", "umbrellas"),
    [
        ({"workfields": ["psychische-kwetsbaarheid"]}, ["mind"]),
        ({"workfields": ["inclusie", "medische-zorg"]}, ["iederin", "patientenfederatie"]),
        ({"themes": ["stigma"]}, ["mind"]),
        ({"themes": ["wachttijden"]}, ["iederin", "mind", "patientenfederatie"]),
        ({"themes": ["stigma"], "workfields": []}, ["iederin", "mind", "patientenfederatie"]),
        ({"visibility": "hub"}, []),
    ],
)
async def test_verification_forwards_to_the_umbrellas_concerned_with_six_weeks_to_respond(own, changes, umbrellas):
    found = await verified(own, **changes)
    assert sorted(f["umbrella"]["code"] for f in found["forwardings"]) == umbrellas
    assert (found["status"], found["version"]) == ("verified", 2)
    assert found["verifiedAt"]
    for item in found["forwardings"]:
        assert (item["state"], item["response"], item["overdue"], item["reason"]) == ("forwarded", None, False, None)
        term = date.fromisoformat(item["respondBy"]) - date.fromisoformat(item["forwardedAt"][:10])
        assert timedelta(days=41) <= term <= timedelta(days=43)


async def test_the_hub_sends_it_elsewhere_and_says_why(own):
    found = await add(own, status="submitted", workfields=["inclusie"])
    refused = await step(own, found["id"], "verified", recipients=["mind", "nergens"])
    assert codes(refused) == {("recipients[1]", "unknown-code"), ("reason", "required")}
    done = await step(own, found["id"], "verified", recipients=["mind", "mind"], reason="Het gaat over stigma.")
    assert [(f["umbrella"]["code"], f["reason"]) for f in done.json()["forwardings"]] == [
        ("mind", "Het gaat over stigma.")
    ]


async def test_a_signal_opened_after_verification_is_forwarded_then(own, mind):
    found = await verified(own, visibility="hub", workfields=["psychische-kwetsbaarheid"])
    assert (await mind.get(f"/v1/signals/{found['id']}")).status_code == 404
    after = (await patch(own, found["id"], {"visibility": "network"})).json()
    assert [f["umbrella"]["code"] for f in after["forwardings"]] == ["mind"]
    assert (await mind.get(f"/v1/signals/{found['id']}")).status_code == 200


async def test_a_verified_signal_that_concerns_others_now_is_forwarded_to_them(own, mind):
    found = await verified(own, workfields=["psychische-kwetsbaarheid"])
    after = (await patch(own, found["id"], {"workfields": ["inclusie"]})).json()
    assert [f["umbrella"]["code"] for f in after["forwardings"]] == ["iederin"]
    assert (await mind.get(f"/v1/signals/{found['id']}")).status_code == 404


async def test_verified_anew_it_goes_to_whom_it_concerns_now_and_who_answered_keeps_it(own, mind):
    found = await verified(own, workfields=["psychische-kwetsbaarheid", "medische-zorg"])
    await answer(mind, found["id"], state="answered", response="Wij pakken dit op.")
    await patch(own, found["id"], {"title": f"Nieuwe woorden {letters()}"})
    assert (await mind.get(f"/v1/signals/{found['id']}")).status_code == 404
    await patch(own, found["id"], {"workfields": ["inclusie"]})
    again = (await step(own, found["id"], "verified")).json()
    assert {f["umbrella"]["code"]: f["state"] for f in again["forwardings"]} == {
        "mind": "answered",
        "iederin": "forwarded",
    }
    assert (await mind.get(f"/v1/signals/{found['id']}")).json()["forwardings"][0]["response"] == "Wij pakken dit op."


# Answers


async def test_an_umbrella_answers_and_the_hub_reads_it(own, mind):
    found = await verified(own)
    version = found["version"]
    for content in (
        {"state": "acknowledged"}, {"state": "on-agenda"}, {"state": "answered", "response": "Besproken met de minister."},
    ):  # fmt: skip
        response = await answer(mind, found["id"], **content, match=f'"{version}"')
        version += 1
        assert (response.status_code, response.json()["version"]) == (200, version)
        assert [f["umbrella"]["code"] for f in response.json()["forwardings"]] == ["mind"]
    read = (await own.get(f"/v1/signals/{found['id']}")).json()
    (mine,) = [f for f in read["forwardings"] if f["umbrella"]["code"] == "mind"]
    assert (mine["state"], mine["response"]) == ("answered", "Besproken met de minister.")
    assert mine["respondedAt"]
    assert read["updatedAt"] > found["updatedAt"]


async def test_the_same_answer_again_is_no_new_version_and_blocks_nothing_after_it(own, mind):
    found = await verified(own)
    first = await answer(mind, found["id"], state="acknowledged")
    again = await answer(mind, found["id"], state="acknowledged")
    assert again.json()["version"] == first.json()["version"] == 3
    assert (await patch(own, found["id"], {"peopleCount": 4})).json()["version"] == 4


@pytest.mark.parametrize("state", ["answered", "declined"])
@pytest.mark.parametrize("response", [None, "", "  \n"])
async def test_an_answer_and_a_refusal_come_with_words(own, mind, state, response):
    found = await verified(own)
    assert codes(await answer(mind, found["id"], state=state, response=response)) == {("response", "required")}


async def test_an_answer_is_checked_whole(own, mind):
    found = await verified(own)
    assert codes(await answer(mind, found["id"], state="forwarded", response="x" * 10_001)) == {
        ("state", "unknown-code"), ("response", "too-long"),
    }  # fmt: skip
    assert (await answer(mind, found["id"], match=None, state="acknowledged")).status_code == 428
    stale = await answer(mind, found["id"], match='"1"', state="acknowledged")
    assert (stale.status_code, stale.json()["currentETag"]) == (
        412,
        (await mind.get(f"/v1/signals/{found['id']}", headers=PLAIN)).headers["etag"],
    )


async def test_an_umbrella_answers_for_itself_alone(own, mind, as_):
    network, elsewhere = await verified(own), await verified(own, workfields=["inclusie"])
    public = await verified(own, workfields=["inclusie"], visibility="public")
    draft = await add(own)
    assert (await answer(mind, network["id"], "iederin", state="acknowledged")).status_code == 403
    assert (await answer(mind, public["id"], "iederin", state="acknowledged")).status_code == 403
    assert (await answer(mind, public["id"], "mind", state="acknowledged")).status_code == 404
    for found in (elsewhere, draft):
        for umbrella in ("mind", "iederin"):
            assert (await answer(mind, found["id"], umbrella, state="acknowledged")).status_code == 404
    for who in ("own-hub", "other-hub", "national"):
        async with as_(who) as client:
            assert (await answer(client, network["id"], state="acknowledged")).status_code == 403
    async with as_("admin") as client:
        assert (await answer(client, network["id"], state="acknowledged")).status_code == 404


async def test_a_withdrawn_signal_is_answered_no_more(own, mind):
    found = await verified(own)
    await step(own, found["id"], "withdrawn")
    assert (await answer(mind, found["id"], state="acknowledged")).status_code == 404


# Follow-ups and closing


async def test_a_signal_is_closed_when_something_was_done_with_it(own, mind):
    first, second = await verified(own), await verified(own)
    assert (await step(own, first["id"], "closed")).json()["code"] == "follow-up-needed"
    done = (await follow_up(own, first["id"], public=True)).json()
    assert [(f["kind"], f["public"], f["on"]) for f in done["followUps"]] == [("meeting", True, "2026-04-01")]
    assert (await step(own, first["id"], "closed")).json()["status"] == "closed"
    await answer(mind, second["id"], state="on-agenda")
    assert (await step(own, second["id"], "closed")).status_code == 409
    await answer(mind, second["id"], state="answered", response="Gedaan.")
    assert (await step(own, second["id"], "closed")).status_code == 200


async def test_a_follow_up_is_checked_and_needs_a_signal_that_was_handed_in(own):
    draft, found = await add(own), await add(own, status="submitted")
    assert (await follow_up(own, draft["id"])).json()["code"] == "follow-up-not-allowed"
    future = (date.today() + timedelta(days=3)).isoformat()
    assert codes(await follow_up(own, found["id"], on=future, summary=" ")) == {
        ("on", "date-in-future"), ("summary", "required"),
    }  # fmt: skip
    assert codes(await follow_up(own, found["id"], kind="borrel")) == {("kind", "unknown-code")}
    assert (await follow_up(own, found["id"], match=None)).status_code == 428
    assert (await follow_up(own, found["id"], match='"9"')).status_code == 412


# History


async def test_history_tells_who_changed_what_from_what_to_what(own, mind):
    found = await add(own, status="submitted", workfields=["psychische-kwetsbaarheid"], peopleCount=2)
    address = f"/v1/signals/{found['id']}"
    await patch(own, found["id"], {"peopleCount": 5, "themes": ["stigma"], "workfields": []})
    await step(own, found["id"], "verified", note="Gecontroleerd.")
    await answer(mind, found["id"], state="answered", response="Dank.")
    await follow_up(own, found["id"])
    await step(own, found["id"], "closed")
    await own.delete(address, headers={"if-match": "*"})
    lines = (await own.get(f"{address}/history")).json()["items"]
    assert [(line["version"], line["action"], line["role"], line["hub"], line["umbrella"]) for line in lines] == [
        (1, "created", "hub", "groningen", None), (2, "changed", "hub", "groningen", None),
        (3, "verified", "hub", "groningen", None), (4, "forwarding", "umbrella", None, "mind"),
        (5, "follow-up", "hub", "groningen", None), (6, "closed", "hub", "groningen", None),
        (7, "deleted", "hub", "groningen", None),
    ]  # fmt: skip
    created, changed, check, answered, done, closed, _ = (line["changes"] for line in lines)
    assert created["title"] == [None, found["title"]]
    assert created["region"] == [None, "GG2014"]
    assert changed.pop("workfields")[0] == ["psychische-kwetsbaarheid"]
    assert changed == {
        "peopleCount": [2, 5], "themes": [["wachttijden"], ["stigma"]], "workfieldsSource": ["given", "cross-cutting"],
    }  # fmt: skip
    assert check["status"] == ["submitted", "verified"]
    assert lines[2]["note"] == "Gecontroleerd."
    assert answered == {
        "forwardings.mind.state": ["forwarded", "answered"],
        "forwardings.mind.response": [None, "Dank."],
    }
    assert done["followUps"][1]["summary"] == "Besproken met de huisartsen."
    assert closed == {"status": ["verified", "closed"]}
    pages = (await own.get(f"{address}/history?limit=3")).json()
    assert len((await own.get(pages["next"])).json()["items"]) == 3


@pytest.mark.parametrize("who", ["other-hub", "umbrella", "national", "admin", "outsider"])
async def test_history_is_for_its_own_hub(own, as_, who):
    found = await verified(own, visibility="public")
    async with as_(who) as client:
        for headers in ({}, {"if-none-match": "*"}):
            assert (await client.get(f"/v1/signals/{found['id']}/history", headers=headers)).status_code == 404
        expanded = (await client.get(f"/v1/signals/{found['id']}?expand=history")).json()
        assert expanded["history"] == []


# At once


async def test_an_answer_and_an_edit_at_once_both_count_or_one_is_told(own, mind, as_):
    for _ in range(5):
        found = await verified(own)
        answers = await asyncio.gather(
            answer(mind, found["id"], state="acknowledged", match='"2"'),
            patch(own, found["id"], {"visibility": "public"}, match='"2"'),
            patch(own, found["id"], {"title": f"Anders gezegd {letters()}"}, match='"2"'),
        )
        assert sorted(response.status_code for response in answers) in ([200, 412, 412], [200, 404, 412])
    found = await verified(own)
    answers = await asyncio.gather(
        *(answer(mind, found["id"], state=state) for state in ("acknowledged", "on-agenda") * 5),
        *(patch(own, found["id"], {"visibility": way}) for way in ("public", "network") * 5),
    )
    assert {response.status_code for response in answers} == {200}
    history = (await own.get(f"/v1/signals/{found['id']}/history")).json()["items"]
    version = (await own.get(f"/v1/signals/{found['id']}")).json()["version"]
    assert [line["version"] for line in history] == list(range(1, version + 1))
