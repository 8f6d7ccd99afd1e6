"""Signals by their hub's own ids: one at a time, or up to a thousand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict, Field, SkipValidation

from app.api.push import told
from app.api.rest.answers import OneQuery, one
from app.api.rest.contract import responses
from app.api.rest.doors import Ask, Asking, Door
from app.api.rest.hubs import Slug
from app.api.rest.push import (
    BATCH_RULES,
    BasedOn,
    Batch,
    BatchQuery,
    Deletion,
    ExternalId,
    OwnId,
    PushResults,
    check_address,
    described,
    push_batch,
    wish,
)
from app.api.rest.signals import SIGNAL, Codes, Signal, SignalFields, Title, fields_of
from app.api.rest.writing import change, remove, representation
from app.domain import signal_push
from app.domain.ids import new_id
from app.domain.push import MAX_ITEMS, Item, Mode, Result
from app.domain.reading import Selection
from app.domain.signal_rules import Kind, Status
from app.domain.work import Work

router = APIRouter(prefix="/v1", tags=["Sync"], route_class=Door)

RULES = """\
The signal as it must be: what is left out is empty. Without `heardOn` it keeps its day (a new one was heard today).

Without `status` it stays where it is in its life (a new one is a draft): leave it out when Knooppunt keeps that. With a
status the steps that lead there are taken: `verified` forwards it to the umbrellas concerned, `closed` needs a follow-up
or an answer, and new words of a verified signal ask for `verified` anew. What cannot be reached is a conflict that names
what can (`allowed`). A closed or withdrawn signal does not change any more. Umbrellas that the hub chose itself stay.

The same again changes nothing: the same version, no history, no entry in the change log."""
EXAMPLE: Any = {
    "mode": "partial",
    "items": [
        {
            "externalId": "GR-2026-0042", "kind": "knelpunt", "title": "Lang wachten op een intake",
            "description": "Wie hulp vraagt, hoort maanden niets.", "themes": ["wachttijden"], "region": "GG2014",
            "heardOn": "2026-03-05", "status": "submitted",
        },
        {"externalId": "GR-2025-0007", "delete": True},
    ],
}  # fmt: skip
LINES = (
    '{"externalId": "GR-2026-0042", "kind": "knelpunt", "title": "Lang wachten op een intake", "themes": ["wachttijden"], '
    '"region": "GG2014"}\n{"externalId": "GR-2025-0007", "delete": true}\n'
)


class SignalContent(SignalFields):
    """A whole signal, as its hub has it."""

    kind: Kind
    title: Title
    description: Annotated[str, Field(max_length=200_000)] = ""
    groups: Codes = []
    themes: Annotated[Codes, Field(examples=[["wachttijden"]])]
    region: Annotated[str, Field(max_length=20, examples=["GG2014"])]
    status: Annotated[
        Status | None, Field(description="The steps that lead there are taken; absent, it stays where it is.")
    ] = None


class PushedSignal(SignalContent):
    """An item that adds a signal, or replaces it."""

    externalId: OwnId
    version: BasedOn = None
    delete: Literal[False] = False


class SignalBatch(Batch):
    """Items to carry out, each by itself or all together."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    items: Annotated[list[SkipValidation[PushedSignal | Deletion]], Field(max_length=MAX_ITEMS)]


@router.get(
    "/hubs/{slug}/signals/{externalId:own}",
    summary="Read a signal by its hub's own id",
    responses=responses(Signal, missing=True),
)
async def read_hub_signal(
    asking: Ask, slug: Slug, externalId: ExternalId, query: Annotated[OneQuery, Query()]
) -> Response:
    check_address(asking)
    return await one(asking, "signal", SIGNAL, query, {"hub": slug, "externalId": externalId})


@router.put(
    "/hubs/{slug}/signals/{externalId:own}",
    summary="Add or replace a signal by your own id",
    description=RULES + "\n\nNeeds no `If-Match`; with it, or with `If-None-Match: *`, it goes by what is there.",
    responses={
        **responses(Signal, missing=True, writes=True),
        201: {"model": Signal, "description": "A new signal."},
    },
)
async def put_hub_signal(asking: Ask, slug: Slug, externalId: ExternalId, body: SignalContent) -> Response:
    check_address(asking)
    item = Item(externalId, _content(body), wish(asking))
    return await change(
        asking,
        _by_own_id(asking, slug, externalId),
        lambda work: told(_push(asking, work, slug, item)),
        lambda result: 201 if result.result == "created" else 200,
    )


@router.delete(
    "/hubs/{slug}/signals/{externalId:own}",
    summary="Delete a signal by your own id",
    description="Leaves its history for its hub, and a tombstone in the change log. Needs no `If-Match`.",
    status_code=204,
    responses={204: {"description": "Done."}, 404: {"description": "Not there, or not yours to see."}},
)
async def delete_hub_signal(asking: Ask, slug: Slug, externalId: ExternalId) -> Response:
    check_address(asking)
    item = Item(externalId, None, wish(asking))
    return await remove(
        asking,
        _by_own_id(asking, slug, externalId),
        lambda work: told(_push(asking, work, slug, item)),
    )


@router.post(
    "/hubs/{slug}/signals/_batch",
    summary="Push many signals by your own ids",
    description=BATCH_RULES.format(noun="signal", rules=RULES),
    responses=responses(PushResults, missing=True, writes=True),
    openapi_extra=described("signal or deletion", LINES),
)
async def push_hub_signals(
    asking: Ask, slug: Slug, query: Annotated[BatchQuery, Query()], body: SignalBatch
) -> Response:
    async def push(work: Work, items: list[Item], mode: Mode) -> list[Result]:
        services = asking.services
        return await signal_push.push_signals(
            work, asking.asked.actor, slug, items, mode, services.today(), new_id, services.response_weeks
        )

    return await push_batch(asking, query, body, PushedSignal, _content, push)


def _push(asking: Asking, work: Work, slug: str, item: Item) -> Any:
    services = asking.services
    return signal_push.push_signal(
        work, asking.asked.actor, slug, item, services.today(), new_id, services.response_weeks
    )


def _by_own_id(asking: Asking, slug: str, external_id: str) -> Selection:
    return representation(asking, "signal", SIGNAL, {"hub": slug, "externalId": external_id})


def _content(body: SignalContent) -> Mapping[str, Any]:
    return {**fields_of(body, set(SignalFields.model_fields)), "status": body.status}
