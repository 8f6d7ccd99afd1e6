"""A route as FastAPI documents it and as we run it.

FastAPI reads the signature for the contract; the handler below does the rest itself, because FastAPI's own way costs
100 µs a request where PostgreSQL answers in 300 (see docs/decisions). A route function takes `asking: Asking`, its
path parameters, `query: <model>` and `body: <model>`; every fault in query, path and body is reported at once.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Coroutine, Sequence
from functools import lru_cache
from typing import Annotated, Any, get_args, get_type_hints
from urllib.parse import parse_qsl

import orjson
from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError

from app.api.accepting import JSON, is_in_utf8, preferred
from app.api.asking import Asked, Services
from app.api.problems import HttpProblem, faults_of
from app.domain.errors import Fault, Invalid, Unauthenticated

MERGE_PATCH = "application/merge-patch+json"
_REMEMBERED_QUERY = 300  # bytes: cursors and long lists of fields are mostly asked once
UNREADABLE = object()  # not None: a body may be null, and is then of the wrong type
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def _asking(request: Request) -> Asking:
    return Asking(request, request.app.state.services)


class Asking:
    """A request at the door: what the edge found out about it, and the services to answer it with."""

    __slots__ = ("asked", "body_bytes", "request", "services")

    def __init__(self, request: Request, services: Services) -> None:
        self.request = request
        self.services = services
        self.asked: Asked = request.scope["knooppunt"]
        self.body_bytes = b""


Ask = Annotated[Asking, Depends(_asking)]


class Door(APIRoute):
    """See the module. `answer` is the handler itself, for the short way to it (`lane.py`)."""

    answer: Callable[[Request], Coroutine[Any, Any, Response]]

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint = self.endpoint
        hints = get_type_hints(endpoint, include_extras=True)
        names = set(inspect.signature(endpoint).parameters)
        query = _model(hints["query"]) if "query" in names else None
        body = _model(hints["body"]) if "body" in names else None
        media = getattr(body, "media", (MERGE_PATCH if "PATCH" in (self.methods or ()) else JSON,))
        parse = getattr(body, "parse", _parsed)
        reads = "GET" in (self.methods or ())
        paths = {name: TypeAdapter(hints[name]) for name in names - {"asking", "query", "body", "return"}}
        produces = _produced(self.responses)

        async def handle(request: Request) -> Response:
            asking = _asking(request)
            if not reads:
                _needs_token(asking)
            _check_accept(request, produces)
            faults: list[Fault] = []
            given: dict[str, Any] = {"asking": asking}
            for name, adapter in paths.items():
                value = request.path_params[name]
                given[name] = _valid(adapter.validate_python, value, "path", faults, name)
                if _CONTROL.search(value):
                    faults.append(Fault("path", name, "control-character", "Control characters are not accepted."))
            asked = request.scope["query_string"]
            if query is not None:
                try:
                    read = _read_query if len(asked) <= _REMEMBERED_QUERY else _read_query.__wrapped__
                    given["query"] = read(query, asked)
                except Invalid as error:
                    faults.extend(error.faults)
            elif asked:
                faults.extend(
                    Fault("query", name[:60], "unknown-parameter", "There is no such query parameter here.")
                    for name in _query(asked, faults)
                )
            if body is not None:
                kind = _media_type(request, media)
                asking.body_bytes = await request.body()
                content = parse(asking.body_bytes, kind, faults)
                if content is not UNREADABLE:
                    given["body"] = _valid(body.model_validate, content, "body", faults)
            if faults:
                raise Invalid(faults)
            return await endpoint(**given)  # type: ignore[no-any-return]

        self.answer = handle
        return handle


def _needs_token(asking: Asking) -> None:
    """Changes are made by someone; nobody's body is not even read. Raises `Unauthenticated`."""
    if asking.asked.actor.client is None:
        raise Unauthenticated("This needs a token: `Authorization: Bearer <token>`.", code="token-required")


def _model(hint: Any) -> type[BaseModel]:
    model = get_args(hint)[0] if get_args(hint) else hint
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    return model


def _valid(validate: Callable[[Any], Any], value: Any, where: str, faults: list[Fault], name: str = "") -> Any:
    try:
        return validate(value)
    except ValidationError as error:
        found = faults_of(error.errors(include_url=False, include_input=False), where)
        read_only: frozenset[str] = getattr(getattr(validate, "__self__", None), "read_only", frozenset())
        for fault in found:
            code, detail = fault.code, fault.detail
            if code == "unknown-field" and fault.location in read_only:
                code, detail = "read-only", "This field cannot be changed here."
            faults.append(Fault(fault.where, fault.location or name, code, detail))
        return None


@lru_cache(maxsize=1_000)
def _read_query(model: type[BaseModel], raw: bytes) -> BaseModel:
    """The query string as this model, kept for the next who asks the same: reading it takes 12 µs. Raises `Invalid`."""
    faults: list[Fault] = []
    found = _valid(model.model_validate, _query(raw, faults), "query", faults)
    if faults:
        raise Invalid(faults)
    return found  # type: ignore[no-any-return]


def _query(raw: bytes, faults: list[Fault]) -> dict[str, str]:
    if not raw:
        return {}
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50)
    except UnicodeDecodeError:
        faults.append(Fault("query", "", "invalid-encoding", "The query string is not valid UTF-8."))
        return {}
    except ValueError:
        faults.append(Fault("query", "", "too-many-parameters", "At most 50 query parameters."))
        return {}
    found = dict(pairs)
    if len(found) < len(pairs):
        faults.append(Fault("query", "", "repeated-parameter", "Give each query parameter once."))
    for name, value in found.items():
        if _CONTROL.search(value):
            faults.append(Fault("query", name[:60], "control-character", "Control characters are not accepted."))
    return found


def _media_type(request: Request, media: Sequence[str]) -> str:
    """Which of these the body comes as. Raises `HttpProblem`."""
    given = request.headers.get("content-type", "")
    kind = given.partition(";")[0].strip().lower()
    if kind in media and is_in_utf8(given):
        return kind
    raise HttpProblem(
        415,
        "Unsupported media type",
        f"Send the body as {' or '.join(media)}, in UTF-8.",
        code="unsupported-media-type",
        headers={"accept-patch" if MERGE_PATCH in media else "accept-post": ", ".join(media)},
    )


def _parsed(body: bytes, _: str, faults: list[Fault]) -> Any:
    """The JSON of a body. A model that takes other bodies as well has its own `media` and `parse`, of this form."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        faults.append(Fault("body", "", "invalid-json", "The body is not valid JSON in UTF-8."))
        return UNREADABLE
    if b"\\u0000" in body and has_nul(content):
        faults.append(Fault("body", "", "control-character", "The character U+0000 is not accepted in texts."))
        return UNREADABLE
    return content


def has_nul(content: Any) -> bool:
    """Whether some text, or name, holds the one character that PostgreSQL cannot keep."""
    if isinstance(content, str):
        return "\0" in content
    if isinstance(content, dict):
        return any(has_nul(part) for pair in content.items() for part in pair)
    return isinstance(content, list) and any(map(has_nul, content))


def _produced(responses: dict[int | str, dict[str, Any]]) -> tuple[str, ...]:
    content = responses.get(200, {}).get("content", {})
    return tuple(content) or (JSON,)


def _check_accept(request: Request, produces: tuple[str, ...]) -> None:
    if preferred(request.headers.get("accept"), produces) is None:
        detail = f"This resource comes as {' or '.join(produces)}."
        raise HttpProblem(406, "Not acceptable", detail, code="not-acceptable")
