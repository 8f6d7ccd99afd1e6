"""Writing hubs with their phases, hosts, steering group, areas and members: the port `Hubs`."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from app.domain.hubs import Hub, Member
from app.domain.periods import MembershipPeriod, RegionPeriod
from app.domain.reference import Area
from app.domain.text import fold
from app.infra.database import Connection
from app.infra.loading import insert_periods


class PostgresHubs:
    """See the port."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def exists(self, slug: str) -> bool:
        """See the port."""
        return await self._connection.fetchval("select 1 from hub where slug = $1", slug) is not None

    async def get(self, slug: str) -> Hub | None:
        """See the port."""
        row = await self._connection.fetchrow(
            """select h.*, f.slug as frontrunner from hub h left join hub f on f.id = h.frontrunner_id
            where h.slug = $1 for no key update of h""",
            slug,
        )
        if row is None:
            return None
        fetch, hub_id = self._connection.fetch, row["id"]
        phases = await fetch("select phase, valid_from from hub_phase where hub_id = $1 order by valid_from", hub_id)
        hosts = await fetch("select organisation_id, status from hub_host where hub_id = $1 order by rank", hub_id)
        seats = await fetch(
            "select workfield, organisation_id from hub_steering where hub_id = $1 order by 1, 2", hub_id
        )
        areas = await fetch(
            "select valid_from, regions, plus, minus from hub_area where hub_id = $1 order by valid_from", hub_id
        )
        return Hub(
            slug=row["slug"],
            name=row["name"],
            basis=row["basis"],
            contact=row["contact"],
            website=row["website"],
            frontrunner_role=row["frontrunner_role"],
            frontrunner=row["frontrunner"],
            phases=tuple((r["phase"], r["valid_from"]) for r in phases),
            hosts=tuple((r["organisation_id"], r["status"]) for r in hosts),
            steering_group=tuple((r["workfield"], r["organisation_id"]) for r in seats),
            areas=tuple(Area(r["valid_from"], tuple(r["regions"]), tuple(r["plus"]), tuple(r["minus"])) for r in areas),
            area_code=row["area_code"],
            demonstration=row["demonstration"],
            version=row["version"],
        )

    async def add(self, hub: Hub) -> None:
        """See the port."""
        hub_id = await self._connection.fetchval(
            """insert into hub (slug, name, sort_name, basis, frontrunner_role, frontrunner_id, contact, website, area_code,
              demonstration)
            values ($1, $2, $3, $4, $5, (select id from hub where slug = $6), $7, $8, $9, $10) returning id""",
            hub.slug, hub.name, fold(hub.name), hub.basis, hub.frontrunner_role, hub.frontrunner, hub.contact, hub.website,
            hub.area_code, hub.demonstration,
        )  # fmt: skip
        await self._put_parts(hub_id, hub)

    async def change(self, hub: Hub) -> None:
        """See the port."""
        hub_id = await self._connection.fetchval(
            """update hub set name = $2, sort_name = $3, frontrunner_role = $4,
              frontrunner_id = (select id from hub where slug = $5), contact = $6, website = $7,
              version = version + 1, updated_at = now() where slug = $1 returning id""",
            hub.slug, hub.name, fold(hub.name), hub.frontrunner_role, hub.frontrunner, hub.contact, hub.website,
        )  # fmt: skip
        await self._put_parts(hub_id, hub)

    async def _put_parts(self, hub_id: int, hub: Hub) -> None:
        for table in ("hub_phase", "hub_host", "hub_steering", "hub_area"):
            await self._connection.execute(f"delete from {table} where hub_id = $1", hub_id)  # noqa: S608 - our own names
        many = self._connection.executemany
        await many("insert into hub_phase values ($1, $2, $3)", [(hub_id, phase, day) for phase, day in hub.phases])
        await many(
            "insert into hub_host values ($1, $2, $3, $4)",
            [(hub_id, organisation, status, rank) for rank, (organisation, status) in enumerate(hub.hosts)],
        )
        await many(
            "insert into hub_steering values ($1, $2, $3)",
            [(hub_id, workfield, organisation) for workfield, organisation in hub.steering_group],
        )
        await many(
            "insert into hub_area values ($1, $2, $3, $4, $5)",
            [(hub_id, a.valid_from, list(a.regions), list(a.plus), list(a.minus)) for a in hub.areas],
        )

    async def next_area_code(self) -> str:
        """See the port. Codes are never used again, so the highest that ever was counts, with or without a region."""
        await self._connection.execute("select pg_advisory_xact_lock(hashtext('area code'))")
        last = await self._connection.fetchval(
            """select max(substr(code, 3)::int) from (
              select code from region where scheme = 'participatiehub' union select area_code from hub) used(code)"""
        )
        return f"PH{(last or 0) + 1:02d}"

    async def put_area(
        self, hub: Hub, periods: Sequence[RegionPeriod], memberships: Sequence[MembershipPeriod]
    ) -> None:
        """See the port."""
        if periods:
            begin, end = periods[0].region_from, periods[-1].region_to
            await self._connection.execute(
                """insert into region (code, scheme, valid_from, valid_to) values ($1, 'participatiehub', $2, $3)
                on conflict (code) do update set valid_from = excluded.valid_from, valid_to = excluded.valid_to""",
                hub.area_code, begin, end,
            )  # fmt: skip
        region_id = await self._connection.fetchval("select id from region where code = $1", hub.area_code)
        if region_id is None:
            return
        await self._connection.execute("delete from membership where region_id = $1", region_id)
        await self._connection.execute("delete from region_period where region_id = $1", region_id)
        codes = {m.municipality for m in memberships} | {hub.area_code}
        rows = await self._connection.fetch("select code, id from region where code = any($1::text[])", list(codes))
        await insert_periods(self._connection, periods, memberships, {row["code"]: row["id"] for row in rows})

    async def put_member(self, slug: str, member: Member) -> bool:
        """See the port."""
        added: bool = await self._connection.fetchval(
            """insert into hub_member (hub_id, organisation_id, status, strand, since)
            select id, $2, $3, $4, $5 from hub where slug = $1
            on conflict (hub_id, organisation_id) do update
              set status = excluded.status, strand = excluded.strand, since = excluded.since
            returning xmax = 0""",
            slug, member.organisation_id, member.status, member.strand, member.since,
        )  # fmt: skip
        return added

    async def remove_member(self, slug: str, organisation_id: UUID) -> bool:
        """See the port."""
        gone = await self._connection.fetchval(
            """delete from hub_member m using hub h where h.id = m.hub_id and h.slug = $1 and m.organisation_id = $2
            returning 1""",
            slug, organisation_id,
        )  # fmt: skip
        return gone is not None
