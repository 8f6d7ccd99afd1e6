"""${message}"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that waits for a lock makes every reader behind it wait too.
    op.execute("set local lock_timeout = '5s'")
    op.execute("set local statement_timeout = '10min'")
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    ${downgrades if downgrades else "pass"}
