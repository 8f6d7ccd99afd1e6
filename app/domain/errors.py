"""What can go wrong, in the words of the domain. No HTTP status here: `app/api/problems.py` has that table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the input.

    `where` is the part of the request (`query`, `path`, `body`, `header`, `variables`), `location` the field in it
    (`asOf`, `area.regions[2]`), `code` a stable word for programs, `detail` a sentence for people.
    The refused value is never part of it.
    """

    where: str
    location: str
    code: str
    detail: str


class DomainError(Exception):
    """A refusal that the caller can understand. `code` is stable; `extra` adds members to the answer."""

    code = "error"

    def __init__(self, detail: str, *, code: str | None = None, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        if code is not None:
            self.code = code
        self.extra = extra


class Invalid(DomainError):
    """The input is wrong; `faults` holds every fault that was found, not the first one only."""

    code = "invalid-input"

    def __init__(self, faults: Sequence[Fault], detail: str | None = None, *, code: str | None = None) -> None:
        super().__init__(detail or _summary(faults), code=code)
        self.faults = tuple(faults)


class NotFound(DomainError):
    """It does not exist, or this actor may not see it: the two look the same on purpose."""

    code = "not-found"


class Gone(DomainError):
    """It was there and is no more; `extra` says how to go on."""

    code = "gone"


class Unauthenticated(DomainError):
    """A token was given and it is wrong, expired or revoked; or the action needs one."""

    code = "unauthenticated"


class Forbidden(DomainError):
    """The actor may see the resource but not do this to it."""

    code = "forbidden"


class Conflict(DomainError):
    """The action does not fit the present state."""

    code = "conflict"


class Stale(DomainError):
    """The resource has changed since the version that the caller saw. `current` is its version now."""

    code = "stale-version"

    def __init__(self, detail: str, *, current: int) -> None:
        super().__init__(detail)
        self.current = current


class VersionRequired(DomainError):
    """A change must say which version it is based on."""

    code = "version-required"


class KeyReused(DomainError):
    """The idempotency key was used before, with other content."""

    code = "idempotency-key-reused"


class TooLarge(DomainError):
    """The input passes a limit of size."""

    code = "too-large"


class TooMany(DomainError):
    """Asked too often; `seconds` says how long to wait."""

    code = "rate-limited"

    def __init__(self, detail: str, *, seconds: int) -> None:
        super().__init__(detail, retryAfter=seconds)
        self.seconds = seconds


class Unavailable(DomainError):
    """The service cannot answer now and may later: the database is away, or not of this release."""

    code = "unavailable"


@dataclass(slots=True)
class Faults:
    """Collects faults, so that one answer names them all."""

    found: list[Fault] = field(default_factory=list)

    def add(self, where: str, location: str, code: str, detail: str) -> None:
        self.found.append(Fault(where, location, code, detail))

    def raise_if_any(self) -> None:
        """Raises `Invalid` with every fault collected so far."""
        if self.found:
            raise Invalid(self.found)


def _summary(faults: Sequence[Fault]) -> str:
    if len(faults) == 1:
        return faults[0].detail
    return f"{len(faults)} things are wrong with this request; see errors."
