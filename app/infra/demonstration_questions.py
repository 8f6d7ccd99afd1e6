"""The questions of the demonstration network: six cases written out, and generated ones in any number."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from importlib.resources import files
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from app.domain.ladder import NATIONAL, Levels, Setting
from app.domain.matrix import Cell, Matrix, Mix, MixGroup, Phase
from app.domain.outcomes import ImpactCheck, Input, Outcome, ToldBack
from app.domain.question_rules import Known, routed
from app.domain.questions import Compensation, Period, Question
from app.domain.text import fold
from app.infra.demonstration_signals import identity_of
from app.infra.question_documents import documents
from app.infra.question_writes import PostgresQuestions
from app.infra.signal_writes import SEARCH

LIFE = ("draft", "open", "recruiting", "in-progress", "concluded", "followed-up")
GENERATED = 48
CHUNK = 1_000
SEED = 20_240_101
FIRST = date(2024, 1, 8)
SUBJECTS = (
    "Hoe blijft hulp dichtbij", "Wat maakt wachten draaglijk", "Wie denkt mee over nieuwe zorg",
    "Wat hebben mensen nodig om mee te doen", "Hoe wordt een gebouw voor iedereen", "Welke afspraken helpen naasten",
)  # fmt: skip
FOR = (
    "in de wijk",
    "op het platteland",
    "in het ziekenhuis",
    "bij de gemeente",
    "tussen school en zorg",
    "na de fusie",
)


@dataclass(frozen=True, slots=True)
class Made:
    """A question with the moments of its life."""

    question: Question
    created: datetime
    opened: datetime | None
    concluded: datetime | None


async def load_questions(connection: asyncpg.Connection) -> int:
    """In a transaction: adds those that are not there; their number."""
    text = (files("app") / "data" / "demonstration" / "questions.json").read_text("utf-8")
    cases: list[dict[str, Any]] = orjson.loads(text)
    there = {
        row[0]
        for row in await connection.fetch("select external_id from question where demonstration and external_id <> ''")
    }
    ids = {
        row[0]: row[1]
        for row in await connection.fetch("select source_key, id from organisation where source_key like 'demo-%'")
    }
    known = await PostgresQuestions(connection).known()
    new = [case for case in cases if case["key"] not in there]
    await _write(connection, [_case(case, known, ids) for case in new])
    for case in new:
        await connection.execute(
            """insert into question_signal (question_id, signal_id, audience, readers)
            select q.id, s.id, 0, '{}' from question q, signal s where q.external_id = $1 and q.demonstration
              and s.demonstration and s.external_id = any ($2::text[])""",
            case["key"], case["signals"],
        )  # fmt: skip
    added = 0 if await connection.fetchval(_GENERATED_THERE) else await generate(connection, GENERATED)
    return len(new) + added


_GENERATED_THERE = "select exists (select from question where demonstration and external_id is null)"


async def generate(connection: asyncpg.Connection, count: int, first: int = 0) -> int:
    """Adds generated questions from number `first` on, the same for the same number."""
    known = await PostgresQuestions(connection).known()
    rows = await connection.fetch(
        """select h.slug, array_agg(r.code order by r.code) as regions from hub h join region a on a.code = h.area_code
        join membership m on m.region_id = a.id and m.valid_to = 'infinity'
        join region r on r.id = m.municipality_id where not h.demonstration group by 1 order by 1"""
    )
    places = [(row["slug"], row["regions"]) for row in rows]
    for start in range(first, first + count, CHUNK):
        numbers = range(start, min(first + count, start + CHUNK))
        await _write(connection, [_random(n, places, known) for n in numbers])
    await connection.execute("select fold_tally()")
    return count


def _settings(given: Mapping[str, Any], known: Known, hub: str, days: Sequence[date | None]) -> Levels:
    ladder = given.get("ladder", NATIONAL)
    found = {}
    for name, day in zip(("intended", "agreed", "achieved"), days, strict=True):
        code = given.get(name)
        if code is not None and day is not None:
            level = code if ladder == NATIONAL else known.ladders.rungs[code][1]
            found[name] = Setting(level, None if ladder == NATIONAL else code, hub, day)
    return Levels(ladder, explanation=given.get("explanation"), confirmed=given.get("confirmed", False), **found)


def _case(case: Mapping[str, Any], known: Known, ids: Mapping[str, UUID]) -> Made:
    created, opened, concluded = (_at(case[name]) for name in ("createdOn", "openedOn", "concludedOn"))
    assert created is not None
    days = (created.date(), opened.date() if opened else None, concluded.date() if concluded else None)
    compensation = case["compensation"]
    question = Question(
        id=identity_of(case["key"], created), hub=case["hub"], hubs=tuple(case["hubs"]), external_id=case["key"],
        title=case["title"], description=case["description"], origin=case["origin"], scope=case["scope"],
        stakeholder=ids.get(case["stakeholder"]), regions=tuple(case["regions"]), themes=tuple(case["themes"]),
        workfields=None if case["workfields"] is None else tuple(case["workfields"]), methods=tuple(case["methods"]),
        levels=_settings(case["levels"], known, case["hub"], days),
        matrix=Matrix(
            tuple(Phase(**phase) for phase in case.get("phases", ())),
            tuple(
                Cell(c["phase"], c["role"], c["activity"], tuple(c["groups"]), _day(c["on"]), c["realised"], c.get("heldByHub", False))
                for c in case["cells"]
            ),
        ),
        mix=Mix(
            tuple(
                MixGroup(g["group"], g["wanted"], g["recruited"], tuple(ids[key] for key in g.get("organisations", ())))
                for g in case["mix"]
            ),
            case.get("imbalanceReason"),
        ),
        compensation=Compensation(compensation["offered"], compensation["what"]),
        period=Period(*(_day(day) for day in case["period"])), requested_on=_day(case["requestedOn"]),
        recruited_on=_day(case["recruitedOn"]), outcome=_outcome(case["outcome"]), visibility=case["visibility"],
        status=case["status"], demonstration=True, version=1 + LIFE.index(case["status"]),
    )  # fmt: skip
    return Made(routed(question, known), created, opened, concluded)


def _outcome(found: Mapping[str, Any] | None) -> Outcome | None:
    if found is None:
        return None
    return Outcome(
        found["inputSummary"], found["decision"], found["explanation"],
        tuple(Input(**item) for item in found["inputs"]), found["impact"],
        tuple(ImpactCheck(date.fromisoformat(item["on"]), item["finding"]) for item in found["impactChecks"]),
        tuple(ToldBack(date.fromisoformat(item["on"]), item["how"], item["phase"]) for item in found["toldBack"]),
        _day(found["decidedOn"]),
    )  # fmt: skip


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _at(text: str | None) -> datetime | None:
    return None if text is None else datetime.combine(date.fromisoformat(text), time(9), UTC)


def _random(number: int, places: Sequence[tuple[str, Sequence[str]]], known: Known) -> Made:
    chance = random.Random(SEED + number)  # noqa: S311 - nothing secret
    pick, hub = chance.choice, chance.choice(places)
    created = datetime.combine(FIRST + timedelta(days=chance.randrange(850)), time(8 + number % 9), UTC)
    status = pick(LIFE[1:] + LIFE[3:] + ("draft", "followed-up", "cancelled"))
    step = LIFE.index(status) if status in LIFE else 1
    opened = created + timedelta(days=chance.randrange(1, 10)) if step > 0 else None
    concluded = created + timedelta(days=chance.randrange(60, 260)) if step >= 4 else None
    days = (created.date(), opened.date() if opened else None, concluded.date() if concluded else None)
    levels = list(known.ladders.levels)
    intended = chance.randrange(1, 5)
    agreed = max(0, min(4, intended + pick((0, 0, 0, -1, -1, 1))))
    given: dict[str, Any] = {"intended": levels[intended], "confirmed": step > 2 and chance.random() < 0.5}
    if step > 1:
        given["agreed"] = levels[agreed]
        given["explanation"] = "Er was minder tijd dan gehoopt." if agreed < intended else None
    if step > 4:
        given["achieved"] = levels[max(0, min(4, agreed + pick((0, 0, 0, -1, -2, 1))))]
    others = (
        tuple(slug for slug, _ in chance.sample(list(places), 2) if slug != hub[0]) if chance.random() < 0.15 else ()
    )
    groups = chance.sample(list(known.groups), chance.randrange(2, 7))
    done = step > 2
    mix = Mix(tuple(MixGroup(group, pick((2, 4, 6)), pick((0, 2, 3, 5)) if step > 1 else 0) for group in groups))
    cells = tuple(
        Cell(
            phase,
            pick(list(known.roles)),
            "Bijeenkomst",
            (pick(groups),),
            None,
            done and chance.random() < 0.8,
            chance.random() < 0.12,
        )
        for phase in known.phases
    )
    question = Question(
        id=identity_of(f"generated question {number}", created), hub=hub[0], hubs=(hub[0], *others),
        title=f"{pick(SUBJECTS)} {pick(FOR)}?", description="Gegenereerd voor de demonstratie: een vraag van een regionale tafel.",
        origin=pick(("system-world", "system-world", "life-world")), scope=pick(("broad", "broad", "specific")),
        regions=(pick(hub[1]),), themes=tuple(chance.sample(list(known.themes), 2)),
        workfields=pick((None, None, (pick(list(known.workfields)),))),
        methods=tuple(chance.sample(list(known.methods), chance.randrange(1, 4))),
        levels=_settings(given, known, hub[0], days), matrix=Matrix((), cells), mix=mix,
        compensation=Compensation(chance.random() < 0.6), period=Period(created.date(), None), requested_on=created.date(),
        recruited_on=created.date() + timedelta(days=chance.randrange(5, 60)) if mix.recruited else None,
        outcome=_generated_outcome(chance, concluded) if concluded else None,
        visibility=pick(("public", "public", "network", "hub")), status=status, demonstration=True,
        version=1 + step + (status == "cancelled"),
    )  # fmt: skip
    return Made(routed(question, known), created, opened, concluded)


def _generated_outcome(chance: random.Random, concluded: datetime) -> Outcome:
    told = (
        (ToldBack(concluded.date() + timedelta(days=chance.randrange(0, 40)), "Bericht"),)
        if chance.random() < 0.7
        else ()
    )
    checks = (ImpactCheck(concluded.date() + timedelta(days=60), "Gegenereerd."),) if chance.random() < 0.4 else ()
    return Outcome(
        "Gegenereerd: wat mensen inbrachten.", "Gegenereerd: wat besloten is.", "Gegenereerd: waarom.",
        (Input("Groep", "yes"), Input("Platform", "no", "Te duur.")), "Gegenereerd." if checks else None, checks, told,
        concluded.date(),
    )  # fmt: skip


_INSERT = f"""
insert into question (id, hub_id, hubs, readers, external_id, title, description, origin, scope, stakeholder_id, region_ids,
  themes, workfields, workfields_source, methods, levels, phases, cells, mix, imbalance_reason, balance, compensation,
  period_from, period_to, requested_on, recruited_on, status, outcome, visibility, demonstration, version, created_at,
  updated_at, opened_at, concluded_at, search)
select $1, h.id, array(select o.id from unnest($3::text[]) with ordinality u (slug, place) join hub o on o.slug = u.slug
    order by u.place), '{{}}', $4, $5, $6, $7, $8, $9,
  array(select r.id from unnest($10::text[]) with ordinality u (code, place) join region r on r.code = u.code order by place),
  $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, true, $29, $30, $31, $32, $33,
  {SEARCH.format(title="$34", description="$35")}
from hub h where h.slug = $2
"""  # noqa: S608 - our own words


async def _write(connection: asyncpg.Connection, made: Sequence[Made]) -> None:
    await connection.executemany(_INSERT, [_row(one) for one in made])
    await connection.executemany(
        """insert into question_history (question_id, version, readers, at, action, role, by_hub, changes)
        select $1, $2, q.hubs, $3, $4, 'hub', $5, $6 from question q where q.id = $1""",
        [line for one in made for line in _lines(one)],
    )


def _row(made: Made) -> tuple[Any, ...]:
    q = replace(made.question)
    return (
        q.id, q.hub, list(q.hubs), q.external_id, q.title, q.description, q.origin, q.scope, q.stakeholder, list(q.regions),
        list(q.themes), list(q.concerned), q.workfields_source, list(q.methods), *documents(q), q.period.from_, q.period.to,
        q.requested_on, q.recruited_on, q.status, None if q.outcome is None else orjson.dumps(q.outcome).decode(),
        q.visibility, q.version, made.created, made.concluded or made.opened or made.created, made.opened, made.concluded,
        fold(q.title), fold(q.description),
    )  # fmt: skip


def _lines(made: Made) -> list[tuple[Any, ...]]:
    q, moments = made.question, (made.opened, made.opened, made.opened, made.concluded, made.concluded)
    lines: list[tuple[Any, ...]] = [(q.id, 1, made.created, "created", q.hub, "{}")]
    steps = LIFE[1 : LIFE.index(q.status) + 1] if q.status in LIFE else ("open", "cancelled")
    for version, (before, step, at) in enumerate(zip(("draft", *steps), steps, moments, strict=False), 2):
        lines.append((q.id, version, at, step, q.hub, orjson.dumps({"status": [before, step]}).decode()))
    return lines


async def clear(connection: asyncpg.Connection) -> int:
    """In a transaction: removes the questions of the demonstration, and those that one of its hubs leads; such a hub is
    taken out of the others. Their number."""
    rows = await connection.fetch(
        """delete from question where demonstration or hub_id in (select id from hub where demonstration) returning id"""
    )
    ids = [row["id"] for row in rows]
    await connection.execute("delete from question_history where question_id = any ($1::uuid[])", ids)
    await connection.execute(
        """update question q set version = version + 1, updated_at = now(),
          hubs = array(select u.id from unnest(q.hubs) with ordinality u (id, place) where u.id <> all (d.ids) order by place),
          invited = array(select u.id from unnest(q.invited) u (id) where u.id <> all (d.ids))
        from (select array(select id from hub where demonstration) as ids) d where q.readers && d.ids"""
    )
    return len(ids)
