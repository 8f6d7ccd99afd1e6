"""Cursors and paging: every item once, in order, whatever the page size; and no cursor but ours."""

from __future__ import annotations

import base64
from datetime import date

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.domain.access import ANONYMOUS, Actor
from app.domain.errors import Invalid
from app.domain.reading import Pick, Selection, Shape
from app.infra.database import Database
from app.infra.projection import Projection
from app.infra.reader import PostgresReader, Signer
from app.infra.views import VIEWS

SECRET = b"a secret of the tests"
DAY = date(2022, 6, 1)


@pytest.fixture(scope="session")
async def database(addresses):
    database = Database(addresses.service, size=2, role=addresses.role)
    await database.open()
    yield database
    await database.close()


def reader_on(database, signer=None):
    return PostgresReader(database, Projection(VIEWS), signer or Signer(SECRET, 30))


@pytest.fixture
def reader(database):
    return reader_on(database)


def asked(first=5, after=None, noun="region", key="code", sort="name", **filters):
    names = tuple((name, index) for index, name in enumerate(filters))
    shape = Shape(noun, "page", (Pick(key, key),), names, sort, first, after is not None)
    return Selection(shape, tuple(filters.values()), DAY, after)


async def page(reader, selection, actor=ANONYMOUS):
    (answer,) = await reader.read([selection], actor=actor, language="nl")
    return [next(iter(item.values())) for item in orjson.loads(answer.body)], answer.next


async def walk(reader, sizes, **asking):
    """All pages, the sizes taking turns."""
    found, after, turn = [], None, 0
    while True:
        items, after = await page(reader, asked(sizes[turn % len(sizes)], after, **asking))
        assert len(items) <= sizes[turn % len(sizes)]
        found += items
        turn += 1
        if after is None:
            return found


@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=4), backwards=st.booleans())
@example(sizes=[1], backwards=False)
@example(sizes=[15], backwards=True)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_walking_hubs_in_any_page_size_gives_each_once_in_order(reader, sizes, backwards):
    asking = {"noun": "hub", "key": "slug", "sort": "-name" if backwards else "name"}
    whole, following = await page(reader, asked(200, **asking))
    assert following is None
    assert await walk(reader, sizes, **asking) == whole


@given(sizes=st.lists(st.integers(7, 200), min_size=1, max_size=3), backwards=st.booleans())
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_walking_municipalities_in_any_page_size_gives_all_344_once_in_order(reader, sizes, backwards):
    sort = "-name" if backwards else "name"
    found = await walk(reader, sizes, scheme="gemeente", sort=sort)
    assert len(found) == len(set(found)) == 344
    reference = await walk(reader, [200], scheme="gemeente")
    assert found == (reference[::-1] if backwards else reference)


async def test_regions_of_the_same_name_are_not_lost_between_pages(reader):
    # Utrecht is a municipality, a province and more: only the code tells them apart.
    assert sorted(await walk(reader, [1], q="utrecht")) == sorted(await walk(reader, [200], q="utrecht"))


async def test_a_page_that_is_exactly_full_is_the_last_one(reader):
    items, following = await page(reader, asked(12, scheme="provincie"))
    assert (len(items), following) == (12, None)


@pytest.mark.parametrize(
    "noun",
    [
        view.noun
        for view in VIEWS
        if view.sorts and view.noun not in ("member", "signal-version", "question-version", "forwarding")
    ],
)
async def test_every_order_of_every_noun_pages(reader, noun):
    view = next(view for view in VIEWS if view.noun == noun)
    key = "slug" if noun == "hub" else "id" if noun in ("organisation", "signal", "question", "bundle") else "code"
    for sort in [order for name in view.sorts for order in (name, f"-{name}")]:
        first, following = await page(reader, asked(2, noun=noun, key=key, sort=sort))
        if following is None:
            assert len(first) <= 2
            continue
        second, _ = await page(reader, asked(2, following, noun=noun, key=key, sort=sort))
        assert second
        assert not set(first) & set(second)


async def cursor(reader, **asking):
    _, following = await page(reader, asked(3, **asking))
    assert following is not None
    return following


async def refused(reader, after, actor=ANONYMOUS, **asking):
    with pytest.raises(Invalid) as error:
        await page(reader, asked(3, after, **asking), actor)
    (fault,) = error.value.faults
    assert (fault.where, fault.location, fault.code) == ("query", "cursor", "invalid-cursor")
    assert after[:12] not in fault.detail or not after
    return fault


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_cursor_with_any_sign_changed_is_refused(reader, data):
    good = await cursor(reader, scheme="gemeente")
    place = data.draw(st.integers(0, len(good) - 1))
    sign = data.draw(st.sampled_from("abcXYZ019-_.!=+/ é").filter(lambda s: s != good[place]))
    how = data.draw(st.sampled_from(["changed", "added", "removed"]))
    bad = good[:place] + (sign if how != "removed" else "") + good[place + (how != "added") :]
    if bad != good:
        await refused(reader, bad, scheme="gemeente")


@given(text=st.text(max_size=80))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_other_text_is_refused(reader, text):
    with pytest.raises(Invalid):
        await page(reader, asked(3, text))


async def test_a_cursor_that_someone_made_up_is_refused(reader):
    body = base64.urlsafe_b64encode(orjson.dumps([2**31 - 1, "a", "GM0001"])).decode().rstrip("=")
    for signature in ("", "0" * 32, "é" * 32):
        await refused(reader, f"{body}.{signature}", scheme="gemeente")


async def test_a_cursor_belongs_to_its_question(reader):
    good = await cursor(reader, scheme="gemeente")
    await refused(reader, good)
    await refused(reader, good, scheme="provincie")
    await refused(reader, good, scheme="gemeente", sort="-name")
    await refused(reader, good, scheme="gemeente", q="a")
    await refused(reader, good, noun="hub", key="slug")
    items, _ = await page(reader, asked(50, good, scheme="gemeente"))
    assert len(items) == 50, "another page size is no other question"


async def test_a_cursor_is_not_fooled_by_values_that_look_like_filters(reader):
    good = await cursor(reader, q="a", scheme="gemeente")
    await refused(reader, good, q="a&scheme=gemeente")


async def test_a_cursor_belongs_to_the_view_of_who_asked(reader):
    good = await cursor(reader, scheme="gemeente")
    await refused(reader, good, Actor("hub", hub="groningen", client="x"), scheme="gemeente")


async def test_a_cursor_of_another_network_is_refused(reader, database):
    await refused(reader, await cursor(reader_on(database, Signer(b"other", 30))))


async def test_a_cursor_ends_but_not_before_its_days_are_over(reader, monkeypatch):
    good = await cursor(reader, scheme="gemeente")
    expiry = orjson.loads(base64.urlsafe_b64decode(good.partition(".")[0] + "=="))[0]
    now = [expiry - 30 * 86_400]
    monkeypatch.setattr("app.infra.reader.time.time", lambda: now[0])
    assert (await page(reader, asked(3, good, scheme="gemeente")))[0]
    now[0] = expiry + 1
    await refused(reader, good, scheme="gemeente")


def test_an_expiry_lies_one_to_two_periods_ahead_and_stays_for_days(monkeypatch):
    signer = Signer(SECRET, 30)
    for now in (0, 1, 30 * 86_400 - 1, 1_900_000_000):
        monkeypatch.setattr("app.infra.reader.time.time", lambda now=now: now)
        assert 30 * 86_400 <= signer.expiry() - now <= 60 * 86_400


async def test_a_statement_is_compiled_once_for_all_values(reader):
    for scheme in ("gemeente", "provincie"):
        await page(reader, asked(3, scheme=scheme))
    assert len(reader._statements) == 1


async def test_statements_are_kept_within_bounds(reader, monkeypatch):
    monkeypatch.setattr("app.infra.reader.MOST_STATEMENTS", 5)
    for first in range(1, 12):
        reader.statement((asked(first).shape,), "nl")
    assert len(reader._statements) <= 5
