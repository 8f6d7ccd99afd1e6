"""A version guards every change: what the caller saw must be what is there."""

from __future__ import annotations

from app.domain.errors import Stale, VersionRequired

ANY_VERSION = -1
"""What `If-Match: *` means: whatever version is there."""


def check_version(given: int | None, present: int) -> None:
    """Raises `VersionRequired` without a version, `Stale` with another one than the present."""
    if given is None:
        raise VersionRequired("Say which version you change: send its ETag in If-Match (GraphQL: `version`).")
    if given not in (ANY_VERSION, present):
        raise Stale(f"It is at version {present} now. Read it again and repeat your change on that.", current=present)
