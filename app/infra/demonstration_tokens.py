"""Tokens to try every role with, minted anew at each start of `make run`: those of the start before stop working."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from app.infra.clients import NewClient, create_client

NAME = "demonstration"
DAYS = 7


@dataclass(frozen=True, slots=True)
class Trial:
    """A token with something to try it on."""

    who: str
    token: str
    path: str


# (who, client, what to try): each sees another part of the network.
CAST = (
    ("hub Groningen", NewClient(NAME, "hub", hub="groningen", expires_days=DAYS), "/v1/signals?hub=groningen&limit=5"),
    ("umbrella MIND", NewClient(NAME, "umbrella", umbrella="mind", expires_days=DAYS), "/v1/signals?visibility=network&limit=5"),
    ("national coordination", NewClient(NAME, "national", expires_days=DAYS), "/v1/signals?limit=5"),
    ("administrator", NewClient(NAME, "admin", expires_days=DAYS), "/v1/signals?limit=5"),
)  # fmt: skip


async def mint(connection: asyncpg.Connection) -> list[Trial]:
    """New tokens, in place of all that were minted before."""
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock(hashtext('demonstration tokens'))")
        await connection.execute("delete from client where name = $1", NAME)
        return [Trial(who, await create_client(connection, client), path) for who, client, path in CAST]
