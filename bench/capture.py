"""What the limit must do for each question: the service's own SQL and arguments, taken from it while it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.infra.prepare import Addresses
from app.infra.reader import PostgresReader, narrowed
from app.main import create_app
from app.settings import Settings
from bench.cases import Case


@dataclass(frozen=True, slots=True)
class Question:
    """One statement, and the envelope around the first column of its row."""

    target: str
    body: bytes
    sql: str
    arguments: list[Any]
    head: bytes
    tail: bytes
    content_type: bytes


class Unanswered(Exception):
    """The service does not answer this question (yet)."""


async def capture(
    cases: Sequence[Case], settings: Settings, addresses: Addresses
) -> tuple[list[Question], dict[Case, str]]:
    """Asks every question in this process; the second value says of each that failed why."""
    found: list[Question] = []
    failed: dict[Case, str] = {}
    seen: list[tuple[str, list[Any], list[Any]]] = []
    read = PostgresReader.read

    async def watched(self: PostgresReader, selections: Any, *, actor: Any, language: Any) -> Any:
        asked = [narrowed(selection, actor) for selection in selections]
        known = actor.role != "anonymous"
        statement = self.statement(tuple(s.shape for s in asked), language, known=known)
        answers = await read(self, selections, actor=actor, language=language)
        seen.append((statement.sql, self.arguments(statement, asked, actor), answers))
        return answers

    app: Any = create_app(settings, addresses)
    PostgresReader.read = watched  # type: ignore[method-assign]
    try:
        async with app.fastapi.router.lifespan_context(app.fastapi):
            for case in cases:
                seen.clear()
                status, headers, body = await ask(app, case)
                try:
                    found.append(_question(case, status, headers, body, seen))
                except Unanswered as error:
                    failed[case] = str(error)
    finally:
        PostgresReader.read = read  # type: ignore[method-assign]
    return found, failed


def _question(case: Case, status: int, headers: dict[bytes, bytes], body: bytes, seen: list[Any]) -> Question:
    if status != 200 or body.startswith(b'{"errors"') or len(seen) != 1 or len(seen[0][2]) != 1:
        raise Unanswered(f"answered {status}: {body[:300].decode(errors='replace')}")
    sql, arguments, (answer,) = seen[0]
    head, found, tail = body.partition(answer.body)
    if not found:
        raise Unanswered("the bytes of the database are not in the answer")
    return Question(case.target, case.body, sql, arguments, head, tail, headers[b"content-type"])


async def ask(app: Any, case: Case) -> tuple[int, dict[bytes, bytes], bytes]:
    """One request straight into an ASGI app."""
    path, _, query = case.target.partition("?")
    headers = [(b"host", b"127.0.0.1"), (b"accept", b"application/json")]
    if case.body:
        headers += [(b"content-type", b"application/json"), (b"content-length", str(len(case.body)).encode())]
    headers += [(name.encode(), value.encode()) for name, value in case.headers]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "path": path,
        "raw_path": path.encode(), "query_string": query.encode(), "root_path": "", "headers": headers,
        "method": "POST" if case.body else "GET", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {},
    }  # fmt: skip
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": case.body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], dict(sent[0]["headers"]), body
