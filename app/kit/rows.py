"""A hub's own file, row by row, as items to push: read as it comes (semicolons, Windows-1252, Dutch dates), or refused
with the number of the row and the reason, never with what stood there."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, get_args

from app.domain.errors import Fault, Faults, Invalid
from app.domain.signal_rules import (
    MAX_CODES,
    MAX_DESCRIPTION,
    MAX_PEOPLE,
    MAX_TITLE,
    Kind,
    Scale,
    Status,
    Visibility,
    check_text,
)
from app.kit.columns import NEEDED, Columns, mapped, recognised

LISTS = ("themes", "workfields", "groups")
WORDS: Mapping[str, tuple[str, ...]] = {
    "kind": get_args(Kind),
    "scale": get_args(Scale),
    "status": get_args(Status),
    "visibility": get_args(Visibility),
}
# What Dutch exports say for the words of the contract.
DUTCH: Mapping[str, Mapping[str, str]] = {
    "status": {
        "concept": "draft", "ingediend": "submitted", "geverifieerd": "verified", "gesloten": "closed",
        "afgesloten": "closed", "ingetrokken": "withdrawn",
    },
    "visibility": {"netwerk": "network", "openbaar": "public", "publiek": "public", "eigen hub": "hub"},
    "kind": {"goed voorbeeld": "goed-voorbeeld"},
}  # fmt: skip
YES = ("1", "true", "yes", "ja", "j", "y", "x", "waar")
NO = ("", "0", "false", "no", "nee", "n", "onwaar")
_DUTCH_DATE = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})\Z")
MAX_EXTERNAL_ID = 200


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the item to send, or what is wrong with it. `number` is its (first) line in the file."""

    number: int
    external_id: str | None
    item: Mapping[str, Any]
    faults: Sequence[Fault] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A file that was read: how its columns were understood, and its rows."""

    columns: Columns
    rows: Sequence[Row]
    encoding: str
    form: str = field(default="")
    """What it looks like: `NDJSON`, or `CSV` with its sign between columns."""


def read(path: Path, given: Mapping[str, str]) -> Table:
    """The file as rows. Raises `Invalid` for a file that is none of this: empty, a workbook, unknown columns."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _wrong("unreadable-file", f"{path.name} cannot be read: {error.strerror}.") from None
    if not content.strip():
        raise _wrong("empty-file", f"{path.name} is empty.")
    if content.startswith(b"PK\x03\x04"):
        raise _wrong("wrong-file", f"{path.name} is a workbook or an archive. Save the sheet as CSV.")
    text, encoding = _decoded(content, path)
    if path.suffix.lower() in (".ndjson", ".jsonl") or text.lstrip().startswith("{"):
        found, form = list(_lines(text)), "NDJSON"
    else:
        found, form = _cells(text, path)
    if not found:
        raise _wrong("empty-file", f"{path.name} has a first line with the names of columns, and no rows.")
    names = list(dict.fromkeys(name for _, cells, _ in found for name in cells))
    if not names:
        raise _wrong("wrong-file", f"No line of {path.name} is a JSON object.")
    columns = mapped(names, given)
    rows = [_row(number, cells, faults, columns) for number, cells, faults in found]
    return Table(columns, _without_doubles(rows), encoding, form)


def _wrong(code: str, detail: str) -> Invalid:
    return Invalid([Fault("file", "", code, detail)])


def _decoded(content: bytes, path: Path) -> tuple[str, str]:
    for encoding, shown in (("utf-8-sig", "UTF-8"), ("cp1252", "Windows-1252")):
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            encoding, shown = "utf-16", "UTF-16"  # noqa: PLW2901 - what Excel calls Unicode text
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text, shown
    raise _wrong("wrong-file", f"{path.name} is no text: give a CSV or NDJSON file.")


Found = tuple[int, Mapping[str, Any], Sequence[Fault]]


def _lines(text: str) -> Iterator[Found]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            yield number, value, ()
        else:
            yield number, {}, [Fault("file", "", "invalid-json", "This line is no JSON object.")]


def _cells(text: str, path: Path) -> tuple[list[Found], str]:
    head = text.lstrip("\n\r").split("\n", 1)[0]
    sign = max(";,\t", key=lambda one: (recognised(next(csv.reader([head], delimiter=one))), head.count(one)))
    csv.field_size_limit(1_000_000)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=sign, strict=True)
    found: list[Found] = []
    names: list[str] | None = None
    before = 0
    try:
        for cells in reader:
            number, before = before + 1, reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if names is None:
                names = _names(cells, path)
                continue
            faults = []
            if len(cells) > len(names) and any(cell.strip() for cell in cells[len(names) :]):
                detail = f"This row has {len(cells)} columns, the first line has {len(names)}."
                faults.append(Fault("file", "", "too-many-columns", detail))
            found.append((number, dict(zip(names, cells, strict=False)), faults))
    except csv.Error:
        detail = (
            f"Line {before + 1} of {path.name} cannot be read: a quotation mark that is not closed, or too much in it."
        )
        raise _wrong("wrong-file", detail) from None
    return found, {";": "CSV with semicolons", ",": "CSV with commas", "\t": "CSV with tabs"}[sign]


def _names(cells: Sequence[str], path: Path) -> list[str]:
    names = [cell.strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    double = [name for name, count in Counter(names).items() if count > 1]
    if double:
        shown = ", ".join(double) or "(no name)"
        raise _wrong("two-columns", f"Columns of {path.name} with the same name: {shown}.")
    return names


def _row(number: int, cells: Mapping[str, Any], given: Sequence[Fault], columns: Columns) -> Row:
    faults = Faults(list(given))
    item: dict[str, Any] = {}
    if not given:
        for column, name in columns.fields.items():
            value = cells.get(column)
            value = value.strip() if isinstance(value, str) else value
            if value in (None, ""):
                continue
            item[name] = _value(name, value, faults)
    if item.get("delete"):
        item = {name: item[name] for name in ("externalId", "version", "delete") if name in item}
    else:
        item.pop("delete", None)
    if not given:
        _check(item, faults)
    external = item.get("externalId")
    return Row(number, external if isinstance(external, str) else None, item, tuple(faults.found))


def _value(name: str, value: Any, faults: Faults) -> Any:
    """A cell as the contract wants it. JSON that says it rightly stays what it is."""
    if name in LISTS and isinstance(value, str):
        return list(dict.fromkeys(part.strip() for part in value.split("|") if part.strip()))
    if name in WORDS and isinstance(value, str):
        word = value.lower()
        return DUTCH.get(name, {}).get(word, word)
    if name in ("peopleCount", "version") and isinstance(value, str):
        if value.isdigit() and len(value) < 10:
            return int(value)
        faults.add("file", name, "invalid-value", "A whole number.")
    elif name == "heardOn":
        value = _day(value, faults)
    elif name == "delete":
        word = str(value).lower()
        if word not in (*YES, *NO):
            faults.add("file", name, "invalid-value", "Yes or no (ja, nee).")
        value = word in YES
    elif name == "externalId" and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value


def _day(value: Any, faults: Faults) -> Any:
    dutch = _DUTCH_DATE.match(value) if isinstance(value, str) else None
    try:
        if dutch:
            return date(int(dutch[3]), int(dutch[2]), int(dutch[1])).isoformat()
        return date.fromisoformat(str(value)[:10]).isoformat()
    except ValueError:
        faults.add("file", "heardOn", "invalid-value", "A date: 2026-03-01 or 01-03-2026.")
        return None


def _check(item: Mapping[str, Any], faults: Faults) -> None:
    """What can be known without the service. Text with personal data in it is not even sent."""
    external = item.get("externalId")
    if external is None:
        faults.add("file", "externalId", "required", "Every row has an id of your own.")
    elif not isinstance(external, str) or len(external) > MAX_EXTERNAL_ID or not external.isprintable():
        faults.add("file", "externalId", "invalid-value", f"Printable characters, at most {MAX_EXTERNAL_ID}.")
    if not item.get("delete"):
        _check_content(item, faults)


def _check_content(item: Mapping[str, Any], faults: Faults) -> None:
    for name in NEEDED[1:]:
        if name not in item or item[name] == []:
            faults.add("file", name, "required", "This cannot be empty.")
    for name, longest in (("title", MAX_TITLE), ("description", MAX_DESCRIPTION)):
        if isinstance(item.get(name, ""), str):
            check_text(name, item.get(name, ""), longest, faults)
        else:
            faults.add("file", name, "invalid-value", "A text.")
    for name, words in WORDS.items():
        if name in item and item[name] not in words:
            faults.add("file", name, "unknown-code", f"One of {', '.join(words)}.")
    for name in LISTS:
        if len(item.get(name) or ()) > MAX_CODES:
            faults.add("file", name, "too-many", f"At most {MAX_CODES}.")
    count = item.get("peopleCount")
    if isinstance(count, int) and not 0 < count <= MAX_PEOPLE:
        faults.add("file", "peopleCount", "out-of-range", f"A number from 1 to {MAX_PEOPLE}, or nothing.")


def _without_doubles(rows: Sequence[Row]) -> list[Row]:
    """Rows with one id together are refused: which of them is meant cannot be told."""
    count = Counter(row.external_id for row in rows if row.external_id is not None)
    fault = Fault("file", "externalId", "repeated-external-id", "Another row has the same id.")
    return [
        Row(row.number, row.external_id, row.item, (*row.faults, fault))
        if row.external_id is not None and count[row.external_id] > 1
        else row
        for row in rows
    ]
