"""Pushing over GraphQL, whatever the noun: what a push is answered with, and the faults of form in an item."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import orjson
import strawberry
from strawberry import Info
from strawberry.scalars import JSON

from app.api.graphql.writing import created
from app.api.push import as_json, with_results
from app.domain.access import Actor
from app.domain.errors import Fault, Invalid
from app.domain.push import MAX_ITEMS, BatchRefused, Item, Mode, Result
from app.domain.work import Work


@strawberry.type(description="One fault in an item.")
class PushError:
    in_: str = strawberry.field(name="in")
    location: str
    code: str
    detail: str


@strawberry.type(
    description="What stood in the way: the statuses that could be asked for, or what is there and was given."
)
class PushConflict:
    allowed: list[str] | None
    current: JSON | None
    given: JSON | None


@strawberry.type(
    description="What became of one item: `created`, `updated`, `unchanged`, `deleted`, or `refused` with its errors."
)
class PushResult:
    external_id: str | None
    id: UUID | None
    version: int | None
    result: str
    errors: list[PushError]
    conflict: PushConflict | None


@strawberry.type(description="A result for each item, in order.")
class PushResults:
    results: list[PushResult]


Push = Callable[[Work, Actor, Mode], Awaitable[list[Result]]]


def check_batch(mode: str, items: list[Any]) -> Mode:
    """Raises `Invalid` for a mode that is none, and for too many items."""
    if mode not in ("partial", "atomic"):
        raise Invalid([Fault("body", "mode", "unknown-code", "One of these is needed: 'partial' or 'atomic'.")])
    if len(items) > MAX_ITEMS:
        raise Invalid([Fault("body", "items", "too-many", f"At most {MAX_ITEMS} items are allowed.")])
    return "atomic" if mode == "atomic" else "partial"


async def push_batch(info: Info, key: str | None, asked: Any, mode: Mode, push: Push) -> PushResults:
    """Carries out the batch; with a key it happens once."""

    async def act(work: Work, actor: Actor) -> str:
        # As text: as the results are remembered for the key.
        try:
            results = await push(work, actor, mode)
        except BatchRefused as error:
            raise with_results(error) from None
        return orjson.dumps([as_json(result) for result in results]).decode()

    body = await created(info, key, asked, act)
    return PushResults(results=[_shown(result) for result in orjson.loads(body)])


def item_of(item: Any, noun: str, content: Callable[[Any], Any]) -> Item:
    """One item of a batch, with the content in its field `noun`. Its faults are its own."""
    faults, sent = version_faults(item.version), getattr(item, noun)
    if item.delete and sent is not None:
        faults.append(Fault("body", noun, "unknown-field", "What is deleted has no content."))
    if not item.delete and sent is None:
        faults.append(Fault("body", noun, "required", "This field is required."))
    return Item(item.external_id, None if sent is None else content(sent), item.version, faults)


def version_faults(version: int | None) -> list[Fault]:
    """The fault of a version that cannot be one."""
    if version is None or version >= 0:
        return []
    return [Fault("body", "version", "out-of-range", "At least 0 is needed.")]


def _shown(result: dict[str, Any]) -> PushResult:
    conflict = result["conflict"]
    return PushResult(
        external_id=result["externalId"],
        id=None if result["id"] is None else UUID(result["id"]),
        version=result["version"],
        result=result["result"],
        errors=[
            PushError(in_=e["in"], location=e["location"], code=e["code"], detail=e["detail"]) for e in result["errors"]
        ],
        conflict=None if conflict is None else PushConflict(**conflict),
    )
