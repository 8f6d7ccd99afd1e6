"""`knooppunt push`, `pull` and `conformance`: for a hub at its own side, over the public API alone."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from app.commands.telling import say, told

if TYPE_CHECKING:
    from app.kit.conformance import Finding
    from app.kit.keeping import Keeper
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
    from app.kit.remote import Remote, be_quiet

    be_quiet()

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


def pull(
    url: Url,
    token: Token = None,
    ndjson: Annotated[Path | None, typer.Option(help="Append each change as a line to this file.")] = None,
    sqlite: Annotated[Path | None, typer.Option(help="Keep the present state in this SQLite database.")] = None,
    types: Annotated[str | None, typer.Option(help="Only these, comma-separated: signal,hub …")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on as things change, until Ctrl-C.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Read everything again from the beginning.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Compare with the digests of the service afterwards.")] = False,
    plain_http: PlainHttp = False,
) -> None:
    """Pull every change that you may see into a file, once. The same command goes on where it was.

    Exit code 0: all of it is there. 3: with --check, something differs. 75: it broke off, do it again. 1: wrong.
    """
    from app.kit.keeping import LineKeeper, Origin, SqliteKeeper
    from app.kit.remote import base_address

    if (ndjson is None) == (sqlite is None):
        raise typer.BadParameter("Give one of --ndjson FILE and --sqlite FILE.")
    if follow and check:
        raise typer.BadParameter("--follow never ends, so there is no moment to --check.")
    with told(patient=True):
        address = base_address(url, plain_http=plain_http)
        origin = Origin(address, types)
        keeper = LineKeeper(ndjson, origin) if ndjson is not None else SqliteKeeper(sqlite or Path(), origin)
        try:
            if restart:
                keeper.start_anew()
            differing = asyncio.run(_pulled(keeper, address, token, types, follow=follow, check=check))
        except KeyboardInterrupt:
            return
        finally:
            keeper.close()
    if differing:
        raise typer.Exit(SOME_REFUSED)


async def _pulled(
    keeper: Keeper, address: str, token: str | None, types: str | None, *, follow: bool, check: bool
) -> bool:
    """True when something differs."""
    from rich.progress import Progress, SpinnerColumn, TextColumn

    from app.kit import pull as pulling
    from app.kit.remote import Remote, be_quiet

    be_quiet()

    def notice(text: str) -> None:
        say.print(escape(text), soft_wrap=True)

    async with Remote(address, token) as remote:
        with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=say, transient=True) as bar:
            task = bar.add_task("changes", total=None)

            def progress(done: int) -> None:
                bar.update(task, description=f"{done:,} changes")

            if follow:
                await pulling.follow(remote, keeper, types, progress, notice)
            count = await pulling.pull(remote, keeper, types, progress, notice)
        say.print(f"{count:,} changes.")
        if not check:
            return False
        found = await pulling.compare(remote, keeper, types, notice)
    for (type_, hub, month), here, there in found:
        say.print(f"[red]differs[/] {type_} of {hub} {month}: {here:,} here, {there:,} there", soft_wrap=True)
    say.print("Read all again with --restart." if found else "The same as there, by digest.")
    return bool(found)


def conformance(
    url: Annotated[str, typer.Argument(help="Address of the endpoint, without /v1.")],
    token: Token = None,
    hub: Annotated[str | None, typer.Option(help="Try pushing too, as this hub: drafts that go again.")] = None,
    theme: Annotated[str, typer.Option(help="Code of a theme to push with.")] = "wachttijden",
    region: Annotated[str, typer.Option(help="Code of a region to push with.")] = "GG2014",
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    plain_http: PlainHttp = False,
) -> None:
    """Try whether an endpoint keeps the rules of syncing: your own, or a Knooppunt. Exit code 1 when one is broken."""
    import json

    from app.kit.remote import base_address

    with told():
        address = base_address(url, plain_http=plain_http)
        findings = asyncio.run(_checked(address, token, hub, theme, region))
    if as_json:
        typer.echo(json.dumps([finding.as_json() for finding in findings], ensure_ascii=False, indent=2))
    else:
        _show_findings(address, findings)
    if any(finding.outcome == "failed" for finding in findings):
        raise typer.Exit(1)


async def _checked(address: str, token: str | None, hub: str | None, theme: str, region: str) -> list[Finding]:
    import httpx

    from app.kit.check_pushing import PUSHING
    from app.kit.check_reading import READING
    from app.kit.conformance import Try, run_checks

    headers = {"accept": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=60) as client:
        with say.status("") as status:
            tried = Try(client, hub if token else None, theme, region)
            return await run_checks(tried, (*READING, *PUSHING), lambda check: status.update(check.rule))


def _show_findings(address: str, findings: Sequence[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table as Drawn

    console = Console()
    table = Drawn("check", "rule", "outcome", title=f"Conformance of {address}", title_justify="left")
    colours = {"passed": "green", "failed": "red", "not tried": "yellow"}
    for finding in findings:
        detail = f"\n{escape(finding.detail)}\n{finding.check.link}" if finding.detail else ""
        colour = colours[finding.outcome]
        table.add_row(finding.check.name, finding.check.rule + detail, f"[{colour}]{finding.outcome}[/]")
    console.print(table)
    count = {name: sum(f.outcome == name for f in findings) for name in colours}
    console.print(", ".join(f"{number} {name}" for name, number in count.items()))
