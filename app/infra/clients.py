"""API clients and their tokens. A token is 256 random bits; only its hash is kept, and it is shown once."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID

import asyncpg

from app.domain.access import Actor, Proof
from app.domain.errors import Fault, Invalid, NotFound, Unauthenticated
from app.domain.ids import new_id
from app.infra.database import REFUSED, Database

PREFIX = "kp_"
KNOWN_SECONDS = 60.0  # then it is looked up again, so that its use is noted
MOST_KNOWN = 10_000

# The service itself cannot read the table; see the migration.
_FIND = "select id, role, hub, umbrella, expires_at, revoked_at, last_used_at from client_of($1)"


@dataclass(frozen=True, slots=True)
class NewClient:
    """What `knooppunt client create` takes."""

    name: str
    role: str
    hub: str | None = None
    umbrella: str | None = None
    expires_days: int | None = 365


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _expiry(days: int | None) -> datetime | None:
    return None if days is None else datetime.now(UTC) + timedelta(days=days)


class Clients:
    """Finds the actor behind a token.

    A token that was good a moment ago is believed for the time being: the statement that reads or writes in its name
    finds out whether it still holds (`enter` in the database), and a request without such a statement is confirmed before
    it is answered. So a token costs no question of its own, and a revoked one gets nothing from the same moment on.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[bytes, tuple[Actor, float]] = OrderedDict()

    async def authenticate(self, token: str) -> Actor:
        """The actor. Raises `Unauthenticated`, with the same words for every reason."""
        if not token.startswith(PREFIX) or len(token) > 100:
            raise Unauthenticated(REFUSED)
        shown = _hash(token)
        actor, until = self._known.get(shown, (None, 0.0))
        if actor is not None and monotonic() < until:
            return Actor(actor.role, actor.hub, actor.umbrella, actor.client, Proof(shown))
        return replace(await self._look_up(shown), proof=Proof(shown, holds=True))

    async def confirm(self, actor: Actor) -> None:
        """Asks the database, unless it has said so already. Raises `Unauthenticated`."""
        if actor.proof is None or actor.proof.holds:
            return
        if await self._look_up(actor.proof.token) != actor:
            del self._known[actor.proof.token]
            raise Unauthenticated(REFUSED)
        actor.proof.holds = True

    async def _look_up(self, shown: bytes) -> Actor:
        self._known.pop(shown, None)
        row = await self._database.row(_FIND, shown)
        now = datetime.now(UTC)
        if row is None or row["revoked_at"] is not None or (row["expires_at"] is not None and row["expires_at"] <= now):
            raise Unauthenticated(REFUSED)
        if row["last_used_at"] is None or now - row["last_used_at"] > timedelta(minutes=1):
            await self._database.row("select client_used($1)", row["id"])
        actor = Actor(row["role"], row["hub"], row["umbrella"], str(row["id"]))
        self._known[shown] = (actor, monotonic() + KNOWN_SECONDS)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return actor


async def create_client(connection: asyncpg.Connection, new: NewClient) -> str:
    """Makes a client and returns its token, which cannot be shown again. Raises `Invalid`."""
    hub_id = await _check(connection, new)
    token = PREFIX + secrets.token_urlsafe(32)
    await connection.execute(
        "insert into client (id, name, role, hub_id, umbrella, token_hash, expires_at) values ($1, $2, $3, $4, $5, $6, $7)",
        new_id(), new.name, new.role, hub_id, new.umbrella, _hash(token), _expiry(new.expires_days),
    )  # fmt: skip
    return token


async def _check(connection: asyncpg.Connection, new: NewClient) -> int | None:
    if (new.hub is not None) != (new.role == "hub"):
        raise Invalid([Fault("body", "hub", "role-needs-hub", "A client of role hub, and no other, names its --hub.")])
    if (new.umbrella is not None) != (new.role == "umbrella"):
        detail = "A client of role umbrella, and no other, names its --umbrella."
        raise Invalid([Fault("body", "umbrella", "role-needs-umbrella", detail)])
    if new.role not in ("hub", "umbrella", "national", "admin"):
        raise Invalid([Fault("body", "role", "unknown-code", "A role is hub, umbrella, national or admin.")])
    if new.umbrella is not None:
        found = await connection.fetchval(
            "select 1 from term where vocabulary = 'umbrella' and code = $1", new.umbrella
        )
        if found is None:
            raise Invalid([Fault("body", "umbrella", "unknown-code", "There is no umbrella with this code.")])
    if new.hub is None:
        return None
    hub_id: int | None = await connection.fetchval("select id from hub where slug = $1", new.hub)
    if hub_id is None:
        raise Invalid([Fault("body", "hub", "unknown-code", "There is no hub with this slug.")])
    return hub_id


async def list_clients(connection: asyncpg.Connection) -> list[dict[str, Any]]:
    """Every client without its token, the newest last."""
    rows = await connection.fetch(
        """select c.id, c.name, c.role, h.slug as hub, c.umbrella, c.created_at, c.expires_at, c.last_used_at, c.revoked_at
        from client c left join hub h on h.id = c.hub_id order by c.id"""
    )
    return [dict(row) for row in rows]


async def rotate_client(connection: asyncpg.Connection, client_id: UUID, expires_days: int | None = 365) -> str:
    """A new token in place of the old one, which stops working at once. Raises `NotFound`."""
    token = PREFIX + secrets.token_urlsafe(32)
    done = await connection.fetchval(
        """update client set token_hash = $2, expires_at = $3, last_used_at = null
        where id = $1 and token_hash is not null and revoked_at is null returning 1""",
        client_id, _hash(token), _expiry(expires_days),
    )  # fmt: skip
    if done is None:
        raise NotFound("There is no such client with a token of ours, or it was revoked.")
    return token


async def revoke_client(connection: asyncpg.Connection, client_id: UUID) -> None:
    """The token stops working at once. Raises `NotFound`."""
    done = await connection.fetchval("update client set revoked_at = now() where id = $1 returning 1", client_id)
    if done is None:
        raise NotFound("There is no such client.")
