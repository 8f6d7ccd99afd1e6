"""The GraphQL schema: the same nouns as REST, in one place."""

from __future__ import annotations

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import merge_types

from app.api.graphql import (
    bundles,
    changes,
    feeds,
    follow,
    hubs,
    locations,
    national,
    organisations,
    participation,
    question_push,
    question_writes,
    questions,
    regions,
    signal_push,
    signals,
    terms,
)

NOUNS = (
    regions,
    locations,
    hubs,
    organisations,
    signals,
    signal_push,
    questions,
    question_push,
    participation,
    changes,
    national,
    feeds,
    follow,
    bundles,
    terms,
)
PROJECTED = {name: projected for noun in NOUNS for name, projected in noun.PROJECTED.items()}

Query = merge_types(
    "Query",
    (
        regions.RegionQuery,
        locations.LocationQuery,
        hubs.HubQuery,
        organisations.OrganisationQuery,
        signals.SignalQuery,
        signal_push.SignalPushQuery,
        bundles.BundleQuery,
        changes.ChangeQuery,
        national.NationalQuery,
        questions.QuestionQuery,
        question_push.QuestionPushQuery,
        participation.ParticipationQuery,
        feeds.FeedQuery,
        follow.FollowQuery,
        terms.TermQuery,
    ),
)
Mutation = merge_types(
    "Mutation",
    (
        hubs.HubMutation,
        organisations.OrganisationMutation,
        signals.SignalMutation,
        signal_push.SignalPushMutation,
        question_writes.QuestionMutation,
        follow.FollowMutation,
        bundles.BundleMutation,
        question_push.QuestionPushMutation,
    ),
)

Subscription = merge_types("Subscription", (changes.ChangeSubscription,))

schema = strawberry.Schema(
    query=Query, mutation=Mutation, subscription=Subscription, config=StrawberryConfig(auto_camel_case=True)
)
