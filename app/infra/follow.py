"""Follow codes in PostgreSQL: kept as hashes, looked up and counted by one function that gives a state and no more."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Callable
from uuid import UUID

import orjson

from app.domain.follow import Look
from app.infra.database import Connection, Database

_LOOK = "select state::text as state, wait from look_by_code($1, $2, $3, $4)"


class PostgresFollowCodes:
    """See the port."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def put(self, signal_id: UUID, digest: bytes) -> None:
        """See the port. The function looks whose signal it is: the service may not touch the codes itself."""
        await self._connection.execute("select put_follow_code($1, $2)", signal_id, digest)


class PostgresFollowing:
    """See the port. Looks are counted for all processes together, by the minute: of one address, and of everybody."""

    def __init__(self, database: Database, secret: Callable[[], bytes], most: int, most_of_all: int) -> None:
        self._database = database
        self._secret = secret
        self._most = most
        self._most_of_all = most_of_all

    async def look(self, digest: bytes, address: str) -> Look:
        """See the port."""
        looker = hmac.digest(self._secret(), b"follow|" + _network(address).encode(), hashlib.sha256)
        row = await self._database.row(_LOOK, digest, looker, self._most, self._most_of_all)
        assert row is not None
        return Look(None if row["state"] is None else orjson.loads(row["state"]), row["wait"])


def _network(address: str) -> str:
    """Who counts as one: an address, of IPv6 the 64 bits that one line gets."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found.packed[:8] + bytes(8), 64)))
    return str(found)
