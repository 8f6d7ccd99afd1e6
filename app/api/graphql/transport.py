"""GraphQL over HTTP, straight on ASGI: a request object and a response object would cost more than the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import orjson
import strawberry
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.accepting import JSON, best_named, is_json
from app.api.compressing import gzipped, pays
from app.api.graphql.answering import Answering, Drafts, Execution, MutationRefused, Parameters, envelope
from app.api.graphql.documents import Recent, Refused
from app.api.graphql.executing import Context
from app.api.graphql.limits import Limits
from app.api.graphql.selecting import Draft, Projected
from app.api.problems import PROBLEM_JSON, HttpProblem, problem
from app.domain.errors import DomainError, TooLarge
from app.domain.reading import Reader

MAX_BODY = 1_000_000
_KNOWN_REQUESTS = 2_000_000
_MAX_KNOWN_REQUEST = 4_096
RESPONSE = "application/graphql-response+json"
HTML = "text/html"
# JSON where the client does not care; the type made for GraphQL where it names both alike.
_OFFERS = (JSON, RESPONSE)
_OFFERS_WITH_PAGE = (JSON, RESPONSE, HTML)
_CONTENT_TYPES = {media: f"{media}; charset=utf-8".encode() for media in (JSON, RESPONSE)}
_VARY = (b"vary", b"Accept, Accept-Language, Accept-Encoding, Authorization")
_GZIP = (b"content-encoding", b"gzip")
_BOM = b"\xef\xbb\xbf"


class Headers(NamedTuple):
    """The request headers that matter here."""

    accept: str | None
    content_type: str | None
    content_length: str | None
    content_encoding: str | None
    accept_encoding: str | None


class Malformed(Exception):
    """A request that holds no GraphQL: 400, whatever the media type."""

    def __init__(self, message: str, code: str = "invalid-input") -> None:
        super().__init__(message)
        self.body = envelope(None, [{"message": message, "extensions": {"code": code}}], data=False)


class Disconnected(Exception):
    """The client left before its request was complete."""


class GraphQLEndpoint:
    """The ASGI application at `/graphql`.

    `context` tells who asks, from the ASGI scope; it may raise domain errors, which become problems. `page` gives the
    response for a browser, `today` the day in Europe/Amsterdam.
    """

    def __init__(
        self,
        *,
        schema: strawberry.Schema,
        reader: Reader,
        projected: Mapping[str, Projected],
        context: Callable[[Scope], Awaitable[Context]],
        today: Callable[[], date],
        limits: Limits | None = None,
        page: Callable[[], ASGIApp] | None = None,
    ) -> None:
        self._answering = Answering(schema, reader, projected, limits or Limits(), today)
        self._context = context
        self._page = page
        self._requests: Recent[bytes, Drafts] = Recent(_KNOWN_REQUESTS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        if method == "HEAD":
            send = _without_body(send)
        try:
            if method == "POST":
                await self._post(scope, receive, send)
            elif method in ("GET", "HEAD"):
                await self._get(scope, receive, send)
            else:
                raise _method_not_allowed("GraphQL is asked with GET or POST.", "GET, HEAD, POST")
        except DomainError as error:
            status, headers, body = problem(error)
            more = [(name.encode(), value.encode()) for name, value in headers.items()]
            await _respond(send, status, PROBLEM_JSON, body, *more)
        except Disconnected:
            return

    async def _post(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        media = _negotiate(headers.accept, page=False)
        if not is_json(headers.content_type) or headers.content_encoding not in (None, "identity"):
            raise _unreadable()
        body = await _body(receive, headers.content_length)
        context = await self._context(scope)
        prepared: Drafts | Execution | None = self._requests.get(body)
        try:
            if prepared is None:
                prepared = self._answering.prepare(parameters_in_body(body), safe=False)
                if not isinstance(prepared, Execution) and len(body) <= _MAX_KNOWN_REQUEST:
                    self._requests.put(body, prepared, len(body) + _weight(prepared))
        except (Malformed, Refused) as refused:
            await _refuse(send, media, refused)
            return
        await self._answer(send, media, headers, prepared, context)

    async def _get(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        media = _negotiate(headers.accept, page=self._page is not None)
        if media == HTML and self._page is not None:
            await self._page()(scope, receive, send)
            return
        context = await self._context(scope)
        try:
            prepared = self._answering.prepare(parameters_in_query(scope["query_string"]), safe=True)
        except (Malformed, Refused) as refused:
            await _refuse(send, media, refused)
            return
        except MutationRefused:
            raise _method_not_allowed("A mutation needs POST.", "POST") from None
        await self._answer(send, media, headers, prepared, context)

    async def _answer(
        self, send: Send, media: str, headers: Headers, prepared: Drafts | Execution, context: Context
    ) -> None:
        body, failure = await self._answering.answer(prepared, context)
        status = failure if media == RESPONSE else 200
        if pays(body, headers.accept_encoding):
            await _respond(send, status, _CONTENT_TYPES[media], gzipped(body), _VARY, _GZIP)
        else:
            await _respond(send, status, _CONTENT_TYPES[media], body, _VARY)


def parameters_in_body(body: bytes) -> Parameters:
    """The GraphQL request in a JSON body. Raises `Malformed`."""
    try:
        content = orjson.loads(body.removeprefix(_BOM))
    except orjson.JSONDecodeError:
        raise Malformed("The request body is not JSON in UTF-8.", "invalid-json") from None
    if isinstance(content, list):
        raise Malformed(
            "Batches are not supported: send one operation with several root fields instead.", "batch-not-supported"
        )
    if not isinstance(content, dict):
        raise Malformed("The request body must be a JSON object with the member query.")
    return _parameters(content)


def parameters_in_query(query_string: bytes) -> Parameters:
    """The GraphQL request in a query string. Raises `Malformed`."""
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError:
        raise Malformed("The query string is not form-encoded UTF-8.") from None
    content: dict[str, Any] = {}
    for name, value in pairs:
        if name in content:
            raise Malformed("A parameter of the query string is given twice.")
        content[name] = value
    for name in ("variables", "extensions"):
        if content.get(name):
            try:
                content[name] = orjson.loads(content[name])
            except orjson.JSONDecodeError:
                raise Malformed(f"{name} must be JSON.", "invalid-json") from None
        else:
            content.pop(name, None)
    return _parameters(content)


def _parameters(content: dict[str, Any]) -> Parameters:
    query = content.get("query")
    name = content.get("operationName")
    variables = content.get("variables")
    extensions = content.get("extensions")
    if query is None:
        raise Malformed("The member query is missing.")
    if not isinstance(query, str):
        raise Malformed("query must be a string.")
    if name is not None and not isinstance(name, str):
        raise Malformed("operationName must be a string or null.")
    if variables is not None and not isinstance(variables, dict):
        raise Malformed("variables must be an object or null.")
    if extensions is not None and not isinstance(extensions, dict):
        raise Malformed("extensions must be an object or null.")
    return Parameters(query, name, variables)


def _headers(scope: Scope) -> Headers:
    accept: bytes | None = None
    content_type = content_length = content_encoding = accept_encoding = None
    for name, value in scope["headers"]:
        if name == b"accept":
            accept = value if accept is None else accept + b"," + value
        elif name == b"content-type":
            content_type = value.decode("latin-1")
        elif name == b"content-length":
            content_length = value.decode("latin-1")
        elif name == b"content-encoding":
            content_encoding = value.decode("latin-1")
        elif name == b"accept-encoding":
            accept_encoding = value.decode("latin-1")
    wanted = None if accept is None else accept.decode("latin-1")
    return Headers(wanted, content_type, content_length, content_encoding, accept_encoding)


def _negotiate(accept: str | None, *, page: bool) -> str:
    media = best_named(accept, _OFFERS_WITH_PAGE if page else _OFFERS)
    if media is None:
        detail = f"The answer can be {RESPONSE} or {JSON}."
        raise HttpProblem(406, "Not acceptable", detail, code="not-acceptable", headers={"vary": "Accept"})
    return media


async def _body(receive: Receive, content_length: str | None) -> bytes:
    if content_length is not None and content_length.isdigit() and int(content_length) > MAX_BODY:
        raise _too_large()
    message: Message = await receive()
    if message["type"] != "http.request":
        raise Disconnected
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        body = await _rest(receive, body)
    if len(body) > MAX_BODY:
        raise _too_large()
    return body


async def _rest(receive: Receive, first: bytes) -> bytes:
    chunks, size, more = [first], len(first), True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise Disconnected
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > MAX_BODY:
            raise _too_large()
        more = message.get("more_body", False)
    return b"".join(chunks)


def _method_not_allowed(detail: str, allow: str) -> HttpProblem:
    return HttpProblem(405, "Method not allowed", detail, code="method-not-allowed", headers={"allow": allow})


def _unreadable() -> HttpProblem:
    detail = "The request body must be application/json in UTF-8, without content encoding."
    headers = {"accept-post": "application/json"}
    return HttpProblem(415, "Unsupported media type", detail, code="unsupported-media-type", headers=headers)


def _too_large() -> TooLarge:
    return TooLarge(f"The request body may hold {MAX_BODY:,} bytes.")


def _weight(drafts: Drafts) -> int:
    """Roughly the bytes that remembering this takes."""
    return sum(500 + 150 * part.size for _, part in drafts if isinstance(part, Draft))


async def _refuse(send: Send, media: str, refused: Malformed | Refused) -> None:
    """A malformed request is 400 for everybody; one that was refused is 200 for clients of plain JSON."""
    if isinstance(refused, Malformed):
        await _respond(send, 400, _CONTENT_TYPES[media], refused.body, _VARY)
        return
    body = envelope(None, refused.errors, data=False)
    await _respond(send, 400 if media == RESPONSE else 200, _CONTENT_TYPES[media], body, _VARY)


async def _respond(send: Send, status: int, content_type: bytes, body: bytes, *more: tuple[bytes, bytes]) -> None:
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body)), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _without_body(send: Send) -> Send:
    """For HEAD: the headers of GET, and nothing after them."""

    async def headers_only(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return headers_only
