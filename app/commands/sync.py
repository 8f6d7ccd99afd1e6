"""`knooppunt push`, `pull` and `conformance`: for a hub at its own side, over the public API alone."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from app.commands.telling import say, told

if TYPE_CHECKING:
    from app.kit.push import Errand, Mode
    from app.kit.rows import Table

SOME_REFUSED = 3
"""Exit code: all was sent, some of it was refused."""

Url = Annotated[str, typer.Option("--url", help="Address of the Knooppunt.", envvar="KNOOPPUNT_URL")]
Token = Annotated[
    str | None, typer.Option(help="Better given by the environment than typed.", envvar="KNOOPPUNT_TOKEN")
]
PlainHttp = Annotated[
    bool, typer.Option("--plain-http", help="Accept an http address of another machine: a token can be read there.")
]


def push(
    file: Annotated[Path, typer.Argument(help="CSV or NDJSON, one signal in a row.")],
    hub: Annotated[str, typer.Option(help="Slug of your hub.")],
    url: Url,
    token: Token = None,
    map: Annotated[  # noqa: A002 - what it is called
        list[str] | None, typer.Option(help="column=field, for a column that is not recognised; column= leaves it out.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing; show what would be sent and what is wrong.")
    ] = False,
    mode: Annotated[str, typer.Option(help="partial, or atomic: all or nothing, up to 1,000 rows.")] = "partial",
    state: Annotated[Path | None, typer.Option(help="Where to remember how far it came.")] = None,
    report: Annotated[Path | None, typer.Option(help="Where the refused rows go, as CSV.")] = None,
    plain_http: PlainHttp = False,
) -> None:
    """Push a file of signals to a Knooppunt by your own ids. The same command goes on where it broke off.

    Exit code 0: all of it is there. 3: some rows were refused, see the report. 75: it broke off, do it again. 1: wrong.
    """
    from app.kit.columns import given_map
    from app.kit.push import Errand
    from app.kit.remote import base_address
    from app.kit.rows import read

    if mode not in ("partial", "atomic"):
        raise typer.BadParameter("partial or atomic", param_hint="--mode")
    with told(patient=True):
        address = base_address(url, plain_http=plain_http)
        table = read(file, given_map(map or []))
        _show_columns(file, table)
        kept: Mode = "atomic" if mode == "atomic" else "partial"
        state = state or file.with_name(f"{file.name}.push-state.json")
        report = report or file.with_name(f"{file.name}.refused.csv")
        if dry_run:
            raise typer.Exit(SOME_REFUSED if _show_dry_run(table) else 0)
        counts = asyncio.run(_pushed(Errand(hub, kept, state, report), table, address, token))
    shown = ", ".join(f"{counts.get(name, 0):,} {name}" for name in ("created", "updated", "unchanged", "deleted"))
    say.print(f"{shown}, {counts.get('refused', 0):,} refused.")
    if counts.get("refused"):
        say.print(f"What was refused, and why: {escape(str(report))}", soft_wrap=True)
        raise typer.Exit(SOME_REFUSED)


async def _pushed(errand: Errand, table: Table, address: str, token: str | None) -> Mapping[str, int]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from app.kit.push import push as send
    from app.kit.remote import Remote

    columns = (TextColumn("rows"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=say, transient=True) as bar:
        task = bar.add_task("rows", total=len(table.rows))
        async with Remote(address, token) as remote:
            return await send(remote, errand, table.rows, lambda done: bar.update(task, completed=done))


def _show_columns(file: Path, table: Table) -> None:
    say.print(
        f"{escape(file.name)}: {table.form}, {table.encoding}, {len(table.rows):,} rows", soft_wrap=True, style="bold"
    )
    for column, name in table.columns.fields.items():
        say.print(f"  {escape(column)} → {name}", soft_wrap=True)
    if table.columns.left:
        say.print(f"  not sent: {escape(', '.join(table.columns.left))}", soft_wrap=True)


def _show_dry_run(table: Table) -> int:
    """Says what would be sent; the number of rows that would not."""
    import json

    from app.kit.push import MOST_ITEMS

    wrong = [row for row in table.rows if row.faults]
    sound = [row for row in table.rows if not row.faults]
    for row in wrong[:20]:
        for fault in row.faults:
            say.print(
                f"  row {row.number} {fault.location}: [red]{fault.code}[/] {escape(fault.detail)}", soft_wrap=True
            )
    if len(wrong) > 20:
        say.print(f"  … and {len(wrong) - 20:,} more rows")
    gone = sum(bool(row.item.get("delete")) for row in sound)
    batches = -(-len(sound) // MOST_ITEMS)
    say.print(f"Would send {len(sound) - gone:,} signals and {gone:,} deletions, in about {batches} batches.")
    say.print(f"{len(wrong):,} rows would not be sent. Codes of themes and regions are known to the service alone.")
    if sound:
        typer.echo(json.dumps(sound[0].item, ensure_ascii=False))
    return len(wrong)
