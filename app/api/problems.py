"""The one table from what went wrong to what the client hears: problem+json (RFC 9457) and GraphQL errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from pydantic_core import ErrorDetails

from app.domain import errors
from app.domain.errors import DomainError, Fault, Invalid

PROBLEM_JSON = b"application/problem+json"

# (HTTP status, title) of each kind of refusal. 400 for all bad input; 422 for a reused Idempotency-Key alone.
_TABLE: Mapping[type[DomainError], tuple[int, str]] = {
    errors.Invalid: (400, "The request is not valid"),
    errors.Unauthenticated: (401, "Not authenticated"),
    errors.Forbidden: (403, "Not allowed"),
    errors.NotFound: (404, "Not found"),
    errors.Conflict: (409, "Conflict"),
    errors.Stale: (412, "The resource has changed"),
    errors.TooLarge: (413, "Too large"),
    errors.KeyReused: (422, "Idempotency key used before"),
    errors.VersionRequired: (428, "Version required"),
    errors.Unavailable: (503, "Not available now"),
}


class HttpProblem(DomainError):
    """A refusal that only HTTP knows: a method, a media type, a rate."""

    def __init__(
        self, status: int, title: str, detail: str, *, code: str, headers: Mapping[str, str] | None = None, **extra: Any
    ) -> None:
        super().__init__(detail, code=code, **extra)
        self.status = status
        self.title = title
        self.headers = dict(headers or {})


def internal_error(request_id: str) -> HttpProblem:
    """A fault of ours: no word of what happened, a number to find it by."""
    detail = "This is a fault of ours. Name the request id when you report it."
    return HttpProblem(500, "Something went wrong here", detail, code="internal-error", requestId=request_id)


def status_of(error: DomainError) -> tuple[int, str]:
    """HTTP status and title of an error."""
    if isinstance(error, HttpProblem):
        return error.status, error.title
    for kind in type(error).__mro__:
        if kind in _TABLE:
            return _TABLE[kind]
    return 400, "The request cannot be carried out"


def problem(error: DomainError) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to a refusal. The refused values are never part of it."""
    status, title = status_of(error)
    content: dict[str, Any] = {
        "type": f"urn:problem-type:knooppunt:{error.code}",
        "title": title,
        "status": status,
        "detail": error.detail,
        "code": error.code,
        **error.extra,
    }
    headers: dict[str, str] = {}
    if isinstance(error, Invalid):
        content["errors"] = [as_dict(fault) for fault in error.faults]
    if isinstance(error, HttpProblem):
        headers.update(error.headers)
    if isinstance(error, errors.Unauthenticated):
        headers["www-authenticate"] = 'Bearer realm="knooppunt", error="invalid_token"'
    if isinstance(error, errors.Unavailable):
        headers["retry-after"] = "2"
    if isinstance(error, errors.Stale):
        content["currentVersion"] = error.current
    return status, headers, orjson.dumps(content)


def as_dict(fault: Fault) -> dict[str, str]:
    """A fault as REST and GraphQL show it."""
    return {"in": fault.where, "location": fault.location, "code": fault.code, "detail": fault.detail}


# pydantic's words for what is wrong, in ours. Its messages never repeat the input, apart from the types listed here.
_CODES = {
    "missing": ("required", "This field is required."),
    "extra_forbidden": ("unknown-field", "There is no such field."),
    "json_invalid": ("invalid-json", "The body is not valid JSON."),
    "value_error": ("invalid-value", ""),
    "literal_error": ("unknown-code", ""),
    "enum": ("unknown-code", ""),
    "date_from_datetime_parsing": ("invalid-date", "A date is written YYYY-MM-DD."),
    "date_parsing": ("invalid-date", "A date is written YYYY-MM-DD."),
    "date_type": ("invalid-date", "A date is written YYYY-MM-DD."),
    "date_from_datetime_inexact": ("invalid-date", "A date is written YYYY-MM-DD."),
    "uuid_parsing": ("invalid-id", "An id is a UUID."),
}


def faults_of(found: Sequence[ErrorDetails], where: str) -> list[Fault]:
    """Pydantic's errors as faults, without the refused input."""
    faults = []
    for error in found:
        code, detail = _CODES.get(error["type"], (error["type"].replace("_", "-"), ""))
        if where == "query" and code == "unknown-field":
            code, detail = "unknown-parameter", "There is no such query parameter here."
        location = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
        faults.append(Fault(where, location[:100], code, detail or error["msg"].removeprefix("Value error, ")))
    return faults
