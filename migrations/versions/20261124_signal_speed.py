"""Who reads or writes is told and checked in one call; indexes and functions that keep signals fast at a million."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "20261124_signal_speed"
down_revision = "20261123_signals"
branch_labels = None
depends_on = None

# As in the migration of signals: who may see a row.
SEES = """(s.audience & (select coalesce(nullif(current_setting('app.mask', true), '')::int, 1)) <> 0
    or s.hub_id = (select nullif(current_setting('app.hub', true), '')::smallint))"""
OTHERS = f"s.id <> one.id and s.hub_id <> one.hub_id and {SEES}"
# Two of the five longest words first: the index alone tells where they meet, so that few rows are read. Any word of the
# title, which may stand in every fifth signal, only where those gave too little.
_BY_PAIRS = f"""
    pairs as (
        select to_tsquery('simple', string_agg(quote_literal(a.lexeme) || ' & ' || quote_literal(b.lexeme), ' | ')) as query
        from (select * from lexemes order by length(lexeme) desc, lexeme limit 5) a
        join (select * from lexemes order by length(lexeme) desc, lexeme limit 5) b on a.lexeme < b.lexeme
    ),
    close as (
        select s.id, s.search, s.themes from signal s, one, pairs where s.search @@ pairs.query and {OTHERS} limit 600
    ),
    further as (
        select s.id, s.search, s.themes from signal s, one, words
        where (select count(*) from close) < most and s.search @@ words.query and {OTHERS}
            and s.id not in (select c.id from close c) limit 600
    ),
    found as (select * from close union all select * from further)
"""
_BY_ANY = f"""
    found as (
        select s.id, s.search, s.themes from signal s, one, words where s.search @@ words.query and {OTHERS} limit 3000
    )
"""
FUNCTIONS = ("enter(bytea, uuid, text, text, text)",)


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("set local statement_timeout = '10min'")
    _entering()
    _finding()
    _likeness(_BY_PAIRS)
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
            number smallint;
            done text;
        begin
            if hub is not null then
                select h.id into number from hub h where h.slug = enter.hub;
            end if;
            if token is not null then
                perform from client c where c.token_hash = enter.token and c.id = enter.client_id
                    and c.role = enter.role and c.hub_id is not distinct from number
                    and c.umbrella is not distinct from enter.umbrella
                    and c.revoked_at is null and (c.expires_at is null or c.expires_at > clock_timestamp());
                if not found then
                    raise exception 'this token does not hold any more' using errcode = 'KP401';
                end if;
            end if;
            -- One expression: five statements took twice as long.
            done := set_config('app.role', role, true) || set_config('app.client', coalesce(client_id::text, ''), true)
                || set_config('app.hub', coalesce(number::text, ''), true)
                || set_config('app.umbrella', coalesce(umbrella, ''), true)
                || set_config('app.mask', reader_mask(role, coalesce(umbrella, ''))::text, true);
            return true;
        end $$
    """)


def _finding() -> None:
    """Each kind of page that has few of many signals gets the index that begins with what is rare."""
    op.create_index("ix_signal_hub_id_status", "signal", ["hub_id", "status", sa.literal_column("id desc")])
    for order in ("updated_at", "heard_on"):
        newest: list[sa.ColumnElement[Any]] = [sa.literal_column(f"{order} desc"), sa.literal_column("id desc")]
        op.create_index(f"ix_signal_region_id_{order}", "signal", ["region_id", *newest])
    # With the region of its signal, a theme in a region is looked up at once: 20 ms and more became 5.
    op.add_column("signal_theme", sa.Column("region_id", sa.Integer(), nullable=True))
    op.execute("update signal_theme t set region_id = s.region_id from signal s where s.id = t.signal_id")
    op.alter_column("signal_theme", "region_id", nullable=False)
    op.create_index("ix_signal_theme_region_id", "signal_theme", ["theme", "region_id", "signal_id"])
    op.create_index("ix_signal_theme_hub_id", "signal_theme", ["theme", "hub_id", "signal_id"])
    _follow(", region_id", ", n.region_id", "or n.region_id <> o.region_id", ", region_id = n.region_id")


def _follow(column: str, value: str, changed: str, setting: str) -> None:
    """The triggers that keep `signal_theme`, with the region or without."""
    as_owner = "language plpgsql security definer set search_path = public, pg_temp"
    op.execute(f"""
        create or replace function follow_signal() returns trigger {as_owner} as $$
        begin
            delete from signal_theme t using old_rows o, new_rows n
                where n.id = o.id and t.signal_id = o.id and n.themes <> o.themes and not t.theme = any (n.themes);
            insert into signal_theme (theme, signal_id, hub_id, audience{column})
                select distinct theme, n.id, n.hub_id, n.audience{value}
                from new_rows n join old_rows o on o.id = n.id, unnest(n.themes) theme
                where n.themes <> o.themes on conflict do nothing;
            update signal_theme t set audience = n.audience{setting} from new_rows n join old_rows o on o.id = n.id
                where (n.audience <> o.audience {changed}) and t.signal_id = n.id;
            update forwarding f set audience = 0 from new_rows n join old_rows o on o.id = n.id
                where n.audience <> o.audience and f.signal_id = n.id;
            update follow_up f set audience = 0 from new_rows n join old_rows o on o.id = n.id
                where n.audience <> o.audience and f.signal_id = n.id;
            return null;
        end $$
    """)
    op.execute(f"""
        create or replace function follow_new_signal() returns trigger {as_owner} as $$
        begin
            insert into signal_theme (theme, signal_id, hub_id, audience{column})
                select distinct theme, n.id, n.hub_id, n.audience{value} from new_rows n, unnest(n.themes) theme;
            return null;
        end $$
    """)


def _likeness(found: str) -> None:
    """`similar_signals` with this way of finding what may be alike."""
    op.execute(f"""
        create or replace function similar_signals(signal_id uuid, most int)
        returns table (id uuid, score real, same_themes text[]) language sql stable security definer
        set search_path = public, pg_temp rows 10 as $$
            with one as (select s.* from signal s where s.id = signal_id and {SEES}),
            lexemes as (select u.lexeme from one, unnest(one.search) u where 'A' = any (u.weights) limit 12),
            words as (
                select to_tsquery('simple', string_agg(quote_literal(lexeme), ' | ')) as query from lexemes
            ),
            {found}
            select f.id, (ts_rank(f.search, words.query, 1) + 0.2 * cardinality(shared.themes))::real, shared.themes
            from found f, one, words, lateral (
                select array(select unnest(f.themes) intersect select unnest(one.themes)) as themes) shared
            order by 2 desc, 1 desc limit most
        $$
    """)


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("set local statement_timeout = '10min'")
    _likeness(_BY_ANY)
    _follow("", "", "", "")
    op.drop_index("ix_signal_theme_hub_id", "signal_theme")
    op.drop_index("ix_signal_theme_region_id", "signal_theme")
    op.drop_column("signal_theme", "region_id")
    for index in ("region_id_updated_at", "region_id_heard_on", "hub_id_status"):
        op.drop_index(f"ix_signal_{index}", "signal")
    for function in FUNCTIONS:
        op.execute(f"drop function {function}")
