"""What a query may ask, and what a refusal says."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from graphql import get_introspection_query

from app.api.graphql.documents import Documents, Recent, Refused
from app.api.graphql.limits import Limits


def refusals(client: Any, query: str, **variables: Any) -> dict[str, Any]:
    answer = client.ask(query, **variables)
    assert "data" not in answer
    return {error["extensions"]["code"]: error for error in answer["errors"]}


@pytest.mark.parametrize(
    ("code", "limit", "found", "query"),
    [
        ("limit-depth", 12, 14, '{ hub(slug: "a") {' + "area {" * 12 + "code" + "}" * 13 + "}"),
        ("limit-aliases", 50, 51, '{ hub(slug: "a") {' + "".join(f"a{n}: name " for n in range(51)) + "} }"),
        ("limit-alias-length", 60, 61, "{ %s: __typename }" % ("a" * 61)),
        ("limit-tokens", 2_000, 2_001, "{" + "__typename " * 2_000 + "}"),
        ("limit-root-fields", 20, 21, "{" + "__typename " * 21 + "}"),
        ("limit-directives", 50, 51, "{ __typename " + "@skip(if: false) " * 51 + "}"),
        ("limit-size", 100_000, 100_014, "{ __typename }" + " " * 100_000),
        ("limit-fields", 500, 505, "{" + 'hub(slug: "a") { ...F }' + "} fragment F on Hub {" + "name " * 504 + "}"),
        ("limit-cost", 50_000, 60_401, "{ hubs(first: 200) { nodes { hosts {" + "status " * 30 + "} } } }"),
    ],
)
def test_a_passed_limit_is_named_with_what_was_found_and_the_cheaper_way(
    client: Any, code: str, limit: int, found: int, query: str
) -> None:
    if code == "limit-cost":  # the same field again costs nothing more: it is one field of the answer
        assert "errors" not in client.ask(query)
        query = query.replace("status " * 30, "".join(f"a{n}: status " for n in range(30)))
    error = refusals(client, query)[code]
    assert error["extensions"]["limit"] == limit
    assert error["extensions"]["found"] == found
    assert error["extensions"]["hint"] in error["message"]
    assert f"{limit:,}" in error["message"]


@pytest.mark.parametrize("first", [0, -1, 201, 2_147_483_647])
def test_a_page_holds_from_1_to_200_items(client: Any, first: int) -> None:
    for error in (
        refusals(client, f"{{ hubs(first: {first}) {{ nodes {{ slug }} }} }}"),
        refusals(client, "query Q($n: Int) { hubs(first: $n) { nodes { slug } } }", n=first),
        refusals(client, f"{{ greeting hubs(first: {first}) {{ nodes {{ slug }} }} }}"),
    ):
        [fault] = error["invalid-input"]["extensions"]["errors"]
        assert fault["location"] == "hubs.first"
    assert client.reader.asked == []


def test_cost_counts_rows_times_fields_with_the_variables_of_the_request(client: Any) -> None:
    fields = "".join(f"a{n}: status " for n in range(30))
    query = "query Q($n: Int) { hubs(first: $n) { nodes { hosts {" + fields + "} } } }"
    assert "errors" not in client.ask(query, n=100)
    assert refusals(client, query, n=200)["limit-cost"]["extensions"]["found"] == 60_401
    assert "errors" not in client.ask(query, n=100)


@pytest.mark.parametrize("operation", ["query", "mutation"])
def test_cost_is_estimated_before_the_executor_runs(client: Any, operation: str) -> None:
    fields = "".join(f"a{n}: code " for n in range(49))
    deep = "overlaps { region {" + fields + "} }"
    if operation == "query":
        body = "greeting regions { name } hubs(first: 200) { nodes {" + deep + "} }"
    else:
        client = type(client)(limits=Limits(cost=100))
        body = 'renameHub(slug: "a", name: "b") { hub {' + deep + "} }"
    assert "limit-cost" in refusals(client, operation + "{" + body + "}")
    assert client.reader.asked == []


def test_what_an_interface_costs_is_what_its_dearest_type_costs(new_client: Callable[..., Any]) -> None:
    client = new_client(limits=Limits(cost=200))
    query = "{ named { name ... on Hub { hosts { status organisation } } } }"
    assert refusals(client, query)["limit-cost"]["extensions"]["found"] == 221
    assert client.ask("{ named { name } }") == {"data": {"named": []}}


def test_an_unpaged_list_costs_the_rows_that_it_is_declared_to_have(new_client: Callable[..., Any]) -> None:
    client = new_client(limits=Limits(cost=80))
    assert "errors" not in client.ask("{ regions { name } }")
    assert "limit-cost" in refusals(client, "{ regions { name code scheme } }")
    assert "limit-cost" in refusals(client, "{ greeting regions { name code scheme } }")


def test_the_introspection_of_graphiql_passes(client: Any) -> None:
    query = get_introspection_query(
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    )
    assert client.ask(query)["data"]["__schema"]["queryType"] == {"name": "Query", "kind": "OBJECT"}


@pytest.mark.parametrize(
    "query",
    [
        "{ __schema {"
        + "".join(f"t{n}: types {{ fields {{ name args {{ name }} }} }} " for n in range(45)) * 2
        + "} }",
        '{ __type(name: "Hub") {' + "ofType {" * 25 + "name" + "}" * 27,
    ],
)
def test_introspection_has_limits_of_its_own(client: Any, query: str) -> None:
    assert "limit-introspection" in refusals(client, query)


def test_a_cycle_of_fragments_is_refused_by_validation(client: Any) -> None:
    query = '{ hub(slug: "a") { ...A } } fragment A on Hub { slug ...B } fragment B on Hub { name ...A }'
    assert "Cannot spread fragment" in refusals(client, query)["invalid-document"]["message"]


def bomb(fragments: int) -> str:
    """Each fragment spreads the next one twice at different keys: two to the power of `fragments` fields."""
    spreads = " ".join(
        f"fragment F{n} on Hub {{ a{n}: area {{ ...G{n} }} b{n}: area {{ ...G{n} }} }} "
        f"fragment G{n} on Region {{ name ...H{n} }} fragment H{n} on Region {{ ...G{n + 1} }}"
        for n in range(fragments)
    )
    return f'{{ hub(slug: "a") {{ ...F0 }} }} {spreads} fragment G{fragments} on Region {{ code }}'


@pytest.mark.parametrize(
    "query",
    [
        bomb(20),
        '{ hub(slug: "a") { ...F0 } }'
        + "".join(f"fragment F{n} on Hub {{ {f'...F{n + 1} ' * 9} name }} " for n in range(60))
        + "fragment F60 on Hub { name }",
        '{ hub(slug: "a") {' + "area { code } " * 240 + "} }",
        '{ hub(slug: "a") {' + "... on Hub { slug name } " * 240 + "} }",
        "{ ...F0 }" + "".join(f"fragment F{n} on Query {{ ...F{n + 1} }} " for n in range(300)),
        "{ hubs(filter: {" + " ".join(f"a{n}: 1" for n in range(600)) + "}) { nodes { slug } } }",
        '{ hub(slug: "a") {' + "area {" * 190 + "code" + "}" * 192,
        "{" + "unknown " * 490 + "}",
    ],
)
def test_a_hostile_document_is_refused_quickly(sample: Any, query: str) -> None:
    documents = Documents(sample.graphql, Limits())
    before = time.process_time()
    with pytest.raises(Refused) as refused:
        documents.get(query)
    assert time.process_time() - before < 1  # a loose bound for slow machines; what used to take minutes takes 0.1 s
    assert len(refused.value.errors) <= 11


def test_a_refused_document_is_not_checked_again(sample: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = Documents(sample.graphql, Limits())
    with pytest.raises(Refused) as first:
        documents.get("{ nothing }")
    monkeypatch.setattr("app.api.graphql.documents.parse", None)
    with pytest.raises(Refused) as second:
        documents.get("{ nothing }")
    assert first.value.errors is second.value.errors


def test_what_was_used_longest_ago_is_forgotten_first() -> None:
    recent: Recent[str, int] = Recent(10)
    for name in "abc":
        recent.put(name, 1, 3)
    assert recent.get("a") == 1
    recent.put("d", 1, 4)
    assert [recent.get(name) for name in "abcd"] == [1, None, 1, 1]
    recent.put("e", 1, 11)
    assert recent.get("e") is None
    recent.put("a", 2, 4)
    assert (recent.get("a"), len(recent)) == (2, 2)
