"""What a signal must be before it is kept: its texts, codes and dates, every fault told at once; and its differences."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from app.domain.errors import Faults
from app.domain.privacy import CODE, describe, find
from app.domain.privacy import check as check_privacy
from app.domain.routing import Umbrella, concerned_workfields
from app.domain.work import Work

if TYPE_CHECKING:
    from app.domain.signals import Signal

Kind = Literal["knelpunt", "behoefte", "oplossing", "goed-voorbeeld", "ervaring"]
Status = Literal["draft", "submitted", "verified", "closed", "withdrawn"]
Visibility = Literal["hub", "network", "public"]
Scale = Literal["wijk", "lokaal", "regionaal", "landelijk"]
ForwardingState = Literal["forwarded", "acknowledged", "on-agenda", "answered", "declined"]
FollowUpKind = Literal["meeting", "training", "question", "advice", "none"]

# From each status to those that may follow it.
TRANSITIONS: dict[str, tuple[str, ...]] = {
    "draft": ("submitted", "withdrawn"),
    "submitted": ("verified", "withdrawn"),
    "verified": ("closed", "withdrawn"),
    "closed": (),
    "withdrawn": (),
}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
MAX_TITLE = 200
MAX_DESCRIPTION = 10_000
MAX_NOTE = 2_000
MAX_EXTERNAL_ID = 200
MAX_CODES = 10
MAX_PEOPLE = 1_000_000


@dataclass(frozen=True, slots=True)
class Known:
    """What the codes lead to that signals name: looked up once, for one signal or a thousand."""

    terms: Mapping[str, Collection[str]]
    """Vocabulary → its codes, in its order."""
    regions: Mapping[str, tuple[date, date]]
    """Code → the first day, and the first day that it is no more."""
    hints: Mapping[str, Sequence[str]]
    """Theme → workfields that it hints at."""
    umbrellas: Sequence[Umbrella]


async def checked(work: Work, signal: Signal, today: date) -> Signal:
    """The signal with its workfields decided. Raises `Invalid` with every fault at once."""
    return decided(signal, await work.codes.known([signal.region]), today)


def decided(signal: Signal, known: Known, today: date) -> Signal:
    """As `checked`, of what was looked up before."""
    faults = Faults()
    check_text("title", signal.title, MAX_TITLE, faults, required=True)
    check_text("description", signal.description, MAX_DESCRIPTION, faults)
    for name, codes in (("kind", Kind), ("visibility", Visibility), ("status", Status)):
        _check_code(name, getattr(signal, name), get_args(codes), faults)
    if signal.scale is not None:
        _check_code("scale", signal.scale, get_args(Scale), faults)
    if not signal.themes:
        faults.add("body", "themes", "required", "Name at least one theme.")
    if signal.people_count is not None and not 0 < signal.people_count <= MAX_PEOPLE:
        faults.add("body", "peopleCount", "out-of-range", f"A number from 1 to {MAX_PEOPLE}, or nothing.")
    if signal.heard_on > today:
        faults.add("body", "heardOn", "date-in-future", "A signal has been heard already.")
    elif signal.heard_on.year < 2016:
        faults.add("body", "heardOn", "date-before-first-edition", "Regions are known from 2016-01-01 on.")
    if signal.external_id is not None:
        check_external_id(signal.external_id, faults)
    _check_codes(signal, known, faults)
    faults.raise_if_any()
    concerned, source = concerned_workfields(
        signal.workfields, signal.themes, known.hints, tuple(known.terms["workfield"])
    )
    # In one form, so that saying the same in another way is no change: in the order of the vocabulary, none where the
    # themes decide, empty where nothing does.
    given = {"given": concerned, "themes": None}.get(source, ())
    return replace(signal, workfields=given, concerned=concerned, workfields_source=source)


def check_external_id(text: str, faults: Faults) -> None:
    """A hub's own id stands in addresses. Digits and letters in it may mean anything (one in eleven nine-digit keys would
    pass for a citizen service number, some UUIDs hold a postcode); an e-mail address is one wherever it stands."""
    if not (text.strip() and text.isprintable() and len(text) <= MAX_EXTERNAL_ID):
        detail = f"An external id is 1 to {MAX_EXTERNAL_ID} printable characters."
        faults.add("body", "externalId", "invalid-value", detail)
    else:
        for finding in find(text) if "@" in text else ():
            if finding.kind == "email":
                faults.add("body", "externalId", CODE, describe(finding))


def _check_codes(signal: Signal, known: Known, faults: Faults) -> None:
    for name, vocabulary, codes in (
        ("themes", "theme", signal.themes),
        ("workfields", "workfield", signal.workfields or ()),
        ("groups", "participant-group", signal.groups),
        ("channel", "channel", (signal.channel,) if signal.channel is not None else ()),
    ):
        if len(codes) > MAX_CODES:
            faults.add("body", name, "too-many", f"At most {MAX_CODES}.")
            continue
        for index, code in enumerate(codes):
            if code not in known.terms[vocabulary]:
                location = name if name == "channel" else f"{name}[{index}]"
                faults.add(
                    "body", location, "unknown-code", f"There is no {vocabulary.replace('-', ' ')} with this code."
                )
    since, until = known.regions.get(signal.region, (date.max, date.max))
    if not since <= signal.heard_on < until:
        faults.add("body", "region", "unknown-code", "There is no region with this code on the day it was heard.")


def _check_code(name: str, value: str, known: Sequence[str], faults: Faults) -> None:
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


def differences(before: Signal | None, after: Signal) -> dict[str, Any]:
    """Field → from, to, for what is different; all that was filled in of a new signal.

    Of workfields those that it concerns: a change of themes may change them too.
    """
    found, kind = {}, cast("Any", type(after))
    for name, shown in _content_names(kind):
        old, new = getattr(before, name, None), getattr(after, name)
        if old != new and not (before is None and new in ((), "", False)):
            found[shown] = [_plain(old), _plain(new)]
    return found


_NOT_CONTENT = frozenset({"id", "hub", "version", "workfields"})
_SHOWN_AS = {"concerned": "workfields"}


@cache
def _content_names(kind: Any) -> list[tuple[str, str]]:
    names = [item.name for item in fields(kind) if item.name not in _NOT_CONTENT]
    return [(name, _SHOWN_AS.get(name, _camel(name))) for name in names]


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value.isoformat() if isinstance(value, date) else value
