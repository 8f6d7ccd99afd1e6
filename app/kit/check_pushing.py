"""The rules of pushing by a hub's own ids. Everything pushed is a draft for the hub itself, and is deleted at the end."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from typing import Any

import httpx

from app.kit.conformance import Check, NotTried, Try, expect, json_of, page_of, problem_code

# A number that is set apart for tests and passes the check of a citizen service number, and an address that is nobody's.
TEST_BSN, TEST_MAIL = "999990019", "iemand.anders@voorbeeld.example"
TOO_MANY = 1_001


def item(given: Try, name: str, **more: Any) -> dict[str, Any]:
    """A sound item under an id of this run."""
    return {
        "externalId": f"{given.run}-{name}",
        "kind": "knelpunt",
        "title": "Proefsignaal van een conformiteitstoets",
        "description": "Dit signaal is een proef en verdwijnt weer.",
        "themes": [given.theme],
        "region": given.region,
        "heardOn": "2026-01-15",
        "visibility": "hub",
        **more,
    }


async def send(given: Try, items: Sequence[Any], mode: str = "partial", **headers: str) -> httpx.Response:
    """A batch."""
    return await given.client.post(_batch(given), json={"mode": mode, "items": list(items)}, headers=headers)


def _batch(given: Try) -> str:
    if given.hub is None:
        raise NotTried("Give --hub and its token to try what writes.")
    return f"/v1/hubs/{given.hub}/signals/_batch"


def results(response: httpx.Response, *wanted: str) -> list[dict[str, Any]]:
    """The results, as many and of the kind that is wanted."""
    found = json_of(response)["results"]
    seen = [result["result"] for result in found]
    expect(seen == list(wanted), f"The results are {', '.join(seen)}; wanted {', '.join(wanted)}.")
    answered: list[dict[str, Any]] = found
    return answered


async def idempotent(given: Try) -> None:
    """The same content again changes nothing."""
    one = item(given, "same")
    (first,) = results(await send(given, [one]), "created")
    (again,) = results(await send(given, [one]), "unchanged")
    expect(first["version"] == again["version"], "The version changed though the content did not.")
    expect(first["id"] == again["id"], "The same external id leads to another id.")


async def by_put(given: Try) -> None:
    """`PUT` by external id creates, and the second time changes nothing."""
    _batch(given)
    body = item(given, "put")
    path = f"/v1/hubs/{given.hub}/signals/{body.pop('externalId')}"
    first = json_of(await given.client.put(path, json=body), 200, 201)
    again = json_of(await given.client.put(path, json=body))
    expect(first["version"] == again["version"], "The version changed though the content did not.")
    other = json_of(await given.client.put(path, json={**body, "title": "Proefsignaal, anders"}))
    expect(other["version"] > again["version"], "Another title is no next version.")


async def in_order(given: Try) -> None:
    """A result for each item, in order; one that is refused leaves the others alone."""
    items = [item(given, f"order-{number}") for number in range(5)]
    items[1]["themes"] = ["no-such-theme"]
    items[3] = {"externalId": items[3]["externalId"], "delete": True}
    found = results(await send(given, items), "created", "refused", "created", "unchanged", "created")
    expect([r["externalId"] for r in found] == [i["externalId"] for i in items], "The results are in another order.")
    expect(found[1]["errors"], "A refused item has no `errors`.")


async def conflict(given: Try) -> None:
    """An item that is based on another version is refused, and says which version is there."""
    (first,) = results(await send(given, [item(given, "conflict")]), "created")
    newer = item(given, "conflict", title="Proefsignaal, nieuwer", version=first["version"])
    (second,) = results(await send(given, [newer]), "updated")
    stale = item(given, "conflict", title="Proefsignaal, te laat", version=first["version"])
    (third,) = results(await send(given, [stale]), "refused")
    expect(third["version"] == second["version"], "The refusal does not carry the present version.")
    (fourth,) = results(await send(given, [{k: v for k, v in newer.items() if k != "version"}]), "unchanged")
    expect(fourth["version"] == second["version"], "A refused item was carried out.")


async def personal_data(given: Try) -> None:
    """Personal data is refused with its place and kind, and never echoed."""
    text = f"Het BSN van mevrouw is {TEST_BSN}, mail naar {TEST_MAIL}."
    response = await send(given, [item(given, "personal", description=text)])
    (found,) = results(response, "refused")
    expect(any(e["code"] == "personal-data" for e in found["errors"]), "No error has the code personal-data.")
    echoed = TEST_BSN in response.text or TEST_MAIL in response.text
    expect(not echoed, "The personal data is echoed in the refusal.")


async def atomic(given: Try) -> None:
    """`atomic`: one wrong item, and nothing is carried out."""
    wrong = item(given, "atomic-b", themes=["no-such-theme"])
    response = await send(given, [item(given, "atomic-a"), wrong], "atomic")
    expect(
        400 <= response.status_code < 500,
        f"A batch of all or nothing with a wrong item answers {response.status_code}.",
    )
    gone = {"externalId": item(given, "atomic-a")["externalId"], "delete": True}
    results(await send(given, [gone]), "unchanged")


async def repeated(given: Try) -> None:
    """The same external id twice in a batch is refused: which is meant cannot be told."""
    results(await send(given, [item(given, "twice"), item(given, "twice", title="Anders")]), "refused", "refused")


async def too_many(given: Try) -> None:
    """More than 1,000 items are refused whole."""
    items = [{"externalId": f"{given.run}-many-{number}", "delete": True} for number in range(TOO_MANY)]
    response = await send(given, items)
    expect(response.status_code in (400, 413), f"A batch of {TOO_MANY:,} items answers {response.status_code}.")


async def lines(given: Try) -> None:
    """`application/x-ndjson` is taken as well, and a broken line is refused by itself."""
    content = f"{json.dumps(item(given, 'line-a'))}\n{{broken\n{json.dumps(item(given, 'line-b'))}\n"
    headers = {"content-type": "application/x-ndjson"}
    response = await given.client.post(_batch(given), content=content.encode(), headers=headers)
    results(response, "created", "refused", "created")


async def packed(given: Try) -> None:
    """`Content-Encoding: gzip` is accepted."""
    body = gzip.compress(json.dumps({"items": [item(given, "packed")]}).encode())
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    results(await given.client.post(_batch(given), content=body, headers=headers), "created")


async def keys(given: Try) -> None:
    """The same Idempotency-Key gives the first answer again; with other content it is refused."""
    key = f'"{given.run}"'
    first = results(await send(given, [item(given, "key")], **{"idempotency-key": key}), "created")
    again = results(await send(given, [item(given, "key")], **{"idempotency-key": key}), "created")
    expect(first == again, "The second answer differs from the first.")
    other = await send(given, [item(given, "key-b")], **{"idempotency-key": key})
    expect(other.status_code == 422, f"The same key with other content answers {other.status_code}, wanted 422.")


async def another_hub(given: Try) -> None:
    """What belongs to another hub is not taken, and a hub that is not there is not found."""
    _batch(given)
    response = await given.client.post("/v1/hubs/no-such-hub/signals/_batch", json={"items": [item(given, "other")]})
    expect(response.status_code in (403, 404), f"A push to a hub that is not there answers {response.status_code}.")
    expect(problem_code(response) is not None, "The refusal has no `code`.")


async def seen_in_feed(given: Try) -> None:
    """What was pushed comes in the feed, once, and goes out of it with its external id."""
    _batch(given)
    if not given.end:
        raise NotTried("The end of the feed was not reached.")
    cursor = (await _until_quiet(given, given.end[0]))[1]
    (made,) = results(await send(given, [item(given, "feed")]), "created")
    results(await send(given, [item(given, "feed")]), "unchanged")
    entries, cursor = await _until_quiet(given, cursor, wait=10)
    mine = [entry for entry in entries if entry["id"] == made["id"]]
    expect(len(mine) == 1, f"A pushed signal comes {len(mine)} times in the feed, wanted once.")
    expect(mine[0]["version"] == made["version"], "The feed has another version than the result of the push.")
    results(await send(given, [{"externalId": made["externalId"], "delete": True}]), "deleted")
    entries, cursor = await _until_quiet(given, cursor, wait=10)
    gone = [entry for entry in entries if entry["id"] == made["id"]]
    expect([entry["op"] for entry in gone] == ["delete"], "A deleted signal does not come as `delete`.")
    expect(gone[0].get("externalId") == made["externalId"], "A deletion does not tell the external id.")


async def _until_quiet(given: Try, cursor: str, wait: int | None = None) -> tuple[list[dict[str, Any]], str]:
    """All that comes after the cursor, and where that ends."""
    entries: list[dict[str, Any]] = []
    while True:
        page = page_of(await given.get("/v1/changes", cursor=cursor, limit=500, wait=wait))
        entries += page["items"]
        cursor, wait = page["cursor"], None
        if not page["more"]:
            return entries, cursor


async def leaves_nothing(given: Try) -> None:
    """Deletion by external id; what is not there any more is `unchanged`."""
    names = (
        "same", "put", "order-0", "order-1", "order-2", "order-3", "order-4", "conflict", "personal", "atomic-a",
        "atomic-b", "twice", "line-a", "line-b", "packed", "key", "key-b", "other", "feed",
    )  # fmt: skip
    gone = [{"externalId": f"{given.run}-{name}", "delete": True} for name in names]
    found = json_of(await send(given, gone))["results"]
    expect(all(r["result"] in ("deleted", "unchanged") for r in found), "A deletion by external id is refused.")
    results(await send(given, gone), *("unchanged" for _ in gone))


PUSHING = (
    Check("push-idempotent", "The same content again changes nothing.", idempotent),
    Check("put-by-external-id", "PUT by external id creates, replaces, or changes nothing.", by_put),
    Check("results-in-order", "A batch answers each item, in order, by itself.", in_order),
    Check("version-conflict", "An item based on another version is refused with the present one.", conflict),
    Check("personal-data", "Personal data is refused with place and kind, never echoed.", personal_data),
    Check("atomic", "In an atomic batch one wrong item undoes all.", atomic),
    Check("repeated-id", "The same external id twice in a batch is refused.", repeated),
    Check("too-many", "More than 1,000 items are refused whole.", too_many),
    Check("ndjson", "Lines are taken as well, and a broken one is refused by itself.", lines),
    Check("gzip", "Content-Encoding: gzip is accepted.", packed),
    Check("idempotency-key", "The same key gives the first answer; with other content 422.", keys),
    Check("another-hub", "A push to what is not one's own hub is refused.", another_hub),
    Check("seen-in-feed", "What was pushed comes once in the feed, deletions with their external id.", seen_in_feed),
    Check("deletion", "Deletion by external id works, and can be repeated.", leaves_nothing),
)
