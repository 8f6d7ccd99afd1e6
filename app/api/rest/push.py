"""Pushing over REST, whatever the noun: the envelope of a batch, as JSON or as lines, and its answer.

A batch is read item by item: what is wrong with one is told of that one, and the others are not in its way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

import orjson
from fastapi import Path, Response
from pydantic import BaseModel, Field, SkipValidation, ValidationError
from starlette.convertors import Convertor, register_url_convertor

from app.api.accepting import JSON
from app.api.problems import faults_of
from app.api.push import as_json, with_results
from app.api.rest.answers import Strict
from app.api.rest.contract import ProblemError, Reference
from app.api.rest.doors import UNREADABLE, Asking, has_nul
from app.api.rest.writing import repeatable, version_given
from app.domain.checking import MAX_EXTERNAL_ID
from app.domain.errors import Fault, Invalid, NotFound
from app.domain.push import MAX_ITEMS, NEW, BatchRefused, Item, Mode, Outcome, Result
from app.domain.work import Work

NDJSON = "application/x-ndjson"


class _OwnIdInAddress(Convertor[str]):
    """The rest of an address, slashes and all, but not nothing: `{externalId:own}`."""

    regex = "(?s:.+)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("own", _OwnIdInAddress())

ExternalId = Annotated[
    str,
    Path(
        max_length=MAX_EXTERNAL_ID,
        description="The hub's own id, percent-encoded: any printable characters, a slash as well.",
        examples=["GR-2026-0042"],
    ),
]
MODE = "`partial` (when absent) carries out what can be; `atomic` all or nothing."
AT_A_TIME = 50
"""Items read before others get their turn."""
OwnId = Annotated[str, Field(min_length=1, max_length=MAX_EXTERNAL_ID, description="The hub's own id of it.")]
BasedOn = Annotated[
    Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)] | None,
    Field(description="The version that this is based on: another one there is a conflict. 0: nothing is there yet."),
]


BATCH_RULES = (
    f"Up to {MAX_ITEMS:,} items as JSON, or one in each line (`application/x-ndjson`), best packed with "
    "`Content-Encoding: gzip`. Each adds or replaces a {noun}, or takes it away; a result for each, in order.\n\n"
    "{rules}\n\n"
    "A `version` in an item says what it is based on; when something else is there, it is refused with both contents "
    "(`conflict`). Two items of one external id are both refused.\n\n"
    "`partial` answers 200, whatever became of the items. `atomic` answers 200 when all were carried out; otherwise "
    "none is, and it answers 400 (`batch-refused`) with every fault in `errors`, located as `items[3].title`, and with "
    "`results` in which items that were fine have the code `not-carried-out`."
)


class Deletion(Strict):
    """An item that takes away what is there under this id. What is not there stays `unchanged`."""

    externalId: OwnId
    delete: Literal[True]
    version: BasedOn = None


class PushConflict(Reference):
    """What stood in the way."""

    allowed: list[str] | None = Field(description="The statuses that the item could have asked for.")
    current: dict[str, Any] | None = Field(description="What is there, as an item has it.")
    given: dict[str, Any] | None = Field(description="What the item asked for; null where it asked to delete.")


class PushResult(Reference):
    """What became of one item."""

    external_id: str | None = Field(description="Null where the item has none that can be one.")
    id: UUID | None
    version: int | None = Field(description="Of what is there now.")
    result: Outcome
    errors: list[ProblemError] = Field(description="Why it was refused: every fault in it, by its own fields.")
    conflict: PushConflict | None


class PushResults(Reference):
    """A result for each item, in order."""

    results: list[PushResult]


class Batch(Strict):
    """Items to carry out, each by itself or all together. Nouns say what an item is."""

    media: ClassVar = (JSON, NDJSON)

    mode: Annotated[Mode | None, Field(description=MODE)] = None
    items: Annotated[list[SkipValidation[Any]], Field(max_length=MAX_ITEMS)]

    @staticmethod
    def parse(body: bytes, media: str, faults: list[Fault]) -> Any:
        """The envelope; of lines one is made around them. What cannot be read is told of its item."""
        if media == NDJSON:
            return {"items": _lines(body)}
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            faults.append(Fault("body", "", "invalid-json", "The body is not valid JSON in UTF-8."))
            return UNREADABLE


class BatchQuery(Strict):
    mode: Annotated[Mode | None, Field(description=f"{MODE} Lines have no other place to say so.")] = None


class Broken:
    """A line that is no JSON."""

    def __init__(self, number: int) -> None:
        self.number = number


def _lines(body: bytes) -> list[Any]:
    """What each line holds; empty ones hold nothing. No more than are too many."""
    found: list[Any] = []
    for number, line in enumerate(body.split(b"\n"), 1):
        if len(found) > MAX_ITEMS:
            break
        if line.strip():
            try:
                found.append(orjson.loads(line))
            except orjson.JSONDecodeError:
                found.append(Broken(number))
    return found


Read = Callable[[Any], Mapping[str, Any]]


def item_of(raw: Any, model: type[BaseModel], content: Read, *, nul: bool = False) -> Item:
    """One item of a batch: an upsert as this model, or a deletion. Its faults are its own.

    `nul` says that some item holds the character that PostgreSQL cannot keep.
    """
    if isinstance(raw, Broken):
        return Item(None, faults=[Fault("body", "", "invalid-json", f"Line {raw.number} is not JSON in UTF-8.")])
    if not isinstance(raw, dict):
        return Item(None, faults=[Fault("body", "", "wrong-type", "A JSON object is needed.")])
    given = raw.get("externalId")
    named = given if isinstance(given, str) and 0 < len(given) <= MAX_EXTERNAL_ID else None
    deletes = raw.get("delete", False) is not False
    try:
        read: Any = (Deletion if deletes else model).model_validate(raw)
    except ValidationError as error:
        return Item(named, faults=faults_of(error.errors(include_url=False, include_input=False), "body"))
    if nul and has_nul(raw):
        return Item(named, faults=[Fault("body", "", "control-character", "U+0000 is not accepted in texts.")])
    return Item(read.externalId, None if deletes else content(read), read.version)


def mode_of(query: BatchQuery, body: Batch) -> Mode:
    """Partial unless something else is said, in one place or the other. Raises `Invalid` where both differ."""
    if body.mode is not None and query.mode not in (None, body.mode):
        raise Invalid([Fault("query", "mode", "contradiction", "The body says another mode than the address.")])
    return body.mode or query.mode or "partial"


Push = Callable[[Work, list[Item], Mode], Awaitable[list[Result]]]


async def push_batch(
    asking: Asking, query: BatchQuery, body: Batch, model: type[BaseModel], content: Read, push: Push
) -> Response:
    """Reads the items, carries out the batch and answers with its results. With an `Idempotency-Key` it happens once."""
    mode = mode_of(query, body)
    given: list[Any] = body.items
    nul = b"\\u0000" in asking.body_bytes
    items = []
    for place, raw in enumerate(given):
        items.append(item_of(raw, model, content, nul=nul))
        if place % AT_A_TIME == AT_A_TIME - 1:
            await asyncio.sleep(0)

    async def act(work: Work) -> bytes:
        try:
            results = await push(work, items, mode)
        except BatchRefused as error:
            raise with_results(error) from None
        return orjson.dumps({"results": [as_json(result) for result in results]})

    return await repeatable(asking, act)


def check_address(asking: Asking) -> None:
    """An id that ends in a slash is written with %2F; a bare one at the end is a mistake. Raises `NotFound`."""
    if asking.request.scope.get("raw_path", b"").endswith(b"/"):
        raise NotFound("There is nothing at this address. Write a slash in an id as %2F.")


def wish(asking: Asking) -> int | None:
    """What `If-Match` and `If-None-Match: *` ask of what is there; None without them."""
    if asking.request.headers.get("if-none-match") is None:
        return version_given(asking)
    if asking.request.headers["if-none-match"].strip() != "*" or "if-match" in asking.request.headers:
        detail = "With a change this can be * alone, and without If-Match: nothing is there yet."
        raise Invalid([Fault("header", "If-None-Match", "invalid-etag", detail)])
    return NEW


def described(noun: str, lines: str) -> dict[str, Any]:
    """What the contract says of the body of a batch beyond its schema: that lines are taken as well."""
    schema = {"type": "string", "description": f"One {noun} in each line, as in `items`."}
    return {"requestBody": {"content": {NDJSON: {"schema": schema, "example": lines}}}}
