"""``latchpin sets``: named sets of gateways, each behind a URL of its own."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from latchpin.sdk.commands import OPERATOR, confirm, find_gateway, opened, print_json, print_table, run, say

from latchpin_aggregator.sets.directory import Sets, describe_set, open_sets
from latchpin_aggregator.sets.entry import parse_set_body
from latchpin_aggregator.sets.gateway_set import GatewaySet

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

app = typer.Typer(name="sets", help="Sets of gateways: list, show, create, change and remove.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Slug = Annotated[str, typer.Argument(help="The set's slug, the last part of its URL.")]
Name = Annotated[str | None, typer.Option(help="What people read.")]
About = Annotated[str | None, typer.Option("--description", help="What it is for.")]
Gateways = Annotated[
    list[str] | None,
    typer.Option("--gateway", help="A gateway in it: its id, its first digits, or its name; repeatable, in order."),
]
Allow = Annotated[list[str] | None, typer.Option(help="Who may use it, as with a gateway; repeatable.")]


@app.callback()
def group() -> None:
    """Sets of gateways: list, show, create, change and remove."""


@app.command("list")
def list_all(as_json: Json = False) -> None:
    """List the sets, by slug."""

    async def work(_application: Application, sets: Sets) -> Sequence[GatewaySet]:
        return await sets.list(OPERATOR)

    shown = _described(work)
    if as_json:
        print_json(shown)
        return
    if not shown:
        say("There is no set yet; make one with: latchpin sets create dev --gateway NAME")
        return
    rows = [(each["slug"], each["name"], str(len(each["gateways"])), each["url"]) for each in shown]
    print_table(("slug", "name", "gateways", "url"), rows)


@app.command()
def show(slug: Slug, as_json: Json = False) -> None:
    """Show one set."""

    async def work(_application: Application, sets: Sets) -> Sequence[GatewaySet]:
        return [await sets.get(slug, OPERATOR)]

    _print(_described(work)[0], as_json=as_json)


@app.command()
def create(  # noqa: PLR0917  typer passes them by name
    slug: Slug,
    name: Name = None,
    description: About = None,
    gateway: Gateways = None,
    allow: Allow = None,
    as_json: Json = False,
) -> None:
    """Create a set, and print its URL for MCP clients."""

    async def work(application: Application, sets: Sets) -> Sequence[GatewaySet]:
        body = await _body(application, name, description, gateway, allow)
        return [await sets.create(parse_set_body(body | {"slug": slug}), OPERATOR)]

    _print(_described(work)[0], as_json=as_json)


@app.command()
def change(  # noqa: PLR0917  as above
    slug: Slug,
    name: Name = None,
    description: About = None,
    gateway: Gateways = None,
    allow: Allow = None,
    everybody: Annotated[bool, typer.Option("--everybody", help="Everyone who is signed in may use it.")] = False,
    as_json: Json = False,
) -> None:
    """Change a set: what is not named stays as it is. Gateways that are named take the place of all that are there."""

    async def work(application: Application, sets: Sets) -> Sequence[GatewaySet]:
        body = await _body(application, name, description, gateway, [] if everybody else allow)
        return [await sets.change(slug, parse_set_body(body), OPERATOR)]

    _print(_described(work)[0], as_json=as_json)


@app.command()
def remove(slug: Slug, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Remove a set. Its gateways stay."""

    async def look(_application: Application, sets: Sets) -> Sequence[GatewaySet]:
        return [await sets.get(slug, OPERATOR)]

    async def work(_application: Application, sets: Sets) -> Sequence[GatewaySet]:
        return [await sets.remove(slug, OPERATOR)]

    found = _described(look)[0]
    if not yes:
        confirm(f"Remove {found['name']} ({found['url']})? MCP clients there stop working.")
    _described(work)
    say(f"Removed {found['name']}")


def _described(
    work: Callable[[Application, Sets], Awaitable[Sequence[GatewaySet]]],
) -> list[dict[str, Any]]:
    """Do something with the sets; what comes of it, as the API shows it."""

    async def whole() -> list[dict[str, Any]]:
        async with opened() as application:
            found = await work(application, await open_sets(application))
            gateways, base_url = await application.gateways.list(OPERATOR), application.services.settings.base_url
            return [describe_set(each, OPERATOR, gateways=gateways, base_url=base_url) for each in found]

    return run(whole())


async def _body(
    application: Application,
    name: str | None,
    description: str | None,
    gateways: Sequence[str] | None,
    allow: Sequence[str] | None,
) -> dict[str, Any]:
    """What was named, as the API's body."""
    ids = None if gateways is None else [(await find_gateway(application, which)).id for which in gateways]
    said = {"name": name, "description": description, "gateways": ids, "allowed_users": allow and list(allow)}
    return {key: value for key, value in said.items() if value is not None}


def _print(shown: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(shown)
        return
    rows = [(key, value if isinstance(value, str) else json.dumps(value)) for key, value in shown.items()]
    print_table(("key", "value"), rows)
