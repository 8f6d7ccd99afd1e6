"""The tables of counts: cells folded from the change log, what is made of them, and how far that is."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    Double,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

from app.infra.tables import metadata

# Signals that are alike in all that is counted, by the region as named and all their themes together. `audience`: 1 for
# everybody, 2 and up for the network with the bits of the umbrellas it was routed to, 0 for its own hub.
count_cell = Table(
    "count_cell",
    metadata,
    Column("audience", Integer, nullable=False),
    Column("hub_id", SmallInteger, nullable=False),
    Column("region_id", Integer, nullable=False),
    Column("workfields", SmallInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("month", Date, nullable=False),
    Column("themes", ARRAY(Text), nullable=False),
    Column("n", Integer, nullable=False),
    Column("keys", BigInteger, nullable=False),
    PrimaryKeyConstraint("month", "hub_id", "region_id", "audience", "workfields", "kind", "themes"),
    Index("ix_count_cell_empty", "n", postgresql_where=text("n = 0")),
    Index("ix_count_cell_own", "hub_id", "month", postgresql_where=text("audience = 0")),
)

# The network-only part by one thing besides theme and time, for calendar units: what the cell-key method works on.
count_source = Table(
    "count_source",
    metadata,
    Column("part", Text, nullable=False),
    Column("month", Date, nullable=False),
    Column("theme", Text, nullable=False),
    Column("key", Integer, nullable=False),
    Column("unit", SmallInteger, nullable=False),
    Column("n", Integer, nullable=False),
    Column("keys", BigInteger, nullable=False),
    PrimaryKeyConstraint("part", "unit", "month", "theme", "key"),
    Index(
        "ix_count_source_shown",
        "part", "unit", "month", "theme", "key", "n", "keys",
        postgresql_where=text("n >= 3"),
    ),
)  # fmt: skip

# Counts by one thing besides theme and month; regions spread over each scheme as it is today. One number for each bit of
# an audience; a main theme and the empty theme (all) count each signal once.
count_summary = Table(
    "count_summary",
    metadata,
    Column("part", Text, nullable=False),
    Column("month", Date, nullable=False),
    Column("theme", Text, nullable=False),
    Column("key", Integer, nullable=False),
    Column("n", ARRAY(Double), nullable=False),
    Column("spread", ARRAY(Double), nullable=False),
    PrimaryKeyConstraint("part", "month", "theme", "key"),
)

count_share = Table(
    "count_share",
    metadata,
    Column("scheme", Text, nullable=False),
    Column("source_id", Integer, nullable=False),
    Column("target_id", Integer, nullable=False),
    Column("share", Double, nullable=False),
    PrimaryKeyConstraint("source_id", "scheme", "target_id"),
)

# How far the log was folded (all before this transaction), and which public data the summaries were made with.
count_state = Table(
    "count_state",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False),
    Column("xact_id", BigInteger, nullable=False),
    Column("catalogue", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("valid_to", Date, nullable=False),
    Column("slots", SmallInteger, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)
