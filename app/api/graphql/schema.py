"""The GraphQL schema: the same nouns as REST, in one place."""

from __future__ import annotations

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import merge_types

from app.api.graphql import hubs, locations, organisations, regions, terms

PROJECTED = {**regions.PROJECTED, **locations.PROJECTED, **hubs.PROJECTED, **organisations.PROJECTED, **terms.PROJECTED}

Query = merge_types(
    "Query",
    (regions.RegionQuery, locations.LocationQuery, hubs.HubQuery, organisations.OrganisationQuery, terms.TermQuery),
)
Mutation = merge_types("Mutation", (hubs.HubMutation, organisations.OrganisationMutation))

schema = strawberry.Schema(query=Query, mutation=Mutation, config=StrawberryConfig(auto_camel_case=True))
