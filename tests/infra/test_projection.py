"""From a selection to one statement: what is compiled, and what PostgreSQL makes of it."""

from __future__ import annotations

from datetime import date

import orjson
import pytest

from app.domain.access import ANONYMOUS
from app.domain.reading import Pick, Selection, Shape
from app.infra.database import Database
from app.infra.projection import Projection
from app.infra.reader import PostgresReader, Signer
from app.infra.views import VIEWS

DAY = date(2022, 6, 1)
CODE = Pick("code", "code")


@pytest.fixture(scope="session")
async def database(addresses):
    database = Database(addresses.service, size=2, role=addresses.role)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def reader(database):
    return PostgresReader(database, Projection(VIEWS), Signer(b"a secret of the tests", 30))


def compiled(*shapes, language="nl"):
    return Projection(VIEWS).compile(shapes, language)


async def read(reader, *selections, language="nl"):
    return await reader.read(selections, actor=ANONYMOUS, language=language)


def one_region(*picks, code="GG0111"):
    return Selection(Shape("region", "one", picks, (("code", 0),)), (code,), DAY)


def test_values_are_parameters_and_never_part_of_the_text():
    statement = compiled(Shape("region", "page", (CODE,), (("scheme", 0), ("q", 1)), "name", 10, True))
    assert {"s0_v0", "s0_v1", "s0_as_of", "s0_c0", "s0_c1", "s0_bind", "cursor_secret"} <= set(statement.parameters)
    assert "limit 11" in statement.sql.lower()


@pytest.mark.parametrize("key", ["a b", "a'", "1a", "", "a" * 61, 'a"', "é", "a\n"])
def test_a_key_that_is_no_name_of_graphql_is_never_inlined(key):
    with pytest.raises(KeyError):
        compiled(Shape("region", "list", (Pick("code", key),)))


@pytest.mark.parametrize("name", ["nope", "__typename:a b", "__typename:'", "__schema"])
def test_what_no_view_declares_cannot_be_picked(name):
    with pytest.raises(KeyError):
        compiled(Shape("region", "list", (Pick(name, "x"),)))


async def test_all_selections_of_a_request_are_one_statement_with_an_answer_each(reader):
    answers = await read(
        reader,
        one_region(CODE),
        one_region(CODE, code="NOPE"),
        Selection(Shape("region-scheme", "list", (CODE,)), (), DAY),
        Selection(Shape("hub", "page", (Pick("slug", "slug"),), (), "name", 2), (), DAY),
    )
    assert orjson.loads(answers[0].body) == {"code": "GG0111"}
    assert answers[0].version == 2022
    assert answers[1].body is None
    assert len(orjson.loads(answers[2].body)) == 15
    assert len(orjson.loads(answers[3].body)) == 2
    assert answers[3].next is not None


async def test_keys_stand_in_the_order_asked_and_may_be_aliases(reader):
    (answer,) = await read(reader, one_region(Pick("name", "naam"), CODE, Pick("__typename:Region", "kind")))
    assert list(orjson.loads(answer.body).items()) == [
        ("naam", "GGD Groningen"),
        ("code", "GG0111"),
        ("kind", "Region"),
    ]


async def test_more_than_fifty_keys_are_all_there(reader):
    picks = tuple(Pick("code", f"k{number}") for number in range(125))
    (answer,) = await read(reader, one_region(*picks))
    assert orjson.loads(answer.body) == {f"k{number}": "GG0111" for number in range(125)}


async def test_an_empty_collection_is_an_empty_list_and_not_null(reader):
    nowhere = Selection(Shape("region", "page", (CODE,), (("q", 0),), "name", 5), ("zzzz",), DAY)
    whole = Selection(
        Shape("crosswalk", "list", (Pick("shareOfTo", "s"),), (("from", 0), ("to", 1))), ("zz", "zz"), DAY
    )
    answers = await read(reader, nowhere, whole)
    assert [answer.body for answer in answers] == [b"[]", b"[]"]
    assert answers[0].next is None


async def test_labels_follow_the_language(reader):
    asked = Selection(Shape("workfield", "list", (Pick("label", "label"),)), (), DAY)
    (dutch,), (english,) = await read(reader, asked), await read(reader, asked, language="en")
    assert "medische zorg" in dutch.body.decode().lower()
    assert dutch.body != english.body


async def test_an_edge_to_one_is_an_object_and_an_edge_to_many_a_list_in_order(reader):
    (answer,) = await read(
        reader,
        one_region(Pick("municipalities", "m", (Pick("name", "name"),)), Pick("hubs", "h", (Pick("slug", "slug"),))),
    )
    found = orjson.loads(answer.body)
    names = [item["name"] for item in found["m"]]
    assert len(names) == 10
    assert names[0] == "Eemsdelta"
    assert found["h"] == [{"slug": "groningen"}]


async def test_a_connection_has_signed_cursors_that_page_on(reader):
    info = tuple(Pick(n, n) for n in ("hasNextPage", "hasPreviousPage", "startCursor", "endCursor"))
    node = Pick("node", "node", (Pick("slug", "slug"),))
    picks = (
        Pick("edges", "edges", (Pick("cursor", "cursor"), node)),
        Pick("nodes", "nodes", node.picks),
        Pick("pageInfo", "pageInfo", info),
    )
    first = Selection(Shape("hub", "connection", picks, (), "name", 4), (), DAY)
    (answer,) = await read(reader, first)
    page = orjson.loads(answer.body)
    assert [edge["node"] for edge in page["edges"]] == page["nodes"]
    assert page["pageInfo"] == {
        "hasNextPage": True, "hasPreviousPage": False,
        "startCursor": page["edges"][0]["cursor"], "endCursor": page["edges"][3]["cursor"],
    }  # fmt: skip
    after_second = Selection(
        Shape("hub", "connection", picks, (), "name", 4, True), (), DAY, after=page["edges"][1]["cursor"]
    )
    (answer,) = await read(reader, after_second)
    assert orjson.loads(answer.body)["nodes"][:2] == page["nodes"][2:]


async def test_a_connection_without_items_has_no_cursors(reader):
    info = tuple(Pick(n, n) for n in ("hasNextPage", "startCursor", "endCursor"))
    shape = Shape(
        "region", "connection", (Pick("nodes", "n", (CODE,)), Pick("pageInfo", "p", info)), (("q", 0),), "name", 3
    )
    (answer,) = await read(reader, Selection(shape, ("zzzz",), DAY))
    assert orjson.loads(answer.body) == {"n": [], "p": {"hasNextPage": False, "startCursor": None, "endCursor": None}}


# Views of parts have no rows of their own: each is tried through the edge that leads to it.
PARTS = {
    "lineage", "bundle", "overlap", "edition", "located-region", "hub-phase", "hub-host", "steering-seat", "steering-issue",
    "area", "area-definition", "published-figures", "forwarding", "follow-up", "signal-version", "similar-signal",
    "levels", "set-level", "matrix", "matrix-phase", "matrix-cell", "mix", "mix-group", "balance", "compensation", "period",
    "outcome", "outcome-input", "impact-check", "told-back", "question-version", "related-signal", "related-question",
    "level-figures", "condition-figures", "condition-figure",
}  # fmt: skip
NEEDED = {
    "crosswalk": {"from": "provincie", "to": "ggd-regio"},
    "location": {"municipality": "GM0014"},
    "region": {"code": "GG0111"},
    "region-life": {"code": "GM0003"},
}


def everything(noun, views, depth):
    """All fields of a noun and, some levels down, all its edges."""
    picks = tuple(Pick(name, name) for name in views[noun].fields)
    if depth == 0 and picks:
        return picks
    edges = views[noun].edges.items()
    return picks + tuple(Pick(name, name, everything(edge.noun, views, max(0, depth - 1))) for name, edge in edges)


@pytest.mark.parametrize(
    "noun", [view.noun for view in VIEWS if view.noun not in {*PARTS, "change"}]
)  # the log has a reader of its own
@pytest.mark.parametrize("language", ["nl", "en"])
async def test_every_field_and_edge_of_every_view_can_be_answered(database, noun, language):
    views = {view.noun: view for view in VIEWS}
    picks = everything(noun, views, 2)
    given = NEEDED.get(noun, {})
    filters = tuple((name, index) for index, name in enumerate(given))
    kind = "list" if noun in ("crosswalk", "location") else "page" if views[noun].sorts else "one"
    shape = Shape(noun, kind, picks, filters, next(iter(views[noun].sorts), ""), 3)
    reader = PostgresReader(database, Projection(VIEWS), Signer(b"x", 30))
    (answer,) = await read(reader, Selection(shape, tuple(given.values()), DAY), language=language)
    found = orjson.loads(answer.body)
    row = found if kind == "one" else found[0]
    assert list(row) == [pick.key for pick in picks]


def test_every_part_is_reached_by_an_edge():
    reached = {edge.noun for view in VIEWS for edge in view.edges.values()}
    assert reached >= PARTS
