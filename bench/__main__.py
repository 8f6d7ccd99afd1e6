"""`python -m bench [--quick] [--markdown] [--part NAME …] [--only WORD]`: measures, prints, and exits with 0 whatever the numbers are."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import asyncpg
import httpx
from rich.console import Console
from rich.table import Table

from app.infra.clients import NewClient, create_client
from app.infra.prepare import Addresses
from app.logs import configure
from app.settings import Settings
from bench import changes, federation, national, privacy, push, signals
from bench import questions as questions_bench
from bench.capture import capture
from bench.cases import Case, never_seen, questions
from bench.house import House, Measured
from bench.table import Figure, Row, compare, fraction, markdown, shortfalls, tables

MOST_MEMORY_MB, MOST_COLD_MS, FIRST_START, SECOND_START = 120, 6, 20, 5
CHEAP, CHEAPEST = 0.25, 0.10
USUAL = ("house", "changes", "signals", "push", "privacy")
PARTS = (*USUAL, "federation", "questions", "national")
"""What can be measured. Questions and counts need a network of their own size, which takes minutes to make.
`bench.race` and `bench.faults` are programs of their own."""

say = Console(stderr=True, highlight=False)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to measure."""

    rounds: int
    seconds: float
    cold: int


# Many short rounds: on a machine with other work, the median of many pairs says more than that of a few long ones.
CAREFUL, QUICK = Pace(12, 0.65, 60), Pace(2, 0.25, 10)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures the service against its limit.")
    parser.add_argument("--quick", action="store_true", help="a smoke run of seconds; its numbers say little")
    parser.add_argument("--markdown", action="store_true", help="print markdown instead of tables")
    parser.add_argument("--only", default="", help="of the house, only cases with this word in their name or door")
    parser.add_argument("--part", action="append", choices=PARTS, help=f"this alone; without: {', '.join(USUAL)}")
    parser.add_argument("--million", action="store_true", help="signals at a million too: five to ten minutes more")
    given = parser.parse_args()
    configure("error")
    parts = ["house"] if given.only else given.part or USUAL
    rows, figures, short = [], [], []
    if "house" in parts:
        with House() as house:
            rows, figures, short = measure(house, QUICK if given.quick else CAREFUL, given.only.lower())
    if "changes" in parts:
        rows, figures = (a + b for a, b in zip((rows, figures), changes.measure(quick=given.quick), strict=True))
    if rows:
        _show(rows, figures, short, given)
    sizes = (signals.SMALL, signals.MILLION) if given.million else (signals.SMALL,)
    others: dict[str, Callable[[], Sequence[Table]]] = {
        "signals": lambda: signals.measure(sizes, quick=given.quick),
        "push": lambda: push.measure(quick=given.quick),
        "federation": lambda: federation.measure(quick=given.quick),
        "questions": lambda: questions_bench.measure(quick=given.quick),
        "national": lambda: national.measure(quick=given.quick),
    }
    for part in parts:
        for table in others[part]() if part in others else ():
            _console().print(table)
    if "privacy" in parts:
        privacy.main()


def _console() -> Console:
    return Console() if Console().is_terminal else Console(width=160)


def _show(rows: list[Row], figures: list[Figure], unanswered: list[str], given: argparse.Namespace) -> None:
    if given.markdown:
        _console().print(markdown(rows, figures), soft_wrap=True, highlight=False, markup=False)
    else:
        for table in tables(rows, figures):
            _console().print(table)
    short = [*unanswered, *shortfalls(rows, figures)]
    say.print(f"{os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}.")
    if given.quick:
        say.print("A quick run: its numbers say little.")
    say.print(
        "\n".join(["Short of what is wanted:", *(f"- {line}" for line in short)]) if short else "All as wanted.",
        soft_wrap=True,
    )


def measure(house: House, pace: Pace, only: str) -> tuple[list[Row], list[Figure], list[str]]:
    """The whole run."""
    say.print("First start, on an empty folder …")
    figures = [Figure("First start until ready", house.serve(), "s", FIRST_START)]
    if pace is CAREFUL:
        house.stop_service()
        figures.append(Figure("Second start until ready", house.serve(), "s", SECOND_START))
    addresses = house.hold_database()
    token = asyncio.run(_token(addresses))
    cases = [case for case in [*questions(), _as_hub(token)] if only in f"{case.name} {case.door}".lower()]
    settings = Settings(data_folder=house.folder, rate_limit_per_minute=0)
    found, failed = asyncio.run(capture(cases, settings, addresses))
    house.serve_limit(found, addresses)
    rows = [_compare(house, case, pace) for case in cases if case not in failed]
    figures += _repeated(house, [case for case in cases if case.door == "REST" and case not in failed], pace)
    figures += _cold(house, [case for case in cases if case.door == "GraphQL" and case not in failed], pace)
    figures.append(Figure("Peak memory of the worker, after all of this", house.peak_memory(), "MB", MOST_MEMORY_MB))
    return rows, figures, [f"{case.name} over {case.door} {why}" for case, why in failed.items()]


async def _token(addresses: Addresses) -> str:
    connection = await asyncpg.connect(addresses.owner)
    try:
        await connection.execute("select set_config('app.role', 'system', false)")
        return await create_client(connection, NewClient("bench", "hub", hub="groningen"))
    finally:
        await connection.close()


def _as_hub(token: str) -> Case:
    """The first question, asked with a token: for information, since the limit looks nobody up."""
    first = questions()[0]
    return replace(first, name=f"{first.name}, as a hub", wanted=None, headers=(("authorization", f"Bearer {token}"),))


def _compare(house: House, case: Case, pace: Pace) -> Row:
    """Rounds of the limit and of the service in turns, each going first every other time."""
    say.print(f"{case.name} over {case.door} …")
    request = [case.request()]
    sides: dict[int, list[Measured]] = {house.limit_port: [], house.service_port: []}
    for port in sides:
        house.run(port, request, pace.seconds / 3)  # connections, statements and caches: once
    for turn in range(pace.rounds):
        for port in sorted(sides, reverse=turn % 2 == 1):
            sides[port].append(house.run(port, request, pace.seconds))
    limit, service = sides[house.limit_port], sides[house.service_port]
    row = compare(case.name, case.door, case.wanted, limit, service)
    return replace(row, notes=(*row.notes, *_not_answered(service, "200")))


def _not_answered(rounds: Sequence[Measured], status: str) -> list[str]:
    others = {other for round_ in rounds for other in round_.statuses if other != status}
    return [f"answers with status {', '.join(sorted(others))} among them"] if others else []


def _repeated(house: House, cases: Sequence[Case], pace: Pace) -> list[Figure]:
    """Reads with the ETag of the answer before. Public ones are answered without the database."""
    figures = []
    for case in cases:
        say.print(f"{case.name}, repeated with If-None-Match …")
        url = f"http://127.0.0.1:{house.service_port}{case.target}"
        tag = httpx.get(
            url,
            headers={"host": "127.0.0.1", "accept": "application/json", "accept-encoding": "", **dict(case.headers)},
            trust_env=False,
        ).headers["etag"]
        full, repeated = [case.request()], [case.request(**{"if-none-match": tag})]
        pairs = [
            (
                house.run(house.service_port, full, pace.seconds / 2),
                house.run(house.service_port, repeated, pace.seconds / 2),
            )
            for _ in range(pace.rounds)
        ]
        wrong = _not_answered([again for _, again in pairs], "304")
        cost = fraction([first for first, _ in pairs], [again for _, again in pairs])
        name = f"304 as part of the full answer: {case.name}" + "".join(f" ({why})" for why in wrong)
        figures.append(Figure(name, cost, "", None if case.headers else CHEAPEST))
    return figures


def _cold(house: House, cases: Sequence[Case], pace: Pace) -> list[Figure]:
    """Documents that no one has seen, one after the other on one connection, by warm code."""
    figures = []
    for other, wanted in ((False, MOST_COLD_MS), (True, None)):
        for case in cases:
            requests = [cold.request() for cold in never_seen(case, pace.cold + 3, other_selection=other)]
            house.run(house.service_port, requests[:3], 10, connections=1, most=3)
            found = house.run(house.service_port, requests[3:], 30, connections=1, most=pace.cold)
            what = "of a selection never seen" if other else "never seen"
            figures.append(Figure(f"GraphQL document {what}: {case.name}", found.p50 * 1000, "ms", wanted))
    return figures


if __name__ == "__main__":
    main()
