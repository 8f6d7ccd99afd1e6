"""The tables of questions: the question with its matrix, mix and outcome, its signals, its history."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
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

_NONE = text("'{}'")
_EMPTY = text("'[]'")

# `audience` as with signals. `hubs` are of it (the lead first), `invited` may become so; `readers` are both, kept by
# trigger for the policies. What goes by the version of the question lies in it, as documents of our own making.
question = Table(
    "question",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("hub_id", SmallInteger, ForeignKey("hub.id"), nullable=False),
    Column("hubs", ARRAY(SmallInteger), nullable=False),
    Column("invited", ARRAY(SmallInteger), nullable=False, server_default=_NONE),
    Column("readers", ARRAY(SmallInteger), nullable=False),
    Column("external_id", Text),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("stakeholder_id", Uuid, ForeignKey("organisation.id", ondelete="SET NULL")),
    Column("region_ids", ARRAY(Integer), nullable=False),
    Column("themes", ARRAY(Text), nullable=False),
    Column("workfields", ARRAY(Text), nullable=False),
    Column("workfields_source", Text, nullable=False),
    Column("methods", ARRAY(Text), nullable=False, server_default=_NONE),
    Column("levels", JSONB, nullable=False),
    Column("phases", JSONB, nullable=False, server_default=_EMPTY),
    Column("cells", JSONB, nullable=False, server_default=_EMPTY),
    Column("mix", JSONB, nullable=False, server_default=_EMPTY),
    Column("imbalance_reason", Text),
    Column("balance", JSONB, nullable=False),
    Column("compensation", JSONB),
    Column("period_from", Date),
    Column("period_to", Date),
    Column("requested_on", Date),
    Column("recruited_on", Date),
    Column("status", Text, nullable=False),
    Column("outcome", JSONB),
    Column("visibility", Text, nullable=False),
    Column("opened_at", DateTime(timezone=True)),
    Column("concluded_at", DateTime(timezone=True)),
    Column("audience", Integer, nullable=False, server_default=text("0")),
    Column("figures", ARRAY(Integer), nullable=False),
    Column("marks", ARRAY(Text), nullable=False, server_default=_NONE),
    Column("search", TSVECTOR, nullable=False),
    Column("demonstration", Boolean, nullable=False, server_default=text("false")),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=now),
    UniqueConstraint("hub_id", "external_id"),
    CheckConstraint("hub_id = any (hubs)", name="lead"),
    Index("ix_question_hub_id", "hub_id", text("id desc")),
    Index("ix_question_updated_at", text("updated_at desc"), text("id desc")),
    Index("ix_question_search", "search", postgresql_using="gin"),
    Index("ix_question_themes", "themes", postgresql_using="gin"),
)

question_signal = Table(
    "question_signal",
    metadata,
    Column("question_id", Uuid, ForeignKey("question.id", ondelete="CASCADE"), nullable=False),
    Column("signal_id", Uuid, ForeignKey("signal.id", ondelete="CASCADE"), nullable=False),
    Column("audience", Integer, nullable=False),
    Column("readers", ARRAY(SmallInteger), nullable=False),
    Column("linked_at", DateTime(timezone=True), nullable=False, server_default=now),
    PrimaryKeyConstraint("question_id", "signal_id"),
    Index("ix_question_signal_signal_id", "signal_id"),
)

# Survives the question, for its hubs; a purge removes it.
question_history = Table(
    "question_history",
    metadata,
    Column("question_id", Uuid, nullable=False),
    Column("version", Integer, nullable=False),
    Column("readers", ARRAY(SmallInteger), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("action", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("by_hub", Text),
    Column("client_id", Uuid),
    Column("note", Text),
    Column("changes", JSONB, nullable=False),
    PrimaryKeyConstraint("question_id", "version"),
)

MEASURES = (
    "questions", "concluded", *(f"{moment}_{rank}" for moment in ("intended", "agreed", "achieved") for rank in range(1, 6)),
    "as_promised", "less", "more", "told_back", "mixed", "balanced", "compensated", "seldom", "together", "confirmed",
    "transparent", "followed", "life_world", "from_signals", "cells", "cells_of_people", "whole_matrix",
)  # fmt: skip

# Sums over questions, by what they are grouped by; differences are appended by trigger, and folded now and then. `month` is
# that of opening, empty for all time.
participation_tally = Table(
    "participation_tally",
    metadata,
    Column("dimension", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("audience", Integer, nullable=False),
    Column("readers", ARRAY(SmallInteger), nullable=False),
    *(Column(name, Integer, nullable=False) for name in MEASURES),
    Column("month", Text, nullable=False, server_default=text("''")),
    Index("ix_participation_tally_dimension", "dimension", "month"),
)

# How many questions have this value of a mark: a method, a group, a number of days (`question.marks`).
participation_mark = Table(
    "participation_mark",
    metadata,
    Column("dimension", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("month", Text, nullable=False),
    Column("audience", Integer, nullable=False),
    Column("readers", ARRAY(SmallInteger), nullable=False),
    Column("name", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("n", Integer, nullable=False),
    Index("ix_participation_mark_dimension", "dimension", "key", "month"),
)

# What umbrellas did with what was forwarded to them, by the month of the term; `due` where no answer came yet.
answer_tally = Table(
    "answer_tally",
    metadata,
    Column("hub_id", SmallInteger, nullable=False),
    Column("month", Text, nullable=False),
    Column("audience", Integer, nullable=False),
    Column("due", Date),
    *(Column(name, Integer, nullable=False) for name in ("forwarded", "responded", "answered", "in_time", "on_agenda")),
    Index("ix_answer_tally_hub_id", "hub_id", "month"),
)
