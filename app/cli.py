"""The `knooppunt` command. What it prints on stdout can be piped; what it says meanwhile goes to stderr."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console

from app.commands import sources, sync
from app.commands.telling import say
from app.commands.telling import told as _told
from app.settings import Settings

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="Knooppunt: hubs, regions and signals.")
reference = typer.Typer(no_args_is_help=True, help="Reference data: regions, themes, ladders.")
demo = typer.Typer(no_args_is_help=True, help="The demonstration network.")
signal = typer.Typer(no_args_is_help=True, help="Signals.")
national = typer.Typer(no_args_is_help=True, help="Counts of the national layer.")
question = typer.Typer(no_args_is_help=True, help="Questions.")
epoch = typer.Typer(no_args_is_help=True, help="Epochs of the change log.")
changes = typer.Typer(no_args_is_help=True, help="The change log.")
client = typer.Typer(no_args_is_help=True, help="API clients and their tokens.")
openapi = typer.Typer(no_args_is_help=True, help="The published contracts.")
app.add_typer(reference, name="reference")
app.add_typer(demo, name="demo")
app.add_typer(signal, name="signal")
app.add_typer(national, name="national")
app.add_typer(question, name="question")
app.add_typer(epoch, name="epoch")
app.add_typer(changes, name="changes")
app.add_typer(client, name="client")
app.add_typer(openapi, name="openapi")
app.add_typer(sources.app, name="source")
app.command()(sync.push)
app.command()(sync.pull)
app.command()(sync.conformance)

ExpiresDays = Annotated[int, typer.Option(min=0, max=3_650, help="Days until the token expires; 0 is never.")]


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
    from app.serving import become

    with _told():
        settings = Settings()
    become(prepare=prepare, workers=workers or settings.workers)


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
    from app.infra.rollup import keep_network_secret

    with running_database(settings) as addresses:
        role = addresses.role or service_role(addresses.service, addresses.owner)
        changed = asyncio.run(run(addresses.owner, role, to, wait_seconds))
        if to == "head" and asyncio.run(_with_owner(settings, keep_epoch, keeping_epoch=False)):
            say.print("Another cluster than the change log was written in: a new epoch begins.")
        if to == "head" and asyncio.run(
            _with_owner(settings, lambda c: keep_network_secret(c, settings.network_secret))
        ):
            say.print("The network secret is another: the counts were made anew.")
        return changed


async def _with_owner(settings: Settings, act: Any, *, keeping_epoch: bool = True) -> Any:
    """Runs `act(connection)` as the owner of the schema."""
    from app.infra.prepare import as_owner, running_database

    with running_database(settings) as addresses:
        async with as_owner(addresses.owner, keeping_epoch=keeping_epoch) as connection:
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


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal, for as long as it lasts: what it gives is called with done and of."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("signals"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=say, transient=True) as bar:
        task = bar.add_task("signals", total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def _generate(count: int) -> None:
    import time

    from app.infra import demonstration_volume

    began = time.perf_counter()
    with _bar() as show:
        added = asyncio.run(_with_owner(Settings(), lambda c: demonstration_volume.generate(c, count, show)))
    lasted = time.perf_counter() - began
    if added:
        say.print(f"{count:,} signals generated in {lasted:.0f} s, {count / lasted:,.0f} a second.")
    else:
        say.print("There are generated signals already. Remove them by `knooppunt demo clear` first.")


@demo.command("clear")
def demo_clear() -> None:
    """Remove exactly the demonstration network, its signals included: a million in some minutes."""
    from app.infra import demonstration, demonstration_volume

    with _told():
        with _bar() as show:
            signals = asyncio.run(_with_owner(Settings(), lambda c: demonstration_volume.clear(c, show)))
        gone = asyncio.run(_with_owner(Settings(), demonstration.clear))
    say.print(f"Removed {signals:,} demonstration signals, {gone} demonstration hubs and organisations.")


@signal.command("purge")
def signal_purge(id: Annotated[UUID, typer.Argument(help="Id of the signal.")]) -> None:  # noqa: A002 - what it is called
    """Remove the content of a signal everywhere, its history included; a tombstone stays. Also after it was deleted."""
    from app.infra.purging import purge_signal

    with _told():
        asyncio.run(_with_owner(Settings(), lambda c: purge_signal(c, id)))
    say.print("Purged. Backups and copies outside this database are yours to clear.")


@national.command("verify")
def national_verify() -> None:
    """Check the counts against the signals themselves. Exit code 1 where they differ."""
    from app.infra.rollup import differences

    with _told():
        found = asyncio.run(_with_owner(Settings(), differences))
    for line in found:
        typer.echo(line)
    if found:
        say.print(
            "The counts differ from the signals. `knooppunt national rebuild` makes them anew; please report this."
        )
        raise typer.Exit(1)
    say.print("The counts are what the signals say.")


@national.command("rebuild")
def national_rebuild() -> None:
    """Make the counts anew from the signals."""
    from app.infra.rollup import rebuild

    with _told():
        asyncio.run(_with_owner(Settings(), rebuild))
    say.print("The counts were made anew.")


@app.command()
def worker() -> None:
    """Do the background work: keep the counts, take over changes of other instances. As many as you like; they take turns.

    `knooppunt serve --prepare`, and so `make run`, does this itself.
    """
    from app.api.asking import today
    from app.infra.database import Database
    from app.infra.federation import Federation
    from app.infra.prepare import running_database
    from app.infra.worker import Worker, steps
    from app.logs import configure
    from app.serving import ending_on_sigterm

    async def work(database: Database, source_seconds: float) -> None:
        await database.open()
        federation = Federation(database, source_seconds, today)
        try:
            await Worker(steps(database, federation)).run()
        finally:
            await federation.stop()
            await database.close()

    with _told(), ending_on_sigterm():
        settings = Settings()
        configure(settings.log_level)
        with running_database(settings) as addresses:
            say.print("Working  (Ctrl-C stops it)")
            database = Database(addresses.service, size=12, statement_timeout_seconds=60, role=addresses.role)
            asyncio.run(work(database, settings.source_seconds))


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


@changes.command("compact")
def changes_compact() -> None:
    """Remove what nobody needs: entries replaced by newer ones, deletions older than CHANGE_RETENTION_DAYS."""
    from app.infra.compacting import compact

    with _told():
        settings = Settings()
        done = asyncio.run(_with_owner(settings, lambda c: compact(c, settings.change_retention_days)))
    if done is None:
        say.print("Another process is compacting the log.")
    else:
        say.print(f"Removed {done.superseded:,} replaced entries and {done.outlived:,} old deletions.")


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
