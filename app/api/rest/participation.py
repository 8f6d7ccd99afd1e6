"""The participation profile: promised against achieved levels, and the programme's conditions, in figures."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from app.api.rest.answers import AsOf, Strict, listing
from app.api.rest.contract import Collection, Reference, responses
from app.api.rest.doors import Ask, Door
from app.api.rest.hubs import HubReference
from app.api.rest.regions import RegionReference
from app.api.rest.terms import TermReference
from app.domain.participation import NOUN, GroupBy, Period, Unit

Month = Annotated[str | None, Field(max_length=10, examples=["2026-03"])]
router = APIRouter(prefix="/v1", tags=["Questions"], route_class=Door)

LEVEL_FIGURES = "level { code label } intended agreed achieved"
CONDITION_FIGURE = "code label unit value reason"
CONDITION_FIGURES = f"code label framework count of share figures {{ {CONDITION_FIGURE} }}"
FIGURES = (
    "hub { slug name } region { code scheme name } workfield { code label } crossCutting theme { code label } period "
    f"questionCount concludedCount levels {{ {LEVEL_FIGURES} }} asPromised lessThanPromised moreThanPromised shareToldBack "
    f"shareBalanced shareCompensated shareFromLifeWorld conditions {{ {CONDITION_FIGURES} }} protected"
)


class LevelFigures(Reference):
    """How many questions had this level."""

    level: TermReference
    intended: int
    agreed: int
    achieved: int


class ConditionFigure(Reference):
    """A figure of a condition besides its share. Where `value` is null, `reason` says why."""

    code: str
    label: str
    unit: Unit
    value: float | None
    reason: str | None


class ConditionFigures(Reference):
    """A condition of the programme: `count` of the questions (or cells of their matrix) meet it, out of those that could.
    Both are null for a condition that has figures alone."""

    code: str
    label: str
    framework: str
    count: int | None
    of: int | None
    share: float | None
    figures: list[ConditionFigure]


class ParticipationFigures(Reference):
    """Questions that were opened and not cancelled, as far as you may see them. Shares are null where there is nothing to
    have a share of."""

    hub: HubReference | None
    region: RegionReference | None
    workfield: TermReference | None
    cross_cutting: bool = Field(description="Of groupBy=workfield: the row of questions that name no field.")
    theme: TermReference | None
    period: str | None = Field(description="`2026-03`, `2026-Q1` or `2026`, by the day of opening.")
    question_count: int
    concluded_count: int
    levels: list[LevelFigures]
    as_promised: int
    less_than_promised: int
    more_than_promised: int
    share_told_back: float | None
    share_balanced: float | None
    share_compensated: float | None
    share_from_life_world: float | None
    conditions: list[ConditionFigures]
    protected: bool = Field(description="Questions shared in the network alone are left out: you may not see them.")


class ProfileQuery(Strict):
    groupBy: Annotated[GroupBy, Field(description="Grouped by what; `all` is one row.")] = "all"
    scheme: Annotated[str | None, Field(max_length=40, description="Of groupBy=region: which regions.")] = None
    period: Annotated[Period | None, Field(description="Of groupBy=period: how long; a month by default.")] = None
    first: Annotated[Month, Field(alias="from", description="Opened in this month (`2026-03`) or later.")] = None
    last: Annotated[Month, Field(alias="to", description="Opened in this month or earlier.")] = None
    as_of: AsOf = None


@router.get(
    "/participation-profile",
    summary="Read the participation profile",
    description="What was promised and what was achieved, whether it was told back, the mix balanced and participants "
    "compensated, and the conditions of the programme that can be computed. A question of several hubs, themes, workfields "
    "or regions counts in each of them, and once in `all`. Public questions are counted exactly; those of the network only "
    "for readers who may see them.",
    responses=responses(Collection[ParticipationFigures]),
)
async def read_profile(asking: Ask, query: Annotated[ProfileQuery, Query()]) -> Response:
    filters = {
        "groupBy": query.groupBy,
        "scheme": query.scheme,
        "period": query.period,
        "since": query.first,
        "until": query.last,
    }
    return await listing(asking, NOUN, FIGURES, filters, query.as_of)
