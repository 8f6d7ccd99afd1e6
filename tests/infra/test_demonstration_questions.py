"""The questions of the demonstration: six cases as a hub could have written them, and nothing left when they are cleared."""

from __future__ import annotations

import asyncio
from importlib.resources import files

import asyncpg
import orjson
import pytest

from app.domain import privacy
from app.domain.errors import Faults
from app.domain.ladder import check_levels
from app.domain.outcomes import check_outcome
from app.domain.question_rules import TRANSITIONS, check_matrix
from app.infra import demonstration
from app.infra.demonstration_questions import _case, generate
from app.infra.question_writes import PostgresQuestions

TEXT = (files("app") / "data" / "demonstration" / "questions.json").read_text("utf-8")
CASES = orjson.loads(TEXT)


@pytest.fixture
async def owner(addresses):
    connection = await asyncpg.connect(addresses.owner)
    await connection.execute("select set_config('app.role', 'system', false)")
    yield connection
    await connection.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["key"])
async def test_a_case_keeps_every_rule_that_hubs_keep(owner, case):
    known = await PostgresQuestions(owner).known()
    ids = {row[0]: row[1] for row in await owner.fetch("select source_key, id from organisation where demonstration")}
    made = _case(case, known, ids)
    faults = Faults()
    check_matrix(made.question.matrix, known, faults)
    check_levels(made.question.levels, known.ladders, faults)
    phases = [phase.code for phase in made.question.matrix.phases] or known.phases
    today = await owner.fetchval("select current_date")
    if made.question.outcome is not None:
        check_outcome(made.question.outcome, phases, today, faults)
    assert faults.found == []
    assert made.question.status in TRANSITIONS
    assert (made.question.outcome is not None) == (made.question.status in ("concluded", "followed-up"))
    assert (made.question.levels.achieved is not None) == (made.question.status == "followed-up")
    assert {group.group for group in made.question.mix.groups} <= set(known.groups)
    assert made.question.mix.groups


def test_no_case_holds_personal_data_and_every_outcome_says_that_it_is_made_up():
    def texts(part):
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict | list):
            for item in part.values() if isinstance(part, dict) else part:
                yield from texts(item)

    assert [text for text in texts(CASES) if privacy.find(text)] == []
    for case in CASES:
        if case["outcome"]:
            for name in ("inputSummary", "decision", "explanation"):
                assert case["outcome"][name].startswith("Fictief."), case["key"]


async def test_the_six_cases_are_there_with_their_signals(owner):
    rows = await owner.fetch(
        """select q.external_id, count(s.signal_id) as signals from question q
        left join question_signal s on s.question_id = q.id where q.external_id like 'demo-question-%' group by 1 order by 1"""
    )
    assert [(row[0], row[1]) for row in rows] == [(case["key"], len(case["signals"])) for case in CASES]


async def test_what_was_loaded_is_cleared_and_a_real_question_loses_no_more_than_the_demonstration_hub(fresh):
    addresses = await asyncio.to_thread(fresh, "demonstration_questions")
    owner = await asyncpg.connect(addresses.owner)
    before = [row["id"] for row in await owner.fetch("select id from question")]
    await generate(owner, 1, 500)
    real = await owner.fetchval(
        """update question set demonstration = false, visibility = 'public', opened_at = now(), status = 'open',
          invited = array[(select id from hub where slug = 'zoetermeer')]
        where id <> all ($1::uuid[]) returning id""",
        before,
    )
    await demonstration.clear(owner)
    assert [row["id"] for row in await owner.fetch("select id from question")] == [real]
    assert await owner.fetchval("select invited from question") == []
    assert await owner.fetchval("select count(*) from question_history where question_id <> $1", real) == 0
    await owner.execute("select fold_tally()")
    assert (
        await owner.fetchval("select sum(questions) from participation_tally where dimension = 'all' and month = ''")
        == 1
    )
    assert await demonstration.load(owner) is True
    await owner.close()
