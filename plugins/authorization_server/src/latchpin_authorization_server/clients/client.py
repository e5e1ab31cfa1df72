"""What is known of a client, wherever it comes from. Pure."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Literal

from latchpin_authorization_server.redirect_uris import matches

__all__ = ["AUTH_METHODS", "AuthMethod", "Client", "Source", "hash_secret"]

AuthMethod = Literal["none", "client_secret_basic", "client_secret_post"]
AUTH_METHODS: tuple[AuthMethod, ...] = ("none", "client_secret_basic", "client_secret_post")
Source = Literal["entered", "registered", "document"]


@dataclass(frozen=True, slots=True)
class Client:
    """An application that asks for tokens (RFC 7591 section 2).

    Attributes:
        id: its ``client_id``.
        name: what it calls itself; only an entered one's is somebody's word here.
        source: where it comes from: an administrator, its own registration, or the document that its id names.
        redirect_uris: where answers may go.
        grant_types: how it may get tokens.
        auth_method: how it proves itself at the token endpoint.
        secret_hash: SHA-256 of its secret, hexadecimal; ``""`` where it has none.
        acts_as: whose address a service client's tokens are for; ``""`` for all others.
    """

    id: str
    name: str
    source: Source
    redirect_uris: tuple[str, ...] = ()
    grant_types: tuple[str, ...] = ("authorization_code", "refresh_token")
    auth_method: AuthMethod = "none"
    secret_hash: str = field(default="", repr=False)
    acts_as: str = ""

    def find_redirect_uri(self, asked: str | None) -> str | None:
        """Where the answer to a request goes; None where the client may not ask for that.

        Args:
            asked: the request's ``redirect_uri``, None if it names none: that holds where there is only one.
        """
        if asked is None:
            return self.redirect_uris[0] if len(self.redirect_uris) == 1 else None
        return asked if any(matches(registered, asked) for registered in self.redirect_uris) else None

    def has_secret(self, secret: str) -> bool:
        """Whether that is the client's secret; compared in constant time."""
        return bool(self.secret_hash) and hmac.compare_digest(hash_secret(secret), self.secret_hash)


def hash_secret(secret: str) -> str:
    """What is kept of a random secret: its SHA-256, hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()
