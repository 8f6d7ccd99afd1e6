"""What the client kit speaks with: the service itself over real HTTP, and a peer that can be told to break a rule."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass

import asyncpg
import httpx
import pytest
import uvicorn
from typer.testing import CliRunner

from app.cli import app
from app.infra.clients import NewClient, create_client
from app.main import create_app
from app.settings import Settings


@contextmanager
def served(application):
    """An application on a port of its own, in a thread of its own; its address."""
    config = uvicorn.Config(application, host="127.0.0.1", port=0, log_level="error", lifespan="auto", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)


@dataclass
class Service:
    """A running instance with tokens."""

    url: str
    addresses: object
    tokens: dict

    def client(self, who):
        headers = {"authorization": f"Bearer {self.tokens[who]}"} if who else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)


CAST = {
    "own-hub": NewClient("own hub", "hub", hub="groningen"),
    "other-hub": NewClient("other hub", "hub", hub="limburg"),
    "umbrella": NewClient("umbrella", "umbrella", umbrella="mind"),
    "national": NewClient("national", "national"),
}


async def tokens_of(addresses):
    owner = await asyncpg.connect(addresses.owner)
    await owner.execute("select set_config('app.role', 'system', false)")
    found = {who: await create_client(owner, new) for who, new in CAST.items()}
    await owner.close()
    return found


@contextmanager
def running_service(addresses):
    settings = Settings(database_url=addresses.service, rate_limit_per_minute=0)
    tokens = asyncio.run(tokens_of(addresses))
    with served(create_app(settings, addresses)) as url:
        yield Service(url, addresses, tokens)


@pytest.fixture(scope="session")
def service(fresh):
    """An instance for tests that write by their own external ids."""
    with running_service(fresh("kit")) as found:
        yield found


@pytest.fixture
def knooppunt():
    """Runs a command of the command line; `**environment` overrides."""

    def command(*arguments, **environment):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], env=environment)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        return result

    return command


def word():
    """A word that is nowhere else. No digits: those could be somebody's number."""
    return "".join(chr(ord("a") + int(digit, 16)) for digit in uuid.uuid4().hex[:16])
