"""Questions with their history and their signals, in the change log and under the locks; ladders and conditions."""

from __future__ import annotations

from alembic import op

revision = "20261128_questions"
down_revision = "20261127_pull"
branch_labels = None
depends_on = None

MASK = "(select coalesce(nullif(current_setting('app.mask', true), '')::int, 1))"
HUB = "(select nullif(current_setting('app.hub', true), '')::smallint)"
# A question has several hubs, so an array: a link table would have to be joined by the policy, 56 to 165 ms a page.
SEES = f"(audience & {MASK} <> 0 or {HUB} = any (readers))"
GUARDED = ("question", "question_signal", "question_history")
POSITION = "(select max(id) from epoch), pg_current_xact_id()::text::bigint"
TYPE = 5
# What a question adds to the profile, one number each: see `participation_figures`.
MEASURES = (
    "questions", "concluded", *(f"{moment}_{rank}" for moment in ("intended", "agreed", "achieved") for rank in range(1, 6)),
    "as_promised", "less", "more", "told_back", "mixed", "balanced", "compensated", "seldom", "together", "confirmed",
    "transparent", "followed", "life_world", "from_signals", "cells", "cells_of_people", "whole_matrix",
)  # fmt: skip
AS_OWNER = "security definer set search_path = public, pg_temp"


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("set local statement_timeout = '10min'")
    op.execute("alter table term add column framework text, add column level text")
    _tables()
    _row_security()
    _audience()
    _profile()
    _linked()
    _membership()
    _search()
    _related()
    _change_log()
    configuration = op.get_context().config
    assert configuration is not None
    _grants(configuration.attributes["service_role"])


def _tables() -> None:
    op.execute("""
        create table question (
            id uuid not null constraint pk_question primary key,
            hub_id smallint not null constraint fk_question_hub_id references hub (id),
            hubs smallint[] not null,
            invited smallint[] not null default '{}',
            readers smallint[] not null,
            external_id text,
            title text not null,
            description text not null,
            origin text not null,
            scope text not null,
            stakeholder_id uuid
                constraint fk_question_stakeholder_id references organisation (id) on delete set null,
            region_ids int[] not null,
            themes text[] not null,
            workfields text[] not null,
            workfields_source text not null,
            methods text[] not null default '{}',
            levels jsonb not null,
            phases jsonb not null default '[]',
            cells jsonb not null default '[]',
            mix jsonb not null default '[]',
            imbalance_reason text,
            balance jsonb not null,
            compensation jsonb,
            period_from date,
            period_to date,
            requested_on date,
            recruited_on date,
            status text not null,
            outcome jsonb,
            visibility text not null,
            opened_at timestamptz,
            concluded_at timestamptz,
            audience int not null default 0,
            figures int[] not null,
            search tsvector not null,
            demonstration boolean not null default false,
            version int not null default 1,
            created_at timestamptz not null default now(),
            updated_at timestamptz not null default now(),
            constraint uq_question_hub_id_external_id unique (hub_id, external_id),
            constraint ck_question_lead check (hub_id = any (hubs))
        )
    """)
    op.execute("create index ix_question_hub_id on question (hub_id, id desc)")
    op.execute("create index ix_question_updated_at on question (updated_at desc, id desc)")
    op.execute("create index ix_question_search on question using gin (search)")
    op.execute("create index ix_question_themes on question using gin (themes)")
    op.execute("""
        create table question_signal (
            question_id uuid not null
                constraint fk_question_signal_question_id references question (id) on delete cascade,
            signal_id uuid not null constraint fk_question_signal_signal_id references signal (id) on delete cascade,
            audience int not null,
            readers smallint[] not null,
            linked_at timestamptz not null default now(),
            constraint pk_question_signal primary key (question_id, signal_id)
        )
    """)
    op.execute("create index ix_question_signal_signal_id on question_signal (signal_id)")
    # Survives the question, for its hubs; a purge removes it.
    op.execute("""
        create table question_history (
            question_id uuid not null,
            version int not null,
            readers smallint[] not null,
            at timestamptz not null default now(),
            action text not null,
            role text not null,
            by_hub text,
            client_id uuid,
            note text,
            changes jsonb not null,
            constraint pk_question_history primary key (question_id, version)
        )
    """)


def _row_security() -> None:
    for table in GUARDED:
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        op.execute(f"create policy owner on {table} to current_user using (true) with check (true)")
    for table in ("question", "question_signal"):
        op.execute(f"create policy reading on {table} for select using {SEES}")
    op.execute(f"create policy adding on question for insert with check (hub_id = {HUB})")
    op.execute(
        f"create policy changing on question for update using ({HUB} = any (hubs)) with check ({HUB} = any (hubs))"
    )
    op.execute(f"create policy removing on question for delete using (hub_id = {HUB})")
    # Trigger fills the readers in from the question, before the check.
    op.execute(f"create policy adding on question_signal for insert with check ({HUB} = any (readers))")
    op.execute(f"create policy removing on question_signal for delete using ({HUB} = any (readers))")
    op.execute(f"create policy reading on question_history for select using ({HUB} = any (readers))")
    op.execute(f"create policy adding on question_history for insert with check ({HUB} = any (readers))")


def _audience() -> None:
    """Who may read is kept by trigger. What was once opened stays known to those who could read it, also cancelled."""
    op.execute("""
        create function question_audience(visibility text, opened boolean, recipients int) returns int
        language sql immutable as $$
            select case when not opened then 0
                when visibility = 'public' then 3 | recipients
                when visibility = 'network' then 2 | recipients
                else 0 end
        $$
    """)
    op.execute("""
        create function set_question_audience() returns trigger language plpgsql set search_path = public, pg_temp as $$
        begin
            new.audience := question_audience(new.visibility, new.opened_at is not null, (
                select coalesce(bit_or(umbrella_bit(t.code)), 0) from term t
                where t.vocabulary = 'umbrella' and t.workfields && new.workfields));
            new.readers := new.hubs || new.invited;
            new.figures := participation_figures(new);
            return new;
        end $$
    """)
    op.execute(
        "create trigger set_question_audience before insert or update on question "
        "for each row execute function set_question_audience()"
    )
    op.execute(f"""
        create function set_question_signal_audience() returns trigger language plpgsql {AS_OWNER} as $$
        begin
            select q.audience, q.readers into new.audience, new.readers from question q where q.id = new.question_id;
            return new;
        end $$
    """)
    op.execute(
        "create trigger set_question_signal_audience before insert on question_signal "
        "for each row execute function set_question_signal_audience()"
    )
    op.execute(f"""
        create function follow_question() returns trigger language plpgsql {AS_OWNER} as $$
        begin
            update question_signal s set audience = n.audience, readers = n.readers
                from new_rows n join old_rows o on o.id = n.id
                where s.question_id = n.id and (n.audience <> o.audience or n.readers <> o.readers);
            update question_history h set readers = n.hubs from new_rows n join old_rows o on o.id = n.id
                where h.question_id = n.id and n.hubs <> o.hubs;
            return null;
        end $$
    """)
    op.execute(
        "create trigger follow_question after update on question referencing old table as old_rows "
        "new table as new_rows for each statement execute function follow_question()"
    )


def _profile() -> None:
    """What was promised and what came of it, added up as questions are written: differences are appended, so that writers
    do not wait for each other, and folded into one row now and then. A row is for those who may read the question; which
    hub it is of matters only where not every hub may."""
    columns = ", ".join(f"{name} int not null" for name in MEASURES)
    op.execute(f"""
        create table participation_tally (
            dimension text not null, key text not null, audience int not null, readers smallint[] not null, {columns})
    """)
    op.execute("create index ix_participation_tally_dimension on participation_tally (dimension)")
    op.execute("alter table participation_tally enable row level security")
    op.execute("alter table participation_tally force row level security")
    op.execute("create policy owner on participation_tally to current_user using (true) with check (true)")
    op.execute(f"create policy reading on participation_tally for select using {SEES}")
    op.execute(f"""
        create function participation_figures(q question) returns int[] language plpgsql stable {AS_OWNER} as $$
        declare
            done boolean := q.status in ('concluded', 'followed-up');
            told boolean := jsonb_array_length(coalesce(q.outcome -> 'told_back', '[]')) > 0;
            ranks int[];
            promised int;
            found int[];
        begin
            if q.opened_at is null or q.status = 'cancelled' then
                return array_fill(0, array[{len(MEASURES)}]);
            end if;
            select array[
                max(rank) filter (where code = q.levels #>> '{{intended,level}}'),
                max(rank) filter (where code = q.levels #>> '{{agreed,level}}'),
                max(rank) filter (where code = q.levels #>> '{{achieved,level}}')]
            into ranks from term where vocabulary = 'participation-level';
            promised := coalesce(ranks[2], ranks[1]);
            found := array[1, done::int];
            for moment in 1..3 loop
                for rank in 1..5 loop
                    found := found || coalesce((ranks[moment] = rank)::int, 0);
                end loop;
            end loop;
            return found || array[
                coalesce((ranks[3] = promised)::int, 0), coalesce((ranks[3] < promised)::int, 0),
                coalesce((ranks[3] > promised)::int, 0), (done and told)::int, (q.balance ->> 'state' <> 'unknown')::int,
                (q.balance ->> 'state' in ('balanced', 'deliberate'))::int,
                coalesce((q.compensation ->> 'offered')::boolean::int, 0),
                exists (select from jsonb_to_recordset(q.mix) m ("group" text, recruited int)
                    join term t on t.vocabulary = 'participant-group' and t.code = m."group" and t.under_represented
                    where m.recruited > 0)::int,
                (q.stakeholder_id is not null and (select count(distinct o) from jsonb_array_elements(q.mix) m,
                    jsonb_array_elements(m -> 'organisations') o) >= 2)::int,
                (q.stakeholder_id is not null and (q.levels ->> 'confirmed')::boolean)::int,
                (done and q.visibility = 'public' and q.outcome is not null)::int,
                (done and told and ranks[3] is not null and coalesce(q.outcome ->> 'impact', '') <> '')::int,
                (q.origin = 'life-world')::int,
                exists (select from question_signal s where s.question_id = q.id)::int,
                jsonb_array_length(q.cells),
                (select count(*) from jsonb_array_elements(q.cells) c where not (c ->> 'held_by_hub')::boolean)::int,
                (done and (select count(distinct c ->> 'phase') from jsonb_array_elements(q.cells) c
                    where (c ->> 'realised')::boolean) >= greatest(jsonb_array_length(q.phases), 3))::int];
        end $$
    """)
    sums = ", ".join(f"sum(sign * figures[{place}])" for place in range(1, len(MEASURES) + 1))
    some = " or ".join(f"sum(sign * figures[{place}]) <> 0" for place in range(1, len(MEASURES) + 1))
    names = ", ".join(MEASURES)
    op.execute(f"""
        create function fold_tally() returns void language plpgsql volatile {AS_OWNER} as $$
        begin
            if pg_try_advisory_xact_lock(hashtext('participation_tally')) then
                with gone as (delete from participation_tally returning *)
                insert into participation_tally (dimension, key, audience, readers, {names})
                select dimension, key, audience, readers, {", ".join(f"sum({name})" for name in MEASURES)} from gone
                group by 1, 2, 3, 4 having {" or ".join(f"sum({name}) <> 0" for name in MEASURES)};
            end if;
        end $$
    """)
    taken = "select {} as sign, r.* from {} r where r.figures[1] <> 0"
    before, after = taken.format(-1, "old_rows"), taken.format(1, "new_rows")
    for name, what, tables, rows in (
        ("added", "insert", "new table as new_rows", after),
        ("changed", "update", "old table as old_rows new table as new_rows", f"{before} union all {after}"),
        ("removed", "delete", "old table as old_rows", before),
    ):
        op.execute(f"""
            create function tally_questions_{name}() returns trigger language plpgsql {AS_OWNER} as $$
            begin
                insert into participation_tally (dimension, key, audience, readers, {names})
                select d.dimension, d.key, r.audience, case when r.audience & 2 <> 0 then '{{}}' else r.readers end, {sums}
                from ({rows}) r, lateral (
                    select 'all' as dimension, '' as key
                    union all select 'hub', h::text from unnest(r.hubs) h
                    union all select 'workfield', w from unnest(r.workfields) w
                        where r.workfields_source <> 'cross-cutting'
                    union all select 'workfield', 'werkveldoverstijgend' where r.workfields_source = 'cross-cutting'
                    union all select distinct 'theme', t from unnest(r.themes) t
                    union all select 'period', to_char(r.opened_at at time zone 'Europe/Amsterdam', 'YYYY-MM')
                    union all select 'region', array_to_string(
                        array(select distinct u from unnest(r.region_ids) u order by u), ' ')
                ) d
                group by 1, 2, 3, 4 having {some};
                if random() < 0.01 then
                    perform fold_tally();
                end if;
                return null;
            end $$
        """)
        op.execute(
            f"create trigger tally_questions_{name} after {what} on question referencing {tables} "
            f"for each statement execute function tally_questions_{name}()"
        )


def _linked() -> None:
    """Whether a question came from signals is one of its figures: a link that comes or goes works it out anew. Not a change
    of the question by itself, so no version and no entry in the log."""
    for name, what, rows in (
        ("added", "insert", "new table as rows"),
        ("removed", "delete", "old table as rows"),
    ):
        op.execute(f"""
            create function links_{name}() returns trigger language plpgsql {AS_OWNER} as $$
            begin
                update question set figures = figures where id in (select question_id from rows);
                return null;
            end $$
        """)
        op.execute(
            f"create trigger links_{name} after {what} on question_signal referencing {rows} "
            f"for each statement execute function links_{name}()"
        )


def _membership() -> None:
    """A hub that is invited may not change the question, and one that leaves may not see it afterwards: both take a row
    from under their own lock. So this does it, and holds what the rules promise: who is not of it or asked to it, changes
    nothing; nobody but those of it adds others; the lead stays."""
    op.execute(f"""
        create function set_question_hubs(given_question uuid, given_version int, given_hubs text[], given_invited text[])
        returns int language plpgsql volatile {AS_OWNER} as $$
        declare
            mine smallint := {HUB};
            q question;
            now_hubs smallint[];
            now_invited smallint[];
        begin
            select * into q from question where id = given_question and mine = any (readers) for no key update;
            if q.id is null or q.version <> given_version then
                return null;
            end if;
            select array(select h.id from unnest(given_hubs) with ordinality u (slug, place) join hub h on h.slug = u.slug
                order by u.place) into now_hubs;
            select array(select h.id from unnest(given_invited) with ordinality u (slug, place)
                join hub h on h.slug = u.slug order by u.place) into now_invited;
            if exists (select unnest(now_hubs)
                    except select unnest(q.hubs || case when mine = any (q.invited) then array[mine] else '{{}}' end))
                or not q.hub_id = any (now_hubs)
                or (mine <> q.hub_id and (
                    exists (select unnest(q.hubs) except select unnest(now_hubs || mine))
                    or exists (select unnest(now_invited) except select unnest(q.invited))
                    or exists (select unnest(q.invited) except select unnest(now_invited || mine))))
            then
                raise insufficient_privilege;
            end if;
            update question set hubs = now_hubs, invited = now_invited, version = version + 1, updated_at = now()
                where id = given_question;
            return q.version + 1;
        end $$
    """)


def _search() -> None:
    """As with signals: full text under row-level security would filter row by row, so this applies the rule itself."""
    op.execute(f"""
        create function question_candidates(words text, most int)
        returns table (id uuid, rank real) language sql stable {AS_OWNER} rows 200 as $$
            select found.id, ts_rank(found.search, websearch_to_tsquery('dutch', words))
            from (
                select q.id, q.search from question q
                where q.search @@ websearch_to_tsquery('dutch', words) and {SEES}
                order by q.id desc limit 1000
            ) found
            order by 2 desc, 1 desc limit most
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


def _related() -> None:
    """Signals near a question, and questions near a signal, with the reasons: themes, people that both regions share, words.

    Bounded: the newest of each theme and place are weighed, whatever their number, so a million signals cost what ten
    thousand do.
    """
    seen = SEES.replace("audience", "s.audience").replace(f"{HUB} = any (readers)", f"s.hub_id = {HUB}")
    op.execute(f"""
        create function related_signals(given_question uuid, most int)
        returns table (id uuid, score real, same_themes text[], overlap real, words real)
        language sql stable {AS_OWNER} rows 20 as $$
            with one as (select * from question q where q.id = given_question and {SEES}),
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
                ) c
            ),
            query as (
                select to_tsquery('simple', string_agg(quote_literal(l.lexeme), ' | ')) as words
                from (select u.lexeme from one, unnest(one.search) u where 'A' = any (u.weights) limit 12) l
            ),
            weighed as (
                select s.id, array(select unnest(s.themes) intersect select code from family) as themes,
                    s.region_id, ts_rank(s.search, query.words, 1) as words
                from near join signal s on s.id = near.id, query
                where {seen} and s.status <> 'withdrawn' and not exists (
                    select from question_signal l where l.question_id = given_question and l.signal_id = s.id)
            ),
            shares as (
                select r.region_id, {_SHARE.format(region="r.region_id")} as share
                from (select distinct region_id from weighed) r
            )
            select w.id, (0.4 * least(1, cardinality(w.themes)) + 0.4 * shares.share
                    + 0.2 * least(1, 5 * coalesce(w.words, 0)))::real,
                w.themes, shares.share::real, coalesce(w.words, 0)::real
            from weighed w join shares on shares.region_id = w.region_id
            where cardinality(w.themes) > 0 or shares.share > 0
            order by 2 desc, 1 desc limit most
        $$
    """)
    op.execute(f"""
        create function related_questions(given_signal uuid, most int)
        returns table (id uuid, score real, same_themes text[], overlap real, words real)
        language sql stable {AS_OWNER} rows 20 as $$
            with one as (select * from signal s where s.id = given_signal and {seen}),
            family as (
                select t.code from term t, one where t.vocabulary = 'theme' and t.code = any (one.themes)
                union
                select t.parent from term t, one
                where t.vocabulary = 'theme' and t.code = any (one.themes) and t.parent is not null
            ),
            within as (
                select distinct m.municipality_id as id from one, membership m where m.region_id = one.region_id
                and m.valid_from <= current_date and m.valid_to > current_date
            ),
            query as (
                select to_tsquery('simple', string_agg(quote_literal(l.lexeme), ' | ')) as words
                from (select u.lexeme from one, unnest(one.search) u where 'A' = any (u.weights) limit 12) l
            ),
            near as (
                (select q.id from question q where q.themes && array(select code from family) and {SEES}
                    order by q.id desc limit 150)
                union
                (select q.id from question q, query where q.search @@ query.words and {SEES}
                    order by q.id desc limit 50)
            ),
            weighed as (
                select q.id, array(select unnest(q.themes) intersect select code from family) as themes,
                    q.region_ids, ts_rank(q.search, query.words, 1) as words
                from near join question q on q.id = near.id, query
                where q.status <> 'cancelled' and not exists (
                    select from question_signal l where l.question_id = q.id and l.signal_id = given_signal)
            ),
            shares as (
                select r.region_id, {_SHARE.format(region="r.region_id")} as share
                from (select distinct unnest(region_ids) as region_id from weighed) r
            ),
            placed as (
                select w.*, coalesce((
                    select max(share) from shares where shares.region_id = any (w.region_ids)), 0) as share from weighed w
            )
            select w.id, (0.4 * least(1, cardinality(w.themes)) + 0.4 * w.share
                    + 0.2 * least(1, 5 * coalesce(w.words, 0)))::real,
                w.themes, w.share::real, coalesce(w.words, 0)::real
            from placed w order by 2 desc, 1 desc limit most
        $$
    """)


_ENTRY = "(epoch, xact_id, type, resource_id, resource_key, version, op, audience, hub_id, owner_hub"


def _change_log() -> None:
    """As with signals, for several hubs: where the entry is not addressed to every hub anyway (bit 2), each hub of the
    question has one of its own. A `hidden` entry is not for those who are of it still; a tombstone names the id that the
    hub gave it."""
    op.execute("alter table change add column kept_hubs smallint[]")
    op.execute("drop policy reading on change")
    op.execute(f"""
        create policy reading on change for select using (
            (audience & {MASK} <> 0 and kept & {MASK} = 0 and (op <> 3 or (
                owner_hub is distinct from {HUB} and ({HUB} = any (kept_hubs)) is not true)))
            or hub_id = {HUB}
        )
    """)
    for name, rows, version, number, key in (
        ("added", "new_rows n", "n.version", 1, "null"),
        ("changed", "new_rows n join old_rows o on o.id = n.id and o.version <> n.version", "n.version", 1, "null"),
        ("removed", "old_rows n", "n.version + 1", 2, "n.external_id"),
    ):
        lost = ""
        if name == "changed":
            lost = f"""
            insert into change {_ENTRY}, kept, kept_hubs)
                select {POSITION}, {TYPE}, n.id, null, n.version, 3, o.audience & ~n.audience, null, n.hub_id, n.audience, n.readers
                from new_rows n join old_rows o on o.id = n.id where o.audience & ~n.audience <> 0;
            insert into change {_ENTRY})
                select {POSITION}, {TYPE}, n.id, null, n.version, 3, 0, h, n.hub_id
                from new_rows n join old_rows o on o.id = n.id, unnest(o.readers) h
                where not h = any (n.readers) and n.audience & 2 = 0;
            """
        op.execute(f"""
            create function log_questions_{name}() returns trigger language plpgsql {AS_OWNER} as $$
            begin
                insert into change {_ENTRY})
                    select {POSITION}, {TYPE}, n.id, {key}, {version}, {number}, n.audience, n.hub_id, n.hub_id
                    from {rows};
                insert into change {_ENTRY})
                    select {POSITION}, {TYPE}, n.id, {key}, {version}, {number}, 0, h, n.hub_id
                    from {rows}, unnest(n.readers) h where h <> n.hub_id and n.audience & 2 = 0;
                {lost}
                return null;
            end $$
        """)
    for name, what, rows in (
        ("added", "insert", "new table as new_rows"),
        ("changed", "update", "old table as old_rows new table as new_rows"),
        ("removed", "delete", "old table as old_rows"),
    ):
        op.execute(
            f"create trigger log_questions_{name} after {what} on question referencing {rows} "
            f"for each statement execute function log_questions_{name}()"
        )


def _grants(service: str) -> None:
    role = '"' + service.replace('"', '""') + '"'
    op.execute(f"grant select, insert, update, delete on question to {role}")
    op.execute(f"revoke update on question from {role}")
    fixed = {
        "id",
        "hub_id",
        "hubs",
        "invited",
        "readers",
        "external_id",
        "audience",
        "figures",
        "demonstration",
        "created_at",
    }
    columns = [name for name in _COLUMNS if name not in fixed]
    op.execute(f"grant update ({', '.join(columns)}) on question to {role}")
    op.execute(f"grant select, insert, delete on question_signal to {role}")
    op.execute(f"grant select, insert on question_history to {role}")
    op.execute(f"grant select on participation_tally to {role}")
    op.execute("revoke execute on function fold_tally() from public")


_COLUMNS = [
    "id",
    "hub_id",
    "hubs",
    "invited",
    "readers",
    "external_id",
    "title",
    "description",
    "origin",
    "scope",
    "stakeholder_id",
    "region_ids",
    "themes",
    "workfields",
    "workfields_source",
    "methods",
    "levels",
    "phases",
    "cells",
    "mix",
    "imbalance_reason",
    "balance",
    "compensation",
    "period_from",
    "period_to",
    "requested_on",
    "recruited_on",
    "status",
    "outcome",
    "visibility",
    "opened_at",
    "concluded_at",
    "audience",
    "search",
    "demonstration",
    "version",
    "created_at",
    "updated_at",
]


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("set local statement_timeout = '10min'")
    op.execute("drop function participation_figures(question) cascade")
    op.execute("drop table question_signal, question_history, question, participation_tally cascade")
    op.execute(f"delete from change where type = {TYPE} and owner_hub is not null")
    op.execute("drop policy reading on change")
    op.execute(f"""
        create policy reading on change for select using (
            (audience & {MASK} <> 0 and kept & {MASK} = 0 and (op <> 3 or owner_hub is distinct from {HUB}))
            or hub_id = {HUB}
        )
    """)
    op.execute("alter table change drop column kept_hubs")
    for function in (
        "log_questions_added()", "log_questions_changed()", "log_questions_removed()", "follow_question()",
        "set_question_audience()", "set_question_signal_audience()", "set_question_hubs(uuid, int, text[], text[])",
        "question_audience(text, boolean, int)", "question_candidates(text, int)", "related_signals(uuid, int)",
        "related_questions(uuid, int)", "fold_tally()", "tally_questions_added()", "tally_questions_changed()",
        "tally_questions_removed()", "links_added()", "links_removed()",
    ):  # fmt: skip
        op.execute(f"drop function {function}")
    op.execute("alter table term drop column framework, drop column level")
