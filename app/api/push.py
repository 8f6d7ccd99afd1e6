"""What a push is answered with, the same through both doors."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any

from app.api.problems import as_dict
from app.domain.checking import camel, plain
from app.domain.errors import Stale
from app.domain.push import BatchRefused, Result


def as_json(result: Result) -> dict[str, Any]:
    """A result by the names of the contract. `conflict` is null where nothing but the item itself is wrong."""
    return {
        "externalId": result.external_id,
        "id": None if result.id is None else str(result.id),
        "version": result.version,
        "result": result.result,
        "errors": [as_dict(fault) for fault in result.errors],
        "conflict": contents(result.conflict) if result.conflict else None,
    }


def contents(conflict: Mapping[str, Any]) -> dict[str, Any]:
    """What stood in the way of a push: `allowed`, or `current` and `given` by the names of the contract."""
    shown: dict[str, Any] = {"allowed": conflict.get("allowed")}
    return shown | {name: _content(conflict.get(name)) for name in ("current", "given")}


async def told(pushing: Awaitable[Result]) -> Result:
    """The result of one item; what is refused for its version brings both contents."""
    try:
        return await pushing
    except Stale as error:
        error.extra = {name: content for name, content in contents(error.extra).items() if name != "allowed"}
        raise


def _content(content: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if content is None:
        return None
    return {camel(name): plain(value) for name, value in content.items()}


def with_results(error: BatchRefused) -> BatchRefused:
    """The refusal of a whole batch with the result of each item in it."""
    error.extra["results"] = [as_json(result) for result in error.results]
    return error
