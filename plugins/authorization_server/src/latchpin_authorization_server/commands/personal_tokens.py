"""``latchpin personal-tokens``: tokens that people give to programs which cannot sign in by themselves."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from latchpin.errors import InvalidRequest
from latchpin.model import Caller
from latchpin.sdk.commands import OPERATOR, find_gateway, opened, print_json, print_table, run, say
from latchpin.sdk.hooks import GROUPS
from latchpin.sdk.identity import parse_email

from latchpin_authorization_server.commands.opening import open_personal_tokens
from latchpin_authorization_server.personal_tokens.token import PersonalToken, describe_token

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

app = typer.Typer(
    name="personal-tokens", help="Personal access tokens, for programs that cannot sign in.", no_args_is_help=True
)


@app.callback()
def group() -> None:
    """Personal access tokens, for programs that cannot sign in."""


@app.command("create")
def create(
    email: Annotated[str, typer.Option("--email", help="Whose address.")],
    name: Annotated[str, typer.Option("--name", help="What it is for.")],
    gateway: Annotated[
        list[str] | None,
        typer.Option("--gateway", help="For this gateway only: its id, its first digits, or its name. Repeatable."),
    ] = None,
    days: Annotated[float | None, typer.Option(help="Lifetime in days; 90 if nothing is said.", min=0.001)] = None,
) -> None:
    """Print a personal access token, alone on one line. It opens MCP endpoints and nothing else."""
    owner = Caller(parse_email(email), via="local")

    async def work() -> str:
        async with opened(GROUPS) as application:
            resources = tuple([await _endpoint_of(application, which, owner) for which in gateway or ()])
            tokens = await open_personal_tokens(application)
            _, text = await tokens.create(owner.email, name=name, resources=resources, days=days, actor=OPERATOR.email)
            return text

    sys.stdout.write(run(work()) + "\n")


@app.command("list")
def list_all(
    user: Annotated[str | None, typer.Option("--user", help="Of this person only: an address.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List personal access tokens, by person and then the newest first. What proves them is not kept."""
    email = None if user is None else parse_email(user)

    async def work() -> list[PersonalToken]:
        async with opened() as application:
            return await (await open_personal_tokens(application)).list(OPERATOR, user=email)

    found = run(work())
    if as_json:
        print_json([describe_token(token) for token in found])
        return
    if not found:
        say("There is no personal access token.")
        return
    rows = [
        (
            *(token.id, token.email, token.name, " ".join(token.resources) or "everything"),
            *(f"{token.expires_at:%Y-%m-%d}", f"{token.used_at:%Y-%m-%d %H:%M}" if token.used_at else "never"),
        )
        for token in found
    ]
    print_table(("id", "person", "name", "may use", "ends", "last used"), rows, ids={"id"})


@app.command("end")
def end(token_id: Annotated[str, typer.Argument(help="Its id, as 'latchpin personal-tokens list' shows it.")]) -> None:
    """End a personal access token, at every worker within a second."""

    async def work() -> PersonalToken:
        async with opened() as application:
            return await (await open_personal_tokens(application)).end(token_id, OPERATOR)

    token = run(work())
    sys.stdout.write(f"Ended: {token.name} of {token.email}\n")


async def _endpoint_of(application: Application, which: str, owner: Caller) -> str:
    """The URL of a gateway's MCP endpoint, which ``owner`` may use."""
    gateway = await find_gateway(application, which)
    for resource in await application.list_resources(await application.with_groups(owner)):
        if resource.gateway is not None and resource.gateway.id == gateway.id:
            return resource.url
    raise InvalidRequest(
        f"{owner.email} may not use the gateway {gateway.name}, or no plugin serves it to MCP clients",
        remedy="Name another gateway or another person.",
    )
