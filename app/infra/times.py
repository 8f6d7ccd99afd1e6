"""Moments in JSON: RFC 3339 in UTC with `Z`."""

from __future__ import annotations

from sqlalchemy import func, literal_column

from app.infra.json_sql import Expression


def moment(column: Expression) -> Expression:
    """A timestamp as text, to the millisecond."""
    return func.to_char(
        func.timezone(literal_column("'UTC'"), column), literal_column('\'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\'')
    )
