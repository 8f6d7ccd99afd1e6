"""The demonstration network: marked as such everywhere, and removed without a trace of the rest."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import asyncpg

from app.domain.access import Actor
from app.domain.hubs import Hub, Member, create_hub, put_member
from app.domain.ids import new_id
from app.domain.reference import Area
from app.domain.text import fold
from app.infra.demonstration_questions import clear as clear_questions
from app.infra.demonstration_questions import load_questions
from app.infra.demonstration_signals import load_signals
from app.infra.demonstration_volume import clear as clear_signals
from app.infra.loading import hold_writers, take_turn
from app.infra.work import plain_work

ZOETERMEER = "zoetermeer"

# (key, name, type, side, strand, workfield, region). Invented, apart from kinds of organisations that exist everywhere.
ORGANISATIONS = (
    ("demo-gezondheidsregio", "Gezondheidsregio (demonstratie)", "overlegtafel", "system-world", None, None, "GM0637"),
    ("demo-gemeente", "Gemeente Zoetermeer (demonstratie)", "gemeente", "system-world", None, None, "GM0637"),
    ("demo-herstelcentrum", "Herstelcentrum De Brug (demonstratie)", "zelfregie-en-herstelcentrum", "life-world", "patients", "psychische-kwetsbaarheid", "GM0637"),
    ("demo-platform", "Gehandicaptenplatform Zoetermeer (demonstratie)", "gehandicaptenplatform", "life-world", "patients", "inclusie", "GM0637"),
    ("demo-patienten", "Patiëntenberaad Haaglanden (demonstratie)", "patientenorganisatie", "life-world", "patients", "medische-zorg", "ZK10"),
    ("demo-clientenraad", "Cliëntenraad Wijkzorg (demonstratie)", "clientenraad", "life-world", "client-councils", None, "GM0637"),
    ("demo-bewoners", "Bewonersinitiatief Oosterheem (demonstratie)", "bewonersinitiatief", "life-world", "citizens", None, "GM0637"),
)  # fmt: skip


async def load(connection: asyncpg.Connection) -> bool:
    """Adds the network. False when it was there already."""
    async with connection.transaction():
        await take_turn(connection)
        if await connection.fetchval("select 1 from hub where slug = $1", ZOETERMEER):
            return await load_signals(connection) + await load_questions(connection) > 0
        ids = {}
        for key, name, type_, side, strand, workfield, region in ORGANISATIONS:
            ids[key] = await connection.fetchval(
                """insert into organisation (id, name, sort_name, type, side, strand, workfield, basis, source_key, demonstration)
                values ($1, $2, $3, $4, $5, $6, $7, 'demonstration', $8, true) returning id""",
                new_id(), name, fold(name), type_, side, strand, workfield, key,
            )  # fmt: skip
            await connection.execute(
                "insert into organisation_region select $1, id from region where code = $2", ids[key], region
            )
        await _zoetermeer(connection, ids)
        await load_signals(connection)
        await load_questions(connection)
    return True


async def _zoetermeer(connection: asyncpg.Connection, ids: dict[str, UUID]) -> None:
    """A smaller natural region inside Haaglanden, with its own phases."""
    work = plain_work(connection)
    actor = Actor("national")
    hub = Hub(
        slug=ZOETERMEER,
        name="Zoetermeer",
        basis="demonstration",
        phases=(
            ("voorbereiding", date(2025, 1, 1)),
            ("expeditie", date(2025, 6, 16)),
            ("uitvoering", date(2026, 1, 1)),
        ),
        hosts=((ids["demo-gezondheidsregio"], "confirmed"),),
        steering_group=(
            ("inclusie", ids["demo-platform"]),
            ("psychische-kwetsbaarheid", ids["demo-herstelcentrum"]),
        ),
        areas=(Area(date(2025, 1, 1), (), ("GM0637",)),),
        demonstration=True,
    )
    await create_hub(work, actor, hub)
    for key, strand, since in (
        ("demo-platform", "patients", date(2025, 3, 1)),
        ("demo-herstelcentrum", "patients", date(2025, 3, 1)),
        ("demo-clientenraad", "client-councils", date(2025, 5, 15)),
        ("demo-bewoners", "citizens", date(2025, 5, 27)),
    ):
        await put_member(work, actor, ZOETERMEER, Member(ids[key], "member", strand, since), None)
    await put_member(work, actor, ZOETERMEER, Member(ids["demo-patienten"], "talking", "patients", None), None)


async def clear(connection: asyncpg.Connection) -> int:
    """Removes exactly what `load` added, and what was made of it; the number of hubs and organisations."""
    await clear_signals(connection)
    async with connection.transaction():
        await take_turn(connection)
        await hold_writers(connection)
        await clear_questions(connection)
        codes = [row["area_code"] for row in await connection.fetch("select area_code from hub where demonstration")]
        await connection.execute(
            """update hub set frontrunner_id = null, frontrunner_role = null, version = version + 1, updated_at = now()
            where not demonstration and frontrunner_id in (select id from hub where demonstration)"""
        )
        gone = await connection.fetch("delete from hub where demonstration returning id")
        for table in ("membership", "region_period", "organisation_region"):
            await connection.execute(
                f"delete from {table} where region_id in (select id from region where code = any($1::text[]))",  # noqa: S608
                codes,
            )
        await connection.execute("delete from region where code = any($1::text[])", codes)
        for table in ("hub_member", "hub_host", "hub_steering"):
            await connection.execute(
                f"delete from {table} where organisation_id in (select id from organisation where demonstration)"  # noqa: S608
            )
        organisations = await connection.fetch("delete from organisation where demonstration returning id")
        return len(gone) + len(organisations)
