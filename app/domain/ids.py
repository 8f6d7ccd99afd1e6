"""Ids for what is made here."""

from __future__ import annotations

from uuid import UUID

import uuid_utils


def new_id() -> UUID:
    """A UUID of version 7: sorts by time, and says no more than that."""
    return UUID(bytes=uuid_utils.uuid7().bytes)
