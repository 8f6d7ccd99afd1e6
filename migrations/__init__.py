"""The migrations, in order of their names: a file is named after its revision, which begins with its date."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def revisions() -> list[str]:
    """All revisions of this release, oldest first. Read from the folder, so that serving needs no Alembic."""
    return sorted(path.stem for path in (FOLDER / "versions").glob("2*.py"))
