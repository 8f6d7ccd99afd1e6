"""What every change over REST has in common: versions from `If-Match`, `Idempotency-Key`, the answer after it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import Response

from app.api.rest.answers import etag, respond
from app.api.rest.doors import Asking
from app.api.rest.picks import picks
from app.domain.errors import Fault, Invalid, Stale
from app.domain.reading import Answer, Selection, Shape
from app.domain.versions import ANY_VERSION
from app.domain.work import Work

_TAG = re.compile(r'\s*(?:W/)?"?(\d{1,9})(?:-[0-9a-f]+)?(?:-gzip)?"?\s*\Z')
MAX_KEY = 200


def version_given(asking: Asking) -> int | None:
    """The version in `If-Match`: an ETag as we gave it, or `*`. None without the header."""
    header = asking.request.headers.get("if-match")
    if header is None:
        return None
    if header.strip() == "*":
        return ANY_VERSION
    found = _TAG.match(header)
    if found is None:
        raise Invalid([Fault("header", "If-Match", "invalid-etag", 'Send the ETag as you got it, such as "3-1f2e…".')])
    return int(found[1])


def representation(asking: Asking, noun: str, default: str, filters: Mapping[str, Any]) -> Selection:
    """The resource as GET shows it, for the answer to a change."""
    shape = Shape(noun, "one", picks(default), tuple((name, index) for index, name in enumerate(filters)))
    return Selection(shape, tuple(filters.values()), asking.services.today())


async def change(
    asking: Asking,
    selection: Selection,
    act: Callable[[Work], Awaitable[Any]],
    status: Callable[[Any], int] = lambda _: 200,
) -> Response:
    """Runs the use case in one transaction and answers with the resource as it is after it."""
    async with asking.services.writing(asking.asked.actor) as work:
        outcome = await _with_present_tag(asking, work, selection, act)
        answer = await work.read(selection, asking.asked.language)
    return shown(asking, answer, status(outcome))


async def remove(asking: Asking, selection: Selection, act: Callable[[Work], Awaitable[Any]]) -> Response:
    """Runs a use case that takes the resource away."""
    async with asking.services.writing(asking.asked.actor) as work:
        await _with_present_tag(asking, work, selection, act)
    return Response(status_code=204)


async def _with_present_tag(
    asking: Asking, work: Work, selection: Selection, act: Callable[[Work], Awaitable[Any]]
) -> Any:
    """What `act` gives; a stale version is told with the ETag of the resource as it is."""
    try:
        return await act(work)
    except Stale as error:
        present = await work.read(selection, asking.asked.language)
        if present.version is not None:  # a part, such as a member, goes by the version of its whole
            error.extra["currentETag"] = etag(present.body or b"", present.version)
        raise


async def create(
    asking: Asking,
    act: Callable[[Work], Awaitable[Any]],
    select: Callable[[Any], Selection],
    location: Callable[[Any], str],
) -> Response:
    """Runs a creating use case; with an `Idempotency-Key` it happens once, however often it is sent."""
    actor = asking.asked.actor
    key = _key(asking)
    print_ = hashlib.sha256(asking.request.url.path.encode() + b"\0" + asking.body_bytes).digest()
    async with asking.services.writing(actor) as work:
        if key is not None:
            before = await work.recall(actor.client, key, print_)
            if before is not None:
                answer = Answer(before["body"].encode(), None, before["version"])
                headers = {"location": asking.asked.base_url + before["location"]}
                return shown(asking, answer, 201, {**headers, "content-language": before["language"]})
        made = await act(work)
        answer = await work.read(select(made), asking.asked.language)
        place = location(made)
        if key is not None:
            # As text: the same bytes, and so the same ETag, when it is given again.
            body = (answer.body or b"null").decode()
            first = {"body": body, "version": answer.version, "location": place, "language": asking.asked.language}
            await work.remember(actor.client, key, print_, first)
    return shown(asking, answer, 201, {"location": asking.asked.base_url + place})


async def repeatable(asking: Asking, act: Callable[[Work], Awaitable[bytes]]) -> Response:
    """Runs a use case that gives the JSON of its answer; with an `Idempotency-Key` it happens once."""
    actor, key = asking.asked.actor, _key(asking)
    scope = asking.request.scope
    asked = scope["path"].encode() + b"?" + scope["query_string"] + b"\0" + asking.body_bytes
    print_ = hashlib.sha256(asked).digest()
    async with asking.services.writing(actor) as work:
        before = await work.recall(actor.client, key, print_) if key is not None else None
        if before is not None:
            return respond(asking, before["body"].encode(), None)
        body = await act(work)
        if key is not None:
            await work.remember(actor.client, key, print_, {"body": body.decode()})
    return respond(asking, body, None)


def shown(asking: Asking, answer: Answer, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """The resource after a change; nothing but headers with `Prefer: return=minimal` (RFC 7240)."""
    tag = etag(answer.body or b"", answer.version)
    extra = dict(headers or {})
    if "return=minimal" in asking.request.headers.get("prefer", "").replace(" ", ""):
        extra["preference-applied"] = "return=minimal"
        return Response(status_code=204 if status == 200 else status, headers={**extra, "etag": tag})
    return respond(asking, answer.body or b"null", tag, extra, status)


def _key(asking: Asking) -> str | None:
    header = asking.request.headers.get("idempotency-key")
    if header is None:
        return None
    key = header.strip().strip('"')
    if not key or len(key) > MAX_KEY or not key.isprintable():
        detail = f"A key is 1 to {MAX_KEY} printable characters, best a random UUID."
        raise Invalid([Fault("header", "Idempotency-Key", "invalid-key", detail)])
    return key
