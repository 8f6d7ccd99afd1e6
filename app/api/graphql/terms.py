"""Vocabularies as node types and root fields."""

from __future__ import annotations

import strawberry
from strawberry import Info

from app.api.graphql.connections import Connection, answered
from app.api.graphql.selecting import Projected


@strawberry.type(description="A term of a vocabulary, named in the language asked for.")
class Term:
    code: str
    label: str
    description: str


@strawberry.type
class Workfield(Term): ...


@strawberry.type
class Umbrella(Term):
    workfield: Workfield


@strawberry.type(description="A theme of the national taxonomy. `workfields` are routing hints.")
class Theme(Term):
    basis: str | None
    workfields: list[Workfield]
    children: list[Theme]
    parent: Theme | None


@strawberry.type
class ParticipationRole(Term):
    rank: int


@strawberry.type
class ParticipationPhase(Term):
    rank: int


@strawberry.type(description="A rung of the participation ladder; rank 1 is the lowest.")
class ParticipationLevel(Term):
    rank: int
    example: str
    nearest_role: ParticipationRole | None


@strawberry.type
class ParticipationMethod(Term): ...


@strawberry.type(description="A rung of another ladder, and the national level that it comes to.")
class ParticipationRung(Term):
    rank: int
    level: ParticipationLevel


@strawberry.type(description="A ladder that hubs may use. The rungs of the national one are the participation levels.")
class ParticipationLadder(Term):
    rungs: list[ParticipationRung]


@strawberry.type(description="What is asked of every hub. `mode`: computed from questions and signals, or asked.")
class ParticipationCondition(Term):
    framework: str
    mode: str


@strawberry.type(description="`side` is resident, user or relative.")
class ParticipantGroup(Term):
    side: str | None
    organised: bool | None
    under_represented: bool | None
    workfield: Workfield | None


@strawberry.type
class Channel(Term): ...


PROJECTED = {
    "workfields": Projected("workfield", "connection"),
    "umbrellas": Projected("umbrella", "connection"),
    "themes": Projected("theme", "connection", {"parent": "parent"}),
    "participationLevels": Projected("participation-level", "connection"),
    "participationRoles": Projected("participation-role", "connection"),
    "participationPhases": Projected("participation-phase", "connection"),
    "participationMethods": Projected("participation-method", "connection"),
    "participationLadders": Projected("participation-ladder", "connection"),
    "participationConditions": Projected("participation-condition", "connection"),
    "participantGroups": Projected("participant-group", "connection"),
    "channels": Projected("channel", "connection"),
}


@strawberry.type
class TermQuery:
    """The root fields of the vocabularies."""

    @strawberry.field(description="Workfields, the three fields of work.")
    async def workfields(self, info: Info, first: int = 50, after: str | None = None) -> Connection[Workfield]:
        return await answered(info, PROJECTED["workfields"])

    @strawberry.field(description="Umbrella organisations.")
    async def umbrellas(self, info: Info, first: int = 50, after: str | None = None) -> Connection[Umbrella]:
        return await answered(info, PROJECTED["umbrellas"])

    @strawberry.field(description="Themes: the main ones, or the children of `parent`.")
    async def themes(
        self, info: Info, first: int = 50, after: str | None = None, parent: str = ""
    ) -> Connection[Theme]:
        return await answered(info, PROJECTED["themes"])

    @strawberry.field(description="The rungs of the ladder.")
    async def participation_levels(
        self, info: Info, first: int = 50, after: str | None = None
    ) -> Connection[ParticipationLevel]:
        return await answered(info, PROJECTED["participationLevels"])

    @strawberry.field(description="The columns of the matrix.")
    async def participation_roles(
        self, info: Info, first: int = 50, after: str | None = None
    ) -> Connection[ParticipationRole]:
        return await answered(info, PROJECTED["participationRoles"])

    @strawberry.field(description="The rows of the matrix.")
    async def participation_phases(
        self, info: Info, first: int = 50, after: str | None = None
    ) -> Connection[ParticipationPhase]:
        return await answered(info, PROJECTED["participationPhases"])

    @strawberry.field(description="Methods of participation.")
    async def participation_methods(
        self, info: Info, first: int = 50, after: str | None = None
    ) -> Connection[ParticipationMethod]:
        return await answered(info, PROJECTED["participationMethods"])

    @strawberry.field(description="Ladders, with the national level that each rung comes to.")
    async def participation_ladders(
        self, info: Info, first: int = 50, after: str | None = None
    ) -> Connection[ParticipationLadder]:
        return await answered(info, PROJECTED["participationLadders"])

    @strawberry.field(description="What the programme and the report ask of every hub.")
    async def participation_conditions(
        self, info: Info, first: int = 50, after: str | None = None
    ) -> Connection[ParticipationCondition]:
        return await answered(info, PROJECTED["participationConditions"])

    @strawberry.field(description="Groups for the mix.")
    async def participant_groups(
        self, info: Info, first: int = 50, after: str | None = None
    ) -> Connection[ParticipantGroup]:
        return await answered(info, PROJECTED["participantGroups"])

    @strawberry.field(description="How signals are heard.")
    async def channels(self, info: Info, first: int = 50, after: str | None = None) -> Connection[Channel]:
        return await answered(info, PROJECTED["channels"])
