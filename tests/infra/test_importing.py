"""`knooppunt reference import` on a real export of CBS: seen before it is applied, and there to stay."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from app.domain.errors import Invalid
from app.infra import packaged
from app.infra.importing import current, import_edition
from app.infra.prepare import load_reference

EXPORT = Path(__file__).parent.parent / "fixtures" / "statline" / "85755NED_UntypedDataSet.csv"
LINES = EXPORT.read_text(encoding="utf-8-sig").splitlines()


@pytest.fixture(scope="module")
def place(fresh):
    return fresh("importing")


@pytest.fixture
async def owner(place):
    connection = await asyncpg.connect(place.owner)
    await connection.execute("select set_config('app.role', 'system', false)")
    yield connection
    await connection.close()


async def state(connection):
    return await connection.fetchrow("""
        select (select count(*) from imported_edition) as imported, (select max(id) from dataset) as dataset,
          (select version from data_version) as version, (select count(*) from membership) as memberships
    """)


async def years(connection, scheme="provincie"):
    rows = await connection.fetch("select year from edition where scheme = $1 order by year", scheme)
    return [row["year"] for row in rows]


async def test_without_apply_it_says_what_would_change_and_changes_nothing(owner):
    before = await state(owner)
    lines, applied = await import_edition(owner, str(EXPORT), 2024, apply=False)
    assert not applied
    assert any("2024" in line for line in lines)
    assert await state(owner) == before


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("empty.csv", "", "empty"),
        ("truncated.csv", "\n".join(LINES[:150]), None),
        ("page.html", "<html><body>Inloggen</body></html>", "not-statline"),
        ("other.csv", '"ID";"Prijs"\n"1";"2"\n', None),
        ("nowhere.csv", "\n".join([*LINES, '"999";"GM9999    ";"Nergenshuizen ";"Nergenshuizen ";"Drenthe "']), None),
    ],
)  # fmt: skip
async def test_a_file_that_is_wrong_is_refused_in_words_and_changes_nothing(owner, tmp_path, name, content, code):
    file = tmp_path / name
    file.write_text(content, encoding="utf-8")
    before = await state(owner)
    with pytest.raises(Invalid) as caught:
        await import_edition(owner, str(file), 2024, apply=True)
    assert caught.value.faults
    assert code is None or [fault.code for fault in caught.value.faults] == [code]
    assert all(fault.detail.endswith((".", "?")) for fault in caught.value.faults)
    assert await state(owner) == before


async def test_a_file_that_is_not_there_or_of_another_year_is_refused(owner, tmp_path):
    for source, year in ((str(tmp_path / "nothing.csv"), 2024), (str(EXPORT), 2023), (str(EXPORT), 2015)):
        before = await state(owner)
        with pytest.raises(Invalid):
            await import_edition(owner, source, year, apply=True)
        assert await state(owner) == before


async def test_applied_it_is_an_edition_between_the_others_and_outlives_every_load(owner, place, running):
    lines, applied = await import_edition(owner, str(EXPORT), 2024, apply=True)
    assert applied
    assert lines
    assert await years(owner) == [2016, 2022, 2023, 2024, 2026]
    assert await years(owner, "zorgkantoorregio") == [2016, 2022, 2023, 2026]
    async with running(place) as house, house.client() as client:
        scheme = (await client.get("/v1/region-schemes/provincie")).json()
        edition = next(edition for edition in scheme["editions"] if edition["year"] == 2024)
        assert (edition["regionCount"], edition["municipalityCount"], edition["method"]) == (12, 342, "direct")
        assert "85755NED" in edition["source"]
        for day, shown in (("2024-06-01", 2024), ("2023-06-01", 2023), ("2026-06-01", 2026)):
            region = (await client.get(f"/v1/regions/PV20?asOf={day}")).json()
            assert region["edition"] == shown
    data = await current(owner)
    assert await load_reference(place.owner, data) is False, "this very set is what the import loaded"
    assert await load_reference(place.owner, packaged.load()) is True
    assert await years(owner) == [2016, 2022, 2023, 2026]
    assert await load_reference(place.owner, await current(owner)) is True, "the next `reference load` brings it back"
    assert await years(owner) == [2016, 2022, 2023, 2024, 2026]


async def test_the_same_edition_again_is_nothing_new(owner):
    await import_edition(owner, str(EXPORT), 2024, apply=True)
    before = await state(owner)
    _, applied = await import_edition(owner, str(EXPORT), 2024, apply=True)
    assert not applied
    assert await state(owner) == before


async def test_the_same_year_with_other_content_is_refused(owner, tmp_path):
    await import_edition(owner, str(EXPORT), 2024, apply=True)
    other = tmp_path / EXPORT.name
    other.write_text(
        "\n".join(line.replace('"Aa en Hunze ";"Drenthe "', '"Aa en Hunze ";"Groningen "') for line in LINES)
    )
    assert other.read_text() != "\n".join(LINES)
    before = await state(owner)
    with pytest.raises(Invalid) as caught:
        await import_edition(owner, str(other), 2024, apply=True)
    assert "other-content" in {fault.code for fault in caught.value.faults}
    assert await state(owner) == before


async def test_two_imports_at_once_are_one(owner, place):
    await owner.execute("delete from imported_edition")
    await load_reference(place.owner, packaged.load())
    connections = [await asyncpg.connect(place.owner) for _ in range(2)]
    outcomes = await asyncio.gather(*(import_edition(c, str(EXPORT), 2024, apply=True) for c in connections))
    assert sorted(applied for _, applied in outcomes) == [False, True]
    for connection in connections:
        await connection.close()
    assert await years(owner) == [2016, 2022, 2023, 2024, 2026]


async def test_an_import_that_a_later_release_contradicts_does_not_keep_it_from_loading(owner):
    await import_edition(owner, str(EXPORT), 2024, apply=True)
    async with owner.transaction():
        # As if the release itself brought another list of that year.
        await owner.execute("""
            insert into imported_edition (year, content)
            select 2023, jsonb_set(content, '{year}', '2023') #- '{municipalities,GM1680}' from imported_edition where year = 2024
        """)
    data = await current(owner)
    assert [e.year for e in data.editions if e.scheme == "provincie"] == [2016, 2022, 2023, 2026, 2024]
    await owner.execute("delete from imported_edition where year = 2023")
