"""``latchpin login-link`` and ``latchpin token``: let people and programs in."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Annotated

import typer

from latchpin.commands.console import opened, run
from latchpin.settings import load
from latchpin.settings.core import CoreSettings

Email = Annotated[str, typer.Option("--email", help="Whose address.")]
Admin = Annotated[bool, typer.Option("--admin", help="As an administrator.")]

app = typer.Typer()
token = typer.Typer(name="token", help="Make bearer tokens for API callers.", no_args_is_help=True)
app.add_typer(token)


@app.command("login-link")
def login_link(email: Email, admin: Admin = False) -> None:
    """Print a link that signs a person in once, within 10 minutes."""
    from latchpin.identity.login import create_link  # noqa: PLC0415  the help does without

    async def work() -> str:
        async with opened() as application:
            return await create_link(application.services, email, admin=admin)

    sys.stdout.write(run(work()) + "\n")


@token.callback()
def group() -> None:
    """Make bearer tokens for API callers."""


@token.command("create")
def create(
    email: Email,
    admin: Admin = False,
    days: Annotated[float, typer.Option(help="Lifetime in days.", min=0.001, max=3650)] = 30,
) -> None:
    """Print a bearer token (a JWT), alone on one line."""
    from latchpin.assembly.clock import utc_now  # noqa: PLC0415  as above
    from latchpin.identity.signed_tokens import build_bearer, check_signs_bearers  # noqa: PLC0415

    settings, lifetime = load(CoreSettings), timedelta(days=days)
    check_signs_bearers(settings, settings.jwt_issuer or settings.base_url)
    if (secret := settings.jwt_secret_key) is not None:  # no store has anything to do with it
        key = secret.get_secret_value().encode()
        made = build_bearer(
            settings, settings.base_url, key, email=email, admin=admin, lifetime=lifetime, now=utc_now()
        )
        sys.stdout.write(made + "\n")
        return

    async def work() -> str:
        async with opened() as application:
            return await application.signed_tokens.create_bearer(email, admin=admin, lifetime=lifetime)

    sys.stdout.write(run(work()) + "\n")
