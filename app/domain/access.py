"""Who is asking, and what they may do. Policies are pure functions; every door calls them in the use cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["anonymous", "hub", "umbrella", "national", "admin"]


@dataclass(frozen=True, slots=True)
class Actor:
    """The one who asks. `hub` is the slug of a hub actor, `umbrella` the code of an umbrella actor.

    `client` is the id of the API client behind the token, None for anonymous readers.
    """

    role: Role = "anonymous"
    hub: str | None = None
    umbrella: str | None = None
    client: str | None = None


ANONYMOUS = Actor()


def may_change_network(actor: Actor) -> bool:
    """Hubs themselves (create, rename, area) and reference data: the national coordination alone."""
    return actor.role == "national"


def may_change_hub(actor: Actor, slug: str) -> bool:
    """A hub's own page, area and members: that hub, and the national coordination."""
    return actor.role == "national" or (actor.role == "hub" and actor.hub == slug)


def may_change_organisations(actor: Actor) -> bool:
    """The directory of organisations: any hub may add to it, and the national coordination."""
    return actor.role in ("hub", "national")


def may_change_organisation(actor: Actor, created_by_hub: str | None) -> bool:
    """One organisation: the hub that added it, and the national coordination."""
    return actor.role == "national" or (actor.role == "hub" and actor.hub is not None and actor.hub == created_by_hub)
