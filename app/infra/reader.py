"""The `Reader` port on PostgreSQL: values to parameters, cursors checked, one statement run, bytes handed on."""

from __future__ import annotations

import base64
import gc
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Date, DateTime, Uuid

from app.domain.access import Actor
from app.domain.errors import Fault, Invalid
from app.domain.reading import Answer, Language, NounShape, Selection, Shape
from app.infra.database import Database, entering
from app.infra.projection import ACTOR, Key, Projection, Statement

MOST_STATEMENTS = 100  # 50 kB each with the shape that leads to it: twice what the known clients ask
MOST_ADDING = 10
SHARED = ("verified", "closed")
_INVALID_CURSOR = "This cursor is not one of ours, belongs to another question, or is too old. Start again without it."


class Signer:
    """Signs and checks cursors; the same arithmetic as `_cursor` in projection.py does in SQL."""

    def __init__(self, secret: bytes, days: int) -> None:
        self.secret = secret
        self.period = days * 86_400

    def expiry(self) -> int:
        """The end of the next period: stable for days, so that a page and its ETag do not change each second."""
        return (int(time.time()) // self.period + 2) * self.period

    def parts(self, cursor: str, bind: str) -> list[Any]:
        """The sort keys in a cursor. Raises `Invalid` when it was tampered with, is too old or of another query."""
        body, _, signature = cursor.partition(".")
        try:
            payload = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
            if base64.urlsafe_b64encode(payload).rstrip(b"=") != body.encode():
                raise ValueError  # the decoder skips what is not base64: one cursor, one spelling
            inner = hashlib.sha256(self.secret + bind.encode() + payload).digest()
            ours = hashlib.sha256(self.secret + inner).hexdigest()[:32]
            if not hmac.compare_digest(ours.encode(), signature.encode()):
                raise ValueError
            expiry, *keys = orjson.loads(payload)
            if expiry < time.time():
                raise ValueError
        except (ValueError, TypeError) as error:
            raise Invalid([Fault("query", "cursor", "invalid-cursor", _INVALID_CURSOR)]) from error
        return list(keys)


class PostgresReader:
    """Answers selections. Statements are kept by shape and language, without values."""

    def __init__(self, database: Database, projection: Projection, signer: Signer) -> None:
        self._database = database
        self._projection = projection
        self._signer = signer
        self._statements: OrderedDict[tuple[tuple[Shape, ...], Language, bool], Statement] = OrderedDict()
        self._adding: OrderedDict[tuple[tuple[Shape, ...], Language, str], Statement] = OrderedDict()
        self._nouns = {noun: view.shape() for noun, view in projection.views.items()}

    def nouns(self) -> Mapping[str, NounShape]:
        return self._nouns

    async def read(self, selections: Sequence[Selection], *, actor: Actor, language: Language) -> list[Answer]:
        """See the port."""
        selections = [narrowed(selection, actor) for selection in selections]
        statement = self.statement(tuple(s.shape for s in selections), language, known=actor.role != "anonymous")
        row = await self._database.row(statement.sql, *self.arguments(statement, selections, actor))
        assert row is not None
        actor.hold()
        return [Answer(row[i], row[i + 1], row[i + 2]) for i in range(0, len(row), 3)]

    def statement(self, shapes: tuple[Shape, ...], language: Language, *, known: bool = False) -> Statement:
        """The compiled statement for these shapes, from the cache when it was asked before."""
        key = (shapes, language, known)
        statement = self._statements.get(key)
        if statement is None:
            with _cleared():
                statement = self._statements[key] = self._projection.compile(shapes, language, actor=known)
            if len(self._statements) > MOST_STATEMENTS:
                self._statements.popitem(last=False)
        elif len(self._statements) > MOST_STATEMENTS // 2:
            self._statements.move_to_end(key)  # as long as there is room, the order does not matter yet
        return statement

    def added(self, shape: Shape, language: Language, sql: str) -> Statement:
        """The statement that enters, adds by this statement (`with added as (…) …`), and reads what was added."""
        key = ((shape,), language, sql)
        statement = self._adding.get(key)
        if statement is None:
            with _cleared():
                statement = self._adding[key] = self._projection.compile_added(shape, language, sql)
            if len(self._adding) > MOST_ADDING:
                self._adding.popitem(last=False)
        return statement

    def arguments(self, statement: Statement, selections: Sequence[Selection], actor: Actor) -> list[Any]:
        """The values of a statement's parameters, in its order."""
        values: dict[str, Any] = dict(statement.constants)
        for position, selection in enumerate(selections):
            prefix = f"s{position}_"
            values[prefix + "as_of"] = selection.as_of
            for index, value in enumerate(selection.values):
                values[f"{prefix}v{index}"] = value
            if selection.shape.kind in ("page", "connection"):
                bind = _bind(selection, actor)
                values[prefix + "bind"] = bind
                if selection.after is not None:
                    self._put_cursor(values, prefix, selection, bind)
        values |= acting(actor)
        values["cursor_secret"] = self._signer.secret
        values["cursor_expiry"] = self._signer.expiry()
        return [values[name] for name in statement.parameters]

    def _put_cursor(self, values: dict[str, Any], prefix: str, selection: Selection, bind: str) -> None:
        shape = selection.shape
        keys = self._projection.views[shape.noun].sorts[shape.sort.removeprefix("-")]
        parts = self._signer.parts(selection.after or "", bind)
        for index, (key, part) in enumerate(zip(keys, parts, strict=True)):
            values[f"{prefix}c{index}"] = _typed(key, part)


def acting(actor: Actor) -> dict[str, Any]:
    """The parameters that tell a statement who asks."""
    return {f"actor_{name}": value for name, value in zip(ACTOR, entering(actor), strict=True)}


def narrowed(selection: Selection, actor: Actor) -> Selection:
    """What only its own hub may see is sought with that hub alone, and for anybody else nowhere: finding nothing among a
    million signals took 0.6 s."""
    shape = selection.shape
    if shape.noun == "forwarding":
        return _on_the_desk(selection, actor)
    if shape.noun != "signal" or not shape.filters:
        return selection
    given = {name: selection.values[index] for name, index in shape.filters}
    if given.get("status", "verified") in SHARED and given.get("visibility", "public") in ("network", "public"):
        return selection
    own = (actor.hub or "") if actor.role == "hub" else ""
    hub = own if given.get("hub", own) == own else ""
    kept = tuple(item for item in shape.filters if item[0] != "hub")
    shape = replace(shape, filters=(*kept, ("hub", len(selection.values))))
    return replace(selection, shape=shape, values=(*selection.values, hub))


def _on_the_desk(selection: Selection, actor: Actor) -> Selection:
    """An umbrella lists what was forwarded to itself, a hub what came of its signals, the national coordination all of it;
    nobody else has a desk."""
    if actor.role == "national":
        return selection
    name = "umbrella" if actor.role == "umbrella" else "hub"
    own = (actor.umbrella if name == "umbrella" else actor.hub) or ""
    shape = selection.shape
    given = {name: selection.values[index] for name, index in shape.filters}
    kept = tuple(item for item in shape.filters if item[0] != name)
    shape = replace(shape, filters=(*kept, (name, len(selection.values))))
    return replace(selection, shape=shape, values=(*selection.values, own if given.get(name, own) == own else ""))


@contextmanager
def _cleared() -> Iterator[None]:
    """Compiling leaves thousands of objects that point at each other. As no look for garbage comes in between, they are
    all young at the end, and a look at the young alone clears them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.collect(0)
        if was_on:
            gc.enable()


def _typed(key: Key, part: Any) -> Any:
    """A part of a cursor as the column's type: JSON has no ids and no dates."""
    if isinstance(key.type_, Uuid):
        return UUID(part)
    if isinstance(key.type_, DateTime):
        return datetime.fromisoformat(part)
    return date.fromisoformat(part) if isinstance(key.type_, Date) else part


def _bind(selection: Selection, actor: Actor) -> str:
    """What a cursor belongs to: the noun, its order, its filters, and whose view it is."""
    shape = selection.shape
    filters = orjson.dumps([[name, str(selection.values[index])] for name, index in sorted(shape.filters)]).decode()
    return f"{shape.noun}|{shape.sort}|{filters}|{actor.role}:{actor.hub or actor.umbrella or ''}"
