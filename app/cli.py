"""The `knooppunt` command. What it prints on stdout can be piped; what it says meanwhile goes to stderr."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from app.domain.errors import DomainError, Invalid, Unavailable
from app.serving import TEMPORARY
from app.settings import Settings

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="Knooppunt: hubs, regions and signals.")
reference = typer.Typer(no_args_is_help=True, help="Reference data: regions, themes, ladders.")
demo = typer.Typer(no_args_is_help=True, help="The demonstration network.")
signal = typer.Typer(no_args_is_help=True, help="Signals.")
question = typer.Typer(no_args_is_help=True, help="Questions.")
epoch = typer.Typer(no_args_is_help=True, help="Epochs of the change log.")
client = typer.Typer(no_args_is_help=True, help="API clients and their tokens.")
openapi = typer.Typer(no_args_is_help=True, help="The published contracts.")
app.add_typer(reference, name="reference")
app.add_typer(demo, name="demo")
app.add_typer(signal, name="signal")
app.add_typer(question, name="question")
app.add_typer(epoch, name="epoch")
app.add_typer(client, name="client")
app.add_typer(openapi, name="openapi")

say = Console(stderr=True, highlight=False)

ExpiresDays = Annotated[int, typer.Option(min=0, max=3_650, help="Days until the token expires; 0 is never.")]


@contextmanager
def _told(*, patient: bool = False) -> Iterator[None]:
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


@app.command()
def serve(
    prepare: Annotated[
        bool, typer.Option(help="Migrate first, and load the reference data and the demonstration network once.")
    ] = False,
    workers: Annotated[int | None, typer.Option(help="Worker processes; WORKERS when absent.")] = None,
) -> None:
    """Serve the API, the GraphQL endpoint and the pages.

    A database that is away does not keep it from starting: it answers 503 until the database is there.
    """
    from app.infra.prepare import running_database
    from app.serving import ending_on_sigterm, prepared
    from app.serving import serve as run

    with _told(), ending_on_sigterm():
        settings = Settings()
        with running_database(settings) as addresses, prepared(wanted=prepare):
            run(settings, addresses, workers or settings.workers, say)


@app.command()
def prepare(
    wait: Annotated[int, typer.Option(min=0, help="Seconds to wait for the database.")] = 60,
) -> None:
    """Migrate, load the reference data and the demonstration network: everything before serving, once.

    Exit code 75 when the database is away or not of this release: what may be over the next time.
    """
    from app.infra import demonstration
    from app.infra.prepare import running_database

    with _told(patient=True):
        settings = Settings()
        with running_database(settings):
            if _migrate(settings, wait_seconds=wait):
                say.print("The schema was brought to this release.")
            if _load(settings):
                say.print("Reference data loaded.")
            if asyncio.run(_with_owner(settings, demonstration.load)):
                say.print("Demonstration network loaded.")
            if settings.database_url is None:  # on a server of your own nobody wants tokens in the log
                _show_trials(settings)


def _show_trials(settings: Settings) -> None:
    from app.infra import demonstration_tokens

    say.print("\nTry it as one of the network (these tokens are new at each start):", style="bold")
    for trial in asyncio.run(_with_owner(settings, demonstration_tokens.mint)):
        address = f"http://{settings.host}:{settings.port}{trial.path}"
        say.print(f"  {trial.who}:", style="bold")
        say.print(f"    curl -H 'Authorization: Bearer {trial.token}' '{address}'", soft_wrap=True, markup=False)
    say.print()


@app.command()
def migrate(to: Annotated[str, typer.Option(help="Revision to go to; older ones go down.")] = "head") -> None:
    """Bring the database schema to this release. Safe to run from many places at once."""
    with _told():
        changed = _migrate(Settings(), to)
    say.print("The schema was brought to this release." if changed else "The schema was up to date.")


def _migrate(settings: Settings, to: str = "head", wait_seconds: float = 60) -> bool:
    from app.infra.epochs import keep_epoch
    from app.infra.migrating import migrate as run
    from app.infra.migrating import service_role
    from app.infra.prepare import running_database

    with running_database(settings) as addresses:
        role = addresses.role or service_role(addresses.service, addresses.owner)
        changed = asyncio.run(run(addresses.owner, role, to, wait_seconds))
        if to == "head" and asyncio.run(_with_owner(settings, keep_epoch)):
            say.print("Another cluster than the change log was written in: a new epoch begins.")
        return changed


async def _with_owner(settings: Settings, act: Any) -> Any:
    """Runs `act(connection)` as the owner of the schema."""
    from app.infra.prepare import as_owner, running_database

    with running_database(settings) as addresses:
        async with as_owner(addresses.owner) as connection:
            return await act(connection)


@reference.command("load")
def reference_load() -> None:
    """Load the packaged reference data and the imported editions, verified, in one transaction."""
    with _told():
        changed = _load(Settings())
    say.print("Reference data loaded." if changed else "This reference data was loaded already.")


def _load(settings: Settings) -> bool:
    from rich.progress import Progress, SpinnerColumn, TextColumn

    from app.infra.importing import current
    from app.infra.prepare import load_reference, running_database

    with (
        running_database(settings) as addresses,
        Progress(SpinnerColumn(), TextColumn("{task.description}"), console=say, transient=True) as progress,
    ):
        task = progress.add_task("reference data", total=None)

        def show(what: str, done: int, of: int) -> None:
            progress.update(task, description=f"reference data: {what}", completed=done, total=of)

        data = asyncio.run(_with_owner(settings, current))
        return asyncio.run(load_reference(addresses.owner, data, show))


@reference.command("import")
def reference_import(
    source: Annotated[str, typer.Argument(help="File or address of a CBS StatLine table `Gebieden in Nederland`.")],
    year: Annotated[int, typer.Option(help="The year of the edition.")],
    apply: Annotated[bool, typer.Option(help="Apply it; without this you see what would change.")] = False,
) -> None:
    """Take over a newer edition of the regions from CBS."""
    from app.infra.importing import import_edition

    with _told():
        settings = Settings()
        lines, applied = asyncio.run(_with_owner(settings, lambda c: import_edition(c, source, year, apply=apply)))
        for line in lines:
            typer.echo(line)
    if not applied:
        say.print("Nothing was changed. Repeat with --apply to take this over." if not apply else "Nothing to change.")


@demo.command("load")
def demo_load(
    signals: Annotated[int, typer.Option(min=0, help="Generate this many signals as well, up to millions.")] = 0,
) -> None:
    """Load the demonstration network: clearly marked, removed by `demo clear`."""
    from app.infra import demonstration

    with _told():
        added = asyncio.run(_with_owner(Settings(), demonstration.load))
        say.print("Demonstration network loaded." if added else "The demonstration network was there already.")
        if signals:
            _generate(signals)


def _generate(count: int) -> None:
    import time

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from app.infra import demonstration_volume

    bar = Progress(
        TextColumn("signals"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=say, transient=True
    )
    began = time.perf_counter()
    with bar:
        task = bar.add_task("signals", total=count)

        def show(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of)

        added = asyncio.run(_with_owner(Settings(), lambda c: demonstration_volume.generate(c, count, show)))
    lasted = time.perf_counter() - began
    if added:
        say.print(f"{count:,} signals generated in {lasted:.0f} s, {count / lasted:,.0f} a second.")
    else:
        say.print("There are generated signals already. Remove them by `knooppunt demo clear` first.")


@demo.command("clear")
def demo_clear() -> None:
    """Remove exactly the demonstration network, its signals included."""
    from app.infra import demonstration, demonstration_volume

    with _told():
        signals = asyncio.run(_with_owner(Settings(), demonstration_volume.clear))
        gone = asyncio.run(_with_owner(Settings(), demonstration.clear))
    say.print(f"Removed {signals:,} demonstration signals, {gone} demonstration hubs and organisations.")


@signal.command("purge")
def signal_purge(id: Annotated[UUID, typer.Argument(help="Id of the signal.")]) -> None:  # noqa: A002 - what it is called
    """Remove the content of a signal everywhere, its history included; a tombstone stays. Also after it was deleted."""
    from app.infra.purging import purge_signal

    with _told():
        asyncio.run(_with_owner(Settings(), lambda c: purge_signal(c, id)))
    say.print("Purged. Backups and copies outside this database are yours to clear.")


@question.command("purge")
def question_purge(id: Annotated[UUID, typer.Argument(help="Id of the question.")]) -> None:  # noqa: A002 - what it is called
    """Remove the content of a question everywhere, its history included; a tombstone stays. Also after it was deleted."""
    from app.infra.purging import purge_question

    with _told():
        asyncio.run(_with_owner(Settings(), lambda c: purge_question(c, id)))
    say.print("Purged. Backups and copies outside this database are yours to clear.")


@epoch.command("bump")
def epoch_bump() -> None:
    """Begin a new epoch of the change log: after a restore of the files of the database."""
    from app.infra.epochs import bump_epoch

    with _told():
        number = asyncio.run(_with_owner(Settings(), bump_epoch))
    say.print(f"Epoch {number} began.")


@client.command("create")
def client_create(
    name: Annotated[str, typer.Argument(help="Who uses it: an organisation or a system, not a person.")],
    role: Annotated[str, typer.Option(help="hub, umbrella, national or admin.")],
    hub: Annotated[str | None, typer.Option(help="Slug of the hub, for role hub.")] = None,
    umbrella: Annotated[str | None, typer.Option(help="Code of the umbrella, for role umbrella.")] = None,
    expires_days: ExpiresDays = 365,
) -> None:
    """Make a client and print its token: once, and nothing else, on stdout."""
    from app.infra.clients import NewClient, create_client

    new = NewClient(name, role, hub, umbrella, expires_days or None)
    with _told():
        typer.echo(asyncio.run(_with_owner(Settings(), lambda c: create_client(c, new))))


@client.command("list")
def client_list() -> None:
    """Show the clients, without their tokens."""
    from rich.table import Table

    from app.infra.clients import list_clients

    with _told():
        rows = asyncio.run(_with_owner(Settings(), list_clients))
    table = Table("id", "name", "role", "hub or umbrella", "expires", "last used", "revoked")
    for row in rows:
        dates = [
            row[key].date().isoformat() if row[key] else "" for key in ("expires_at", "last_used_at", "revoked_at")
        ]
        table.add_row(str(row["id"]), row["name"], row["role"], row["hub"] or row["umbrella"] or "", *dates)
    Console().print(table)


@client.command("rotate")
def client_rotate(
    id: Annotated[UUID, typer.Argument(help="Id of the client.")],  # noqa: A002 - what it is called
    expires_days: ExpiresDays = 365,
) -> None:
    """Replace the token of a client; the old one stops working at once."""
    from app.infra.clients import rotate_client

    with _told():
        typer.echo(asyncio.run(_with_owner(Settings(), lambda c: rotate_client(c, id, expires_days or None))))


@client.command("revoke")
def client_revoke(id: Annotated[UUID, typer.Argument(help="Id of the client.")]) -> None:  # noqa: A002 - what it is called
    """Stop a client's token from working, at once."""
    from app.infra.clients import revoke_client

    with _told():
        asyncio.run(_with_owner(Settings(), lambda c: revoke_client(c, id)))
    say.print("Revoked.")


@openapi.command("export")
def openapi_export(
    folder: Annotated[Path, typer.Argument(help="Where openapi.json and schema.graphql go.")] = Path("openapi"),
) -> None:
    """Write the two contracts to files."""
    from app.contracts import export

    folder.mkdir(parents=True, exist_ok=True)
    for name, text in export().items():
        (folder / name).write_text(text, encoding="utf-8")
        say.print(f"{folder / name}")


def main() -> None:
    """Entry point."""
    app()


if __name__ == "__main__":
    main()
