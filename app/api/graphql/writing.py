"""What every mutation has in common: an actor with a token, one transaction, idempotency keys."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import strawberry
from strawberry import UNSET, Info
from strawberry.utils.str_converters import to_camel_case

from app.api.graphql.executing import Context
from app.domain.access import Actor
from app.domain.errors import DomainError, Fault, Invalid, Unauthenticated
from app.domain.work import Work

Act = Callable[[Work, Actor], Awaitable[Any]]


@dataclass(slots=True, kw_only=True)
class WritingContext(Context):
    """A context whose mutations can open units of work."""

    work: Any
    services: Any = None
    response_weeks: int = 6
    address: str = ""
    by_post: bool = False
    changes: Any = None
    """The port `ChangeLog`."""
    base_url: str = ""


def _actor(info: Info) -> Actor:
    actor: Actor = info.context.actor
    if actor.client is None:
        raise Unauthenticated("This needs a token: `Authorization: Bearer <token>`.")
    return actor


async def write(info: Info, act: Act, refused: Sequence[Fault] = ()) -> Any:
    """Runs the use case in one transaction. With faults found before, it only finds those that are left: it is undone."""
    actor = _actor(info)
    try:
        async with info.context.work(actor) as work:
            outcome = await act(work, actor)
            if refused:
                raise Invalid([])
            return outcome
    except DomainError as error:
        if not refused:
            raise
        raise Invalid([*refused, *(error.faults if isinstance(error, Invalid) else ())]) from error


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
    faults = emptied(content, required)
    if faults:
        raise Invalid(faults)
    return {name: value for name, value in strawberry.asdict(content).items() if value is not UNSET}


def emptied(content: Any, required: tuple[str, ...]) -> list[Fault]:
    """A fault for each required field of an input that is null."""
    return [
        Fault("body", to_camel_case(name), "required", "This cannot be empty.")
        for name in required
        if getattr(content, name, UNSET) is None
    ]
