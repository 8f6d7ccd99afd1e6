"""The change feed of a Knooppunt, page by page, and the digests to compare with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.kit.remote import Answer, Refused, Remote

CHANGES, DIGEST = "/v1/changes", "/v1/changes/digest"
MOST_CHANGES = 1_000
GONE, BAD_REQUEST = 410, 400


class StartAnew(Exception):
    """The cursor leads nowhere any more: too old, from before a restore, of another reader. Read from the beginning;
    what does not come again is gone. `code` says which, `detail` is the service's own sentence."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Page:
    """Changes in order; `cursor` leads on from here, and says where one is when there are none."""

    items: Sequence[Mapping[str, Any]]
    cursor: str
    more: bool


@dataclass(frozen=True, slots=True)
class Holding:
    """What a client holds of one resource. `month` is that of its `createdAt` in UTC, None where it has none."""

    type: str
    id: str
    hub: str
    version: int
    month: str | None


@dataclass(slots=True)
class Sum:
    """The digest of a group: how many, and the first 8 bytes of SHA-256 over `type:id:version`, exclusive or."""

    count: int = 0
    bits: int = field(default=0)

    def add(self, holding: Holding) -> None:
        """One resource more."""
        text = f"{holding.type}:{holding.id}:{holding.version}"
        self.join(1, int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))

    def join(self, count: int, bits: int) -> None:
        """Another group of the same."""
        self.count += count
        self.bits ^= bits

    @property
    def text(self) -> str:
        """As the service writes it."""
        return f"{self.bits:016x}"


Group = tuple[str, str, str]
"""Type, slug of the hub, month; no month where a type has no `createdAt`."""


async def page(
    remote: Remote, cursor: str | None, types: str | None, *, limit: int = MOST_CHANGES, wait: int | None = None
) -> Page:
    """One page, upserts with their resource. Raises `StartAnew`, `Refused`, `Unavailable`."""
    try:
        answer = await remote.get(CHANGES, cursor=cursor, types=types, limit=limit, wait=wait, expand="resource")
    except Refused as error:
        if cursor is not None and _about_the_cursor(error):
            raise StartAnew(error.code, error.detail) from None
        raise
    return _page(answer)


def _about_the_cursor(error: Refused) -> bool:
    if error.status == GONE:
        return True
    faults = error.body.get("errors") or ()
    return error.status == BAD_REQUEST and any(fault.get("location") == "cursor" for fault in faults)


def _page(answer: Answer) -> Page:
    body = answer.body
    try:
        items, cursor, more = body["items"], body["cursor"], body["more"]
        sound = all(isinstance(item["id"], str) and item["op"] in ("upsert", "delete", "hidden") for item in items)
        sound = sound and all(type(item["version"]) is int and isinstance(item["type"], str) for item in items)
    except (KeyError, TypeError):
        sound = False
    if not sound or not isinstance(cursor, str) or not isinstance(more, bool):
        raise Refused(answer.status, {"code": "unexpected-answer", "detail": "This is no page of changes."})
    return Page(items, cursor, more)


async def digests(remote: Remote) -> dict[Group, Sum]:
    """The digests of all that this reader may see."""
    found: dict[Group, Sum] = {}
    path: str | None = DIGEST
    while path is not None:
        body = (await remote.get(path)).body
        for item in body["items"]:
            total = found.setdefault((item["type"], item["hub"]["slug"], item["month"]), Sum())
            total.join(item["count"], int(item["digest"], 16))
        path = body.get("next")
    return found


def differences(
    held: Iterable[Holding], theirs: Mapping[Group, Sum], types: Sequence[str]
) -> list[tuple[Group, int, int]]:
    """The groups of which more, less or something else is held than the service has: (group, held, there)."""
    mine: dict[Group, Sum] = {}
    dated = set()
    for one in held:
        if one.month is not None:
            dated.add(one.type)
        mine.setdefault((one.type, one.hub, one.month or ""), Sum()).add(one)
    known: dict[Group, Sum] = {}
    for (type_, hub, month), total in theirs.items():
        if types and type_ not in types:
            continue
        # All months of a hub together where nothing held has one: exclusive or does not mind the order.
        undated = type_ not in dated and any(group[0] == type_ for group in mine)
        known.setdefault((type_, hub, "" if undated else month), Sum()).join(total.count, total.bits)
    covered = {group[0] for group in theirs}
    found = []
    for group in sorted({*known, *(group for group in mine if group[0] in covered)}):
        here, there = mine.get(group, Sum()), known.get(group, Sum())
        if (here.count, here.bits) != (there.count, there.bits):
            found.append((group, here.count, there.count))
    return found


def holding(item: Mapping[str, Any]) -> Holding:
    """What an upsert leaves one with."""
    resource = item.get("resource") or {}
    created = resource.get("createdAt")
    slug = (item.get("hub") or {}).get("slug") or ""
    return Holding(item["type"], item["id"], slug, item["version"], created[:7] if isinstance(created, str) else None)
