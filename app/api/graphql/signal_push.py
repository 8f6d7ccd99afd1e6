"""Signals by their hub's own ids: one at a time, or up to a thousand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

import orjson
import strawberry
from strawberry import Info
from strawberry.scalars import JSON

from app.api.graphql.connections import answered
from app.api.graphql.selecting import Projected
from app.api.graphql.signals import DeletedPayload, Signal, SignalPayload
from app.api.graphql.writing import created, given, write
from app.api.identity import new_id
from app.api.push import as_json, told, with_results
from app.domain import signal_push
from app.domain.access import Actor
from app.domain.errors import Fault, Invalid
from app.domain.push import MAX_ITEMS, BatchRefused, Item, Mode, Result
from app.domain.work import Work


@strawberry.input(
    description="A whole signal, as its hub has it: what is left out is empty. Without `heardOn` it keeps its day, without "
    "`status` it stays where it is; with a status the steps that lead there are taken."
)
class SignalContent:
    kind: str
    title: str
    themes: list[str]
    region: str
    description: str = ""
    workfields: list[str] | None = None
    scale: str | None = None
    groups: list[str] = strawberry.field(default_factory=list)
    channel: str | None = None
    heard_on: date | None = None
    people_count: int | None = None
    visibility: str = "network"
    status: str | None = None


@strawberry.input(
    description="One signal of a push: its content, or `delete`. `version` is the one it is based on; 0: nothing is there."
)
class PushedSignal:
    external_id: str
    signal: SignalContent | None = None
    delete: bool = False
    version: int | None = None


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


PROJECTED = {
    "signalByExternalId": Projected("signal", "one", {"hub": "hub", "externalId": "externalId"}),
}


@strawberry.type
class SignalPushQuery:
    """The root fields of signals by their hub's own ids."""

    @strawberry.field(description="One signal by its hub's own id; null when it is not there, or not yours to see.")
    async def signal_by_external_id(
        self, info: Info, hub: str, external_id: str, as_of: date | None = None
    ) -> Signal | None:
        return await answered(info, PROJECTED["signalByExternalId"])


@strawberry.type
class SignalPushMutation:
    """Changes of signals by their hub's own ids."""

    @strawberry.mutation(
        description="Add or replace a signal by your own id; the same again changes nothing. It needs no version."
    )
    async def put_signal(
        self, info: Info, hub: str, external_id: str, signal: SignalContent, version: int | None = None
    ) -> SignalPayload:
        item = Item(external_id, _content(signal), version, _faults(version))
        result = await write(info, lambda work, actor: told(_push(info, work, actor, hub, item)))
        return SignalPayload(signal_id=result.id)

    @strawberry.mutation(
        description=f"Push up to {MAX_ITEMS:,} signals by your own ids. `partial` carries out what can be; `atomic` all or "
        "nothing: refused, its error has the code `batch-refused` and the results. With an idempotency key it happens once."
    )
    async def push_signals(
        self,
        info: Info,
        hub: str,
        items: list[PushedSignal],
        mode: str = "partial",
        idempotency_key: str | None = None,
    ) -> PushResults:
        if mode not in ("partial", "atomic"):
            raise Invalid([Fault("body", "mode", "unknown-code", "One of these is needed: 'partial' or 'atomic'.")])
        if len(items) > MAX_ITEMS:
            raise Invalid([Fault("body", "items", "too-many", f"At most {MAX_ITEMS} items are allowed.")])
        read = [_item(item) for item in items]
        asked = ("pushSignals", hub, mode, [given(item) for item in items])
        body = await created(
            info, idempotency_key, asked, lambda work, actor: _pushed(info, work, actor, hub, read, mode)
        )
        return PushResults(results=[_shown(result) for result in orjson.loads(body)])

    @strawberry.mutation(
        description="Delete a signal by your own id; its history stays for its hub. It needs no version."
    )
    async def delete_signal_by_external_id(
        self, info: Info, hub: str, external_id: str, version: int | None = None
    ) -> DeletedPayload:
        item = Item(external_id, None, version, _faults(version))
        result = await write(info, lambda work, actor: told(_push(info, work, actor, hub, item)))
        return DeletedPayload(id=result.id)


async def _push(info: Info, work: Work, actor: Actor, hub: str, item: Item) -> Result:
    context = info.context
    return await signal_push.push_signal(work, actor, hub, item, context.today, new_id, context.response_weeks)


async def _pushed(info: Info, work: Work, actor: Actor, hub: str, items: list[Item], mode: str) -> str:
    """The results as text: as they are remembered for the key."""
    context = info.context
    chosen: Mode = "atomic" if mode == "atomic" else "partial"
    try:
        results = await signal_push.push_signals(
            work, actor, hub, items, chosen, context.today, new_id, context.response_weeks
        )
    except BatchRefused as error:
        raise with_results(error) from None
    return orjson.dumps([as_json(result) for result in results]).decode()


def _item(item: PushedSignal) -> Item:
    faults = _faults(item.version)
    if item.delete and item.signal is not None:
        faults.append(Fault("body", "signal", "unknown-field", "What is deleted has no content."))
    if not item.delete and item.signal is None:
        faults.append(Fault("body", "signal", "required", "This field is required."))
    content = None if item.signal is None else _content(item.signal)
    return Item(item.external_id, content, item.version, faults)


def _faults(version: int | None) -> list[Fault]:
    if version is None or version >= 0:
        return []
    return [Fault("body", "version", "out-of-range", "At least 0 is needed.")]


def _content(signal: SignalContent) -> Mapping[str, Any]:
    found = given(signal)
    for name in ("themes", "groups", "workfields"):
        if found[name] is not None:
            found[name] = tuple(dict.fromkeys(found[name]))
    return found


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
