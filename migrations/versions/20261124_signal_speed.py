"""Who reads or writes is told and checked in one call; indexes and functions that keep signals fast at a million."""

from __future__ import annotations

from alembic import op

revision = "20261124_signal_speed"
down_revision = "20261123_signals"
branch_labels = None
depends_on = None

FUNCTIONS = ("enter(bytea, uuid, text, text, text)",)


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("set local statement_timeout = '10min'")
    _entering()
    configuration = op.get_context().config
    assert configuration is not None
    role = '"' + configuration.attributes["service_role"].replace('"', '""') + '"'
    op.execute(f"revoke execute on function {', '.join(FUNCTIONS)} from public")
    op.execute(f"grant execute on function {', '.join(FUNCTIONS)} to {role}")


def _entering() -> None:
    """The settings that row-level security goes by, for the rest of the transaction. With a token they hold for whom the
    token is, as long as it is: otherwise nothing of the statement happens. It runs as the owner, who alone sees clients.
    """
    op.execute("""
        create function enter(token bytea, client_id uuid, role text, hub text, umbrella text) returns boolean
        language plpgsql volatile security definer set search_path = public, pg_temp as $$
        declare
            number smallint := (select h.id from hub h where h.slug = enter.hub);
        begin
            if token is not null and not exists (
                select from client c where c.token_hash = enter.token and c.id = enter.client_id
                and c.role = enter.role and c.hub_id is not distinct from number
                and c.umbrella is not distinct from enter.umbrella
                and c.revoked_at is null and (c.expires_at is null or c.expires_at > clock_timestamp())
            ) then
                raise exception 'this token does not hold any more' using errcode = 'KP401';
            end if;
            perform set_config('app.role', role, true), set_config('app.client', coalesce(client_id::text, ''), true),
                set_config('app.hub', coalesce(number::text, ''), true),
                set_config('app.umbrella', coalesce(umbrella, ''), true),
                set_config('app.mask', reader_mask(role, coalesce(umbrella, ''))::text, true);
            return true;
        end $$
    """)


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("set local statement_timeout = '10min'")
    for function in FUNCTIONS:
        op.execute(f"drop function {function}")
