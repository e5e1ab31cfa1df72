"""What Latchpin finds: what sends mail, its commands and checks, and the page where people say that they want none."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import latchpin
from latchpin.contracts import BackgroundTask, Check, Command, Every, NavigationEntry

if TYPE_CHECKING:
    from latchpin.contracts import CheckContext, Finding
    from latchpin.sdk.gateway import Application

    from latchpin_mail.settings import MailSettings

__all__ = [
    "latchpin_background_tasks",
    "latchpin_checks",
    "latchpin_commands",
    "latchpin_navigation",
    "latchpin_routes",
]

INTERVAL_SECONDS = 10.0


@asynccontextmanager
async def _open(
    settings: MailSettings, _context: latchpin.Context
) -> AsyncIterator[BackgroundTask[Application] | None]:
    from latchpin_mail.turns import Turns  # noqa: PLC0415  loaded when opened

    if not settings.mail_smtp_host:
        yield None
        return

    async def turn(application: Application) -> None:
        await Turns(application, settings).take()

    yield Every(INTERVAL_SECONDS, turn)


@latchpin.hookimpl
def latchpin_background_tasks() -> Sequence[latchpin.Backend[MailSettings, BackgroundTask[Application] | None]]:
    """Send mail."""
    from latchpin_mail.settings import MailSettings  # noqa: PLC0415  loaded when asked for

    return [latchpin.Backend("mail", "telling people by mail", MailSettings, _open)]


@latchpin.hookimpl
def latchpin_routes() -> Sequence[str]:
    """Offer the pages."""
    return ["latchpin_mail.pages:router", "latchpin_mail.pages:undelivered"]


@latchpin.hookimpl
def latchpin_navigation() -> Sequence[NavigationEntry]:
    """Link to them."""
    about = "Whether you are told by mail when a connection needs you."
    given_up = "Mail that was given up, and why. Have it tried again."
    return [
        NavigationEntry("Mail to me", "/admin/mail", about, group="connections", rank=27),
        NavigationEntry("Undelivered mail", "/admin/undelivered/mail", given_up, admin_only=True, rank=62),
    ]


@latchpin.hookimpl
def latchpin_checks() -> Sequence[Check]:
    """Say whether the mail server takes mail."""
    return [Check("mail", "Telling people", "the mail server", _check)]


async def _check(context: CheckContext) -> Sequence[Finding]:
    from latchpin_mail.checks import check_mail  # noqa: PLC0415  loads the gateway

    return await check_mail(context)


@latchpin.hookimpl
def latchpin_commands() -> Sequence[Command]:
    """Add ``latchpin mail``."""
    return [Command("mail", "Try the mail server, and list what could not be sent.", "latchpin_mail.command:app")]
