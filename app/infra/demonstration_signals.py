"""The hand-written signals of the demonstration network, each known by its key: a second load adds what is missing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from importlib.resources import files
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from app.domain.routing import RESPONSE_WEEKS, concerned_workfields
from app.domain.text import fold
from app.infra.signal_writes import SEARCH
from app.infra.vocabulary import Vocabularies

STEPS = {"verified": ("verified",), "closed": ("verified", "closed"), "withdrawn": ("withdrawn",)}


def written() -> Sequence[Mapping[str, Any]]:
    """The packaged signals; none where they are not packaged."""
    file = files("app") / "data" / "demonstration" / "signals.jsonl"
    return [orjson.loads(line) for line in file.read_text("utf-8").splitlines() if line] if file.is_file() else []


async def load_signals(connection: asyncpg.Connection) -> int:
    """In a transaction: adds those that are not there; their number."""
    signals = written()
    rows = await connection.fetch(
        "select external_id from signal where external_id = any($1)", [s["key"] for s in signals]
    )
    there = {row[0] for row in rows}
    known = await Vocabularies(connection).now()
    new = [signal for signal in signals if signal["key"] not in there]
    for signal in new:
        codes, source = concerned_workfields(
            signal["workfields"] or None, signal["themes"], known.hints, list(known.terms["workfield"])
        )
        await _add(connection, signal, list(codes), source)
    return len(new)


async def _add(connection: asyncpg.Connection, s: Mapping[str, Any], workfields: list[str], source: str) -> None:
    heard = date.fromisoformat(s["heardOn"])
    created = datetime.combine(heard, time(9), UTC) + timedelta(days=2)
    verified = created + timedelta(days=9)
    steps = STEPS.get(s["status"], ())
    identity = identity_of(s["key"], created)
    await connection.execute(
        f"""insert into signal (id, hub_id, external_id, kind, title, description, themes, workfields, workfields_source,
          region_id, scale, groups, channel, heard_on, people_count, visibility, status, recipients, search, demonstration,
          version, created_at, updated_at, verified_at)
        select $1, h.id, $3, $4, $5, $6, $7, workfield_mask($8), $9, r.id, $11, $12, $13, $14, $15, $16, $17,
          (select coalesce(bit_or(umbrella_bit(code)), 0) from unnest($18::text[]) code),
          {SEARCH.format(title="$19", description="$20")}, true, $21, $22, $23, $24
        from hub h, region r where h.slug = $2 and r.code = $10""",  # noqa: S608
        identity, s["hub"], s["key"], s["kind"], s["title"], s["description"], s["themes"], workfields, source, s["region"],
        s["scale"], s["groups"], s["channel"], heard, s["peopleCount"], s["visibility"], s["status"],
        [item["umbrella"] for item in s["forwardings"]], fold(s["title"]), fold(s["description"]), 1 + len(steps), created,
        verified if steps else created, verified if "verified" in steps else None,
    )  # fmt: skip
    await connection.executemany(
        """insert into forwarding (signal_id, umbrella, hub_id, audience, state, respond_by, response, forwarded_at,
          responded_at) values ($1, $2, 0, 0, $3, $4, $5, $6, $7)""",
        [
            (
                identity, item["umbrella"], item["state"], verified.date() + timedelta(weeks=RESPONSE_WEEKS),
                item.get("response"), verified, None if item["state"] == "forwarded" else verified + timedelta(days=20),
            )
            for item in s["forwardings"]
        ],
    )  # fmt: skip
    await connection.executemany(
        """insert into follow_up (id, signal_id, hub_id, audience, kind, on_date, summary, public, created_at)
        values ($1, $2, 0, 0, $3, $4, $5, $6, $7)""",
        [
            (identity_of(f"{s['key']} {place}", verified), identity, item["kind"], date.fromisoformat(item["on"]),
             item["summary"], item["public"], verified)
            for place, item in enumerate(s["followUps"])
        ],
    )  # fmt: skip
    before = ("submitted", *steps)
    lines = [(identity, 1, created, "created", s["hub"], "{}")] + [
        (identity, n, verified, step, s["hub"], orjson.dumps({"status": [before[n - 2], step]}).decode())
        for n, step in enumerate(steps, 2)
    ]
    await connection.executemany(
        """insert into signal_history (signal_id, version, hub_id, at, action, role, by_hub, changes)
        select $1, $2, h.id, $3, $4, 'hub', $5, $6 from hub h where h.slug = $5""",
        lines,
    )


def identity_of(key: str, at: datetime) -> UUID:
    """A UUID of version 7 of that moment, the same at every load."""
    bits = int.from_bytes(hashlib.sha256(key.encode()).digest()[:10], "big") >> 6
    milliseconds = int(at.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 7 << 76 | (bits >> 62) << 64 | 2 << 62 | bits & (1 << 62) - 1)
