"""Bundles as node type, root fields and mutations."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import strawberry
from strawberry import UNSET, Info

from app.api.graphql.connections import Connection, answered
from app.api.graphql.hubs import Hub
from app.api.graphql.selecting import Projected, project
from app.api.graphql.signals import DeletedPayload, Signal
from app.api.graphql.terms import Theme, Umbrella
from app.api.graphql.writing import created, emptied, given, write
from app.domain import bundles
from app.domain.ids import new_id


@strawberry.type(
    description="A national matter. Of its signals, hubs and themes you see those that you may see anywhere."
)
class Bundle:
    id: UUID
    title: str
    summary: str
    status: str
    response: str | None
    visibility: str
    version: int
    created_at: datetime
    updated_at: datetime
    answered_at: datetime | None
    umbrella: Umbrella | None
    signals: list[Signal]
    hubs: list[Hub]
    themes: list[Theme]


@strawberry.input
class BundleFilter:
    umbrella: str | None = None
    status: str | None = None
    visibility: str | None = None
    hub: str | None = None
    theme: str | None = None
    signal: UUID | None = None


@strawberry.input
class NewBundle:
    title: str
    summary: str = ""
    visibility: str = "network"
    signals: list[UUID] = strawberry.field(default_factory=list)


@strawberry.input(description="Fields that are absent stay.")
class BundleChange:
    title: str | None = UNSET
    summary: str | None = UNSET
    visibility: str | None = UNSET


REQUIRED = ("title", "visibility")
_FILTERS = ("umbrella", "status", "visibility", "hub", "theme", "signal")
PROJECTED = {
    "bundles": Projected("bundle", "connection", {name: name for name in _FILTERS}),
    "bundle": Projected("bundle", "one", {"id": "id"}),
}


@strawberry.type
class BundleQuery:
    """The root fields of bundles."""

    @strawberry.field(
        description="Bundles that you may see, the newest first. Signals to bundle: `similar` of a signal."
    )
    async def bundles(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        filter: BundleFilter | None = None,
        sort: str | None = None,
        as_of: date | None = None,
    ) -> Connection[Bundle]:
        return await answered(info, PROJECTED["bundles"])

    @strawberry.field(description="One bundle by its id; null when it is not there, or not yours to see.")
    async def bundle(self, info: Info, id: UUID, as_of: date | None = None) -> Bundle | None:
        return await answered(info, PROJECTED["bundle"])


@strawberry.type
class BundlePayload:
    bundle_id: strawberry.Private[UUID]

    @strawberry.field(description="The bundle as it is after the change.")
    async def bundle(self, info: Info) -> Bundle:
        return await project(info, PROJECTED["bundle"], filters={"id": self.bundle_id})


@strawberry.type
class BundleMutation:
    """Changes of bundles."""

    @strawberry.mutation(description="Make a bundle. With an idempotency key it happens once.")
    async def create_bundle(self, info: Info, bundle: NewBundle, idempotency_key: str | None = None) -> BundlePayload:
        entity = bundles.Bundle(new_id(), bundle.title, bundle.summary, visibility=bundle.visibility)
        made = await created(
            info,
            idempotency_key,
            ("createBundle", given(bundle)),
            lambda work, actor: bundles.create_bundle(work, actor, entity, bundle.signals),
        )
        return BundlePayload(bundle_id=UUID(str(made)))

    @strawberry.mutation(description="Change a bundle, from the version that you read.")
    async def update_bundle(self, info: Info, id: UUID, version: int, changes: BundleChange) -> BundlePayload:
        refused = emptied(changes, REQUIRED)
        fields = {name: value or "" for name, value in given(changes).items() if value is not None or name == "summary"}
        await write(info, lambda work, actor: bundles.change_bundle(work, actor, id, fields, version), refused)
        return BundlePayload(bundle_id=id)

    @strawberry.mutation(description="Take up, answer or close a bundle; answered and closed need a response.")
    async def transition_bundle(
        self, info: Info, id: UUID, version: int, to: str, response: str | None = None
    ) -> BundlePayload:
        await write(info, lambda work, actor: bundles.step_bundle(work, actor, id, to, response, version))
        return BundlePayload(bundle_id=id)

    @strawberry.mutation(description="Put a verified signal that you may see in a bundle.")
    async def add_to_bundle(self, info: Info, id: UUID, version: int, signal: UUID) -> BundlePayload:
        await write(info, lambda work, actor: bundles.put_bundled(work, actor, id, signal, version))
        return BundlePayload(bundle_id=id)

    @strawberry.mutation(description="Take a signal out of a bundle.")
    async def remove_from_bundle(self, info: Info, id: UUID, version: int, signal: UUID) -> BundlePayload:
        await write(info, lambda work, actor: bundles.remove_bundled(work, actor, id, signal, version))
        return BundlePayload(bundle_id=id)

    @strawberry.mutation(description="Delete a bundle; its signals stay as they are.")
    async def delete_bundle(self, info: Info, id: UUID, version: int) -> DeletedPayload:
        await write(info, lambda work, actor: bundles.delete_bundle(work, actor, id, version))
        return DeletedPayload(id=id)
