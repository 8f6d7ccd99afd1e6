"""From what went wrong to a GraphQL error. The codes are those of the domain, as in `app/api/problems.py`."""

from __future__ import annotations

import re
from typing import Any

import structlog
from graphql import GraphQLError

from app.api import problems
from app.domain.errors import DomainError, Invalid, Stale

_log = structlog.get_logger("graphql")

# Values can hold personal data: of a refused literal no more than this is repeated, of a refused variable nothing.
_MAX_QUOTED = 40
_MAX_MESSAGE = 400
_LONG_QUOTE = re.compile(r"'[^']{%d,}'|\"[^\"]{%d,}\"" % (_MAX_QUOTED, _MAX_QUOTED))  # noqa: UP031
_LONG_TAIL = re.compile(r"((?:found|value|Date\w*): ).{%d,}" % _MAX_QUOTED, re.DOTALL)  # noqa: UP031
_VARIABLE = re.compile(
    r"(?P<where>Variable '\$\w+' has invalid (?:default )?value(?: at [\w.\[\]]+)?): (?P<why>.*)", re.DOTALL
)
_REASONS = (
    re.compile(r"\w+ cannot represent [a-zA-Z0-9 -]+"),
    re.compile(r"Expected value of type '[\w!\[\]]+' to be an object"),
    re.compile(r"Expected value of type '[\w!\[\]]+' to include required field '\w+'"),
    re.compile(r"Expected value of type '[\w!\[\]]+' not to include unknown field"),
    re.compile(r"Expected value of (?:non-null )?type '[\w!\[\]]+' not to be None"),
    re.compile(r"Exactly one key must be specified"),
)
_ENUM = re.compile(r"does not exist in '(\w+)' enum\.")

# Statuses that an answer without data may have; with any other refusal it is an ordinary answer that holds errors.
_STATUSES = (400, 401, 403, 503)


def of_request(error: GraphQLError, code: str) -> dict[str, Any]:
    """An error of the request itself: syntax, validation, limits. `code` is for errors that bring none."""
    formatted: dict[str, Any] = {"message": capped(error.message)}
    if error.locations:
        formatted["locations"] = [location.formatted for location in error.locations[:_MAX_QUOTED]]
    formatted["extensions"] = {"code": code, **(error.extensions or {})}
    return formatted


def of_variable(error: GraphQLError) -> dict[str, Any]:
    """A variable that does not fit its type. The value is left out."""
    found = _VARIABLE.match(error.message)
    message = f"{found['where']}: {_reason(found['why'])}." if found else capped(error.message)
    return {"message": message, "extensions": {"code": "invalid-input"}}


def of_domain(error: DomainError, path: list[str | int] | None = None) -> dict[str, Any]:
    """A refusal of the domain, with every fault."""
    extensions: dict[str, Any] = {"code": error.code, **error.extra}
    if isinstance(error, Invalid):
        extensions["errors"] = [problems.as_dict(fault) for fault in error.faults]
    if isinstance(error, Stale):
        extensions["currentVersion"] = error.current
    formatted: dict[str, Any] = {"message": error.detail}
    if path is not None:
        formatted["path"] = path
    formatted["extensions"] = extensions
    return formatted


def of_unexpected(error: BaseException, request_id: str, path: list[str | int] | None = None) -> dict[str, Any]:
    """Anything else: logged with the request id, which is all that the client is told."""
    _log.error("graphql.failed", request_id=request_id, path=path, exc_info=error)
    formatted: dict[str, Any] = {"message": "Internal error"}
    if path is not None:
        formatted["path"] = path
    formatted["extensions"] = {"code": "internal-error", "requestId": request_id}
    return formatted


def of_execution(error: GraphQLError, request_id: str) -> dict[str, Any]:
    """An error that the executor met at a field."""
    path = list(error.path) if error.path is not None else None
    cause: BaseException | None = error.original_error
    while isinstance(cause, GraphQLError):
        error, cause = cause, cause.original_error
    if isinstance(cause, DomainError):
        return of_domain(cause, path)
    if cause is not None:
        return of_unexpected(cause, request_id, path)
    formatted = of_request(error, "error")
    if path is not None:
        formatted["path"] = path
    return formatted


def status_of(error: BaseException | None) -> int:
    """The HTTP status of an answer without data, for clients of `application/graphql-response+json`."""
    if isinstance(error, DomainError):
        status, _ = problems.status_of(error)
        return status if status in _STATUSES else 200
    return 200 if error is None else 500


def capped(message: str) -> str:
    """A message of the library, without long values."""
    message = _LONG_QUOTE.sub("'…'", message)
    message = _LONG_TAIL.sub(r"\1…", message)
    return message if len(message) <= _MAX_MESSAGE else message[:_MAX_MESSAGE] + "…"


def _reason(why: str) -> str:
    """Why a value was refused, from a list of known sentences: whatever is not known may hold the value."""
    enum = _ENUM.search(why)
    if enum is not None:
        return f"not a value of the enum '{enum[1]}'"
    for known in _REASONS:
        found = known.match(why)
        if found is not None:
            return found[0]
    return "it does not fit the type"
