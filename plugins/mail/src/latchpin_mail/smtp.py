"""Handing a mail to a mail server, once (RFC 5321)."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from urllib.parse import urlsplit

import aiosmtplib
from latchpin.sdk.outbound import find_roots
from latchpin_attention.outbox import Undelivered

from latchpin_mail.settings import TRY_WITHIN, MailSettings

__all__ = ["look", "send"]

_REFUSED = 500


async def send(settings: MailSettings, message: EmailMessage, *, base_url: str) -> None:
    """Hand ``message`` over; return once the server is answerable for it.

    Raises:
        Undelivered: it did not take it. Final where it says that the person's mailbox takes none.
    """
    async with _open(settings, base_url) as client:
        try:
            await client.send_message(message)
        except aiosmtplib.SMTPRecipientsRefused as exc:
            codes = [each.code for each in exc.recipients]
            final = all(code >= _REFUSED for code in codes)
            raise Undelivered(f"the mail server refused the recipient with {codes[0]}", final=final) from exc
        except aiosmtplib.SMTPResponseException as exc:
            raise Undelivered(f"the mail server answered {exc.code}") from exc


async def look(settings: MailSettings, *, base_url: str) -> None:
    """Connect and sign in, and send nothing; raises as ``send`` does."""
    async with _open(settings, base_url) as client:
        await client.noop()


@asynccontextmanager
async def _open(settings: MailSettings, base_url: str) -> AsyncIterator[aiosmtplib.SMTP]:
    """A conversation with the server, signed in. Of what it says only its numbers are told: it may repeat anything."""
    client = aiosmtplib.SMTP(
        hostname=settings.mail_smtp_host,
        port=settings.port,
        use_tls=settings.mail_smtp_security == "tls",
        start_tls=settings.mail_smtp_security == "starttls",
        tls_context=_trust() if settings.mail_smtp_security != "none" else None,
        local_hostname=urlsplit(base_url).hostname or "localhost",
        timeout=TRY_WITHIN,
    )
    where = f"{settings.mail_smtp_host}:{settings.port}"
    try:
        async with asyncio.timeout(TRY_WITHIN):
            await client.connect()
            if settings.mail_smtp_user:
                await client.login(settings.mail_smtp_user, settings.mail_smtp_password.get_secret_value())
            yield client
            await client.quit()
    except aiosmtplib.SMTPAuthenticationError as exc:
        raise Undelivered(f"{where} does not take MAIL_SMTP_USER and its password: {exc.code}") from exc
    except aiosmtplib.SMTPResponseException as exc:
        raise Undelivered(f"{where} answered {exc.code}") from exc
    except TimeoutError as exc:
        raise Undelivered(f"{where} did not answer within {TRY_WITHIN:g} s") from exc
    except ssl.SSLError as exc:
        raise Undelivered(f"{where}: TLS failed: {exc.reason or type(exc).__name__}") from exc
    except (aiosmtplib.SMTPException, OSError) as exc:
        raise Undelivered(f"{where}: {_explain(exc, settings)}") from exc
    finally:
        client.close()


def _explain(exc: Exception, settings: MailSettings) -> str:
    cause = exc.__cause__ or exc.__context__
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed: {cause.reason or type(cause).__name__}"
    if settings.mail_smtp_security == "starttls" and "STARTTLS" in str(exc):
        return "it offers no STARTTLS, and nothing was sent; MAIL_SMTP_SECURITY says how it is reached"
    return type(exc).__name__ if isinstance(exc, aiosmtplib.SMTPException) else str(exc) or "failed"


def _trust() -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=find_roots(os.environ))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
