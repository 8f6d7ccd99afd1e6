"""`python -m bench.privacy`: what the privacy gate finds and refuses without reason on the corpus, and how fast.

The corpus is split by a hash of the text. The rules were written with the *known* half in view; the *held-out* half
was only counted.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from app.domain.privacy import NAMES, find

CORPUS = Path(__file__).parents[1] / "tests" / "corpus" / "privacy"


@dataclass(frozen=True, slots=True)
class Sample:
    """A text, and the kinds that are in it, each as often as it is there."""

    text: str
    kinds: tuple[str, ...]

    @property
    def held_out(self) -> bool:
        return hashlib.sha256(self.text.encode()).digest()[0] % 2 == 1


def samples() -> list[Sample]:
    """The whole corpus."""
    lines = [line for path in sorted(CORPUS.glob("*.jsonl")) for line in path.read_text("utf-8").splitlines()]
    return [Sample(read["text"], tuple(read["kinds"])) for read in map(json.loads, lines)]


def measure() -> list[tuple[str, float, float, int]]:
    """Rows of name, recall, precision, and how many values are there: by kind, overall, and of each half.

    A last row is about texts instead of values: recall is the share of texts with personal data that is refused,
    precision the share of refused texts that deserve it, and the number is that of all texts.
    """
    corpus = samples()
    rows: list[tuple[str, float, float, int]] = [(kind, *_rates(corpus, kind)) for kind in NAMES]
    rows.append(("overall", *_rates(corpus)))
    rows.append(("known half", *_rates([sample for sample in corpus if not sample.held_out])))
    rows.append(("held-out half", *_rates([sample for sample in corpus if sample.held_out])))
    refused = [sample for sample in corpus if find(sample.text)]
    rightly = sum(1 for sample in refused if sample.kinds)
    with_data = sum(1 for sample in corpus if sample.kinds)
    rows.append(("texts", _share(rightly, with_data), _share(rightly, len(refused)), len(corpus)))
    return rows


def speed() -> float:
    """Seconds for a thousand texts of the corpus, the best of five rounds."""
    texts = [sample.text for sample in samples()]
    rounds = []
    for _ in range(5):
        started = time.perf_counter()
        for text in texts:
            find(text)
        rounds.append(time.perf_counter() - started)
    return min(rounds) / len(texts) * 1000


def _rates(corpus: Iterable[Sample], only: str | None = None) -> tuple[float, float, int]:
    hits = there = claimed = 0
    for sample in corpus:
        expected = Counter(kind for kind in sample.kinds if only in {None, kind})
        found: Counter[str] = Counter(finding.kind for finding in find(sample.text) if only in {None, finding.kind})
        hits += (expected & found).total()
        there += expected.total()
        claimed += found.total()
    return _share(hits, there), _share(hits, claimed), there


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def main() -> None:
    """See the module."""
    table = Table("", "recall", "precision", "values", title="Privacy gate on its corpus")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, recall, precision, number in measure():
        table.add_row(name, f"{recall:.3f}", f"{precision:.3f}", str(number), end_section=name == "address")
    console = Console()
    console.print(table)
    console.print(f"{speed() * 1000:.0f} ms for 1,000 texts.")


if __name__ == "__main__":
    main()
