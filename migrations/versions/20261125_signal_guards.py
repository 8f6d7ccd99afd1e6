"""Bits that are given once and for good, and epochs that open by themselves wherever the service finds itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261125_signal_guards"
down_revision = "20261124_signal_speed"
branch_labels = None
depends_on = None

NATIONAL_BIT = 1 << 30
AS_OWNER = "security definer set search_path = public, pg_temp"


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("set local statement_timeout = '10min'")
    _bits()
    _epochs()
    configuration = op.get_context().config
    assert configuration is not None
    role = '"' + configuration.attributes["service_role"].replace('"', '""') + '"'
    op.execute("revoke execute on function epoch_is_over(), keep_epoch() from public")
    op.execute(f"grant execute on function keep_epoch() to {role}")


def _bits() -> None:
    """An umbrella and a workfield have a bit in the masks of readers and signals. By their rank, a new umbrella between
    two others would have shown each the signals of the next. `term_bit` remembers the bits of those that went, too."""
    op.create_table(
        "term_bit",
        sa.Column("vocabulary", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("bit", sa.SmallInteger(), nullable=False),
        # 1 and 2 (bits 0 and 1) are the public and the network, bit 30 the national coordination.
        sa.CheckConstraint(
            "vocabulary = 'umbrella' and bit between 2 and 29 or vocabulary = 'workfield' and bit between 0 and 14",
            name=op.f("ck_term_bit_room"),
        ),
        sa.PrimaryKeyConstraint("vocabulary", "code", name=op.f("pk_term_bit")),
        sa.UniqueConstraint("vocabulary", "bit", name=op.f("uq_term_bit_vocabulary_bit")),
    )
    # Rows that exist were written with the bit of the rank.
    op.execute("""
        insert into term_bit (vocabulary, code, bit)
        select vocabulary, code, case vocabulary when 'umbrella' then rank + 1 else rank - 1 end
        from term where vocabulary in ('umbrella', 'workfield')
    """)
    op.add_column("term", sa.Column("bit", sa.SmallInteger(), nullable=True))
    op.execute("update term t set bit = b.bit from term_bit b where b.vocabulary = t.vocabulary and b.code = t.code")
    op.execute("""
        create function keep_term_bit() returns trigger language plpgsql set search_path = public, pg_temp as $$
        begin
            if not exists (select from term_bit b where b.vocabulary = new.vocabulary and b.code = new.code) then
                insert into term_bit (vocabulary, code, bit)
                select new.vocabulary, new.code,
                    coalesce(max(b.bit) + 1, case new.vocabulary when 'umbrella' then 2 else 0 end)
                from term_bit b where b.vocabulary = new.vocabulary;
            end if;
            new.bit := (select b.bit from term_bit b where b.vocabulary = new.vocabulary and b.code = new.code);
            return new;
        end $$
    """)
    op.execute(
        "create trigger keep_term_bit before insert on term for each row "
        "when (new.vocabulary in ('umbrella', 'workfield')) execute function keep_term_bit()"
    )
    # The terms that are there: who is an umbrella no more reads what everybody reads.
    op.execute("""
        create or replace function workfield_mask(codes text[]) returns smallint language sql stable set search_path = public, pg_temp as $$
            select coalesce(bit_or(1 << t.bit), 0)::smallint from term t
            where t.vocabulary = 'workfield' and t.code = any (codes)
        $$
    """)
    op.execute("""
        create or replace function umbrella_bit(code text) returns int language sql stable set search_path = public, pg_temp as $$
            select 1 << (select t.bit from term t where t.vocabulary = 'umbrella' and t.code = umbrella_bit.code)
        $$
    """)
    # A forwarding keeps the bit of its umbrella, also of one that went: it may come back.
    op.execute(f"""
        create or replace function forwarding_audience(signal_audience int, umbrella text) returns int language sql stable
        {AS_OWNER} as $$
            select case when signal_audience = 0 then 0
                when signal_audience & 1 <> 0 then signal_audience | {NATIONAL_BIT}
                else {NATIONAL_BIT} | coalesce((
                    select 1 << b.bit from term_bit b
                    where b.vocabulary = 'umbrella' and b.code = forwarding_audience.umbrella), 0) end
        $$
    """)


def _epochs() -> None:
    """As the owner: the service sees neither all of the log nor may it write an epoch. This is all that it may do."""
    op.execute(f"""
        create function epoch_is_over() returns boolean language sql stable {AS_OWNER} as $$
            select coalesce((
                select (e.system_identifier, e.timeline) is distinct from (
                        (select system_identifier::text from pg_control_system()),
                        (select timeline_id from pg_control_checkpoint()))
                    -- An id that this cluster has not given out yet: the log was written in another. As a maximum, which is
                    -- one step in the index: for `exists` the planner expects a third of the log to match, and scans it.
                    or coalesce((select max(c.xact_id) from change c where c.epoch = e.id)
                        >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint, false)
                from epoch e order by e.id desc limit 1), true)
        $$
    """)
    op.execute(f"""
        create function keep_epoch() returns boolean language plpgsql volatile {AS_OWNER} as $$
        begin
            if pg_is_in_recovery() or not epoch_is_over() then
                return false;
            end if;
            -- Waits for the writers under way, so that none ends in the old epoch behind a reader who went on to the new
            -- one; readers read on. Not on `epoch`: two who have read it would wait for each other for ever.
            perform set_config('lock_timeout', '30s', true);
            lock table change in share row exclusive mode;
            -- The first is made by the migration, in this very cluster.
            update epoch set system_identifier = s.system_identifier::text, timeline = c.timeline_id
                from pg_control_system() s, pg_control_checkpoint() c
                where epoch.system_identifier = '' and epoch.id = (select max(id) from epoch);
            if not epoch_is_over() then
                return false;
            end if;
            insert into epoch (system_identifier, timeline)
                select s.system_identifier::text, c.timeline_id from pg_control_system() s, pg_control_checkpoint() c;
            return true;
        end $$
    """)


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("set local statement_timeout = '10min'")
    op.execute("drop function keep_epoch()")
    op.execute("drop function epoch_is_over()")
    op.execute("""
        create or replace function workfield_mask(codes text[]) returns smallint language sql stable set search_path = public, pg_temp as $$
            select coalesce(bit_or(1 << (t.rank - 1)), 0)::smallint from term t
            where t.vocabulary = 'workfield' and t.code = any (codes)
        $$
    """)
    op.execute("""
        create or replace function umbrella_bit(code text) returns int language sql stable set search_path = public, pg_temp as $$
            select 2 << (select t.rank from term t where t.vocabulary = 'umbrella' and t.code = umbrella_bit.code)
        $$
    """)
    op.execute(f"""
        create or replace function forwarding_audience(signal_audience int, umbrella text) returns int language sql stable
        set search_path = public, pg_temp as $$
            select case when signal_audience = 0 then 0
                when signal_audience & 1 <> 0 then signal_audience | {NATIONAL_BIT}
                else {NATIONAL_BIT} | umbrella_bit(umbrella) end
        $$
    """)
    op.execute("drop trigger keep_term_bit on term")
    op.execute("drop function keep_term_bit()")
    op.drop_column("term", "bit")
    op.drop_table("term_bit")
