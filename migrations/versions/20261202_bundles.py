"""Bundles of signals with their log; follow codes: their hashes, how often they are tried, and the look that they give."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261202_bundles"
down_revision = "20261201_feeds"
branch_labels = None
depends_on = None

AS_OWNER = "security definer set search_path = public, pg_temp"
MASK = "(select coalesce(nullif(current_setting('app.mask', true), '')::int, 1))"
HUB = "(select nullif(current_setting('app.hub', true), '')::smallint)"
UMBRELLA = "(select nullif(current_setting('app.umbrella', true), ''))"
ROLE = "(select current_setting('app.role', true))"
OWN = f"case when umbrella is null then {ROLE} = 'national' else umbrella = {UMBRELLA} end"
POSITION = "(select max(id) from epoch), pg_current_xact_id()::text::bigint"
EVERYBODY = (1 << 31) - 1
NETWORK = 2 | 1 << 30
FUNCTIONS = (
    "put_follow_code(uuid, bytea)",
    "look_by_code(bytea, bytea, int, int)",
    "put_bundled(uuid, uuid[])",
    "remove_bundled(uuid, uuid)",
)


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("set local statement_timeout = '10min'")
    _bundles()
    _bundled()
    _bundle_log()
    _codes()
    _looks()
    _desks()
    configuration = op.get_context().config
    assert configuration is not None
    role = '"' + configuration.attributes["service_role"].replace('"', '""') + '"'
    op.execute(f"revoke execute on function {', '.join(FUNCTIONS)} from public")
    op.execute(f"grant select, insert, update, delete on bundle to {role}")
    op.execute(f"grant select on bundle_signal to {role}")
    op.execute(f"grant execute on function {', '.join(FUNCTIONS)} to {role}")


def _bundles() -> None:
    """A bundle is for the whole network, for everybody when it is public, and for the umbrella whose it is."""
    op.create_table(
        "bundle",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("umbrella", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("response", sa.Text(), nullable=True),
        sa.Column("visibility", sa.Text(), nullable=False),
        sa.Column("audience", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bundle")),
    )
    op.create_index(
        "ix_bundle_updated_at", "bundle", [sa.literal_column("updated_at desc"), sa.literal_column("id desc")]
    )
    op.execute("alter table bundle enable row level security")
    op.execute("alter table bundle force row level security")
    op.execute("create policy owner on bundle to current_user using (true) with check (true)")
    op.execute(f"create policy reading on bundle for select using (audience & {MASK} <> 0)")
    op.execute(f"create policy adding on bundle for insert with check ({OWN})")
    op.execute(f"create policy changing on bundle for update using ({OWN}) with check ({OWN})")
    op.execute(f"create policy removing on bundle for delete using ({OWN})")
    op.execute(f"""
        create function set_bundle_audience() returns trigger language plpgsql {AS_OWNER} as $$
        begin
            new.audience := case when new.visibility = 'public' then {EVERYBODY} else {NETWORK} | coalesce((
                select 1 << b.bit from term_bit b where b.vocabulary = 'umbrella' and b.code = new.umbrella), 0) end;
            return new;
        end $$
    """)
    op.execute(
        "create trigger set_bundle_audience before insert or update on bundle "
        "for each row execute function set_bundle_audience()"
    )


def _bundled() -> None:
    """What is in a bundle is seen by who may see both, the bundle and the signal; a hub sees where its own signals are."""
    op.create_table(
        "bundle_signal",
        sa.Column("bundle_id", sa.Uuid(), nullable=False),
        sa.Column("signal_id", sa.Uuid(), nullable=False),
        sa.Column("hub_id", sa.SmallInteger(), nullable=False),
        sa.Column("audience", sa.Integer(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["bundle_id"], ["bundle.id"], name=op.f("fk_bundle_signal_bundle_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["signal_id"], ["signal.id"], name=op.f("fk_bundle_signal_signal_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("bundle_id", "signal_id", name=op.f("pk_bundle_signal")),
    )
    op.create_index("ix_bundle_signal_signal_id", "bundle_signal", ["signal_id"])
    op.create_index("ix_bundle_signal_hub_id", "bundle_signal", ["hub_id"])
    op.execute("alter table bundle_signal enable row level security")
    op.execute("alter table bundle_signal force row level security")
    op.execute("create policy owner on bundle_signal to current_user using (true) with check (true)")
    op.execute(f"create policy reading on bundle_signal for select using (audience & {MASK} <> 0 or hub_id = {HUB})")
    # The signal is locked, so that it is not withdrawn beside this.
    op.execute(f"""
        create function put_bundled(given_bundle uuid, ids uuid[]) returns void
        language plpgsql volatile {AS_OWNER} as $$
        begin
            if not exists (select from bundle where id = given_bundle and {OWN}) then
                raise exception 'not the bundle of this actor' using errcode = 'insufficient_privilege';
            end if;
            perform 1 from signal s where s.id = any (ids) order by s.id for share;
            insert into bundle_signal (bundle_id, signal_id, hub_id, audience)
            select b.id, s.id, s.hub_id, s.audience & b.audience from bundle b, signal s
            where b.id = given_bundle and s.id = any (ids) and s.audience & {MASK} <> 0
            on conflict do nothing;
        end $$
    """)
    op.execute(f"""
        create function remove_bundled(given_bundle uuid, given_signal uuid) returns void
        language sql volatile {AS_OWNER} as $$
            delete from bundle_signal x using bundle b
            where x.bundle_id = given_bundle and x.signal_id = given_signal and b.id = x.bundle_id and {OWN}
        $$
    """)
    for table, other, id_ in (("signal", "bundle", "signal_id"), ("bundle", "signal", "bundle_id")):
        op.execute(f"""
            create function follow_bundled_{table}() returns trigger language plpgsql {AS_OWNER} as $$
            begin
                update bundle_signal x set audience = new.audience & o.audience
                from {other} o where x.{id_} = new.id and o.id = x.{other}_id;
                return null;
            end $$
        """)
        op.execute(
            f"create trigger follow_bundled_{table} after update on {table} for each row "
            f"when (old.audience <> new.audience) execute function follow_bundled_{table}()"
        )


def _bundle_log() -> None:
    """Type 7 of the change log: who may see a bundle hears of it, and who no longer does hears that."""
    op.execute(f"""
        create function log_bundle() returns trigger language plpgsql {AS_OWNER} as $$
        declare it bundle;
        begin
            it := case when tg_op = 'DELETE' then old else new end;
            insert into change (epoch, xact_id, type, resource_id, version, op, audience)
            values ({POSITION}, 7, it.id, it.version + (tg_op = 'DELETE')::int,
                case when tg_op = 'DELETE' then 2 else 1 end, it.audience);
            if tg_op = 'UPDATE' and old.audience & ~new.audience <> 0 then
                -- No hub's, said by 0: what is hidden is not told to its owner, and null would be the owner that is no hub.
                insert into change (epoch, xact_id, type, resource_id, version, op, audience, kept, owner_hub)
                values ({POSITION}, 7, new.id, new.version, 3, old.audience & ~new.audience, new.audience, 0);
            end if;
            return null;
        end $$
    """)
    op.execute(
        "create trigger log_bundle after insert or update or delete on bundle for each row execute function log_bundle()"
    )


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
                    from follow_up u where u.signal_id = s.id and u.public), '[]'),
                'bundles', coalesce((
                    select jsonb_agg(jsonb_build_object(
                        'title', case when b.visibility = 'public' then b.title end, 'matter', b.status,
                        'response', case when b.status in ('answered', 'closed') then b.response end) order by b.id)
                    from bundle_signal x join bundle b on b.id = x.bundle_id
                    where x.signal_id = s.id and s.audience <> 0), '[]'))
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
    op.execute("drop trigger follow_bundled_signal on signal")
    op.drop_table("bundle_signal")
    op.drop_table("bundle")
    for name in ("follow_bundled_signal", "follow_bundled_bundle", "log_bundle", "set_bundle_audience"):
        op.execute(f"drop function {name}()")
    op.execute("delete from change where type = 7")
