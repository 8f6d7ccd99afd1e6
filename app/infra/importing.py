"""Takes over an edition from CBS: fetch, recognise, preview and, when asked, apply, in one transaction."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any

import asyncpg
import orjson
import structlog

from app.domain.errors import Fault, Invalid
from app.domain.reference import ReferenceData, verify
from app.domain.statline import IgnoredColumn, ImportedEdition, Table, known_regions, recognise
from app.domain.statline_preview import preview
from app.domain.statline_reference import as_reference
from app.domain.statline_report import describe
from app.infra import packaged
from app.infra.loading import load, take_turn
from app.infra.statline import fetch

log = structlog.get_logger()


async def current(connection: asyncpg.Connection) -> ReferenceData:
    """The packaged set with the editions that this instance imported.

    What a later release packages itself, and differently, wins: an import must never keep an instance from loading.
    """
    data = packaged.load()
    rows = await connection.fetch("select content from imported_edition order by year")
    for row in rows:
        edition = _edition(orjson.loads(row["content"]))
        found = preview(edition, known_regions(data), data.successions)
        if found.faults:
            codes = sorted({fault.code for fault in found.faults})
            log.warning("imported-edition-left-out", year=edition.year, faults=codes)
            continue
        data = as_reference(found, data)
    return data


async def import_edition(
    connection: asyncpg.Connection, source: str, year: int, *, apply: bool
) -> tuple[tuple[str, ...], bool]:
    """What would change, in sentences, and whether it was applied. Raises `Invalid`, `TooLarge`, `Unavailable`."""
    table = await fetch(source)
    async with connection.transaction():
        await take_turn(connection)
        return await _import(connection, table, year, apply=apply)


async def _import(
    connection: asyncpg.Connection, table: Table, year: int, *, apply: bool
) -> tuple[tuple[str, ...], bool]:
    data = await current(connection)
    known = known_regions(data)
    edition = recognise(
        table.rows, known, year, table_id=table.table_id, year_hint=table.year_hint, this_year=date.today().year
    )
    found = preview(edition, known, data.successions)
    found.raise_if_wrong()
    lines = describe(found)
    if not apply or found.status == "same":
        return lines, False
    extended = as_reference(found, data)
    findings = verify(extended)
    if findings:
        raise Invalid([Fault("data", "edition", finding.code, finding.detail) for finding in findings])
    await connection.execute(
        """insert into imported_edition (year, content) values ($1, $2)
        on conflict (year) do update set content = excluded.content, imported_at = now()""",
        year,
        orjson.dumps(asdict(edition), default=list).decode(),
    )
    await load(connection, extended)
    return lines, True


def _edition(content: dict[str, Any]) -> ImportedEdition:
    ignored = tuple(IgnoredColumn(**column) for column in content.pop("ignored"))
    by_names = frozenset(content.pop("by_names"))
    return ImportedEdition(**content, ignored=ignored, by_names=by_names)
