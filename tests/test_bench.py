"""The arithmetic of the bench, on made-up numbers: no timing decides here."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
import pytest
from graphql import parse

from bench.cases import never_seen, questions
from bench.table import Figure, compare, fraction, markdown, shortfalls, tables


@dataclass(frozen=True)
class Made:
    """A round as the load generator would report it."""

    rate: float
    p50: float = 0.004
    p95: float = 0.009
    busy: float = 0.2
    cpu: float = 100e-6


def test_a_ratio_is_the_median_of_pairs_so_that_a_busy_moment_of_the_machine_hits_both_sides() -> None:
    limit = [Made(3000), Made(300), Made(3000)]
    service = [Made(2400), Made(240), Made(2400)]
    row = compare("case", "REST", 0.7, limit, service)
    assert row.ratio == pytest.approx(0.8)
    assert (row.limit, row.service, row.p50, row.p95) == (3000, 2400, 0.004, 0.009)
    assert not row.short


def test_what_falls_short_is_said_with_a_reason() -> None:
    row = compare("Regions", "REST", 0.7, [Made(1000)] * 2, [Made(500, cpu=300e-6)] * 2)
    memory = Figure("Peak memory", 130, "MB", 120)
    said = shortfalls([row], [memory, Figure("Start", 3, "s", 20)])
    assert said == [
        "Regions over REST: 0.50 of the limit, 0.70 wanted. The worker uses 300 µs of processor a request, the limit 100 µs.",
        "Peak memory: 130.00 MB, at most 120 wanted.",
    ]


def test_information_never_falls_short() -> None:
    row = compare("Regions", "REST", None, [Made(1000)], [Made(10)])
    assert not shortfalls([row], [Figure("Cold", 1e9, "ms", None)])


def test_a_number_that_could_not_be_measured_falls_short_of_what_is_wanted() -> None:
    assert Figure("Peak memory", float("nan"), "MB", 120).short


def test_a_generator_at_its_limit_and_a_restless_machine_are_told() -> None:
    busy = compare("a", "REST", 0.7, [Made(1000, busy=0.99)], [Made(900)])
    restless = compare("b", "REST", 0.7, [Made(1000), Made(1000)], [Made(900), Made(400)])
    assert "load generator" in busy.notes[0]
    assert restless.notes == ("restless machine: ratios from 0.40 to 0.90",)


def test_what_a_repeated_read_costs() -> None:
    assert fraction([Made(500), Made(1000)], [Made(5000), Made(10_000)]) == pytest.approx(0.1)


def test_both_tables_show_every_row() -> None:
    rows = [compare("Regions", "GraphQL", 0.5, [Made(1000)], [Made(900)])]
    figures = [Figure("Peak memory", 101.4, "MB", 120), Figure("304", 0.08, "", 0.1)]
    text = markdown(rows, figures)
    assert "| Regions | GraphQL | 1,000 | 900 | 0.90 | ≥ 0.50 | 4.0 | 9.0 | 100/100 |" in text
    assert "| Peak memory | 101 MB | ≤ 120 MB |" in text
    assert "| 304 | 0.08 | ≤ 0.1 |" in text
    assert [table.row_count for table in tables(rows, figures)] == [1, 2]


def test_every_question_is_asked_at_both_doors() -> None:
    found = questions()
    assert {case.door for case in found} == {"REST", "GraphQL"}
    assert len({case.name for case in found}) * 2 == len(found)
    for case in found:
        head, _, body = case.request().partition(b"\r\n\r\n")
        assert head.startswith(b"POST /graphql" if case.door == "GraphQL" else b"GET /v1/")
        assert body == case.body


@pytest.mark.parametrize("other_selection", [False, True])
def test_a_cold_document_is_valid_and_never_the_same(other_selection: bool) -> None:
    for case in questions():
        if case.door == "GraphQL":
            texts = [orjson.loads(cold.body)["query"] for cold in never_seen(case, 5, other_selection=other_selection)]
            assert len(set(texts)) == 5
            assert all(parse(text) for text in texts)
