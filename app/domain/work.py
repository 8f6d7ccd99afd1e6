"""The unit of work: one transaction, opened by the door, in which a use case reads and writes through ports."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from app.domain.periods import MembershipPeriod, RegionPeriod
from app.domain.reading import Answer, Language, Selection
from app.domain.reference import Area, Succession

if TYPE_CHECKING:
    from app.domain.bundles import Bundles
    from app.domain.follow import FollowCodes
    from app.domain.hubs import Hub, Member
    from app.domain.organisations import Organisation
    from app.domain.question_ports import PushedQuestions, Questions
    from app.domain.signal_ports import PushedSignals, Signals
    from app.domain.vocabulary import Vocabulary


class Organisations(Protocol):
    async def find(self, organisation_id: UUID) -> Organisation | None:
        """As it is at this moment, not locked: to see whose it is."""
        ...

    async def get(self, organisation_id: UUID) -> Organisation | None:
        """Locks the row: the first step of a change. None too when the actor may not change it."""
        ...

    async def add(self, organisation: Organisation) -> None: ...

    async def change(self, organisation: Organisation) -> None:
        """Writes it as the next version."""
        ...

    async def unknown(self, ids: Collection[UUID]) -> set[UUID]: ...


class Hubs(Protocol):
    async def exists(self, slug: str) -> bool: ...

    async def get(self, slug: str) -> Hub | None:
        """Locks the row: the first step of a change. None too when the actor may not change it."""
        ...

    async def add(self, hub: Hub) -> None: ...

    async def change(self, hub: Hub) -> None:
        """Writes it as the next version."""
        ...

    async def next_area_code(self) -> str:
        """A code of the scheme `participatiehub` that was never used."""
        ...

    async def put_area(
        self, hub: Hub, periods: Sequence[RegionPeriod], memberships: Sequence[MembershipPeriod]
    ) -> None:
        """Replaces what the hub's areas come to."""
        ...

    async def put_member(self, slug: str, member: Member) -> bool:
        """True when it is a new member."""
        ...

    async def remove_member(self, slug: str, organisation_id: UUID) -> bool:
        """False when it was none."""
        ...


class Codes(Protocol):
    """What codes lead to, for checking input."""

    async def unknown_regions(self, codes: Collection[str]) -> set[str]: ...

    async def unknown_terms(self, vocabulary: str, codes: Collection[str]) -> set[str]: ...

    async def regions_on(self, codes: Collection[str], day: date) -> dict[str, str]:
        """Code → scheme of those that exist on the day."""
        ...

    async def known(self, regions: Collection[str], terms: Collection[str] = ()) -> Vocabulary:
        """All that there is to name; looked up anew when what is kept does not know these."""
        ...

    async def material(self, areas: Sequence[Area]) -> Material:
        """All that is needed to work out these areas."""
        ...


class Material(Protocol):
    """Memberships of all municipalities and of the regions that an area names; see `areas.area_history`."""

    @property
    def memberships(self) -> Sequence[MembershipPeriod]: ...

    @property
    def successions(self) -> Sequence[Succession]: ...

    @property
    def years(self) -> Sequence[int]: ...

    @property
    def counted_on(self) -> dict[str, date]: ...


class Work(Protocol):
    """One transaction. Leaving it cleanly commits, an exception undoes everything."""

    @property
    def hubs(self) -> Hubs: ...

    @property
    def organisations(self) -> Organisations: ...

    @property
    def signals(self) -> Signals: ...

    @property
    def pushed_signals(self) -> PushedSignals: ...

    @property
    def questions(self) -> Questions: ...

    @property
    def bundles(self) -> Bundles: ...

    @property
    def follow_codes(self) -> FollowCodes: ...

    @property
    def pushed_questions(self) -> PushedQuestions: ...

    @property
    def codes(self) -> Codes: ...

    async def read(self, selection: Selection, language: Language) -> Answer:
        """Reads within the transaction: what the change made of the resource."""
        ...

    async def conclude(self, selection: Selection, language: Language) -> Answer:
        """Reads as the last act of this work: it may be committed with it, and nothing may follow."""
        ...

    async def recall(self, client: str, key: str, fingerprint: bytes) -> dict[str, Any] | None:
        """The answer given to this idempotency key before, None the first time.

        Raises `KeyReused` when the content differs, `Conflict` while another request with it is still running.
        """
        ...

    async def remember(self, client: str, key: str, fingerprint: bytes, answer: dict[str, Any]) -> None:
        """Keeps the answer, in the same transaction as the change."""
        ...
