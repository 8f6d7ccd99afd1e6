"""From a GraphQL operation to selections, by the fast way and by the executor alike."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

import orjson
import pytest
from graphql import (
    GraphQLResolveInfo,
    GraphQLSchema,
    build_schema,
    execute_sync,
    get_named_type,
    is_leaf_type,
    parse,
    print_schema,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.api.graphql.answering import Answering, Parameters
from app.api.graphql.executing import Context
from app.api.graphql.limits import Limits
from app.api.graphql.selecting import Projected, check
from app.domain.reading import Pick, Shape


def test_a_query_becomes_one_read_of_all_its_root_fields(client: Any) -> None:
    answer = client.ask('{ t: __typename hubs { nodes { slug } } zeeland: hub(slug: "zeeland") { naam: name } }')
    assert answer == {
        "data": {"t": "Query", "hubs": {"nodes": [{"slug": "slug"}] * 2}, "zeeland": {"naam": "name"}},
    }
    [selections] = client.reader.asked
    assert selections[0].shape == Shape("hub", "connection", (Pick("nodes", "nodes", (Pick("slug", "slug"),)),))
    assert selections[1].shape == Shape("hub", "one", (Pick("name", "naam"),), (("slug", 0),))
    assert selections[1].values == ("zeeland",)
    assert {selection.as_of for selection in selections} == {date(2026, 3, 1)}


def test_filters_order_page_and_day_reach_the_selection(client: Any) -> None:
    client.ask(
        "query Q($filter: HubFilter, $after: String, $day: Date) {"
        " hubs(first: 10, after: $after, filter: $filter, sort: NEWEST, asOf: $day) { pageInfo { endCursor } } }",
        filter={"phase": "start", "regions": ["GG2014", "GG2015"]},
        after="c1",
        day="2020-05-01",
    )
    [selection] = client.last
    assert selection.shape.filters == (("phase", 0), ("region", 1))
    assert selection.values == ("start", ["GG2014", "GG2015"])
    assert (selection.shape.sort, selection.shape.first, selection.shape.after) == ("-since", 10, True)
    assert (selection.after, selection.as_of) == ("c1", date(2020, 5, 1))


def test_what_is_null_or_left_out_is_not_given(client: Any) -> None:
    client.ask(
        "query Q($filter: HubFilter, $after: String, $n: Int, $day: Date, $sort: HubSort) {"
        " hubs(first: $n, after: $after, filter: $filter, asOf: $day, sort: $sort) { pageInfo { endCursor } } }",
        filter={"phase": None},
        day=None,
    )
    [selection] = client.last
    assert (selection.shape.filters, selection.shape.sort, selection.shape.first) == ((), "", 50)
    assert (selection.shape.after, selection.after, selection.as_of) == (False, None, date(2026, 3, 1))


def test_arguments_below_the_root_become_values_of_the_selection(client: Any) -> None:
    query = (
        "query Q($scheme: String!, $n: Int, $slug: String!) { hub(slug: $slug) {"
        " a: overlaps(scheme: $scheme, limit: $n) { shareOfThis } b: overlaps { shareOfThis }"
        " c: overlaps(limit: 3) { shareOfThis } } }"
    )
    client.ask(query, scheme="corop", n=None, slug="zeeland")
    [selection] = client.last
    a, b, c = selection.shape.picks
    assert [(pick.key, pick.args) for pick in (a, b, c)] == [
        ("a", (("scheme", 0),)),
        ("b", (("scheme", 1),)),
        ("c", (("scheme", 2), ("limit", 3))),
    ]
    assert selection.values == ("corop", "ggd-regio", "ggd-regio", 3, "zeeland")
    assert selection.shape.filters == (("slug", 4),)


def test_the_shape_is_the_same_object_of_words_whatever_the_values(client: Any) -> None:
    query = "query Q($s: String!, $x: String!) { hub(slug: $s) { overlaps(scheme: $x) { shareOfThis } } }"
    client.ask(query, s="zeeland", x="corop")
    client.ask(query, s="drenthe", x="jeugdregio")
    first, second = (asked[0] for asked in client.reader.asked)
    assert first.shape == second.shape
    assert (first.values, second.values) == (("corop", "zeeland"), ("jeugdregio", "drenthe"))


def test_a_nested_argument_that_comes_and_goes_changes_the_shape(client: Any) -> None:
    query = 'query Q($n: Int) { hub(slug: "a") { overlaps(limit: $n) { shareOfThis } } }'
    args = []
    for variables in ({}, {"n": 3}, {"n": None}, {"n": 4}):
        client.ask(query, **variables)
        [selection] = client.last
        args.append({name: selection.values[index] for name, index in selection.shape.picks[0].args})
    default = {"scheme": "ggd-regio"}
    assert args == [default, {**default, "limit": 3}, default, {**default, "limit": 4}]


def test_null_for_an_argument_that_may_not_be_null_is_refused(client: Any) -> None:
    query = 'query Q($x: String) { hub(slug: "a") { overlaps(scheme: $x) { shareOfThis } } }'
    assert "data" not in client.ask(query, x=None)
    assert client.ask(query)["data"] == {"hub": {"overlaps": [{"shareOfThis": "shareOfThis"}] * 2}}


def test_conditions_are_followed_at_every_level(client: Any) -> None:
    query = (
        'query Q($yes: Boolean!, $no: Boolean = false) { a: hub(slug: "a") @include(if: $no) { slug }'
        ' b: hub(slug: "b") { slug @skip(if: $yes) name @skip(if: $no) @include(if: $yes)'
        " ... @include(if: $no) { phase } ...F @skip(if: $yes) area { code } } } fragment F on Hub { hosts { status } }"
    )
    assert client.ask(query, yes=True)["data"] == {"b": {"name": "name", "area": {"code": "code"}}}
    assert client.ask(query, yes=False, no=True)["data"] == {
        "a": {"slug": "slug"},
        "b": {"slug": "slug", "phase": "phase", "hosts": [{"status": "status"}] * 2, "area": {"code": "code"}},
    }


def test_a_query_with_nothing_left_is_an_empty_answer(client: Any) -> None:
    assert client.ask('{ hub(slug: "a") @skip(if: true) { slug } }') == {"data": {}}
    assert client.reader.asked == []


def test_the_type_name_is_known_at_every_level(client: Any) -> None:
    query = "{ hubs { __typename nodes { t: __typename area { __typename ... on Named { name } } } } }"
    node = {"t": "Hub", "area": {"__typename": "Region", "name": "name"}}
    assert client.ask(query) == {"data": {"hubs": {"__typename": "HubConnection", "nodes": [node, node]}}}


def test_what_is_not_there_is_null(client: Any) -> None:
    client.reader.empty = {"hub"}
    assert client.ask('{ hub(slug: "none") { slug } }') == {"data": {"hub": None}}
    assert client.ask('{ hub(slug: "none") { slug } greeting }') == {"data": {"hub": None, "greeting": "hoi"}}


def test_today_is_never_remembered(client: Any) -> None:
    query = '{ hub(slug: "a") { slug } b: hub(slug: "b", asOf: "2020-01-01") { slug } }'
    days = []
    for day in (date(2026, 3, 1), date(2026, 3, 2)):
        client.day = day
        client.ask(query)
        days.append([selection.as_of for selection in client.last])
    assert days == [[date(2026, 3, 1), date(2020, 1, 1)], [date(2026, 3, 2), date(2020, 1, 1)]]


def test_the_same_body_gives_the_same_selections_without_walking_again(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "query Q($after: String) { hubs(after: $after) { nodes { slug } } }"
    client.ask(query, after="c1")
    monkeypatch.setattr(client.endpoint._answering, "prepare", None)
    client.ask(query, after="c1")
    assert client.reader.asked[0] == client.reader.asked[1]


def test_a_resolver_next_to_projections_sends_the_query_through_the_executor(client: Any) -> None:
    query = (
        "query Q($s: String!) { hub(slug: $s) { naam: name ...F } greeting __schema { queryType { name } }"
        " hubs(first: 3) { nodes { slug } } regions { name } } fragment F on Hub { overlaps(scheme: $s) { shareOfThis } }"
    )
    answer = client.ask(query, s="corop")
    assert answer["data"]["hub"] == {"naam": "name", "overlaps": [{"shareOfThis": "shareOfThis"}] * 2}
    assert answer["data"]["regions"] == [{"name": "name"}] * 2
    assert answer["data"]["__schema"] == {"queryType": {"name": "Query"}}
    hub = next(read[0] for read in client.reader.asked if read[0].shape.kind == "one")
    assert hub.values == ("corop", "corop")
    assert next(read[0] for read in client.reader.asked if read[0].shape.kind == "connection").shape.first == 3


def test_the_payload_of_a_mutation_is_read_after_the_write(client: Any) -> None:
    query = (
        'mutation { a: renameHub(slug: "zeeland", name: "Z") { __typename hub { slug area { code } } }'
        ' b: renameHub(slug: "drenthe", name: "D") { hub { naam: name } } }'
    )
    assert client.ask(query)["data"] == {
        "a": {"__typename": "HubPayload", "hub": {"slug": "slug", "area": {"code": "code"}}},
        "b": {"hub": {"naam": "name"}},
    }
    assert [read[0].values for read in client.reader.asked] == [("zeeland",), ("drenthe",)]


@pytest.mark.parametrize(
    ("name", "projected", "message"),
    [
        ("absent", Projected("hub", "one"), "not a field"),
        ("hub", Projected("hub", "one"), "slug"),
        ("hubs", Projected("hub", "connection", {"phase": "phase"}), "regions"),
        ("named", Projected("hub", "list"), "abstract"),
    ],
)
def test_a_declaration_that_does_not_fit_the_schema_fails_at_the_start(
    sample: Any, name: str, projected: Projected, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check(sample.graphql, {name: projected})


# Random documents: what we select is what graphql-core would have answered.

FIELDS: dict[str, dict[str, str | None]] = {
    "Query": {
        'hub(slug: "a")': "Hub",
        "hubs(first: 2)": "HubConnection",
        "regions": "Region",
        "__typename": None,
    },
    "HubConnection": {"nodes": "Hub", "edges": "HubEdge", "pageInfo": "PageInfo", "__typename": None},
    "HubEdge": {"cursor": None, "node": "Hub"},
    "PageInfo": {"hasNextPage": None, "endCursor": None},
    "Hub": {
        "slug": None,
        "name": None,
        "area": "Region",
        "hosts": "Host",
        "overlaps": "Overlap",
        'overlaps(scheme: "corop")': "Overlap",
        "overlaps(scheme: $scheme, limit: 2)": "Overlap",
        "__typename": None,
    },
    "Region": {"code": None, "name": None, "__typename": None},
    "Host": {"status": None},
    "Overlap": {"region": "Region", "shareOfThis": None},
}
CONDITIONS = ["", "", "", " @include(if: $yes)", " @skip(if: $yes)", " @skip(if: false) @include(if: $yes)"]


@st.composite
def selection_sets(draw: st.DrawFn, type_: str, fragments: dict[str, str], depth: int = 0) -> str:
    parts = []
    for _ in range(draw(st.integers(1, 4))):
        condition = draw(st.sampled_from(CONDITIONS))
        kind = draw(st.sampled_from(["field", "field", "field", "inline", "spread"])) if depth < 4 else "field"
        if kind == "field":
            field = draw(
                st.sampled_from(
                    [name for name, to in FIELDS[type_].items() if depth < 4 or to is None] or list(FIELDS[type_])
                )
            )
            target = FIELDS[type_][field]
            below = "" if target is None else draw(selection_sets(target, fragments, depth + 1))
            place = list(FIELDS[type_]).index(field)  # one key is one field, or the document would not be valid
            alias = draw(
                st.sampled_from([f"a{place}: ", f"b{place}: ", "" if "scheme" not in field else f"c{place}: "])
            )
            parts.append(f"{alias}{field}{condition}{below}")
        elif kind == "inline":
            on = draw(st.sampled_from(["", f" on {type_}", *([" on Named"] * (type_ in ("Hub", "Region")))]))
            below = "{ name }" if on == " on Named" else draw(selection_sets(type_, fragments, depth + 1))
            parts.append(f"...{on}{condition}{below}")
        else:
            name = f"F{len(fragments)}{type_}"
            fragments[name] = ""
            fragments[name] = f"fragment {name} on {type_} {draw(selection_sets(type_, fragments, depth + 1))}"
            parts += [f"...{name}{condition}", *([f"...{name}"] * draw(st.integers(0, 1)))]
    return "{ " + " ".join(parts) + " }"


@st.composite
def documents(draw: st.DrawFn) -> str:
    fragments: dict[str, str] = {}
    selections = draw(selection_sets("Query", fragments))
    uses = '... @include(if: false) { u: hub(slug: "u") @skip(if: $yes) { overlaps(scheme: $scheme) { shareOfThis } } }'
    return f"query Q($yes: Boolean!, $scheme: String) {selections[:-1]} {uses} }} {' '.join(fragments.values())}"


def resolved(_source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
    """The same answers as the fake reader gives, from graphql-core's own executor."""
    if is_leaf_type(get_named_type(info.return_type)):
        return True if info.field_name.startswith("has") else info.field_name
    return [{}, {}] if info.field_name in ("nodes", "edges", "hosts", "overlaps", "regions") else {}


WIDE = Limits(tokens=10**6, depth=99, aliases=10**6, directives=10**6, root_fields=10**6, fields=10**6, cost=10**12)


@pytest.fixture(scope="module")
def both(sample: Any, new_client: Any) -> tuple[Answering, GraphQLSchema]:
    """Our way to answer, and the same schema for graphql-core's own executor."""
    answering = Answering(sample.schema, new_client().reader, sample.projected, WIDE, lambda: sample.today)
    return answering, build_schema(print_schema(sample.graphql))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents(), st.booleans(), st.sampled_from([{}, {"scheme": "x"}]))
def test_any_document_selects_what_the_executor_would_have_answered(
    both: tuple[Answering, GraphQLSchema], document: str, yes: bool, scheme: dict[str, Any]
) -> None:
    answering, plain = both
    variables = {"yes": yes, **scheme}
    prepared = answering.prepare(Parameters(document, None, variables), safe=True)
    context = Context(actor=None, language="nl", request_id="")
    ours = asyncio.run(answering.answer(prepared, context)).body
    theirs = execute_sync(plain, parse(document), field_resolver=resolved, variable_values=variables)
    assert isinstance(prepared, tuple)
    assert theirs.errors is None
    # Byte for byte: also the order of the keys is that of the executor.
    assert ours == orjson.dumps({"data": theirs.data})
