"""The house of the tests: an embedded PostgreSQL for each worker, its database made by the migrations and filled with the
packaged reference data once, then copied. Of each worker its own: an open transaction anywhere on a server holds the change
log back for all its databases."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from app.infra import demonstration, packaged
from app.infra.clients import NewClient, create_client
from app.infra.embedded import OWNER, SERVICE, SUPERUSER, UNSAFE_BUT_FAST, EmbeddedPostgres
from app.infra.migrating import migrate
from app.infra.prepare import Addresses, load_reference
from app.main import create_app
from app.settings import Settings

BASE = "http://knooppunt.test"
TEMPLATE = "knooppunt_template"


def _run_folder() -> Path:
    """A folder for all that share a server, reachable for the account that PostgreSQL runs as."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    worker = "" if "TEST_DATABASE_URL" in os.environ else os.environ.get("PYTEST_XDIST_WORKER", "")
    folder = Path(tempfile.gettempdir(), f"knooppunt-tests-{run}{worker}")
    folder.mkdir(mode=0o755, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[Addresses]:
    """The server of this worker; `TEST_DATABASE_URL` (a superuser) names another, to try an older PostgreSQL."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield Addresses(given, given)
        return
    server = EmbeddedPostgres(_run_folder(), settings=UNSAFE_BUT_FAST, say=lambda _: None)
    server.start()
    yield Addresses(server.url(SUPERUSER, "postgres"), server.url(SUPERUSER, "postgres"))
    if server.stop_if_last():
        server.remove()
        shutil.rmtree(_run_folder(), ignore_errors=True)


def _at(url: str, user: str | None, database: str) -> str:
    """The same server, as another user in another database. Test roles have no secrets worth keeping."""
    head, _, tail = url.partition("@")
    place, _, query = tail.partition("?")
    host = place.partition("/")[0]
    who = head if user is None else f"postgresql://{user}:test"
    return f"{who}@{host}/{database}" + (f"?{query}" if query else "")


async def _make_template(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for role in (OWNER, SERVICE):
            if not await connection.fetchval("select 1 from pg_roles where rolname = $1", role):
                await connection.execute(f"create role {role} login nosuperuser nobypassrls")
            await connection.execute(f"alter role {role} password 'test'")
        made = _run_folder() / "template.made"
        if made.exists():
            return
        # A server that outlives its runs (TEST_DATABASE_URL) may hold the template of an older release.
        for name in (TEMPLATE, f"{TEMPLATE}_new"):
            await connection.execute(f"drop database if exists {name} with (force)")
        await connection.execute(
            f"create database {TEMPLATE}_new owner {OWNER} template template0 encoding 'UTF8' locale 'C'"
        )
    finally:
        await connection.close()
    owner = _at(url, OWNER, f"{TEMPLATE}_new")
    await migrate(owner, SERVICE)
    await load_reference(owner, packaged.load())
    loaded = await asyncpg.connect(owner)
    await demonstration.load(loaded)
    await loaded.close()
    connection = await asyncpg.connect(url)
    await connection.execute(f"alter database {TEMPLATE}_new rename to {TEMPLATE}")
    await connection.close()
    made.touch()


async def _copy(url: str, name: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(f"drop database if exists {name} with (force)")
    await connection.execute(f"create database {name} owner {OWNER} template {TEMPLATE}")
    await connection.close()


@pytest.fixture(scope="session")
def template(postgres: Addresses) -> Addresses:
    """The server with the template database on it, made by one worker while the others wait."""
    with (_run_folder() / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        asyncio.run(_make_template(postgres.owner))
    return postgres


def new_database(server: Addresses, name: str) -> Addresses:
    """A fresh copy of the template under this name."""
    with (_run_folder() / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        asyncio.run(_copy(server.owner, name))
    return Addresses(_at(server.owner, SERVICE, name), _at(server.owner, OWNER, name))


@pytest.fixture(scope="session")
def addresses(template: Addresses, worker_id: str) -> Addresses:
    """This worker's own database: service and owner."""
    return new_database(template, f"knooppunt_{worker_id}")


@pytest.fixture(scope="session")
def fresh(template: Addresses, worker_id: str) -> Callable[[str], Addresses]:
    """A database for what others would notice: `fresh("loading")`. Not from inside an event loop."""
    return lambda name: new_database(template, f"knooppunt_{name}_{worker_id}")


@dataclass
class House:
    """The running app with clients for a named cast: own hub, other hub, umbrella, national, admin, outsider."""

    app: Any
    addresses: Addresses
    tokens: dict[str, str] = field(default_factory=dict)

    def client(self, who: str = "outsider") -> httpx.AsyncClient:
        """An HTTP client as one of the cast."""
        headers = {} if who == "outsider" else {"authorization": f"Bearer {self.tokens[who]}"}
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers)


CAST = {
    "own-hub": NewClient("own hub", "hub", hub="groningen"),
    "other-hub": NewClient("other hub", "hub", hub="limburg"),
    "umbrella": NewClient("umbrella", "umbrella", umbrella="mind"),
    "national": NewClient("national", "national"),
    "admin": NewClient("admin", "admin"),
}


async def run_house(addresses: Addresses, settings: Settings | None = None) -> AsyncIterator[House]:
    """Starts the app on a database and stops it afterwards."""
    app = create_app(settings or Settings(database_url=addresses.service, rate_limit_per_minute=0), addresses)
    owner = await asyncpg.connect(addresses.owner)
    await owner.execute("select set_config('app.role', 'system', false)")
    tokens = {who: await create_client(owner, new) for who, new in CAST.items()}
    await owner.close()
    async with app.fastapi.router.lifespan_context(app.fastapi):  # type: ignore[attr-defined]
        yield House(app, addresses, tokens)


@pytest.fixture(scope="session")
async def house(addresses: Addresses) -> AsyncIterator[House]:
    """The app of this worker, with its cast."""
    async for found in run_house(addresses):
        yield found


@pytest.fixture(scope="session")
def running() -> Callable[..., AbstractAsyncContextManager[House]]:
    """The app on a database of one's own: `async with running(addresses) as house`."""
    return asynccontextmanager(run_house)


@pytest.fixture(scope="session")
async def writing_house(fresh: Callable[[str], Addresses]) -> AsyncIterator[House]:
    """The app for tests that write: their hubs and organisations are no concern of the tests that read."""
    async for found in run_house(await asyncio.to_thread(fresh, "writing")):
        yield found


@pytest.fixture
async def api(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """An outsider's client."""
    async with house.client() as client:
        yield client


@pytest.fixture
def as_(house: House) -> Callable[[str], httpx.AsyncClient]:
    """A client as one of the cast: `as_("own-hub")`. Close it with `async with`."""
    return house.client


@pytest.fixture
async def owner(addresses: Addresses) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the owner that may see and write everything."""
    connection = await asyncpg.connect(addresses.owner)
    await connection.execute("select set_config('app.role', 'system', false)")
    yield connection
    await connection.close()


Get = Callable[..., Awaitable[Any]]


@pytest.fixture
def get(api: httpx.AsyncClient) -> Get:
    """JSON of an address that answers 200."""

    async def fetch(address: str, **params: Any) -> Any:
        response = await api.get(address, params=params or None)
        assert response.status_code == 200, response.text
        return response.json()

    return fetch
