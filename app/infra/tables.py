"""The tables, as SQLAlchemy Core sees them. The migrations make them; a test compares the two."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
now = text("now()")

# One row, raised by trigger with every change of public data: the tag of every cache in every process.
data_version = Table(
    "data_version",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

# Secrets that all processes of one instance share and nobody has to configure.
instance_secret = Table(
    "instance_secret", metadata, Column("name", Text, primary_key=True), Column("secret", LargeBinary, nullable=False)
)

dataset = Table(
    "dataset",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("edition", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("loaded_at", DateTime(timezone=True), nullable=False, server_default=now),
)

term = Table(
    "term",
    metadata,
    Column("vocabulary", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("rank", SmallInteger, nullable=False),
    Column("parent", Text),
    Column("label_nl", Text, nullable=False),
    Column("label_en", Text, nullable=False),
    Column("description_nl", Text, nullable=False),
    Column("description_en", Text, nullable=False),
    Column("example_nl", Text),
    Column("example_en", Text),
    Column("workfields", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("side", Text),
    Column("organised", Boolean),
    Column("under_represented", Boolean),
    Column("nearest_role", Text),
    Column("basis", Text),
    Column("bit", SmallInteger),
    Column("framework", Text),
    Column("level", Text),
    PrimaryKeyConstraint("vocabulary", "code"),
)

scheme = Table(
    "scheme",
    metadata,
    Column("code", Text, primary_key=True),
    Column("rank", SmallInteger, nullable=False),
    Column("name_nl", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("description_nl", Text, nullable=False),
    Column("description_en", Text, nullable=False),
    Column("code_prefix", Text, nullable=False),
    Column("partition", Boolean, nullable=False),
    Column("assumed_shares", Boolean, nullable=False),
)

edition = Table(
    "edition",
    metadata,
    Column("scheme", Text, ForeignKey("scheme.code"), nullable=False),
    Column("year", SmallInteger, nullable=False),
    Column("method", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("licence", Text, nullable=False),
    Column("remark", Text, nullable=False),
    Column("region_count", Integer, nullable=False),
    Column("municipality_count", Integer, nullable=False),
    PrimaryKeyConstraint("scheme", "year"),
)

# Editions that this instance took over from CBS after the packaged ones; a reload applies them again.
imported_edition = Table(
    "imported_edition",
    metadata,
    Column("year", SmallInteger, primary_key=True, autoincrement=False),
    Column("content", JSONB, nullable=False),
    Column("imported_at", DateTime(timezone=True), nullable=False, server_default=now),
)

region = Table(
    "region",
    metadata,
    Column("id", Integer, Identity(always=False), primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("scheme", Text, ForeignKey("scheme.code"), nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("valid_to", Date, nullable=False),
)

# What can be said of a region in each period in which something differs. `valid_to` is exclusive, 9999-12-31 is open.
region_period = Table(
    "region_period",
    metadata,
    Column("region_id", Integer, ForeignKey("region.id"), nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("valid_to", Date, nullable=False),
    Column("scheme", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("sort_name", Text(collation="C"), nullable=False),
    Column("search", Text, nullable=False),
    Column("edition", SmallInteger, nullable=False),
    Column("municipality_count", Integer, nullable=False),
    Column("population", Integer),
    Column("population_date", Date),
    # Sums of shares, and of shares times population, not rounded: what shares of overlaps are divided by.
    Column("weight", Double, nullable=False),
    Column("population_weight", Double),
    Column("region_from", Date, nullable=False),
    Column("region_to", Date, nullable=False),
    PrimaryKeyConstraint("region_id", "valid_from"),
    Index("ix_region_period_code", "code", "valid_from"),
    Index("ix_region_period_scheme", "scheme", "sort_name", "code"),
    Index("ix_region_period_name", "sort_name", "code"),
)

membership = Table(
    "membership",
    metadata,
    Column("region_id", Integer, ForeignKey("region.id"), nullable=False),
    Column("municipality_id", Integer, ForeignKey("region.id"), nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("valid_to", Date, nullable=False),
    Column("scheme", Text, nullable=False),
    Column("share", Double, nullable=False),
    Column("population", Integer),
    PrimaryKeyConstraint("region_id", "municipality_id", "valid_from"),
    Index("ix_membership_municipality", "municipality_id", "scheme"),
    CheckConstraint("share > 0 and share <= 1", name="share"),
)

succession = Table(
    "succession",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("on_date", Date, nullable=False),
    Column("predecessor_id", Integer, ForeignKey("region.id"), nullable=False),
    Column("predecessor_name", Text, nullable=False),
    Column("successor_id", Integer, ForeignKey("region.id"), nullable=False),
    Column("successor_name", Text, nullable=False),
    Column("change", Text, nullable=False),
    Index("ix_succession_predecessor", "predecessor_id"),
    Index("ix_succession_successor", "successor_id"),
)

postcode = Table(
    "postcode",
    metadata,
    Column("pc4", Text, nullable=False),
    Column("municipality_id", Integer, ForeignKey("region.id"), nullable=False),
    Column("is_primary", Boolean, nullable=False),
    Column("area_share", Double, nullable=False),
    Column("place", Text),
    Column("search", Text),
    Column("population", Integer),
    PrimaryKeyConstraint("pc4", "municipality_id"),
    Index("ix_postcode_search", "search", postgresql_ops={"search": "text_pattern_ops"}),
)

organisation = Table(
    "organisation",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("sort_name", Text(collation="C"), nullable=False),
    Column("type", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("strand", Text),
    Column("workfield", Text),
    Column("website", Text),
    Column("basis", Text),
    # How the packaged data and the demonstration network name it, so that a second load finds it again.
    Column("source_key", Text, unique=True),
    Column("demonstration", Boolean, nullable=False, server_default=text("false")),
    Column("created_by_hub", SmallInteger),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=now),
    Index("ix_organisation_sort_name", "sort_name", "id"),
)

organisation_region = Table(
    "organisation_region",
    metadata,
    Column("organisation_id", Uuid, ForeignKey("organisation.id", ondelete="CASCADE"), nullable=False),
    Column("region_id", Integer, ForeignKey("region.id"), nullable=False),
    PrimaryKeyConstraint("organisation_id", "region_id"),
)

hub = Table(
    "hub",
    metadata,
    Column("id", SmallInteger, Identity(always=False), primary_key=True),
    Column("slug", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("sort_name", Text(collation="C"), nullable=False),
    Column("basis", Text, nullable=False),
    Column("frontrunner_role", Text),
    Column("frontrunner_id", SmallInteger, ForeignKey("hub.id")),
    Column("hosts_relation", Text),
    Column("challenges", JSONB, nullable=False, server_default=text("'[]'")),
    Column("contact", Text),
    Column("website", Text),
    Column("area_code", Text, nullable=False, unique=True),
    Column("published", JSONB),
    Column("demonstration", Boolean, nullable=False, server_default=text("false")),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=now),
    Index("ix_hub_sort_name", "sort_name", "slug"),
)

hub_phase = Table(
    "hub_phase",
    metadata,
    Column("hub_id", SmallInteger, ForeignKey("hub.id", ondelete="CASCADE"), nullable=False),
    Column("phase", Text, nullable=False),
    Column("valid_from", Date, nullable=False),
    PrimaryKeyConstraint("hub_id", "phase"),
)

hub_host = Table(
    "hub_host",
    metadata,
    Column("hub_id", SmallInteger, ForeignKey("hub.id", ondelete="CASCADE"), nullable=False),
    Column("organisation_id", Uuid, ForeignKey("organisation.id"), nullable=False),
    Column("status", Text, nullable=False),
    Column("rank", SmallInteger, nullable=False),
    PrimaryKeyConstraint("hub_id", "organisation_id"),
)

hub_steering = Table(
    "hub_steering",
    metadata,
    Column("hub_id", SmallInteger, ForeignKey("hub.id", ondelete="CASCADE"), nullable=False),
    Column("workfield", Text, nullable=False),
    Column("organisation_id", Uuid, ForeignKey("organisation.id"), nullable=False),
    PrimaryKeyConstraint("hub_id", "workfield", "organisation_id"),
)

hub_area = Table(
    "hub_area",
    metadata,
    Column("hub_id", SmallInteger, ForeignKey("hub.id", ondelete="CASCADE"), nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("regions", ARRAY(Text), nullable=False),
    Column("plus", ARRAY(Text), nullable=False),
    Column("minus", ARRAY(Text), nullable=False),
    PrimaryKeyConstraint("hub_id", "valid_from"),
)

hub_member = Table(
    "hub_member",
    metadata,
    Column("hub_id", SmallInteger, ForeignKey("hub.id", ondelete="CASCADE"), nullable=False),
    Column("organisation_id", Uuid, ForeignKey("organisation.id"), nullable=False),
    Column("status", Text, nullable=False),
    Column("strand", Text),
    Column("since", Date),
    PrimaryKeyConstraint("hub_id", "organisation_id"),
)

client = Table(
    "client",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("hub_id", SmallInteger, ForeignKey("hub.id", ondelete="CASCADE")),
    Column("umbrella", Text),
    Column("token_hash", LargeBinary, unique=True),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("expires_at", DateTime(timezone=True)),
    Column("last_used_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    # Of a client of an OpenID Connect issuer, which has no token of ours; its id is made of issuer and subject.
    Column("issuer", Text),
    CheckConstraint("(token_hash is null) = (issuer is not null)", name="token_or_issuer"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("client_id", Uuid, ForeignKey("client.id", ondelete="CASCADE"), nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("answer", JSONB, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=now),
    PrimaryKeyConstraint("client_id", "key"),
    Index("ix_idempotency_created_at", "created_at"),
)
