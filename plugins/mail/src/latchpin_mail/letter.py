"""What a person reads. Pure.

Plain text only: names that administrators and servers chose stand in it, and plain text runs nothing. Header fields
hold nothing that anybody chose but the two addresses, which have no character that a header could take for its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from latchpin_mail.address import is_deliverable

if TYPE_CHECKING:
    from latchpin_attention.need import Need

__all__ = ["Letter", "build_letter", "build_test"]

_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Letter:
    """Where a letter goes, and what leads to the gateway.

    Attributes:
        id: names it for mail servers: the same for each try.
        sender, to: addresses.
        base_url: the gateway's.
        at: when it was written.
    """

    id: str
    sender: str
    to: str
    base_url: str
    at: datetime

    @property
    def choices_url(self) -> str:
        """Where its reader says that they want no mail."""
        return f"{self.base_url}/admin/mail"


def build_letter(letter: Letter, needs: Sequence[tuple[Need, str]]) -> EmailMessage:
    """Write what needs somebody.

    Args:
        letter: from where to where.
        needs: each with the URL of the page that mends it.
    """
    count = len(needs)
    subject = "A connection needs you" if count == 1 else f"{count} connections need you"
    lead = "A connection that you have at" if count == 1 else f"{count} connections that you have at"
    lines = [f"{lead} {letter.base_url} need{'s' if count == 1 else ''} you.", ""]
    for need, url in needs:
        account = f" ({_plain(need.account)})" if need.account else ""
        verb = "Enter a key" if need.keyed else "Authorize"
        words = need.words.replace("its person", "you")
        since = f", since {need.since:%Y-%m-%d}" if need.broken else ""
        lines += [f"{_plain(need.gateway_name)}{account}", f"  {words}{since}.", f"  {verb}: {url}", ""]
    lines += ["The link asks you to sign in. Latchpin never asks for a password or token by mail.", ""]
    lines += [f"To get no more mail like this: {letter.choices_url}", ""]
    return _write(letter, subject, lines)


def build_test(letter: Letter) -> EmailMessage:
    """Write what ``latchpin mail test`` sends."""
    lines = [f"Mail from {letter.base_url} reaches you.", "", "Somebody called 'latchpin mail test' there.", ""]
    return _write(letter, "Mail from Latchpin reaches you", lines)


def _write(letter: Letter, subject: str, lines: Sequence[str]) -> EmailMessage:
    if not (is_deliverable(letter.sender) and is_deliverable(letter.to)):
        raise ValueError("an address that mail cannot be sent to")
    message = EmailMessage(policy=SMTP)
    message["From"] = f"Latchpin <{letter.sender}>"
    message["To"] = letter.to
    message["Subject"] = subject
    message["Date"] = format_datetime(letter.at)
    message["Message-ID"] = f"<{letter.id}@{urlsplit(letter.base_url).hostname or 'localhost'}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answering machine answers
    message["List-Unsubscribe"] = f"<{letter.choices_url}>"
    message.set_content("\n".join(lines))
    return message


def _plain(name: str) -> str:
    """A name as it stands in a line: nothing in it breaks or turns the line, or hides."""
    shown = "".join(each if each.isprintable() else " " for each in name)
    return " ".join(shown.split())[:_LONGEST_NAME] or "(no name)"
