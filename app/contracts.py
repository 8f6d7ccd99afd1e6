"""The published contracts, made without a database."""

from __future__ import annotations

import orjson

from app.api.graphql.schema import schema
from app.infra.prepare import Addresses
from app.main import create_app
from app.settings import Settings


def export() -> dict[str, str]:
    """File name → text of `openapi.json` and `schema.graphql`."""
    app = create_app(Settings(public_url=None), Addresses("postgresql:///none", "postgresql:///none"))
    document = orjson.dumps(app.fastapi.openapi(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)  # type: ignore[attr-defined]
    return {"openapi.json": document.decode() + "\n", "schema.graphql": schema.as_str() + "\n"}
