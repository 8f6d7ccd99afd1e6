"""GraphQL over HTTP: what every client may rely on, byte for byte."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import HTMLResponse

from app.api.accepting import JSON, best_named, is_json
from app.api.graphql.transport import HTML, RESPONSE
from app.domain.errors import Fault, Invalid, Unauthenticated, Unavailable

TYPENAME = {"query": "{ __typename }"}
NOT_A_MAP = ["text", 0, False, ["array"]]
NOT_A_STRING = [{"ob": "ject"}, 0, False, ["array"]]


@pytest.mark.parametrize("accept", [JSON, RESPONSE])
def test_answers_in_the_media_type_that_is_asked_for(client: Any, accept: str) -> None:
    response = client.post(TYPENAME, accept)
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{accept}; charset=utf-8"
    assert response.headers["content-length"] == str(len(response.content))
    assert response.headers["vary"] == "Accept, Accept-Language, Accept-Encoding, Authorization"
    assert response.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_long_answer_is_compressed_for_who_can_read_it(client: Any, method: str) -> None:
    def ask(query: str, encoding: str) -> Any:
        content = {"json": {"query": query}} if method == "POST" else {"params": {"query": query}}
        return client.request(method, headers={"accept-encoding": encoding}, **content)

    long, short = "{ __schema { types { name kind fields { name } } } }", TYPENAME["query"]
    packed, plain = ask(long, "gzip"), ask(long, "identity")
    assert (packed.headers["content-encoding"], "content-encoding" in plain.headers) == ("gzip", False)
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) * 2 < int(plain.headers["content-length"]) == len(plain.content)
    assert "content-encoding" not in ask(short, "gzip").headers


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (f"{RESPONSE}, {JSON}", RESPONSE),
        (f"{JSON}, {RESPONSE}", RESPONSE),
        (f"{RESPONSE};q=0.5, {JSON};q=0.9", JSON),
        (f"{JSON};q=0.5, */*", RESPONSE),
        (f"{JSON}; charset=utf-8", JSON),
        (f"{JSON}; charset=iso-8859-1", None),
        (f"{JSON};q=0", None),
        ("text/html, application/xhtml+xml, */*;q=0.8", JSON),
        ("text/html", None),
        ("image/png;q=high", None),
    ],
)
def test_negotiates_by_quality_and_precision(accept: str | None, chosen: str | None) -> None:
    assert best_named(accept, (JSON, RESPONSE)) == chosen


@given(st.text(alphabet='applicton/json*html+grqu-esp;=,.019 "', max_size=60))
def test_no_accept_header_breaks_negotiation(accept: str) -> None:
    assert best_named(accept, (JSON, RESPONSE, HTML)) in (None, JSON, RESPONSE, HTML)
    assert is_json(accept) in (True, False)


def test_a_browser_gets_the_page_and_a_script_the_answer(new_client: Callable[..., Any]) -> None:
    client = new_client(page=lambda: HTMLResponse("<h1>GraphiQL</h1>"))
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    page = client.request("GET", headers={"accept": browser})
    assert page.headers["content-type"].startswith("text/html")
    assert client.request("HEAD", headers={"accept": browser}).content == b""
    script = client.request("GET", params=TYPENAME, headers={"accept": "*/*"})
    assert script.json() == {"data": {"__typename": "Query"}}


def test_what_nobody_can_read_is_not_acceptable(client: Any) -> None:
    response = client.post(TYPENAME, "image/png")
    assert (response.status_code, response.headers["content-type"]) == (406, "application/problem+json")
    assert response.json()["code"] == "not-acceptable"


@pytest.mark.parametrize(
    "content_type",
    [None, "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", RESPONSE],
)
def test_a_body_that_is_not_json_is_an_unsupported_media_type(client: Any, content_type: str | None) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    response = client.request("POST", content=b'{"query": "{ __typename }"}', headers=headers)
    assert response.status_code == 415
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["accept-post"] == "application/json"


def test_a_compressed_body_is_an_unsupported_media_type(client: Any) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    assert client.request("POST", content=b"x", headers=headers).status_code == 415


@pytest.mark.parametrize("content_type", ["application/json", 'Application/JSON; charset="UTF-8"'])
def test_utf8_is_read_with_and_without_its_name_and_mark(client: Any, content_type: str) -> None:
    body = '\ufeff{"query": "{ __type(name: \\"Run🏃Swim🏊\\") { name } }"}'.encode()
    response = client.request("POST", content=body, headers={"content-type": content_type})
    assert response.json() == {"data": {"__type": None}}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_told_which_ones_there_are(client: Any, method: str) -> None:
    response = client.request(method)
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, POST")
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("accept", [JSON, RESPONSE])
@pytest.mark.parametrize(
    "body", [b"", b'{ "not a JSON', b"0", b'"text"', b"null", b"[]", b'{"qeury": "{ a }"}', b"\xff"]
)
def test_a_malformed_request_is_400_for_everybody(client: Any, body: bytes, accept: str) -> None:
    headers = {"content-type": "application/json", "accept": accept}
    response = client.request("POST", content=body, headers=headers)
    assert response.status_code == 400
    assert response.headers["content-type"].startswith(accept)
    assert list(response.json()) == ["errors"]


@pytest.mark.parametrize(
    ("member", "wrong"),
    [("query", value) for value in [None, *NOT_A_STRING]]
    + [("operationName", value) for value in NOT_A_STRING]
    + [(member, value) for member in ("variables", "extensions") for value in NOT_A_MAP],
)
def test_a_parameter_of_the_wrong_type_is_400(client: Any, member: str, wrong: Any) -> None:
    response = client.post({**TYPENAME, member: wrong}, JSON)
    assert response.status_code == 400
    assert member in response.json()["errors"][0]["message"]


@pytest.mark.parametrize("member", ["operationName", "variables", "extensions"])
def test_a_parameter_may_be_null(client: Any, member: str) -> None:
    assert client.post({**TYPENAME, member: None}).json() == {"data": {"__typename": "Query"}}


def test_a_map_of_extensions_is_read_over(client: Any) -> None:
    assert client.post({**TYPENAME, "extensions": {"some": "value"}}).status_code == 200


def test_a_batch_is_refused_by_name(client: Any) -> None:
    response = client.post([TYPENAME, TYPENAME])
    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["code"] == "batch-not-supported"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({"query": "{"}, "syntax-error"),
        ({"query": ""}, "syntax-error"),
        ({"query": "{ 8f31403dfe404bccbb0e835f2629c6a7 }"}, "syntax-error"),
        ({"query": "{ nothing }"}, "invalid-document"),
        ({"query": "query A { __typename } query B { __typename }"}, "invalid-input"),
        ({"query": "query A { __typename }", "operationName": "C"}, "invalid-input"),
        ({"query": "query Q($id: ID!) { hub(slug: $id) { slug } }"}, "invalid-document"),
        ({"query": "query Q($id: String!) { hub(slug: $id) { slug } }", "variables": {"id": None}}, "invalid-input"),
        ({"query": "subscription { changes }"}, "no-subscriptions"),
    ],
)
def test_a_refused_document_is_400_without_data_or_200_for_plain_json(
    client: Any, content: dict[str, Any], code: str
) -> None:
    for accept, status in ((RESPONSE, 400), (JSON, 200)):
        for _ in range(2):  # the second time it is remembered
            response = client.post(content, accept)
            assert response.status_code == status
            assert list(response.json()) == ["errors"]
            assert response.json()["errors"][0]["extensions"]["code"] == code


def test_the_operation_is_chosen_by_name(client: Any) -> None:
    query = "query A { a: __typename } query B { b: __typename }"
    assert client.post({"query": query, "operationName": "B"}).json() == {"data": {"b": "Query"}}
    assert client.post({"query": "query A { a: __typename }", "operationName": ""}).json() == {"data": {"a": "Query"}}


def test_get_takes_the_parameters_from_the_query_string(client: Any) -> None:
    parameters = {
        "query": "query Q($slug: String!) { hub(slug: $slug) { name } }",
        "variables": '{"slug": "zeeland"}',
        "operationName": "Q",
        "extensions": "",
    }
    response = client.request("GET", params=parameters)
    assert response.json() == {"data": {"hub": {"name": "name"}}}
    assert client.last[0].values == ("zeeland",)


def test_head_answers_as_get_without_the_body(client: Any) -> None:
    head, get = (client.request(method, params=TYPENAME) for method in ("HEAD", "GET"))
    assert head.content == b""
    assert head.headers == get.headers


@pytest.mark.parametrize(
    "query_string", ["", "query=%ff", "query={__typename}&query={a}", "query={__typename}&variables={", "variables={}"]
)
def test_a_malformed_query_string_is_400(client: Any, query_string: str) -> None:
    assert client.request("GET", f"/graphql?{query_string}").status_code == 400


@pytest.mark.parametrize("accept", [JSON, RESPONSE])
def test_a_mutation_over_get_is_not_run(client: Any, accept: str) -> None:
    query = 'mutation { renameHub(slug: "a", name: "b") { hub { slug } } }'
    response = client.request("GET", params={"query": query}, headers={"accept": accept})
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert client.reader.asked == []


def test_a_body_over_the_limit_is_too_large(client: Any) -> None:
    content = b'{"query": "{ __typename }", "x": "' + b"x" * 1_000_000 + b'"}'
    response = client.request("POST", content=content, headers={"content-type": "application/json"})
    assert response.status_code == 413
    assert response.headers["content-type"] == "application/problem+json"


def test_a_body_without_a_length_is_counted_while_it_comes_in(client: Any) -> None:
    async def chunks() -> Any:
        for _ in range(30):
            yield b" " * 50_000

    response = client.request("POST", content=chunks(), headers={"content-type": "application/json"})
    assert response.status_code == 413


def test_a_body_in_pieces_is_put_together(client: Any) -> None:
    async def chunks() -> Any:
        for piece in (b'{"query": ', b'"{ __type', b'name }"}'):
            yield piece

    response = client.request("POST", content=chunks(), headers={"content-type": "application/json"})
    assert response.json() == {"data": {"__typename": "Query"}}


def test_nothing_is_sent_to_a_client_that_left(client: Any) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", b"application/json")]}
    asyncio.run(client.endpoint(scope, receive, send))
    assert sent == []


def test_a_bad_token_is_a_problem_before_anything_is_read(new_client: Callable[..., Any]) -> None:
    async def context(scope: Any) -> Any:
        raise Unauthenticated("The token has expired.")

    client = new_client(context=context)
    response = client.post(TYPENAME)
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")


HUBS = "{ hubs { nodes { slug } } }"


def test_a_database_that_is_away_is_503(client: Any) -> None:
    client.reader.failing = Unavailable("The database is away.")
    response = client.post({"query": HUBS})
    assert response.status_code == 503
    error = {"message": "The database is away.", "extensions": {"code": "unavailable"}}
    assert response.json() == {"errors": [error], "data": None}
    assert client.post({"query": HUBS}, JSON).status_code == 200


def test_a_cursor_that_is_not_ours_is_invalid_input(client: Any) -> None:
    client.reader.failing = Invalid([Fault("query", "after", "invalid-cursor", "This cursor is not ours.")])
    response = client.post({"query": '{ hubs(after: "x") { nodes { slug } } }'})
    assert response.status_code == 400
    [error] = response.json()["errors"]
    assert error["extensions"]["code"] == "invalid-input"
    assert error["extensions"]["errors"][0]["location"] == "after"


@pytest.mark.parametrize("query", [HUBS, "{ hubs { nodes { slug } } greeting }", "mutation { __typename }"])
def test_an_unexpected_failure_says_nothing_but_a_request_id(client: Any, query: str) -> None:
    client.reader.failing = RuntimeError("password=hunter2")
    response = client.post({"query": query})
    if "hubs" in query:
        assert response.status_code == 500
        [error] = response.json()["errors"]
        assert error["message"] == "Internal error"
        assert error["extensions"] == {"code": "internal-error", "requestId": "request-1"}
    assert "hunter2" not in response.text


def test_a_failing_resolver_leaves_the_rest_of_the_answer(client: Any) -> None:
    response = client.post({"query": "{ broken greeting }"})
    assert response.status_code == 200
    assert response.json()["data"] == {"broken": None, "greeting": "hoi"}
    assert response.json()["errors"][0]["path"] == ["broken"]
    assert "hunter2" not in response.text


def test_a_domain_error_of_a_mutation_keeps_its_code_and_members(client: Any) -> None:
    answer = client.ask('mutation { renameHub(slug: "a", name: "a") { hub { slug } } }')
    extensions = {"code": "conflict", "hub": "a"}
    assert answer["errors"] == [{"message": "That is the slug.", "path": ["renameHub"], "extensions": extensions}]
    stale = client.ask('mutation { renameHub(slug: "a", name: "b", version: 2) { hub { slug } } }')
    assert stale["errors"][0]["extensions"] == {"code": "stale-version", "currentVersion": 1}


SECRET = "Jan Jansen 999990019"


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("Int!", SECRET),
        ("HubSort", SECRET),
        ("Date", SECRET),
        ("HubFilter", {"phase": {"name": SECRET}}),
        ("HubFilter", {"other": SECRET}),
        ("HubFilter", SECRET),
        ("HubFilter", {"regions": ["GG2014", {"name": SECRET}]}),
    ],
)
def test_the_value_of_a_refused_variable_is_never_repeated(client: Any, type_: str, value: Any) -> None:
    query = f"query Q($x: {type_}) {{ __typename ...F @include(if: false) }} fragment F on Query {{ {USES[type_]} }}"
    response = client.post({"query": query, "variables": {"x": value}})
    [error] = response.json()["errors"]
    assert error["extensions"]["code"] == "invalid-input"
    assert error["message"].startswith("Variable '$x' has invalid value")
    assert "Jansen" not in response.text


USES = {
    "Int!": "hubs(first: $x) { nodes { slug } }",
    "HubSort": "hubs(sort: $x) { nodes { slug } }",
    "Date": "hubs(asOf: $x) { nodes { slug } }",
    "HubFilter": "hubs(filter: $x) { nodes { slug } }",
}


def test_a_long_literal_is_not_repeated(client: Any) -> None:
    answer = client.ask('{ hubs(first: "%s") { nodes { slug } } }' % (SECRET * 9))
    assert "represent non-integer value" in answer["errors"][0]["message"]
    assert len(answer["errors"][0]["message"]) < 100
    assert answer["errors"][0]["locations"] == [{"line": 1, "column": 15}]


def test_introspection_is_answered_and_remembered(client: Any) -> None:
    query = '{ __schema { queryType { name } } t: __type(name: "Hub") { kind } __typename }'
    expected = {"data": {"__schema": {"queryType": {"name": "Query"}}, "t": {"kind": "OBJECT"}, "__typename": "Query"}}
    assert client.ask(query) == expected
    assert client.ask(query) == expected
