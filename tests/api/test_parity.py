"""One shape, said once: the view, the REST schema and the GraphQL type of a noun have the same names."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from graphql import GraphQLObjectType
from pydantic import BaseModel

from app.api.graphql.schema import schema
from app.api.rest import bundles, changes, hubs, locations, organisations, participation, regions, signals, terms
from app.api.rest import question_models as questions
from app.api.rest.picks import picks
from app.domain.reading import Pick
from app.infra.views import VIEWS

VIEW = {view.noun: view for view in VIEWS}
GRAPHQL_ONLY = {"region-life"}

# noun → (GraphQL type, REST model, the selection that REST shows)
NOUNS = {
    "region": ("Region", regions.Region, regions.REGION),
    "region-scheme": ("RegionScheme", regions.RegionScheme, regions.SCHEME),
    "region-life": ("RegionLife", regions.Lineage, "predecessors { code scheme name date change } successors { code scheme name date change }"),
    "lineage": ("Lineage", regions.LineageEntry, "code scheme name date change"),
    "edition": ("Edition", regions.Edition, "year regionCount municipalityCount method source licence remark"),
    "overlap": ("Overlap", regions.Overlap, regions.OVERLAP),
    "crosswalk": ("Crosswalk", regions.CrosswalkItem, regions.CROSSWALK),
    "location": ("Location", locations.Location, locations.LOCATION),
    "located-region": ("LocatedRegion", locations.LocatedRegion, "scheme code name share shareAssumed"),
    "workfield": ("Workfield", terms.Term, terms.TERM),
    "umbrella": ("Umbrella", terms.Umbrella, terms.UMBRELLA),
    "theme": ("Theme", terms.Theme, terms.THEME),
    "participation-level": ("ParticipationLevel", terms.Level, terms.LEVEL),
    "participation-role": ("ParticipationRole", terms.Ranked, terms.RANKED),
    "participation-phase": ("ParticipationPhase", terms.Ranked, terms.RANKED),
    "participation-method": ("ParticipationMethod", terms.Term, terms.TERM),
    "participant-group": ("ParticipantGroup", terms.Group, terms.GROUP),
    "channel": ("Channel", terms.Term, terms.TERM),
    "organisation": ("Organisation", organisations.Organisation, organisations.ORGANISATION),
    "hub": ("Hub", hubs.Hub, hubs.HUB),
    "member": ("Member", hubs.Member, hubs.MEMBER),
    "hub-phase": ("HubPhase", hubs.DatedPhase, "phase from"),
    "hub-host": ("HubHost", hubs.Host, "organisation { id name } status"),
    "steering-seat": ("SteeringSeat", hubs.SteeringSeat, "workfield { code label } organisation { id name }"),
    "steering-issue": ("SteeringIssue", hubs.SteeringIssue, "code workfield { code label }"),
    "area": ("Area", hubs.Area, None),
    "area-definition": ("AreaDefinition", hubs.AreaDefinition, None),
    "published-figures": ("PublishedFigures", hubs.PublishedFigures, None),
    "signal": ("Signal", signals.FoundSignal, signals.FOUND),
    "forwarding": ("Forwarding", signals.Forwarding, "umbrella { code label } state respondBy overdue response reason forwardedAt respondedAt"),
    "follow-up": ("FollowUp", signals.FollowUp, "id kind on summary public createdAt"),
    "signal-version": ("SignalVersion", signals.SignalVersion, signals.VERSION),
    "bundle": ("Bundle", bundles.Bundle, bundles.BUNDLE),
    # The resource itself is in the field of its type in GraphQL, and in `resource` in REST: test_changes.py.
    "change": ("Change", None, None),
    "change-digest": ("ChangeDigest", changes.ChangeDigest, changes.DIGEST),
    "similar-signal": ("SimilarSignal", signals.SimilarSignal, signals.SIMILAR),
    "participation-ladder": ("ParticipationLadder", terms.Ladder, terms.LADDER),
    "participation-rung": ("ParticipationRung", terms.Rung, terms.RUNG),
    "participation-condition": ("ParticipationCondition", terms.Condition, terms.CONDITION),
    "question": ("Question", questions.Question, questions.QUESTION),
    "levels": ("Levels", questions.Levels, questions.LEVELS),
    "set-level": ("SetLevel", questions.SetLevel, questions.LEVEL),
    "matrix": ("Matrix", questions.Matrix, questions.MATRIX),
    "matrix-phase": ("MatrixPhase", questions.Phase, "code label"),
    "matrix-cell": ("MatrixCell", questions.Cell, questions.CELL),
    "mix": ("Mix", questions.Mix, questions.MIX),
    "mix-group": ("MixGroup", questions.MixGroup, "group { code label } wanted recruited organisations { id name }"),
    "balance": ("Balance", questions.Balance, questions.BALANCE),
    "compensation": ("Compensation", questions.Compensation, "offered what"),
    "period": ("Period", questions.Period, "from to"),
    "outcome": ("Outcome", questions.Outcome, questions.OUTCOME),
    "outcome-input": ("OutcomeInput", questions.Input, "source taken reason phase { code label }"),
    "impact-check": ("ImpactCheck", questions.ImpactCheck, "on finding"),
    "told-back": ("ToldBack", questions.ToldBack, "on how phase { code label }"),
    "question-version": ("QuestionVersion", questions.QuestionVersion, questions.VERSION),
    "related-signal": ("RelatedSignal", questions.RelatedSignal, questions.RELATED_SIGNAL),
    "participation-figures": ("ParticipationFigures", participation.ParticipationFigures, participation.FIGURES),
    "level-figures": ("LevelFigures", participation.LevelFigures, participation.LEVEL_FIGURES),
    "condition-figure": ("ConditionFigure", participation.ConditionFigure, participation.CONDITION_FIGURE),
    "condition-figures": ("ConditionFigures", participation.ConditionFigures, participation.CONDITION_FIGURES),
    "related-question": ("RelatedQuestion", questions.RelatedQuestion, questions.RELATED_QUESTION),
}  # fmt: skip


def graphql_type(name: str) -> GraphQLObjectType:
    found = schema._schema.get_type(name)
    assert isinstance(found, GraphQLObjectType)
    return found


def test_every_noun_is_compared() -> None:
    assert set(NOUNS) == set(VIEW)


@pytest.mark.parametrize("noun", NOUNS)
def test_the_graphql_type_has_exactly_the_names_of_the_view(noun: str) -> None:
    view = VIEW[noun]
    assert set(graphql_type(NOUNS[noun][0]).fields) == {*view.fields, *view.edges}


@pytest.mark.parametrize("noun", NOUNS)
def test_the_edges_of_the_view_lead_to_the_same_types_in_graphql(noun: str) -> None:
    for name, edge in VIEW[noun].edges.items():
        field = graphql_type(NOUNS[noun][0]).fields[name]
        assert str(field.type).strip("[]!") == NOUNS[edge.noun][0]
        assert str(field.type).startswith("[") is edge.many
        assert set(field.args) == set(edge.args)


def names_shown(model: Any) -> dict[str, Any]:
    """The names of a REST model with the model or type of each."""
    found = {}
    for name, field in model.model_fields.items():
        found[field.alias or name] = field.annotation
    return found


def inner_model(annotation: Any) -> type[BaseModel] | None:
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def compare(model: type[BaseModel], shown: tuple[Pick, ...], path: str) -> None:
    names = names_shown(model)
    assert set(names) == {pick.key for pick in shown}, path
    for pick in shown:
        inner = inner_model(names[pick.key])
        assert (inner is not None) == bool(pick.picks), f"{path}.{pick.key}"
        if inner is not None:
            compare(inner, pick.picks, f"{path}.{pick.key}")


@pytest.mark.parametrize("noun", [noun for noun, (_, _, shown) in NOUNS.items() if shown])
def test_the_rest_schema_has_exactly_the_names_that_rest_shows(noun: str) -> None:
    _, model, shown = NOUNS[noun]
    compare(model, picks(shown), noun)


@pytest.mark.parametrize("noun", NOUNS)
def test_what_rest_shows_is_declared_by_the_view(noun: str) -> None:
    def walk(noun: str, shown: tuple[Pick, ...]) -> None:
        view = VIEW[noun]
        for pick in shown:
            assert pick.name in view.fields or pick.name in view.edges, f"{noun}.{pick.name}"
            if pick.picks:
                walk(view.edges[pick.name].noun, pick.picks)

    if NOUNS[noun][2]:
        walk(noun, picks(NOUNS[noun][2]))


def test_the_published_contracts_are_those_of_the_code(request: pytest.FixtureRequest) -> None:
    from app.contracts import export

    for name, text in export().items():
        published = (request.config.rootpath / "openapi" / name).read_text(encoding="utf-8")
        assert published == text, f"run `make contracts`: openapi/{name} is not what the code says"


@pytest.mark.parametrize(
    ("model", "shown"),
    [(questions.FoundQuestion, questions.FOUND), (questions.TakenUp, questions.TAKEN_UP)],
    ids=["found question", "taken up"],
)
def test_other_shapes_of_questions_have_exactly_the_names_that_rest_shows(model: type[BaseModel], shown: str) -> None:
    compare(model, picks(shown), model.__name__)
