"""The one table from what went wrong to what the client hears: problem+json (RFC 9457) and GraphQL errors."""

from __future__ import annotations

import re
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
    errors.Gone: (410, "No longer there"),
    errors.Stale: (412, "The resource has changed"),
    errors.TooLarge: (413, "Too large"),
    errors.KeyReused: (422, "Idempotency key used before"),
    errors.VersionRequired: (428, "Version required"),
    errors.TooMany: (429, "Too many requests"),
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
        # RFC 6750, 3.1: who sent no token made no error with it.
        wrong = "" if error.code == "token-required" else ', error="invalid_token"'
        headers["www-authenticate"] = f'Bearer realm="knooppunt"{wrong}'
    if isinstance(error, errors.TooMany):
        headers["retry-after"] = str(error.seconds)
    if isinstance(error, errors.Unavailable):
        headers["retry-after"] = "2"
    if isinstance(error, errors.Stale):
        content["currentVersion"] = error.current
        if error.current:  # something is there
            content.setdefault("currentETag", f'"{error.current}"')  # If-Match looks at the version alone
            headers["etag"] = content["currentETag"]
    return status, headers, orjson.dumps(content)


def as_dict(fault: Fault) -> dict[str, str]:
    """A fault as REST and GraphQL show it."""
    return {"in": fault.where, "location": fault.location, "code": fault.code, "detail": fault.detail}


MUNICIPALITY_CODE = r"^GM[0-9]{4}$"
SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"
_FORMS = {
    MUNICIPALITY_CODE: "The code of a municipality is GM and four digits, such as GM0014.",
    SLUG: "Lower-case letters and digits, with hyphens in between, such as `zuid-holland`.",
}
_DATE = ("invalid-date", "A date of the calendar is needed, written YYYY-MM-DD.")
_ID = ("invalid-id", "An id is a UUID, such as 01890a5d-ac96-774b-bcce-b302099a8057.")
_OBJECT = ("wrong-type", "A JSON object is needed.")
_TRUTH = ("wrong-type", "true or false is needed.")
_WHOLE = ("invalid-number", "A whole number is needed.")

# Pydantic's words for what is wrong, in ours: a code for programs and a sentence for people. The braces are filled
# with the limit that was passed, never with what was sent.
_WORDS: Mapping[str, tuple[str, str]] = {
    "missing": ("required", "This field is required."),
    "extra_forbidden": ("unknown-field", "There is no such field."),
    "greater_than_equal": ("out-of-range", "At least {ge} is needed."),
    "greater_than": ("out-of-range", "More than {gt} is needed."),
    "less_than_equal": ("out-of-range", "At most {le} is allowed."),
    "less_than": ("out-of-range", "Less than {lt} is allowed."),
    "string_too_long": ("too-long", "At most {max_length} characters are allowed."),
    "string_too_short": ("too-short", "At least {min_length} characters are needed."),
    "too_long": ("too-many", "At most {max_length} items are allowed."),
    "too_short": ("too-few", "At least {min_length} items are needed."),
    "literal_error": ("unknown-code", "One of these is needed: {expected}."),
    "enum": ("unknown-code", "One of these is needed: {expected}."),
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "string_type": ("wrong-type", "A text is needed."),
    "list_type": ("wrong-type", "A list is needed."),
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
    "date_parsing": _DATE,
    "date_type": _DATE,
    "uuid_parsing": _ID,
    "uuid_type": _ID,
    "uuid_version": _ID,
}


def faults_of(found: Sequence[ErrorDetails], where: str) -> list[Fault]:
    """Pydantic's errors as faults, without the refused input."""
    faults = []
    for error in found:
        code, detail = _in_words(error)
        if where == "query" and code == "unknown-field":
            code, detail = "unknown-parameter", "There is no such query parameter here."
        location = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
        faults.append(Fault(where, location[:100], code, detail))
    return faults


def _in_words(error: ErrorDetails) -> tuple[str, str]:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "string_pattern_mismatch":
        return "wrong-form", _FORMS.get(context["pattern"], "This does not have the form that is asked here.")
    if kind == "value_error":  # ours, raised in a validator: it has a sentence of its own
        return "invalid-value", error["msg"].removeprefix("Value error, ")
    code, words = _WORDS.get(kind, ("invalid-value", "This value cannot be used here."))
    detail = words.format_map(context)
    return code, re.sub(r"\b1 (character|item)s are", r"1 \1 is", detail)
