"""Federation: other instances whose changes are taken over, and which hubs are kept there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261130_federation"
down_revision = "20261129_national"
branch_labels = None
depends_on = None

AS_OWNER = "security definer set search_path = public, pg_temp"
HUB = "(select nullif(current_setting('app.hub', true), '')::smallint)"
SOURCE = "(select nullif(current_setting('app.source', true), '')::smallint)"
SYSTEM = "(select current_setting('app.role', true) = 'system')"
TABLES = ("source", "source_hub", "source_copy", "source_refusal")


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("set local statement_timeout = '10min'")
    _tables()
    for table in TABLES:
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        op.execute(f"create policy owner on {table} to current_user using (true) with check (true)")
        # The worker alone: no reader, whoever he is, sees an address with its token.
        op.execute(f"create policy working on {table} using ({SYSTEM}) with check ({SYSTEM})")
    _kept_elsewhere()
    _went_back()
    configuration = op.get_context().config
    assert configuration is not None
    role = '"' + configuration.attributes["service_role"].replace('"', '""') + '"'
    op.execute(f"grant select, update on source to {role}")
    op.execute(f"grant select on source_hub to {role}")
    op.execute(f"grant select, insert, update, delete on source_copy, source_refusal to {role}")
    op.execute("revoke execute on function source_went_back(smallint, uuid[], int[]) from public")
    op.execute(f"grant execute on function source_went_back(smallint, uuid[], int[]) to {role}")


def _kept_elsewhere() -> None:
    """What is kept at another instance is changed there. Only who takes its changes over writes here, and says so."""
    op.execute(f"""
        create function check_kept_here() returns trigger language plpgsql {AS_OWNER} as $$
        declare home text;
        begin
            select s.url into home from source_hub h join source s on s.id = h.source_id
            where h.hub_id = {HUB} and h.source_id is distinct from {SOURCE};
            if found then
                raise exception 'kept elsewhere' using errcode = 'KP403', detail = home;
            end if;
            return null;
        end $$
    """)
    op.execute(
        "create trigger check_kept_here before insert or update or delete on signal "
        "for each statement execute function check_kept_here()"
    )
    op.execute(f"""
        create function check_answer_kept_here() returns trigger language plpgsql {AS_OWNER} as $$
        declare home text;
        begin
            select s.url into home from source_hub h join source s on s.id = h.source_id where h.hub_id = old.hub_id;
            if found then
                raise exception 'kept elsewhere' using errcode = 'KP403', detail = home;
            end if;
            return new;
        end $$
    """)
    op.execute(
        "create trigger check_answer_kept_here before update of state, response on forwarding for each row "
        "when (nullif(current_setting('app.umbrella', true), '') is not null) execute function check_answer_kept_here()"
    )


def _went_back() -> None:
    """A source that was brought back from a backup has lower versions than the log here. The entries of these resources
    keep their place and their facts, but count as older than what comes now; a new epoch tells every reader."""
    op.execute(f"""
        create function source_went_back(given_source smallint, ids uuid[], versions int[]) returns boolean
        language plpgsql volatile {AS_OWNER} as $$
        declare found_any boolean;
        begin
            with given as (select unnest(ids) as id, unnest(versions) as version), renumbered as (
                update change c set version = g.version - 1 from given g
                where c.resource_id = g.id and c.type = 1 and c.version >= g.version
                    and c.owner_hub in (select h.hub_id from source_hub h where h.source_id = given_source)
                returning 1
            ) select exists (select from renumbered) into found_any;
            if found_any and not (select s.told from source s where s.id = given_source) then
                lock table change in share row exclusive mode;
                insert into epoch (system_identifier, timeline)
                    select e.system_identifier, e.timeline from epoch e order by e.id desc limit 1;
                update source set told = true where id = given_source;
            end if;
            return found_any;
        end $$
    """)


def _tables() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "source",
        sa.Column("id", sa.SmallInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=True),
        sa.Column("paused", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("reading", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("anew", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("told", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("received", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("error_at", moment, nullable=True),
        sa.Column("next_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.Column("level_at", moment, nullable=True),
        sa.Column("added_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source")),
        sa.UniqueConstraint("url", name=op.f("uq_source_url")),
    )
    op.create_table(
        "source_hub",
        sa.Column("hub_id", sa.SmallInteger(), nullable=False),
        sa.Column("source_id", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(["hub_id"], ["hub.id"], name=op.f("fk_source_hub_hub_id")),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("fk_source_hub_source_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("hub_id", name=op.f("pk_source_hub")),
    )
    op.create_table(
        "source_copy",
        sa.Column("source_id", sa.SmallInteger(), nullable=False),
        sa.Column("resource_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("reading", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_source_copy_source_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("source_id", "resource_id", name=op.f("pk_source_copy")),
    )
    op.create_table(
        "source_refusal",
        sa.Column("source_id", sa.SmallInteger(), nullable=False),
        sa.Column("resource_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("faults", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("at", moment, server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_source_refusal_source_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("source_id", "resource_id", name=op.f("pk_source_refusal")),
    )


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("set local statement_timeout = '10min'")
    op.execute("drop function source_went_back(smallint, uuid[], int[])")
    op.execute("drop trigger check_answer_kept_here on forwarding")
    op.execute("drop trigger check_kept_here on signal")
    op.execute("drop function check_answer_kept_here()")
    op.execute("drop function check_kept_here()")
    for table in reversed(TABLES):
        op.drop_table(table)
