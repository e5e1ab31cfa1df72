"""A device that waits for its person (RFC 8628). Pure.

The document's id is the hash of the user code, so that no two devices have one code at a time. The device code is
``<id>.<secret>``; of the secret, too, only a hash is kept.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from latchpin_authorization_server.devices.user_code import make_user_code
from latchpin_authorization_server.random_secrets import hash_secret, is_secret
from latchpin_authorization_server.shown_text import one_line

__all__ = ["INTERVAL", "LIFETIME", "Answer", "Device", "Poll", "id_of", "make_device", "parse_device_code"]

LIFETIME = timedelta(minutes=10)
"""How long a code is good for."""
INTERVAL = 5
"""Seconds between two questions of a device, and what each too early one adds to that (RFC 8628 section 3.5)."""

_EARLY = timedelta(seconds=1)
"""So much earlier a question may come: the network does not carry each one equally fast."""
_LONGEST_AGENT = 200
_LONGEST_CODE = 200
_SECRET_BYTES = 32

Answer = Literal["", "allowed", "denied"]
Poll = Literal["pending", "too-early", "expired", "allowed", "denied"]
"""What a device's question is answered with."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device's request.

    Attributes:
        id: SHA-256 of the user code, hexadecimal.
        secret_hash: SHA-256 of the device code's secret.
        client_id, client_name: the client that asks, and what it calls itself.
        resource: the URL of the MCP endpoint that it asks for.
        address, agent: where the request came from: network address and ``User-Agent``, as they came.
        created_at, ends_at: when the code was made, and until when it is good.
        interval: seconds that the device has to leave between two questions.
        polled_at: when it asked last; None if it has not.
        email: who typed the code; ``""`` as long as nobody has. From then on nobody else can.
        answer, answered_at: what that person said, and when.
        revision: of the document, for compare and swap.
    """

    id: str
    secret_hash: str = field(repr=False)
    client_id: str
    client_name: str
    resource: str
    address: str
    agent: str
    created_at: datetime
    ends_at: datetime
    interval: int = INTERVAL
    polled_at: datetime | None = None
    email: str = ""
    answer: Answer = ""
    answered_at: datetime | None = None
    revision: int = 0

    def has_secret(self, secret: str) -> bool:
        """Whether that is the device code's secret; compared in constant time."""
        return is_secret(secret, self.secret_hash)

    def judge(self, now: datetime) -> Poll:
        """What the device is told if it asks now."""
        if now >= self.ends_at:
            return "expired"
        if self.answer:
            return self.answer
        wait = timedelta(seconds=self.interval) - _EARLY
        return "too-early" if self.polled_at is not None and now < self.polled_at + wait else "pending"

    def polled(self, now: datetime) -> Device:
        """The device after it asked: if that was too early, it has to wait longer from now on."""
        longer = INTERVAL if self.judge(now) == "too-early" else 0
        return replace(self, polled_at=now, interval=self.interval + longer)

    def claimed(self, email: str, now: datetime) -> Device | None:
        """The device after a person typed its code; None where it is over, answered, or somebody else's."""
        if now >= self.ends_at or self.answer or self.email not in {"", email}:
            return None
        return replace(self, email=email)

    def answered(self, email: str, now: datetime, *, allow: bool) -> Device | None:
        """The device after its person answered, once; None where that person has nothing to answer."""
        if now >= self.ends_at or self.answer or self.email != email:
            return None
        return replace(self, answer="allowed" if allow else "denied", answered_at=now)


def make_device(
    *, client_id: str, client_name: str, resource: str, address: str, agent: str, now: datetime
) -> tuple[Device, str, str]:
    """A new request with its user code and its device code; only hashes of both are in it."""
    user_code, secret = make_user_code(), secrets.token_urlsafe(_SECRET_BYTES)
    device = Device(
        id=id_of(user_code),
        secret_hash=hash_secret(secret),
        client_id=client_id,
        client_name=client_name,
        resource=resource,
        address=address,
        agent=one_line(agent)[:_LONGEST_AGENT],
        created_at=now,
        ends_at=now + LIFETIME,
    )
    return device, user_code, f"{device.id}.{secret}"


def parse_device_code(text: str) -> tuple[str, str] | None:
    """A device code's id and secret; None if it cannot be one of ours."""
    device_id, dot, secret = text.partition(".")
    if not dot or not device_id or not secret or len(text) > _LONGEST_CODE or not text.isascii():
        return None
    return device_id, secret


def id_of(user_code: str) -> str:
    """The id of the device that shows a code."""
    return hash_secret(user_code)
