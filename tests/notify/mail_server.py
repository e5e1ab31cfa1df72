"""A real mail server: with TLS or without, with a sign-in, and with answers that a test gives it."""

from __future__ import annotations

import contextlib
import email
import email.policy
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from tests.servers import Reservation

__all__ = ["MailServer", "run_mail_server"]

USER, PASSWORD = "gateway", "a-password-of-the-tests"


@dataclass
class MailServer:
    """What came.

    Attributes:
        port: where it listens, on localhost.
        answers: what it answers to the next messages instead of taking them.
        refuses: what it answers to recipients; ``""``: it takes all.
        got: what it took, each with its envelope's recipients.
        sign_ins: with which user names somebody signed in, and whether over TLS.
        seen: commands that came, in order.
        came: is released for each message that came, taken or not.
    """

    port: int = 0
    answers: list[str] = field(default_factory=list)
    refuses: str = ""
    got: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    sign_ins: list[tuple[str, bool]] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    came: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    async def handle_EHLO(self, server: Any, session: Any, envelope: Any, hostname: str, responses: Any) -> Any:  # noqa: N802  aiosmtpd names it
        self.seen.append("EHLO")
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802  aiosmtpd names it
        self.seen.append("RCPT")
        if self.refuses:
            return self.refuses
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd names it
        self.seen.append("DATA")
        self.came.release()
        if self.answers:
            return self.answers.pop(0)
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.got.append((list(envelope.rcpt_tos), cast("EmailMessage", parsed)))
        return "250 OK"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.sign_ins.append((data.login.decode(), session.ssl is not None))
        good = (data.login.decode(), data.password.decode()) == (USER, PASSWORD)
        return AuthResult(success=good, handled=good)


@contextlib.contextmanager
def run_mail_server(
    tls: ssl.SSLContext | None, *, implicit: bool = False, signs_in: bool = False
) -> Iterator[MailServer]:
    """Serve on loopback. ``tls``: its certificate; ``implicit``: from the first byte on, else with STARTTLS."""
    found = MailServer()

    class Listening(Controller):
        def factory(self) -> SMTP:
            return SMTP(
                found,
                tls_context=None if implicit else tls,
                require_starttls=tls is not None and not implicit,
                authenticator=found.authenticate if signs_in else None,
                auth_required=signs_in,
                auth_require_tls=tls is not None and not implicit,
                hostname="mail.test",
            )

    with Reservation() as reservation:
        found.port = reservation.port
        listening = Listening(found, hostname="127.0.0.1", port=found.port, ssl_context=tls if implicit else None)
        listening.start()
        try:
            yield found
        finally:
            listening.stop()
