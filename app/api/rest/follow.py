"""Following a signal: the code that its hub hands out, and what anybody who has it may read."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import orjson
from fastapi import APIRouter, Response
from pydantic import Field

from app.api.rest.answers import respond
from app.api.rest.contract import Reference, responses
from app.api.rest.doors import Ask, Door
from app.api.rest.signals import SignalId
from app.api.rest.terms import TermReference
from app.domain import follow
from app.domain.errors import Fault, Invalid

router = APIRouter(prefix="/v1", tags=["Signals"], route_class=Door)

EXAMPLE = "4t7m-0kqx-b92v-hs1n-zc6d-w3fg-8yra"
NO_STORE = {"cache-control": "no-store"}
HEADER: Any = {
    "parameters": [
        {
            "name": "Follow-Code", "in": "header", "required": True, "example": EXAMPLE, "schema": {"type": "string"},
            "description": "The code that the hub gave. Case, spaces and hyphens do not matter.",
        }
    ]
}  # fmt: skip


class FollowCode(Reference):
    """A new follow code. It is shown this once; only its hash is kept."""

    follow_code: str = Field(examples=[EXAMPLE])


class FollowedHub(Reference):
    """Whom to ask."""

    slug: str
    name: str
    contact: str | None
    website: str | None


class FollowedAnswer(Reference):
    """What an umbrella does with it. Its answer, when it has answered or declined."""

    umbrella: TermReference
    state: TermReference
    respond_by: date
    responded_at: datetime | None
    response: str | None


class FollowedStep(Reference):
    """What the hub did, as far as it made that public."""

    kind: TermReference
    on: date
    summary: str


class FollowedBundle(Reference):
    """The national matter that it was gathered into, and its answer. A title where the matter is public."""

    title: str | None
    matter: TermReference = Field(examples=[{"code": "in-progress", "label": "In behandeling"}])
    response: str | None


class FollowedSignal(Reference):
    """How a signal stands, for the person who spoke up: not what it says."""

    status: TermReference = Field(examples=[{"code": "verified", "label": "Bevestigd door de hub"}])
    received_on: date
    verified_on: date | None
    updated_on: date
    hub: FollowedHub
    answers: list[FollowedAnswer]
    follow_ups: list[FollowedStep]
    bundles: list[FollowedBundle]


@router.get(
    "/follow",
    summary="Read how a signal stands with its follow code",
    description="For the person who spoke up, without an account. The state alone: he knows what he said, and whoever "
    "finds the code learns nothing of it. Wrong codes count against a limit, for an address and for everybody; `429` says "
    "in `Retry-After` when to come back.",
    responses=responses(FollowedSignal, missing=True, writes=True),
    openapi_extra=HEADER,
)
async def follow_signal(asking: Ask) -> Response:
    code = asking.request.headers.get("follow-code", "").strip()
    if not code:
        raise Invalid([Fault("header", "Follow-Code", "required", "Send the follow code in this header.")])
    asked = asking.asked
    found = await follow.follow_signal(asking.services.following, code, asked.address, asked.language)
    return respond(asking, orjson.dumps(found), None, NO_STORE)


@router.post(
    "/signals/{id}/follow-code",
    summary="Give out a new follow code",
    description="By the hub of the signal. Each request gives a new one, and the code before it opens nothing any more. The signal itself does not change.",
    responses=responses(FollowCode, missing=True, writes=True),
)
async def issue_follow_code(asking: Ask, id: SignalId) -> Response:
    actor = asking.asked.actor
    async with asking.services.writing(actor) as work:
        code = await follow.issue_code(work, actor, id)
    return respond(asking, orjson.dumps({"followCode": code}), None, NO_STORE)
