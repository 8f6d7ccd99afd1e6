"""The participation profile as a root field."""

from __future__ import annotations

from datetime import date
from enum import Enum
from typing import Annotated

import strawberry
from strawberry import Info

from app.api.graphql.connections import answered
from app.api.graphql.hubs import Hub
from app.api.graphql.regions import Region
from app.api.graphql.selecting import Projected
from app.api.graphql.terms import ParticipationLevel, Theme, Workfield
from app.domain.participation import NOUN


@strawberry.enum(description="By what the profile is grouped.")
class ProfileGrouping(Enum):
    ALL = "all"
    HUB = "hub"
    REGION = "region"
    WORKFIELD = "workfield"
    THEME = "theme"
    PERIOD = "period"


@strawberry.enum(description="How long a period is.")
class PeriodLength(Enum):
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@strawberry.type(description="How many questions had this level.")
class LevelFigures:
    intended: int
    agreed: int
    achieved: int
    level: ParticipationLevel


@strawberry.type(description="A figure of a condition besides its share. Where the value is null, the reason says why.")
class ConditionFigure:
    code: str
    label: str
    unit: str
    value: float | None
    reason: str | None


@strawberry.type(description="A condition of the programme: how many meet it, out of those that could.")
class ConditionFigures:
    code: str
    label: str
    framework: str
    count: int | None
    of: int | None
    share: float | None
    figures: list[ConditionFigure]


@strawberry.type(description="Questions that were opened and not cancelled, as far as you may see them.")
class ParticipationFigures:
    period: str | None
    cross_cutting: bool
    question_count: int
    concluded_count: int
    as_promised: int
    less_than_promised: int
    more_than_promised: int
    share_told_back: float | None
    share_balanced: float | None
    share_compensated: float | None
    share_from_life_world: float | None
    protected: bool
    hub: Hub | None
    region: Region | None
    workfield: Workfield | None
    theme: Theme | None
    levels: list[LevelFigures]
    conditions: list[ConditionFigures]


PROJECTED = {
    "participationProfile": Projected(
        NOUN,
        "list",
        {"groupBy": "groupBy", "scheme": "scheme", "period": "period", "from": "since", "to": "until"},
        rows=40,
    )
}


@strawberry.type
class ParticipationQuery:
    """The root field of the profile."""

    @strawberry.field(description="Promise against practice, and the conditions of the programme, in figures.")
    async def participation_profile(
        self,
        info: Info,
        group_by: ProfileGrouping = ProfileGrouping.ALL,
        scheme: str | None = None,
        period: PeriodLength | None = None,
        from_: Annotated[str | None, strawberry.argument(name="from")] = None,
        to: str | None = None,
        as_of: date | None = None,
    ) -> list[ParticipationFigures]:
        return await answered(info, PROJECTED["participationProfile"])
