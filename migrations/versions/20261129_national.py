"""The national layer: cells of counts folded from the change log, summaries of them, and what may be read of both."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261129_national"
down_revision = "20261127_pull"
branch_labels = None
depends_on = None

MASK = "(select coalesce(nullif(current_setting('app.mask', true), '')::int, 1))"
HUB = "(select nullif(current_setting('app.hub', true), '')::smallint)"
AS_OWNER = "security definer set search_path = public, pg_temp"
GUARDED = ("count_cell", "count_source", "count_summary")
FOLDING = 7_201_620_261_129  # advisory lock: one folds at a time

# The same low byte of the sum of record keys gives the same noise for ever: six of its bits, counted, less three. Over
# all bytes that is Binomial(6, 1/2) - 3: mean 0, variance 1.5, at most 3 either way. `app/domain/disclosure.py` has it too.
NOISE = [(byte & 63).bit_count() - 3 for byte in range(256)]

# Facts of one side of an entry; who may count it: 1 everybody, 2 and up the network with the umbrellas it went to, 0 its hub.
SIDES = """
    select x.sign, counted_audience(x.level, x.audience) as audience, x.hub_id, x.region_id, x.workfields, x.kind, x.month,
        theme_set(x.themes) as themes, c.resource_id
    from {log} cross join lateral (values
        (-1, c.before_level, case c.op when 2 then c.audience else c.before_audience end, c.before_hub, c.before_region,
            c.before_workfields, c.before_kind, c.before_month, c.before_themes),
        (1, c.after_level, c.audience, c.after_hub, c.after_region, c.after_workfields, c.after_kind, c.after_month,
            c.after_themes)
    ) x (sign, level, audience, hub_id, region_id, workfields, kind, month, themes)
    where x.level is not null and c.type = 1
        and (c.before_level, c.before_audience, c.before_hub, c.before_region, c.before_workfields, c.before_kind, c.before_month,
            c.before_themes) is distinct from
            (c.after_level, c.audience, c.after_hub, c.after_region, c.after_workfields, c.after_kind, c.after_month,
            c.after_themes)
"""
# The same facts of the signals as they are.
PRESENT = """
    select 1 as sign, case when s.audience & 1 <> 0 then 1 when s.audience & 2 <> 0 then s.audience else 0 end as audience,
        s.hub_id, s.region_id, case when s.workfields_source = 'cross-cutting' then 0 else s.workfields end::smallint as workfields,
        s.kind, date_trunc('month', s.heard_on)::date as month, theme_set(s.themes) as themes, s.id as resource_id
    from signal s where s.status <> 'withdrawn'
"""
KEY = "audience, hub_id, region_id, workfields, kind, month, themes"
GATHER = f"select {KEY}, sum(sign)::int as n, sum(sign * record_key(resource_id))::bigint as keys from ({{rows}}) r group by {KEY}"


SINCE = SIDES.format(log="change c") + " and %s"
REVERSED = f"""
    union all select -sign, audience, hub_id, region_id, workfields, kind, month, themes, resource_id from ({SINCE}) later
"""


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("set local statement_timeout = '10min'")
    _tables()
    for table in GUARDED:
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        op.execute(f"create policy owner on {table} to current_user using (true) with check (true)")
    _facts()
    _region_shares()
    _folding()
    _checking()
    _reading()
    # The tables are nobody's: the service reads through the functions, which know who asks. What makes the counts is not
    # its to call either, but for one turn of folding.
    for function in ("rebuild_counts()", "renew_counts(boolean)", "add_counts(text, boolean)", "count_differences()"):
        op.execute(f"revoke execute on function {function} from public")
    op.execute("select rebuild_counts()")


def _tables() -> None:
    op.add_column("change", sa.Column("before_audience", sa.Integer(), nullable=True))

    def facts() -> tuple[sa.Column[int], ...]:
        return (sa.Column("n", sa.Integer(), nullable=False), sa.Column("keys", sa.BigInteger(), nullable=False))

    def part() -> tuple[sa.Column[object], ...]:
        return (
            sa.Column("part", sa.Text(), nullable=False),
            sa.Column("month", sa.Date(), nullable=False),
            sa.Column("theme", sa.Text(), nullable=False),
            sa.Column("key", sa.Integer(), nullable=False),
        )

    op.create_table(
        "count_cell",
        sa.Column("audience", sa.Integer(), nullable=False),
        sa.Column("hub_id", sa.SmallInteger(), nullable=False),
        sa.Column("region_id", sa.Integer(), nullable=False),
        sa.Column("workfields", sa.SmallInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("themes", sa.ARRAY(sa.Text()), nullable=False),
        *facts(),
        sa.PrimaryKeyConstraint(
            "month", "hub_id", "region_id", "audience", "workfields", "kind", "themes", name=op.f("pk_count_cell")
        ),
    )
    op.create_index("ix_count_cell_empty", "count_cell", ["n"], unique=False, postgresql_where=sa.text("n = 0"))
    op.create_index(
        "ix_count_cell_own", "count_cell", ["hub_id", "month"], unique=False, postgresql_where=sa.text("audience = 0")
    )
    op.create_table(
        "count_source",
        *part(),
        sa.Column("unit", sa.SmallInteger(), nullable=False),
        *facts(),
        sa.PrimaryKeyConstraint("part", "unit", "month", "theme", "key", name=op.f("pk_count_source")),
    )
    op.create_index(
        "ix_count_source_shown",
        "count_source",
        ["part", "unit", "month", "theme", "key", "n", "keys"],
        unique=False,
        postgresql_where=sa.text("n >= 3"),
    )
    op.create_table(
        "count_summary",
        *part(),
        sa.Column("n", sa.ARRAY(sa.Double()), nullable=False),
        sa.Column("spread", sa.ARRAY(sa.Double()), nullable=False),
        sa.PrimaryKeyConstraint("part", "month", "theme", "key", name=op.f("pk_count_summary")),
    )
    op.create_table(
        "count_share",
        sa.Column("scheme", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("target_id", sa.Integer(), nullable=False),
        sa.Column("share", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "scheme", "target_id", name=op.f("pk_count_share")),
    )
    op.create_table(
        "count_state",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("xact_id", sa.BigInteger(), nullable=False),
        sa.Column("catalogue", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=False),
        sa.Column("slots", sa.SmallInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_count_state_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_count_state")),
    )
    # What is read together lies together, and stays there when it is counted up.
    op.execute("alter table count_summary set (fillfactor = 75)")
    op.execute("insert into count_state values (1, 0, 0, 0, '', '-infinity', '-infinity', 2)")


def _facts() -> None:
    """What an entry says of the counts, and the key of a record."""
    op.execute("""
        create function counted_audience(level smallint, audience int) returns int language sql immutable as $$
            select case level when 2 then 1 when 1 then (audience & ~1) | 2 else 0 end
        $$
    """)
    op.execute("""
        create function theme_set(themes text[]) returns text[] language sql immutable as $$
            select case when cardinality(themes) < 2 then themes
                else array(select distinct theme from unnest(themes) theme order by theme) end
        $$
    """)
    # HMAC-SHA256 (RFC 2104) of the id: its two paddings are kept, because SQL has no exclusive or of bytes.
    op.execute("""
        create function set_network_secret(key bytea) returns boolean language plpgsql set search_path = public, pg_temp as $$
        declare
            pad bytea := case when length(key) > 64 then sha256(key) else key end;
            inner_pad bytea := decode(repeat('36', 64), 'hex');
            outer_pad bytea := decode(repeat('5c', 64), 'hex');
            changed boolean;
        begin
            for i in 0 .. length(pad) - 1 loop
                inner_pad := set_byte(inner_pad, i, get_byte(inner_pad, i) # get_byte(pad, i));
                outer_pad := set_byte(outer_pad, i, get_byte(outer_pad, i) # get_byte(pad, i));
            end loop;
            changed := inner_pad is distinct from (select secret from instance_secret where name = 'network-inner');
            insert into instance_secret values ('network-inner', inner_pad), ('network-outer', outer_pad)
                on conflict (name) do update set secret = excluded.secret;
            return changed;
        end $$
    """)
    op.execute(
        "select set_network_secret(sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')))"
    )
    op.execute("""
        create function record_key(signal_id uuid) returns bigint language sql stable as $$
            select ('x' || substr(encode(sha256(
                (select secret from instance_secret where name = 'network-outer')
                || sha256((select secret from instance_secret where name = 'network-inner') || uuid_send(signal_id))
            ), 'hex'), 1, 8))::bit(32)::bigint
        $$
    """)
    noise = ",".join(map(str, NOISE))
    op.execute(f"""
        create function published_count(n bigint, keys bigint, threshold int) returns bigint language sql immutable as $$
            select case when n < threshold then 0
                when n + ('{{{noise}}}'::smallint[])[(keys & 255) + 1] < threshold then 0
                else n + ('{{{noise}}}'::smallint[])[(keys & 255) + 1] end
        $$
    """)
    op.execute(f"""
        create or replace function log_signals_changed() returns trigger language plpgsql {AS_OWNER} as $$
        begin
            insert into change {COLUMNS[:-1]}, before_audience)
            select {POSITION}, 1, n.id, n.version, 1, n.audience, n.hub_id, n.hub_id,
                {FACTS.format(r="o")}, {FACTS.format(r="n")}, o.audience
            from new_rows n join old_rows o on o.id = n.id where n.version <> o.version;
            {HIDDEN}
            return null;
        end $$
    """)
    # Entries above the horizon, should there be any, are folded after this: they need what the new ones have.
    op.execute("""
        update change c set before_audience = (select p.audience from change p where p.resource_id = c.resource_id
            and p.version < c.version and p.op = 1 order by p.version desc limit 1)
        where c.op = 1 and c.before_level is not null
            and c.xact_id >= pg_snapshot_xmin(pg_current_snapshot())::text::bigint
    """)


# As 20261123_signals made them.
FACTS = """
    case when {r}.audience & 1 <> 0 then 2 when {r}.audience & 2 <> 0 then 1 when {r}.status <> 'withdrawn' then 0 end::smallint,
    {r}.hub_id, {r}.region_id, case when {r}.workfields_source = 'cross-cutting' then 0 else {r}.workfields end::smallint,
    {r}.kind, date_trunc('month', {r}.heard_on)::date, {r}.themes
"""
NONE = "null::smallint, null::smallint, null::int, null::smallint, null::text, null::date, null::text[]"
COLUMNS = """(epoch, xact_id, type, resource_id, version, op, audience, hub_id, owner_hub,
    before_level, before_hub, before_region, before_workfields, before_kind, before_month, before_themes,
    after_level, after_hub, after_region, after_workfields, after_kind, after_month, after_themes)"""
POSITION = "(select max(id) from epoch), pg_current_xact_id()::text::bigint"
HIDDEN = f"""
            insert into change {COLUMNS[:-1]}, kept)
            select {POSITION}, 1, n.id, n.version, 3, o.audience & ~n.audience, null, n.hub_id, {NONE}, {NONE}, n.audience
            from new_rows n join old_rows o on o.id = n.id where o.audience & ~n.audience <> 0;
"""


def _region_shares() -> None:
    """How much of every region that can be named lies in each region of a scheme, on a day.

    A region is its municipalities, weighed by population (by number, where one is unknown); one that is not there on the
    day is what its municipalities became, or came from. `inside` narrows to what lies in that region. Target 0 is what
    lies in no region of the scheme.
    """
    op.execute("""
        create function region_shares(wanted text, day date, inside int)
        returns table (source_id int, target_id int, share float8)
        language sql stable set search_path = public, pg_temp rows 2000 as $$
        with recursive extent as (
            select r.id, r.scheme, r.valid_from <= day and r.valid_to > day as there, m.municipality_id,
                m.share * case when bool_and(m.population is not null) over whole then m.population::float8 else 1 end
                    as weight
            from region r join membership m on m.region_id = r.id
                and m.valid_from <= greatest(r.valid_from, least(day, r.valid_to - 1))
                and m.valid_to > greatest(r.valid_from, least(day, r.valid_to - 1))
            window whole as (partition by r.id)
        ),
        gone as (select id, valid_to <= day as before from region
            where scheme = 'gemeente' and (valid_to <= day or valid_from > day)),
        last_known as (
            select distinct on (region_id) region_id, population from membership
            where scheme = 'gemeente' order by region_id, valid_from desc
        ),
        step as (  -- from one that is gone to those it became, in equal parts; back to those it was made of, by population
            select s.predecessor_id as here, s.successor_id as there, 1.0::float8 / count(*) over (partition by s.predecessor_id)
                as part
            from succession s join gone on gone.id = s.predecessor_id and gone.before
            where s.change <> 'boundary-change' and s.successor_id <> s.predecessor_id
            union all
            select s.successor_id, s.predecessor_id, case when bool_and(k.population is not null) over known
                then k.population::float8 / sum(k.population) over known else 1.0::float8 / count(*) over known end
            from succession s join gone on gone.id = s.successor_id and not gone.before
                left join last_known k on k.region_id = s.predecessor_id
            where s.change <> 'boundary-change' and s.successor_id <> s.predecessor_id
            window known as (partition by s.successor_id)
        ),
        heir as (
            select id as start, id as here, 1.0::float8 as part from region where scheme = 'gemeente'
            union all
            select h.start, s.there, h.part * s.part from heir h join step s on s.here = h.here
        ),
        atom as (
            select e.id, e.scheme, e.there, h.here as municipality_id,
                sum(e.weight / whole.weight * h.part) as weight
            from extent e
                join (select id, sum(weight) as weight from extent group by id) whole on whole.id = e.id
                join heir h on h.start = e.municipality_id
            where not exists (select from gone where gone.id = h.here)
            group by 1, 2, 3, 4
        ),
        kept as (
            select a.id, a.scheme, a.there, a.municipality_id, a.weight * case when inside is null or a.id = inside then 1
                else coalesce((select m.share from membership m where m.region_id = inside
                    and m.municipality_id = a.municipality_id and m.valid_from <= day and m.valid_to > day), 0) end as weight
            from atom a
        )
        select k.id, case when wanted is null then inside when k.scheme = wanted and k.there then k.id
                else coalesce(t.region_id, 0) end,
            case when abs(sum(k.weight * coalesce(t.share, 1)) - 1) < 1e-9 then 1 else sum(k.weight * coalesce(t.share, 1)) end
        from kept k left join membership t on wanted is not null and not (k.scheme = wanted and k.there)
            and t.scheme = wanted and t.municipality_id = k.municipality_id and t.valid_from <= day and t.valid_to > day
        where k.weight > 0
        group by 1, 2
        $$
    """)


def _folding() -> None:
    """Folds the log into cells, and the cells into summaries, in the order of the log and below its horizon."""
    # Within one epoch the planner knows how few entries that are; of a comparison of rows it sees the first column alone,
    # and read the whole log (95 ms at a million).
    op.execute("""
        create function log_between(from_epoch int, from_xact bigint, to_epoch int, to_xact bigint) returns text
        language sql stable set search_path = public, pg_temp as $$
            select case when from_epoch = coalesce(to_epoch, (select max(id) from epoch))
                then format('c.epoch = %s and c.xact_id >= %s', from_epoch, from_xact)
                    || case when to_xact is null then '' else format(' and c.xact_id < %s', to_xact) end
                else format('(c.epoch, c.xact_id) >= (%s, %s)', from_epoch, from_xact)
                    || case when to_xact is null then '' else format(' and (c.epoch, c.xact_id) < (%s, %s)', to_epoch, to_xact) end
                end
        $$
    """)
    # `gathered` is given by the caller: rows of cells with n and keys, to be added to everything.
    op.execute(f"""
        create function add_counts(gathered text, cells boolean) returns void language plpgsql {AS_OWNER} as $$
        declare
            slots int := (select s.slots from count_state s);
            gather text; again text; spread text; plain text; more text; apart text;
        begin
            -- One column for each bit of an audience: v1 the public, v2 the network, v3 and up what went to an umbrella.
            select string_agg(format('coalesce(sum(n) filter (where audience & %s <> 0), 0)::int as v%s', 1 << i, i + 1), ', '),
                string_agg(format('sum(v%s)::int as v%s', i + 1, i + 1), ', '),
                string_agg(format('sum(v%s * share)', i + 1), ', '), string_agg(format('v%s::float8', i + 1), ', '),
                string_agg(format('s.%%1$s[%s] + excluded.%%1$s[%s]', i + 1, i + 1), ', '),
                string_agg(format('coalesce(sum(v%s * share) filter (where share < 1), 0)', i + 1), ', ')
            into gather, again, spread, plain, more, apart from generate_series(0, slots - 1) i;
            execute 'with given as materialized (' || gathered || '), '
                || case when cells then $sql$ cells as (
                    insert into count_cell as s ({KEY}, n, keys) select {KEY}, n, keys from given where n <> 0 or keys <> 0
                    on conflict (month, hub_id, region_id, audience, workfields, kind, themes)
                    do update set n = s.n + excluded.n, keys = s.keys + excluded.keys
                ), $sql$ else '' end
                || $sql$ sets as (
                    select distinct themes from given where audience <> 0
                ), rows as (
                    select s.themes, t.theme from sets s cross join lateral (
                        select '' as theme union select unnest(s.themes)
                        union select u.parent from term u
                            where u.vocabulary = 'theme' and u.code = any (s.themes) and u.parent is not null) t
                ), spots as materialized (
                    select g.hub_id, g.region_id, g.workfields, array_position({KINDS}, g.kind) as kind, g.month,
                        r.theme, sum(g.keys) filter (where g.audience & 2 <> 0) as keys, $sql$ || gather || $sql$
                    from given g join rows r using (themes) where (g.n <> 0 or g.keys <> 0) and g.audience <> 0
                    group by 1, 2, 3, 4, 5, 6
                ), fields as (
                    select 0::smallint as workfields, 0 as bit
                    union all select distinct f.workfields, w.bit from spots f join (
                        select workfield_mask(array[code])::int as bit from term where vocabulary = 'workfield') w
                        on f.workfields & w.bit <> 0
                ), gathered as materialized (
                    select 'region' as part, region_id as key, month, theme, sum(keys) as keys, $sql$ || again || $sql$
                    from spots group by month, theme, region_id
                    union all select 'hub', hub_id, month, theme, sum(keys), $sql$ || again || $sql$
                    from spots group by month, theme, hub_id
                    union all select 'kind', kind, month, theme, sum(keys), $sql$ || again || $sql$
                    from spots group by month, theme, kind
                    union all select 'workfield', f.bit, month, theme, sum(keys), $sql$ || again || $sql$
                    from spots join fields f using (workfields) group by month, theme, f.bit
                    union all select '', 0, month, theme, sum(keys), $sql$ || again || $sql$
                    from spots group by month, theme
                ), source as (
                    insert into count_source as s (part, unit, month, theme, key, n, keys)
                    select part, 1, month, theme, key, v2, coalesce(keys, 0) from gathered where v2 <> 0 or keys <> 0
                    union all
                    select part, u.unit, date_trunc(u.name, month)::date, theme, key, sum(v2), sum(keys)
                    from gathered cross join (values (2, 'quarter'), (3, 'year')) u (unit, name)
                    where v2 <> 0 or keys <> 0 group by 1, 2, 3, 4, 5
                    on conflict (part, unit, month, theme, key) do update set n = s.n + excluded.n, keys = s.keys + excluded.keys
                ), shown as (
                    select c.scheme as part, g.month, g.theme, c.target_id as key,
                        array[$sql$ || spread || $sql$]::float8[] as n, array[$sql$ || apart || $sql$]::float8[] as spread
                    from gathered g join count_share c on c.source_id = g.key where g.part = 'region'
                    group by c.scheme, c.target_id, g.month, g.theme
                    union all select part, month, theme, key, array[$sql$ || plain || $sql$],
                        array_fill(0::float8, array[$sql$ || slots || $sql$]) from gathered where part <> 'region'
                )
                insert into count_summary as s (part, month, theme, key, n, spread)
                select part, month, theme, key, n, spread from shown order by part, month, theme, key
                on conflict (part, month, theme, key) do update set n = array[$sql$ || format(more, 'n')
                || '], spread = array[' || format(more, 'spread') || ']';
        end $$
    """)
    # What the summaries depend on: the tree of themes, the shares of regions, the bits of umbrellas. Looked at again when
    # the public data has changed, and on the day that an edition ends.
    op.execute(f"""
        create function renew_counts(whatever boolean) returns boolean language plpgsql {AS_OWNER} as $$
        declare
            today date := (now() at time zone 'Europe/Amsterdam')::date;
            seen bigint := (select version from data_version);
            known count_state; found text; bits int;
        begin
            select * into known from count_state;
            if not whatever and known.catalogue = seen and today >= known.valid_from and today < known.valid_to then
                return false;
            end if;
            bits := coalesce((select max(umbrella_bit(code)) from term where vocabulary = 'umbrella'), 2);
            found := (select md5(coalesce(string_agg(concat(s.code, r.source_id, '>', r.target_id, ':', r.share), ';'
                    order by s.code, r.source_id, r.target_id), ''))
                    from scheme s, region_shares(s.code, today, null) r where s.code <> 'gemeente')
                || (select md5(coalesce(string_agg(code || '>' || coalesce(parent, ''), ';' order by code), ''))
                    from term where vocabulary = 'theme')
                || (select md5(coalesce(string_agg(code || workfield_mask(array[code]), ';' order by code), ''))
                    from term where vocabulary = 'workfield') || bits;
            update count_state set catalogue = seen, digest = found, slots = log(2.0, bits)::int + 1,
                valid_from = coalesce((select max(d) from (select valid_from as d from membership union select valid_to from membership) x
                    where d <= today), '-infinity'),
                valid_to = coalesce((select min(d) from (select valid_from as d from membership union select valid_to from membership) x
                    where d > today), 'infinity');
            if not whatever and found = known.digest then
                return false;
            end if;
            delete from count_share;
            insert into count_share (scheme, source_id, target_id, share)
                select s.code, r.source_id, r.target_id, r.share from scheme s, region_shares(s.code, today, null) r
                where s.code <> 'gemeente';
            delete from count_summary;
            delete from count_source;
            if not whatever then
                perform add_counts('select {KEY}, n, keys from count_cell', false);
            end if;
            return true;
        end $$
    """)
    # From the signals as they are, less what the log has above a horizon of a moment before: what is left is exactly what
    # lies below that horizon.
    op.execute(f"""
        create function rebuild_counts() returns void language plpgsql {AS_OWNER} as $$
        declare
            to_epoch int; to_xact bigint;
        begin
            perform pg_advisory_xact_lock({FOLDING});
            to_epoch := (select max(id) from epoch);
            to_xact := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
            delete from count_cell;
            perform renew_counts(true);
            perform add_counts(format($sql$
                {GATHER.format(rows=PRESENT + REVERSED)}
            $sql$, log_between(to_epoch, to_xact, null, null)), true);
            update count_state set epoch = to_epoch, xact_id = to_xact;
        end $$
    """)
    op.execute(f"""
        create function fold_counts(most int) returns bigint language plpgsql {AS_OWNER} as $$
        declare
            known count_state; to_epoch int; to_xact bigint; folded bigint; span text;
            present int := (select max(id) from epoch);
            horizon bigint;
        begin
            if not pg_try_advisory_xact_lock({FOLDING}) then
                return -1;  -- somebody else is at it
            end if;
            perform renew_counts(false);
            select * into known from count_state;
            horizon := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
            execute format('select epoch, xact_id from change c where %s order by epoch, xact_id, seq offset %s limit 1',
                log_between(known.epoch, known.xact_id, present, horizon), most) into to_epoch, to_xact;
            if to_epoch is null then
                to_epoch := present; to_xact := horizon;
            else  -- whole transactions: the last one that was begun goes along
                to_xact := to_xact + 1;
            end if;
            span := log_between(known.epoch, known.xact_id, to_epoch, to_xact);
            execute 'select count(*) from change c where ' || span into folded;
            if folded > 0 then
                perform add_counts(format($sql$
                    {GATHER.format(rows=SINCE)}
                $sql$, span), true);
                delete from count_cell where n = 0 and keys = 0;
            end if;
            if (to_epoch, to_xact) <> (known.epoch, known.xact_id) and (folded > 0 or to_epoch <> known.epoch
                or to_xact > known.xact_id + 1000) then
                update count_state set epoch = to_epoch, xact_id = to_xact;
            end if;
            return folded;
        end $$
    """)


def _checking() -> None:
    """Cells and the log after them against the signals; summaries against the cells. One statement each: one snapshot."""
    op.execute(f"""
        create function count_differences() returns table (what text, found text, expected text)
        language plpgsql stable set search_path = public, pg_temp as $$
        #variable_conflict use_column
        declare known count_state;
        begin
            select * into known from count_state;
            return query execute format($sql$
                with counted as (
                    select {KEY}, sum(n) as n, sum(keys) as keys from (
                        select {KEY}, n::bigint, keys from count_cell union all
                        {GATHER.format(rows=SINCE)}
                    ) x group by {KEY}
                ), present as ({GATHER.format(rows=PRESENT)})
                select concat_ws(' ', 'cell', {KEY}), concat(coalesce(c.n, 0), ' (keys ', coalesce(c.keys, 0), ')'),
                    concat(coalesce(p.n, 0), ' (keys ', coalesce(p.keys, 0), ')')
                from counted c full join present p using ({KEY})
                where coalesce(c.n, 0) <> coalesce(p.n, 0) or coalesce(c.keys, 0) <> coalesce(p.keys, 0)
            $sql$, log_between(known.epoch, known.xact_id, null, null));
            return query
                with rows as (
                    select s.themes, t.theme from (select distinct themes from count_cell) s cross join lateral (
                        select '' as theme union select unnest(s.themes)
                        union select u.parent from term u where u.vocabulary = 'theme' and u.code = any (s.themes)
                            and u.parent is not null) t
                ), spots as (
                    select c.*, r.theme, b.slot from count_cell c join rows r using (themes)
                    join generate_series(1, known.slots) b (slot) on c.audience & (1 << (b.slot - 1)) <> 0
                ), fields as (
                    select workfield_mask(array[code])::int as bit from term where vocabulary = 'workfield' union all select 0
                ), parts as (
                    select s.scheme as part, s.target_id as key, c.month, c.theme, c.slot, c.n * s.share as n,
                        case when s.share < 1 then c.n * s.share else 0 end as spread
                    from spots c join count_share s on s.source_id = c.region_id
                    union all select 'hub', hub_id, month, theme, slot, n, 0 from spots
                    union all select 'kind', array_position({KINDS}, kind), month, theme, slot, n, 0 from spots
                    union all select 'workfield', f.bit, month, theme, slot, n, 0
                    from spots c join fields f on case f.bit when 0 then c.workfields = 0 else c.workfields & f.bit <> 0 end
                    union all select '', 0, month, theme, slot, n, 0 from spots
                ), expected as (
                    select p.part, p.key, p.month, p.theme, p.slot, sum(p.n) as n, sum(p.spread) as spread from parts p
                    group by 1, 2, 3, 4, 5
                ), kept as (
                    select s.part, s.key, s.month, s.theme, b.slot, s.n[b.slot] as n, s.spread[b.slot] as spread
                    from count_summary s, generate_series(1, known.slots) b (slot)
                )
                select concat_ws(' ', 'summary', part, key, month, theme, slot),
                    concat(k.n, ' (spread ', k.spread, ')'), concat(e.n, ' (spread ', e.spread, ')')
                from kept k full join expected e using (part, key, month, theme, slot)
                where abs(coalesce(k.n, 0) - coalesce(e.n, 0)) > 1e-6 or abs(coalesce(k.spread, 0) - coalesce(e.spread, 0)) > 1e-6;
            return query
                with rows as (
                    select s.themes, t.theme from (select distinct themes from count_cell) s cross join lateral (
                        select '' as theme union select unnest(s.themes)
                        union select u.parent from term u where u.vocabulary = 'theme' and u.code = any (s.themes)
                            and u.parent is not null) t
                ), spots as (
                    select c.*, r.theme from count_cell c join rows r using (themes) where c.audience & 2 <> 0
                ), fields as (
                    select workfield_mask(array[code])::int as bit from term where vocabulary = 'workfield' union all select 0
                ), parts as (
                    select 'region' as part, region_id as key, month, theme, n, keys from spots
                    union all select 'hub', hub_id, month, theme, n, keys from spots
                    union all select 'kind', array_position({KINDS}, kind), month, theme, n, keys from spots
                    union all select 'workfield', f.bit, month, theme, n, keys
                    from spots c join fields f on case f.bit when 0 then c.workfields = 0 else c.workfields & f.bit <> 0 end
                    union all select '', 0, month, theme, n, keys from spots
                ), expected as (
                    select p.part, p.key, u.unit, date_trunc(u.name, p.month)::date as month, p.theme, sum(p.n) as n, sum(p.keys) as keys
                    from parts p cross join (values (1, 'month'), (2, 'quarter'), (3, 'year')) u (unit, name)
                    group by 1, 2, 3, 4, 5
                )
                select concat_ws(' ', 'source', part, key, unit, month, theme), concat(s.n, ' (keys ', s.keys, ')'),
                    concat(e.n, ' (keys ', e.keys, ')')
                from count_source s full join expected e using (part, key, unit, month, theme)
                where coalesce(s.n, 0) <> coalesce(e.n, 0) or coalesce(s.keys, 0) <> coalesce(e.keys, 0);
        end $$
    """)


KINDS = "'{knelpunt,behoefte,oplossing,goed-voorbeeld,ervaring}'::text[]"
QUOTED = KINDS.replace("'", "''")


def _reading() -> None:
    """Counts for whoever the settings of the transaction say it is. The service has no other way to the cells.

    Exact of what the reader may see; for who sees the public part alone, the network-only part as `published_count` makes
    it: by unit of time and, where regions are asked for, by region as named, so before anything is added up or spread.

    `part` with `only_keys` names the summary that can answer; where there is none, or it is not up to date, cells do.
    """
    op.execute(f"""
        create function count_signals(
            dims text[], as_of date, part text, only_keys int[], threshold int,
            months date[], periods text[], units int[], starts date[],
            sources int[], targets int[], shares float8[],
            only_themes text[], only_hub smallint, only_kind text, only_fields int
        ) returns table (theme text, workfield text, hub_id smallint, kind text, period text, region_id int, n float8, spread float8)
        language plpgsql stable {AS_OWNER} rows 1000 as $$
        #variable_conflict use_column
        declare
            mask int := {MASK};
            own smallint := {HUB};
            known count_state;
            guarded boolean; regional boolean; swift boolean;
            later text; within text; visible text; shown text; statement text; column_ text; columns text; groups text;
        begin
            select * into known from count_state;
            guarded := mask & ~1 = 0 and own is null;
            regional := sources is not null;
            swift := part is not null and known.catalogue = (select version from data_version)
                and as_of >= known.valid_from and as_of < known.valid_to;
            within := format('%%1$s.month between %L and %L and ', (select min(x) from unnest(months) x), (select max(x) from unnest(months) x));
            later := format($sql${LATER}$sql$, log_between(known.epoch, known.xact_id, null, null));
            visible := format('(c.audience & %s <> 0 or c.hub_id = %s)', mask, coalesce(own::text, 'null'));
            column_ := case when part = 'hub' and 'hub' = any (dims) then 's.key::smallint' else 'null::smallint' end;
            statement := format($sql${START}$sql$, later)
                || format($sql${RESOLVED}$sql$, 'exact',
                    case when not swift then $sql${CELLS}$sql$
                        when own is not null then $sql${CELLS}$sql$ || format(' and c.audience = 0 and c.hub_id = %s', own)
                        else $sql${CELLS}$sql$ || ' and false' end || ' and ' || visible,
                    visible, 'm.period', 'm.period', 'null::int', 'null::date');
            if guarded then
                statement := statement || format($sql${RESOLVED}$sql$, 'hidden',
                    $sql${CELLS}$sql$ || case when swift then ' and false' else ' and c.audience & 2 <> 0' end,
                    'c.audience & 2 <> 0', 'm.period', 'm.period', 'm.unit', 'm.start');
            end if;
            statement := replace(replace(replace(replace(replace(replace(replace(replace(statement,
                '@theme_join', case when 'theme' = any (dims) then 'join rows t on t.themes = b.themes' else '' end),
                '@field_join', case when 'workfield' = any (dims)
                    then 'join fields w on case w.bit when 0 then b.workfields = 0 else b.workfields & w.bit <> 0 end' else '' end),
                '@themes', case when 'theme' = any (dims) then 'c.themes' else 'null::text[]' end),
                '@workfields', case when 'workfield' = any (dims) then 'c.workfields' else 'null::smallint' end),
                '@hub', case when 'hub' = any (dims) then 'c.hub_id' else 'null::smallint' end),
                '@kind', case when 'kind' = any (dims) then 'c.kind' else 'null::text' end),
                '@region', case when regional then 'c.region_id' else 'null::int' end),
                '@row', case when 'theme' = any (dims) then 't.theme' else 'null::text' end);
            statement := replace(statement, '@within', format(within, 'c'));
            statement := replace(statement, '@field', case when 'workfield' = any (dims) then 'w.code' else 'null::text' end);
            shown := 'select theme, workfield, hub_id, kind, period, region_id, n::float8 as n from exact';
            if guarded then
                if swift then
                    statement := statement || replace($sql${SWIFT_HIDDEN}$sql$, '@threshold', threshold::text);
                    shown := shown || ' union all select case when $14 then s.theme end, case when ''workfield'' = any ($16) then f.code end,'
                        || ' case when ''hub'' = any ($16) then s.key::smallint end,'
                        || ' case when ''kind'' = any ($16) then ({QUOTED})[s.key] end,'
                        || ' s.period, case when $15 = ''region'' then s.key end, s.n'
                        || ' from published s left join fields f on $15 = ''workfield'' and f.bit = s.key';
                else
                    shown := shown || format(' union all select theme, workfield, hub_id, kind, period, region_id,'
                        || ' published_count(n::bigint, keys, %s)::float8 from hidden', threshold);
                end if;
            end if;
            if regional then
                shown := 'select theme, workfield, hub_id, kind, period, ' || case when 'region' = any (dims) then 'h.target' else 'null::int' end
                    || ' as region_id, x.n * h.share as n, case when h.share < 1 then x.n * h.share else 0 end as spread from ('
                    || shown || ') x join share h on h.source = x.region_id where x.n <> 0';
            else
                shown := 'select theme, workfield, hub_id, kind, period, region_id, n, 0::float8 as spread from (' || shown || ') x';
            end if;
            if swift then
                shown := shown || replace(replace(format($sql${SWIFT}$sql$,
                    case when 'theme' = any (dims) then 's.theme' else 'null::text' end,
                    case when part = 'workfield' and 'workfield' = any (dims) then 'f.code' else 'null::text' end, column_,
                    case when part = 'kind' and 'kind' = any (dims) then '({QUOTED})[s.key]' else 'null::text' end,
                    case when regional and 'region' = any (dims) then 's.key' else 'null::int' end,
                    case part when 'workfield' then 'join fields f on f.bit = s.key' else '' end),
                    '@n', format(own_slot(mask), 'n')), '@spread', format(own_slot(mask), 'spread'));
                shown := replace(shown, '@within', format(within, 's'));
            end if;
            select string_agg(case when name = any (dims) then place else 'null::' || kind end, ', ' order by rank),
                coalesce(' group by ' || string_agg(place, ', ') filter (where name = any (dims)), '')
            into columns, groups
            from (values (1, 'theme', 'theme', 'text'), (2, 'workfield', 'workfield', 'text'), (3, 'hub', 'hub_id', 'smallint'),
                (4, 'kind', 'kind', 'text'), (5, 'period', 'period', 'text'), (6, 'region', 'region_id', 'int')
            ) d (rank, name, place, kind);
            return query execute statement || ' select ' || columns || ', sum(n), sum(spread) from (' || shown || ') x'
                || groups || ' having abs(sum(n)) > 1e-6'
            using months, periods, units, starts, sources, targets, shares, only_themes, only_hub, only_kind, only_fields,
                part, only_keys, 'theme' = any (dims), case when regional then 'region' else part end, dims;
        end $$
    """)
    op.execute("""
        create function own_slot(mask int) returns text language sql immutable as $$
            select case when mask & 2 <> 0 then 's.%1$s[1] + s.%1$s[2]'
                when mask & ~1 = 0 then 's.%1$s[1]'
                else 's.%1$s[1] + ' || (select string_agg('coalesce(s.%1$s[' || i || '], 0)', ' + ')
                    from generate_series(3, 30) i where mask & (1 << (i - 1)) <> 0) end
        $$
    """)


# The log after the cells: rows like theirs.
LATER = f"""
    select audience, hub_id, region_id, workfields, kind, month, themes, sign::bigint as n,
        sign * record_key(resource_id) as keys from ({SINCE}) l
"""
START = """
    with m as materialized (
        select * from unnest($1::date[], $2::text[], $3::int[], $4::date[]) m (month, period, unit, start)
    ), share as materialized (
        select * from unnest($5::int[], $6::int[], $7::float8[]) h (source, target, share)
    ), later as materialized (%s), fields as materialized (
        select code, workfield_mask(array[code])::int as bit from term where vocabulary = 'workfield'
            and ($11::int is null or workfield_mask(array[code])::int & $11 <> 0)
        union all select 'werkveldoverstijgend', 0
    ), tree as materialized (
        select code, code as theme from term where vocabulary = 'theme'
        union all select code, parent from term where vocabulary = 'theme' and parent is not null
    )
"""
WANTED = """
    ($8::text[] is null or c.themes && $8) and ($9::smallint is null or c.hub_id = $9) and ($10::text is null or c.kind = $10)
    and ($11::int is null or c.workfields = 0 or c.workfields & $11 <> 0)
"""
CELLS = f"count_cell c join m on m.month = c.month where @within {WANTED}"
RESOLVED = f"""
    , %1$s_base as materialized (
        select @themes as themes, @workfields as workfields, @hub as hub_id, @kind as kind, %4$s as period, %6$s as unit,
            %7$s as start, @region as region_id, sum(c.n) as n, sum(c.keys) as keys
        from %2$s group by 1, 2, 3, 4, 5, 6, 7, 8
        union all
        select @themes, @workfields, @hub, @kind, %5$s, %6$s, %7$s, @region, sum(c.n), sum(c.keys)
        from later c join m on m.month = c.month where %3$s and {WANTED} group by 1, 2, 3, 4, 5, 6, 7, 8
    ), %1$s as (
        with sets as (select distinct themes from %1$s_base),
        rows as materialized (
            select s.themes, r.theme from sets s cross join lateral (
                select distinct r.theme from tree r where r.code = any (s.themes) and ($8::text[] is null or r.theme = any ($8))) r
        )
        select @row as theme, @field as workfield, b.hub_id, b.kind, b.period, b.unit, b.start, b.region_id,
            sum(b.n) as n, sum(b.keys)::bigint as keys
        from %1$s_base b @theme_join @field_join group by 1, 2, 3, 4, 5, 6, 7, 8
    )
"""
# What no longer or not yet reaches the threshold matters only where the log after the cells touches it.
SWIFT_HIDDEN = f"""
    , touched as (
        select h.unit, h.start, h.period, coalesce(h.theme, $8[1], '') as theme,
            case $15 when 'hub' then h.hub_id when 'kind' then array_position({KINDS}, h.kind) when 'region' then h.region_id
                when 'workfield' then f.bit else 0 end as key, sum(h.n) as n, sum(h.keys) as keys
        from hidden h left join fields f on f.code = h.workfield group by 1, 2, 3, 4, 5
    ), span as (
        select distinct unit, start, period from m
    ), near as (
        select s.unit, s.month as start, u.period, s.theme, s.key, s.n, s.keys
        from span u join count_source s on s.part = $15 and s.unit = u.unit and s.month = u.start and s.n >= @threshold
        where case when $14 then s.theme <> '' and ($8::text[] is null or s.theme = any ($8)) else s.theme = coalesce($8[1], '') end
            and ($15 = 'region' or $13::int[] is null or s.key = any ($13))
        union all
        select s.unit, s.month, t.period, s.theme, s.key, s.n, s.keys
        from touched t join count_source s on s.part = $15 and s.unit = t.unit and s.month = t.start and s.theme = t.theme
            and s.key = t.key and s.n < @threshold
        union all select unit, start, period, theme, key, n, keys from touched
    ), published as (
        select unit, start, period, theme, key, published_count(sum(n)::bigint, sum(keys)::bigint, @threshold)::float8 as n
        from near group by 1, 2, 3, 4, 5
    )
"""
SWIFT = """
    union all
    select %1$s, %2$s, %3$s, %4$s, m.period, %5$s, @n, @spread
    from m join count_summary s on s.part = $12 and s.month = m.month %6$s
    where @within case when $14 then s.theme <> '' and ($8::text[] is null or s.theme = any ($8)) else s.theme = coalesce($8[1], '') end
        and ($13::int[] is null or s.key = any ($13))
"""


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("set local statement_timeout = '10min'")
    for function in (
        "count_signals",
        "own_slot(int)", "log_between(int, bigint, int, bigint)", "count_differences()", "fold_counts(int)", "rebuild_counts()", "renew_counts(boolean)", "add_counts(text, boolean)",
        "region_shares(text, date, int)", "published_count(bigint, bigint, int)", "record_key(uuid)",
        "set_network_secret(bytea)", "theme_set(text[])", "counted_audience(smallint, int)",
    ):  # fmt: skip
        op.execute(f"drop function {function}")
    op.execute("delete from instance_secret where name in ('network-inner', 'network-outer')")
    for table in ("count_state", "count_share", "count_summary", "count_source", "count_cell"):
        op.drop_table(table)
    op.execute(f"""
        create or replace function log_signals_changed() returns trigger language plpgsql {AS_OWNER} as $$
        begin
            insert into change {COLUMNS}
            select {POSITION}, 1, n.id, n.version, 1, n.audience, n.hub_id, n.hub_id,
                {FACTS.format(r="o")}, {FACTS.format(r="n")}
            from new_rows n join old_rows o on o.id = n.id where n.version <> o.version;
            {HIDDEN}
            return null;
        end $$
    """)
    op.drop_column("change", "before_audience")
