"""``latchpin clients``: what to enter in which MCP client."""

from __future__ import annotations

from typing import Annotated

import typer
from latchpin.contracts import ProtectedResource
from latchpin.errors import InvalidRequest, NotFound
from latchpin.sdk.commands import OPERATOR, find_gateway, opened, out, print_json, print_table, run, say

from latchpin_connect.programs import PROGRAMS, Program, find_program, short_name

__all__ = ["app"]

app = typer.Typer(name="clients", help="What to enter in which MCP client.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def group() -> None:
    """What to enter in which MCP client."""


@app.command("list")
def list_programs(*, as_json: Json = False) -> None:
    """List the clients whose settings this command knows."""
    if as_json:
        print_json([{"client": each.key, "name": each.name, "documentation": each.documentation} for each in PROGRAMS])
        return
    print_table(["CLIENT", "NAME", "DOCUMENTATION"], [[each.key, each.name, each.documentation] for each in PROGRAMS])


@app.command("config")
def show_config(
    client: Annotated[str, typer.Argument(help="Which client: see latchpin clients list.")],
    gateway: Annotated[
        str, typer.Option("--gateway", help="Which gateway: its id, its first digits, or its name.")
    ] = "",
    endpoint: Annotated[
        str, typer.Option("--endpoint", help="Which endpoint instead: its URL or its path, as in /mcp/dev.")
    ] = "",
    *,
    as_json: Json = False,
) -> None:
    """Print what to enter in one client, to be copied."""
    program = find_program(client)
    if program is None:
        known = ", ".join(each.key for each in PROGRAMS)
        raise InvalidRequest(f"no client is called {client!r}", remedy=f"Use one of {known}.")
    found, signs_in = run(_find_endpoint(gateway, endpoint))
    snippets = program.build(short_name(found.name), found.url)
    if as_json:
        print_json([{"kind": each.kind, "label": each.label, "text": each.text} for each in snippets])
        return
    for snippet in snippets:
        say(f"{snippet.label}:")
        out.print(snippet.text, markup=False, highlight=False, soft_wrap=True)
    _tell_next(program, signs_in=signs_in)


async def _find_endpoint(gateway: str, endpoint: str) -> tuple[ProtectedResource, bool]:
    """The endpoint that is meant, and whether clients are signed in here."""
    from latchpin_connect.endpoints import (  # noqa: PLC0415  all of the gateway
        choose_endpoint,
        signs_clients_in,
    )

    async with opened() as application:
        endpoints = await application.list_resources(OPERATOR)
        if not endpoints:
            raise NotFound("there is no MCP endpoint", remedy="Add a gateway: latchpin gateways add, or in the pages.")
        if gateway and endpoint:
            raise InvalidRequest("--gateway and --endpoint name two endpoints", remedy="Use one of them.")
        if not (gateway or endpoint) and len(endpoints) > 1 and not any(each.aggregate for each in endpoints):
            names = ", ".join(each.name for each in endpoints[:10])
            raise InvalidRequest(f"there are several gateways: {names}", remedy="Name one with --gateway.")
        gateway_id = (await find_gateway(application, gateway)).id if gateway else ""
        url = application.services.settings.base_url + endpoint if endpoint.startswith("/") else endpoint
        found = choose_endpoint(endpoints, gateway_id, url)
        if found is None:
            what = "there is no such MCP endpoint" if endpoint else "that gateway has no MCP endpoint"
            raise NotFound(what, remedy="The page /connect lists them all.")
        return found, signs_clients_in(application)


def _tell_next(program: Program, *, signs_in: bool) -> None:
    if signs_in:
        say(f"Then: {program.signs_in} ({program.documentation})")
        return
    say(f"This gateway does not sign clients in: enter a token too, as {program.documentation} says.")
    say("Print one with: latchpin token create --email you@example.com")
