"""Folding text for comparing, searching and sorting."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.text import fold


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("'s-Gravenhage", "s gravenhage"),
        ("Súdwest-Fryslân", "sudwest fryslan"),
        ("De Fryske Marren", "de fryske marren"),
        ("  Bergen (NH.)  ", "bergen nh"),
        ("ÉÉN", "een"),
        ("\u0132sselstein", "ijsselstein"),
        ("Straße", "strasse"),
        ("!?", ""),
        ("", ""),
    ],
)
def test_names_fold_to_lower_case_without_accents_and_signs(written, folded):
    assert fold(written) == folded


@given(st.text())
def test_folded_text_is_plain_and_folding_it_again_changes_nothing(text):
    found = fold(text)
    assert re.fullmatch(r"(?:[0-9a-z]+(?: [0-9a-z]+)*)?", found)
    assert fold(found) == found


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz -'", max_size=30))
def test_capitals_make_no_difference(text):
    assert fold(text.upper()) == fold(text)
