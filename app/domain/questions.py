"""Questions: where system world and life world meet at a regional table. Their types, their life, who may change them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from uuid import UUID

from app.domain.access import Actor, may_change_question, may_lead_question
from app.domain.checking import differences
from app.domain.errors import Conflict, Faults, Forbidden, Invalid, NotFound
from app.domain.ladder import Levels, levels_set
from app.domain.matrix import Balance, Matrix, Mix
from app.domain.outcomes import Outcome, check_outcome
from app.domain.question_rules import (
    TRANSITIONS,
    Known,
    Origin,
    Scope,
    Status,
    Visibility,
    check_basics,
    check_going,
    check_matrix,
    check_mix,
    check_outcome_status,
    check_step,
    on_a_day,
    routed,
    unknown_names,
)
from app.domain.versions import check_version
from app.domain.work import Work


@dataclass(frozen=True, slots=True)
class Compensation:
    """What participants are offered for their time and effort."""

    offered: bool
    what: str | None = None


@dataclass(frozen=True, slots=True)
class Period:
    from_: date | None = None
    to: date | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A question as its hubs keep it. `hub` leads, `hubs` are all of it, the lead first. Codes for reference data.

    `workfields` None means: let the themes decide. `requested_on` is when it was brought to the hub.
    """

    id: UUID
    hub: str
    title: str
    description: str
    themes: tuple[str, ...]
    regions: tuple[str, ...]
    origin: str = "system-world"
    scope: str = "broad"
    hubs: tuple[str, ...] = ()
    invited: tuple[str, ...] = ()
    external_id: str | None = None
    stakeholder: UUID | None = None
    workfields: tuple[str, ...] | None = None
    methods: tuple[str, ...] = ()
    levels: Levels = Levels()  # noqa: RUF009 - frozen
    matrix: Matrix = Matrix()  # noqa: RUF009
    mix: Mix = Mix()  # noqa: RUF009
    compensation: Compensation | None = None
    period: Period = Period()
    requested_on: date | None = None
    outcome: Outcome | None = None
    visibility: str = "network"
    status: str = "draft"
    demonstration: bool = False
    version: int = 1
    recruited_on: date | None = field(default=None, compare=False)
    concerned: tuple[str, ...] = field(default=(), compare=False)
    workfields_source: str = field(default="cross-cutting", compare=False)
    balance: Balance = field(default=Balance(), compare=False)


NOT_THERE = "There is no question with this id, or it is not yours to see."
LEFT_OUT = frozenset(
    {"id", "hub", "version", "workfields", "balance", "hubs", "invited", "recruited_on", "demonstration"}
)


def question_of(
    question_id: UUID, hub: str, external_id: str | None, status: str, fields: Mapping[str, Any]
) -> Question:
    """A question made from what was sent: fields by the names of `Question`, compensation and period as their members."""
    bare = Question(question_id, hub, "", "", (), (), external_id=external_id, status=status)
    return replace(bare, **_merged(bare, fields))


def _merged(present: Question, fields: Mapping[str, Any]) -> dict[str, Any]:
    """With the given members of compensation and period in those that are there."""
    found = dict(fields)
    for name, empty in (("compensation", Compensation(offered=False)), ("period", Period())):
        if isinstance(found.get(name), Mapping):
            found[name] = replace(getattr(present, name) or empty, **found[name])
    if found.get("period", ...) is None:
        found["period"] = Period()
    return found


async def create_question(
    work: Work, actor: Actor, question: Question, wish: Mapping[str, Any] | None, today: date
) -> UUID:
    """Adds a draft (or an open question) of the actor's own hub, which leads it. `wish` are its levels, see `levels_set`.

    Raises `Forbidden`, `Invalid`, `Conflict`.
    """
    if not may_lead_question(actor, question.hub):
        raise Forbidden("A question is added by the hub that leads it.")
    known = await work.questions.known()
    question = replace(question, hubs=(question.hub,))
    faults = Faults()
    check_basics(question, known, await unknown_names(work, [question]), faults)
    question = _with_levels(question, wish, known, actor, today, faults)
    faults.raise_if_any()
    if question.status not in ("draft", "open"):
        raise Conflict(
            "A question begins as draft or open; its further life is by transitions.",
            code="transition-not-allowed",
            allowed=["draft", "open"],
        )
    question = routed(question, known)
    await work.questions.add(question)
    await work.questions.record(question, actor, "created", differences(None, question, LEFT_OUT))
    return question.id


async def change_question(
    work: Work,
    actor: Actor,
    question_id: UUID,
    changes: Mapping[str, Any],
    wish: Mapping[str, Any] | None,
    version: int | None,
    today: date,
) -> int:
    """Changes the given fields, and the levels that `wish` gives; the new version comes back.

    Raises `NotFound`, `Forbidden`, `Stale`, `Conflict`, `Invalid`.
    """
    present = await own_question(work, actor, question_id, version)
    changed = replace(present, **_merged(present, changes))
    if changed == present and not wish:
        return present.version
    known = await work.questions.known()
    faults = Faults()
    check_basics(changed, known, await unknown_names(work, [changed]), faults)
    changed = _with_levels(changed, wish, known, actor, today, faults)
    faults.raise_if_any()
    return await _saved(work, actor, present, routed(changed, known), "changed")


async def step_question(
    work: Work, actor: Actor, question_id: UUID, to: str, note: str | None, version: int | None
) -> int:
    """Brings a question to another status. Raises as `change_question`; a step that is not allowed names those that are."""
    present = await own_question(work, actor, question_id, version)
    check_step(present, to, note)
    changed = routed(replace(present, status=to), await work.questions.known())
    return await _saved(work, actor, present, changed, to, note)


async def put_matrix(work: Work, actor: Actor, question_id: UUID, matrix: Matrix, version: int | None) -> int:
    """Replaces the matrix. Raises as `change_question`."""
    present = await own_question(work, actor, question_id, version)
    known = await work.questions.known()
    faults = Faults()
    check_matrix(matrix, known, faults)
    faults.raise_if_any()
    return await _saved(work, actor, present, routed(replace(present, matrix=matrix), known), "matrix")


async def put_mix(work: Work, actor: Actor, question_id: UUID, mix: Mix, version: int | None, today: date) -> int:
    """Replaces the mix of participants. Raises as `change_question`."""
    present = await own_question(work, actor, question_id, version)
    known = await work.questions.known()
    faults = Faults()
    changed = on_a_day(replace(present, mix=mix), today)
    check_mix(mix, known, await unknown_names(work, [changed]), faults)
    faults.raise_if_any()
    changed = routed(changed, known)
    return await _saved(work, actor, present, changed, "mix")


async def put_outcome(
    work: Work, actor: Actor, question_id: UUID, outcome: Outcome, version: int | None, today: date
) -> int:
    """Writes down what came of it, from the moment that it is in progress. Raises as `change_question`."""
    present = await own_question(work, actor, question_id, version)
    known = await work.questions.known()
    faults = Faults()
    check_outcome(outcome, [phase.code for phase in present.matrix.phases] or known.phases, today, faults)
    faults.raise_if_any()
    check_outcome_status(present.status)
    return await _saved(work, actor, present, replace(present, outcome=outcome), "outcome")


async def delete_question(work: Work, actor: Actor, question_id: UUID, version: int | None) -> None:
    """Removes a question; its history stays for its hubs, a tombstone for everybody who saw it."""
    present = await own_question(work, actor, question_id, version)
    if not may_lead_question(actor, present.hub):
        raise Forbidden("A question is taken away by the hub that leads it; another hub can leave it.")
    await work.questions.record(replace(present, version=present.version + 1), actor, "deleted", {})
    await work.questions.remove(question_id)


async def link_signal(
    work: Work, actor: Actor, question_id: UUID, signal_id: UUID, version: int | None, *, linked: bool
) -> bool:
    """Says that the question takes up a signal, or no longer. True when that is new.

    Raises `NotFound` for a signal that the actor may not see, and as `change_question`.
    """
    present = await own_question(work, actor, question_id, version, version_needed=False)
    signal = await work.signals.seen(signal_id)
    if linked and signal is None:
        raise NotFound("There is no signal with this id, or it is not yours to see.")
    if linked and signal is not None and signal.status == "withdrawn":
        raise Conflict("A withdrawn signal is not taken up.", code="signal-ended")
    done = await (work.questions.link if linked else work.questions.unlink)(question_id, signal_id)
    if not linked and not done:
        raise NotFound("This signal is not linked to the question, or it is not yours to see.")
    if done:
        await work.questions.change(present)
        shared = signal is not None and signal.status in ("verified", "closed") and signal.visibility != "hub"
        named = str(signal_id) if shared else None  # a draft of one hub is no news for the others
        change = [None, named] if linked else [named, None]
        after = replace(present, version=present.version + 1)
        await work.questions.record(after, actor, "linked" if linked else "unlinked", {"signals": change})
    return done


async def own_question(
    work: Work, actor: Actor, question_id: UUID, version: int | None, *, version_needed: bool = True
) -> Question:
    """The question, locked, when one of the actor's. Others hear of it only what they may read.

    Raises `NotFound`, `Forbidden`, `Stale`, `VersionRequired`, and `Conflict` for one that was cancelled.
    """
    present = await work.questions.get(question_id) if actor.role == "hub" else None
    if present is None or not may_change_question(actor, present.hubs):
        seen = await work.questions.seen(question_id)
        if seen is None:
            raise NotFound(NOT_THERE)
        if actor.role == "hub" and actor.hub in seen.invited:
            raise Forbidden("Accept the invitation first.", code="invitation-open")
        raise Forbidden("A question is changed by its own hubs.")
    if version is not None or version_needed:
        check_version(version, present.version)
    return present


def _with_levels(
    question: Question, wish: Mapping[str, Any] | None, known: Known, actor: Actor, today: date, faults: Faults
) -> Question:
    if not wish:
        return question
    levels = levels_set(question.levels, wish, known.ladders, question.status, actor.hub or "", today, faults)
    return replace(question, levels=levels)


async def _saved(
    work: Work, actor: Actor, present: Question, changed: Question, action: str, note: str | None = None
) -> int:
    """Writes the next version, unless nothing changed. Raises `Conflict` for a question that was cancelled."""
    if changed == present:
        return present.version
    check_going(present.status)
    await work.questions.change(changed)
    after = replace(changed, version=present.version + 1)
    await work.questions.record(after, actor, action, differences(present, changed, LEFT_OUT), note)
    return after.version


__all__ = [
    "TRANSITIONS", "Compensation", "Invalid", "Origin", "Period", "Question", "Scope", "Status", "Visibility",
]  # fmt: skip
