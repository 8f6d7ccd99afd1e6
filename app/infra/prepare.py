"""Everything before serving: the addresses of the database, the embedded server, the schema, the reference data."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

import asyncpg

from app.domain.errors import Fault, Invalid, Unavailable
from app.domain.reference import ReferenceData, verify
from app.infra import loading
from app.infra.database import AWAY, OTHER_SCHEMA, REFUSALS, why_not
from app.infra.embedded import OWNER, SERVICE, EmbeddedPostgres
from app.infra.epochs import keep_epoch
from app.infra.loading import Progress, quiet
from app.settings import Settings


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
            return cls(settings.database_url, settings.database_url, SERVICE)
        return cls(settings.database_url, settings.database_owner_url)


@contextmanager
def running_database(settings: Settings) -> Iterator[Addresses]:
    """The addresses of a server that runs as long as this is open: the embedded one, unless the settings name another."""
    if settings.database_url is not None:
        yield Addresses.of(settings)
        return
    with EmbeddedPostgres(settings.data_folder / "postgres") as embedded:
        yield Addresses(embedded.url(SERVICE), embedded.url(OWNER))


@asynccontextmanager
async def as_owner(owner_url: str, *, keeping_epoch: bool = True) -> AsyncIterator[asyncpg.Connection]:
    """A connection that may read and write everything. Raises `Unavailable` in words that say what to do.

    Like those of the service it begins an epoch where one is due, unless `keeping_epoch` says that this comes next.
    """
    try:
        connection = await asyncpg.connect(owner_url, timeout=10)
    except (*REFUSALS, *AWAY) as error:
        raise Unavailable(why_not(error)) from error
    try:
        await connection.execute("select set_config('app.role', 'system', false)")
        if keeping_epoch:
            with suppress(*OTHER_SCHEMA):
                await keep_epoch(connection)
        yield connection
    except OTHER_SCHEMA as error:
        raise Unavailable("The database does not have the tables of this release. Run `knooppunt migrate`.") from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise Unavailable("This takes the owner of the schema. Give its address in DATABASE_OWNER_URL.") from error
    except AWAY as error:
        raise Unavailable(why_not(error)) from error
    finally:
        await connection.close(timeout=5)


async def load_reference(owner_url: str, data: ReferenceData, progress: Progress = quiet) -> bool:
    """Verifies the data and loads it. False when it was there. Raises `Invalid` with the findings."""
    findings = verify(data)
    if findings:
        raise Invalid([Fault("data", "reference", finding.code, finding.detail) for finding in findings])
    async with as_owner(owner_url) as connection:
        return await loading.load(connection, data, progress)
