"""Several hubs in one question: one leads and invites, the others accept, decline or leave."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from app.domain.access import Actor, may_lead_question
from app.domain.errors import Conflict, Forbidden, NotFound, Stale
from app.domain.questions import NOT_THERE, Question
from app.domain.versions import check_version
from app.domain.work import Work

MAX_HUBS = 20


async def put_hub(work: Work, actor: Actor, question_id: UUID, hub: str, version: int | None) -> bool:
    """By the hub that leads: invites the other. By the other: accepts the invitation. True when that is new.

    Raises `NotFound`, `Forbidden` (without an invitation nobody joins), `Conflict`, `Stale`.
    """
    present = await _seen(work, question_id, version)
    if not await work.hubs.exists(hub):
        raise NotFound("There is no hub with this slug.")
    if may_lead_question(actor, present.hub) and hub != present.hub:
        if hub in (*present.hubs, *present.invited):
            return False
        if len(present.hubs) + len(present.invited) >= MAX_HUBS:
            raise Conflict(f"At most {MAX_HUBS} hubs take part in a question.", code="too-many-hubs")
        await _save(work, actor, replace(present, invited=(*present.invited, hub)), "invited", hub)
        return True
    if actor.role != "hub" or actor.hub != hub:
        raise Forbidden("The hub that leads a question invites others, and each accepts for itself.")
    if hub in present.hubs:
        return False
    if hub not in present.invited:
        raise Forbidden("A hub joins the question of another on its invitation.", code="invitation-needed")
    invited = tuple(other for other in present.invited if other != hub)
    await _save(work, actor, replace(present, hubs=(*present.hubs, hub), invited=invited), "joined", hub)
    return True


async def remove_hub(work: Work, actor: Actor, question_id: UUID, hub: str, version: int | None) -> None:
    """By the hub that leads: takes another out. By the other: leaves, or declines the invitation. Raises as `put_hub`."""
    present = await _seen(work, question_id, version)
    if not may_lead_question(actor, present.hub) and (actor.role != "hub" or actor.hub != hub):
        raise Forbidden("The hub that leads a question takes others out, and each leaves for itself.")
    if hub not in (*present.hubs, *present.invited):
        raise NotFound("This hub does not take part in the question, and was not invited to.")
    if hub == present.hub:
        raise Conflict("The hub that leads a question stays with it.", code="lead-stays")
    hubs, invited = (tuple(other for other in group if other != hub) for group in (present.hubs, present.invited))
    action = "left" if actor.hub == hub else "removed"
    if actor.hub == hub and hub in present.invited:
        action = "declined"
    await _save(work, actor, replace(present, hubs=hubs, invited=invited), action, hub)


async def _seen(work: Work, question_id: UUID, version: int | None) -> Question:
    present = await work.questions.seen(question_id)
    if present is None:
        raise NotFound(NOT_THERE)
    if version is not None:
        check_version(version, present.version)
    if present.status in ("cancelled", "followed-up"):
        raise Conflict(f"A question that is {present.status} has the hubs that it has.", code="question-ended")
    return present


async def _save(work: Work, actor: Actor, changed: Question, action: str, hub: str) -> None:
    after = replace(changed, version=changed.version + 1)
    joined = action in ("invited", "joined")
    change = {"invited" if action in ("invited", "declined") else "hubs": [None, hub] if joined else [hub, None]}
    leaves = actor.hub not in (*changed.hubs, *changed.invited)
    if leaves:  # while it still may: afterwards this is no longer its history
        await work.questions.record(after, actor, action, change)
    if not await work.questions.regroup(changed):
        raise Stale("Somebody else changed it at this moment. Read it again and repeat.", current=changed.version + 1)
    if not leaves:
        await work.questions.record(after, actor, action, change)
