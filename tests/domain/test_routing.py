"""Which fields of work a signal concerns, and which umbrellas hear of it."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from app.domain.routing import Umbrella, concerned_workfields, recipients, respond_by

EVERY = ("inclusie", "psychische-kwetsbaarheid", "medische-zorg")
HINTS = {"stigma": ("psychische-kwetsbaarheid",), "hulpmiddelen": ("medische-zorg", "inclusie")}
UMBRELLAS = [
    Umbrella("iederin", "inclusie", 4),
    Umbrella("mind", "psychische-kwetsbaarheid", 8),
    Umbrella("pf", "medische-zorg", 16),
]


def test_what_the_hub_names_counts_whatever_the_themes_hint():
    assert concerned_workfields(["inclusie"], ["stigma"], HINTS, EVERY) == (("inclusie",), "given")


def test_without_it_the_themes_decide_in_the_order_of_the_vocabulary():
    assert concerned_workfields(None, ["hulpmiddelen"], HINTS, EVERY) == (("inclusie", "medische-zorg"), "themes")


def test_no_hint_or_none_on_purpose_concerns_all():
    assert concerned_workfields(None, ["wachttijden"], HINTS, EVERY) == (EVERY, "cross-cutting")
    assert concerned_workfields([], ["stigma"], HINTS, EVERY) == (EVERY, "cross-cutting")


@given(
    st.none() | st.lists(st.sampled_from(EVERY)), st.lists(st.sampled_from(["stigma", "hulpmiddelen", "wachttijden"]))
)
def test_a_signal_always_concerns_somebody_and_each_umbrella_once(given_, themes):
    concerned, source = concerned_workfields(given_, themes, HINTS, EVERY)
    assert concerned
    assert source in ("given", "themes", "cross-cutting")
    forwarded = recipients(concerned, UMBRELLAS)
    assert len(forwarded) == len(set(forwarded)) == len(concerned)


def test_two_umbrellas_may_stand_for_one_field_and_none_for_another():
    more = [*UMBRELLAS, Umbrella("ook", "inclusie", 32)]
    assert recipients(["inclusie"], more) == ("iederin", "ook")
    assert recipients(["inclusie"], []) == ()


def test_the_term_is_six_weeks_unless_set():
    assert respond_by(date(2026, 1, 1)) == date(2026, 2, 12)
    assert respond_by(date(2026, 1, 1), 1) == date(2026, 1, 8)
