"""The limit: an ASGI app that does nothing but run the statement and send its bytes.

`python -m bench.limit` serves through the service's own `serve`, so that the server has the same options, and with its
pool, so that the connections have the same settings.
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import uvicorn

import app.serving
from app.infra.database import Database
from app.infra.prepare import Addresses
from app.settings import Settings
from bench.capture import Question

QUESTIONS, ADDRESS, ROLE = "BENCH_QUESTIONS", "BENCH_ADDRESS", "BENCH_ROLE"


class Limit:
    """Finds a question by its address, or by its body where it has one."""

    def __init__(self, questions: list[Question], database: Database) -> None:
        self._database = database
        self._by_address = {
            (path, query.encode()): question
            for question in questions
            if not question.body
            for path, _, query in [question.target.partition("?")]
        }
        self._by_body = {question.body: question for question in questions if question.body}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["method"] == "POST":
            question = self._by_body[(await receive())["body"]]
        else:
            question = self._by_address[scope["path"], scope["query_string"]]
        row: Any = await self._database.pool.fetchrow(question.sql, *question.arguments)
        body = question.head + row[0] + question.tail
        headers = [(b"content-type", question.content_type), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        await self._database.open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._database.close()
        await send({"type": "lifespan.shutdown.complete"})


def application() -> Limit:
    """The app in its process."""
    settings = Settings()
    database = Database(
        os.environ[ADDRESS],
        size=settings.database_pool_size,
        statement_timeout_seconds=settings.statement_timeout_seconds,
        role=os.environ[ROLE] or None,
    )
    return Limit(pickle.loads(Path(os.environ[QUESTIONS]).read_bytes()), database)


def main() -> None:
    """Serves in place of the service."""
    app.serving.application = application
    run = uvicorn.run
    # The server's own protocol: what ours adds to it, or saves, is the service's.
    uvicorn.run = lambda *given, **options: run(*given, **{**options, "http": "httptools"})
    addresses = Addresses(os.environ[ADDRESS], os.environ[ADDRESS], os.environ[ROLE] or None)
    app.serving.serve(Settings(), addresses, 1)


if __name__ == "__main__":
    main()
