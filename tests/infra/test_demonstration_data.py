"""The demonstration signals: written by hand, invented, and as valid as what a hub would send."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

import pytest

from app.domain.timeline import compute
from app.infra import packaged

FOLDER = files("app") / "data" / "demonstration"
FIRST, LAST = date(2022, 3, 1), date(2026, 10, 31)
FOLLOWED_UNTIL = date(2026, 11, 20)
ZOETERMEER, ZOETERMEER_SINCE = "zoetermeer", date(2025, 1, 1)

KINDS = {"knelpunt", "behoefte", "oplossing", "goed-voorbeeld", "ervaring"}
SCALES = {"wijk", "lokaal", "regionaal", "landelijk"}
VISIBILITIES = {"hub": 15, "network": 45, "public": 40}
STATUSES = {"draft", "submitted", "verified", "closed", "withdrawn"}
STATES = {"acknowledged", "on-agenda", "answered", "declined"}
FOLLOW_UPS = {"meeting", "training", "question", "advice", "none"}
FIELDS = {
    "key", "hub", "kind", "title", "description", "themes", "workfields", "region", "scale", "groups", "channel",
    "heardOn", "peopleCount", "visibility", "status", "forwardings", "followUps",
}  # fmt: skip
SLOTS = {"place", "number", "months", "group"}

PERSONAL = (
    r"\S@\S",
    r"https?:|www\.",
    r"\d{7}",
    r"\d[\d .-]{8,}\d",
    r"\b[1-9]\d{3} ?[A-Z]{2}\b",
    r"\b[A-Z]{2}\d{2}[A-Z]{4}",
    r"(?i)\w(straat|laan|weg|plein|kade|gracht|singel|dijk|pad|hof) \d",
    r"\b([Mm]evrouw|[Mm]eneer|[Dd]hr\.?|[Mm]w\.?|[Dd]r\.?|[Dd]okter) [A-Z][a-z]",
)

Signal = dict[str, Any]


def lines(name: str) -> list[Signal]:
    text = (FOLDER / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


SIGNALS = lines("signals.jsonl")
PHRASES = json.loads((FOLDER / "phrases.json").read_text(encoding="utf-8"))
WORDS = PHRASES["slots"]["group"]["byCode"]
DATA = packaged.load()
MEMBERSHIPS = compute(DATA).memberships
AREAS = {hub.slug: hub.area_code for hub in DATA.hubs}


@cache
def codes(vocabulary: str) -> frozenset[str]:
    return frozenset(term.code for term in DATA.terms if term.vocabulary == vocabulary)


SUBTHEMES = {term.code: term for term in DATA.terms if term.vocabulary == "theme" and term.parent}
UMBRELLAS = {
    workfield: term.code for term in DATA.terms if term.vocabulary == "umbrella" for workfield in term.workfields
}


def texts(signal: Signal) -> list[str]:
    answers = [forwarding["response"] for forwarding in signal["forwardings"] if forwarding["response"]]
    return [signal["title"], signal["description"], *answers, *(done["summary"] for done in signal["followUps"])]


@cache
def municipalities(region: str, on: date) -> frozenset[str]:
    return frozenset(
        row.municipality for row in MEMBERSHIPS if row.region == region and row.valid_from <= on < row.valid_to
    )


def area(hub: str, on: date) -> frozenset[str]:
    return frozenset({"GM0637"}) if hub == ZOETERMEER else municipalities(AREAS[hub], on)


def routed_to(signal: Signal) -> set[str]:
    """Workfields given, else the hints of the themes, else all."""
    hints = {workfield for theme in signal["themes"] for workfield in SUBTHEMES[theme].workfields}
    return {UMBRELLAS[workfield] for workfield in set(signal["workfields"]) or hints or set(UMBRELLAS)}


def test_every_signal_has_the_fields_and_nothing_else() -> None:
    for signal in SIGNALS:
        assert set(signal) == FIELDS, signal["key"]
        assert all(set(forwarding) == {"umbrella", "state", "response"} for forwarding in signal["forwardings"]), (
            signal["key"]
        )
        assert all(set(done) == {"kind", "on", "summary", "public"} for done in signal["followUps"]), signal["key"]


def test_every_code_exists() -> None:
    for signal in SIGNALS:
        assert signal["kind"] in KINDS, signal["key"]
        assert signal["scale"] in SCALES, signal["key"]
        assert signal["visibility"] in VISIBILITIES, signal["key"]
        assert signal["status"] in STATUSES, signal["key"]
        assert signal["channel"] in codes("channel"), signal["key"]
        assert set(signal["groups"]) <= codes("participant-group"), signal["key"]
        assert set(signal["workfields"]) <= codes("workfield"), signal["key"]
        assert set(signal["themes"]) <= set(SUBTHEMES), signal["key"]
        assert 1 <= len(signal["themes"]) == len(set(signal["themes"])) <= 3, signal["key"]
        assert len(set(signal["groups"])) == len(signal["groups"]), signal["key"]


def test_every_text_is_as_long_as_a_hub_would_write_it() -> None:
    for signal in SIGNALS:
        assert 10 <= len(signal["title"]) <= 90, signal["key"]
        assert 150 <= len(signal["description"]) <= 700, signal["key"]
        assert 2 <= len(re.findall(r"[.!?]['’)]?(?:\s|$)", signal["description"])) <= 7, signal["key"]
        for text in texts(signal):
            assert text == text.strip() and "  " not in text and text.isprintable(), signal["key"]


def test_nothing_in_a_signal_leads_to_a_person() -> None:
    for signal in SIGNALS:
        for text in texts(signal):
            assert not [pattern for pattern in PERSONAL if re.search(pattern, text)], f"{signal['key']}: {text}"


def test_every_signal_was_heard_on_a_day_that_fits() -> None:
    for signal in SIGNALS:
        assert FIRST <= date.fromisoformat(signal["heardOn"]) <= LAST, signal["key"]
        assert signal["hub"] != ZOETERMEER or date.fromisoformat(signal["heardOn"]) >= ZOETERMEER_SINCE, signal["key"]
        assert signal["peopleCount"] is None or 1 <= signal["peopleCount"] <= 400, signal["key"]


def test_the_place_existed_that_day_and_lies_in_the_area_of_the_hub() -> None:
    for signal in SIGNALS:
        on = date.fromisoformat(signal["heardOn"])
        place, own = municipalities(signal["region"], on), area(signal["hub"], on)
        assert place, signal["key"]
        assert place & own, signal["key"]
        if signal["region"].startswith("GM"):
            assert place <= own, signal["key"]


def test_only_umbrellas_that_a_signal_was_routed_to_respond() -> None:
    for signal in SIGNALS:
        umbrellas = [forwarding["umbrella"] for forwarding in signal["forwardings"]]
        assert len(umbrellas) == len(set(umbrellas)), signal["key"]
        assert set(umbrellas) <= routed_to(signal), signal["key"]
        for forwarding in signal["forwardings"]:
            assert forwarding["state"] in STATES, signal["key"]
            assert forwarding["response"] or forwarding["state"] not in {"answered", "declined"}, signal["key"]


def test_follow_ups_come_after_the_signal_and_say_what_was_done() -> None:
    for signal in SIGNALS:
        for done in signal["followUps"]:
            assert done["kind"] in FOLLOW_UPS, signal["key"]
            assert signal["heardOn"] <= done["on"] <= FOLLOWED_UNTIL.isoformat(), signal["key"]
            assert len(done["summary"]) >= 20 and isinstance(done["public"], bool), signal["key"]


def test_a_status_has_what_it_needs() -> None:
    for signal in SIGNALS:
        answered = any(forwarding["state"] in {"answered", "declined"} for forwarding in signal["forwardings"])
        if signal["status"] not in {"verified", "closed"}:
            assert not signal["forwardings"] and not signal["followUps"], signal["key"]
        if signal["status"] == "closed":
            assert signal["followUps"] or answered, signal["key"]


def test_keys_titles_and_descriptions_are_unique_and_keys_run_in_order() -> None:
    assert [signal["key"] for signal in SIGNALS] == [f"demo-{n:04}" for n in range(1, len(SIGNALS) + 1)]
    for field in ("title", "description"):
        assert [text for text, n in Counter(signal[field] for signal in SIGNALS).items() if n > 1] == []


def test_no_sentence_is_used_twice() -> None:
    sentences = Counter(
        sentence
        for signal in SIGNALS
        for sentence in re.split(r"(?<=[.!?])\s+", signal["description"])
        if len(sentence) > 25
    )
    assert [sentence for sentence, n in sentences.items() if n > 1] == []


def test_there_are_320_signals_and_every_hub_has_its_part() -> None:
    counts = Counter(signal["hub"] for signal in SIGNALS)
    assert len(SIGNALS) == 320
    assert set(counts) == {*AREAS, ZOETERMEER}
    assert min(counts.values()) >= 15 and max(counts.values()) <= 25


def test_every_subtheme_is_used_several_times() -> None:
    counts = Counter(theme for signal in SIGNALS for theme in signal["themes"])
    assert {theme: counts[theme] for theme in SUBTHEMES if counts[theme] < 4} == {}


def test_every_group_channel_kind_scale_and_status_occurs() -> None:
    assert {group for signal in SIGNALS for group in signal["groups"]} == codes("participant-group")
    assert {signal["channel"] for signal in SIGNALS} == codes("channel")
    assert {signal["kind"] for signal in SIGNALS} == KINDS
    assert {signal["scale"] for signal in SIGNALS} == SCALES
    assert {signal["status"] for signal in SIGNALS} == STATUSES
    assert {forwarding["state"] for signal in SIGNALS for forwarding in signal["forwardings"]} == STATES
    assert {done["kind"] for signal in SIGNALS for done in signal["followUps"]} == FOLLOW_UPS


def test_visibility_is_spread_as_in_a_network_that_shares() -> None:
    counts = Counter(signal["visibility"] for signal in SIGNALS)
    for visibility, wanted in VISIBILITIES.items():
        assert abs(100 * counts[visibility] / len(SIGNALS) - wanted) <= 4


def test_most_signals_are_verified_or_closed() -> None:
    assert sum(signal["status"] in {"verified", "closed"} for signal in SIGNALS) >= 0.8 * len(SIGNALS)


def test_workfields_are_given_in_some_and_left_to_the_themes_in_others() -> None:
    given = [signal for signal in SIGNALS if signal["workfields"]]
    hinted = [s for s in SIGNALS if not s["workfields"] and any(SUBTHEMES[theme].workfields for theme in s["themes"])]
    assert min(len(given), len(hinted), len(SIGNALS) - len(given) - len(hinted)) >= 40


def test_places_come_from_many_schemes_and_some_from_municipalities_that_have_merged_since() -> None:
    names = {region.code: region.scheme for region in DATA.regions} | dict.fromkeys(AREAS.values(), "participatiehub")
    assert {names.get(signal["region"], "gemeente") for signal in SIGNALS} >= {
        "gemeente", "provincie", "zorgkantoorregio", "ggd-regio", "jeugdregio", "roaz-regio", "arbeidsmarktregio",
        "landsdeel", "participatiehub",
    }  # fmt: skip
    gone = {signal["region"] for signal in SIGNALS if not municipalities(signal["region"], LAST)}
    assert len(gone) >= 3 and all(code.startswith("GM") for code in gone)


def test_the_same_matter_is_heard_in_several_hubs_in_other_words() -> None:
    families = lines("families.jsonl")
    hubs = {signal["key"]: signal["hub"] for signal in SIGNALS}
    assert len(families) >= 25
    for family in families:
        assert 2 <= len(family["keys"]) <= 4, family
        assert len({hubs[key] for key in family["keys"]}) == len(family["keys"]), family


def test_waiting_rises_in_2026_and_digital_barriers_since_2025() -> None:
    years = {
        theme: Counter(signal["heardOn"][:4] for signal in SIGNALS if theme in signal["themes"])
        for theme in ("wachttijden", "digitale-zorg")
    }
    waiting, digital = years["wachttijden"], years["digitale-zorg"]
    assert waiting["2026"] >= 2 * waiting["2025"]
    assert digital["2025"] + digital["2026"] >= 3 * (digital["2022"] + digital["2023"] + digital["2024"])


def test_the_phrases_cover_every_subtheme_and_use_known_slots_only() -> None:
    assert set(PHRASES) == {"slots", "openings", "closings", "themes"}
    assert set(PHRASES["slots"]) == SLOTS
    assert set(PHRASES["themes"]) == set(SUBTHEMES)
    assert len(PHRASES["openings"]) == len(PHRASES["closings"]) == 30
    for theme, material in PHRASES["themes"].items():
        assert set(material) == {"titles", "sentences"}
        assert 6 <= len(material["titles"]) <= 10, theme
        assert 10 <= len(material["sentences"]) <= 15, theme
    for phrase in phrases():
        assert set(re.findall(r"\{(\w*)\}", phrase)) <= SLOTS, phrase


def test_a_phrase_is_a_whole_sentence_and_a_title_is_not() -> None:
    for phrase in phrases():
        assert phrase == phrase.strip() and phrase.isprintable() and "  " not in phrase
        assert phrase[0].isupper() or phrase[0] in "'‘{0123456789", phrase
    for material in PHRASES["themes"].values():
        assert all(title[-1] not in ".!" for title in material["titles"])
    for sentence in sentences():
        assert re.search(r"[.?!]['’]?$", sentence), sentence


def test_the_words_for_groups_cover_every_group() -> None:
    assert set(WORDS) == codes("participant-group")
    assert all(words[0].islower() for words in WORDS.values())


@pytest.mark.parametrize("longest", [False, True])
def test_phrases_fit_whatever_is_filled_in(longest: bool) -> None:
    pick = max if longest else min
    filled = {
        "place": pick((entry.name for entry in DATA.municipalities), key=len),
        "group": pick(WORDS.values(), key=len),
        **{slot: PHRASES["slots"][slot]["to" if longest else "from"] for slot in ("number", "months")},
    }
    for material in PHRASES["themes"].values():
        for title in material["titles"]:
            assert 10 <= len(title.format(**filled)) <= 90, title
        by_length = sorted((sentence.format(**filled) for sentence in material["sentences"]), key=len)
        assert len(" ".join(by_length[:2])) >= 60
        assert len(" ".join(by_length[-4:])) <= 500
    for phrase in phrases():
        text = phrase.format(**filled)
        assert not [pattern for pattern in PERSONAL if re.search(pattern, text)], text


def sentences() -> list[str]:
    themed = [sentence for material in PHRASES["themes"].values() for sentence in material["sentences"]]
    return [*PHRASES["openings"], *PHRASES["closings"], *themed]


def phrases() -> list[str]:
    return [*sentences(), *(title for material in PHRASES["themes"].values() for title in material["titles"])]


def test_no_phrase_occurs_twice() -> None:
    assert [phrase for phrase, n in Counter(phrases()).items() if n > 1] == []
