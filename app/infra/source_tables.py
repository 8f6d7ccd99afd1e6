"""The tables of federation: other instances, the hubs that are kept there, what was taken over and what was refused."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.infra.tables import metadata, now

# `reading` counts the readings from the beginning; while one is under way (`anew`) what it meets is marked with it, and
# what it did not meet goes at its end. `told`: this reading opened a new epoch here already. `level_at`: when it last had
# all there was.
source = Table(
    "source",
    metadata,
    Column("id", SmallInteger, Identity(always=True), primary_key=True),
    Column("url", Text, nullable=False, unique=True),
    Column("token", Text),
    Column("paused", Boolean, nullable=False, server_default=text("false")),
    Column("cursor", Text),
    Column("reading", Integer, nullable=False, server_default=text("1")),
    Column("anew", Boolean, nullable=False, server_default=text("true")),
    Column("told", Boolean, nullable=False, server_default=text("false")),
    Column("received", BigInteger, nullable=False, server_default=text("0")),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("error", Text),
    Column("error_at", DateTime(timezone=True)),
    Column("next_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("level_at", DateTime(timezone=True)),
    Column("added_at", DateTime(timezone=True), nullable=False, server_default=now),
)

source_hub = Table(
    "source_hub",
    metadata,
    Column("hub_id", SmallInteger, ForeignKey("hub.id"), primary_key=True),
    Column("source_id", SmallInteger, ForeignKey("source.id", ondelete="CASCADE"), nullable=False),
)

source_copy = Table(
    "source_copy",
    metadata,
    Column("source_id", SmallInteger, ForeignKey("source.id", ondelete="CASCADE"), primary_key=True),
    Column("resource_id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("reading", Integer, nullable=False),
)

source_refusal = Table(
    "source_refusal",
    metadata,
    Column("source_id", SmallInteger, ForeignKey("source.id", ondelete="CASCADE"), primary_key=True),
    Column("resource_id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("external_id", Text),
    Column("faults", JSONB, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=now),
)
