"""Questions through REST: their life, levels, parts, hubs and signals."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from tests import signal_cases
from tests.question_cases import OUTCOME, STEPS, a_question, add, brought_to, patch, put, put_bare, step
from tests.signal_cases import NOBODY, PLAIN, codes, letters


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


def labels(items):
    return [item["code"] for item in items]


# Create


async def test_a_question_is_shown_as_it_was_sent_with_its_references_named(own):
    sent = a_question(
        origin="life-world", scope="specific", regions=["GG2014", "PV20"], workfields=["medische-zorg"],
        methods=["focusgroep", "enquete"], compensation={"offered": True, "what": "Reiskosten en een cadeaubon."},
        period={"from": "2026-03-01", "to": "2026-09-30"}, requestedOn="2026-02-01", externalId=letters(),
        levels={"intended": "meewerken", "agreed": "raadplegen", "explanation": "Er was te weinig tijd."},
    )  # fmt: skip
    response = await own.post("/v1/questions", json=sent)
    assert response.status_code == 201, response.text
    found = response.json()
    assert response.headers["location"].endswith(f"/v1/questions/{found['id']}")
    assert (await own.get(f"/v1/questions/{found['id']}")).json() == found
    for name in ("title", "description", "origin", "scope", "compensation", "period", "requestedOn", "externalId"):
        assert found[name] == sent[name], name
    assert found["hub"] == {"slug": "groningen", "name": "Groningen"}
    assert found["hubs"] == [found["hub"]]
    assert labels(found["regions"]) == ["GG2014", "PV20"]
    assert sorted(labels(found["methods"])) == ["enquete", "focusgroep"]
    assert (labels(found["workfields"]), found["workfieldsSource"]) == (["medische-zorg"], "given")
    assert (found["status"], found["version"], found["visibility"], found["openedAt"]) == ("draft", 1, "network", None)
    levels = found["levels"]
    assert levels["ladder"]["code"] == "landelijk"
    assert (levels["intended"]["code"], levels["intended"]["label"], levels["intended"]["rank"]) == (
        "meewerken", "Meewerken (cocreatie)", 3,
    )  # fmt: skip
    assert levels["agreed"]["setBy"]["slug"] == "groningen"
    assert levels["achieved"] is None
    assert found["matrix"]["cells"] == []
    assert labels(found["matrix"]["phases"]) == ["voorbereiding", "uitvoering", "implementatie"]
    assert found["balance"]["state"] == "unknown"
    assert found["outcome"] is None


async def test_a_key_makes_one_question(own):
    new, headers = a_question(), {"idempotency-key": f'"{uuid.uuid4()}"'}
    first = await own.post("/v1/questions", json=new, headers=headers)
    again = await own.post("/v1/questions", json=new, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert (await own.post("/v1/questions", json=a_question(), headers=headers)).status_code == 422


async def test_an_external_id_is_used_once_in_a_hub(own, other):
    name = letters()
    await add(own, externalId=name)
    assert (await own.post("/v1/questions", json=a_question(externalId=name))).status_code == 409
    await add(other, externalId=name)


@pytest.mark.parametrize("status", ["recruiting", "in-progress", "concluded", "followed-up", "cancelled"])
async def test_a_question_begins_as_draft_or_open(own, status):
    response = await own.post("/v1/questions", json=a_question(status=status))
    assert (response.status_code, response.json()["allowed"]) == (409, ["draft", "open"])


@pytest.mark.parametrize("who", ["umbrella", "national", "admin"])
async def test_only_a_hub_adds_questions(as_, who):
    async with as_(who) as client:
        assert (await client.post("/v1/questions", json=a_question())).status_code == 403


# Life


async def test_a_question_lives_from_draft_to_followed_up(own):
    found = await brought_to(own, "followed-up")
    assert (found["status"], found["levels"]["achieved"]["code"]) == ("followed-up", "raadplegen")
    assert found["openedAt"] is not None
    assert found["concludedAt"] is not None
    history = (await own.get(f"/v1/questions/{found['id']}/history")).json()["items"]
    assert [line["action"] for line in history] == [
        "created", "open", "recruiting", "in-progress", "outcome", "concluded", "changed", "followed-up",
    ]  # fmt: skip
    assert [line["version"] for line in history] == list(range(1, 9))


@pytest.mark.parametrize("status", ["draft", *STEPS, "cancelled"])
async def test_a_step_that_is_not_allowed_names_those_that_are(own, status):
    allowed = {
        "draft": ["open", "cancelled"], "open": ["recruiting", "cancelled"], "recruiting": ["in-progress", "cancelled"],
        "in-progress": ["concluded", "cancelled"], "concluded": ["followed-up"], "followed-up": [], "cancelled": [],
    }  # fmt: skip
    if status in STEPS:
        found = await brought_to(own, status)
    else:
        found = await add(own)
        if status == "cancelled":
            assert (await step(own, found["id"], "cancelled")).status_code == 200
    for to in allowed:
        if to not in allowed[status]:
            response = await step(own, found["id"], to)
            assert response.status_code == 409, (status, to)
            assert response.json()["code"] == "transition-not-allowed"
            assert response.json()["allowed"] == allowed[status]


async def test_concluding_without_an_outcome_is_refused_and_following_up_without_a_level_too(own):
    found = await brought_to(own, "in-progress")
    response = await step(own, found["id"], "concluded")
    assert (response.status_code, response.json()["code"]) == (409, "outcome-needed")
    found = await brought_to(own, "concluded")
    response = await step(own, found["id"], "followed-up")
    assert (response.status_code, response.json()["code"]) == (409, "achieved-needed")


async def test_a_cancelled_question_does_not_change_any_more(own):
    found = await add(own)
    await step(own, found["id"], "cancelled")
    for response in (
        await patch(own, found["id"], {"title": "Toch anders"}),
        await put(own, found["id"], "mix", {"groups": [{"group": "jongeren", "wanted": 2}]}),
        await put(own, found["id"], "matrix", {"cells": [{"phase": "uitvoering", "role": "adviseur"}]}),
    ):
        assert (response.status_code, response.json()["code"]) == (409, "question-ended")


# Levels


async def test_an_own_ladder_is_shown_next_to_the_national_one(own):
    found = await add(own, levels={"ladder": "arnstein", "intended": "arnstein-gedelegeerde-macht"})
    assert found["levels"]["ladder"]["code"] == "arnstein"
    intended = found["levels"]["intended"]
    assert (intended["code"], intended["rung"]["code"]) == ("meebeslissen", "arnstein-gedelegeerde-macht")
    ladders = (await own.get("/v1/participation-ladders")).json()["items"]
    assert {ladder["code"]: len(ladder["rungs"]) for ladder in ladders} == {
        "landelijk": 0, "arnstein": 8, "edelenbos-monnikhof": 5,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("levels", "faults"),
    [
        ({"intended": "meepraten"}, {("levels.intended", "unknown-code")}),
        ({"ladder": "touwladder"}, {("levels.ladder", "unknown-code")}),
        ({"ladder": "arnstein", "intended": "meewerken"}, {("levels.intended", "unknown-code")}),
        ({"intended": "arnstein-therapie"}, {("levels.intended", "unknown-code")}),
        ({"agreed": "raadplegen"}, {("levels.agreed", "intended-needed")}),
        ({"intended": "meewerken", "agreed": "raadplegen"}, {("levels.explanation", "required")}),
        ({"intended": "meewerken", "confirmed": True}, {("levels.confirmed", "agreed-needed")}),
        ({"intended": "meewerken", "explanation": "Bel 06-12345678"}, {("levels.explanation", "personal-data")}),
        ({"hoogte": 3}, {("levels.hoogte", "unknown-field")}),
    ],
    ids=str,
)
async def test_a_fault_in_the_levels_is_told_where_it_is(own, levels, faults):
    response = await own.post("/v1/questions", json=a_question(levels=levels))
    assert response.status_code == 400, response.text
    assert codes(response) == faults


async def test_what_was_achieved_is_known_after_the_conclusion_and_promises_do_not_change_then(own):
    found = await brought_to(own, "in-progress")
    early = await patch(own, found["id"], {"levels": {"achieved": "meewerken"}})
    assert (early.status_code, early.json()["code"]) == (409, "achieved-too-early")
    found = await brought_to(own, "concluded")
    late = await patch(own, found["id"], {"levels": {"agreed": "regie-voeren"}})
    assert (late.status_code, late.json()["code"]) == (409, "promise-fixed")
    done = await patch(own, found["id"], {"levels": {"achieved": "meewerken"}})
    assert done.json()["levels"]["achieved"]["code"] == "meewerken"
    assert done.json()["levels"]["agreed"] == found["levels"]["agreed"]


async def test_a_new_agreement_asks_for_confirmation_anew(own):
    found = await add(own, levels={"intended": "raadplegen", "agreed": "raadplegen", "confirmed": True})
    assert found["levels"]["confirmed"] is True
    same = (await patch(own, found["id"], {"levels": {"agreed": "raadplegen"}})).json()
    assert (same["levels"]["confirmed"], same["version"]) == (True, 1)
    after = (await patch(own, found["id"], {"levels": {"agreed": "meewerken"}})).json()
    assert after["levels"]["confirmed"] is False


# Parts


CELLS = [
    {"phase": "voorbereiding", "role": "meedenker", "activity": "Huiskamergesprekken", "groups": ["ouderenbond"]},
    {"phase": "uitvoering", "role": "partner", "activity": "Ontwerpen", "groups": ["zorgcooperatie", "mantelzorgers"],
     "on": "2026-05-01", "realised": True},
    {"phase": "implementatie", "role": "toehoorder", "heldByHub": True},
]  # fmt: skip


async def test_a_matrix_is_shown_with_its_phases_roles_and_groups_named(own):
    found = await add(own)
    done = await put(own, found["id"], "matrix", {"cells": CELLS})
    assert done.status_code == 200, done.text
    cells = done.json()["matrix"]["cells"]
    assert [(cell["phase"]["label"], cell["role"]["code"], cell["realised"], cell["heldByHub"], cell["on"]) for cell in cells] == [
        ("Voorbereiding", "meedenker", False, False, None), ("Uitvoering", "partner", True, False, "2026-05-01"),
        ("Implementatie", "toehoorder", False, True, None),
    ]  # fmt: skip
    assert labels(cells[1]["groups"]) == ["zorgcooperatie", "mantelzorgers"]
    english = await own.get(f"/v1/questions/{found['id']}/matrix", headers={"accept-language": "en"})
    assert english.json()["cells"][0]["phase"]["label"] == "Preparation"


async def test_a_question_may_name_phases_of_its_own(own):
    found = await add(own)
    phases = [{"code": "verkenning", "label": "Verkenning"}, {"code": "keuze", "label": "Keuze"}]
    cells = [{"phase": "keuze", "role": "beslisser", "activity": "Stemmen"}]
    done = (await put(own, found["id"], "matrix", {"phases": phases, "cells": cells})).json()
    assert done["matrix"]["phases"] == phases
    assert done["matrix"]["cells"][0]["phase"] == phases[1]
    refused = await put(
        own, found["id"], "matrix", {"phases": phases, "cells": [{"phase": "uitvoering", "role": "partner"}]}
    )
    assert codes(refused) == {("cells[0].phase", "unknown-code")}


@pytest.mark.parametrize(
    ("content", "faults"),
    [
        ({"cells": [{"phase": "uitvoering", "role": "keizer"}]}, {("cells[0].role", "unknown-code")}),
        ({"cells": [{"phase": "nooit", "role": "partner", "groups": ["marsmannen"]}]},
         {("cells[0].phase", "unknown-code"), ("cells[0].groups[0]", "unknown-code")}),
        ({"cells": [CELLS[0], CELLS[1], CELLS[0]]}, {("cells[2]", "repeated")}),
        ({"cells": [{"phase": "uitvoering", "role": "partner", "activity": "Mail naar a.b@voorbeeld.nl"}]},
         {("cells[0].activity", "personal-data")}),
        ({"phases": [{"code": "A b", "label": ""}], "cells": []},
         {("phases[0].code", "wrong-form"), ("phases[0].label", "required")}),
        ({"phases": [{"code": "a", "label": "A"}, {"code": "a", "label": "B"}], "cells": []},
         {("phases[1].code", "repeated")}),
        ({"cells": [{"phase": "uitvoering", "role": "partner", "realised": "ja"}]}, {("cells[0].realised", "wrong-type")}),
        ({"cells": [{"phase": "uitvoering", "role": "partner"}] * 101}, {("cells", "too-many")}),
        ({}, {("cells", "required")}),
    ],
    ids=["role", "phase and group", "twice", "personal data", "phase", "phase twice", "truth", "many", "nothing"],
)  # fmt: skip
async def test_a_fault_in_the_matrix_is_told_where_it_is(own, content, faults):
    found = await add(own)
    response = await put(own, found["id"], "matrix", content)
    assert response.status_code == 400, response.text
    assert codes(response) == faults
    assert "voorbeeld.nl" not in response.text


async def test_the_matrix_comes_as_a_table_that_can_be_heard_and_as_csv(own):
    found = await add(own, title="Wachten <op> & zorg")
    cells = [CELLS[0] | {"activity": "=1+1 <b>"}, CELLS[1]]
    await put(own, found["id"], "matrix", {"cells": cells})
    address = f"/v1/questions/{found['id']}/matrix"
    table = await own.get(address, headers={"accept": "text/html"})
    assert table.headers["content-type"].startswith("text/html")
    assert '<html lang="nl">' in table.text
    assert "<caption>Participatiematrix: Wachten &lt;op&gt; &amp; zorg</caption>" in table.text
    assert '<th scope="row">Voorbereiding</th>' in table.text
    assert table.text.count('<th scope="col">') == 6
    assert "=1+1 &lt;b&gt;" in table.text
    rows = (await own.get(f"{address}?format=csv")).text.splitlines()
    assert rows[0] == "phase,phaseLabel,role,roleLabel,activity,groups,on,realised,heldByHub"
    assert rows[1].startswith("voorbereiding,Voorbereiding,meedenker,Meedenker,'=1+1 <b>,ouderenbond,,false,false")
    assert rows[2].endswith("zorgcooperatie|mantelzorgers,2026-05-01,true,false")
    assert (await own.get(address, headers={"accept": "image/png"})).status_code == 406
    assert (await own.get(f"{address}?format=pdf")).status_code == 400
    assert (await own.get(f"/v1/questions/{NOBODY}/matrix?format=csv")).status_code == 404


async def test_the_balance_tells_what_a_mix_is_missing(own):
    found = await add(own, workfields=["inclusie", "medische-zorg"])
    mix = {"groups": [{"group": "ouderenbond", "wanted": 2}, {"group": "mantelzorgers", "wanted": 3, "recruited": 4}]}
    balance = (await put(own, found["id"], "mix", mix)).json()["balance"]
    assert (balance["state"], balance["basis"]) == ("imbalanced", "wanted")
    assert balance["missingSides"] == ["user"]
    assert balance["missingForms"] == []
    assert labels(balance["missingWorkfields"]) == ["inclusie", "medische-zorg"]
    assert "jongeren" in labels(balance["missingGroups"])
    assert labels(balance["overRecruited"]) == ["mantelzorgers"]
    reasoned = (await put(own, found["id"], "mix", mix | {"imbalanceReason": "Eerst de naasten."})).json()
    assert (reasoned["balance"]["state"], reasoned["mix"]["imbalanceReason"]) == ("deliberate", "Eerst de naasten.")
    whole = {
        "groups": [
            {"group": group, "wanted": 2, "recruited": 1}
            for group in (
                "ouderenbond",
                "mantelzorgers",
                "mensen-met-een-beperking",
                "patientenorganisatie",
                "jongeren",
            )
        ]
    }
    whole["groups"][0]["recruited"] = 0
    assert (await put(own, found["id"], "mix", whole)).json()["balance"]["state"] == "balanced"
    for to in ("open", "recruiting", "in-progress"):
        after = (await step(own, found["id"], to)).json()
    assert (after["balance"]["basis"], after["balance"]["missingForms"]) == ("recruited", [])
    assert after["recruitedOn"] is not None


@pytest.mark.parametrize(
    ("groups", "faults"),
    [
        ([{"group": "marsmannen"}], {("groups[0].group", "unknown-code")}),
        ([{"group": "jongeren"}, {"group": "jongeren"}], {("groups[1].group", "repeated")}),
        ([{"group": "jongeren", "wanted": -1, "recruited": 10**9}],
         {("groups[0].wanted", "out-of-range"), ("groups[0].recruited", "out-of-range")}),
        ([{"group": "jongeren", "organisations": [NOBODY]}], {("groups[0].organisations[0]", "unknown-id")}),
        ([{"group": "jongeren", "wanted": 1.5}], {("groups[0].wanted", "invalid-number")}),
    ],
    ids=["group", "twice", "numbers", "organisation", "half"],
)  # fmt: skip
async def test_a_fault_in_the_mix_is_told_where_it_is(own, groups, faults):
    found = await add(own)
    response = await put(own, found["id"], "mix", {"groups": groups})
    assert response.status_code == 400, response.text
    assert codes(response) == faults


async def test_organisations_of_the_mix_are_named(own):
    organisation = (await own.get("/v1/organisations?limit=1")).json()["items"][0]
    found = await add(own, stakeholder=organisation["id"])
    named = {"id": organisation["id"], "name": organisation["name"]}
    assert found["stakeholder"] == named
    groups = [{"group": "jongeren", "wanted": 1, "organisations": [organisation["id"]]}]
    assert (await put(own, found["id"], "mix", {"groups": groups})).json()["mix"]["groups"][0]["organisations"] == [
        named
    ]


async def test_an_outcome_says_what_became_of_each_input(own):
    found = await brought_to(own, "in-progress")
    content = OUTCOME | {
        "decidedOn": "2026-06-01", "impact": "Minder reistijd.", "impactChecks": [{"on": "2026-09-01", "finding": "Het loopt."}],
        "toldBack": [{"on": "2026-06-15", "how": "Bijeenkomst", "phase": "uitvoering"}],
    }  # fmt: skip
    done = await put(own, found["id"], "outcome", content)
    assert done.status_code == 200, done.text
    outcome = done.json()["outcome"]
    assert [(item["taken"], item["reason"]) for item in outcome["inputs"]] == [
        ("yes", None),
        ("no", "Te duur voor dit jaar."),
    ]
    assert outcome["toldBack"][0]["phase"]["label"] == "Uitvoering"
    assert outcome["impactChecks"] == [{"on": "2026-09-01", "finding": "Het loopt."}]
    assert outcome["decidedOn"] == "2026-06-01"


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({"inputSummary": " "}, {("inputSummary", "required")}),
        ({"inputs": [{"source": "x", "taken": "maybe"}]}, {("inputs[0].taken", "unknown-code")}),
        ({"inputs": [{"source": "", "taken": "parked"}]}, {("inputs[0].source", "required"), ("inputs[0].reason", "required")}),
        ({"inputs": [{"source": "x", "taken": "yes", "phase": "nooit"}]}, {("inputs[0].phase", "unknown-code")}),
        ({"impactChecks": [{"on": "2999-01-01", "finding": "x"}]}, {("impactChecks[0].on", "date-in-future")}),
        ({"decision": "BSN 999990019"}, {("decision", "personal-data")}),
        ({"toldBack": [{"on": "gisteren"}]}, {("toldBack[0].on", "invalid-date")}),
    ],
    ids=["summary", "taken", "reason", "phase", "future", "personal data", "date"],
)  # fmt: skip
async def test_a_fault_in_the_outcome_is_told_where_it_is(own, change, faults):
    found = await brought_to(own, "in-progress")
    response = await put(own, found["id"], "outcome", OUTCOME | change)
    assert response.status_code == 400, response.text
    assert codes(response) == faults
    assert "999990019" not in response.text


async def test_an_outcome_is_written_down_when_there_is_one(own):
    found = await brought_to(own, "recruiting")
    response = await put(own, found["id"], "outcome", OUTCOME)
    assert (response.status_code, response.json()["code"]) == (409, "outcome-too-early")


# Change


async def test_a_patch_changes_what_is_given_and_leaves_the_rest(own):
    before = await add(
        own, compensation={"offered": True, "what": "Reiskosten"}, period={"from": "2026-01-01"}, methods=["enquete"]
    )
    after = (
        await patch(
            own, before["id"], {"period": {"to": "2026-12-31"}, "methods": None, "compensation": {"offered": False}}
        )
    ).json()
    assert after["period"] == {"from": "2026-01-01", "to": "2026-12-31"}
    assert after["compensation"] == {"offered": False, "what": "Reiskosten"}
    assert (after["methods"], after["version"]) == ([], 2)
    for name in ("title", "themes", "regions", "levels", "createdAt"):
        assert after[name] == before[name], name
    emptied = (await patch(own, before["id"], {"period": None, "compensation": None})).json()
    assert (emptied["period"], emptied["compensation"]) == (None, None)
    same = await patch(own, before["id"], {"methods": []})
    assert same.json() == emptied


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({"themes": []}, {("themes", "required")}),
        ({"themes": ["weer"]}, {("themes[0]", "unknown-code")}),
        ({"regions": []}, {("regions", "required")}),
        ({"regions": ["GG2014", "XX1"]}, {("regions[1]", "unknown-code")}),
        ({"workfields": ["voetbal"]}, {("workfields[0]", "unknown-code")}),
        ({"methods": ["roddelen"]}, {("methods[0]", "unknown-code")}),
        ({"stakeholder": NOBODY}, {("stakeholder", "unknown-id")}),
        ({"scope": "vaag"}, {("scope", "unknown-code")}),
        ({"origin": "maan"}, {("origin", "unknown-code")}),
        ({"title": " "}, {("title", "required")}),
        ({"title": None}, {("title", "wrong-type")}),
        ({"period": {"from": "2026-02-01", "to": "2026-01-01"}}, {("period.to", "wrong-order")}),
        ({"compensation": {"offered": True, "what": "NL91ABNA0417164300"}}, {("compensation.what", "personal-data")}),
        ({"id": "x", "status": "open", "balance": {}, "matrix": {}, "nonsense": 1},
         {("id", "read-only"), ("status", "read-only"), ("balance", "read-only"), ("matrix", "read-only"), ("nonsense", "unknown-field")}),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),
)  # fmt: skip
async def test_a_fault_in_a_change_is_told_where_it_is(own, changes, faults):
    found = await add(own)
    response = await patch(own, found["id"], changes)
    assert response.status_code == 400, response.text
    assert codes(response) == faults
    assert (await own.get(f"/v1/questions/{found['id']}")).json() == found


async def test_a_change_says_from_which_version(own):
    found = await add(own)
    tag = (await own.get(f"/v1/questions/{found['id']}", headers=PLAIN)).headers["etag"]
    for part, content in (("matrix", {"cells": []}), ("mix", {"groups": []}), ("outcome", OUTCOME)):
        assert (await put(own, found["id"], part, content, match=None)).status_code == 428, part
    assert (await patch(own, found["id"], {"title": f"Anders {letters()}"}, match=tag)).status_code == 200
    stale = await patch(own, found["id"], {"title": "Nog anders"}, match=tag)
    now = (await own.get(f"/v1/questions/{found['id']}", headers=PLAIN)).headers["etag"]
    assert (stale.status_code, stale.json()["currentETag"]) == (412, now)
    assert (await step(own, found["id"], "open", match=tag)).status_code == 412
    assert (await own.get(f"/v1/questions/{found['id']}", headers=PLAIN | {"if-none-match": now})).status_code == 304


async def test_of_two_editors_one_wins(own):
    found = await add(own)
    answers = await asyncio.gather(
        *(patch(own, found["id"], {"title": f"Titel {letters()}"}, match='"1"') for _ in range(2))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]


@pytest.mark.parametrize("who", ["other-hub", "umbrella", "national", "admin"])
async def test_others_change_nothing_and_hear_of_it_only_what_they_may_read(as_, own, who):
    public, draft = await brought_to(own, "open", visibility="public"), await add(own)
    async with as_(who) as client:
        for found, status in ((public, 403), (draft, 404), ({"id": NOBODY}, 404)):
            answers = [
                await patch(client, found["id"], {"title": "Van mij"}), await step(client, found["id"], "cancelled"),
                await put(client, found["id"], "mix", {"groups": []}), await put(client, found["id"], "matrix", {"cells": []}),
                await put(client, found["id"], "outcome", OUTCOME),
                await client.delete(f"/v1/questions/{found['id']}", headers={"if-match": "*"}),
            ]  # fmt: skip
            assert {answer.status_code for answer in answers} == {status}, found
    assert (await own.get(f"/v1/questions/{public['id']}")).json()["version"] == public["version"]


async def test_a_deleted_question_is_gone_and_its_history_stays_for_its_hubs(own, other):
    found = await brought_to(own, "open", visibility="public")
    address = f"/v1/questions/{found['id']}"
    assert (await own.delete(address)).status_code == 428
    assert (await own.delete(address, headers={"if-match": "*"})).status_code == 204
    for client in (own, other):
        assert (await client.get(address)).status_code == 404
    actions = [line["action"] for line in (await own.get(f"{address}/history")).json()["items"]]
    assert actions == ["created", "open", "deleted"]
    assert (await other.get(f"{address}/history")).status_code == 404


# Several hubs


async def test_a_hub_joins_on_invitation_edits_and_leaves(own, other):
    found = await add(own, visibility="hub")
    place = f"hubs/{'limburg'}"
    assert (await put_bare(other, found["id"], place)).status_code == 404
    asked = await put_bare(own, found["id"], place)
    assert asked.status_code == 200, asked.text
    assert [hub["slug"] for hub in asked.json()["invited"]] == ["limburg"]
    assert (await other.get(f"/v1/questions/{found['id']}")).status_code == 200
    early = await patch(other, found["id"], {"title": "Al van mij"})
    assert (early.status_code, early.json()["code"]) == (403, "invitation-open")
    joined = (await put_bare(other, found["id"], place)).json()
    assert ([hub["slug"] for hub in joined["hubs"]], joined["invited"]) == (["groningen", "limburg"], [])
    changed = await patch(other, found["id"], {"title": f"Samen {letters()}", "levels": {"intended": "meewerken"}})
    assert changed.json()["levels"]["intended"]["setBy"]["slug"] == "limburg"
    assert (await step(other, found["id"], "open")).status_code == 200
    assert found["id"] in [item["id"] for item in (await other.get("/v1/questions?hub=limburg")).json()["items"]]
    refused = await other.delete(f"/v1/questions/{found['id']}", headers={"if-match": "*"})
    assert refused.status_code == 403
    history = (await other.get(f"/v1/questions/{found['id']}/history")).json()["items"]
    assert [line["action"] for line in history] == ["created", "invited", "joined", "changed", "open"]
    assert (await other.delete(f"/v1/questions/{found['id']}/{place}")).status_code == 204
    assert (await other.get(f"/v1/questions/{found['id']}")).status_code == 404
    assert (await other.get(f"/v1/questions/{found['id']}/history")).status_code == 404
    after = (await own.get(f"/v1/questions/{found['id']}")).json()
    assert [hub["slug"] for hub in after["hubs"]] == ["groningen"]
    assert (await own.get(f"/v1/questions/{found['id']}/history")).json()["items"][-1]["action"] == "left"


async def test_a_hub_does_not_add_itself_to_the_question_of_another(own, other):
    found = await brought_to(own, "open", visibility="public")
    response = await put_bare(other, found["id"], "hubs/limburg")
    assert (response.status_code, response.json()["code"]) == (403, "invitation-needed")
    assert (await put_bare(other, found["id"], "hubs/utrecht")).status_code == 403
    assert (await put_bare(own, found["id"], "hubs/nergens")).status_code == 404
    assert (await own.delete(f"/v1/questions/{found['id']}/hubs/utrecht")).status_code == 404
    lead = await own.delete(f"/v1/questions/{found['id']}/hubs/groningen")
    assert (lead.status_code, lead.json()["code"]) == (409, "lead-stays")
    stale = await put_bare(own, found["id"], "hubs/limburg", match='"1"')
    assert stale.status_code == 412


async def test_an_invitation_is_declined_or_withdrawn(own, other):
    found = await add(own)
    for client in (own, other):
        assert (await put_bare(own, found["id"], "hubs/limburg")).status_code == 200
        assert (await client.delete(f"/v1/questions/{found['id']}/hubs/limburg")).status_code == 204
        assert (await other.get(f"/v1/questions/{found['id']}")).status_code == 404
    actions = [line["action"] for line in (await own.get(f"/v1/questions/{found['id']}/history")).json()["items"]]
    assert actions == ["created", "invited", "removed", "invited", "declined"]


async def test_nobody_is_added_under_the_lock_of_the_database(own, house):
    """What the use cases promise, the function of the database holds on its own."""
    import asyncpg

    found = await brought_to(own, "open", visibility="public")
    connection = await asyncpg.connect(house.addresses.service)
    for hubs, invited in ((["groningen", "limburg"], []), (["limburg"], []), (["groningen"], ["limburg"])):
        async with connection.transaction():
            await connection.execute(
                "select set_config('app.hub', (select id::text from hub where slug = 'limburg'), true)"
            )
            assert (
                await connection.fetchval(
                    "select set_question_hubs($1, $2, $3, $4)", uuid.UUID(found["id"]), found["version"], hubs, invited
                )
                is None
            )
    async with connection.transaction():
        await connection.execute(
            "select set_config('app.hub', (select id::text from hub where slug = 'groningen'), true)"
        )
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(
                "select set_question_hubs($1, $2, $3, $4)",
                uuid.UUID(found["id"]),
                found["version"],
                ["groningen", "limburg"],
                [],
            )
    await connection.close()


# Signals


async def test_a_question_takes_up_signals_and_the_signal_shows_what_came_of_it(own, as_):
    signal = await signal_cases.verified(own, visibility="public", themes=["dementie"])
    found = await brought_to(own, "concluded", visibility="public", themes=["dementie"])
    near = (await own.get(f"/v1/questions/{found['id']}/related-signals")).json()["items"]
    mine = next(item for item in near if item["signal"]["id"] == signal["id"])
    assert (mine["sameThemes"], mine["overlap"]) == (["dementie"], 1)
    assert found["id"] in [
        item["question"]["id"]
        for item in (await own.get(f"/v1/signals/{signal['id']}/related-questions")).json()["items"]
    ]
    done = await put_bare(own, found["id"], f"signals/{signal['id']}")
    assert (done.status_code, done.json()["version"]) == (200, found["version"] + 1)
    again = await put_bare(own, found["id"], f"signals/{signal['id']}")
    assert again.json()["version"] == found["version"] + 1
    async with as_("outsider") as anyone:
        shown = (await anyone.get(f"/v1/signals/{signal['id']}/questions")).json()["items"]
        assert [(item["id"], item["outcome"]["decision"]) for item in shown] == [(found["id"], OUTCOME["decision"])]
        linked = (await anyone.get(f"/v1/questions/{found['id']}?fields=signals")).json()["signals"]
        assert [item["id"] for item in linked] == [signal["id"]]
    assert signal["id"] not in [
        item["signal"]["id"] for item in (await own.get(f"/v1/questions/{found['id']}/related-signals")).json()["items"]
    ]
    address = f"/v1/questions/{found['id']}/signals/{signal['id']}"
    assert (await own.delete(address)).status_code == 204
    assert (await own.delete(address)).status_code == 404
    assert (await own.get(f"/v1/signals/{signal['id']}/questions")).json()["items"] == []


async def test_words_alone_lead_from_a_question_to_a_signal(own, other):
    words = f"{signal_cases.letters()} {signal_cases.letters()}"
    shared = {"visibility": "public", "region": "GM0917", "themes": ["geneesmiddelen-en-hulpmiddelen"]}
    signal = await signal_cases.verified(other, title=f"Klacht over {words}", **shared)
    hidden = await signal_cases.add(other, title=f"Klacht over {words}", **shared)
    found = await brought_to(own, "open", visibility="public", themes=["dementie"], title=f"Wat doen we met {words}?")
    near = (await own.get(f"/v1/questions/{found['id']}/related-signals")).json()["items"]
    mine = next(item for item in near if item["signal"]["id"] == signal["id"])
    assert (mine["sameThemes"], mine["overlap"], mine["sameWords"] > 0) == ([], 0, True)
    assert hidden["id"] not in [item["signal"]["id"] for item in near]
    assert all(0 < item["score"] <= 1 for item in near)


async def test_a_signal_that_the_actor_may_not_see_cannot_be_linked(own, other):
    hidden = await signal_cases.add(other)
    found = await add(own)
    for signal_id in (hidden["id"], NOBODY):
        assert (await put_bare(own, found["id"], f"signals/{signal_id}")).status_code == 404
        assert (await own.delete(f"/v1/questions/{found['id']}/signals/{signal_id}")).status_code == 404


async def test_a_linked_signal_is_shown_to_those_who_may_see_it_alone(own, other, as_):
    secret = await signal_cases.add(own)
    found = await brought_to(own, "open", visibility="public")
    await put_bare(own, found["id"], f"signals/{secret['id']}")
    address = f"/v1/questions/{found['id']}?fields=signals,history.changes"
    assert len((await own.get(address)).json()["signals"]) == 1
    for who in ("other-hub", "umbrella", "national", "outsider"):
        async with as_(who) as client:
            assert secret["id"] not in (await client.get(address)).text
    await put_bare(own, found["id"], "hubs/limburg")
    await put_bare(other, found["id"], "hubs/limburg")
    assert secret["id"] not in (await other.get(address)).text, "also a hub of the question sees it not, in no history"
