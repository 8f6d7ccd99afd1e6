"""The change log is read: one identity for every resource, tombstones by the hub's own id, news for who waits, retention."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261127_pull"
down_revision = "20261123_signals"
branch_labels = None
depends_on = None

AS_OWNER = "security definer set search_path = public, pg_temp"
POSITION = "(select max(id) from epoch), pg_current_xact_id()::text::bigint"
FACTS = """
    case when {r}.audience & 1 <> 0 then 2 when {r}.audience & 2 <> 0 then 1 when {r}.status <> 'withdrawn' then 0 end::smallint,
    {r}.hub_id, {r}.region_id, case when {r}.workfields_source = 'cross-cutting' then 0 else {r}.workfields end::smallint,
    {r}.kind, date_trunc('month', {r}.heard_on)::date, {r}.themes
"""
FACT_COLUMNS = "before_level, before_hub, before_region, before_workfields, before_kind, before_month, before_themes"
HORIZON = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
# A key that is a text (the slug of a hub) as an id, so that one index leads to all entries of any resource.
HUB_ID = "md5('hub/' || {slug})::uuid"
REFERENCE_ID = "md5('reference-data')::uuid"


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("set local statement_timeout = '10min'")
    op.execute(f"update change set resource_id = {HUB_ID.format(slug='resource_key')} where type = 3")
    op.execute(f"update change set type = 4, resource_id = {REFERENCE_ID} where type = 5 and resource_id is null")
    _logging()
    _others()
    _marks()
    _news()
    configuration = op.get_context().config
    assert configuration is not None
    role = '"' + configuration.attributes["service_role"].replace('"', '""') + '"'
    functions = "change_news(int, bigint, bigint), change_since(timestamptz)"
    op.execute(f"revoke execute on function {functions} from public")
    op.execute(f"grant execute on function {functions} to {role}")
    op.execute(f"grant select on log_mark to {role}")


def _logging() -> None:
    """Hubs and reference data with an id of their own; a tombstone of a signal with the id that its hub gave it."""
    op.execute(f"""
        create or replace function log_hub() returns trigger language plpgsql {AS_OWNER} as $$
        declare it hub;
        begin
            it := case when tg_op = 'DELETE' then old else new end;
            if tg_op = 'UPDATE' and old.version = new.version then  -- a loader's finishing touch, no change of the hub
                return null;
            end if;
            insert into change (epoch, xact_id, type, resource_id, resource_key, version, op, audience, owner_hub)
            values ({POSITION}, 3, {HUB_ID.format(slug="it.slug")}, it.slug, it.version + (tg_op = 'DELETE')::int,
                case when tg_op = 'DELETE' then 2 else 1 end, 3, it.id);
            return null;
        end $$
    """)
    # A hub that comes back goes on where it ended: beneath its tombstone nobody would ever hear of it.
    op.execute(f"""
        create function continue_hub() returns trigger language plpgsql {AS_OWNER} as $$
        begin
            new.version := greatest(new.version, (select max(c.version) + 1 from change c
                where c.resource_id = {HUB_ID.format(slug="new.slug")}));
            return new;
        end $$
    """)
    op.execute("create trigger continue_hub before insert on hub for each row execute function continue_hub()")
    op.execute(f"""
        create or replace function log_dataset() returns trigger language plpgsql {AS_OWNER} as $$
        begin
            insert into change (epoch, xact_id, type, resource_id, resource_key, version, op, audience)
            values ({POSITION}, 4, {REFERENCE_ID}, new.edition, new.id, 1, 3);
            return null;
        end $$
    """)
    op.execute(f"""
        create or replace function log_signals_removed() returns trigger language plpgsql {AS_OWNER} as $$
        begin
            insert into change (epoch, xact_id, type, resource_id, resource_key, version, op, audience, hub_id, owner_hub,
                {FACT_COLUMNS})
            select {POSITION}, 1, o.id, o.external_id, o.version + 1, 2, o.audience, o.hub_id, o.hub_id,
                {FACTS.format(r="o")}
            from old_rows o;
            return null;
        end $$
    """)


def _others() -> None:
    """Who asks for hubs alone must not walk past two million signals: 0.9 s became a few milliseconds."""
    op.create_index(
        "ix_change_others", "change", ["epoch", "xact_id", "seq"], unique=False, postgresql_where=sa.text("type <> 1")
    )


def _marks() -> None:
    """Places in the log. `removed`: tombstones up to here are gone, a cursor from before is too old. Any other name is
    somebody who still has to read what comes after (the counts of the national layer): compaction stops there."""
    op.create_table(
        "log_mark",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("xact_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_log_mark")),
    )


def _news() -> None:
    """Who waits is told by one look for all: whom the entries since the last look are for, not what they say."""
    op.execute(f"""
        create function change_news(after_epoch int, after_xact bigint, after_seq bigint)
        returns table (epoch int, xact_id bigint, seq bigint, horizon bigint, ahead bigint, audience int,
            umbrellas text[], hubs text[], types smallint[])
        language plpgsql stable {AS_OWNER} as $$
        declare
            present int := (select max(e.id) from epoch e);
            final bigint := {HORIZON};
        begin
            if after_epoch is null then  -- the first look: where the log ends
                return query select coalesce(c.epoch, 0), coalesce(c.xact_id, 0), coalesce(c.seq, 0), final, final, 0,
                    '{{}}'::text[], '{{}}'::text[], '{{}}'::smallint[]
                from (select 1) one left join lateral (select * from change l
                    where l.epoch < present or l.xact_id < final
                    order by l.epoch desc, l.xact_id desc, l.seq desc limit 1) c on true;
                return;
            end if;
            return query
            with fresh as materialized (
                select c.* from change c
                where (c.epoch, c.xact_id, c.seq) > (after_epoch, after_xact, after_seq)
                    and (c.epoch < present or c.xact_id < final)
                order by c.epoch, c.xact_id, c.seq limit 5000
            ), last as (
                select f.epoch, f.xact_id, f.seq from fresh f order by f.epoch desc, f.xact_id desc, f.seq desc limit 1
            ), whom as (select bit_or(f.audience) as bits from fresh f)
            select last.epoch, last.xact_id, last.seq, final, pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
                whom.bits,
                array(select t.code from term t where t.vocabulary = 'umbrella' and whom.bits & umbrella_bit(t.code) <> 0),
                array(select h.slug from hub h where h.id in (select f.hub_id from fresh f)),
                array(select distinct f.type from fresh f)
            from whom left join last on true;
        end $$
    """)
    # Times go up with the position, but for transactions that began long before they wrote: a day is left for those.
    op.execute("""
        create function change_since(moment timestamptz)
        returns table (epoch int, xact_id bigint, seq bigint) language plpgsql stable
        security definer set search_path = public, pg_temp as $$
        declare
            low bigint; high bigint; middle bigint; seen timestamptz; era int;
        begin
            era := coalesce((select max(e.id) from epoch e where e.opened_at <= moment), (select min(e.id) from epoch e));
            low := coalesce((select min(c.xact_id) from change c where c.epoch = era), 0);
            high := coalesce((select max(c.xact_id) from change c where c.epoch = era), 0) + 1;
            while low < high loop
                middle := low + (high - low) / 2;
                select c.at into seen from change c where c.epoch = era and c.xact_id >= middle
                    order by c.xact_id, c.seq limit 1;
                if seen < moment - interval '1 day' then low := middle + 1; else high := middle; end if;
            end loop;
            return query select c.epoch, c.xact_id, c.seq - 1 from change c
                where (c.epoch, c.xact_id, c.seq) >= (era, low, 0::bigint) and c.at >= moment
                order by c.epoch, c.xact_id, c.seq limit 1;
            if not found then
                return query select max(e.id), pg_snapshot_xmin(pg_current_snapshot())::text::bigint, 0::bigint from epoch e;
            end if;
        end $$
    """)


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("set local statement_timeout = '10min'")
    op.execute("drop function change_since(timestamptz)")
    op.execute("drop function change_news(int, bigint, bigint)")
    op.drop_table("log_mark")
    op.drop_index("ix_change_others", table_name="change", postgresql_where=sa.text("type <> 1"))
    op.execute("drop trigger continue_hub on hub")
    op.execute("drop function continue_hub()")
    op.execute(f"""
        create or replace function log_hub() returns trigger language plpgsql {AS_OWNER} as $$
        declare it hub;
        begin
            it := case when tg_op = 'DELETE' then old else new end;
            if tg_op = 'UPDATE' and old.version = new.version then
                return null;
            end if;
            insert into change (epoch, xact_id, type, resource_key, version, op, audience, owner_hub)
            values ({POSITION}, 3, it.slug, it.version + (tg_op = 'DELETE')::int,
                case when tg_op = 'DELETE' then 2 else 1 end, 3, it.id);
            return null;
        end $$
    """)
    op.execute(f"""
        create or replace function log_dataset() returns trigger language plpgsql {AS_OWNER} as $$
        begin
            insert into change (epoch, xact_id, type, resource_key, version, op, audience)
            values ({POSITION}, 5, new.edition, new.id, 1, 3);
            return null;
        end $$
    """)
    op.execute(f"""
        create or replace function log_signals_removed() returns trigger language plpgsql {AS_OWNER} as $$
        begin
            insert into change (epoch, xact_id, type, resource_id, version, op, audience, hub_id, owner_hub, {FACT_COLUMNS})
            select {POSITION}, 1, o.id, o.version + 1, 2, o.audience, o.hub_id, o.hub_id, {FACTS.format(r="o")}
            from old_rows o;
            return null;
        end $$
    """)
    op.execute("update change set resource_key = null where type = 1")
    op.execute("update change set type = 5, resource_id = null where type = 4")
    op.execute("update change set resource_id = null where type = 3")
