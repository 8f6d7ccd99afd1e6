"""The GraphQL schema: the same nouns as REST, in one place."""

from __future__ import annotations

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import merge_types

from app.api.graphql import (
    hubs,
    locations,
    organisations,
    participation,
    question_writes,
    questions,
    regions,
    signals,
    terms,
)

NOUNS = (regions, locations, hubs, organisations, signals, questions, participation, terms)
PROJECTED = {name: projected for noun in NOUNS for name, projected in noun.PROJECTED.items()}

Query = merge_types(
    "Query",
    (
        regions.RegionQuery,
        locations.LocationQuery,
        hubs.HubQuery,
        organisations.OrganisationQuery,
        signals.SignalQuery,
        questions.QuestionQuery,
        participation.ParticipationQuery,
        terms.TermQuery,
    ),
)
Mutation = merge_types(
    "Mutation",
    (hubs.HubMutation, organisations.OrganisationMutation, signals.SignalMutation, question_writes.QuestionMutation),
)

schema = strawberry.Schema(query=Query, mutation=Mutation, config=StrawberryConfig(auto_camel_case=True))
