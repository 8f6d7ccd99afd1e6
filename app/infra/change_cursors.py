"""Cursors of the change log: a place in it, whose view it is, and of which log; signed, so that none can be made up.

`[instance, who, types, epoch, base, epoch, transaction, number]`: the first epoch is the one in which the cursor was
given out, the last three are the place. `base` is the horizon when this reader began: what was gone by then he never had.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import BigInteger, Integer, Text, bindparam, cast, func

from app.domain.access import Actor
from app.domain.changes import RESYNC, Place
from app.domain.errors import Fault, Gone, Invalid
from app.infra.json_sql import Expression, signed
from app.infra.reader import Signer

BIND = "change"


@dataclass(frozen=True, slots=True)
class Cursor:
    """`epoch` and `base` are None for who begins."""

    place: Place = (0, 0, 0)
    epoch: int | None = None
    base: int | None = None


@dataclass(frozen=True, slots=True)
class LogEnd:
    """How far the log reaches, in the snapshot of a page: its epoch, the first transaction that may still be running,
    the first that has not begun, and up to where tombstones were removed."""

    epoch: int
    final: int
    ahead: int
    removed: Place | None


def instance(signer: Signer) -> str:
    """Which service gave out a cursor: those that share a secret are one."""
    return hashlib.sha256(b"instance" + signer.secret).hexdigest()[:12]


def who(actor: Actor) -> str:
    """Whose view a cursor belongs to. Another token of the same hub goes on with it."""
    return f"{actor.role}:{actor.hub or actor.umbrella or ''}"


def in_sql(epoch: Expression, horizon: Expression, place: tuple[Expression, Expression, Expression]) -> Expression:
    """A cursor to this place, made by the database."""
    base = func.coalesce(bindparam("cursor_base", type_=BigInteger), horizon)
    named = [bindparam(f"cursor_{name}", type_=Text) for name in ("instance", "who", "types")]
    return signed(cast(func.json_build_array(*named, epoch, base, *place), Text), BIND)


def parameters(signer: Signer, actor: Actor, types: tuple[str, ...], cursor: Cursor) -> dict[str, Any]:
    """The values of those that `in_sql` and the statement name."""
    return {
        "cursor_secret": signer.secret,
        "cursor_instance": instance(signer),
        "cursor_who": who(actor),
        "cursor_types": ",".join(types),
        "cursor_base": cursor.base,
        BIND: BIND,
    }


def read(signer: Signer, text: str, actor: Actor, types: tuple[str, ...]) -> Cursor:
    """The cursor in a text. Raises `Invalid`, in other words for each way in which it is not this reader's."""
    body, _, signature = text.partition(".")
    try:
        payload = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        if base64.urlsafe_b64encode(payload).rstrip(b"=") != body.encode():
            raise ValueError  # the decoder skips what is not base64: one cursor, one spelling
        from_instance, whose, of_types, epoch, base, *place = orjson.loads(payload)
        known = _place(place), _whole(epoch), _whole(base)
    except (ValueError, TypeError) as error:
        raise _refused("invalid-cursor", "This is not a cursor of the change log, or it was changed.") from error
    if from_instance != instance(signer):
        raise _refused(
            "cursor-of-another-instance",
            "This cursor was given out by another instance, or before its secret was replaced. " + RESYNC,
        )
    inner = hashlib.sha256(signer.secret + BIND.encode() + payload).digest()
    ours = hashlib.sha256(signer.secret + inner).hexdigest()[:32]
    if not hmac.compare_digest(ours.encode(), signature.encode()):
        raise _refused("invalid-cursor", "This is not a cursor of the change log, or it was changed.")
    if whose != who(actor):
        raise _refused("cursor-of-another-reader", "This cursor was given to another reader, who sees other changes.")
    if of_types != ",".join(types):
        detail = "This cursor goes with other types. Keep the same types, or begin without cursor."
        raise _refused("cursor-of-another-question", detail)
    return Cursor(*known)


def check(cursor: Cursor, end: LogEnd) -> None:
    """Whether a reader may go on from here, in the log as it is. Raises `Invalid` or `Gone`."""
    if cursor.epoch is None:
        return
    if cursor.epoch > end.epoch or (cursor.epoch == end.epoch and cursor.place[0:2] > (end.epoch, end.ahead)):
        raise _refused(
            "cursor-from-the-future",
            "This cursor is ahead of this log: the instance was brought back from a backup. " + RESYNC,
        )
    if cursor.epoch < end.epoch:
        raise Gone(
            "The database was brought back from a backup, or moved, after this cursor was given out: what you read since "
            "may not be so any more. " + RESYNC,
            code="new-epoch",
            resync=RESYNC,
        )
    base = (cursor.epoch, cursor.base or 0, 0)
    if end.removed is not None and end.removed > max(base, cursor.place):
        raise Gone(
            "This cursor is older than the log remembers: deletions have been left out since. " + RESYNC,
            resync=RESYNC,
        )


def _place(parts: list[Any]) -> Place:
    epoch, transaction, number = parts
    return _whole(epoch, 2**31), _whole(transaction), _whole(number)


def _whole(part: Any, most: int = 2**63) -> int:
    if type(part) is not int or not 0 <= part < most:
        raise ValueError
    return part


def _refused(code: str, detail: str) -> Invalid:
    return Invalid([Fault("query", "cursor", code, detail)], code=code)


PLACE_TYPES = (Integer(), BigInteger(), BigInteger())


def written(signer: Signer, actor: Actor, types: tuple[str, ...], cursor: Cursor) -> str:
    """A cursor as `in_sql` makes it."""
    payload = orjson.dumps([instance(signer), who(actor), ",".join(types), cursor.epoch, cursor.base, *cursor.place])
    inner = hashlib.sha256(signer.secret + BIND.encode() + payload).digest()
    signature = hashlib.sha256(signer.secret + inner).hexdigest()[:32]
    return f"{base64.urlsafe_b64encode(payload).rstrip(b'=').decode()}.{signature}"
