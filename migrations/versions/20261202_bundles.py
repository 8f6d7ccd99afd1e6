"""Follow codes: their hashes, how often they are tried, and the one look that they give."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261202_bundles"
down_revision = "20261129_national"
branch_labels = None
depends_on = None

AS_OWNER = "security definer set search_path = public, pg_temp"
MASK = "(select coalesce(nullif(current_setting('app.mask', true), '')::int, 1))"
HUB = "(select nullif(current_setting('app.hub', true), '')::smallint)"
FUNCTIONS = ("put_follow_code(uuid, bytea)", "look_by_code(bytea, bytea, int, int)")


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("set local statement_timeout = '10min'")
    _codes()
    _looks()
    _desks()
    configuration = op.get_context().config
    assert configuration is not None
    role = '"' + configuration.attributes["service_role"].replace('"', '""') + '"'
    op.execute(f"revoke execute on function {', '.join(FUNCTIONS)} from public")
    op.execute(f"grant execute on function {', '.join(FUNCTIONS)} to {role}")


def _codes() -> None:
    """The service reads and writes none of it itself: two functions do what is needed."""
    op.create_table(
        "follow_code",
        sa.Column("signal_id", sa.Uuid(), nullable=False),
        sa.Column("hub_id", sa.SmallInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["signal_id"], ["signal.id"], name=op.f("fk_follow_code_signal_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("signal_id", name=op.f("pk_follow_code")),
        sa.UniqueConstraint("digest", name=op.f("uq_follow_code_digest")),
    )
    # Who looked is a keyed hash of an address; '' is everybody together. Rows live two minutes.
    op.create_table(
        "follow_look",
        sa.Column("looker", sa.LargeBinary(), nullable=False),
        sa.Column("minute", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("looker", "minute", name=op.f("pk_follow_look")),
    )
    for table in ("follow_code", "follow_look"):
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        op.execute(f"create policy owner on {table} to current_user using (true) with check (true)")
    op.execute(f"""
        create function put_follow_code(given_signal uuid, given_digest bytea) returns void
        language plpgsql volatile {AS_OWNER} as $$
        begin
            insert into follow_code (signal_id, hub_id, digest)
            select s.id, s.hub_id, given_digest from signal s where s.id = given_signal and s.hub_id = {HUB}
            on conflict (signal_id) do update set digest = excluded.digest, created_at = now();
            if not found then
                raise exception 'not the signal of this hub' using errcode = 'insufficient_privilege';
            end if;
        end $$
    """)


def _desks() -> None:
    """Forwardings in the order of their terms, for an umbrella and for a hub."""
    op.create_index("ix_forwarding_hub_id", "forwarding", ["hub_id", "respond_by", "signal_id"])
    op.create_index("ix_forwarding_respond_by", "forwarding", ["umbrella", "respond_by", "signal_id"])


def _looks() -> None:
    """Counts the look, and gives the state of the signal with this code, or how long to wait, or neither. Its own address
    first, so that one who tries too often does not use up what everybody has together."""
    op.execute(f"""
        create function look_by_code(given_digest bytea, given_looker bytea, most int, most_of_all int)
        returns table (state jsonb, wait int) language plpgsql volatile {AS_OWNER} as $$
        declare
            this timestamptz := date_trunc('minute', clock_timestamp());
            looks int;
            rest int := ceil(extract(epoch from this + interval '1 minute' - clock_timestamp()))::int;
        begin
            delete from follow_look l using (
                select o.looker, o.minute from follow_look o where o.minute < this - interval '1 minute'
                limit 100 for update skip locked) old
            where l.looker = old.looker and l.minute = old.minute;
            insert into follow_look as l (looker, minute, count) values (given_looker, this, 1)
            on conflict (looker, minute) do update set count = l.count + 1 returning l.count into looks;
            if looks > most then
                return query select null::jsonb, greatest(rest, 1);
                return;
            end if;
            insert into follow_look as l (looker, minute, count) values ('', this, 1)
            on conflict (looker, minute) do update set count = l.count + 1 returning l.count into looks;
            if looks > most_of_all then
                return query select null::jsonb, greatest(rest, 1);
                return;
            end if;
            return query select followed(c.signal_id), null::int
                from (select 1) one left join follow_code c on c.digest = given_digest;
        end $$
    """)
    # In Dutch days, as people count them. What umbrellas say is shown while the signal is shared with them.
    op.execute(f"""
        create function followed(given_signal uuid) returns jsonb language sql stable {AS_OWNER} as $$
            select jsonb_build_object(
                'status', s.status,
                'receivedOn', (s.created_at at time zone 'Europe/Amsterdam')::date,
                'verifiedOn', (s.verified_at at time zone 'Europe/Amsterdam')::date,
                'updatedOn', (s.updated_at at time zone 'Europe/Amsterdam')::date,
                'hub', (select jsonb_build_object('slug', h.slug, 'name', h.name, 'contact', h.contact, 'website', h.website)
                    from hub h where h.id = s.hub_id),
                'answers', coalesce((
                    select jsonb_agg(jsonb_build_object(
                        'umbrella', (select jsonb_build_object('code', t.code, 'nl', t.label_nl, 'en', t.label_en)
                            from term t where t.vocabulary = 'umbrella' and t.code = f.umbrella),
                        'state', f.state, 'respondBy', f.respond_by,
                        'respondedAt', to_char(f.responded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                        'response', case when f.state in ('answered', 'declined') then f.response end)
                        order by f.umbrella)
                    from forwarding f where f.signal_id = s.id and s.audience <> 0), '[]'),
                'followUps', coalesce((
                    select jsonb_agg(jsonb_build_object('kind', u.kind, 'on', u.on_date, 'summary', u.summary)
                        order by u.on_date, u.id)
                    from follow_up u where u.signal_id = s.id and u.public), '[]'))
            from signal s where s.id = given_signal
        $$
    """)
    op.execute("revoke execute on function followed(uuid) from public")


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("set local statement_timeout = '10min'")
    for function in (*FUNCTIONS, "followed(uuid)"):
        op.execute(f"drop function {function}")
    op.drop_index("ix_forwarding_respond_by", "forwarding")
    op.drop_index("ix_forwarding_hub_id", "forwarding")
    op.drop_table("follow_look")
    op.drop_table("follow_code")
