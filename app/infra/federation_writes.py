"""Writes what another instance says of the hubs that are kept there: a page at a time, set-wise, in the hub's name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import orjson

from app.domain.errors import Fault, Invalid
from app.domain.federation import Copy, copied, fingerprint
from app.domain.text import fold
from app.domain.vocabulary import Vocabulary
from app.infra.database import Connection
from app.infra.signal_writes import SEARCH

HUB = "(select nullif(current_setting('app.hub', true), '')::smallint)"
IN_USE = Fault("resource", "id", "id-in-use", "A resource of another hub has this id here.")

_AS_HUB = "select set_config('app.hub', $1, true), set_config('app.source', $2, true)"
_GIVEN = """
with given as materialized (
  select * from json_to_recordset($1::json) as x(id uuid, external_id text, kind text, title text, description text,
    themes text[], concerned text[], source text, region text, scale text, groups text[], channel text, heard_on date,
    people_count int, visibility text, status text, recipients text[], demonstration boolean, version int,
    created_at timestamptz, updated_at timestamptz, verified_at timestamptz, folded_title text, folded_description text)),
fields as materialized (
  select concerned, workfield_mask(concerned) as mask from (select distinct concerned from given) d),
readers as materialized (
  select recipients, (select coalesce(bit_or(umbrella_bit(u)), 0) from unnest(recipients) u) as mask
  from (select distinct recipients from given) d)
"""
_JOINED = """given g join fields f on f.concerned = g.concerned join region r on r.code = g.region
  join readers w on w.recipients = g.recipients"""
_COLUMNS = {
    "external_id": "g.external_id", "kind": "g.kind", "title": "g.title", "description": "g.description",
    "themes": "g.themes", "workfields": "f.mask", "workfields_source": "g.source", "region_id": "r.id",
    "scale": "g.scale", "groups": "g.groups", "channel": "g.channel", "heard_on": "g.heard_on",
    "people_count": "g.people_count", "visibility": "g.visibility", "status": "g.status", "recipients": "w.mask",
    "demonstration": "g.demonstration", "version": "g.version", "created_at": "g.created_at",
    "updated_at": "g.updated_at", "verified_at": "g.verified_at",
    "search": SEARCH.format(title="g.folded_title", description="g.folded_description"),
}  # fmt: skip
_ADD = f"""{_GIVEN}
insert into signal (id, hub_id, {", ".join(_COLUMNS)})
select g.id, {HUB}, {", ".join(_COLUMNS.values())} from {_JOINED} order by g.id
on conflict (id) do nothing returning id"""
_CHANGE = f"""{_GIVEN}
update signal s set {", ".join(f"{name} = {value}" for name, value in _COLUMNS.items())}
from {_JOINED} where s.id = g.id and s.hub_id = {HUB}"""
# At its own instance an external id is somebody's alone: who has it here and is another went from there.
_FREE_IDS = f"""
delete from signal s using (select * from json_to_recordset($1::json) as x(id uuid, external_id text)) g
where s.hub_id = {HUB} and s.external_id = g.external_id and s.id <> g.id returning s.id"""
_FORWARDINGS = """
insert into forwarding (signal_id, umbrella, hub_id, audience, state, respond_by, response, reason, forwarded_at, responded_at)
select signal_id, umbrella, 0, 0, state, respond_by, response, reason, forwarded_at, responded_at
from json_to_recordset($1::json) as x(signal_id uuid, umbrella text, state text, respond_by date, response text,
  reason text, forwarded_at timestamptz, responded_at timestamptz)"""
_FOLLOW_UPS = """
insert into follow_up (id, signal_id, hub_id, audience, kind, on_date, summary, public, created_at)
select id, signal_id, 0, 0, kind, on_date, summary, public, created_at
from json_to_recordset($1::json) as x(id uuid, signal_id uuid, kind text, on_date date, summary text, public boolean,
  created_at timestamptz) on conflict (id) do nothing"""
_COPIES = """
insert into source_copy (source_id, resource_id, version, fingerprint, reading)
select $1, * from unnest($2::uuid[], $3::int[], $4::bytea[]) x, (select $5::int) r
on conflict (source_id, resource_id) do update
set version = excluded.version, fingerprint = excluded.fingerprint, reading = excluded.reading"""
_REFUSALS = """
insert into source_refusal (source_id, resource_id, version, external_id, faults)
select $1, id, version, external_id, faults::jsonb
from json_to_recordset($2::json) as x(id uuid, version int, external_id text, faults json)
on conflict (source_id, resource_id) do update
set version = excluded.version, external_id = excluded.external_id, faults = excluded.faults, at = now()"""


Refusal = tuple[Mapping[str, Any], Sequence[Fault]]
"""An entry that was not taken over, and why."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Whose page it is, and of which reading. `anew`: of one from the beginning, which may contradict what is here."""

    source: int
    number: int
    anew: bool
    hubs: Mapping[str, int]
    """Slug → number of the hubs that are kept there."""


@dataclass(slots=True)
class _Page:
    """What a page comes to, for one hub."""

    upserts: dict[UUID, tuple[Copy, bytes]] = field(default_factory=dict)
    gone: list[UUID] = field(default_factory=list)


async def apply(
    connection: Connection, reading: Reading, items: Sequence[Mapping[str, Any]], known: Vocabulary, today: date
) -> int:
    """Writes the page within the present transaction; how many changes were carried out. Changes of other hubs are none
    of this source's business, and left."""
    mine = [item for item in items if _is_ours(item, reading)]
    copies = {
        row["resource_id"]: row
        for row in await connection.fetch(
            "select * from source_copy where source_id = $1 and resource_id = any($2::uuid[])",
            reading.source,
            [UUID(item["id"]) for item in mine],
        )
    }
    pages: dict[int, _Page] = {number: _Page() for number in reading.hubs.values()}
    refused: list[Refusal] = []
    same: list[UUID] = []
    for item in mine:
        identity, page = UUID(item["id"]), pages[reading.hubs[item["hub"]["slug"]]]
        copy = copies.get(identity)
        if item["op"] != "upsert":
            page.gone.append(identity)
            continue
        resource = item.get("resource")
        print_ = fingerprint(resource) if isinstance(resource, dict) else b""
        if copy is not None and (copy["version"], bytes(copy["fingerprint"])) == (item["version"], print_):
            same.append(identity)
        elif copy is not None and copy["version"] > item["version"] and not reading.anew:
            continue  # a page from before, come late
        else:
            try:
                page.upserts[identity] = (_checked(item, resource, known, today), print_)
            except Invalid as error:
                refused.append((item, error.faults))
    for number, page in pages.items():
        if page.upserts or page.gone:
            refused += await _write(connection, reading, number, page)
    await _keep(connection, reading, pages.values(), refused, same)
    return sum(len(page.upserts) + len(page.gone) for page in pages.values())


def _is_ours(item: Mapping[str, Any], reading: Reading) -> bool:
    hub = item.get("hub")
    if item["type"] != "signal" or not isinstance(hub, dict) or hub.get("slug") not in reading.hubs:
        return False
    try:
        return bool(UUID(item["id"]))
    except ValueError:  # an id that is none leads to nothing
        return False


def _checked(item: Mapping[str, Any], resource: Any, known: Vocabulary, today: date) -> Copy:
    """The copy in an entry. Raises `Invalid`."""
    if not isinstance(resource, dict):
        raise Invalid([Fault("resource", "", "missing", "The entry carries no resource.")])
    copy = copied(resource, known, today)
    its = (str(copy.signal.id), copy.signal.version, copy.signal.hub)
    if its != (item["id"], item["version"], item["hub"]["slug"]):
        raise Invalid([Fault("resource", "id", "contradiction", "Entry and resource name another id, version or hub.")])
    return copy


async def _write(connection: Connection, reading: Reading, hub: int, page: _Page) -> list[Refusal]:
    """Deletions first: an external id may have gone over to another. Gives what turned out to be another hub's."""
    await connection.execute(_AS_HUB, str(hub), str(reading.source))
    if page.gone:
        await connection.execute("delete from signal where id = any($1::uuid[])", page.gone)
    if not page.upserts:
        return []
    there = await connection.fetch(
        f"select id, version from signal where hub_id = {HUB} and id = any($1::uuid[])", list(page.upserts)
    )
    present = {row["id"]: row["version"] for row in there}
    back = [i for i, version in present.items() if version >= page.upserts[i][0].signal.version]
    if back:
        await connection.execute("delete from signal where id = any($1::uuid[])", back)
    added = [identity for identity in page.upserts if identity not in present or identity in set(back)]
    if reading.anew or back:
        versions = [page.upserts[identity][0].signal.version for identity in added]
        await connection.fetchval("select source_went_back($1, $2, $3)", reading.source, added, versions)
    copies = [copy for copy, _ in page.upserts.values()]
    named = [{"id": c.signal.id, "external_id": c.signal.external_id} for c in copies if c.signal.external_id]
    freed = await connection.fetch(_FREE_IDS, _json(named))
    page.gone += [row["id"] for row in freed]
    changed = [identity for identity in page.upserts if identity not in set(added)]
    await connection.execute(_CHANGE, _json(_row(page.upserts[identity][0]) for identity in changed))
    made = await connection.fetch(_ADD, _json(_row(page.upserts[identity][0]) for identity in added))
    in_use = set(added) - {row["id"] for row in made}
    refused: list[Refusal] = []
    for identity in in_use:
        copy, _ = page.upserts.pop(identity)
        refused.append((_as_item(copy), [IN_USE]))
    await _write_parts(connection, [copy for copy, _ in page.upserts.values()], changed)
    return refused


def _as_item(copy: Copy) -> dict[str, Any]:
    s = copy.signal
    return {"id": str(s.id), "version": s.version, "externalId": s.external_id}


async def _write_parts(connection: Connection, copies: Sequence[Copy], changed: Sequence[UUID]) -> None:
    """Away with the old and in with the new: to change an answer would make a version of its own."""
    if changed:
        await connection.execute("delete from forwarding where signal_id = any($1::uuid[])", changed)
        await connection.execute("delete from follow_up where signal_id = any($1::uuid[])", changed)
    forwardings = [
        {
            "signal_id": copy.signal.id, "umbrella": f.umbrella, "state": f.state, "respond_by": f.respond_by,
            "response": f.response, "reason": f.reason, "forwarded_at": f.forwarded_at, "responded_at": f.responded_at,
        }
        for copy in copies
        for f in copy.forwardings
    ]  # fmt: skip
    if forwardings:
        await connection.execute(_FORWARDINGS, _json(forwardings))
    follow_ups = [
        {
            "id": f.id, "signal_id": copy.signal.id, "kind": f.kind, "on_date": f.on, "summary": f.summary,
            "public": f.public, "created_at": at,
        }
        for copy in copies
        for f, at in copy.follow_ups
    ]  # fmt: skip
    if follow_ups:
        await connection.execute(_FOLLOW_UPS, _json(follow_ups))


async def _keep(
    connection: Connection, reading: Reading, pages: Iterable[_Page], refused: Sequence[Refusal], same: Sequence[UUID]
) -> None:
    """Remembers what was taken over, what was refused and what was met again."""
    taken = {identity: kept for page in pages for identity, kept in page.upserts.items()}
    gone = [identity for page in pages for identity in page.gone]
    met = [*same, *(UUID(item["id"]) for item, _ in refused)]
    number = reading.number
    if taken:
        versions = [copy.signal.version for copy, _ in taken.values()]
        prints = [print_ for _, print_ in taken.values()]
        await connection.execute(_COPIES, reading.source, list(taken), versions, prints, number)
    if met and reading.anew:
        sql = "update source_copy set reading = $3 where source_id = $1 and resource_id = any($2::uuid[])"
        await connection.execute(sql, reading.source, met, number)
    for table, ids in (("source_copy", gone), ("source_refusal", [*gone, *taken])):
        if ids:
            sql = f"delete from {table} where source_id = $1 and resource_id = any($2::uuid[])"
            await connection.execute(sql, reading.source, ids)
    rows = [
        {
            "id": item["id"], "version": item["version"], "external_id": item.get("externalId"),
            "faults": [{"location": f.location, "code": f.code, "detail": f.detail} for f in faults],
        }
        for item, faults in refused
    ]  # fmt: skip
    if rows:
        await connection.execute(_REFUSALS, reading.source, _json(rows))


async def sweep(connection: Connection, reading: Reading) -> int:
    """At the end of a reading from the beginning: what did not come is not there any more. How many."""
    gone = 0
    for hub in reading.hubs.values():
        await connection.execute(_AS_HUB, str(hub), str(reading.source))
        rows = await connection.fetch(
            f"""delete from signal s where s.hub_id = {HUB} and not exists (select from source_copy c
              where c.source_id = $1 and c.resource_id = s.id and c.reading = $2) returning s.id""",
            reading.source,
            reading.number,
        )
        gone += len(rows)
    await connection.execute(
        "delete from source_copy where source_id = $1 and reading <> $2", reading.source, reading.number
    )
    return gone


def _row(copy: Copy) -> dict[str, Any]:
    s = copy.signal
    return {
        "id": s.id, "external_id": s.external_id, "kind": s.kind, "title": s.title, "description": s.description,
        "themes": s.themes, "concerned": s.concerned, "source": s.workfields_source, "region": s.region,
        "scale": s.scale, "groups": s.groups, "channel": s.channel, "heard_on": s.heard_on,
        "people_count": s.people_count, "visibility": s.visibility, "status": s.status,
        "recipients": [f.umbrella for f in copy.forwardings], "demonstration": s.demonstration, "version": s.version,
        "created_at": copy.created_at, "updated_at": copy.updated_at, "verified_at": copy.verified_at,
        "folded_title": fold(s.title), "folded_description": fold(s.description),
    }  # fmt: skip


def _json(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return orjson.dumps(list(rows))
