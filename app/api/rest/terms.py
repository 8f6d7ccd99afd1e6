"""Reference data: workfields, umbrellas, themes, the ladder, roles, phases, methods, groups, channels."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from app.api.rest.answers import PageQuery, page
from app.api.rest.contract import Collection, Reference, responses
from app.api.rest.doors import Ask, Door

router = APIRouter(prefix="/v1", tags=["Reference data"], route_class=Door)


class TermReference(Reference):
    """A term of a vocabulary, named in the language asked for."""

    code: str
    label: str


class Term(TermReference):
    description: str


class Umbrella(Term):
    workfield: TermReference


class SubTheme(Term):
    workfields: list[TermReference]


class Theme(SubTheme):
    """A main theme. `workfields` are routing hints; none means that other themes, or nothing, decide."""

    children: list[SubTheme]


class Level(Term):
    """A rung of the participation ladder; `rank` 1 is the lowest."""

    rank: int
    example: str
    nearest_role: TermReference | None


class Ranked(Term):
    rank: int


class Rung(Term):
    """A rung of another ladder, and the national level that it comes to."""

    rank: int
    level: TermReference


class Ladder(Term):
    """A ladder that hubs may use. The rungs of the national one are the participation levels."""

    rungs: list[Rung]


class Condition(Term):
    """What the programme (`zonmw`) or the advice report (`advies`) asks of every hub; `description` is the indicator."""

    framework: str
    mode: str = Field(description="`computed` from questions and signals, or `asked`.")


class Group(Term):
    """A group of participants. `side`: resident, user or relative."""

    side: str | None
    organised: bool | None
    under_represented: bool | None
    workfield: TermReference | None


TERM = "code label description"
UMBRELLA = "code label description workfield { code label }"
THEME = "code label description workfields { code label } children { code label description workfields { code label } }"
LEVEL = "code rank label description example nearestRole { code label }"
RANKED = "code rank label description"
RUNG = "code rank label description level { code label }"
LADDER = f"code label description rungs {{ {RUNG} }}"
CONDITION = "code label description framework mode"
GROUP = "code label description side organised underRepresented workfield { code label }"


@router.get("/workfields", summary="List workfields", responses=responses(Collection[Term]))
async def list_workfields(asking: Ask, query: Annotated[PageQuery, Query()]) -> Response:
    return await page(asking, "workfield", TERM, query, {})


@router.get("/umbrellas", summary="List umbrella organisations", responses=responses(Collection[Umbrella]))
async def list_umbrellas(asking: Ask, query: Annotated[PageQuery, Query()]) -> Response:
    return await page(asking, "umbrella", UMBRELLA, query, {})


@router.get(
    "/themes",
    summary="List themes",
    description="The national taxonomy: main themes with their children.",
    responses=responses(Collection[Theme]),
)
async def list_themes(asking: Ask, query: Annotated[PageQuery, Query()]) -> Response:
    return await page(asking, "theme", THEME, query, {"parent": ""})


@router.get("/participation-levels", summary="List the rungs of the ladder", responses=responses(Collection[Level]))
async def list_levels(asking: Ask, query: Annotated[PageQuery, Query()]) -> Response:
    return await page(asking, "participation-level", LEVEL, query, {})


@router.get("/participation-roles", summary="List participation roles", responses=responses(Collection[Ranked]))
async def list_roles(asking: Ask, query: Annotated[PageQuery, Query()]) -> Response:
    return await page(asking, "participation-role", RANKED, query, {})


@router.get("/participation-phases", summary="List the phases of the matrix", responses=responses(Collection[Ranked]))
async def list_phases(asking: Ask, query: Annotated[PageQuery, Query()]) -> Response:
    return await page(asking, "participation-phase", RANKED, query, {})


@router.get("/participation-methods", summary="List participation methods", responses=responses(Collection[Term]))
async def list_methods(asking: Ask, query: Annotated[PageQuery, Query()]) -> Response:
    return await page(asking, "participation-method", TERM, query, {})


@router.get(
    "/participation-ladders",
    summary="List participation ladders",
    description="The national one, and those that hubs may use in its place, with the level that each rung comes to.",
    responses=responses(Collection[Ladder]),
)
async def list_ladders(asking: Ask, query: Annotated[PageQuery, Query()]) -> Response:
    return await page(asking, "participation-ladder", LADDER, query, {})


@router.get(
    "/participation-conditions",
    summary="List what is asked of every hub",
    responses=responses(Collection[Condition]),
)
async def list_conditions(asking: Ask, query: Annotated[PageQuery, Query()]) -> Response:
    return await page(asking, "participation-condition", CONDITION, query, {})


@router.get("/participant-groups", summary="List participant groups", responses=responses(Collection[Group]))
async def list_groups(asking: Ask, query: Annotated[PageQuery, Query()]) -> Response:
    return await page(asking, "participant-group", GROUP, query, {})


@router.get("/channels", summary="List the channels of signals", responses=responses(Collection[Term]))
async def list_channels(asking: Ask, query: Annotated[PageQuery, Query()]) -> Response:
    return await page(asking, "channel", TERM, query, {})
