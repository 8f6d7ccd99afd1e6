"""The demonstration network: loaded once, marked, and taken away without a trace of it or a hole in the rest."""

from __future__ import annotations

import asyncpg
import pytest

from app.domain.access import Actor
from app.domain.hubs import Member, change_hub, put_member
from app.domain.versions import ANY_VERSION
from app.infra import demonstration
from app.infra.work import plain_work

TABLES = (
    "organisation", "organisation_region", "hub", "hub_phase", "hub_host", "hub_steering", "hub_area", "hub_member",
    "region", "region_period", "membership", "client",
)  # fmt: skip


@pytest.fixture(scope="module")
def place(fresh):
    return fresh("demonstration")


@pytest.fixture
async def owner(place):
    connection = await asyncpg.connect(place.owner)
    await connection.execute("select set_config('app.role', 'system', false)")
    yield connection
    await demonstration.load(connection)
    await connection.close()


async def everything(connection):
    return {
        table: await connection.fetchval(
            f"select md5(string_agg((to_jsonb(t) - 'id')::text, '' order by (to_jsonb(t) - 'id')::text)) from {table} t"
        )
        for table in TABLES
    }


async def test_it_is_loaded_once_and_everything_of_it_is_marked(owner):
    assert await demonstration.load(owner) is False
    assert await owner.fetchval("select count(*) from hub where demonstration") == 1
    assert await owner.fetchval("select count(*) from organisation where demonstration") == len(
        demonstration.ORGANISATIONS
    )
    assert (
        await owner.fetchval("select count(*) from organisation where basis = 'demonstration' and not demonstration")
        == 0
    )


async def test_cleared_and_loaded_and_cleared_leaves_exactly_the_rest(owner):
    assert await demonstration.clear(owner) == 1 + len(demonstration.ORGANISATIONS)
    rest = await everything(owner)
    assert await owner.fetchval("select count(*) from hub") == 15
    assert await owner.fetchval("select count(*) from region where code = 'PH16'") == 0
    assert await demonstration.load(owner) is True
    assert await everything(owner) != rest
    await demonstration.clear(owner)
    assert await everything(owner) == rest
    assert await demonstration.clear(owner) == 0


async def test_real_hubs_that_worked_with_it_stay_whole(owner):
    """A real hub that follows the demonstration hub, or has one of its organisations as a member, is not in the way."""
    demo = await owner.fetchval("select id from organisation where source_key = 'demo-platform'")
    real = await owner.fetchval("select id from organisation where not demonstration limit 1")
    async with owner.transaction():
        work, actor = plain_work(owner), Actor("national")
        follow = {
            "frontrunner_role": "follower",
            "frontrunner": "zoetermeer",
            "hosts": ((demo, "proposed"), (real, "proposed")),
        }
        await change_hub(work, actor, "haaglanden", follow, ANY_VERSION)
        await put_member(work, actor, "haaglanden", Member(demo), None)
        await put_member(work, actor, "haaglanden", Member(real), None)
    await demonstration.clear(owner)
    hub = await owner.fetchrow("select id, frontrunner_id, frontrunner_role from hub where slug = 'haaglanden'")
    assert (hub["frontrunner_id"], hub["frontrunner_role"]) == (None, None)
    for table in ("hub_member", "hub_host"):
        rows = await owner.fetch(f"select organisation_id from {table} where hub_id = $1", hub["id"])
        assert [row["organisation_id"] for row in rows] == [real]
