"""What is accepted in one walk must be what the whole validation accepts: never more, and not much less."""

from __future__ import annotations

import re

import orjson
import pytest
from graphql import GraphQLSyntaxError, StringValueNode, build_schema, parse, validate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import queries

from app.api.graphql.documents import _RULES
from app.api.graphql.plain import Plain
from app.api.graphql.schema import schema as ours
from bench.cases import questions

SDL = """
    scalar Day
    enum Sort { NAME NEWEST }
    input Span { from: Int!, to: Int = 9, days: [Day!] }
    input Filter { name: String, sorts: [Sort!], span: Span, spans: [[Span]] }
    interface Named { name: String! }
    union Either = Hub | Place
    type Place implements Named { name: String!, code(upper: Boolean! = true): ID }
    type Hub implements Named {
      name: String!, since(form: String!, n: Int): Day, places(first: Int = 5, filter: Filter): [Place!]!, place: Place
    }
    type Query {
      hub(slug: ID!, on: Day): Hub, hubs(filter: Filter, sort: Sort = NAME, spans: [Span!]): [Hub!]!,
      named: Named, either: Either, n(n: Float): Int
    }
    type Mutation { move(hub: ID!, to: Filter!): Hub }
"""
SMALL = build_schema(SDL)
SCHEMAS = {"small": SMALL, "ours": ours._schema}
PLAIN = {name: Plain(schema) for name, schema in SCHEMAS.items()}

YES = [
    '{ hub(slug: "a") { name } }',
    "query A { hubs { __typename name a: name places(first: 3) { code(upper: false) } } }",
    'query ($s: ID!, $d: Day = "2026-01-01") { hub(slug: $s, on: $d) { since(form: "x") } }',
    '{ hubs(filter: {name: "a", sorts: [NAME, NEWEST], span: {from: 1}, spans: [[{from: 1, to: 2}]]}) { name } }',
    '{ hubs(filter: {sorts: NAME}, spans: {from: 2, days: "x"}) { name } }',
    'mutation M($f: Filter!) { move(hub: "a", to: $f) { place { name } } }',
    "query ($u: Boolean) { hubs { places { code(upper: $u) } } }",
    "{ named { name } n(n: 1) }",
]
# Valid, but left to the whole validation.
NOT_PLAIN = [
    "{ hubs { ...F } } fragment F on Hub { name }",
    "{ hubs { ... on Hub { name } } }",
    "query ($x: Boolean!) { hubs @skip(if: $x) { name } }",
    "{ hubs { name name } }",
    "{ hubs(filter: null) { name } }",
    "query ($n: String) { hubs(filter: {name: $n}) { name } }",
    "{ either { __typename } }",
    "{ __schema { types { name } } }",
    "query A { n } query B { n }",
]
NO = [
    "{ hubs }",
    "{ n { x } }",
    "{ hubs { nothing } }",
    "{ __typename { x } }",
    '{ __typename(a: "a") }',
    "{ hub { name } }",
    '{ hub(slug: "a", slug: "b") { name } }',
    '{ hub(slug: "a", no: 1) { name } }',
    "{ hub(slug: null) { name } }",
    "{ hub(slug: A) { name } }",
    "{ hub(slug: $s) { name } }",
    "query ($s: ID) { hub(slug: $s) { name } }",
    "query ($s: Int!) { hub(slug: $s) { name } }",
    "query ($s: ID!, $s: ID!) { hub(slug: $s) { name } }",
    "query ($s: ID!, $t: ID) { hub(slug: $s) { name } }",
    "query ($s: Hub!) { hub(slug: $s) { name } }",
    "query ($s: Nobody!) { hub(slug: $s) { name } }",
    "query ($s: ID! = {a: 1}) { hub(slug: $s) { name } }",
    'query ($s: ID! = "a" @skip(if: true)) { hub(slug: $s) { name } }',
    "query @skip(if: true) { n }",
    "subscription { n }",
    '{ n: hub(slug: "a") { name } n }',
    "{ hubs(filter: {span: {to: 1}}) { name } }",
    '{ hubs(filter: {name: "a", name: "b"}) { name } }',
    "{ hubs(sort: OLDEST) { name } }",
    "{ hubs(filter: {sorts: [NAME, 1]}) { name } }",
    "{ n(n: $n) }",
    '{ n(n: "1") }',
    "{ hubs { since } }",
    "type T { n: Int }",
    "fragment F on Hub { name }",
    "{ hubs { places(filter: {span: {from: 1, from: 2}}) { name } } }",
]


def faults(schema, document):
    return validate(SCHEMAS[schema], document, _RULES)


def agrees(schema, text):
    """Whether the walk accepts this text; never where the whole validation does not."""
    try:
        document = parse(text, no_location=True)
    except GraphQLSyntaxError:
        return False
    accepted = PLAIN[schema].accepts(document)
    if accepted:
        assert faults(schema, document) == [], text
    return accepted


@pytest.mark.parametrize("text", YES)
def test_plain_documents_are_accepted(text):
    assert agrees("small", text)


@pytest.mark.parametrize("text", NOT_PLAIN)
def test_what_is_not_plain_is_left_to_the_whole_validation(text):
    assert not agrees("small", text)
    assert faults("small", parse(text)) == []


@pytest.mark.parametrize("text", NO)
def test_what_is_not_valid_is_not_accepted(text):
    assert not agrees("small", text)
    assert faults("small", parse(text)) != []


def test_a_value_as_deep_as_the_parser_takes_is_no_fault_of_ours():
    assert not agrees("small", f"{{ n(n: {'[' * 90}1{']' * 90}) }}")


def test_objects_of_which_exactly_one_member_is_given_have_rules_of_their_own():
    one = Plain(build_schema("input One @oneOf { a: Int, b: Int } type Query { n(one: One): Int }"))
    assert one.accepts(parse("{ n }"))
    assert not one.accepts(parse("{ n(one: {a: 1}) }"))


def test_the_questions_of_the_bench_are_plain():
    documents = [orjson.loads(case.body)["query"] for case in questions() if case.body]
    assert len(documents) == 5
    assert all(agrees("ours", text) for text in documents)


WORDS = {
    name: sorted(
        {word for type_ in schema.type_map.values() for word in (type_.name, *getattr(type_, "fields", ()))}
        | {
            "slug",
            "filter",
            "sort",
            "NAME",
            "$x",
            "query",
            "mutation",
            "null",
            "1",
            '"a"',
            "...",
            "@skip(if: true)",
            "on",
        }
        | set("{}()[]:!$=")
    )
    for name, schema in SCHEMAS.items()
}
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\.\.\.|[\w$@]+|\S')


@st.composite
def spoilt(draw, name, texts):
    """A document with some of its tokens gone, doubled, swapped or replaced by other words."""
    tokens = TOKEN.findall(draw(texts))
    for _ in range(draw(st.integers(0, 3))):
        if not tokens:
            break
        at = draw(st.integers(0, len(tokens) - 1))
        kind = draw(st.sampled_from(["drop", "double", "swap", "replace", "insert"]))
        if kind == "drop":
            del tokens[at]
        elif kind == "double":
            end = draw(st.integers(at, min(len(tokens), at + 6)))
            tokens[end:end] = tokens[at:end]
        elif kind == "swap":
            other = draw(st.integers(0, len(tokens) - 1))
            tokens[at], tokens[other] = tokens[other], tokens[at]
        else:
            tokens[at : at + (kind == "replace")] = [draw(st.sampled_from(WORDS[name]))]
    return " ".join(tokens)


DAY = st.just(StringValueNode(value="2026-01-01"))
TEXTS = {
    "small": st.one_of(queries(SDL, custom_scalars={"Day": DAY}), st.sampled_from([*YES, *NOT_PLAIN, *NO])),
    "ours": st.sampled_from([orjson.loads(case.body)["query"] for case in questions() if case.body]),
}


@pytest.mark.parametrize("name", sorted(SCHEMAS))
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_whatever_is_accepted_is_valid(name, data):
    agrees(name, data.draw(spoilt(name, TEXTS[name])))
