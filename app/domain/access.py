"""Who is asking, and what they may do. Policies are pure functions; every door calls them in the use cases."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["anonymous", "hub", "umbrella", "national", "admin"]


@dataclass(slots=True, eq=False)
class Proof:
    """What shows that an actor is who it is: the hash of its token. `holds` as soon as the database has said so within
    this request; until then the actor is who it was a moment ago, and nothing may be told to it."""

    token: bytes
    holds: bool = False


@dataclass(frozen=True, slots=True)
class Actor:
    """The one who asks. `hub` is the slug of a hub actor, `umbrella` the code of an umbrella actor.

    `client` is the id of the API client behind the token, None for anonymous readers. Without a `proof` it needs none:
    anonymous, or proven at the door.
    """

    role: Role = "anonymous"
    hub: str | None = None
    umbrella: str | None = None
    client: str | None = None
    proof: Proof | None = field(default=None, compare=False, repr=False)

    def hold(self) -> None:
        """Its proof holds: a statement in its name went well, which fails when it does not."""
        if self.proof is not None:
            self.proof.holds = True


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


@dataclass(frozen=True, slots=True)
class Shared:
    """What decides who reads a signal: whose it is, how it is shared, how far it came, who it was forwarded to."""

    hub: str
    visibility: str
    status: str
    recipients: frozenset[str] = frozenset()


def may_see_signal(actor: Actor, signal: Shared) -> bool:
    """Its own hub always; others what was verified, as far as it is shared (API.md, Actors). PostgreSQL has the same
    rule in `signal_audience` and its policies; a test compares the two."""
    if actor.role == "hub" and actor.hub == signal.hub:
        return True
    if signal.status not in ("verified", "closed") or signal.visibility == "hub":
        return False
    if signal.visibility == "public" or actor.role in ("hub", "national"):
        return True
    return actor.role == "umbrella" and actor.umbrella in signal.recipients


def may_see_forwarding(actor: Actor, signal: Shared, umbrella: str) -> bool:
    """With a public signal everybody; of a network signal its hub, the national coordination and that umbrella."""
    if not may_see_signal(actor, signal):
        return False
    own = actor.role == "hub" and actor.hub == signal.hub
    return own or signal.visibility == "public" or actor.role == "national" or actor.umbrella == umbrella


def may_see_follow_up(actor: Actor, signal: Shared, *, public: bool) -> bool:
    """Its hub; others what the hub made public, of what they may see."""
    own = actor.role == "hub" and actor.hub == signal.hub
    return own or (public and may_see_signal(actor, signal))


def may_see_history(actor: Actor, hub: str) -> bool:
    """Who changed what is for the hub itself."""
    return actor.role == "hub" and actor.hub == hub


@dataclass(frozen=True, slots=True)
class SharedQuestion:
    """What decides who reads a question: its hubs, those invited, how it is shared, whether it was ever opened, and the
    umbrellas of the workfields that it concerns."""

    hubs: frozenset[str]
    visibility: str
    opened: bool
    invited: frozenset[str] = frozenset()
    umbrellas: frozenset[str] = frozenset()


def may_see_question(actor: Actor, question: SharedQuestion) -> bool:
    """Its hubs, and those it invited; others once it was opened, as far as it is shared. PostgreSQL has the same rule in
    `question_audience` and its policies; a test compares the two."""
    if actor.role == "hub" and actor.hub in question.hubs | question.invited:
        return True
    if not question.opened or question.visibility == "hub":
        return False
    if question.visibility == "public" or actor.role in ("hub", "national"):
        return True
    return actor.role == "umbrella" and actor.umbrella in question.umbrellas


def may_change_question(actor: Actor, hubs: Collection[str]) -> bool:
    """Each of its hubs may edit a question."""
    return actor.role == "hub" and actor.hub is not None and actor.hub in hubs


def may_lead_question(actor: Actor, lead: str) -> bool:
    """The hub that leads invites others, and alone may take the question away."""
    return actor.role == "hub" and actor.hub == lead
