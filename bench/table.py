"""From rounds to rows: medians, ratios, and what falls short. No IO, so that a test can try it on made-up numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

from rich.table import Table

NEAR_FULL = 0.90
SPREAD = 0.35


class Round(Protocol):
    """What one round gives (see `house.Measured`)."""

    @property
    def rate(self) -> float: ...
    @property
    def p50(self) -> float: ...
    @property
    def p95(self) -> float: ...
    @property
    def busy(self) -> float: ...
    @property
    def cpu(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Row:
    """One case against its limit: medians over the rounds. Of the ratio, too, the median of the pairs of rounds."""

    case: str
    door: str
    limit: float
    service: float
    ratio: float
    wanted: float | None
    p50: float
    p95: float
    limit_cpu: float
    service_cpu: float
    notes: tuple[str, ...] = ()

    @property
    def short(self) -> bool:
        return self.wanted is not None and self.ratio < self.wanted


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that must not pass another; `None` is for information."""

    name: str
    value: float
    unit: str
    wanted: float | None

    @property
    def short(self) -> bool:
        return self.wanted is not None and not self.value <= self.wanted


def compare(case: str, door: str, wanted: float | None, limit: Sequence[Round], service: Sequence[Round]) -> Row:
    """The row of a case. The rounds come in pairs, taken one right after the other, so that a busy moment of the
    machine hits both sides of a ratio."""
    ratios = [ours.rate / theirs.rate for ours, theirs in zip(service, limit, strict=True) if theirs.rate]
    notes = []
    if max(r.busy for r in (*limit, *service)) > NEAR_FULL:
        notes.append("the load generator was itself at its limit: the ratio is flattered")
    if ratios and max(ratios) - min(ratios) > SPREAD:
        notes.append(f"restless machine: ratios from {min(ratios):.2f} to {max(ratios):.2f}")
    return Row(
        case, door, median(r.rate for r in limit), median(r.rate for r in service), median(ratios) if ratios else 0.0,
        wanted, median(r.p50 for r in service), median(r.p95 for r in service),
        median(r.cpu for r in limit), median(r.cpu for r in service), tuple(notes),
    )  # fmt: skip


def fraction(full: Sequence[Round], repeated: Sequence[Round]) -> float:
    """What a repeated read costs, as a part of the full one: the time a request takes under full load."""
    return median(a.rate / b.rate for a, b in zip(full, repeated, strict=True) if b.rate)


def shortfalls(rows: Sequence[Row], figures: Sequence[Figure]) -> list[str]:
    """A sentence for each number that is not as wanted."""
    found = []
    for row in rows:
        if row.short:
            found.append(
                f"{row.case} over {row.door}: {row.ratio:.2f} of the limit, {row.wanted:.2f} wanted. The worker uses "
                f"{row.service_cpu * 1e6:.0f} µs of processor a request, the limit {row.limit_cpu * 1e6:.0f} µs."
            )
        found += [f"{row.case} over {row.door}: {note}." for note in row.notes]
    found += [
        f"{f.name}: {f.value:.2f} {f.unit}, at most {f.wanted:g} wanted.".replace("  ", " ") for f in figures if f.short
    ]
    return found


ROW_HEADS = (
    "case",
    "door",
    "limit req/s",
    "service req/s",
    "ratio",
    "wanted",
    "p50 ms",
    "p95 ms",
    "CPU µs",
)
FIGURE_HEADS = ("what", "measured", "wanted")


def row_cells(row: Row) -> tuple[str, ...]:
    wanted = "" if row.wanted is None else f"≥ {row.wanted:.2f}"
    return (
        row.case, row.door, f"{row.limit:,.0f}", f"{row.service:,.0f}", f"{row.ratio:.2f}", wanted,
        f"{row.p50 * 1000:.1f}", f"{row.p95 * 1000:.1f}", f"{row.limit_cpu * 1e6:.0f}/{row.service_cpu * 1e6:.0f}",
    )  # fmt: skip


def figure_cells(figure: Figure) -> tuple[str, ...]:
    wanted = "" if figure.wanted is None else f"≤ {figure.wanted:g} {figure.unit}".rstrip()
    digits = 2 if figure.value < 10 else 0
    return figure.name, f"{figure.value:.{digits}f} {figure.unit}".rstrip(), wanted


def tables(rows: Sequence[Row], figures: Sequence[Figure]) -> list[Table]:
    """The two tables for a terminal; what falls short is red."""
    compared = Table(title="Against the limit: same SQL, bare ASGI, same server and pool")
    for head in ROW_HEADS:
        compared.add_column(head, justify="left" if head in ("case", "door") else "right", no_wrap=True)
    for row in rows:
        compared.add_row(*row_cells(row), style="red" if row.short else "")
    measured = Table(title="And further")
    for head in FIGURE_HEADS:
        measured.add_column(head, justify="left" if head == "what" else "right", no_wrap=True)
    for figure in figures:
        measured.add_row(*figure_cells(figure), style="red" if figure.short else "")
    return [compared, measured]


def markdown(rows: Sequence[Row], figures: Sequence[Figure]) -> str:
    """The same for a text file."""
    lines = [_line(ROW_HEADS), _line(("---", "---", *["---:"] * 7)), *(_line(row_cells(row)) for row in rows), ""]
    lines += [_line(FIGURE_HEADS), _line(("---", "---:", "---:")), *(_line(figure_cells(f)) for f in figures)]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
