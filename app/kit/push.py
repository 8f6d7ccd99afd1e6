"""Pushes a file of a hub to a Knooppunt in batches, goes on where it broke off, and keeps a report of what was refused.

Between two runs there is a small file next to the input: which file, where to, how far. It is written after each batch
and goes when all is done. Were the file itself lost, a second run would find everything `unchanged`: pushing by one's
own id can be repeated.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from app.domain.errors import Fault, Invalid
from app.kit.remote import Refused, Remote
from app.kit.rows import Row

Mode = Literal["partial", "atomic"]
MOST_ITEMS = 1_000
MOST_BYTES = 900_000
"""Of the JSON of one batch, before compression. A service that accepts less says 413, and gets half."""
TOO_LARGE = 413
BATCH_REFUSED = "batch-refused"
REPORT = ("row", "externalId", "field", "code", "detail")

Progress = Callable[[int], None]
"""(rows done)."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What is pushed where. `state` and `report` are where the kit writes."""

    hub: str
    mode: Mode
    state: Path
    report: Path


@dataclass(frozen=True, slots=True)
class State:
    """How far a push came. `run` makes the idempotency keys of this run its own: the same file pushed again tomorrow is
    another run, and must not be given today's answers."""

    url: str
    hub: str
    mode: str
    content: str
    run: str
    done: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    reported: int = 0
    """Bytes of the report that belong to `done`; what is beyond was written just before a break."""


def fingerprint(rows: Sequence[Row]) -> str:
    """One value for what would be sent: another when a row or the mapping changes."""
    found = hashlib.sha256()
    for row in rows:
        found.update(json.dumps([row.number, row.item], sort_keys=True).encode())
    return found.hexdigest()


def resumed(errand: Errand, url: str, content: str) -> State:
    """Where to go on: where the last push of the very same content to the same place broke off, else the beginning."""
    fresh = State(url, errand.hub, errand.mode, content, secrets.token_hex(12))
    try:
        kept = State(**json.loads(errand.state.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return fresh
    same = (kept.url, kept.hub, kept.mode, kept.content) == (url, errand.hub, errand.mode, content)
    return kept if same else fresh


async def push(remote: Remote, errand: Errand, rows: Sequence[Row], progress: Progress) -> Mapping[str, int]:
    """Sends the rows; how many were `created`, `updated`, `unchanged`, `deleted`, `refused`.

    Raises `Unavailable` when it broke off (the same command goes on), `Refused` when the service wants none of it,
    `Invalid` for an atomic push that cannot be one.
    """
    if errand.mode == "atomic":
        _check_atomic(rows)
    state = resumed(errand, remote.url, fingerprint(rows))
    report = _Report(errand.report, state.reported)
    progress(state.done)
    most = MOST_ITEMS
    while state.done < len(rows):
        batch = _next(rows, state.done, most)
        sound = [row for row in batch if not row.faults]
        try:
            results = await _sent(remote, errand, state, sound) if sound else []
        except Refused as error:
            if error.status != TOO_LARGE or len(batch) == 1 or errand.mode == "atomic":
                raise
            most = max(1, len(batch) // 2)
            continue
        counts = Counter(state.counts)
        counts.update(result["result"] for result in results)
        counts["refused"] += len(batch) - len(sound)
        wrong = {row.number: [(f.location, f.code, f.detail) for f in row.faults] for row in batch if row.faults}
        wrong |= {row.number: _errors(result) for row, result in zip(sound, results, strict=True)}
        for row in batch:
            report.add(row, wrong[row.number])
        state = replace(state, done=state.done + len(batch), counts=dict(counts), reported=report.flushed())
        _write(errand.state, json.dumps(asdict(state)))
        progress(state.done)
    report.close()
    errand.state.unlink(missing_ok=True)
    return state.counts


def _check_atomic(rows: Sequence[Row]) -> None:
    wrong = sum(bool(row.faults) for row in rows)
    size = sum(len(json.dumps(row.item, ensure_ascii=False).encode()) for row in rows)
    if len(rows) > MOST_ITEMS or size > MOST_BYTES:
        detail = f"All or nothing goes for one batch: at most {MOST_ITEMS:,} rows and {MOST_BYTES:,} bytes."
        raise Invalid([Fault("file", "", "too-many", detail)])
    if wrong:
        detail = f"{wrong} rows are wrong, so nothing was sent. --dry-run shows them."
        raise Invalid([Fault("file", "", "wrong-rows", detail)])


def _next(rows: Sequence[Row], start: int, most: int) -> Sequence[Row]:
    size = 0
    for end in range(start, min(start + most, len(rows))):
        size += len(json.dumps(rows[end].item, ensure_ascii=False).encode()) + 1
        if size > MOST_BYTES and end > start:
            return rows[start:end]
    return rows[start : start + most]


async def _sent(remote: Remote, errand: Errand, state: State, rows: Sequence[Row]) -> list[Mapping[str, Any]]:
    """The results of one batch, in the order of the rows."""
    body = {"mode": errand.mode, "items": [row.item for row in rows]}
    key = f"{state.run}-{rows[0].number}-{len(rows)}"
    try:
        answer = (await remote.post(f"/v1/hubs/{errand.hub}/signals/_batch", body, key)).body
    except Refused as error:
        # All or nothing, and it was nothing: the problem says of each item why.
        if errand.mode == "partial" or error.code != BATCH_REFUSED or "results" not in error.body:
            raise
        answer = error.body
    results = answer.get("results") if isinstance(answer, dict) else None
    ids = [row.external_id for row in rows]
    if not isinstance(results, list) or [result.get("externalId") for result in results] != ids:
        raise Refused(200, {"detail": "The service did not answer each item in order.", "code": "unexpected-answer"})
    return results


def _errors(result: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    if result["result"] != "refused":
        return []
    errors = result.get("errors") or [{"code": "refused", "detail": "The service gave no reason."}]
    return [(str(e.get("location", "")), str(e.get("code", "")), str(e.get("detail", ""))) for e in errors]


class _Report:
    """The refused rows as CSV: where to look and why, never what stood there. Only there when something was refused."""

    def __init__(self, path: Path, keep: int) -> None:
        self._path = path
        self._kept = keep
        if keep and path.exists():
            with path.open("r+b") as file:
                file.truncate(keep)
        else:
            path.unlink(missing_ok=True)
            self._kept = 0
        self._lines: list[tuple[object, ...]] = []

    def add(self, row: Row, errors: Sequence[tuple[str, str, str]]) -> None:
        """One line for each thing that is wrong with the row."""
        self._lines += [(row.number, row.external_id or "", *error) for error in errors]

    def flushed(self) -> int:
        """Writes what was added, on disk; the size of the report now."""
        if self._lines:
            with self._path.open("a", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                if not self._kept:
                    writer.writerow(REPORT)
                writer.writerows([[_plain(cell) for cell in line] for line in self._lines])
                file.flush()
                os.fsync(file.fileno())
            self._lines = []
            self._kept = self._path.stat().st_size
        return self._kept

    def close(self) -> None:
        """Writes what is left."""
        self.flushed()


def _plain(cell: object) -> object:
    """A text that a spreadsheet would take for a formula is made a text."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@") else cell


def _write(path: Path, text: str) -> None:
    """All of it or nothing, also when the machine stops halfway."""
    new = path.with_name(f"{path.name}.new")
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
