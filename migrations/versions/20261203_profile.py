"""The profile by month, with medians, distinct numbers and answers in time; words alone lead from a question to signals."""

from __future__ import annotations

from alembic import op

revision = "20261203_profile"
down_revision = "20261202_bundles"
branch_labels = None
depends_on = None

MASK = "(select coalesce(nullif(current_setting('app.mask', true), '')::int, 1))"
HUB = "(select nullif(current_setting('app.hub', true), '')::smallint)"
AS_OWNER = "security definer set search_path = public, pg_temp"
# As in the migration of questions: what a question adds to the profile.
MEASURES = (
    "questions", "concluded", *(f"{moment}_{rank}" for moment in ("intended", "agreed", "achieved") for rank in range(1, 6)),
    "as_promised", "less", "more", "told_back", "mixed", "balanced", "compensated", "seldom", "together", "confirmed",
    "transparent", "followed", "life_world", "from_signals", "cells", "cells_of_people", "whole_matrix",
)  # fmt: skip
ANSWERS = ("forwarded", "responded", "answered", "in_time", "on_agenda")
# To acknowledge is a response, not yet an answer.
ANSWERED = "(f.responded_at is not null and f.state in ('on-agenda', 'answered', 'declined'))"
READERS = "r.audience, case when r.audience & 2 <> 0 then '{}' else r.readers end"
MONTH = "to_char(r.opened_at at time zone 'Europe/Amsterdam', 'YYYY-MM')"


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("set local statement_timeout = '10min'")
    _tables()
    _marks()
    _audience("new.marks := participation_marks(new);")
    _fold(by_month=True)
    _tally(by_month=True)
    _answers()
    _backfill()
    _facts()
    _related(by_words=True)
    configuration = op.get_context().config
    assert configuration is not None
    role = '"' + configuration.attributes["service_role"].replace('"', '""') + '"'
    op.execute(f"grant select on participation_mark, answer_tally to {role}")


def _tables() -> None:
    """A row of the tally is of all time (month empty) and, once more, of its month: without a period few rows are read."""
    op.execute("alter table question add column marks text[] not null default '{}'")
    op.execute("alter table participation_tally add column month text not null default ''")
    op.execute("drop index ix_participation_tally_dimension")
    op.execute("create index ix_participation_tally_dimension on participation_tally (dimension, month)")
    op.execute("""
        create table participation_mark (
            dimension text not null, key text not null, month text not null, audience int not null,
            readers smallint[] not null, name text not null, value text not null, n int not null)
    """)
    op.execute("create index ix_participation_mark_dimension on participation_mark (dimension, key, month)")
    # `due` where no answer came yet: the Monday of the week in which its term ends.
    op.execute(f"""
        create table answer_tally (
            hub_id smallint not null, month text not null, audience int not null, due date,
            {", ".join(f"{name} int not null" for name in ANSWERS)})
    """)
    op.execute("create index ix_answer_tally_hub_id on answer_tally (hub_id, month)")
    seen = {
        "participation_mark": f"audience & {MASK} <> 0 or {HUB} = any (readers)",
        "answer_tally": f"audience & {MASK} <> 0 or hub_id = {HUB}",
    }
    for table, condition in seen.items():
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        op.execute(f"create policy owner on {table} to current_user using (true) with check (true)")
        op.execute(f"create policy reading on {table} for select using ({condition})")


def _marks() -> None:
    """What is counted by its value: days, methods, groups, levels, schemes. Each as `name value`."""
    op.execute(f"""
        create function participation_marks(q question) returns text[] language plpgsql stable {AS_OWNER} as $$
        declare
            done boolean := q.status in ('concluded', 'followed-up');
        begin
            if q.opened_at is null or q.status = 'cancelled' then
                return '{{}}';
            end if;
            return array(
                select distinct 'group ' || (m ->> 'group') from jsonb_array_elements(q.mix) m
                    where (m ->> 'recruited')::int > 0
                union all select distinct 'method ' || m from unnest(q.methods) m
                union all select 'published ' || greatest(0,
                        (q.concluded_at at time zone 'Europe/Amsterdam')::date - (q.outcome ->> 'decided_on')::date)
                    where done and q.visibility = 'public' and q.outcome ->> 'decided_on' is not null
                        and q.concluded_at is not null
                union all select 'recruited ' || greatest(0, q.recruited_on - q.requested_on)
                    where q.recruited_on is not null and q.requested_on is not null
                union all select 'requested ' where q.requested_on is not null
                union all select 'taken-up ' where q.requested_on is not null and q.status <> 'open'
                union all select distinct 'workfield ' || w from unnest(q.workfields) w
                    where q.workfields_source <> 'cross-cutting'
                union all select 'workfield werkveldoverstijgend' where q.workfields_source = 'cross-cutting'
                union all select 'achieved ' || (q.levels #>> '{{achieved,level}}')
                    where done and q.levels #>> '{{achieved,level}}' is not null
                union all select distinct 'phase ' || (c ->> 'phase') from jsonb_array_elements(q.cells) c
                    join term t on t.vocabulary = 'participation-phase' and t.code = c ->> 'phase'
                    where done and (c ->> 'realised')::boolean
                union all select distinct 'scheme ' || p.scheme from region_period p where p.region_id = any (q.region_ids)
                union all select 'crosses ' where exists (
                    select from membership m where m.region_id = any (q.region_ids) and m.valid_to = 'infinity'
                        and not exists (select from hub h join region_period a on a.code = h.area_code
                            join membership of_hub on of_hub.region_id = a.region_id
                            where h.id = q.hub_id and of_hub.municipality_id = m.municipality_id)));
        end $$
    """)


def _audience(marks: str) -> None:
    op.execute(f"""
        create or replace function set_question_audience() returns trigger language plpgsql
        set search_path = public, pg_temp as $$
        begin
            new.audience := question_audience(new.visibility, new.opened_at is not null, (
                select coalesce(bit_or(umbrella_bit(t.code)), 0) from term t
                where t.vocabulary = 'umbrella' and t.workfields && new.workfields));
            new.readers := new.hubs || new.invited;
            new.figures := participation_figures(new);
            {marks}
            return new;
        end $$
    """)


def _fold(*, by_month: bool) -> None:
    tables = [("participation_tally", f"dimension, key, audience, readers{', month' * by_month}", MEASURES)]
    if by_month:
        tables.append(("participation_mark", "dimension, key, month, audience, readers, name, value", ("n",)))
        tables.append(("answer_tally", "hub_id, month, audience, due", ANSWERS))
    folds = "".join(
        f"""
        with gone as (delete from {table} returning *)
        insert into {table} ({keys}, {", ".join(names)})
        select {keys}, {", ".join(f"sum({name})" for name in names)} from gone
        group by {keys} having {" or ".join(f"sum({name}) <> 0" for name in names)};
        """
        for table, keys, names in tables
    )
    op.execute(f"""
        create or replace function fold_tally() returns void language plpgsql volatile {AS_OWNER} as $$
        begin
            if pg_try_advisory_xact_lock(hashtext('participation_tally')) then
                {folds}
            end if;
        end $$
    """)


def _sums(rows: str, *, by_month: bool) -> str:
    """The statement that adds these rows (with their `sign`) to the tally."""
    sums = ", ".join(f"sum(sign * figures[{place}])" for place in range(1, len(MEASURES) + 1))
    some = " or ".join(f"sum(sign * figures[{place}]) <> 0" for place in range(1, len(MEASURES) + 1))
    column, value = (", month", ", months.month") if by_month else ("", "")
    months = f", lateral (values (''), ({MONTH})) months (month)" if by_month else ""
    return f"""
        insert into participation_tally (dimension, key, audience, readers{column}, {", ".join(MEASURES)})
        select d.dimension, d.key, {READERS}{value}, {sums}
        from ({rows}) r, lateral (
            select 'all' as dimension, '' as key
            union all select 'hub', h::text from unnest(r.hubs) h
            union all select 'workfield', w from unnest(r.workfields) w
                where r.workfields_source <> 'cross-cutting'
            union all select 'workfield', 'werkveldoverstijgend' where r.workfields_source = 'cross-cutting'
            union all select distinct 'theme', t from unnest(r.themes) t
            union all select 'period', {MONTH}
            union all select 'region', array_to_string(
                array(select distinct u from unnest(r.region_ids) u order by u), ' ')
        ) d{months}
        group by {"1, 2, 3, 4, 5" if by_month else "1, 2, 3, 4"} having {some};
    """


def _counted(rows: str) -> str:
    """The statement that adds the marks of these rows, for the network, for each hub, and by month."""
    return f"""
        insert into participation_mark (dimension, key, month, audience, readers, name, value, n)
        select d.dimension, d.key, months.month, {READERS}, split_part(mark, ' ', 1), split_part(mark, ' ', 2), sum(sign)
        from ({rows}) r, unnest(r.marks) mark, lateral (
            select 'all' as dimension, '' as key union all select 'hub', h::text from unnest(r.hubs) h
        ) d, lateral (values (''), ({MONTH})) months (month)
        group by 1, 2, 3, 4, 5, 6, 7 having sum(sign) <> 0;
    """


def _tally(*, by_month: bool) -> None:
    taken = "select {} as sign, r.* from {} r where r.figures[1] <> 0"
    before, after = taken.format(-1, "old_rows"), taken.format(1, "new_rows")
    for name, rows in (("added", after), ("changed", f"{before} union all {after}"), ("removed", before)):
        op.execute(f"""
            create or replace function tally_questions_{name}() returns trigger language plpgsql {AS_OWNER} as $$
            begin
                {_sums(rows, by_month=by_month)}
                {_counted(rows) if by_month else ""}
                if random() < 0.01 then
                    perform fold_tally();
                end if;
                return null;
            end $$
        """)


def _added_answers(rows: str) -> str:
    sums = (
        "sum(sign)",
        "sum(sign * (f.responded_at is not null)::int)",
        f"sum(sign * {ANSWERED}::int)",
        f"""sum(sign * ({ANSWERED}
                and (f.responded_at at time zone 'Europe/Amsterdam')::date <= f.respond_by)::int)""",
        "sum(sign * (f.state = 'on-agenda')::int)",
    )
    return f"""
        insert into answer_tally (hub_id, month, audience, due, {", ".join(ANSWERS)})
        select f.hub_id, to_char(f.respond_by, 'YYYY-MM'), f.audience,
            case when not {ANSWERED} then date_trunc('week', f.respond_by)::date end, {", ".join(sums)}
        from ({rows}) f group by 1, 2, 3, 4 having {" or ".join(f"{one} <> 0" for one in sums)};
    """


def _answers() -> None:
    """Whether umbrellas answered what was forwarded to them, and in time, added up as forwardings are written."""
    before, after = "select -1 as sign, o.* from old_rows o", "select 1 as sign, n.* from new_rows n"
    for name, what, tables, rows in (
        ("added", "insert", "new table as new_rows", after),
        ("changed", "update", "old table as old_rows new table as new_rows", f"{before} union all {after}"),
        ("removed", "delete", "old table as old_rows", before),
    ):
        op.execute(f"""
            create function tally_forwardings_{name}() returns trigger language plpgsql {AS_OWNER} as $$
            begin
                {_added_answers(rows)}
                if random() < 0.002 then
                    perform fold_tally();
                end if;
                return null;
            end $$
        """)
        op.execute(
            f"create trigger tally_forwardings_{name} after {what} on forwarding referencing {tables} "
            f"for each statement execute function tally_forwardings_{name}()"
        )


def _backfill() -> None:
    """What is there already; not a change of any question, so no trigger fires."""
    rows = "select 1 as sign, q.* from question q where q.figures[1] <> 0"
    op.execute("alter table question disable trigger user")
    op.execute("update question q set marks = participation_marks(q)")
    op.execute("alter table question enable trigger user")
    op.execute("delete from participation_tally")
    op.execute(_sums(rows, by_month=True))
    op.execute(_counted(rows))
    op.execute(_added_answers("select 1 as sign, f.* from forwarding f"))


def _facts() -> None:
    """The figures of one row of the profile, by code. With the rights of the reader: what he may not see adds nothing."""
    op.execute("""
        create function participation_facts(by_dimension text, by_key text, since text, until text, today date)
        returns jsonb language sql stable cost 10000 set search_path = public, pg_temp as $$
            with s as (
                select name, value, sum(n) as n from participation_mark
                where dimension = by_dimension and key = by_key and month between since and until
                group by 1, 2 having sum(n) > 0
            ),
            total as (select name, sum(n) as n, count(*) as values, max(n) as most from s group by name),
            median as (
                select name, round(avg(days), 1) as days from (
                    select name, value::int as days, n, sum(n) over (partition by name order by value::int) as up_to,
                        sum(n) over (partition by name) as whole
                    from s where name in ('published', 'recruited')) x
                where up_to >= whole / 2.0 and up_to - n <= whole / 2.0 group by name
            ),
            whole as (
                select coalesce(sum(questions), 0) as n, coalesce(sum(concluded), 0) as concluded from participation_tally
                where dimension = by_dimension and key = by_key and month between since and until
            ),
            answers as (
                select sum(forwarded) as forwarded, sum(responded) as responded, sum(in_time) as in_time,
                    sum(on_agenda) as on_agenda,
                    sum(answered) + coalesce(sum(forwarded) filter (where due < date_trunc('week', today)::date), 0) as due
                from answer_tally where (by_dimension = 'all' or hub_id::text = by_key)
                    and (since = '' and until = '' or month between since and until)
            ),
            homes as (
                select count(*) as n, count(*) filter (where exists (select from hub_host o where o.hub_id = h.id)) as hosted,
                    count(*) filter (where (select count(distinct s.workfield) from hub_steering s where s.hub_id = h.id) >= 3)
                        as complete
                from hub h where by_dimension = 'all' or h.id::text = by_key
            )
            select jsonb_build_object(
                    'groups', coalesce((select values from total where name = 'group'), 0),
                    'methods', coalesce((select values from total where name = 'method'), 0),
                    'most-used-method', (select round(most / nullif(n, 0), 3) from total where name = 'method'),
                    'days-to-publication', (select days from median where name = 'published'),
                    'days-to-recruitment', (select days from median where name = 'recruited'),
                    'taken-up', (select round(coalesce((select n from total where name = 'taken-up'), 0) / n, 3)
                        from total where name = 'requested'),
                    'in-time', round(answers.in_time::numeric / nullif(answers.due, 0), 3),
                    'responded', round(answers.responded::numeric / nullif(answers.forwarded, 0), 3),
                    'on-agenda', coalesce(answers.on_agenda, 0),
                    'levels', case when whole.concluded > 0 then round(
                        coalesce((select values from total where name = 'achieved'), 0)::numeric / (
                        select count(*) from term where vocabulary = 'participation-level'), 3) end,
                    'phases', case when whole.concluded > 0 then round(
                        coalesce((select values from total where name = 'phase'), 0)::numeric / (
                        select count(*) from term where vocabulary = 'participation-phase'), 3) end,
                    'schemes', coalesce((select values from total where name = 'scheme'), 0),
                    'across', round(coalesce((select n from total where name = 'crosses'), 0)::numeric
                        / nullif(whole.n, 0), 3),
                    'hosted', round(homes.hosted::numeric / nullif(homes.n, 0), 3),
                    'steered', round(homes.complete::numeric / nullif(homes.n, 0), 3)
                ) || coalesce((select jsonb_object_agg('questions-' || value, round(s.n::numeric / whole.n, 3))
                    from s where name = 'workfield' and whole.n > 0), '{}')
            from answers, whole, homes
        $$
    """)


# The share of the second region that lies in the first ones, by population, by municipalities where that is unknown.
_SHARE = """
    coalesce((
        select coalesce(
            sum(m.share * coalesce(m.population, 0)) filter (where within.id is not null)
                / nullif(sum(m.share * coalesce(m.population, 0)), 0),
            avg((within.id is not null)::int))
        from membership m left join within on within.id = m.municipality_id
        where m.region_id = {region} and m.valid_from <= current_date and m.valid_to > current_date
    ), 0)
"""


# Two of the five longest words of the title, as with similar signals: the index alone tells where they meet. A bound on
# what is read, and the rest of the rule, stay as they are for what is near by theme or place.
WORDS = """
            longest as (
                select u.lexeme from one, unnest(one.search) u where 'A' = any (u.weights)
                order by length(u.lexeme) desc, u.lexeme limit 5
            ),
            pairs as (
                select to_tsquery('simple', string_agg(
                    quote_literal(a.lexeme) || ' & ' || quote_literal(b.lexeme), ' | ')) as words
                from longest a join longest b on a.lexeme < b.lexeme
            ),
"""


def _related(*, by_words: bool) -> None:
    """Signals near a question by theme, by people that both regions share, and, with `by_words`, by words alone."""
    sees = f"(audience & {MASK} <> 0 or {HUB} = any (readers))"
    seen = sees.replace("audience", "s.audience").replace(f"{HUB} = any (readers)", f"s.hub_id = {HUB}")
    words = WORDS if by_words else ""
    union = alone = ""
    meets, joined, more = "false as meets", "query", ""
    if by_words:
        union = f"""
                    union all
                    (select s.id from signal s, pairs where s.search @@ pairs.words and {seen} limit 60)
        """
        # Two words in common weigh more than a place alone: otherwise what is near by place would crowd it out.
        alone, more = "or w.meets", " + 0.3 * w.meets::int"
        meets, joined = "coalesce(s.search @@ pairs.words, false) as meets", "query, pairs"
    op.execute(f"""
        create or replace function related_signals(given_question uuid, most int)
        returns table (id uuid, score real, same_themes text[], overlap real, words real)
        language sql stable {AS_OWNER} rows 20 as $$
            with one as (select * from question q where q.id = given_question and {sees}),
            family as (
                select t.code, t.code = any (one.themes) as own from term t, one
                where t.vocabulary = 'theme' and (t.code = any (one.themes) or t.parent = any (one.themes))
            ),
            within as (
                select distinct m.municipality_id as id from one, membership m where m.region_id = any (one.region_ids)
                and m.valid_from <= current_date and m.valid_to > current_date
            ),
            places as (
                select unnest(region_ids) as id from one
                union
                (select w.id from within w join region_period p on p.region_id = w.id and p.valid_from <= current_date
                    and p.valid_to > current_date order by p.population desc nulls last limit 6)
            ),
            query as (
                select to_tsquery('simple', string_agg(quote_literal(l.lexeme), ' | ')) as words
                from (select u.lexeme from one, unnest(one.search) u where 'A' = any (u.weights) limit 12) l
            ),
            {words}
            near as (
                select distinct c.id from (
                    select c.id from (select code from family order by own desc, code limit 8) f, lateral (
                        select s.signal_id as id from signal_theme s where s.theme = f.code
                            and (s.audience & {MASK} <> 0 or s.hub_id = {HUB})
                        order by s.signal_id desc limit 25) c
                    union all
                    select c.id from places p, lateral (
                        select s.id from signal s where s.region_id = p.id and {seen}
                        order by s.id desc limit 15) c
                    {union}
                ) c
            ),
            weighed as (
                select s.id, array(select unnest(s.themes) intersect select code from family) as themes,
                    s.region_id, ts_rank(s.search, query.words, 1) as words, {meets}
                from near join signal s on s.id = near.id, {joined}
                where {seen} and s.status <> 'withdrawn' and not exists (
                    select from question_signal l where l.question_id = given_question and l.signal_id = s.id)
            ),
            shares as (
                select r.region_id, {_SHARE.format(region="r.region_id")} as share
                from (select distinct region_id from weighed) r
            )
            select w.id, least(1, 0.4 * least(1, cardinality(w.themes)) + 0.4 * shares.share
                    + 0.2 * least(1, 5 * coalesce(w.words, 0)){more})::real,
                w.themes, shares.share::real, coalesce(w.words, 0)::real
            from weighed w join shares on shares.region_id = w.region_id
            where cardinality(w.themes) > 0 or shares.share > 0 {alone}
            order by 2 desc, 1 desc limit most
        $$
    """)


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("set local statement_timeout = '10min'")
    _related(by_words=False)
    op.execute("drop function participation_facts(text, text, text, text, date)")
    for name in ("added", "changed", "removed"):
        op.execute(f"drop trigger tally_forwardings_{name} on forwarding")
        op.execute(f"drop function tally_forwardings_{name}()")
    _tally(by_month=False)
    _fold(by_month=False)
    _audience("")
    op.execute("drop function participation_marks(question)")
    op.execute("delete from participation_tally where month <> ''")
    op.execute("drop index ix_participation_tally_dimension")
    op.execute("alter table participation_tally drop column month")
    op.execute("create index ix_participation_tally_dimension on participation_tally (dimension)")
    op.execute("drop table participation_mark, answer_tally")
    op.execute("alter table question drop column marks")
