"""``latchpin applications``: what may use MCP servers as whom, and its end."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated

import typer
from latchpin.errors import SettingsError
from latchpin.sdk.commands import OPERATOR, opened, print_json, print_table, run, say
from latchpin.sdk.identity import parse_email

from latchpin_authorization_server.commands.opening import open_server
from latchpin_authorization_server.grants.grant import Grant
from latchpin_authorization_server.people.applications import Applications, describe_grant

app = typer.Typer(
    name="applications", help="What may use MCP servers as whom: list it, and end it.", no_args_is_help=True
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Client = Annotated[str | None, typer.Option("--client", help="Of this client_id only.")]


@app.callback()
def group() -> None:
    """What may use MCP servers as whom: list it, and end it."""


@app.command("list")
def list_all(
    user: Annotated[str | None, typer.Option("--user", help="As this person only: an address.")] = None,
    client: Client = None,
    as_json: Json = False,
) -> None:
    """List what applications may do, by person and then the newest first."""
    email = None if user is None else parse_email(user)

    async def work() -> list[Grant]:
        async with opened() as application:
            applications = Applications(await open_server(application))
            return await applications.list(OPERATOR, user=email, client_id=client)

    found = run(work())
    if as_json:
        print_json([describe_grant(grant) for grant in found])
        return
    if not found:
        say("No application has access." if user is None and client is None else "Nothing matches.")
        return
    rows = [
        (grant.id, grant.email, grant.client_name, grant.resource, _minute(grant.created_at), _minute(grant.used_at))
        for grant in found
    ]
    print_table(("id", "person", "application", "may use", "allowed", "last used"), rows, ids={"id"})


@app.command("end")
def end(
    grant_id: Annotated[str | None, typer.Argument(help="One thing that an application may do, by its id.")] = None,
    client: Annotated[str | None, typer.Option("--client", help="All that this client_id may do.")] = None,
    user: Annotated[str | None, typer.Option("--user", help="As this person: an address.")] = None,
) -> None:
    """End what an application may do: one thing by its id, or all of one --client as one --user."""
    if (grant_id is None) == (client is None) or (client is None) != (user is None):
        raise SettingsError(
            "what is to end was not said", remedy="Give an id of 'latchpin applications list', or --client and --user."
        )

    async def work() -> list[Grant]:
        async with opened() as application:
            applications = Applications(await open_server(application))
            if grant_id is not None:
                return [await applications.end(grant_id, OPERATOR)]
            return await applications.end_client(client or "", parse_email(user), OPERATOR)

    for grant in run(work()):
        sys.stdout.write(f"Ended: {grant.client_name} as {grant.email} at {grant.resource}\n")


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
