"""The formats in which StatLine gives a table: CSV (`;`, quoted, UTF-8 or Latin-1) and OData JSON, bytes to rows."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from app.domain.errors import Fault, Invalid

_TABLE_ID = re.compile(r"(?<![0-9])(\d{5}ned)(?![a-z])", re.IGNORECASE)
# "Gebieden in Nederland 2024", "Regions in the Netherlands 2024"
_TITLE = re.compile(r"(?:gebieden in nederland|regions in the netherlands)\s+(20\d\d)", re.IGNORECASE)
_FOOTERS = ("bron:", "source:", "©")


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a table. `next_link` is the address of the next one, as the service gave it."""

    rows: tuple[Mapping[str, str], ...]
    title: str | None = None
    table_id: str | None = None
    next_link: str | None = None


def parse(content: bytes) -> Page:
    """Reads one file or one answer.

    Raises `Invalid` with `empty`, `not-statline`, `truncated`, `too-many-cells` or `service-error`.
    """
    text = _decode(content)
    start = text.lstrip()[:1]
    if not start:
        raise refusal("empty", "The file is empty.")
    if start == "<":
        raise refusal("not-statline", "This is a web page or XML. Use the raw CSV file, or the JSON of the ODataApi.")
    return _json(text) if start in "{[" else _csv(text)


def table_id_in(text: str) -> str | None:
    """The number of a table in a file name or an address (`85755NED_UntypedDataSet.csv`)."""
    found = _TABLE_ID.search(text)
    return found[1].upper() if found else None


def year_in(title: str | None) -> int | None:
    """The year in the title of a table; no other number counts, a file name may have the day of the download."""
    found = _TITLE.search(title or "")
    return int(found[1]) if found else None


def refusal(code: str, detail: str, location: str = "") -> Invalid:
    """One thing wrong with the file as a whole."""
    return Invalid([Fault("file", location, code, detail)])


def _decode(content: bytes) -> str:
    if b"\0" in content[:4096]:
        raise refusal("not-statline", "This is not a text file. Unpack it first, or save it as CSV (UTF-8).")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Latin-1 takes every byte, so this cannot fail; the names of regions tell whether it was right.
        return content.decode("latin-1")


def _json(text: str) -> Page:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        if text.rstrip()[-1] not in "}]":
            raise refusal("truncated", "The JSON ends in the middle. Download it again.") from None
        raise refusal("not-statline", "This is not valid JSON.") from None
    if isinstance(data, dict) and ("odata.error" in data or "error" in data):
        raise refusal("service-error", "The service answered with an error instead of a table.")
    values = data.get("value") if isinstance(data, dict) else data
    if not isinstance(values, list) or not all(isinstance(row, dict) for row in values):
        raise refusal("not-statline", 'Expected is the JSON of OData: {"value": [rows]}.')
    rows = tuple({key: _cell(value) for key, value in row.items()} for row in values)
    if not isinstance(data, dict):
        return Page(rows)
    following = data.get("odata.nextLink") or data.get("@odata.nextLink")
    context = data.get("odata.metadata") or data.get("@odata.context")
    return Page(rows, None, table_id_in(str(context or "")), str(following) if following else None)


def _cell(value: object) -> str:
    if isinstance(value, (dict, list)):
        raise refusal("not-statline", "A cell holds a list or an object, which no table of StatLine has.")
    return "" if value is None else str(value)


def _csv(text: str) -> Page:
    lines = text.splitlines()[:5]
    delimiter = max(";\t,", key=lambda sign: max(line.count(sign) for line in lines))
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise refusal("truncated", "The file ends inside a quoted cell: it was cut off.") from None
        raise refusal("not-statline", "This is not a CSV file as StatLine makes it.") from None
    records = [record for record in records if any(cell.strip() for cell in record)]
    # An export for people begins with its title and ends with its source, each alone on a line.
    title = records.pop(0)[0].strip() if len(records) > 1 and len(records[0]) == 1 < len(records[1]) else None
    if records and len(records[-1]) == 1 and records[-1][0].strip().casefold().startswith(_FOOTERS):
        records.pop()
    if not records or len(records[0]) == 1:
        raise refusal("not-statline", "This is not a table: no line has more than one cell.")
    header = _unique(records[0])
    too_long = [number for number, record in enumerate(records[1:]) if len(record) > len(header)]
    if too_long:
        detail = f"{len(too_long)} row(s) have more cells than there are columns."
        raise refusal("too-many-cells", detail, f"rows[{too_long[0]}]")
    return Page(tuple(dict(zip(header, record, strict=False)) for record in records[1:]), title)


def _unique(header: list[str]) -> list[str]:
    """Column names, with a number where a name comes back (exports for people call every column `Code` or `Naam`)."""
    names: list[str] = []
    for number, cell in enumerate(header, start=1):
        name = cell.strip() or f"column {number}"
        names.append(name if name not in names else f"{name} ({number})")
    return names
