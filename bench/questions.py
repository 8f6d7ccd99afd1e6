"""Questions at five hundred and at twenty thousand, among many signals: pages against the limit, the profile, relatives.

`python -m bench --part questions [--quick]`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

import asyncpg
import orjson
from rich.table import Table

from app.infra import demonstration_questions
from app.infra.embedded import SUPERUSER
from app.infra.prepare import Addresses
from app.settings import Settings
from bench.capture import capture
from bench.cases import DAY, Case
from bench.house import House, Measured
from bench.signals import build, say, times
from bench.table import Row, compare
from bench.table import tables as against

# (questions, signals): relatives are sought among the signals of the second.
SIZES, QUICK_SIZES = ((500, 1_000), (20_000, 1_000_000)), ((500, 1_000), (5_000, 20_000))
WANTED_REST, WANTED_GRAPHQL, MOST_PROFILE, MOST_RELATED = 0.65, 0.45, 3.0, 5.0
GROUPINGS = ("", "?groupBy=hub", "?groupBy=theme", "?groupBy=period", "?groupBy=region&scheme=ggd-regio")
GRAPHQL = (
    f'{{ questions(first: 50, asOf: "{DAY}") {{ nodes {{ id title status hubs {{ slug name }} '
    "levels { intended { code label } agreed { code label } achieved { code label } } balance { state missingSides } "
    "matrix { cells { phase { code label } role { code label } activity groups { code } realised heldByHub } } "
    "mix { groups { group { code label } wanted recruited } imbalanceReason } } pageInfo { hasNextPage endCursor } } }"
)


def cases(tokens: dict[str, str]) -> list[Case]:
    """A page as each reader, at both doors."""
    found = []
    for place, who in enumerate(("anonymous", "hub", "umbrella")):
        headers = (("authorization", f"Bearer {tokens[who]}"),) if who in tokens else ()
        target = f"/v1/questions?limit=50&asOf={DAY}&" + "&" * place
        found.append(Case(f"page of 50, {who}", "REST", target, wanted=WANTED_REST, headers=headers))
    body = orjson.dumps({"query": GRAPHQL})
    return [*found, Case("page with matrix and mix", "GraphQL", "/graphql", body, WANTED_GRAPHQL)]


class Questions:
    """One run over both sizes."""

    def __init__(self, house: House, *, quick: bool) -> None:
        self.house, self.sizes = house, QUICK_SIZES if quick else SIZES
        self.rounds, self.seconds = (2, 0.4) if quick else (5, 1.2)
        self.rows: list[Row] = []
        self.profiles: list[dict[str, float]] = []
        self.figures: list[tuple[str, str, str, bool]] = []

    def run(self) -> None:
        """Builds, measures, and keeps what was found."""
        self.house.database.start()
        superuser = self.house.database.url(SUPERUSER, "postgres")
        for questions, signals in self.sizes:
            say.print(f"{questions:,} questions, {signals:,} signals …")
            addresses, tokens, _ = asyncio.run(build(superuser, f"questions_{questions}", signals))
            asyncio.run(more(addresses, questions))
            self.size(questions, signals, addresses, tokens)
        small, large = self.profiles
        for name, taken in large.items():
            self._figure(
                f"profile{name}: {self.sizes[1][0]:,} against {self.sizes[0][0]:,}",
                taken / small[name],
                "×",
                MOST_PROFILE,
            )

    def size(self, questions: int, signals: int, addresses: Addresses, tokens: dict[str, str]) -> None:
        """All measurements on one database."""
        asked = cases(tokens)
        one = asyncio.run(first(addresses))
        plain = Case("plain page of signals", "REST", f"/v1/signals?limit=50&asOf={DAY}")
        near = [
            Case("related signals", "REST", f"/v1/questions/{one[0]}/related-signals"),
            Case("related questions", "REST", f"/v1/signals/{one[1]}/related-questions"),
        ]
        profiles = [Case(f"profile{by}", "REST", f"/v1/participation-profile{by}") for by in GROUPINGS]
        settings = Settings(data_folder=self.house.folder, rate_limit_per_minute=0)
        found, failed = asyncio.run(capture([*asked, plain, *near, *profiles], settings, addresses))
        for case, why in failed.items():
            say.print(f"{case.name}: {why}", markup=False)
        self.house.serve_on(addresses)
        self.house.serve_limit(found, addresses)
        self.rows += [
            replace(self._compare(case), case=f"{case.name}, {questions:,}") for case in asked if case not in failed
        ]
        rates = {case.name: self._rate(case) for case in (plain, *near, *profiles)}
        self.profiles.append({by: 1 / rates[f"profile{by}"] for by in GROUPINGS})
        for case in near:
            times_ = rates[plain.name] / rates[case.name]
            self._figure(f"{case.name} among {signals:,} signals: times a plain page", times_, "×", MOST_RELATED)
        self.house.stop_sides()
        taken = asyncio.run(
            times(addresses, [q for q in found if "related" in q.target or "profile" in q.target], self.seconds)
        )
        for question, lasted in zip(
            [q for q in found if "related" in q.target or "profile" in q.target], taken, strict=True
        ):
            name = question.target.partition("/v1/")[2].split("/")[-1]
            self._figure(f"{name}, {questions:,}: in the database", lasted, "ms", None)

    def _rate(self, case: Case) -> float:
        self.house.run(self.house.service_port, [case.request()], self.seconds / 3)
        return self.house.run(self.house.service_port, [case.request()], self.seconds).rate

    def _compare(self, case: Case) -> Row:
        say.print(f"  {case.name} …")
        ports = [self.house.limit_port, self.house.service_port]
        sides: dict[int, list[Measured]] = {port: [] for port in ports}
        for turn in range(-1, self.rounds):
            for port in ports if turn % 2 else ports[::-1]:
                found = self.house.run(port, [case.request()], self.seconds / (3 if turn < 0 else 1))
                if turn >= 0:
                    sides[port].append(found)
        return compare(case.name, case.door, case.wanted, sides[ports[0]], sides[ports[1]])

    def _figure(self, name: str, value: float, unit: str, most: float | None) -> None:
        limit = "" if most is None else f"≤ {most:g} {unit}"
        self.figures.append((name, f"{value:.2f} {unit}", limit, most is not None and value > most))


async def more(addresses: Addresses, count: int) -> None:
    """As many questions, next to those of the demonstration."""
    connection = await asyncpg.connect(addresses.owner)
    await demonstration_questions.generate(connection, count, 1_000)
    for table in ("question", "question_history", "participation_tally"):
        await connection.execute(f"vacuum (analyze) {table}")
    await connection.close()


async def first(addresses: Addresses) -> tuple[str, str]:
    """A written question and a written signal, both public."""
    connection = await asyncpg.connect(addresses.owner)
    question = await connection.fetchval("select id from question where external_id = 'demo-question-6'")
    signal = await connection.fetchval("select id from signal where external_id = 'demo-0141'")
    await connection.close()
    return str(question), str(signal)


def measure(*, quick: bool) -> list[Table]:
    """The whole run."""
    with House() as house:
        run = Questions(house, quick=quick)
        try:
            run.run()
        finally:
            with suppress(Exception):
                house.stop_sides()
        return tables(run)


def tables(run: Questions) -> list[Table]:
    """The comparison with the limit, and the further figures."""
    further = Table(title="Questions, further")
    for head in ("what", "measured", "wanted"):
        further.add_column(head, justify="left" if head == "what" else "right", no_wrap=True)
    for name, value, wanted, short in run.figures:
        further.add_row(name, value, wanted, style="red" if short else "")
    return [against(run.rows, [])[0], further]
