"""The tables of signals, their children, their history, and the change log."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

from app.infra.tables import metadata, now

# The place of an umbrella in masks of readers, of a workfield in masks of signals: given once, to nobody else ever. A
# trigger on `term` fills it, and `term.bit` from it.
term_bit = Table(
    "term_bit",
    metadata,
    Column("vocabulary", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("bit", SmallInteger, nullable=False),
    PrimaryKeyConstraint("vocabulary", "code"),
    UniqueConstraint("vocabulary", "bit"),
    CheckConstraint(
        "vocabulary = 'umbrella' and bit between 2 and 29 or vocabulary = 'workfield' and bit between 0 and 14",
        name="room",
    ),
)

# `audience` are the bits of those who may read: set by trigger, on the signal and all its children, so that no policy
# has to join. 1 public, 2 network, 4 and up one for each umbrella; 0 is the hub alone.
signal = Table(
    "signal",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("hub_id", SmallInteger, ForeignKey("hub.id"), nullable=False),
    Column("external_id", Text),
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("themes", ARRAY(Text), nullable=False),
    Column("workfields", SmallInteger, nullable=False),
    Column("workfields_source", Text, nullable=False),
    Column("region_id", Integer, ForeignKey("region.id"), nullable=False),
    Column("scale", Text),
    Column("groups", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("channel", Text),
    Column("heard_on", Date, nullable=False),
    Column("people_count", Integer),
    Column("visibility", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("recipients", Integer, nullable=False, server_default=text("0")),
    Column("audience", Integer, nullable=False, server_default=text("0")),
    Column("search", TSVECTOR, nullable=False),
    Column("demonstration", Boolean, nullable=False, server_default=text("false")),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("verified_at", DateTime(timezone=True)),
    UniqueConstraint("hub_id", "external_id"),
    CheckConstraint("people_count > 0", name="people_count"),
    Index("ix_signal_hub_id", "hub_id", text("id desc")),
    Index("ix_signal_hub_id_status", "hub_id", "status", text("id desc")),
    Index("ix_signal_region_id", "region_id", text("id desc"), postgresql_include=["audience", "hub_id"]),
    Index("ix_signal_region_id_updated_at", "region_id", text("updated_at desc"), text("id desc")),
    Index("ix_signal_region_id_heard_on", "region_id", text("heard_on desc"), text("id desc")),
    Index("ix_signal_updated_at", text("updated_at desc"), text("id desc")),
    Index("ix_signal_heard_on", text("heard_on desc"), text("id desc")),
    Index("ix_signal_search", "search", postgresql_using="gin"),
)

signal_theme = Table(
    "signal_theme",
    metadata,
    Column("theme", Text, nullable=False),
    Column("signal_id", Uuid, ForeignKey("signal.id", ondelete="CASCADE"), nullable=False),
    Column("hub_id", SmallInteger, nullable=False),
    Column("audience", Integer, nullable=False),
    Column("region_id", Integer, nullable=False),
    PrimaryKeyConstraint("theme", "signal_id"),
    Index("ix_signal_theme_hub_id", "theme", "hub_id", "signal_id"),
    Index("ix_signal_theme_region_id", "theme", "region_id", "signal_id"),
    Index("ix_signal_theme_signal_id", "signal_id"),
)

forwarding = Table(
    "forwarding",
    metadata,
    Column("signal_id", Uuid, ForeignKey("signal.id", ondelete="CASCADE"), nullable=False),
    Column("umbrella", Text, nullable=False),
    Column("hub_id", SmallInteger, nullable=False),
    Column("audience", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("respond_by", Date, nullable=False),
    Column("response", Text),
    Column("reason", Text),
    Column("forwarded_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("responded_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("signal_id", "umbrella"),
    Index("ix_forwarding_umbrella", "umbrella", "state", "respond_by"),
    Index("ix_forwarding_hub_id", "hub_id", "respond_by", "signal_id"),
    Index("ix_forwarding_respond_by", "umbrella", "respond_by", "signal_id"),
)

follow_up = Table(
    "follow_up",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("signal_id", Uuid, ForeignKey("signal.id", ondelete="CASCADE"), nullable=False),
    Column("hub_id", SmallInteger, nullable=False),
    Column("audience", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("on_date", Date, nullable=False),
    Column("summary", Text, nullable=False),
    Column("public", Boolean, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=now),
    Index("ix_follow_up_signal_id", "signal_id"),
)

# Survives the signal, for its owner; a purge removes it.
signal_history = Table(
    "signal_history",
    metadata,
    Column("signal_id", Uuid, nullable=False),
    Column("version", Integer, nullable=False),
    Column("hub_id", SmallInteger, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("action", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("by_hub", Text),
    Column("by_umbrella", Text),
    Column("client_id", Uuid),
    Column("note", Text),
    Column("changes", JSONB, nullable=False),
    PrimaryKeyConstraint("signal_id", "version"),
)

epoch = Table(
    "epoch",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("system_identifier", Text, nullable=False),
    Column("timeline", Integer, nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False, server_default=now),
)

# Position orders the stream, version orders a resource. The facts (before, after) are what the counts are folded from.
change = Table(
    "change",
    metadata,
    Column("epoch", Integer, nullable=False),
    Column("xact_id", BigInteger, nullable=False),
    Column("seq", BigInteger, Identity(always=True), nullable=False),
    Column("type", SmallInteger, nullable=False),
    Column("resource_id", Uuid),
    Column("resource_key", Text),
    Column("version", Integer, nullable=False),
    Column("op", SmallInteger, nullable=False),
    Column("audience", Integer, nullable=False),
    Column("kept", Integer, nullable=False, server_default=text("0")),
    Column("kept_hubs", ARRAY(SmallInteger)),
    Column("hub_id", SmallInteger),
    Column("owner_hub", SmallInteger),
    Column("before_audience", Integer),
    Column("at", DateTime(timezone=True), nullable=False, server_default=now),
    *(
        Column(f"{when}_{name}", type_)
        for when in ("before", "after")
        for name, type_ in (
            ("level", SmallInteger),
            ("hub", SmallInteger),
            ("region", Integer),
            ("workfields", SmallInteger),
            ("kind", Text),
            ("month", Date),
            ("themes", ARRAY(Text)),
        )
    ),
    PrimaryKeyConstraint("epoch", "xact_id", "seq"),
    Index("ix_change_resource_id", "resource_id", "version"),
    Index("ix_change_others", "epoch", "xact_id", "seq", postgresql_where=text("type <> 1")),
    Index("ix_change_public", "epoch", "xact_id", "seq", postgresql_where=text("type = 1 and audience & 1 <> 0")),
)

# Places in the log: `removed` (tombstones up to here are gone), and of everybody else who still has to read on.
log_mark = Table(
    "log_mark",
    metadata,
    Column("name", Text, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("xact_id", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
)

# The hash of the one code that opens the state of a signal, and how often codes were tried; see `infra/follow.py`.
follow_code = Table(
    "follow_code",
    metadata,
    Column("signal_id", Uuid, ForeignKey("signal.id", ondelete="CASCADE"), primary_key=True),
    Column("hub_id", SmallInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=now),
)

follow_look = Table(
    "follow_look",
    metadata,
    Column("looker", LargeBinary, primary_key=True),
    Column("minute", DateTime(timezone=True), primary_key=True),
    Column("count", Integer, nullable=False),
)

# National matters. `audience` as of signals: the network always, everybody when public, and the umbrella whose it is.
bundle = Table(
    "bundle",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("title", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("umbrella", Text),
    Column("status", Text, nullable=False),
    Column("response", Text),
    Column("visibility", Text, nullable=False),
    Column("audience", Integer, nullable=False, server_default=text("0")),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("answered_at", DateTime(timezone=True)),
    Index("ix_bundle_updated_at", text("updated_at desc"), text("id desc")),
)

bundle_signal = Table(
    "bundle_signal",
    metadata,
    Column("bundle_id", Uuid, ForeignKey("bundle.id", ondelete="CASCADE"), primary_key=True),
    Column("signal_id", Uuid, ForeignKey("signal.id", ondelete="CASCADE"), primary_key=True),
    Column("hub_id", SmallInteger, nullable=False),
    Column("audience", Integer, nullable=False),
    Column("added_at", DateTime(timezone=True), nullable=False, server_default=now),
    Index("ix_bundle_signal_signal_id", "signal_id"),
    Index("ix_bundle_signal_hub_id", "hub_id"),
)
