"""What every mutation has in common: an actor with a token, one transaction, idempotency keys."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
import strawberry
from strawberry import UNSET, Info

from app.api.graphql.executing import Context
from app.domain.access import Actor
from app.domain.errors import Fault, Invalid, Unauthenticated
from app.domain.work import Work

Act = Callable[[Work, Actor], Awaitable[Any]]


@dataclass(slots=True, kw_only=True)
class WritingContext(Context):
    """A context whose mutations can open units of work."""

    work: Any
    services: Any = None
    response_weeks: int = 6
    changes: Any = None
    """The port `ChangeLog`."""


def _actor(info: Info) -> Actor:
    actor: Actor = info.context.actor
    if actor.client is None:
        raise Unauthenticated("This needs a token: `Authorization: Bearer <token>`.")
    return actor


async def write(info: Info, act: Act) -> Any:
    """Runs the use case in one transaction."""
    actor = _actor(info)
    async with info.context.work(actor) as work:
        return await act(work, actor)


async def created(info: Info, key: str | None, content: Any, act: Act) -> Any:
    """Runs a creating use case; with a key it happens once. What it returns names the resource."""
    actor = _actor(info)
    fingerprint = hashlib.sha256(orjson.dumps(content, default=str)).digest()
    async with info.context.work(actor) as work:
        if key is not None:
            before = await work.recall(actor.client, key, fingerprint)
            if before is not None:
                return before["made"]
        made = await act(work, actor)
        if key is not None:
            await work.remember(actor.client, key, fingerprint, {"made": str(made)})
        return made


def given(content: Any, required: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields of an input that were given. Raises `Invalid` when a required one is emptied."""
    found = {name: value for name, value in strawberry.asdict(content).items() if value is not UNSET}
    faults = [
        Fault("body", name, "required", "This cannot be empty.")
        for name in required
        if name in found and found[name] is None
    ]
    if faults:
        raise Invalid(faults)
    return found
