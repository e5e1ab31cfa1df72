"""What is known of a client, wherever it comes from. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal
from urllib.parse import urlsplit

from latchpin_authorization_server.random_secrets import is_secret
from latchpin_authorization_server.redirect_uris import matches

__all__ = ["AUTH_METHODS", "DOCUMENT_AUTH_METHODS", "AuthMethod", "Client", "Source", "read_client"]

AuthMethod = Literal["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]
AUTH_METHODS: tuple[AuthMethod, ...] = ("none", "client_secret_basic", "client_secret_post")
"""Those of a client that is kept here."""
DOCUMENT_AUTH_METHODS: tuple[AuthMethod, ...] = ("none", "private_key_jwt")
"""Those of a client that publishes a document, which everybody can read."""
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
        jwks: the keys that prove it (RFC 7517), as JSON, for ``private_key_jwt``; ``""`` where it publishes them.
        jwks_uri: where it publishes them; ``""`` where it does not.
    """

    id: str
    name: str
    source: Source
    redirect_uris: tuple[str, ...] = ()
    grant_types: tuple[str, ...] = ("authorization_code", "refresh_token")
    auth_method: AuthMethod = "none"
    secret_hash: str = field(default="", repr=False)
    acts_as: str = ""
    jwks: str = ""
    jwks_uri: str = ""

    @property
    def vouched_by(self) -> str:
        """The host whose document says what is known of it; ``""`` where no document does.

        That holds for what the client is called. Where its answers go to a person's own computer, any program there
        can pass for it, and nobody has checked.
        """
        return urlsplit(self.id).netloc.lower() if self.source == "document" else ""

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
        return is_secret(secret, self.secret_hash)


def read_client(kept: Mapping[str, Any]) -> Client:
    """A client as ``dataclasses.asdict`` wrote it; what an earlier version kept is left to its default."""
    said = {each.name: kept[each.name] for each in fields(Client) if each.name in kept}
    return Client(**said | {name: tuple(said[name]) for name in ("redirect_uris", "grant_types")})
