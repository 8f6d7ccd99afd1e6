"""What is taken in of questions: strict models, and what the domain makes of them."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import Field

from app.api.rest.answers import Day, Strict
from app.domain import matrix, outcomes, questions
from app.domain.outcomes import Taken
from app.domain.question_rules import MAX_CODES, MAX_NOTE, MAX_REGIONS, MAX_TITLE, Origin, Scope, Status, Visibility

Text = Annotated[str, Field(max_length=200_000)]
Code = Annotated[str, Field(max_length=80)]
Codes = Annotated[list[Code], Field(max_length=MAX_CODES)]


class LevelsIn(Strict):
    """Codes of levels, or of rungs where `ladder` is another than the national one. Null empties."""

    ladder: Annotated[Code | None, Field(description="`landelijk`, `arnstein` or `edelenbos-monnikhof`.")] = None
    intended: Annotated[Code | None, Field(examples=["raadplegen"])] = None
    agreed: Code | None = None
    achieved: Annotated[Code | None, Field(description="From `concluded` on.")] = None
    explanation: Annotated[Text | None, Field(description="Needed when less was agreed than intended.")] = None
    confirmed: Annotated[bool, Field(strict=True)] = False


class CompensationIn(Strict):
    offered: Annotated[bool, Field(strict=True)]
    what: Text | None = None


class PeriodIn(Strict):
    from_: Annotated[Day | None, Field(alias="from")] = None
    to: Day | None = None


class QuestionFields(Strict):
    title: Annotated[Text, Field(description=f"At most {MAX_TITLE} characters.")] = ""
    description: Text | None = ""
    origin: Origin = "system-world"
    scope: Annotated[Scope, Field(description="Broad where possible, specific where needed.")] = "broad"
    stakeholder: Annotated[UUID | None, Field(description="Organisation that owns the question.")] = None
    regions: Annotated[list[Code], Field(max_length=MAX_REGIONS, examples=[["GG2014"]])] = []
    themes: Annotated[Codes, Field(examples=[["zelfstandig-ouder-worden"]])] = []
    workfields: Annotated[
        Codes | None, Field(description="Absent or null: the themes decide. An empty list: cross-cutting.")
    ] = None
    levels: LevelsIn | None = None
    methods: Annotated[Codes | None, Field(examples=[["focusgroep"]])] = []
    compensation: CompensationIn | None = None
    period: PeriodIn | None = None
    requestedOn: Annotated[Day | None, Field(description="When it was brought to the hub.")] = None
    visibility: Visibility = "network"

    def entity_fields(self, names: set[str]) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """The given fields as the domain has them, and the levels wished for: absent ones stay."""
        found = {_SNAKE.get(name, name): getattr(self, name) for name in names - {"levels"}}
        for name in ("themes", "regions", "methods", "workfields"):
            if found.get(name) is not None:
                found[name] = tuple(dict.fromkeys(found[name]))
        for name, empty in (("methods", ()), ("description", "")):
            if name in found and found[name] is None:
                found[name] = empty
        for name in ("compensation", "period"):  # merged into what is there: members that are absent stay
            if found.get(name) is not None:
                found[name] = {part: getattr(found[name], part) for part in found[name].model_fields_set}
        wish = None
        if "levels" in names and self.levels is not None:
            wish = {name: getattr(self.levels, name) for name in self.levels.model_fields_set}
        elif "levels" in names:
            wish = dict.fromkeys(("intended", "agreed", "achieved", "explanation")) | {"confirmed": False}
        return found, wish


_SNAKE = {"requestedOn": "requested_on"}


class NewQuestion(QuestionFields):
    """A question to add: a draft, or open at once."""

    title: Text
    description: Text = ""
    methods: Codes = []
    regions: Annotated[list[Code], Field(max_length=MAX_REGIONS, examples=[["GG2014"]])]
    themes: Annotated[Codes, Field(examples=[["zelfstandig-ouder-worden"]])]
    hub: Annotated[Code | None, Field(description="Your own hub, when absent.")] = None
    externalId: Annotated[str | None, Field(max_length=200)] = None
    status: Annotated[Status, Field(description="`draft` or `open`.")] = "draft"

    def entity(self, id_: UUID, hub: str) -> tuple[questions.Question, dict[str, Any] | None]:
        """As the domain has it, and the levels wished for."""
        fields, wish = self.entity_fields(set(QuestionFields.model_fields))
        wish = wish if self.levels is not None else None
        return questions.question_of(id_, hub, self.externalId, self.status, fields), wish


class QuestionChange(QuestionFields):
    """A merge-patch: fields that are absent stay, null empties."""

    read_only: ClassVar = frozenset(
        [
            "id",
            "hub",
            "hubs",
            "invited",
            "externalId",
            "status",
            "workfieldsSource",
            "balance",
            "matrix",
            "mix",
            "outcome",
            "demonstration",
            "version",
            "createdAt",
            "updatedAt",
            "openedAt",
            "concludedAt",
            "recruitedOn",
        ]
    )


class QuestionTransition(Strict):
    to: Status
    note: Annotated[str | None, Field(max_length=MAX_NOTE)] = None


class OwnPhaseIn(Strict):
    code: Annotated[Code, Field(examples=["verkenning"])]
    label: Annotated[Text, Field(examples=["Verkenning"])]


class CellIn(Strict):
    phase: Annotated[Code, Field(examples=["voorbereiding"])]
    role: Annotated[Code, Field(examples=["adviseur"])]
    activity: Text = ""
    groups: Annotated[list[Code], Field(max_length=50, examples=[["mantelzorgers"]])] = []
    on: Day | None = None
    realised: Annotated[bool, Field(strict=True)] = False
    heldByHub: Annotated[bool, Field(strict=True)] = False


class MatrixIn(Strict):
    """Replaces the matrix. `phases` in place of the template: all of them, in order."""

    cells: Annotated[list[CellIn], Field(max_length=1_000)]
    phases: Annotated[list[OwnPhaseIn], Field(max_length=100)] = []

    def entity(self) -> matrix.Matrix:
        """As the domain has it."""
        return matrix.Matrix(
            tuple(matrix.Phase(phase.code, phase.label) for phase in self.phases),
            tuple(
                matrix.Cell(c.phase, c.role, c.activity, tuple(dict.fromkeys(c.groups)), c.on, c.realised, c.heldByHub)
                for c in self.cells
            ),
        )


class MixGroupIn(Strict):
    group: Annotated[Code, Field(examples=["mantelzorgers"])]
    wanted: Annotated[int, Field(strict=True)] = 0
    recruited: Annotated[int, Field(strict=True)] = 0
    organisations: Annotated[list[UUID], Field(max_length=50)] = []


class MixIn(Strict):
    """Replaces the mix."""

    groups: Annotated[list[MixGroupIn], Field(max_length=1_000)]
    imbalanceReason: Annotated[Text | None, Field(description="Makes an imbalance a deliberate one.")] = None

    def entity(self) -> matrix.Mix:
        """As the domain has it."""
        return matrix.Mix(
            tuple(
                matrix.MixGroup(g.group, g.wanted, g.recruited, tuple(dict.fromkeys(g.organisations)))
                for g in self.groups
            ),
            self.imbalanceReason,
        )


class InputIn(Strict):
    source: Text
    taken: Taken
    reason: Annotated[Text | None, Field(description="Needed unless it was taken over whole.")] = None
    phase: Code | None = None


class ImpactCheckIn(Strict):
    on: Day
    finding: Text


class ToldBackIn(Strict):
    on: Day
    how: Text = ""
    phase: Code | None = None


class OutcomeIn(Strict):
    """Replaces the outcome."""

    inputSummary: Text
    decision: Text
    explanation: Text
    inputs: Annotated[list[InputIn], Field(max_length=1_000)] = []
    decidedOn: Day | None = None
    impact: Text | None = None
    impactChecks: Annotated[list[ImpactCheckIn], Field(max_length=1_000)] = []
    toldBack: Annotated[list[ToldBackIn], Field(max_length=1_000)] = []

    def entity(self) -> outcomes.Outcome:
        """As the domain has it."""
        return outcomes.Outcome(
            self.inputSummary,
            self.decision,
            self.explanation,
            tuple(outcomes.Input(i.source, i.taken, i.reason, i.phase) for i in self.inputs),
            self.impact,
            tuple(outcomes.ImpactCheck(c.on, c.finding) for c in self.impactChecks),
            tuple(outcomes.ToldBack(t.on, t.how, t.phase) for t in self.toldBack),
            self.decidedOn,
        )
