"""What a signal must be before it is kept: its texts, codes and dates, every fault told at once; and its differences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_args

from app.domain.errors import Faults
from app.domain.privacy import Kind as PersonalData
from app.domain.privacy import check as check_privacy
from app.domain.routing import concerned_workfields
from app.domain.vocabulary import Vocabulary
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
_ANY_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# A UUID, with or without hyphens: one in a hundred holds digits that would pass for somebody's number.
_RANDOM = re.compile(r"[0-9a-fA-F]{8}(-?)[0-9a-fA-F]{4}(?:\1[0-9a-fA-F]{4}){2}\1[0-9a-fA-F]{12}")
EXTERNAL_ID_KINDS: tuple[PersonalData, ...] = ("bsn", "iban", "email", "phone")
MAX_EXTERNAL_ID = 200
MAX_TITLE = 200
MAX_DESCRIPTION = 10_000
MAX_NOTE = 2_000
MAX_EXTERNAL_ID = 200
MAX_CODES = 10
MAX_PEOPLE = 1_000_000


async def checked(work: Work, signal: Signal, today: date) -> Signal:
    """The signal with its workfields decided. Raises `Invalid` with every fault at once."""
    terms = {*signal.themes, *(signal.workfields or ()), *signal.groups, *filter(None, [signal.channel])}
    return decided(signal, await work.codes.known([signal.region], terms), today)


def decided(signal: Signal, known: Vocabulary, today: date) -> Signal:
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


def _check_codes(signal: Signal, known: Vocabulary, faults: Faults) -> None:
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
    if not known.on(signal.heard_on, [signal.region]):
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


def check_external_id(value: str, faults: Faults) -> None:
    """The id that a hub has for something in its own system: short, readable, and nobody's number or address."""
    if _ANY_CONTROL.search(value):
        faults.add("body", "externalId", "control-character", "Control characters are not accepted.")
    elif not (value.strip() and value.isprintable()):
        faults.add("body", "externalId", "invalid-value", "An external id is printable characters, at least one.")
    if len(value) > MAX_EXTERNAL_ID:
        faults.add("body", "externalId", "too-long", f"At most {MAX_EXTERNAL_ID} characters.")
    elif not _RANDOM.fullmatch(value):
        check_privacy({"externalId": value}, faults, EXTERNAL_ID_KINDS)


def differences(before: Signal | None, after: Signal) -> dict[str, Any]:
    """Field → from, to, for what is different; all that was filled in of a new signal.

    Of workfields those that it concerns: a change of themes may change them too.
    """
    found = {}
    kind: Any = type(after)
    for name, shown in _shown(kind):
        old, new = getattr(before, name, None), getattr(after, name)
        if old != new and not (before is None and new in ((), "", False)):
            found[shown] = [_plain(old), _plain(new)]
    return found


@cache
def _shown(kind: Any) -> tuple[tuple[str, str], ...]:
    """Each field that is content, with the name that it has outside."""
    names = [item.name for item in fields(kind) if item.name not in _NOT_CONTENT]
    return tuple((name, _SHOWN_AS.get(name, _camel(name))) for name in names)


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
