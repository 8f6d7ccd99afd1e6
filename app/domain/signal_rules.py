"""What a signal must be before it is kept: its texts, codes and dates, every fault told at once; and its differences."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Literal, get_args

from app.domain.checking import check_code, check_external_id, check_text, differences
from app.domain.errors import Faults
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
        check_code(name, getattr(signal, name), get_args(codes), faults)
    if signal.scale is not None:
        check_code("scale", signal.scale, get_args(Scale), faults)
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


__all__ = ["check_external_id", "check_text", "checked", "differences"]
