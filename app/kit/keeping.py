"""Where pulled changes are kept, always together with how far one came: a file of lines, or a SQLite database."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from app.domain.errors import Fault, Invalid
from app.kit.feed import Holding, Page, holding


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose changes these are. A file keeps to one origin."""

    url: str
    types: str | None


class Keeper(Protocol):
    """A place where changes are kept. A page and its cursor are kept together, or neither is."""

    @property
    def cursor(self) -> str | None: ...

    def keep(self, page: Page) -> None:
        """Keeps the page and where it leads. The last page of a reading from the beginning removes what did not come."""
        ...

    def start_anew(self) -> None:
        """Everything comes again from here."""
        ...

    def held(self) -> Iterator[Holding]:
        """All that is there now."""
        ...

    def close(self) -> None: ...


def _another(path: Path) -> Invalid:
    detail = f"{path.name} holds something else: other types, or of another address. Take another file for this."
    return Invalid([Fault("file", "", "another-origin", detail)])


_SCHEMA = """
create table if not exists kept (name text primary key, value text);
create table if not exists resource (
  type text, id text, external_id text, hub text, version integer, month text, reading integer, body text,
  primary key (type, id)) without rowid;
create index if not exists resource_of_hub on resource (hub, type);
create view if not exists signal as select id, external_id, hub, version, json_extract(body, '$.kind') as kind,
  json_extract(body, '$.title') as title, json_extract(body, '$.description') as description, json_extract(body, '$.status') as status,
  json_extract(body, '$.visibility') as visibility, json_extract(body, '$.region.code') as region, json_extract(body, '$.heardOn') as heard_on,
  json_extract(body, '$.createdAt') as created_at, json_extract(body, '$.themes') as themes, json_extract(body, '$.forwardings') as forwardings
  from resource where type = 'signal';
"""
_UPSERT = """
insert into resource (type, id, external_id, hub, version, month, reading, body) values (?, ?, ?, ?, ?, ?, ?, ?)
on conflict (type, id) do update set external_id = excluded.external_id, hub = excluded.hub, version = excluded.version,
  month = excluded.month, reading = excluded.reading, body = excluded.body
where excluded.version >= version or excluded.reading > reading
"""


class SqliteKeeper:
    """Table `resource` with the present state, view `signal` with the columns that people ask for."""

    def __init__(self, path: Path, origin: Origin) -> None:
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = full")
            self._db.executescript(_SCHEMA)
        except sqlite3.DatabaseError:
            detail = f"{path.name} is not a SQLite database, or cannot be written."
            raise Invalid([Fault("file", "", "wrong-file", detail)]) from None
        given = json.dumps([origin.url, origin.types])
        if self._get("origin") not in (None, given):
            raise _another(path)
        self._set("origin", given)

    @property
    def cursor(self) -> str | None:
        """See the protocol."""
        return self._get("cursor")

    def keep(self, page: Page) -> None:
        """See the protocol."""
        self._db.execute("begin immediate")
        try:
            reading = int(self._get("reading") or 0)
            for item in page.items:
                self._take(item, reading)
            if not page.more and self._get("anew"):
                self._db.execute("delete from resource where reading < ?", (reading,))
                self._set("anew", None)
            self._set("cursor", page.cursor)
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    def _take(self, item: Mapping[str, Any], reading: int) -> None:
        if item["op"] != "upsert":
            sql = "delete from resource where type = ? and id = ? and (version <= ? or reading < ?)"
            self._db.execute(sql, (item["type"], item["id"], item["version"], reading))
            return
        one = holding(item)
        body = json.dumps(item.get("resource"), ensure_ascii=False, separators=(",", ":"))
        row = (one.type, one.id, item.get("externalId"), one.hub, one.version, one.month, reading, body)
        self._db.execute(_UPSERT, row)

    def start_anew(self) -> None:
        """See the protocol."""
        self._db.execute("begin immediate")
        self._set("cursor", None)
        self._set("reading", str(int(self._get("reading") or 0) + 1))
        self._set("anew", "1")
        self._db.execute("commit")

    def held(self) -> Iterator[Holding]:
        """See the protocol."""
        for row in self._db.execute("select type, id, hub, version, month from resource"):
            yield Holding(*row)

    def close(self) -> None:
        """See the protocol."""
        self._db.close()

    def _get(self, name: str) -> str | None:
        row = self._db.execute("select value from kept where name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def _set(self, name: str, value: str | None) -> None:
        if value is None:
            self._db.execute("delete from kept where name = ?", (name,))
        else:
            self._db.execute("insert or replace into kept (name, value) values (?, ?)", (name, value))


class LineKeeper:
    """A line for each change, as the service gives it. After each page a line `{"op": "cursor", …}`: whatever stands
    behind the last of these was cut off in the middle, and is cut away on opening. `{"op": "start-anew"}` says that all
    comes again; what has not come by the first cursor line with `"whole": true` is gone."""

    def __init__(self, path: Path, origin: Origin) -> None:
        self._path = path
        self._cursor: str | None = None
        self._anew = False
        whole = self._opened(path, json.loads(json.dumps([origin.url, origin.types])))
        self._file = path.open("ab")
        self._file.truncate(whole)
        if whole == 0:
            self._write([{"op": "origin", "origin": [origin.url, origin.types]}])

    def _opened(self, path: Path, origin: object) -> int:
        """Reads how far it came; the length of what is whole."""
        if not path.exists() or path.stat().st_size == 0:
            return 0
        whole = at = 0
        with path.open("rb") as file:
            for line in file:
                at += len(line)
                if not line.startswith((b'{"op":"cursor"', b'{"op":"origin"', b'{"op":"start-anew"')):
                    if whole == 0:
                        raise _another(path)
                    continue
                if not line.endswith(b"\n"):
                    break
                entry = json.loads(line)
                if entry["op"] == "origin" and entry["origin"] != origin:
                    raise _another(path)
                self._anew = entry["op"] == "start-anew" or (self._anew and not entry.get("whole"))
                self._cursor = entry.get("cursor")
                whole = at
        return whole

    @property
    def cursor(self) -> str | None:
        """See the protocol."""
        return self._cursor

    def keep(self, page: Page) -> None:
        """See the protocol."""
        whole = self._anew and not page.more
        if page.items or whole or page.cursor != self._cursor:
            entry = {"op": "cursor", "cursor": page.cursor, **({"whole": True} if whole else {})}
            self._write([*page.items, entry])
        self._cursor, self._anew = page.cursor, self._anew and not whole

    def start_anew(self) -> None:
        """See the protocol."""
        self._write([{"op": "start-anew"}])
        self._cursor, self._anew = None, True

    def held(self) -> Iterator[Holding]:
        """See the protocol."""
        found: dict[tuple[str, str], tuple[Holding, int]] = {}
        reading = 0
        with self._path.open("rb") as file:
            for entry in map(json.loads, file):
                if entry["op"] == "start-anew":
                    reading += 1
                elif entry["op"] == "upsert":
                    found[entry["type"], entry["id"]] = (holding(entry), reading)
                elif entry["op"] in ("delete", "hidden"):
                    found.pop((entry["type"], entry["id"]), None)
                elif entry.get("whole"):
                    found = {key: value for key, value in found.items() if value[1] == reading}
        yield from (one for one, _ in found.values())

    def close(self) -> None:
        """See the protocol."""
        self._file.close()

    def _write(self, entries: list[Any]) -> None:
        lines = (json.dumps(entry, ensure_ascii=False, separators=(",", ":")) for entry in entries)
        self._file.write("".join(f"{line}\n" for line in lines).encode())
        self._file.flush()
        os.fsync(self._file.fileno())
