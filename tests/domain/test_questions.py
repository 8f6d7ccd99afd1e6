"""Questions without a database: their life, the rules of the ladder, balance, and who may see them."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.access import Actor, SharedQuestion, may_change_question, may_lead_question, may_see_question
from app.domain.errors import Conflict, Faults
from app.domain.ladder import MOMENTS, Ladders, Levels, Setting, kept_promise, levels_set
from app.domain.matrix import FORMS, SIDES, Cell, Group, Matrix, Mix, MixGroup, balance
from app.domain.outcomes import Outcome
from app.domain.question_rules import TRANSITIONS, check_step
from app.domain.questions import Question, question_of

DAY = date(2026, 5, 1)
LADDERS = Ladders(
    {"informeren": 1, "raadplegen": 2, "meewerken": 3, "meebeslissen": 4, "regie-voeren": 5},
    {"arnstein-therapie": ("arnstein", "informeren"), "arnstein-partnerschap": ("arnstein", "meewerken")},
    ("landelijk", "arnstein"),
)
OUTCOME = Outcome("Samenvatting", "Besluit", "Uitleg")
ANYTHING = st.sampled_from([*LADDERS.levels, *LADDERS.rungs, "nergens", None])
WISHES = st.fixed_dictionaries(
    {},
    optional={
        "ladder": st.sampled_from(["landelijk", "arnstein", "touw"]), "intended": ANYTHING, "agreed": ANYTHING,
        "achieved": ANYTHING, "explanation": st.sampled_from(["", "Omdat het zo is.", None]), "confirmed": st.booleans(),
    },
)  # fmt: skip
STATUSES = st.sampled_from(list(TRANSITIONS))


def a_question(**changes):
    return replace(Question(uuid.UUID(int=1), "a", "Titel", "", ("wachttijden",), ("GG2014",)), **changes)


def refused(act):
    """The conflict that it ends in, if any."""
    try:
        act()
    except Conflict as conflict:
        return conflict
    return None


# Life


@given(st.lists(STATUSES, max_size=12), st.booleans(), st.booleans())
def test_a_life_never_goes_back_ends_for_good_and_concludes_with_an_outcome(wishes, decided, achieved):
    order = ["draft", "open", "recruiting", "in-progress", "concluded", "followed-up"]
    setting = Setting("raadplegen", None, "a", DAY)
    question = a_question(outcome=OUTCOME if decided else None, levels=Levels(achieved=setting if achieved else None))
    for wish in wishes:
        refusal = refused(lambda wish=wish, question=question: check_step(question, wish, None))
        if refusal is not None and refusal.code == "transition-not-allowed":
            assert wish not in TRANSITIONS[question.status]
            assert refusal.extra["allowed"] == list(TRANSITIONS[question.status])
            assert all(option in refusal.detail for option in TRANSITIONS[question.status])
        elif refusal is not None:
            lacking = {("outcome-needed", "concluded"): decided, ("achieved-needed", "followed-up"): achieved}
            assert lacking[refusal.code, wish] is False
        if refusal is not None:
            continue
        assert wish == "cancelled" or order.index(wish) == order.index(question.status) + 1
        assert question.status not in ("followed-up", "cancelled")
        question = replace(question, status=wish)
    assert question.status not in ("concluded", "followed-up") or decided
    assert question.status != "followed-up" or achieved


# Ladder


@given(st.lists(st.tuples(WISHES, STATUSES, st.sampled_from(["a", "b"])), max_size=8))
def test_whatever_is_wished_for_the_levels_keep_their_rules(wishes):
    levels = Levels()
    for wish, status, hub in wishes:
        faults, before, found = Faults(), levels, []
        refusal = refused(lambda: found.append(levels_set(levels, wish, LADDERS, status, hub, DAY, faults)))  # noqa: B023
        if refusal is not None:
            assert refusal.code in ("achieved-too-early", "achieved-needed", "promise-fixed")
            continue
        if faults.found:
            assert {fault.location.partition(".")[0] for fault in faults.found} == {"levels"}
            continue
        levels = found[0]
        assert levels.agreed is None or levels.intended is not None
        if levels.agreed and LADDERS.levels[levels.agreed.level] < LADDERS.levels[levels.intended.level]:
            assert levels.explanation.strip()
        assert not levels.confirmed or levels.agreed is not None
        if levels.achieved != before.achieved:
            assert status in ("concluded", "followed-up")
        if status in ("concluded", "followed-up"):
            assert (levels.intended, levels.agreed) == (before.intended, before.agreed)
        for moment in MOMENTS:
            setting, old = getattr(levels, moment), getattr(before, moment)
            assert setting is None or setting == old or (setting.set_by, setting.set_on) == (hub, DAY)
            assert setting is None or setting.rung is None or LADDERS.rungs[setting.rung][1] == setting.level


def test_a_level_set_again_as_it_was_keeps_who_set_it_and_when():
    first = levels_set(Levels(), {"intended": "raadplegen"}, LADDERS, "draft", "a", DAY, Faults())
    again = levels_set(first, {"intended": "raadplegen"}, LADDERS, "draft", "b", date(2027, 1, 1), Faults())
    assert again == first


@pytest.mark.parametrize(
    ("intended", "agreed", "achieved", "kept"),
    [
        ("meewerken", "raadplegen", "raadplegen", "as-promised"), ("meewerken", "raadplegen", "meewerken", "more"),
        ("meewerken", None, "raadplegen", "less"), ("meewerken", "meewerken", None, None), (None, None, "raadplegen", None),
    ],
)  # fmt: skip
def test_practice_is_held_against_the_promise(intended, agreed, achieved, kept):
    made = {
        name: Setting(level, None, "a", DAY)
        for name, level in (("intended", intended), ("agreed", agreed), ("achieved", achieved))
        if level
    }
    assert kept_promise(Levels(**made), LADDERS) == kept


# Balance

GROUPS = {
    f"{side}-{form}-{field or 'any'}": Group(side, form == "organised", seldom, (field,) if field else ())
    for side in SIDES for form, seldom in (("individual", True), ("organised", False)) for field in ("x", "y", "")
}  # fmt: skip
MIXES = st.dictionaries(st.sampled_from(list(GROUPS)), st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8).map(
    lambda found: Mix(tuple(MixGroup(group, *counts) for group, counts in found.items()))
)
SCOPES = st.sampled_from(["broad", "specific"])
PHASES = ("een", "twee")
MATRICES = st.lists(
    st.tuples(st.sampled_from(PHASES), st.sampled_from(["toehoorder", "adviseur"]), st.sampled_from(list(GROUPS))),
    max_size=4, unique_by=lambda cell: cell[:2],
).map(lambda cells: Matrix((), tuple(Cell(phase, role, "", (group,)) for phase, role, group in cells)))  # fmt: skip
CONCERNED = st.sampled_from([(), ("x",), ("x", "y")])


@given(SCOPES, STATUSES, MIXES, MATRICES, CONCERNED)
def test_a_balance_says_what_is_missing_and_nothing_else(scope, status, mix, matrix, concerned):
    found = balance(scope, status, mix, matrix, concerned, GROUPS, PHASES)
    recruited = status in ("in-progress", "concluded", "followed-up")
    there = [g.group for g in mix.groups if g.recruited or (g.wanted and not recruited)]
    assert found.basis == ("recruited" if recruited else "wanted")
    if not mix.groups:
        assert found.state == "unknown"
        return
    assert (found.state == "balanced") is not found.gaps
    assert set(found.over_recruited) == {g.group for g in mix.groups if g.recruited > g.wanted}
    facts = [GROUPS[group] for group in there]
    if scope == "broad":
        assert set(found.missing_sides) == set(SIDES) - {fact.side for fact in facts}
        assert set(found.missing_forms) == set(FORMS) - {"organised" if f.organised else "individual" for f in facts}
        assert set(found.missing_workfields) == set(concerned) - {field for f in facts for field in f.workfields}
        assert bool(found.missing_groups) is not any(fact.under_represented for fact in facts)
    else:
        assert found.missing_forms == ()
        assert found.missing_groups == ()
        assert bool(found.missing_sides) is not any(fact.side != "resident" for fact in facts)
    for group in found.groups_without_influence:
        assert group in there
        assert all(cell.role == "toehoorder" for cell in matrix.cells if group in cell.groups)
    for phase in found.phases_without_influence:
        assert {cell.role for cell in matrix.cells if cell.phase == phase} == {"toehoorder"}


@given(SCOPES, MIXES, CONCERNED, st.sampled_from(list(GROUPS)))
def test_another_group_never_leaves_more_sides_or_fields_missing(scope, mix, concerned, group):
    more = Mix((*(g for g in mix.groups if g.group != group), MixGroup(group, 5, 5)))
    before = balance(scope, "open", mix, Matrix(), concerned, GROUPS, PHASES)
    after = balance(scope, "open", more, Matrix(), concerned, GROUPS, PHASES)
    if before.state != "unknown":
        for name in ("missing_sides", "missing_forms", "missing_workfields", "missing_groups"):
            assert set(getattr(after, name)) <= set(getattr(before, name))


@given(SCOPES, MIXES, CONCERNED)
def test_a_reason_makes_an_imbalance_deliberate_and_hides_nothing(scope, mix, concerned):
    plain = balance(scope, "open", mix, Matrix(), concerned, GROUPS, PHASES)
    reasoned = balance(scope, "open", replace(mix, imbalance_reason="Bewust."), Matrix(), concerned, GROUPS, PHASES)
    assert reasoned == replace(plain, state="deliberate" if plain.state == "imbalanced" else plain.state)


def test_heart_care_asks_heart_patients_and_that_is_fine():
    patients = Mix((MixGroup("user-individual-x", 5, 5),))
    assert balance("specific", "open", patients, Matrix(), ("x",), GROUPS, PHASES).state == "balanced"
    assert balance("broad", "open", patients, Matrix(), ("x",), GROUPS, PHASES).state == "imbalanced"


# Access

ROLES = [
    Actor(), Actor("admin"), Actor("national"), Actor("hub", "a"), Actor("hub", "b"), Actor("hub", "c"),
    Actor("umbrella", None, "mind"), Actor("hub"),
]  # fmt: skip
SHARED = st.builds(
    SharedQuestion, st.just(frozenset({"a"})), st.sampled_from(["hub", "network", "public"]), st.booleans(),
    st.frozensets(st.just("b")), st.frozensets(st.sampled_from(["mind", "iederin"])),
)  # fmt: skip


@given(SHARED)
def test_what_was_never_opened_is_for_its_hubs_and_those_they_asked(shared):
    for actor in ROLES:
        of_it = actor.role == "hub" and actor.hub in shared.hubs | shared.invited
        if of_it:
            assert may_see_question(actor, shared)
        elif not shared.opened or shared.visibility == "hub":
            assert not may_see_question(actor, shared)
        assert may_see_question(actor, shared) or not may_see_question(Actor(), shared)


def test_its_hubs_edit_a_question_and_one_leads():
    assert [actor.hub for actor in ROLES if may_change_question(actor, ("a", "b"))] == ["a", "b"]
    assert [actor.hub for actor in ROLES if may_lead_question(actor, "a")] == ["a"]


def test_members_of_period_and_compensation_are_merged_into_what_is_there():
    made = question_of(
        uuid.UUID(int=2),
        "a",
        None,
        "draft",
        {"title": "T", "period": {"from_": DAY}, "compensation": {"offered": True}},
    )
    assert (made.period.from_, made.period.to, made.compensation.offered) == (DAY, None, True)
