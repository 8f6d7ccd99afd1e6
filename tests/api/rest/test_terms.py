"""The vocabularies: codes that never change, labels in two languages."""

from __future__ import annotations

import pytest

VOCABULARIES = [
    "workfields", "umbrellas", "themes", "participation-levels", "participation-roles", "participation-phases",
    "participation-methods", "participant-groups", "channels",
]  # fmt: skip


@pytest.mark.parametrize("name", VOCABULARIES)
async def test_every_term_has_a_code_a_label_and_a_description_in_both_languages(api, name):
    dutch, english = [
        (await api.get(f"/v1/{name}?limit=200", headers={"accept-language": language})) for language in ("nl", "en-GB")
    ]
    assert (dutch.headers["content-language"], english.headers["content-language"]) == ("nl", "en")
    assert "Accept-Language" in dutch.headers["vary"]
    both = list(zip(dutch.json()["items"], english.json()["items"], strict=True))
    assert both
    for nl, en in both:
        assert nl["code"] == en["code"]
        assert nl["label"]
        assert en["label"]
        assert nl["description"]
        assert en["description"]
    assert any(nl["description"] != en["description"] for nl, en in both)


async def test_the_three_workfields_have_an_umbrella_each(get):
    found = {item["code"]: item["workfield"]["code"] for item in (await get("/v1/umbrellas"))["items"]}
    assert found == {
        "iederin": "inclusie", "mind": "psychische-kwetsbaarheid", "patientenfederatie": "medische-zorg",
    }  # fmt: skip
    assert {item["code"] for item in (await get("/v1/workfields"))["items"]} == set(found.values())


async def test_the_ladder_has_five_rungs_from_low_to_high(get):
    found = (await get("/v1/participation-levels"))["items"]
    assert [item["code"] for item in found] == ["informeren", "raadplegen", "meewerken", "meebeslissen", "regie-voeren"]
    assert [item["rank"] for item in found] == [1, 2, 3, 4, 5]


async def test_the_matrix_has_five_roles_and_three_phases(get):
    roles = [item["code"] for item in (await get("/v1/participation-roles"))["items"]]
    assert roles == ["toehoorder", "meedenker", "adviseur", "partner", "beslisser"]
    phases = [item["code"] for item in (await get("/v1/participation-phases"))["items"]]
    assert phases == ["voorbereiding", "uitvoering", "implementatie"]


async def test_eleven_main_themes_hold_forty_four(get):
    found = (await get("/v1/themes?limit=200"))["items"]
    assert len(found) == 11
    children = [child["code"] for theme in found for child in theme["children"]]
    assert len(children) == len(set(children)) == 44
    assert not {theme["code"] for theme in found} & set(children)


async def test_groups_say_their_side_of_the_life_world(get):
    found = (await get("/v1/participant-groups?limit=200"))["items"]
    assert {item["side"] for item in found} <= {"resident", "user", "relative", None}
    assert any(item["underRepresented"] for item in found)


@pytest.mark.parametrize("name", VOCABULARIES)
async def test_vocabularies_page_and_turn_around(get, name):
    whole = [item["code"] for item in (await get(f"/v1/{name}?limit=200"))["items"]]
    address, found = f"/v1/{name}?limit=3&sort=-rank&fields=code", []
    while address:
        page = await get(address)
        found += [item["code"] for item in page["items"]]
        address = page["next"]
    assert found == whole[::-1]
