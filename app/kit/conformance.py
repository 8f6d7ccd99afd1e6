"""Whether an endpoint keeps the rules of syncing: each rule tried from outside, with a sentence on what was seen.

Reading is tried always. Pushing writes drafts that are removed again, and is tried when a hub and its token are given.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

Outcome = Literal["passed", "failed", "not tried"]
DOCS = "docs/client-kit.md"
MOST_ENTRIES = 5_000
"""Entries of the feed that are looked at: rules that break, break soon."""


class Broken(Exception):
    """A rule was broken; the sentence says what was seen. No content of resources in it."""


class NotTried(Exception):
    """A rule that cannot be tried here, and why."""


@dataclass(frozen=True, slots=True)
class Try:
    """What the checks work with. `hub` is None when only reading is tried."""

    client: httpx.AsyncClient
    hub: str | None = None
    theme: str = "wachttijden"
    region: str = "GG2014"
    run: str = field(default_factory=lambda: f"conformance-{secrets.token_hex(4)}")
    entries: list[Mapping[str, Any]] = field(default_factory=list)
    """The feed as it was read, once for all checks."""
    end: list[str] = field(default_factory=list)
    """The cursor at the end of it; none when it is longer than was read."""

    async def get(self, path: str, **params: Any) -> httpx.Response:
        """One request, never repeated: what a client sees is what is judged."""
        return await self.client.get(path, params={name: value for name, value in params.items() if value is not None})

    async def changes(self, **params: Any) -> dict[str, Any]:
        """A page of the feed. Raises `Broken` when it is none."""
        return page_of(await self.get("/v1/changes", **params))


@dataclass(frozen=True, slots=True)
class Check:
    """A rule with its name, which is also its place in the documentation."""

    name: str
    rule: str
    run: Callable[[Try], Awaitable[None]]

    @property
    def link(self) -> str:
        return f"{DOCS}#{self.name}"


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of a check."""

    check: Check
    outcome: Outcome
    detail: str = ""

    def as_json(self) -> dict[str, str]:
        """For programs."""
        return {
            "check": self.check.name,
            "rule": self.check.rule,
            "outcome": self.outcome,
            "detail": self.detail,
            "docs": self.check.link,
        }


async def run_checks(given: Try, checks: Sequence[Check], told: Callable[[Check], None]) -> list[Finding]:
    """All of them, one after the other, whatever the others came to."""
    found = []
    for check in checks:
        told(check)
        try:
            await check.run(given)
            found.append(Finding(check, "passed"))
        except Broken as error:
            found.append(Finding(check, "failed", str(error)))
        except NotTried as error:
            found.append(Finding(check, "not tried", str(error)))
        except httpx.HTTPError as error:
            found.append(Finding(check, "failed", f"The connection failed ({type(error).__name__})."))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            found.append(Finding(check, "failed", "An answer has not the form that API.md gives it."))
        await asyncio.sleep(0)
    return found


def expect(sound: object, detail: str) -> None:
    """Raises `Broken` with the sentence."""
    if not sound:
        raise Broken(detail)


def json_of(response: httpx.Response, *statuses: int) -> Any:
    """The JSON of an answer with one of these statuses."""
    wanted = statuses or (200,)
    if response.status_code not in wanted:
        code = problem_code(response)
        raise Broken(
            f"{response.request.method} {response.request.url.path} answers {response.status_code}"
            f"{f' ({code})' if code else ''}, wanted {' or '.join(map(str, wanted))}."
        )
    try:
        return response.json()
    except ValueError:
        raise Broken(f"{response.request.url.path} answers something that is not JSON.") from None


def problem_code(response: httpx.Response) -> str | None:
    """The code in a problem, if it is one."""
    try:
        code = response.json().get("code")
    except (ValueError, AttributeError):
        return None
    return code if isinstance(code, str) else None


def page_of(response: httpx.Response) -> dict[str, Any]:
    """A page of changes with all that belongs on it."""
    page = json_of(response)
    expect(isinstance(page, dict), "A page of changes is an object with items, cursor and more.")
    expect(isinstance(page.get("items"), list), "A page of changes has no `items`.")
    expect(isinstance(page.get("cursor"), str) and page["cursor"], "A page of changes has no `cursor`.")
    expect(isinstance(page.get("more"), bool), "A page of changes does not say `more`, true or false.")
    for entry in page["items"]:
        for name, kind in (("type", str), ("id", str), ("version", int), ("op", str), ("at", str)):
            expect(isinstance(entry.get(name), kind), f"An entry has no `{name}`, or not of type {kind.__name__}.")
        expect(entry["op"] in ("upsert", "delete", "hidden"), "An entry has an `op` that is none.")
    found: dict[str, Any] = page
    return found
