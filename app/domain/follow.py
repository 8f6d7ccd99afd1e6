"""Follow codes: with one, the person who spoke up reads how his signal stands, without an account."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from app.domain.access import Actor
from app.domain.errors import Forbidden, NotFound, TooMany
from app.domain.reading import Language
from app.domain.work import Work

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's: 32 characters, none of which is taken for another when a code is read aloud or copied by hand."""
LENGTH = 28
"""Characters of a code: 140 random bits, in seven groups of four."""
_ALIKE = str.maketrans({"o": "0", "i": "1", "l": "1", "-": None, " ": None})

# In plain words, for people who never heard of forwardings: (Dutch, English).
LABELS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "status": {
        "draft": ("Ontvangen", "Received"),
        "submitted": ("Wordt bekeken door de hub", "Being looked at by the hub"),
        "verified": ("Bevestigd door de hub", "Confirmed by the hub"),
        "closed": ("Afgerond", "Finished"),
        "withdrawn": ("Ingetrokken", "Withdrawn"),
    },
    "state": {
        "forwarded": ("Doorgestuurd", "Passed on"),
        "acknowledged": ("Ontvangst bevestigd", "Receipt confirmed"),
        "on-agenda": ("Op de agenda", "On the agenda"),
        "answered": ("Beantwoord", "Answered"),
        "declined": ("Niet opgepakt", "Not taken up"),
    },
    "matter": {
        "open": ("Gebundeld", "Gathered"),
        "in-progress": ("In behandeling", "Being dealt with"),
        "answered": ("Beantwoord", "Answered"),
        "closed": ("Afgerond", "Finished"),
    },
    "kind": {
        "meeting": ("Gesprek", "Meeting"),
        "training": ("Training", "Training"),
        "question": ("Participatievraag", "Question for participation"),
        "advice": ("Advies", "Advice"),
        "none": ("Geen vervolg", "No further steps"),
    },
}
NOT_THERE = "There is no signal with this follow code. Check it, or ask your hub for a new one."


@dataclass(frozen=True, slots=True)
class Look:
    """What one look gave: the state of the signal, or the seconds to wait when there were too many looks. Neither: no
    signal has this code."""

    state: Mapping[str, Any] | None
    wait: int | None


class FollowCodes(Protocol):
    """The port that keeps codes: their hashes alone."""

    async def put(self, signal_id: UUID, digest: bytes) -> None:
        """Makes this the one code of a signal of the actor's own hub; an earlier one opens nothing any more."""
        ...


class Following(Protocol):
    """The port that looks. Wrong or right, it is one statement, and it counts."""

    async def look(self, digest: bytes, address: str) -> Look: ...


def new_code() -> str:
    """A new code, as it is shown once."""
    drawn = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return "-".join(drawn[start : start + 4] for start in range(0, LENGTH, 4))


def digest(code: str) -> bytes:
    """What is kept of a code. A plain hash: nobody guesses 140 random bits. Case, spaces and look-alikes do not matter."""
    return hashlib.sha256(code.lower().translate(_ALIKE).encode("utf-8", "replace")).digest()


async def issue_code(work: Work, actor: Actor, signal_id: UUID) -> str:
    """A new follow code for a signal of the actor's own hub; the one before opens nothing any more.

    It is no part of the signal: its version stays. Raises `NotFound`, `Forbidden`.
    """
    seen = await work.signals.seen(signal_id)
    if seen is None:
        raise NotFound("There is no signal with this id, or it is not yours to see.")
    if actor.role != "hub" or actor.hub != seen.hub:
        raise Forbidden("A follow code is given out by the hub of the signal.")
    code = new_code()
    await work.follow_codes.put(signal_id, digest(code))
    return code


async def follow_signal(following: Following, code: str, address: str, language: Language) -> dict[str, Any]:
    """How the signal with this code stands, for the one who has it.

    No title and no description: the person knows what he said, and whoever finds the code learns nothing of it. Raises
    `NotFound`, `TooMany`.
    """
    found = await following.look(digest(code), address)
    if found.wait is not None:
        raise TooMany(f"Too many looks with follow codes. Wait {found.wait} seconds.", seconds=found.wait)
    if found.state is None:
        raise NotFound(NOT_THERE)
    return {name: _named(name, value, language) for name, value in found.state.items()}


def _in_words(content: Any, language: Language) -> Any:
    """Codes with their labels in the language asked for, at every depth."""
    if isinstance(content, list):
        return [_in_words(item, language) for item in content]
    if not isinstance(content, dict):
        return content
    if content.keys() == {"code", "nl", "en"}:
        return {"code": content["code"], "label": content[language]}
    return {name: _named(name, value, language) for name, value in content.items()}


def _named(name: str, value: Any, language: Language) -> Any:
    labels = LABELS.get(name)
    if labels is None or not isinstance(value, str):
        return _in_words(value, language)
    dutch, english = labels.get(value, (value, value))
    return {"code": value, "label": dutch if language == "nl" else english}
