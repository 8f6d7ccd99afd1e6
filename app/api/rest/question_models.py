"""Questions as JSON: what is shown of them. What is taken in is in question_inputs.py."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from app.api.rest.contract import Reference
from app.api.rest.hubs import HubReference
from app.api.rest.organisations import OrganisationReference
from app.api.rest.regions import RegionReference
from app.api.rest.terms import TermReference
from app.domain.outcomes import Taken
from app.domain.question_rules import Origin, Scope, Status, Visibility

BalanceState = Literal["unknown", "balanced", "imbalanced", "deliberate"]
LEVEL = "code label rank rung { code label } setBy { slug name } setOn"
LEVELS = (
    f"ladder {{ code label }} intended {{ {LEVEL} }} agreed {{ {LEVEL} }} achieved {{ {LEVEL} }} explanation confirmed"
)
CELL = "phase { code label } role { code label } activity groups { code label } on realised heldByHub"
MATRIX = f"phases {{ code label }} cells {{ {CELL} }}"
MIX = "groups { group { code label } wanted recruited organisations { id name } } imbalanceReason"
BALANCE = (
    "state basis missingSides missingForms missingWorkfields { code label } missingGroups { code label } "
    "groupsWithoutInfluence { code label } phasesWithoutInfluence { code label } overRecruited { code label }"
)
OUTCOME = (
    "inputSummary inputs { source taken reason phase { code label } } decision explanation decidedOn impact "
    "impactChecks { on finding } toldBack { on how phase { code label } }"
)
LISTED = (
    "id hub { slug name } hubs { slug name } invited { slug name } externalId title description origin scope "
    "stakeholder { id name } regions { code scheme name } themes { code label } workfields { code label } "
    f"workfieldsSource levels {{ {LEVELS} }} balance {{ {BALANCE} }} methods {{ code label }} "
    "compensation { offered what } period { from to } requestedOn recruitedOn status visibility demonstration version "
    "createdAt updatedAt openedAt concludedAt"
)
QUESTION = f"{LISTED} matrix {{ {MATRIX} }} mix {{ {MIX} }} outcome {{ {OUTCOME} }}"
FOUND = LISTED + " highlight"
VERSION = "version at action role hub note changes"
RELATED_SIGNAL = "signal { id title kind status hub { slug name } } score sameThemes overlap sameWords"
RELATED_QUESTION = "question { id title status hub { slug name } } score sameThemes overlap sameWords"
TAKEN_UP = "id title status hub { slug name } outcome { decision explanation impact toldBack { on how } }"


class SetLevel(Reference):
    """A level of the national ladder: the rung that it was chosen by, where that was another ladder; who set it, and when."""

    code: str
    label: str
    rank: int
    rung: TermReference | None
    set_by: HubReference | None
    set_on: date


class Levels(Reference):
    """Promise and practice. `confirmed`: the stakeholder confirmed the agreed level."""

    ladder: TermReference
    intended: SetLevel | None
    agreed: SetLevel | None
    achieved: SetLevel | None
    explanation: str | None
    confirmed: bool


class Phase(Reference):
    """A phase of the template, or one that the question names itself."""

    code: str
    label: str


class Cell(Reference):
    """What was agreed for a role in a phase. `heldByHub`: by a worker of the hub, for lack of a participant."""

    phase: Phase
    role: TermReference
    activity: str
    groups: list[TermReference]
    on: date | None
    realised: bool
    held_by_hub: bool


class Matrix(Reference):
    """Roles by phases."""

    phases: list[Phase]
    cells: list[Cell]


class MixGroup(Reference):
    group: TermReference
    wanted: int
    recruited: int
    organisations: list[OrganisationReference]


class Mix(Reference):
    """The groups wanted and recruited."""

    groups: list[MixGroup]
    imbalance_reason: str | None


class Balance(Reference):
    """What the mix is missing, judged by the scope. `basis`: the groups `wanted`, or (from in-progress on) `recruited`."""

    state: BalanceState = Field(description="`deliberate`: imbalanced, with a reason in the mix.")
    basis: Literal["wanted", "recruited"]
    missing_sides: list[str] = Field(description="`resident`, `user`, `relative`.")
    missing_forms: list[str] = Field(description="`individual`, `organised`.")
    missing_workfields: list[TermReference]
    missing_groups: list[TermReference] = Field(description="Under-represented groups, when none of them is there.")
    groups_without_influence: list[TermReference] = Field(description="Groups with the role of listener alone.")
    phases_without_influence: list[Phase] = Field(description="Phases in which everybody only listens.")
    over_recruited: list[TermReference] = Field(description="More recruited than wanted: allowed, and flagged.")


class Compensation(Reference):
    offered: bool
    what: str | None


class Period(Reference):
    from_: date | None = Field(alias="from")
    to: date | None


class Input(Reference):
    """Something that was brought in, and what became of it."""

    source: str
    taken: Taken
    reason: str | None
    phase: Phase | None


class ImpactCheck(Reference):
    on: date
    finding: str


class ToldBack(Reference):
    on: date
    how: str
    phase: Phase | None


class Outcome(Reference):
    """You said, we did."""

    input_summary: str
    inputs: list[Input]
    decision: str
    explanation: str
    decided_on: date | None
    impact: str | None
    impact_checks: list[ImpactCheck]
    told_back: list[ToldBack]


class ListedQuestion(Reference):
    """A question in a list; `highlight` shows the words searched for. Its other parts come with `expand`."""

    id: UUID
    hub: HubReference = Field(description="The hub that leads.")
    hubs: list[HubReference] = Field(description="All its hubs, the lead first.")
    invited: list[HubReference]
    external_id: str | None
    title: str
    description: str
    origin: Origin
    scope: Scope
    stakeholder: OrganisationReference | None
    regions: list[RegionReference]
    themes: list[TermReference]
    workfields: list[TermReference]
    workfields_source: str = Field(description="`given`, `themes` or `cross-cutting`.")
    levels: Levels
    balance: Balance
    methods: list[TermReference]
    compensation: Compensation | None
    period: Period | None
    requested_on: date | None
    recruited_on: date | None = Field(description="When the first participant was recruited.")
    status: Status
    visibility: Visibility
    demonstration: bool
    version: int
    created_at: datetime
    updated_at: datetime
    opened_at: datetime | None
    concluded_at: datetime | None


class FoundQuestion(ListedQuestion):
    """A question in a list."""

    highlight: str | None


class Question(ListedQuestion):
    """A question on which people take part. It holds no personal data."""

    matrix: Matrix
    mix: Mix
    outcome: Outcome | None


class QuestionVersion(Reference):
    """Who changed what, when. `changes`: field → from, to."""

    version: int
    at: datetime
    action: str
    role: str
    hub: str | None
    note: str | None
    changes: dict[str, Any]


class RelatedReference(Reference):
    id: UUID
    title: str
    status: str
    hub: HubReference


class RelatedSignalReference(RelatedReference):
    kind: str


class Reasons(Reference):
    """Why these two meet. `overlap`: the share of the second's region that lies in the first's, by population."""

    score: float
    same_themes: list[str]
    overlap: float
    same_words: bool


class RelatedSignal(Reasons):
    signal: RelatedSignalReference


class RelatedQuestion(Reasons):
    question: RelatedReference


class ToldShortly(Reference):
    on: date
    how: str


class ShortOutcome(Reference):
    decision: str
    explanation: str
    impact: str | None
    told_back: list[ToldShortly]


class TakenUp(RelatedReference):
    """A question that took a signal up, and what came of it."""

    outcome: ShortOutcome | None
