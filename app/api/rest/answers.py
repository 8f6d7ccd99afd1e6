"""From a selection to an HTTP response: the database's bytes, untouched, with the headers that HTTP wants."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from hashlib import blake2b
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

import orjson
from fastapi import Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticKnownError

from app.api.compressing import gzipped, pays
from app.api.rest.doors import Asking
from app.api.rest.picks import chosen, picks
from app.domain.errors import NotFound
from app.domain.reading import DEFAULT_PAGE, MAX_PAGE, Answer, Pick, Selection, Shape

ETAG = re.compile(r'(?:W/)?"[^"]*"')
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WHOLE = re.compile(r"-?[0-9]{1,18}")


def _written_as_date(value: Any) -> Any:
    """Pydantic alone would take a timestamp, a number of seconds and a JSON number for a date."""
    if isinstance(value, date) or (isinstance(value, str) and _DATE.fullmatch(value)):
        return value
    raise PydanticKnownError("date_type")


def _written_as_whole(value: Any) -> Any:
    """Pydantic alone would take `1.0`, `1_0` and ` 1` for a whole number."""
    if isinstance(value, int) or _WHOLE.fullmatch(value):
        return value
    raise PydanticKnownError("int_type")


Day = Annotated[date, BeforeValidator(_written_as_date)]
Whole = Annotated[int, BeforeValidator(_written_as_whole)]


class Strict(BaseModel):
    """Unknown names are faults, never ignored; a field goes by the name in the contract alone."""

    model_config = ConfigDict(extra="forbid")


AsOf = Annotated[
    Day | None,
    Field(
        alias="asOf",
        description="Read regions as of this date (`YYYY-MM-DD`); today when absent. Municipalities are exact by date, "
        "memberships those of the latest edition not after it.",
        examples=["2026-01-01"],
    ),
]
Fields = Annotated[
    str | None,
    Field(
        description="Only these fields, comma-separated; dots lead into edges: `name,area.population`. The answer then "
        "holds these alone, also where the schema calls others required.",
        max_length=2000,
    ),
]
Expand = Annotated[
    str | None, Field(description="Edges to show next to the default fields, comma-separated.", max_length=500)
]


class OneQuery(Strict):
    """What every single resource takes."""

    fields: Fields = None
    expand: Expand = None
    as_of: AsOf = None


class PageQuery(OneQuery):
    """What every collection takes."""

    limit: Annotated[Whole, Field(ge=1, le=MAX_PAGE, description="Items on a page.")] = DEFAULT_PAGE
    cursor: Annotated[
        str | None, Field(max_length=2000, description="Where the page begins: from `next` of the page before.")
    ] = None
    sort: Annotated[
        str | None, Field(max_length=50, description="Order of the items; a leading `-` turns it around.")
    ] = None


def page_selection(asking: Asking, noun: str, default: str, query: PageQuery, filters: Mapping[str, Any]) -> Selection:
    """The selection of a collection. Raises `Invalid` for an unknown field or order."""
    nouns = asking.services.library.nouns()
    given = [(name, value) for name, value in filters.items() if value is not None]
    shape = Shape(
        noun,
        "page",
        chosen(picks(default), noun, nouns, query.fields, query.expand, query.limit),
        tuple((name, index) for index, (name, _) in enumerate(given)),
        query.sort or "",
        query.limit,
        query.cursor is not None,
    )
    return Selection(shape, tuple(value for _, value in given), _day(asking, query.as_of), query.cursor)


def _day(asking: Asking, as_of: date | None) -> date:
    return as_of if as_of is not None else asking.services.today()


async def page(asking: Asking, noun: str, default: str, query: PageQuery, filters: Mapping[str, Any]) -> Response:
    """A collection: `{"items": […], "next": …}` with a `Link` to the next page."""
    selection = page_selection(asking, noun, default, query, filters)
    (answer,) = await _read(asking, selection)
    return collection(asking, answer.body or b"[]", answer.next)


async def listing(
    asking: Asking,
    noun: str,
    default: str,
    filters: Mapping[str, Any],
    as_of: date | None,
    query: OneQuery | None = None,
) -> Response:
    """A collection that always comes whole."""
    selection = whole(asking, noun, default, filters, as_of, query)
    (answer,) = await _read(asking, selection)
    return collection(asking, answer.body or b"[]", None)


def whole(
    asking: Asking,
    noun: str,
    default: str,
    filters: Mapping[str, Any],
    as_of: date | None,
    query: OneQuery | None = None,
) -> Selection:
    """The selection of all items of a noun that meet the filters."""
    nouns = asking.services.library.nouns()
    fields, expand = (query.fields, query.expand) if query else (None, None)
    given = [(name, value) for name, value in filters.items() if value is not None]
    shape = Shape(
        noun,
        "list",
        chosen(picks(default), noun, nouns, fields, expand),
        tuple((name, index) for index, (name, _) in enumerate(given)),
    )
    return Selection(shape, tuple(value for _, value in given), _day(asking, as_of))


async def one(
    asking: Asking, noun: str, default: str, query: OneQuery, filters: Mapping[str, Any], versioned: bool = True
) -> Response:
    """A single resource. Raises `NotFound`."""
    nouns = asking.services.library.nouns()
    shape = Shape(
        noun,
        "one",
        chosen(picks(default), noun, nouns, query.fields, query.expand),
        tuple((name, index) for index, name in enumerate(filters)),
    )
    day = _day(asking, query.as_of)
    (answer,) = await _read(asking, Selection(shape, tuple(filters.values()), day))
    if answer.body is None:
        raise await missing(asking, noun, filters, day)
    return resource(asking, answer)


async def edge(
    asking: Asking,
    noun: str,
    filters: Mapping[str, Any],
    name: str,
    inner: tuple[Pick, ...],
    args: Mapping[str, Any],
    as_of: date | None,
) -> Response:
    """The items behind one edge of a single resource, as a collection. Raises `NotFound` when the resource is not there."""
    given = [(key, value) for key, value in args.items() if value is not None]
    arguments = tuple((key, len(filters) + index) for index, (key, _) in enumerate(given))
    shape = Shape(
        noun,
        "one",
        (Pick(name, "items", inner, arguments),),
        tuple((key, index) for index, key in enumerate(filters)),
    )
    day = _day(asking, as_of)
    (answer,) = await _read(asking, Selection(shape, (*filters.values(), *(value for _, value in given)), day))
    if answer.body is None:
        raise await missing(asking, noun, filters, day)
    return respond(asking, answer.body[:-1] + b',"next":null}', etag(answer.body))


async def missing(asking: Asking, noun: str, filters: Mapping[str, Any], day: date) -> NotFound:
    """Why a single resource is not there."""
    if noun in ("region", "region-life"):
        found: NotFound = await asking.services.missing_region(filters["code"], day)
        return found
    return NotFound(f"There is no {noun.replace('-', ' ')} at this address, or it is not yours to see.")


async def _read(asking: Asking, *selections: Selection) -> list[Answer]:
    return await asking.services.library.read(selections, actor=asking.asked.actor, language=asking.asked.language)


def collection(asking: Asking, items: bytes, cursor: str | None) -> Response:
    """The envelope of a collection around its items."""
    if cursor is None:
        body = b'{"items":' + items + b',"next":null}'
        return respond(asking, body, etag(body))
    following = _following(asking, cursor)
    body = b'{"items":' + items + b',"next":' + orjson.dumps(following) + b"}"
    return respond(asking, body, etag(body), {"link": f'<{following}>; rel="next"'})


def _following(asking: Asking, cursor: str) -> str:
    scope = asking.request.scope
    pairs = [pair for pair in parse_qsl(scope["query_string"].decode(), keep_blank_values=True) if pair[0] != "cursor"]
    return f"{asking.asked.base_url}{scope['path']}?{urlencode([*pairs, ('cursor', cursor)])}"


def resource(asking: Asking, answer: Answer, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A single resource with its strong ETag: the version for `If-Match`, the hash for `If-None-Match`."""
    body = answer.body or b"null"
    return respond(asking, body, etag(body, answer.version), headers, status)


def etag(body: bytes, version: int | None = None) -> str:
    """`"<version>-<hash of the representation>"`; a collection has the hash alone."""
    digest = blake2b(body, digest_size=9).hexdigest()
    return f'"{digest}"' if version is None else f'"{version}-{digest}"'


def respond(
    asking: Asking,
    body: bytes,
    tag: str | None,
    headers: Mapping[str, str] | None = None,
    status: int = 200,
    media: str = "application/json",
) -> Response:
    """The response, or 304 when the client has these very bytes already. Compressed where the client takes that and it
    pays: another representation, so its strong ETag is another too."""
    compressed = pays(body, asking.request.headers.get("accept-encoding"))
    if compressed and tag is not None:
        tag = f'{tag[:-1]}-gzip"'
    shown = {"content-language": asking.asked.language, **(headers or {})}
    if tag is not None:
        shown["etag"] = tag
        known = asking.request.headers.get("if-none-match")
        if known is not None and status == 200 and matches(known, tag):
            return Response(status_code=304, headers=shown)
    if compressed:
        shown["content-encoding"] = "gzip"
        body = gzipped(body)
    return Response(body, status, shown, media)


def matches(header: str, tag: str) -> bool:
    """Weak comparison of `If-None-Match` (RFC 9110, 13.1.2)."""
    if header.strip() == "*":
        return True
    return tag in (found.removeprefix("W/") for found in ETAG.findall(header))


def listed(names: Iterable[str]) -> str:
    """Names for a description."""
    return ", ".join(f"`{name}`" for name in names)
