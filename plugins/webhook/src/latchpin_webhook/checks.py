"""What ``latchpin doctor`` says of webhooks."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from latchpin.contracts import CheckContext, Finding, Severity, Upstream
from latchpin.errors import LatchpinError
from latchpin.model import Span
from latchpin.sdk.urls import origin_of

from latchpin_webhook.settings import WebhookSettings
from latchpin_webhook.turns import OUTBOX

__all__ = ["check_webhooks"]


async def check_webhooks(context: CheckContext) -> Sequence[Finding]:
    """Whether the receivers can be reached, and whether any message was given up; nothing where none is configured.

    Nothing is sent to them: a receiver's origin is asked with GET, and whatever it answers is an answer.
    """
    settings = context.load(WebhookSettings)
    if not settings.webhook_urls:
        return []
    findings: list[Finding] = []
    if context.records is not None:
        outbox = context.records.collection(OUTBOX)
        dead = await outbox.count("state", Span.only("dead"))
        if dead:
            title = f"{dead} webhook message{' was' if dead == 1 else 's were'} given up within the last 60 days"
            remedy = "Mend the receiver, then have them tried again."
            findings.append(Finding(Severity.WARNING, title, "", remedy, "latchpin webhook list --dead"))
    if context.offline or context.upstream is None or settings.webhook_allow_private_networks:
        reason = "asked not to ask other servers" if context.offline else "'latchpin webhook test' reaches them"
        return [*findings, Finding(Severity.SKIPPED, "The receivers of webhooks were not asked", reason)]
    return [*findings, *[await _look(context.upstream, url) for url in settings.urls]]


async def _look(upstream: Upstream, url: str) -> Finding:
    origin = origin_of(url)
    try:
        await upstream.send("GET", f"{origin}/", repeatable=True)
    except LatchpinError as exc:
        title = f"{urlsplit(origin).netloc} takes no webhooks"
        return Finding.of(exc, title, command="latchpin webhook test")
    return Finding(Severity.OK, f"{urlsplit(origin).netloc} can be reached for webhooks")
