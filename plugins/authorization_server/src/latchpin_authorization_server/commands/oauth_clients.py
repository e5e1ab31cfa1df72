"""``latchpin oauth-clients``: the MCP clients that are kept here."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from latchpin.sdk.commands import OPERATOR, confirm, opened, print_json, print_table, run, say

from latchpin_authorization_server.commands.opening import open_server

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

    from latchpin_authorization_server.clients.entered import EnteredClient, KeptClients
    from latchpin_authorization_server.clients.records import StoredClient

app = typer.Typer(name="oauth-clients", help="MCP clients: enter, list, show and delete them.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ClientId = Annotated[str, typer.Argument(help="Its client_id.")]


@app.callback()
def group() -> None:
    """MCP clients: enter, list, show and delete them."""


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What people read when they are asked.")],
    *,
    redirect_uri: Annotated[
        list[str] | None, typer.Option("--redirect-uri", help="Where answers may go; repeatable.")
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="Without a secret: it runs where none can be kept.")] = False,
    acts_as: Annotated[
        str | None, typer.Option("--acts-as", help="A service: it gets tokens by itself, as this address.")
    ] = None,
    grant_type: Annotated[
        list[str] | None, typer.Option("--grant-type", help="How it may get tokens, if not by a person; repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Enter a client, and print its client_id and, this once, its secret."""
    entry: dict[str, Any] = {"name": name, "redirect_uris": redirect_uri or [], "acts_as": acts_as}
    if grant_type:
        entry["grant_types"] = grant_type
    if public:
        entry["token_endpoint_auth_method"] = "none"  # noqa: S105  that there is none

    from latchpin_authorization_server.clients.entered import KeptClients  # noqa: PLC0415  the help does without
    from latchpin_authorization_server.clients.entry import parse_entry  # noqa: PLC0415

    async def work() -> EnteredClient:
        async with opened() as application:
            server = await open_server(application)
            server.check_on()
            return await KeptClients(server).enter(parse_entry(entry), OPERATOR)

    entered = run(work())
    if as_json:
        print_json(_describe(entered.stored) | {"client_secret": entered.secret or None})
        return
    sys.stdout.write(f"client_id      {entered.stored.client.id}\n")
    if entered.secret:
        sys.stdout.write(f"client_secret  {entered.secret}\n")
        say("The secret is not shown again: only its hash is kept.")


@app.command("list")
def list_all(
    registered: Annotated[
        bool, typer.Option("--registered", help="Those that registered themselves, instead of those that were entered.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most, the newest first.")] = 100,
    as_json: Json = False,
) -> None:
    """List the clients, the newest first."""

    async def work() -> list[StoredClient]:
        async with opened() as application:
            clients = await _kept_clients(application)
            return await clients.list("registered" if registered else "entered", limit=limit)

    found = run(work())
    if as_json:
        print_json(list(map(_describe, found)))
        return
    if not found:
        say("No client registered itself." if registered else "No client is entered.")
        return
    rows = [
        (each.client.id, each.client.name, each.client.acts_as, each.created_by, _minute(each.created_at))
        for each in found
    ]
    print_table(("client_id", "name", "acts as", "by", "since"), rows, ids={"client_id"})


@app.command()
def show(client_id: ClientId, as_json: Json = False) -> None:
    """Show one client, without its secret."""

    async def work() -> StoredClient:
        async with opened() as application:
            return await (await _kept_clients(application)).get(client_id)

    described = _describe(run(work()))
    if as_json:
        print_json(described)
        return
    rows = [(name, value if isinstance(value, str) else json.dumps(value)) for name, value in described.items()]
    print_table(("key", "value"), rows)


@app.command()
def delete(
    client_id: ClientId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a client with all that people allowed it: its tokens end within a second."""

    async def look() -> StoredClient:
        async with opened() as application:
            return await (await _kept_clients(application)).get(client_id)

    async def work() -> None:
        async with opened() as application:
            await (await _kept_clients(application)).delete(client_id, OPERATOR)

    name = run(look()).client.name
    if not yes:
        confirm(f"Delete {name} with all that people allowed it?")
    run(work())
    say(f"Deleted {name}")


async def _kept_clients(application: Application) -> KeptClients:
    from latchpin_authorization_server.clients.entered import KeptClients  # noqa: PLC0415  the help does without

    return KeptClients(await open_server(application))


def _describe(stored: StoredClient) -> dict[str, Any]:
    from latchpin_authorization_server.clients.entered import describe_client  # noqa: PLC0415  as above

    return describe_client(stored)


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
