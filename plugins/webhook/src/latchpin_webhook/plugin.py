"""What Latchpin finds: what tells webhooks, its commands and checks, and the page of what was given up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import latchpin
from latchpin.contracts import BackgroundTask, Check, Command, Every, NavigationEntry

if TYPE_CHECKING:
    from latchpin.contracts import CheckContext, Finding
    from latchpin.sdk.gateway import Application

    from latchpin_webhook.settings import WebhookSettings

__all__ = [
    "latchpin_background_tasks",
    "latchpin_checks",
    "latchpin_commands",
    "latchpin_navigation",
    "latchpin_routes",
]

INTERVAL_SECONDS = 5.0


@asynccontextmanager
async def _open(
    settings: WebhookSettings, context: latchpin.Context
) -> AsyncIterator[BackgroundTask[Application] | None]:
    from latchpin_webhook.endpoints import open_endpoints  # noqa: PLC0415  loaded when opened
    from latchpin_webhook.turns import Turns  # noqa: PLC0415  as above

    if not settings.webhook_urls:
        yield None
        return
    endpoints = await open_endpoints(settings, context)
    turns: list[Turns] = []

    async def turn(application: Application) -> None:
        if not turns:
            turns.append(Turns(application, endpoints))
        await turns[0].take()

    yield Every(INTERVAL_SECONDS, turn)


@latchpin.hookimpl
def latchpin_background_tasks() -> Sequence[latchpin.Backend[WebhookSettings, BackgroundTask[Application] | None]]:
    """Tell webhooks."""
    from latchpin_webhook.settings import WebhookSettings  # noqa: PLC0415  loaded when asked for

    return [latchpin.Backend("webhook", "telling webhooks", WebhookSettings, _open)]


@latchpin.hookimpl
def latchpin_routes() -> Sequence[str]:
    """Offer the page."""
    return ["latchpin_webhook.pages:undelivered"]


@latchpin.hookimpl
def latchpin_navigation() -> Sequence[NavigationEntry]:
    """Link to it."""
    about = "Messages that were given up, and why. Have them tried again."
    return [NavigationEntry("Undelivered webhooks", "/admin/undelivered/webhooks", about, admin_only=True, rank=63)]


@latchpin.hookimpl
def latchpin_checks() -> Sequence[Check]:
    """Say whether receivers take what they are told."""
    return [Check("webhook", "Telling people", "the receivers of webhooks", _check)]


async def _check(context: CheckContext) -> Sequence[Finding]:
    from latchpin_webhook.checks import check_webhooks  # noqa: PLC0415  loads the gateway

    return await check_webhooks(context)


@latchpin.hookimpl
def latchpin_commands() -> Sequence[Command]:
    """Add ``latchpin webhook``."""
    return [Command("webhook", "Try webhooks, and list what could not be told.", "latchpin_webhook.command:app")]
