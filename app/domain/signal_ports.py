"""What the use cases of signals ask of storage."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from app.domain.access import Actor
from app.domain.routing import Umbrella

if TYPE_CHECKING:
    from app.domain.signal_push import Write
    from app.domain.signals import FollowUp, Signal


@dataclass(frozen=True, slots=True)
class Desk:
    """A signal on the desk of an umbrella: the version of the signal, and what the umbrella said so far."""

    version: int
    state: str
    response: str | None


class Routing(Protocol):
    """Theme → workfields that it hints at, and all workfields in order."""

    @property
    def hints(self) -> Mapping[str, Sequence[str]]: ...

    @property
    def workfields(self) -> Sequence[str]: ...


class Signals(Protocol):
    async def get(self, signal_id: UUID) -> Signal | None:
        """Locks the row of the actor's own hub; None for any other."""
        ...

    async def seen(self, signal_id: UUID) -> Signal | None:
        """As much of it as this actor may see, not locked for change by others."""
        ...

    async def add(self, signal: Signal) -> None: ...

    async def change(self, signal: Signal, *, recipients: Sequence[str] | None = None, verified: bool = False) -> None:
        """Writes it as the next version; with `recipients` for these umbrellas and those that answered before."""
        ...

    async def remove(self, signal_id: UUID) -> None: ...

    async def forward(self, signal_id: UUID, umbrellas: Sequence[str], by: date, reason: str | None) -> None:
        """Makes these the umbrellas that hear of it, with a new term; those that answered before stay as they are."""
        ...

    async def rerouted(self, signal_id: UUID) -> bool:
        """Whether the hub chose the umbrellas itself."""
        ...

    async def desk(self, signal_id: UUID) -> Desk | None:
        """Locks the signal for an answer of the acting umbrella; None when it was not forwarded there."""
        ...

    async def answer(self, signal_id: UUID, umbrella: str, state: str, response: str | None) -> None: ...

    async def add_follow_up(self, signal_id: UUID, item: FollowUp) -> None: ...

    async def has_response(self, signal_id: UUID) -> bool:
        """Whether there is a follow-up, or an answer of an umbrella."""
        ...

    async def record(
        self, signal: Signal, actor: Actor, action: str, changes: Mapping[str, Any], note: str | None = None
    ) -> None:
        """A line of history for this version."""
        ...

    async def umbrellas(self) -> Sequence[Umbrella]: ...

    async def routing(self) -> Routing: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of signals beyond themselves: those with a follow-up or an answer, those that the hub rerouted."""

    responded: Collection[UUID]
    rerouted: Collection[UUID]


class PushedSignals(Protocol):
    """A hub's signals by its own ids, many at a time: a few statements for one as for a thousand."""

    async def locked(self, external_ids: Collection[str]) -> dict[str, Signal]:
        """Those that are there, of the actor's own hub. Whoever pushes one of these ids, there or not, waits."""
        ...

    async def standing(self, ids: Collection[UUID]) -> Standing: ...

    async def write(self, writes: Sequence[Write], actor: Actor, by: date) -> None:
        """Carries them all out, with their history; what is forwarded is to be responded to by that day."""
        ...
