"""Feeds of the umbrellas, the national coordination and the public: each read with the eyes of those it is made for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261201_feeds"
down_revision = "20261130_federation"
branch_labels = None
depends_on = None

AS_OWNER = "security definer set search_path = public, pg_temp"
NETWORK_BIT, NATIONAL_BIT = 2, 1 << 30
SIGNATURE = "enter_feed(bytea, uuid, text, text, text, text)"


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("set local statement_timeout = '10min'")
    # With the bits of the feed alone, row-level security itself chooses its entries: a signal that was made less public,
    # or goes to others now, comes as an entry for who lost it; a hub's own drafts are in no feed, whoever reads. False, and
    # no bits at all, for who may not read it and for a feed that is not there.
    op.execute(f"""
        create function enter_feed(token bytea, client_id uuid, role text, hub text, umbrella text, feed text)
        returns boolean language plpgsql volatile {AS_OWNER} as $$
        declare
            bits int := 0;
        begin
            perform enter(token, client_id, role, hub, umbrella);
            if feed = 'openbaar' then
                bits := 1;
            elsif feed = 'landelijk' and role = 'national' then
                bits := {NETWORK_BIT | NATIONAL_BIT};
            elsif role = 'national' or (role = 'umbrella' and umbrella = feed) then
                bits := coalesce(umbrella_bit(feed), 0);
            end if;
            perform set_config('app.hub', '', true), set_config('app.umbrella', '', true),
                set_config('app.mask', bits::text, true);
            return bits <> 0;
        end $$
    """)
    # Little may be public of much: the feed for everybody must not walk past all the rest.
    op.create_index(
        "ix_change_public",
        "change",
        ["epoch", "xact_id", "seq"],
        postgresql_where=sa.text("type = 1 and audience & 1 <> 0"),
    )
    configuration = op.get_context().config
    assert configuration is not None
    role = '"' + configuration.attributes["service_role"].replace('"', '""') + '"'
    op.execute(f"revoke execute on function {SIGNATURE} from public")
    op.execute(f"grant execute on function {SIGNATURE} to {role}")


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("set local statement_timeout = '10min'")
    op.drop_index("ix_change_public", table_name="change", postgresql_where=sa.text("type = 1 and audience & 1 <> 0"))
    op.execute(f"drop function {SIGNATURE}")
