"""What the OpenAPI document says beyond what FastAPI knows: headers, problems, the rules of the Dutch API Design Rules."""

from __future__ import annotations

import re
from typing import Any, Generic, TypeVar

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from app.api.accepting import JSON
from app.api.rest.doors import MERGE_PATCH, Door

API_VERSION = "1.0.0"
STREAM = "text/event-stream"
_GENERIC = re.compile(rb"\bCollection_(\w+?)_(?=\W)")

Item = TypeVar("Item")


class Reference(BaseModel):
    """Names in JSON are camelCase."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Collection(Reference, Generic[Item]):
    """A page of a collection."""

    items: list[Item]
    next: str | None = Field(description="Address of the next page; null on the last one.")


class ProblemError(Reference):
    """One fault in the input."""

    in_: str = Field(alias="in", description="`query`, `path`, `body` or `header`.")
    location: str = Field(description="The field, such as `asOf` or `area.regions[2]`.")
    code: str
    detail: str


class Problem(Reference):
    """What went wrong (RFC 9457). Refused values are never repeated."""

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(description="A stable word for programs.")
    errors: list[ProblemError] | None = Field(default=None, description="Every fault in the input.")


def responses(
    model: Any, *, missing: bool = False, csv: bool = False, status: int = 200, writes: bool = False
) -> dict[int | str, dict[str, Any]]:
    """The documented answers of a route; `contract` adds headers and the problems that every route has."""
    content: dict[str, Any] = {}
    if csv:
        content = {"application/json": {}, "text/csv": {"schema": {"type": "string"}}}
    found: dict[int | str, dict[str, Any]] = {
        status: {"model": model, "description": "OK" if status == 200 else "Done"}
    }
    if content:
        found[status]["content"] = content
    if status == 200 and not writes:
        found[304] = {"description": "You have this already (`If-None-Match`)."}
    if missing:
        found[404] = {"description": "Not there, or not yours to see."}
    return found


def add_contract(app: FastAPI, servers: list[dict[str, str]]) -> None:
    """Makes `app.openapi()` the published contract."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            for route in app.routes:
                if isinstance(route, Door):
                    route.operation_id = to_camel(route.name)
            document = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
                servers=servers,
                contact=app.contact,
                license_info=app.license_info,
                summary=app.summary,
            )
            # `RegionCollection`, a name that generated clients can use, instead of `Collection_Region_`.
            renamed = _GENERIC.sub(rb"\1Collection", orjson.dumps(document))
            app.openapi_schema = complete(orjson.loads(renamed))
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


_HEADERS: dict[str, Any] = {
    "API-Version": {"description": "Version of this interface.", "schema": {"type": "string"}},
    "Request-Id": {"description": "Name it when you report a problem.", "schema": {"type": "string"}},
    "RateLimit": {"description": "What is left of the rate limit.", "schema": {"type": "string"}},
    "RateLimit-Policy": {"description": "The rate limit.", "schema": {"type": "string"}},
}
_EXTRA_HEADERS: dict[str, Any] = {
    "ETag": {
        "description": "Tag of this representation, for `If-None-Match` and `If-Match`.",
        "schema": {"type": "string"},
    },
    "Content-Language": {"description": "`nl` or `en`.", "schema": {"type": "string"}},
}
_ALWAYS = {
    "400": "The request is not valid: unknown parameters, wrong values; all faults at once.",
    "401": "The token is wrong, expired or revoked.",
    "406": "None of the media types in `Accept` can be had.",
    "414": "The query string is too long.",
    "429": "Too many requests.",
    "500": "A fault of ours.",
    "503": "Not available now; try again after `Retry-After`.",
}
_WRITES = {
    "403": "Not allowed with this token.",
    "409": "Does not fit the present state.",
    "413": "The body is too large, as it comes or unpacked.",
    "415": "The body has the wrong media type, or is packed in another way than gzip.",
}
_CHANGES = {
    "412": "The resource has changed since the version in `If-Match`.",
    "428": "A change needs the version it is based on, in `If-Match`.",
}
_CREATES = {"422": "The `Idempotency-Key` was used before, for other content."}
_REQUEST_HEADERS = {
    "get": {"If-None-Match": "ETag of the answer you have: 304 when it is still the same."},
    "post": {"Idempotency-Key": "A quoted string, best a random UUID: the same request is carried out once."},
    "patch": {"If-Match": "ETag of the version that the change is based on."},
}
_REQUEST_HEADERS |= {"put": _REQUEST_HEADERS["patch"], "delete": _REQUEST_HEADERS["patch"]}


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Adds what the design rules ask for and removes what FastAPI assumes (its 422)."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    ref = "#/components/schemas/{model}"
    problem = Problem.model_json_schema(by_alias=True, ref_template=ref)
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    document["components"]["headers"] = {**_HEADERS, **_EXTRA_HEADERS}
    document["components"]["securitySchemes"] = {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API token of this instance, or an access token of the configured OpenID Connect issuer.",
        }
    }
    # The version is part of the server's address, so the paths do without.
    document["paths"] = {path.removeprefix("/v1"): operations for path, operations in document["paths"].items()}
    for operations in document["paths"].values():
        for method, operation in operations.items():
            _complete_operation(method, operation)
    for name, schema in schemas.items():
        schema.pop("title", None)
        _tidy(schema)
        if name.endswith("Change"):
            for member in schema["properties"].values():
                member.pop("default", None)  # of a merge-patch: what is absent stays as it is
    return document


def _complete_operation(method: str, operation: dict[str, Any]) -> None:
    found = operation["responses"]
    found.pop("422", None)
    described = dict(_ALWAYS)
    if method != "get":
        described |= _WRITES | (_CREATES if method == "post" else _CHANGES)
        operation["security"] = [{"bearer": []}]
    for status, text in described.items():
        found.setdefault(status, {"description": text})
    for status, response in found.items():
        headers = dict.fromkeys(_HEADERS)
        if status[0] in "23" and status != "204" and STREAM not in response.get("content", {}):
            headers |= dict.fromkeys(_EXTRA_HEADERS)
        response["headers"] = {
            **{name: {"$ref": f"#/components/headers/{name}"} for name in headers},
            **response.get("headers", {}),
        }
        if status[0] in "45":
            response["content"] = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    parameters = operation.setdefault("parameters", [])
    for parameter in parameters:
        _tidy_parameter(parameter)
    described_headers = {"Accept-Language": "`nl` (default) or `en`: the language of labels."}
    for name, text in (described_headers | _REQUEST_HEADERS[method]).items():
        header = {"name": name, "in": "header", "required": False, "description": text, "schema": {"type": "string"}}
        parameters.append(header)
    if method == "patch":
        content = operation["requestBody"]["content"]
        content[MERGE_PATCH] = content.pop(JSON)
    operation["responses"] = dict(sorted(found.items()))


def _tidy_parameter(parameter: dict[str, Any]) -> None:
    """A parameter that may be left out cannot be null: an address has no way to say so."""
    schema = parameter["schema"]
    choices = [choice for choice in schema.pop("anyOf", []) if choice != {"type": "null"}]
    for choice in choices:
        schema.update(choice)
    schema.pop("title", None)
    described = schema.pop("description", None)
    if described:
        parameter.setdefault("description", described)


def _tidy(schema: dict[str, Any]) -> None:
    """Without the titles that pydantic makes up for members; `string or null` in one type, so that the format stays
    with it."""
    members = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    if isinstance(schema.get("items"), dict):
        members.append(schema["items"])
    for member in members:
        member.pop("title", None)
        _tidy(member)
    choices = schema.get("anyOf", [])
    if len(choices) == 2 and choices[1] == {"type": "null"} and "type" in choices[0]:
        del schema["anyOf"]
        schema.update(choices[0])
        schema["type"] = [choices[0]["type"], "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
