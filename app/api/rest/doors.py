"""A route as FastAPI documents it and as we run it.

FastAPI reads the signature for the contract; the handler below does the rest itself, because FastAPI's own way costs
100 µs a request where PostgreSQL answers in 300 (see docs/decisions). A route function takes `asking: Asking`, its
path parameters, `query: <model>` and `body: <model>`; every fault in query, path and body is reported at once.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, get_args, get_type_hints
from urllib.parse import parse_qsl

import orjson
from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError

from app.api.asking import Asked, Services
from app.api.problems import HttpProblem, faults_of
from app.domain.errors import Fault, Invalid

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
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
        merge = "PATCH" in (self.methods or ())
        paths = {name: TypeAdapter(hints[name]) for name in names - {"asking", "query", "body", "return"}}
        produces = _produced(self.responses)

        async def handle(request: Request) -> Response:
            asking = _asking(request)
            _check_accept(request, produces)
            faults: list[Fault] = []
            given: dict[str, Any] = {"asking": asking}
            for name, adapter in paths.items():
                given[name] = _valid(adapter.validate_python, request.path_params[name], "path", faults, name)
            given_query = _query(request.scope["query_string"], faults)
            if query is not None:
                given["query"] = _valid(query.model_validate, given_query, "query", faults)
            elif given_query:
                faults.extend(
                    Fault("query", name[:60], "unknown-parameter", "There is no such query parameter here.")
                    for name in given_query
                )
            if body is not None:
                content = await _body(request, MERGE_PATCH if merge else JSON, asking, faults)
                if content is not None:
                    given["body"] = _valid(body.model_validate, content, "body", faults)
            if faults:
                raise Invalid(faults)
            return await endpoint(**given)  # type: ignore[no-any-return]

        self.answer = handle
        return handle


def _model(hint: Any) -> type[BaseModel]:
    model = get_args(hint)[0] if get_args(hint) else hint
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    return model


def _valid(validate: Callable[[Any], Any], value: Any, where: str, faults: list[Fault], name: str = "") -> Any:
    try:
        return validate(value)
    except ValidationError as error:
        found = faults_of(error.errors(include_url=False, include_input=False, include_context=False), where)
        faults.extend(Fault(f.where, f.location or name, f.code, f.detail) for f in found)
        return None


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


async def _body(request: Request, media: str, asking: Asking, faults: list[Fault]) -> Any:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != media and not (media == MERGE_PATCH and given == "application/merge-patch+json"):
        headers = {"accept-patch": MERGE_PATCH} if media == MERGE_PATCH else {"accept-post": JSON}
        raise HttpProblem(
            415, "Unsupported media type", f"Send the body as {media}.", code="unsupported-media-type", headers=headers
        )
    asking.body_bytes = await request.body()
    try:
        return orjson.loads(asking.body_bytes)
    except orjson.JSONDecodeError:
        faults.append(Fault("body", "", "invalid-json", "The body is not valid JSON in UTF-8."))
        return None


def _produced(responses: dict[int | str, dict[str, Any]]) -> tuple[str, ...]:
    content = responses.get(200, {}).get("content", {})
    return tuple(content) or (JSON,)


def _check_accept(request: Request, produces: tuple[str, ...]) -> None:
    accept = request.headers.get("accept")
    if accept is None or "*/*" in accept or JSON in accept:
        return
    wanted = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    for media in produces:
        if media in wanted or f"{media.partition('/')[0]}/*" in wanted:
            return
    raise HttpProblem(406, "Not acceptable", f"This resource comes as {', '.join(produces)}.", code="not-acceptable")
