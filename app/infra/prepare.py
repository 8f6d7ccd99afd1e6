"""Everything before serving: the addresses of the database, the embedded server, the schema, the reference data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import asyncpg

from app.domain.errors import Invalid
from app.domain.reference import ReferenceData, verify
from app.infra import loading
from app.infra.embedded import OWNER, SERVICE, EmbeddedPostgres
from app.infra.loading import Progress, quiet
from app.settings import Settings

SERVICE_ROLE = "knooppunt_service"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the database is. `role` is taken on after connecting, where one address serves owner and service."""

    service: str
    owner: str
    role: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> Addresses:
        """From the settings alone; the embedded server must be running when they name no other."""
        if settings.database_url is None:
            embedded = EmbeddedPostgres(settings.data_folder / "postgres")
            embedded.start()
            return cls(embedded.url(SERVICE), embedded.url(OWNER))
        if settings.database_owner_url is None:
            return cls(settings.database_url, settings.database_url, SERVICE_ROLE)
        return cls(settings.database_url, settings.database_owner_url)


@contextmanager
def running_database(settings: Settings) -> Iterator[Addresses]:
    """The addresses of a server that runs as long as this is open: the embedded one, unless the settings name another."""
    if settings.database_url is not None:
        yield Addresses.of(settings)
        return
    with EmbeddedPostgres(settings.data_folder / "postgres") as embedded:
        yield Addresses(embedded.url(SERVICE), embedded.url(OWNER))


async def load_reference(owner_url: str, data: ReferenceData, progress: Progress = quiet) -> bool:
    """Verifies the data and loads it. False when it was there. Raises `Invalid` with the findings."""
    from app.domain.errors import Fault

    findings = verify(data)
    if findings:
        raise Invalid([Fault("data", "reference", finding.code, finding.detail) for finding in findings])
    connection = await asyncpg.connect(owner_url)
    try:
        return await loading.load(connection, data, progress)
    finally:
        await connection.close()
