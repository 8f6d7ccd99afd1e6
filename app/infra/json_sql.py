"""JSON and cursors as SQL expressions: what a selection is built of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    LargeBinary,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    null,
    tuple_,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import JSON

from app.domain.reading import Pick, Shape

Expression = ColumnElement[Any]

_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]{0,59}\Z")
_MAX_PAIRS = 50  # json_build_object takes at most 100 arguments


def constant(name: str) -> Expression:
    """`__typename:Region` is the one name that no view declares."""
    prefix, _, typename = name.partition(":")
    if prefix != "__typename" or not _NAME.match(typename):
        raise KeyError(name)
    return literal_column(f"'{typename}'::text")


def build(pairs: Sequence[tuple[str, Expression]]) -> Expression:
    """`json_build_object` of the pairs; beyond fifty the parts are joined as text, because it takes no more."""
    for key, _ in pairs:
        if not _NAME.match(key):
            raise KeyError(key)  # keys are inlined, never bound: only GraphQL names may pass
    if len(pairs) <= _MAX_PAIRS:
        return func.json_build_object(
            *(part for key, value in pairs for part in (literal_column(f"'{key}'"), value)), type_=JSON
        )
    head = cast(build(pairs[:_MAX_PAIRS]), Text)
    tail = cast(build(pairs[_MAX_PAIRS:]), Text)
    return cast(func.concat(func.left(head, -1), literal_column("','"), func.substr(tail, 2)), JSON)


def array(item: Expression, order: Sequence[Expression], only: Expression | None = None) -> Expression:
    items: Any = func.json_agg(postgresql.aggregate_order_by(item, *order) if order else item)
    if only is not None:
        items = items.filter(only)
    return func.coalesce(items, literal_column("'[]'::json"), type_=JSON)


def beyond(columns: Sequence[Expression], parts: Sequence[Expression], descending: bool) -> Expression:
    here, there = tuple_(*columns), tuple_(*parts)
    return here < there if descending else here > there


def page_info(
    picks: Sequence[Pick], row: Any, cursor: Expression, shown: Expression, more: Expression, shape: Shape
) -> Expression:
    def value(pick: Pick) -> Expression:
        match pick.name:
            case "hasNextPage":
                return more
            case "hasPreviousPage":
                return literal_column("true" if shape.after else "false")
            case "startCursor":
                return func.max(cursor).filter(row.place == literal_column("1"))
            case "endCursor":
                last = func.least(func.count(), literal_column(str(shape.first)))
                ordered = func.array_agg(postgresql.aggregate_order_by(cursor, row.place)).filter(shown)
                return case((func.count() > 0, ordered[last]), else_=null())
        return constant(pick.name)

    return build([(pick.key, value(pick)) for pick in picks])


def signed_cursor(columns: Sequence[Expression], bind: str) -> Expression:
    """An opaque cursor of `[expiry, key, …]`. `bind` ties it to the query."""
    return signed(cast(func.json_build_array(bindparam("cursor_expiry", type_=Integer), *columns), Text), bind)


def signed(content: Expression, bind: str) -> Expression:
    """A text that nobody else can make: in base64url, a dot, and the signature that `Signer` in reader.py repeats.

    SHA-256 twice around the secret (as HMAC does) because the wheel has no pgcrypto.
    """
    payload = func.convert_to(content, literal_column("'UTF8'"))
    secret = bindparam("cursor_secret", type_=LargeBinary)
    bound = func.convert_to(bindparam(bind, type_=Text), literal_column("'UTF8'"))
    inner = func.sha256(secret.op("||")(bound).op("||")(payload))
    signature = func.left(
        func.encode(func.sha256(secret.op("||")(inner)), literal_column("'hex'")), literal_column("32")
    )
    body = func.translate(
        func.encode(payload, literal_column("'base64'")), literal_column(r"E'+/=\n'"), literal_column("'-_'")
    )
    return func.concat(body, literal_column("'.'"), signature)
