"""The unit of work on PostgreSQL: one transaction in the actor's name, with the ports that write in it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from app.domain.access import Actor
from app.domain.errors import Conflict, Fault, Forbidden, Invalid, KeyReused, Unavailable
from app.domain.periods import MembershipPeriod
from app.domain.reading import Answer, Language, Selection
from app.domain.reference import Area, Succession
from app.domain.vocabulary import Vocabulary
from app.infra.bundle_writes import PostgresBundles
from app.infra.database import Connection, Database, Turn
from app.infra.follow import PostgresFollowCodes
from app.infra.hub_writes import PostgresHubs
from app.infra.organisation_writes import PostgresOrganisations
from app.infra.question_push import PostgresPushedQuestions
from app.infra.question_writes import PostgresQuestions
from app.infra.reader import PostgresReader
from app.infra.signal_push import PostgresPushedSignals
from app.infra.signal_writes import PostgresSignals
from app.infra.vocabulary import Kept, Vocabularies

KEPT_ELSEWHERE = "KP403"
"""What a trigger raises when a hub's signals are kept at another instance; its detail is the address."""
WorkFactory = Callable[[Actor], AbstractAsyncContextManager["PostgresWork"]]


class PostgresWork:
    """See the port `app.domain.work.Work`."""

    def __init__(
        self, connection: Connection | Turn, actor: Actor, reader: PostgresReader | None, vocabularies: Vocabularies
    ) -> None:
        self._connection = connection
        self._actor = actor
        self._reader = reader
        self.hubs = PostgresHubs(connection)
        self.organisations = PostgresOrganisations(connection)
        self.codes = PostgresCodes(connection, vocabularies)
        self.signals = PostgresSignals(connection, vocabularies)
        self.bundles = PostgresBundles(connection)
        self.follow_codes = PostgresFollowCodes(connection)
        self.pushed_signals = PostgresPushedSignals(connection)
        self.questions = PostgresQuestions(connection)
        self.pushed_questions = PostgresPushedQuestions(connection)

    async def read(self, selection: Selection, language: Language) -> Answer:
        """See the port."""
        assert self._reader is not None
        statement = self._reader.statement((selection.shape,), language)
        arguments = self._reader.arguments(statement, [selection], self._actor)
        row = await self._connection.fetchrow(statement.sql, *arguments)
        return Answer(row[0], row[1], row[2])

    async def conclude(self, selection: Selection, language: Language) -> Answer:
        """See the port. A signal that is all there is to write is written and read by one statement."""
        turn, reader = self._connection, self._reader
        assert reader is not None
        later = turn.takes_all() if isinstance(turn, Turn) else None
        if later is None:
            return await self.read(selection, language)
        statement = reader.added(selection.shape, language, later[0])
        row = await turn.alone(statement.sql, *later[1], *reader.arguments(statement, [selection], self._actor))
        if row is None:  # its region or hub went between the check and now
            raise Unavailable("The reference data changed under this request. Try again.")
        return Answer(row[0], row[1], row[2])

    async def recall(self, client: str, key: str, fingerprint: bytes) -> dict[str, Any] | None:
        """See the port. A lock that is tried, not waited for: a unique index would make the second request block."""
        lock = int.from_bytes(hashlib.sha256(f"{client}\0{key}".encode()).digest()[:8], "big", signed=True)
        if not await self._connection.fetchval("select pg_try_advisory_xact_lock($1)", lock):
            raise Conflict(
                "A request with this Idempotency-Key is still running. Wait and repeat it.", code="still-running"
            )
        row = await self._connection.fetchrow(
            "select fingerprint, answer from idempotency where client_id = $1 and key = $2 "
            "and created_at > now() - interval '24 hours'",
            UUID(client),
            key,
        )
        if row is None:
            return None
        if row["fingerprint"] != fingerprint:
            raise KeyReused("This Idempotency-Key was used for other content. Take a new key for a new request.")
        answer: dict[str, Any] = orjson.loads(row["answer"])
        return answer

    async def remember(self, client: str, key: str, fingerprint: bytes, answer: dict[str, Any]) -> None:
        """See the port. What is older than a day goes, whoever's it is: so it stays no longer than promised."""
        await self._connection.execute("select purge_idempotency()")
        await self._connection.execute(
            "insert into idempotency (client_id, key, fingerprint, answer) values ($1, $2, $3, $4)",
            UUID(client),
            key,
            fingerprint,
            orjson.dumps(answer).decode(),
        )


def work_factory(database: Database, reader: PostgresReader, version: Callable[[], int | None]) -> WorkFactory:
    """Opens units of work on this database. `version` is that of the public data, None while it is not known for sure."""
    kept = Kept()

    @asynccontextmanager
    async def work(actor: Actor) -> AsyncIterator[PostgresWork]:
        try:
            async with database.turn(actor) as turn:
                yield PostgresWork(turn, actor, reader, Vocabularies(turn, version(), kept))
        except asyncpg.UniqueViolationError as error:
            raise Conflict("Something with this name exists already.", code="already-exists") from error
        except asyncpg.InsufficientPrivilegeError as error:  # the database's own lock: policies were to say so before
            raise Forbidden("This is not yours to change.") from error
        except asyncpg.CharacterNotInRepertoireError as error:  # JSON can say NUL, PostgreSQL's text cannot hold it
            detail = "The body holds a character that cannot be stored (NUL)."
            raise Invalid([Fault("body", "", "control-character", detail)]) from error
        except asyncpg.PostgresError as error:
            if getattr(error, "sqlstate", None) != KEPT_ELSEWHERE:
                raise
            detail = f"This hub keeps its signals at {error.detail}. Change them there; they come over by themselves."
            raise Forbidden(detail, code="kept-elsewhere", origin=error.detail) from error

    return work


def plain_work(connection: Any) -> PostgresWork:
    """A unit of work on a connection whose transaction is somebody else's, without reads."""
    return PostgresWork(connection, Actor("national"), None, Vocabularies(connection))


@dataclass
class Material:
    """See the port."""

    memberships: list[MembershipPeriod] = field(default_factory=list)
    successions: list[Succession] = field(default_factory=list)
    years: list[int] = field(default_factory=list)
    counted_on: dict[str, date] = field(default_factory=dict)


class PostgresCodes:
    """See the port."""

    def __init__(self, connection: Connection, vocabularies: Vocabularies) -> None:
        self._connection = connection
        self._vocabularies = vocabularies

    async def unknown_regions(self, codes: Collection[str]) -> set[str]:
        """Codes that no region ever had."""
        rows = await self._connection.fetch("select code from region where code = any($1::text[])", list(codes))
        return set(codes) - {row["code"] for row in rows}

    async def unknown_terms(self, vocabulary: str, codes: Collection[str]) -> set[str]:
        """Codes that the vocabulary does not have."""
        return set(codes) - set((await self.known((), codes)).terms.get(vocabulary, ()))

    async def regions_on(self, codes: Collection[str], day: date) -> dict[str, str]:
        """Code → scheme of those that exist on the day."""
        return (await self.known(codes)).on(day, codes)

    async def known(self, regions: Collection[str], terms: Collection[str] = ()) -> Vocabulary:
        """See the port."""
        kept = await self._vocabularies.now()
        codes = set(terms).difference(*kept.terms.values())
        return await self._vocabularies.anew() if codes or not kept.regions.keys() >= set(regions) else kept

    async def material(self, areas: Sequence[Area]) -> Material:
        """See the port."""
        named = sorted({code for area in areas for code in area.regions})
        rows = await self._connection.fetch(
            """select m.scheme, g.code as municipality, r.code as region, m.share, m.population, m.valid_from, m.valid_to
            from membership m join region r on r.id = m.region_id join region g on g.id = m.municipality_id
            where m.scheme = 'gemeente' or r.code = any($1::text[])""",
            named,
        )
        changes = await self._connection.fetch(
            """select s.on_date, p.code, s.predecessor_name, n.code, s.successor_name, s.change
            from succession s join region p on p.id = s.predecessor_id join region n on n.id = s.successor_id
            where n.scheme = 'gemeente'"""
        )
        years = await self._connection.fetch("select year from edition where scheme = 'participatiehub'")
        dates = await self._connection.fetch(
            """select code, max(population_date) as counted_on from region_period
            where scheme = 'gemeente' and population_date is not null group by code"""
        )
        return Material(
            [MembershipPeriod(*row.values()) for row in rows],
            [Succession(*row.values()) for row in changes],
            [row["year"] for row in years],
            {row["code"]: row["counted_on"] for row in dates},
        )
