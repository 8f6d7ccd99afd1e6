"""How the command line speaks: refusals as a sentence and an exit code, on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from app.domain.errors import DomainError, Invalid, Unavailable
from app.serving import TEMPORARY

say = Console(stderr=True, highlight=False)


@contextmanager
def told(*, patient: bool = False) -> Iterator[None]:
    """A refusal is a sentence and exit code 1, not a stack trace; 75 where `patient` says that it may pass by itself."""
    from app.infra.embedded import EmbeddedPostgresError

    try:
        yield
    except Invalid as error:
        for fault in error.faults:
            say.print(f"[red]{fault.code}[/] {escape(fault.detail)}", soft_wrap=True)
        raise typer.Exit(1) from error
    except ValidationError as error:
        for wrong in error.errors(include_input=False, include_url=False):
            name = ".".join(str(part) for part in wrong["loc"]).upper()
            say.print(f"[red]{name}[/] {escape(wrong['msg'])}", soft_wrap=True)
        raise typer.Exit(1) from error
    except (DomainError, EmbeddedPostgresError) as error:
        say.print(f"[red]{escape(str(error))}[/]", soft_wrap=True)
        raise typer.Exit(TEMPORARY if patient and isinstance(error, Unavailable) else 1) from error
