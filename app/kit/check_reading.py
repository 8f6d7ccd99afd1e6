"""The rules of reading: the feed of changes, its cursors, its refusals, and the digests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import httpx

from app.kit.conformance import MOST_ENTRIES, Check, NotTried, Try, expect, json_of
from app.kit.feed import Group, Holding, Sum, differences, holding

PAGE, SMALL_PAGE, SMALL_PAGES = 500, 7, 6
WAIT_SECONDS, WAIT_AT_LEAST, WAIT_AT_MOST = 2, 1.5, 10.0
NOT_A_CURSOR = "bm8tY3Vyc29y.0123456789abcdef"


async def feed(given: Try) -> None:
    """Reads what all others look at."""
    cursor = None
    while len(given.entries) < MOST_ENTRIES:
        page = await given.changes(cursor=cursor, limit=PAGE, expand="resource")
        expect(len(page["items"]) <= PAGE, "A page has more items than `limit`.")
        given.entries.extend(page["items"])
        if not page["more"]:
            given.end.append(page["cursor"])
            return
        expect(page["cursor"] != cursor, "`more` is true, and `cursor` leads to where one was.")
        cursor = page["cursor"]


async def paging(given: Try) -> None:
    """Small pages give what big ones give."""
    entries, cursor = [], None
    for _ in range(SMALL_PAGES):
        page = await given.changes(cursor=cursor, limit=SMALL_PAGE)
        expect(len(page["items"]) <= SMALL_PAGE, "A page has more items than `limit`.")
        entries += page["items"]
        cursor = page["cursor"]
        if not page["more"]:
            break
    big = [_key(entry) for entry in given.entries]
    small = [_key(entry) for entry in entries]
    moved = _moved_on(small, set(big))
    expect(
        [k for k in small if k not in moved] == [k for k in big[: len(small)] if k in set(small)],
        "In small pages the entries come in another order, or others come.",
    )
    missing = [k for k in big[: max(0, len(small) - len(moved))] if k not in set(small)]
    expect(not missing or _superseded(missing, small), f"{len(missing)} entries of a big page are on no small page.")


def _key(entry: Mapping[str, Any]) -> tuple[str, str, int]:
    return entry["type"], entry["id"], entry["version"]


def _moved_on(keys: list[tuple[str, str, int]], known: set[tuple[str, str, int]]) -> set[tuple[str, str, int]]:
    """Entries that were made since the feed was read."""
    return {key for key in keys if key not in known}


def _superseded(missing: list[tuple[str, str, int]], seen: list[tuple[str, str, int]]) -> bool:
    newest = {(type_, id_): version for type_, id_, version in seen}
    return all(newest.get((type_, id_), 0) > version for type_, id_, version in missing)


async def cursor_stability(given: Try) -> None:
    """The same cursor leads to the same place, again and again."""
    first = await given.changes(limit=SMALL_PAGE)
    if not first["more"]:
        raise NotTried("The feed has one short page only.")
    once = await given.changes(cursor=first["cursor"], limit=SMALL_PAGE)
    again = await given.changes(cursor=first["cursor"], limit=SMALL_PAGE)
    before, after = [_key(e) for e in once["items"]], [_key(e) for e in again["items"]]
    gone = [key for key in before if key not in after]
    expect(
        before == after or _superseded(gone, [_key(e) for e in again["items"]]),
        "The same cursor gives other entries the second time.",
    )


async def order(given: Try) -> None:
    """Of one resource a version never comes twice, and never goes back."""
    if not given.entries:
        raise NotTried("There is nothing in the feed.")
    newest: dict[tuple[str, str], int] = {}
    for entry in given.entries:
        key = (entry["type"], entry["id"])
        expect(newest.get(key) != entry["version"], f"A version of one {entry['type']} comes twice.")
        expect(newest.get(key, 0) < entry["version"], f"A version of one {entry['type']} goes back.")
        newest[key] = entry["version"]


async def compaction(given: Try) -> None:
    """What a resource is now is its last entry: read by itself it is not older, and what was deleted is not there."""
    last = {(e["type"], e["id"]): e for e in given.entries if e["type"] == "signal"}
    if not last:
        raise NotTried("There are no signals to look at.")
    upserts = [e for e in last.values() if e["op"] == "upsert"][-3:]
    deletions = [e for e in last.values() if e["op"] != "upsert"][-3:]
    for entry in upserts:
        response = await given.get(f"/v1/signals/{entry['id']}")
        if response.status_code == httpx.codes.NOT_FOUND and not given.end:
            continue  # gone further on in the log than was read
        expect(json_of(response)["version"] >= entry["version"], "A signal is older by itself than in the feed.")
    for entry in deletions:
        response = await given.get(f"/v1/signals/{entry['id']}")
        expect(response.status_code == httpx.codes.NOT_FOUND, "A signal that the feed says is gone can still be read.")


async def resources(given: Try) -> None:
    """With `expand=resource` an upsert carries the resource, in that version."""
    entries = [e for e in given.entries if e["op"] == "upsert" and e["type"] == "signal"]
    if not entries:
        raise NotTried("There are no signals to look at.")
    for entry in entries:
        resource: Any = entry.get("resource")
        expect(isinstance(resource, dict), "An upsert of a signal carries no `resource`.")
        expect(resource["id"] == entry["id"], "The resource of an entry is another one.")
        expect(resource["version"] == entry["version"], "The resource of an entry has another version than the entry.")


async def types(given: Try) -> None:
    """`types` narrows to those."""
    page = await given.changes(types="signal", limit=50)
    expect(all(e["type"] == "signal" for e in page["items"]), "With types=signal other types come as well.")


async def end(given: Try) -> None:
    """At the end there is a cursor too, and it leads on from there."""
    if not given.end:
        raise NotTried(f"The feed is longer than {MOST_ENTRIES:,} entries.")
    page = await given.changes(cursor=given.end[0], limit=PAGE, expand="resource")
    seen = {_key(entry) for entry in given.entries}
    expect(not any(_key(entry) in seen for entry in page["items"]), "After the end old entries come again.")
    given.entries.extend(page["items"])
    given.end[:] = [page["cursor"]]


async def wait(given: Try) -> None:
    """`wait` holds back an empty page."""
    if not given.end:
        raise NotTried(f"The feed is longer than {MOST_ENTRIES:,} entries.")
    began = time.monotonic()
    page = await given.changes(cursor=given.end[0], wait=WAIT_SECONDS)
    lasted = time.monotonic() - began
    expect(
        page["items"] or lasted >= WAIT_AT_LEAST, f"An empty page with wait={WAIT_SECONDS} came after {lasted:.1f} s."
    )
    expect(lasted < WAIT_AT_MOST, f"A page with wait={WAIT_SECONDS} came after {lasted:.1f} s.")


async def refusals(given: Try) -> None:
    """What cannot be asked is refused: 400, `application/problem+json`, with the place of each fault."""
    for params in (
        {"limit": "0"}, {"limit": "1001"}, {"wait": "31"}, {"types": "no-such-type"}, {"since": "yesterday"},
        {"cursor": NOT_A_CURSOR}, {"expand": "no-such-edge"},
    ):  # fmt: skip
        _check_problem(await given.get("/v1/changes", **params), *params)


async def unknown_keys(given: Try) -> None:
    """A query key that is not known is refused: a mistyped filter must not answer everything."""
    _check_problem(await given.get("/v1/changes", nosuchkey="verysecretvalue"), "nosuchkey")


def _check_problem(response: httpx.Response, name: str) -> None:
    expect(
        response.status_code == httpx.codes.BAD_REQUEST, f"A wrong `{name}` answers {response.status_code}, wanted 400."
    )
    kind = response.headers.get("content-type", "").partition(";")[0]
    expect(kind == "application/problem+json", f"The refusal of a wrong `{name}` is no application/problem+json.")
    body = json_of(response, 400)
    for member in ("type", "title", "status", "detail", "code", "errors"):
        expect(member in body, f"The refusal of a wrong `{name}` has no `{member}`.")
    expect(body["status"] == httpx.codes.BAD_REQUEST, "The `status` in a problem differs from that of the answer.")
    expect(any(e.get("location") == name for e in body["errors"]), f"No error says that `{name}` is what is wrong.")
    expect("verysecretvalue" not in response.text, "A refused value is echoed.")


async def bad_token(given: Try) -> None:
    """A wrong token is refused, never silently anonymous."""
    response = await given.client.get("/v1/changes", headers={"authorization": "Bearer not-a-token"})
    expect(
        response.status_code == httpx.codes.UNAUTHORIZED, f"A wrong token answers {response.status_code}, wanted 401."
    )
    expect("www-authenticate" in response.headers, "A 401 without WWW-Authenticate.")


async def digest(given: Try) -> None:
    """The digests are those of what was pulled."""
    if not given.end:
        raise NotTried(f"The feed is longer than {MOST_ENTRIES:,} entries.")
    found: list[tuple[Group, int, int]] = []
    for _ in range(3):
        theirs = await _digests(given)
        page: dict[str, Any] = {"more": True}
        while page["more"]:
            page = await given.changes(cursor=given.end[0], limit=PAGE, expand="resource")
            given.entries.extend(page["items"])
            given.end[:] = [page["cursor"]]
        found = differences(_held(given), theirs, ())
        if not found:
            return
        await asyncio.sleep(0.2)  # something changed in between: look again
    group, here, there = found[0]
    what = "other versions" if here == there else f"{here} pulled, {there} by the digest"
    expect(False, f"{len(found)} groups differ, the first {' '.join(group)}: {what}.")


async def _digests(given: Try) -> dict[Group, Sum]:
    found: dict[Group, Sum] = {}
    path: str | None = "/v1/changes/digest"
    while path is not None:
        body = json_of(await given.client.get(path))
        for item in body["items"]:
            total = found.setdefault((item["type"], item["hub"]["slug"], item["month"]), Sum())
            total.join(item["count"], int(item["digest"], 16))
        path = body.get("next")
    return found


def _held(given: Try) -> list[Holding]:
    last = {(entry["type"], entry["id"]): entry for entry in given.entries}
    return [holding(entry) for entry in last.values() if entry["op"] == "upsert"]


READING = (
    Check("feed", "The feed can be read from the beginning to its end, page by page.", feed),
    Check("paging", "Small pages give the same entries in the same order as big ones.", paging),
    Check("cursor-stability", "The same cursor gives the same entries again.", cursor_stability),
    Check("order", "Of one resource a version never comes twice and never goes back.", order),
    Check("compaction", "The last entry of a resource is what it is now.", compaction),
    Check("resources", "With expand=resource an upsert carries the resource in that version.", resources),
    Check("types", "`types` narrows the feed to those.", types),
    Check("end", "At the end the cursor leads on from there.", end),
    Check("wait", "`wait` holds back an empty page, and no longer than asked.", wait),
    Check("refusals", "What cannot be asked is 400 with problem+json that names the place.", refusals),
    Check("unknown-keys", "An unknown query key is refused, and its value not echoed.", unknown_keys),
    Check("bad-token", "A wrong token is 401, never silently anonymous.", bad_token),
    Check("digest", "The digests equal those of what was pulled.", digest),
)
