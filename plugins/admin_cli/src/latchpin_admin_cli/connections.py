"""``latchpin connections``: what people have at the servers behind gateways."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from latchpin.errors import InvalidRequest
from latchpin.model import CLIENT_ITSELF
from latchpin.sdk.commands import OPERATOR, TO_SERVERS, find_gateway, opened, print_json, print_table, run, say
from latchpin.sdk.gateway import parse_label
from latchpin.sdk.identity import parse_email

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Connection, KeptKey

app = typer.Typer(name="connections", help="List who is connected, and enter keys.", no_args_is_help=True)

_MOST = 10_000
"""Characters that are read: what is longer is no key."""


@app.callback()
def group() -> None:
    """List who is connected, and enter keys."""


@app.command("list")
def list_all(
    email: Annotated[str | None, typer.Option(help="Whose; left out: everybody's.")] = None,
    which: Annotated[str | None, typer.Option("--gateway", help="At which gateway; left out: at all.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List connections: whose account is used where, and how well it works."""

    async def work() -> list[Connection]:
        async with opened() as application:
            gateway = None if which is None else await find_gateway(application, which)
            user = None if email is None else parse_email(email)
            at = None if gateway is None else gateway.id
            return await application.connections.list(OPERATOR, user=user, gateway_id=at)

    found = run(work())
    if as_json:
        print_json([each.describe() for each in found])
        return
    if not found:
        say("Nobody is connected.")
        return
    rows = [(each.gateway.name, _whose(each), each.label, each.health.status, _use(each)) for each in found]
    print_table(("gateway", "whose", "account", "status", "use"), rows)


def _whose(connection: Connection) -> str:
    if connection.owner == CLIENT_ITSELF:
        return "the gateway itself"
    if not connection.shared:
        return connection.owner
    return f"shared, connected by {connection.connected_by}" if connection.connected_by else "shared"


def _use(connection: Connection) -> str:
    if not connection.serves:
        return "rests"
    return "default" if connection.is_default else "by its label"


@app.command("set-key")
def set_key(
    which: Annotated[str, typer.Argument(help="The gateway's id, its first digits, or its name if only one has it.")],
    email: Annotated[
        str | None, typer.Option(help="Whose key it is; left out where the gateway has one for all.")
    ] = None,
    account: Annotated[
        str | None, typer.Option(help="The label of one more account of theirs, 1 to 40 characters.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Enter an API key, which is read from standard input: tried at the server, and kept if it works.

    It is no argument, since every user of the machine can see those.
    """
    key = _read_key()

    async def work() -> KeptKey:
        async with opened(*TO_SERVERS) as application:
            gateway = await find_gateway(application, which)
            if email is None and gateway.connection == "own":
                raise InvalidRequest("it is not said whose key this is", remedy="Say it with --email.")
            owner, label = (
                None if email is None else parse_email(email),
                "" if account is None else parse_label(account),
            )
            return await application.api_keys.keep(gateway, key, OPERATOR, owner, account=label)

    kept = run(work())
    if as_json:
        print_json(
            {
                "gateway_id": kept.gateway.id,
                "app_user_email": kept.owner,
                "account": kept.account,
                "tools": kept.tools,
            }
        )
        return
    say(kept.message)


def _read_key() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Key", hide_input=True, err=True))
    return sys.stdin.read(_MOST).rstrip("\r\n")
