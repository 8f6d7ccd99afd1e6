"""What every text and code of what hubs write must be, and how two versions of it differ."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date
from functools import cache
from typing import Any
from uuid import UUID

from app.domain.disclosure import FIRST_MONTH
from app.domain.errors import Faults
from app.domain.privacy import Kind as PersonalData
from app.domain.privacy import check as check_privacy

_ANY_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# A UUID, with or without hyphens: one in a hundred holds digits that would pass for somebody's number.
_RANDOM = re.compile(r"[0-9a-fA-F]{8}(-?)[0-9a-fA-F]{4}(?:\1[0-9a-fA-F]{4}){2}\1[0-9a-fA-F]{12}")
EXTERNAL_ID_KINDS: tuple[PersonalData, ...] = ("bsn", "iban", "email", "phone")
MAX_EXTERNAL_ID = 200
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])(?:-([0-9]{2}))?")


def check_code(name: str, value: str, known: Sequence[str], faults: Faults) -> None:
    """One of the codes that are known."""
    if value not in known:
        faults.add("body", name, "unknown-code", f"One of {', '.join(known)}.")


def check_text(name: str, value: str, longest: int, faults: Faults, *, required: bool = False) -> None:
    """Length, control characters, personal data: every free text passes here."""
    if required and not value.strip():
        faults.add("body", name, "required", "This cannot be empty.")
    if len(value) > longest:
        faults.add("body", name, "too-long", f"At most {longest} characters.")
    elif _CONTROL.search(value):
        faults.add("body", name, "control-character", "Control characters are not accepted.")
    else:
        check_privacy({name: value}, faults)


def check_external_id(value: str, faults: Faults) -> None:
    """The id that a hub has for something in its own system: short, readable, and nobody's number or address."""
    if _ANY_CONTROL.search(value):
        faults.add("body", "externalId", "control-character", "Control characters are not accepted.")
    elif not (value.strip() and value.isprintable()):
        faults.add("body", "externalId", "invalid-value", "An external id is printable characters, at least one.")
    if len(value) > MAX_EXTERNAL_ID:
        faults.add("body", "externalId", "too-long", f"At most {MAX_EXTERNAL_ID} characters.")
    else:
        check_privacy({"externalId": _RANDOM.sub(lambda found: "x" * len(found[0]), value)}, faults, EXTERNAL_ID_KINDS)


def check_known(what: str, places: Mapping[str, str], known: Collection[str], faults: Faults) -> None:
    """Each code, named by its place in the body, is one of those known."""
    for location, code in places.items():
        if code not in known:
            faults.add("body", location, "unknown-code", f"There is no {what.replace('-', ' ')} with this code.")


def differences(
    before: Any,
    after: Any,
    left_out: Collection[str] = frozenset({"id", "hub", "version", "workfields"}),
    shown_as: Mapping[str, str] = {"concerned": "workfields"},
) -> dict[str, Any]:
    """Field → from, to, for what is different; all that was filled in of something new.

    Of workfields those that it concerns: a change of themes may change them too.
    """
    found = {}
    kind: Any = type(after)
    for name, shown in _names(kind):
        if name in left_out:
            continue
        old, new = getattr(before, name, None), getattr(after, name)
        if old != new and not (before is None and new in (None, (), "", False)):
            found[shown_as.get(name, shown)] = [plain(old), plain(new)]
    return found


@cache
def _names(kind: Any) -> list[tuple[str, str]]:
    return [(item.name, camel(item.name)) for item in fields(kind)]


def camel(name: str) -> str:
    """`people_count` → `peopleCount`."""
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def plain(value: Any) -> Any:
    """As JSON can hold it."""
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if is_dataclass(value):
        return {camel(item.name): plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, UUID):
        return str(value)
    return value.isoformat() if isinstance(value, date) else value


def month_given(text: str, name: str, faults: Faults) -> date | None:
    """A month as `2026-03`, or as any day in it."""
    found = _MONTH.fullmatch(text)
    try:
        if found is not None:
            day = date(int(found[1]), int(found[2]), int(found[3] or 1))
            if day < FIRST_MONTH:
                detail = f"Regions are known from {FIRST_MONTH.isoformat()} on, and no signal is older."
                faults.add("query", name, "date-before-first-edition", detail)
            return day.replace(day=1)
    except ValueError:
        pass
    faults.add("query", name, "invalid-month", "A month such as 2026-03, or a day in it such as 2026-03-01.")
    return None
