"""Clients of an OpenID Connect issuer, next to those with a token of our own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261122_identity"
down_revision = "20261121_house"
branch_labels = None
depends_on = None

FUNCTIONS = (
    "federated_client(uuid, text, text)",
    "federated_client_used(uuid, text, text, text, text, text)",
)


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("set local statement_timeout = '10min'")
    op.add_column("client", sa.Column("issuer", sa.Text(), nullable=True))
    op.alter_column("client", "token_hash", nullable=True)
    # One of the two: a federated client never gets a token of ours, and ours is never somebody else's.
    op.create_check_constraint(
        op.f("ck_client_token_or_issuer"), "client", "(token_hash is null) = (issuer is not null)"
    )
    _functions()
    configuration = op.get_context().config
    assert configuration is not None
    role = '"' + configuration.attributes["service_role"].replace('"', '""') + '"'
    op.execute(f"revoke execute on function {', '.join(FUNCTIONS)} from public")
    op.execute(f"grant execute on function {', '.join(FUNCTIONS)} to {role}")


def _functions() -> None:
    """What the service may do with rows that it may not see: they run as the owner, as `client_of` does."""
    as_owner = "security definer set search_path = public, pg_temp"
    # Always one row, so that one question answers everything about the claims of a token.
    op.execute(f"""
        create function federated_client(client_id uuid, hub_slug text, umbrella_code text) returns table (
            hub_known boolean, umbrella_known boolean, last_used_at timestamptz, revoked_at timestamptz
        ) language sql stable {as_owner} as $$
            select exists (select from hub h where h.slug = $2),
                exists (select from term t where t.vocabulary = 'umbrella' and t.code = $3),
                c.last_used_at, c.revoked_at
            from (values (1)) one left join client c on c.id = $1
        $$
    """)
    # The token says who somebody is; the row keeps what idempotency keys and `client revoke` refer to.
    op.execute(f"""
        create function federated_client_used(
            client_id uuid, token_issuer text, client_name text, actor_role text, hub_slug text, umbrella_code text
        ) returns void language sql {as_owner} as $$
            insert into client (id, issuer, name, role, hub_id, umbrella, last_used_at)
            values ($1, $2, $3, $4, (select h.id from hub h where h.slug = $5), $6, now())
            on conflict (id) do update set name = excluded.name, role = excluded.role, hub_id = excluded.hub_id,
                umbrella = excluded.umbrella, last_used_at = excluded.last_used_at
            where client.issuer is not null
        $$
    """)


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("set local statement_timeout = '10min'")
    for function in FUNCTIONS:
        op.execute(f"drop function {function}")
    op.execute("delete from client where token_hash is null")
    op.drop_constraint(op.f("ck_client_token_or_issuer"), "client", type_="check")
    op.alter_column("client", "token_hash", nullable=False)
    op.drop_column("client", "issuer")
