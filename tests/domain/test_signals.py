"""Signals without a database: their life, what differs between two of them, and who may see them."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.access import Actor, Shared, may_see_follow_up, may_see_forwarding, may_see_history, may_see_signal
from app.domain.errors import Faults
from app.domain.signal_rules import TRANSITIONS, check_text, differences
from app.domain.signals import Signal, may_change_signals

ROLES = [
    Actor(), Actor("admin"), Actor("national"), Actor("hub", "a"), Actor("hub", "b"), Actor("umbrella", None, "mind"), Actor("hub"),
]  # fmt: skip
SHARED = st.builds(
    Shared, st.just("a"), st.sampled_from(["hub", "network", "public"]), st.sampled_from(list(TRANSITIONS)),
    st.frozensets(st.sampled_from(["mind", "iederin"])),
)  # fmt: skip


@given(st.lists(st.sampled_from(list(TRANSITIONS)), max_size=8))
def test_a_life_never_goes_back_and_ends_closed_or_withdrawn(wishes):
    order = ["draft", "submitted", "verified", "closed"]
    status = "draft"
    for wish in wishes:
        if wish in TRANSITIONS[status]:
            assert wish == "withdrawn" or order.index(wish) == order.index(status) + 1
            assert status not in ("closed", "withdrawn")
            status = wish


@given(SHARED)
def test_what_is_not_verified_is_its_own_hubs_alone(shared):
    for actor in ROLES:
        if shared.status not in ("verified", "closed") and actor != Actor("hub", "a"):
            assert not may_see_signal(actor, shared)
        if actor == Actor("hub", "a"):
            assert may_see_signal(actor, shared)
        assert may_see_history(actor, "a") == (actor == Actor("hub", "a"))


@given(SHARED, st.sampled_from(["mind", "iederin"]), st.booleans())
def test_nobody_sees_a_part_of_what_he_may_not_see(shared, umbrella, public):
    for actor in ROLES:
        if may_see_forwarding(actor, shared, umbrella) or may_see_follow_up(actor, shared, public=public):
            assert may_see_signal(actor, shared)


def test_only_its_hub_changes_a_signal():
    assert [actor for actor in ROLES if may_change_signals(actor, "a")] == [Actor("hub", "a")]


SIGNAL = Signal(uuid.UUID(int=1), "a", "knelpunt", "Titel", "", ("wachttijden",), "GG2014", date(2026, 3, 5))


def test_differences_name_the_fields_as_everybody_does_from_what_to_what():
    after = replace(SIGNAL, people_count=3, heard_on=date(2026, 3, 6), concerned=("inclusie",), version=9)
    assert differences(SIGNAL, after) == {
        "peopleCount": [None, 3], "heardOn": ["2026-03-05", "2026-03-06"], "workfields": [[], ["inclusie"]],
    }  # fmt: skip
    assert differences(SIGNAL, SIGNAL) == {}


def test_of_a_new_signal_all_that_was_filled_in_is_told():
    assert set(differences(None, SIGNAL)) == {
        "kind", "title", "themes", "region", "heardOn", "visibility", "status", "workfieldsSource",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("goed\nzo\t", []),
        ("", ["required"]),
        ("\u00a0", ["required"]),
        ("x" * 11, ["too-long"]),
        ("a\u0000", ["control-character"]),
    ],
)
def test_a_text_is_checked(text, codes):
    faults = Faults()
    check_text("title", text, 10, faults, required=True)
    assert [fault.code for fault in faults.found] == codes
