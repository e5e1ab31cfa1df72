"""The page of what receivers of webhooks did not take."""

from __future__ import annotations

from functools import partial

from latchpin.sdk.gateway import Application
from latchpin.sdk.settings import load
from latchpin_attention.undelivered import OutboxPage, OutboxShown, make_router

from latchpin_webhook.endpoints import open_endpoints
from latchpin_webhook.settings import WebhookSettings
from latchpin_webhook.turns import open_outbox, retry_dead

__all__ = ["undelivered"]


async def _open(application: Application) -> OutboxShown:
    settings, context = load(WebhookSettings), application.services.context
    endpoints = await open_endpoints(settings, context)
    return OutboxShown(
        open_outbox(context),
        "WEBHOOK_URLS",
        bool(settings.webhook_urls),
        lambda entry: endpoints.show(str(entry.body.get("endpoint", ""))),
        partial(retry_dead, context, endpoints),
    )


undelivered = make_router(
    OutboxPage(
        path="/admin/undelivered/webhooks",
        title="Undelivered webhooks",
        one="message",
        many="messages",
        command="latchpin webhook list --dead",
        open=_open,
    )
)
