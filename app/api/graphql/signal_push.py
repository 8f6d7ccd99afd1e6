"""Signals by their hub's own ids: one at a time, or up to a thousand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import strawberry
from strawberry import Info

from app.api.graphql.connections import answered
from app.api.graphql.push import PushResults, check_batch, item_of, push_batch, version_faults
from app.api.graphql.selecting import Projected
from app.api.graphql.signals import DeletedPayload, Signal, SignalPayload
from app.api.graphql.writing import given, write
from app.api.push import told
from app.domain import signal_push
from app.domain.access import Actor
from app.domain.ids import new_id
from app.domain.push import MAX_ITEMS, Item, Result
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
        item = Item(external_id, _content(signal), version, version_faults(version))
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
        chosen = check_batch(mode, items)
        read = [item_of(item, "signal", _content) for item in items]
        context = info.context
        return await push_batch(
            info,
            idempotency_key,
            ("pushSignals", hub, mode, [given(item) for item in items]),
            chosen,
            lambda work, actor, mode: signal_push.push_signals(
                work, actor, hub, read, mode, context.today, new_id, context.response_weeks
            ),
        )

    @strawberry.mutation(
        description="Delete a signal by your own id; its history stays for its hub. It needs no version."
    )
    async def delete_signal_by_external_id(
        self, info: Info, hub: str, external_id: str, version: int | None = None
    ) -> DeletedPayload:
        item = Item(external_id, None, version, version_faults(version))
        result = await write(info, lambda work, actor: told(_push(info, work, actor, hub, item)))
        return DeletedPayload(id=result.id)


async def _push(info: Info, work: Work, actor: Actor, hub: str, item: Item) -> Result:
    context = info.context
    return await signal_push.push_signal(work, actor, hub, item, context.today, new_id, context.response_weeks)


def _content(signal: SignalContent) -> Mapping[str, Any]:
    found = given(signal)
    for name in ("themes", "groups", "workfields"):
        if found[name] is not None:
            found[name] = tuple(dict.fromkeys(found[name]))
    return found
