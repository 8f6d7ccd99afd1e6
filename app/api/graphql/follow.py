"""Following a signal as a root field and a mutation: the same look, the same limit."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import strawberry
from strawberry import Info

from app.api.graphql.national import TermReference
from app.api.graphql.shaping import ready
from app.api.graphql.writing import write
from app.domain import follow
from app.domain.errors import Fault, Invalid

PROJECTED: dict[str, Any] = {}


@strawberry.type(description="Whom to ask.")
class FollowedHub:
    slug: str
    name: str
    contact: str | None
    website: str | None


@strawberry.type(description="What an umbrella does with it. Its answer, when it has answered or declined.")
class FollowedAnswer:
    umbrella: TermReference
    state: TermReference
    respond_by: date
    responded_at: datetime | None
    response: str | None


@strawberry.type(description="What the hub did, as far as it made that public.")
class FollowedStep:
    kind: TermReference
    on: date
    summary: str


@strawberry.type(description="The national matter that it was gathered into, and its answer.")
class FollowedBundle:
    title: str | None
    matter: TermReference
    response: str | None


@strawberry.type(description="How a signal stands, for the person who spoke up: not what it says.")
class FollowedSignal:
    status: TermReference
    received_on: date
    verified_on: date | None
    updated_on: date
    hub: FollowedHub
    answers: list[FollowedAnswer]
    follow_ups: list[FollowedStep]
    bundles: list[FollowedBundle]


@strawberry.type(description="A new follow code. It is shown this once; only its hash is kept.")
class FollowCodePayload:
    follow_code: str


@strawberry.type
class FollowQuery:
    """The root field of who has a code."""

    @strawberry.field(description="How the signal with this follow code stands. By POST alone.")
    async def follow(self, info: Info, code: str) -> FollowedSignal:
        context = info.context
        if not context.by_post:  # an address is kept by whoever passes it on
            raise Invalid([Fault("query", "code", "post-only", "Send a follow code in the body of a POST.")])
        following = context.services.following
        found = await follow.follow_signal(following, code, context.address, context.language)
        return ready(info, found)


@strawberry.type
class FollowMutation:
    """Codes are given out by the hub."""

    @strawberry.mutation(description="Give out a new follow code for a signal of your hub; the one before it ends.")
    async def issue_follow_code(self, info: Info, id: UUID) -> FollowCodePayload:
        code = await write(info, lambda work, actor: follow.issue_code(work, actor, id))
        return FollowCodePayload(follow_code=code)
