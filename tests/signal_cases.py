"""Signals for tests: what a hub sends, and the steps after it."""

from __future__ import annotations

import uuid

PATCH = {"content-type": "application/merge-patch+json"}
PLAIN = {"accept-encoding": "identity"}  # compressed, a representation has a tag of its own
NOBODY = "01890000-0000-7000-8000-000000000000"


def a_signal(**changes):
    """A signal as own-hub sends it; each has its own title."""
    return {
        "kind": "knelpunt", "title": f"Lang wachten op een intake {letters()}", "description": "Mensen wachten te lang.",
        "themes": ["wachttijden"], "region": "GG2014", "heardOn": "2026-03-05",
    } | changes  # fmt: skip


def letters():
    """A word that is nowhere else. No digits: those could be somebody's number."""
    return "".join(chr(ord("a") + int(digit, 16)) for digit in uuid.uuid4().hex[:16])


async def add(client, **changes):
    """Adds it and gives its representation."""
    response = await client.post("/v1/signals", json=a_signal(**changes))
    assert response.status_code == 201, response.text
    return response.json()


async def step(client, signal_id, to, match="*", **more):
    return await client.post(
        f"/v1/signals/{signal_id}/transitions", json={"to": to, **more}, headers={"if-match": match}
    )


async def verified(client, **changes):
    """Adds it and verifies it."""
    found = await add(client, status="submitted", **changes)
    response = await step(client, found["id"], "verified")
    assert response.status_code == 200, response.text
    return response.json()


async def patch(client, signal_id, content, match="*"):
    headers = PATCH | ({} if match is None else {"if-match": match})
    return await client.patch(f"/v1/signals/{signal_id}", json=content, headers=headers)


async def answer(client, signal_id, umbrella="mind", match="*", **content):
    headers = {} if match is None else {"if-match": match}
    return await client.put(f"/v1/signals/{signal_id}/forwardings/{umbrella}", json=content, headers=headers)


async def follow_up(client, signal_id, match="*", **content):
    item = {"kind": "meeting", "on": "2026-04-01", "summary": "Besproken met de huisartsen."} | content
    headers = {} if match is None else {"if-match": match}
    return await client.post(f"/v1/signals/{signal_id}/follow-ups", json=item, headers=headers)


def codes(response):
    """Where each fault is, and its code."""
    return {(fault["location"], fault["code"]) for fault in response.json()["errors"]}
