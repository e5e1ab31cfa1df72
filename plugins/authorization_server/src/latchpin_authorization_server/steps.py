"""What comes next for the browser of a person whom a client wants something of. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode, urlsplit

from latchpin.contracts import ProtectedResource
from latchpin.model import Gateway

from latchpin_authorization_server.clients.client import Client
from latchpin_authorization_server.devices.device import Device
from latchpin_authorization_server.grants.requests import PendingRequest

__all__ = ["ALL", "Answered", "Ask", "Connect", "Leave", "NextStep", "build_answer"]


@dataclass(frozen=True, slots=True)
class Ask:
    """The person is asked for their consent.

    Attributes:
        device: the one that waits for the answer; None where it goes back by the browser.
    """

    pending: PendingRequest
    client: Client
    resource: ProtectedResource
    device: Device | None = None


ALL = "all"
"""In the place of a gateway's id: every server that is left."""


@dataclass(frozen=True, slots=True)
class Connect:
    """The person is shown which servers they are not connected to, and may skip each, or all that are left."""

    pending: PendingRequest
    missing: tuple[Gateway, ...]


@dataclass(frozen=True, slots=True)
class Leave:
    """The browser goes on.

    Attributes:
        url: where to.
        whither: whose page that is, for people.
        brings: what: a code for the client, the person to a server behind the resource, or the word that the person
            did not allow it, or that the request does not hold.
        said: why it does not hold, in a sentence for developers.
    """

    url: str
    whither: str
    brings: Literal["code", "person", "denial", "error"] = "code"
    said: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """The device has the person's answer, and the browser is done."""

    client_name: str
    allowed: bool


NextStep = Ask | Connect | Leave | Answered


def build_answer(redirect_uri: str, issuer: str, *, state: str | None, **parameters: str) -> str:
    """The URL that takes an answer to the client, with ``iss`` (RFC 6749 section 4.1.2, RFC 9207)."""
    answer = {**parameters, **({} if state is None else {"state": state}), "iss": issuer}
    return f"{redirect_uri}{'&' if urlsplit(redirect_uri).query else '?'}{urlencode(answer)}"
