"""What ``latchpin doctor`` says of mail."""

from __future__ import annotations

from collections.abc import Sequence

from latchpin.contracts import CheckContext, Finding, Severity
from latchpin.model import Span
from latchpin_attention.outbox import Undelivered

from latchpin_mail import smtp
from latchpin_mail.settings import MailSettings
from latchpin_mail.turns import OUTBOX

__all__ = ["check_mail"]


async def check_mail(context: CheckContext) -> Sequence[Finding]:
    """Whether the mail server takes us, and whether any mail was given up; nothing where none is configured."""
    settings = context.load(MailSettings)
    if not settings.mail_smtp_host:
        return []
    findings: list[Finding] = []
    if context.records is not None:
        dead = await context.records.collection(OUTBOX).count("state", Span.only("dead"))
        if dead:
            title = f"{dead} mail{' was' if dead == 1 else 's were'} given up within the last 60 days"
            remedy = "Mend what is wrong with the mail server or the address, then have them tried again."
            findings.append(Finding(Severity.WARNING, title, "", remedy, "latchpin mail list --dead"))
    if context.offline:
        reason = "asked not to ask other servers"
        return [*findings, Finding(Severity.SKIPPED, "The mail server was not asked", reason)]
    return [*findings, await _look(settings, context.base_url), *_warn_of_plain(settings)]


async def _look(settings: MailSettings, base_url: str) -> Finding:
    where = f"{settings.mail_smtp_host}:{settings.port}"
    try:
        await smtp.look(settings, base_url=base_url)
    except Undelivered as exc:
        remedy = "Correct the MAIL_SMTP_ settings; nobody is told by mail meanwhile, and what waits is tried again."
        return Finding(Severity.FAILURE, f"The mail server {where} takes no mail", exc.reason, remedy)
    return Finding(Severity.OK, f"The mail server {where} takes mail ({settings.mail_smtp_security})")


def _warn_of_plain(settings: MailSettings) -> list[Finding]:
    if settings.mail_smtp_security != "none":
        return []
    title = "Mail goes out in plain (MAIL_SMTP_SECURITY=none)"
    return [Finding(Severity.WARNING, title, "Everybody on the way reads it.", "Use starttls or tls.")]
