"""The life of a signal: which step may follow which, what a change of it sets back, and when others hear of it anew."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.domain.errors import Conflict
from app.domain.signal_rules import TRANSITIONS

if TYPE_CHECKING:
    from app.domain.signals import Signal

ENDED = ("closed", "withdrawn")
# What others have read: a change of it asks for verification anew.
VERIFIED_TEXT = ("title", "description")


def check_open(status: str) -> None:
    """Raises `Conflict` for a signal that has ended."""
    if status in ENDED:
        raise Conflict(f"A {status} signal does not change any more.", code="signal-ended")


def reworded(present: Signal, changed: Signal) -> Signal:
    """The changed signal: submitted again where a verified one got new words."""
    if present.status == "verified" and any(getattr(changed, name) != getattr(present, name) for name in VERIFIED_TEXT):
        return replace(changed, status="submitted")
    return changed


def opened(present: Signal, changed: Signal) -> bool:
    """Whether a signal that stays verified is for others now: it was the hub's own, or it concerns other fields."""
    if changed.status != "verified" or changed.visibility == "hub":
        return False
    return present.visibility == "hub" or changed.concerned != present.concerned


def check_step(status: str, to: str) -> None:
    """Raises `Conflict`, with the steps that are allowed."""
    allowed = TRANSITIONS[status]
    if to not in allowed:
        options = ", ".join(allowed) or "none"
        raise Conflict(
            f"A {status} signal cannot become {to}. Allowed from here: {options}.",
            code="transition-not-allowed",
            allowed=list(allowed),
        )


def check_response(there: bool) -> None:
    """Raises `Conflict` when nothing was done yet with a signal that is to be closed."""
    if not there:
        raise Conflict(
            "A signal is closed when something was done with it: record a follow-up first, or wait for an answer.",
            code="follow-up-needed",
        )
