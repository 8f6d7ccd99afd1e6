"""What the use cases of questions ask of storage."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from app.domain.access import Actor

if TYPE_CHECKING:
    from app.domain.question_push import Write
    from app.domain.question_rules import Known
    from app.domain.questions import Question


class PushedQuestions(Protocol):
    """Questions that a hub leads by its own ids, many at a time."""

    async def locked(self, external_ids: Collection[str]) -> dict[str, Question]:
        """Those that are there, led by the actor's own hub. Whoever pushes one of these ids, there or not, waits."""
        ...

    async def write(self, writes: Sequence[Write], actor: Actor) -> None:
        """Carries them all out, with their history."""
        ...


class Questions(Protocol):
    async def get(self, question_id: UUID) -> Question | None:
        """Locks a question of the actor's own hub; None for any other."""
        ...

    async def seen(self, question_id: UUID) -> Question | None:
        """As it is, when this actor may see it; not locked."""
        ...

    async def add(self, question: Question) -> None: ...

    async def change(self, question: Question) -> None:
        """Writes it as the next version. Who takes part stays: see `regroup`."""
        ...

    async def regroup(self, question: Question) -> bool:
        """Writes its hubs and those invited as the next version. False when it was changed by somebody meanwhile."""
        ...

    async def remove(self, question_id: UUID) -> None: ...

    async def link(self, question_id: UUID, signal_id: UUID) -> bool:
        """False when they were linked already."""
        ...

    async def unlink(self, question_id: UUID, signal_id: UUID) -> bool:
        """False when they were not linked."""
        ...

    async def record(
        self, question: Question, actor: Actor, action: str, changes: Mapping[str, Any], note: str | None = None
    ) -> None:
        """A line of history for this version."""
        ...

    async def known(self) -> Known:
        """The reference data that questions are checked by."""
        ...
