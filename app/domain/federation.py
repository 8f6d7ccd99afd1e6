"""Signals of hubs that keep them at another instance: read as that instance shows them, checked as any other signal.

A copy keeps its id, its version and its times. What does not fit here (a code that this instance does not know, a field
that is missing) is refused for that one, with the place and never the value.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, TypeVar, get_args
from uuid import UUID

from app.domain.errors import Faults
from app.domain.signal_rules import (
    MAX_DESCRIPTION,
    FollowUpKind,
    ForwardingState,
    check_text,
    decided,
)
from app.domain.signals import FollowUp, Signal
from app.domain.vocabulary import Vocabulary

T = TypeVar("T")
MOST_VERSION = 2**31 - 2
SOURCES = ("given", "themes", "cross-cutting")


@dataclass(frozen=True, slots=True)
class Forwarding:
    """A signal on the desk of an umbrella, as its own instance has it."""

    umbrella: str
    state: str
    respond_by: date
    response: str | None
    reason: str | None
    forwarded_at: datetime
    responded_at: datetime | None


@dataclass(frozen=True, slots=True)
class Copy:
    """A signal with its parts as its own instance has them. `follow_ups` go with the moment they were recorded."""

    signal: Signal
    created_at: datetime
    updated_at: datetime
    verified_at: datetime | None
    forwardings: tuple[Forwarding, ...] = ()
    follow_ups: tuple[tuple[FollowUp, datetime], ...] = ()


def fingerprint(resource: Mapping[str, Any]) -> bytes:
    """The same for the same content: without labels, which go by the reader's language, and without what only time does."""
    plain = _coded({name: value for name, value in resource.items() if name != "highlight"})
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).digest()


def _coded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _coded(part) for name, part in value.items() if name not in ("label", "name", "overdue")}
    return [_coded(part) for part in value] if isinstance(value, list) else value


def copied(resource: Mapping[str, Any], known: Vocabulary, today: date) -> Copy:
    """The signal in a resource. Raises `Invalid` with every fault: where it is and what is wrong, never the value."""
    read = _Reading(resource)
    source = read.one_of("workfieldsSource", SOURCES)
    concerned = read.codes("workfields")
    signal = Signal(
        id=read.id("id"),
        hub=read.code("hub", "slug"),
        external_id=read.text("externalId", needed=False) or None,
        kind=read.text("kind"),
        title=read.text("title"),
        description=read.text("description"),
        themes=read.codes("themes"),
        region=read.code("region"),
        scale=read.text("scale", needed=False) or None,
        groups=read.codes("groups"),
        channel=read.code("channel", needed=False) or None,
        heard_on=read.day("heardOn"),
        people_count=read.whole("peopleCount", needed=False),
        visibility=read.text("visibility"),
        status=read.text("status"),
        demonstration=bool(resource.get("demonstration")),
        version=read.whole("version") or 1,
        workfields={"given": concerned, "themes": None}.get(source, ()),
    )
    copy = Copy(
        signal, read.moment("createdAt"), read.moment("updatedAt"), read.moment("verifiedAt", needed=False) or None,
        tuple(_forwarding(part, known) for part in read.parts("forwardings")),
        tuple(_follow_up(part) for part in read.parts("followUps")),
    )  # fmt: skip
    read.faults.raise_if_any()
    checked = decided(signal, known, today)
    # As its own instance decided, also where themes hint at other workfields there.
    _check_workfields(concerned, known)
    return replace(copy, signal=replace(checked, concerned=concerned, workfields_source=source))


def _check_workfields(codes: Sequence[str], known: Vocabulary) -> None:
    faults = Faults()
    for index, code in enumerate(codes):
        if code not in known.terms["workfield"]:
            faults.add("resource", f"workfields[{index}]", "unknown-code", "There is no workfield with this code.")
    faults.raise_if_any()


def _forwarding(read: _Reading, known: Vocabulary) -> Forwarding:
    umbrella = read.code("umbrella")
    if umbrella and umbrella not in known.terms["umbrella"]:
        read.fault("umbrella", "unknown-code", "There is no umbrella with this code.")
    found = Forwarding(
        umbrella, read.one_of("state", get_args(ForwardingState)), read.day("respondBy"),
        read.text("response", needed=False) or None, read.text("reason", needed=False) or None,
        read.moment("forwardedAt"), read.moment("respondedAt", needed=False) or None,
    )  # fmt: skip
    for name, text in (("response", found.response), ("reason", found.reason)):
        if text is not None:
            check_text(read.at + name, text, MAX_DESCRIPTION, read.faults)
    return found


def _follow_up(read: _Reading) -> tuple[FollowUp, datetime]:
    summary = read.text("summary")
    check_text(f"{read.at}summary", summary, MAX_DESCRIPTION, read.faults)
    kind = read.one_of("kind", get_args(FollowUpKind))
    public = read.resource.get("public")
    if not isinstance(public, bool):
        read.fault("public", "wrong-type", "True or false.")
    return FollowUp(read.id("id"), kind, read.day("on"), summary, public is True), read.moment("createdAt")


NO_DAY, NO_MOMENT, NO_ID = date(2016, 1, 1), datetime(2016, 1, 1, tzinfo=UTC), UUID(int=0)


@dataclass(slots=True)
class _Reading:
    """Reads members of a resource and notes what is wrong; what it gives instead is never used then."""

    resource: Mapping[str, Any]
    faults: Faults = field(default_factory=Faults)
    at: str = ""

    def fault(self, name: str, code: str, detail: str) -> None:
        self.faults.add("resource", self.at + name, code, detail)

    def _read(self, name: str, parse: Callable[[Any], T], instead: T, what: str, needed: bool = True) -> T:
        value = self.resource.get(name)
        if value is None and not needed and name in self.resource:
            return instead
        try:
            return parse(value)
        except (ValueError, TypeError, KeyError, AttributeError):
            self.fault(name, "wrong-type" if name in self.resource else "missing", what)
            return instead

    def text(self, name: str, *, needed: bool = True) -> str:
        return self._read(name, _text, "", "A text.", needed)

    def code(self, name: str, key: str = "code", *, needed: bool = True) -> str:
        return self._read(name, lambda value: _text(value[key]), "", f"A reference with its {key}.", needed)

    def codes(self, name: str) -> tuple[str, ...]:
        return self._read(
            name, lambda value: tuple(_text(each["code"]) for each in value), (), "References with codes."
        )

    def one_of(self, name: str, words: Sequence[str]) -> str:
        value = self.text(name)
        if value and value not in words:
            self.fault(name, "unknown-code", f"One of {', '.join(words)}.")
        return value

    def day(self, name: str) -> date:
        return self._read(name, date.fromisoformat, NO_DAY, "A date.")

    def moment(self, name: str, *, needed: bool = True) -> Any:
        return self._read(name, _moment, None if not needed else NO_MOMENT, "A time with its offset.", needed)

    def id(self, name: str) -> UUID:
        return self._read(name, lambda value: UUID(_text(value)), NO_ID, "An id.")

    def whole(self, name: str, *, needed: bool = True) -> int | None:
        return self._read(name, _whole, None, "A whole number.", needed)

    def parts(self, name: str) -> list[_Reading]:
        nothing: list[dict[str, Any]] = []
        found = self._read(name, lambda value: [dict(part) for part in value], nothing, "A list.")
        return [_Reading(part, self.faults, f"{name}[{index}].") for index, part in enumerate(found)]


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise TypeError
    return value


def _moment(value: Any) -> datetime:
    found = datetime.fromisoformat(_text(value))
    if found.tzinfo is None:
        raise ValueError
    return found


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 < value <= MOST_VERSION:
        raise ValueError
    return value
