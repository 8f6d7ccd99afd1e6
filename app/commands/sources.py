"""`knooppunt source`: other instances whose changes this one takes over. For who runs the service: it needs the database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer
from rich.markup import escape

from app.commands.telling import say, told

app = typer.Typer(no_args_is_help=True, help="Other instances whose changes are taken over.")

Url = Annotated[str, typer.Argument(help="Address of the other Knooppunt.")]


def _as_owner(act: Callable[[Any], Awaitable[Any]]) -> Any:
    """Runs `act(connection)` as the owner of the schema."""
    from app.infra.prepare import as_owner, running_database
    from app.settings import Settings

    async def run(address: str) -> Any:
        async with as_owner(address) as connection:
            return await act(connection)

    with running_database(Settings()) as addresses:
        return asyncio.run(run(addresses.owner))


@app.command("add")
def add(
    url: Url,
    hub: Annotated[list[str], typer.Option(help="Slug of a hub that is kept there; repeat for more.")],
    token: Annotated[
        str | None, typer.Option(help="Token there, best of role national.", envvar="KNOOPPUNT_SOURCE_TOKEN")
    ] = None,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Also where the hub has signals here: those go that are not there.")
    ] = False,
) -> None:
    """Take over the signals of these hubs from another Knooppunt, from now on. Here they are read only then.

    The worker does it: `knooppunt worker`, or `knooppunt serve --prepare`.
    """
    from app.infra.sources import add_source
    from app.kit.remote import base_address

    with told():
        address = base_address(url)
        _as_owner(lambda c: add_source(c, address, hub, token, take_over=take_over))
    say.print(f"Added {escape(address)}. `knooppunt source status` shows how it gets on.", soft_wrap=True)
    if token is None:
        say.print("Without a token it shows public signals alone.")


@app.command("list")
def list_() -> None:
    """Show the sources, their hubs and whether they are paused."""
    from app.infra.sources import list_sources

    with told():
        states = _as_owner(list_sources)
    for state in states:
        typer.echo(f"{state.url}\t{','.join(state.hubs)}\t{'paused' if state.paused else 'active'}")


@app.command("pause")
def pause(url: Url) -> None:
    """Stop asking this source until it is resumed. What was taken over stays."""
    _pause(url, paused=True)
    say.print("Paused.")


@app.command("resume")
def resume(url: Url) -> None:
    """Ask this source again, at once and from where it was."""
    _pause(url, paused=False)
    say.print("Resumed.")


def _pause(url: str, *, paused: bool) -> None:
    from app.infra.sources import pause_source
    from app.kit.remote import base_address

    with told():
        address = base_address(url)
        _as_owner(lambda c: pause_source(c, address, paused=paused))


@app.command("remove")
def remove(
    url: Url,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the copies: they become this instance's own.")] = False,
) -> None:
    """Forget a source. Its copies are deleted here, unless they are kept."""
    from app.infra.sources import remove_source
    from app.kit.remote import base_address

    with told():
        address = base_address(url)
        gone = _as_owner(lambda c: remove_source(c, address, keep=keep))
    say.print("Removed; its copies are this instance's own now." if keep else f"Removed, with {gone:,} copies.")


@app.command("status")
def status(url: Annotated[str | None, typer.Argument(help="Of this one, with what was refused.")] = None) -> None:
    """Show how the sources stand. Exit code 1 when one of them fails."""
    from app.infra.sources import list_sources, refusals_of
    from app.kit.remote import base_address

    refusals = []
    with told():
        states = _as_owner(list_sources)
        if url is not None:
            address = base_address(url)
            refusals = _as_owner(lambda c: refusals_of(c, address))
            states = [state for state in states if state.url == address]
    for state in states:
        _show(state)
    for refusal in refusals:
        typer.echo(
            f"  refused {refusal.resource} version {refusal.version} ({refusal.external_id or 'no external id'})"
        )
        for fault in refusal.faults:
            typer.echo(f"    {fault['location']}: {fault['code']} {fault['detail']}")
    if any(state.failures for state in states):
        raise typer.Exit(1)


def _show(state: Any) -> None:
    at = "never" if state.level_at is None else f"{state.level_at:%Y-%m-%d %H:%M:%S} UTC"
    doing = "paused" if state.paused else "reading from the beginning" if state.anew else "active"
    typer.echo(f"{state.url}  ({', '.join(state.hubs)}{'' if state.with_token else '; without token'})")
    typer.echo(f"  {doing}, all of it was here: {at}; {state.received:,} changes, {state.refused:,} refused now")
    if state.failures:
        typer.echo(f"  failed {state.failures:,} times in a row, last at {state.error_at:%H:%M:%S} UTC: {state.error}")
