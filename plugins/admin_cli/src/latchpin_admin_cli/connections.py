"""``latchpin connections``: what people have at the servers behind gateways."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from latchpin.errors import InvalidRequest
from latchpin.sdk.commands import OPERATOR, TO_SERVERS, find_gateway, opened, print_json, run, say
from latchpin.sdk.identity import parse_email

if TYPE_CHECKING:
    from latchpin.sdk.gateway import KeptKey

app = typer.Typer(name="connections", help="Enter keys for servers without OAuth.", no_args_is_help=True)

_MOST = 10_000
"""Characters that are read: what is longer is no key."""


@app.callback()
def group() -> None:
    """Enter keys for servers without OAuth."""


@app.command("set-key")
def set_key(
    which: Annotated[str, typer.Argument(help="The gateway's id, its first digits, or its name if only one has it.")],
    email: Annotated[
        str | None, typer.Option(help="Whose key it is; left out where the gateway has one for all.")
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
            owner = None if email is None else parse_email(email)
            return await application.api_keys.keep(gateway, key, OPERATOR, owner)

    kept = run(work())
    if as_json:
        print_json({"gateway_id": kept.gateway.id, "app_user_email": kept.owner, "tools": kept.tools})
        return
    say(kept.message)


def _read_key() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Key", hide_input=True, err=True))
    return sys.stdin.read(_MOST).rstrip("\r\n")
