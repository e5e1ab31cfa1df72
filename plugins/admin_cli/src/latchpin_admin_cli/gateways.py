"""``latchpin gateways``: add, change, list, show and remove gateways from the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from latchpin.errors import NotFound, SettingsError
from latchpin.model import Gateway
from latchpin.sdk.assembly import Plugins
from latchpin.sdk.commands import (
    OPERATOR,
    TO_SERVERS,
    confirm,
    find_gateway,
    opened,
    out,
    print_json,
    print_table,
    run,
    say,
)
from latchpin.sdk.hooks import GRANTS, NAVIGATION
from rich.markup import escape

from latchpin_admin_cli.inspection import print_inspection

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application, Removed

app = typer.Typer(name="gateways", help="Add, change, list, show and remove gateways.", no_args_is_help=True)

STUCK = 3
"""The exit code where a gateway was added that nobody can authorize yet; 1 is a failure, 2 a command that is none."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
KeyHeader = Annotated[
    str | None,
    typer.Option("--api-key-header", help="With api_key: the field that keys go in; by default Authorization."),
]
KeyPrefix = Annotated[
    str | None,
    typer.Option("--api-key-prefix", help="What stands before the key there; by default 'Bearer ' in Authorization."),
]
Whose = Annotated[
    str | None,
    typer.Option(
        "--connection", help="own: each person's account; shared: one for all that an administrator connects."
    ),
]
Which = Annotated[str, typer.Argument(help="The gateway's id, its first digits, or its name if only one has it.")]


@app.callback()
def group() -> None:
    """Add, change, list, show and remove gateways."""


@app.command()
def add(  # noqa: PLR0917  typer passes them by name
    url: Annotated[str, typer.Argument(help="The MCP server's URL.")],
    name: Annotated[str | None, typer.Option(help="A name; by default the URL's host and path.")] = None,
    auth: Annotated[str, typer.Option(help="oauth, none, or what a plugin offers, such as api_key.")] = "oauth",
    allow: Annotated[
        list[str] | None, typer.Option(help="Who may use it: address, *@domain or group:name; repeatable.")
    ] = None,
    config: Annotated[str, typer.Option(help='oauth_config as JSON, e.g. \'{"issuer": "..."}\'.')] = "{}",
    api_key_header: KeyHeader = None,
    api_key_prefix: KeyPrefix = None,
    connection: Whose = None,
    no_discover: Annotated[bool, typer.Option("--no-discover", help="Do not ask the servers now.")] = False,
    as_json: Json = False,
) -> None:
    """Add a gateway; its URL is enough, the rest is found out: now to be shown, and at the first authorization.

    Exits with 3 if it was added and discovery cannot go on: it is kept, and nobody can authorize it yet.
    """
    from latchpin.sdk.gateway import parse_gateway_body, wants_key  # noqa: PLC0415  the help does without the gateway

    document: dict[str, Any] = {"url": url, "auth_type": auth}
    if name is not None:
        document["name"] = name
    if allow:
        document["allowed_users"] = allow
    if auth == "oauth":
        document["oauth_config"] = _parse_config(config)
    document |= _key_place(api_key_header, api_key_prefix)
    if connection is not None:
        document["connection"] = connection

    async def work() -> tuple[Gateway, dict[str, Any] | None, str]:
        async with opened(*TO_SERVERS) as application:
            gateway = await application.gateways.create(parse_gateway_body(document), OPERATOR)
            wanted = gateway.oauth is not None and not no_discover
            found = await _discover(application, gateway) if wanted else None
            return gateway, found, application.services.settings.authorize_url(gateway.id)

    gateway, found, authorize_url = run(work())
    stuck = found is not None and bool(found["why"])
    if as_json:
        print_json(_describe(gateway) | ({"discovery": found} if found is not None else {}))
        _end_if(stuck, gateway)
        return
    out.print(f"Added [bold]{escape(gateway.name)}[/bold] as {gateway.id}", highlight=False, soft_wrap=True)
    if found is not None:
        print_inspection(found)
    _end_if(stuck, gateway)
    if gateway.oauth is not None and gateway.oauth.grant_type == "authorization_code":
        say(f"Authorize it in a browser: {authorize_url}")
    elif wants_key(gateway):
        say(f"Enter a key in a browser: {authorize_url}")
        say(f"Or here: latchpin connections set-key {gateway.id} --email you@example.com")


def _key_place(header: str | None, prefix: str | None) -> dict[str, Any]:
    """The part of the document that says where a key goes; none where nothing was said of it."""
    given = {name: value for name, value in (("header", header), ("prefix", prefix)) if value is not None}
    return {"api_key": given} if given else {}


@app.command()
def edit(  # noqa: PLR0917  typer passes them by name
    which: Which,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    url: Annotated[str | None, typer.Option(help="Another URL; every token and key is dropped.")] = None,
    auth: Annotated[str | None, typer.Option(help="oauth, none, or what a plugin offers, such as api_key.")] = None,
    allow: Annotated[list[str] | None, typer.Option(help="Who may use it, instead; repeatable.")] = None,
    config: Annotated[str | None, typer.Option(help="What changes of oauth_config, as JSON.")] = None,
    api_key_header: KeyHeader = None,
    api_key_prefix: KeyPrefix = None,
    connection: Whose = None,
    as_json: Json = False,
) -> None:
    """Change a gateway: what is not named stays. A change of where tokens or keys go drops those that are kept."""
    given = {"name": name, "url": url, "auth_type": auth, "allowed_users": allow or None, "connection": connection}
    document: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if config is not None:
        document["oauth_config"] = _parse_config(config)
    document |= _key_place(api_key_header, api_key_prefix)

    from latchpin.sdk.gateway import parse_gateway_body  # noqa: PLC0415  as above

    async def work() -> Gateway:
        async with opened(GRANTS) as application:
            gateway = await find_gateway(application, which)
            return await application.gateways.change(gateway.id, parse_gateway_body(document), OPERATOR)

    gateway = run(work())
    if as_json:
        print_json(_describe(gateway))
        return
    say(f"Changed {gateway.name}, which is at revision {gateway.revision} now")


def _end_if(stuck: bool, gateway: Gateway) -> None:
    if stuck:
        say(
            f"The gateway {gateway.id} is kept, but nobody can authorize it yet. When that is mended look again with: "
            f"latchpin gateways show {gateway.id}; or take it back with: latchpin gateways remove {gateway.id}"
        )
        raise typer.Exit(STUCK)


@app.command("list")
def list_all(as_json: Json = False) -> None:
    """List the gateways, oldest first."""

    async def work() -> list[Gateway]:
        async with opened() as application:
            return await application.gateways.list(OPERATOR)

    gateways = run(work())
    if as_json:
        print_json(list(map(_describe, gateways)))
        return
    if not gateways:
        say("There is no gateway yet; add one with: latchpin gateways add https://mcp.example.com/mcp")
        return
    rows = [
        (each.id, each.name, each.url, each.auth_type, each.connection, each.pinned_issuer or "") for each in gateways
    ]
    print_table(("id", "name", "url", "auth", "account", "issuer"), rows, ids={"id"})


@app.command()
def show(which: Which, as_json: Json = False) -> None:
    """Show one gateway: what is entered, and what discovery finds now, step by step."""

    async def work() -> dict[str, Any]:
        async with opened(*TO_SERVERS) as application:
            gateway = await find_gateway(application, which)
            shown = _describe(gateway)
            shown["redirect_uri"] = (
                gateway.oauth and gateway.oauth.redirect_uri
            ) or application.services.settings.redirect_uri
            if url := _mcp_endpoint(application, gateway):
                shown["mcp_endpoint"] = url
            if gateway.oauth is not None:
                shown["discovery"] = await _discover(application, gateway)
            return shown

    shown = run(work())
    if as_json:
        print_json(shown)
        return
    found = shown.pop("discovery", None)
    rows = [
        (key, json.dumps(value, indent=2) if isinstance(value, dict | list) else str(value))
        for key, value in shown.items()
    ]
    print_table(("key", "value"), rows)
    if found is not None:
        print_inspection(found)


def _describe(gateway: Gateway) -> dict[str, Any]:
    from latchpin.sdk.gateway import describe_gateway  # noqa: PLC0415  as above

    return describe_gateway(gateway)


async def _discover(application: Application, gateway: Gateway) -> dict[str, Any]:
    from latchpin_inspection.discovering import discover  # noqa: PLC0415  as above

    return (await discover(application, gateway)).describe()


def _mcp_endpoint(application: Application, gateway: Gateway) -> str | None:
    from latchpin.sdk.gateway import mcp_endpoint  # noqa: PLC0415  as above

    entries = Plugins().values(NAVIGATION)
    return mcp_endpoint(entries, application.services.settings.base_url, gateway.id)


@app.command("confirm-issuer")
def confirm_issuer(
    which: Which, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False, as_json: Json = False
) -> None:
    """Trust the issuer that a gateway's server names now, in place of the pinned one; users authorize anew."""

    async def look() -> tuple[Gateway, str | None]:
        async with opened(*TO_SERVERS) as application:
            gateway = await find_gateway(application, which)
            return gateway, await application.servers.named_issuer(gateway)

    async def work(gateway: Gateway, issuer: str) -> Gateway:
        async with opened(*TO_SERVERS) as application:
            return await application.confirm_issuer(gateway.id, issuer, OPERATOR)

    gateway, named = run(look())
    if named is None:
        raise NotFound(
            f"{gateway.url} names no issuer",
            remedy=f"See what discovery finds there: latchpin gateways show {gateway.id}",
        )
    if not yes:
        confirm(
            f"{gateway.name} trusts {gateway.pinned_issuer}, and its server names {named}. From now on tokens from "
            f"{named} will be sent to {gateway.url}, and every user authorizes anew. Confirm?",
        )
    gateway = run(work(gateway, named))
    if as_json:
        print_json(_describe(gateway))
        return
    say(f"Gateway {gateway.name} trusts the issuer {gateway.pinned_issuer} from now on")


@app.command()
def remove(
    which: Which, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False, as_json: Json = False
) -> None:
    """Remove a gateway with every user's token, its tools and its registered clients.

    Its servers are asked to revoke the tokens and to forget the clients.
    """

    async def look() -> Gateway:
        async with opened() as application:
            return await find_gateway(application, which)

    async def work(gateway: Gateway) -> Removed:
        async with opened(*TO_SERVERS) as application:
            return await application.removal.remove(gateway.id, OPERATOR)

    gateway = run(look())
    if not yes:
        confirm(f"Remove {gateway.name} ({gateway.url}) with every user's token?")
    removed = run(work(gateway))
    if as_json:
        print_json(removed.describe())
        return
    say(f"Removed {gateway.name}")
    for sentence in removed.sentences():
        say(sentence)


def _parse_config(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as exc:
        raise SettingsError(
            f"--config is not JSON: {exc}", remedy='Pass an object such as \'{"issuer": "..."}\'.'
        ) from exc
    if not isinstance(document, dict):
        raise SettingsError("--config must be a JSON object", remedy='Pass an object such as \'{"issuer": "..."}\'.')
    return document
