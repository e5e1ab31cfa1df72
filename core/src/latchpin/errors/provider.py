"""What the authorization server or the MCP server did."""

from __future__ import annotations

from latchpin.errors.root import LatchpinError

__all__ = [
    "AccessRefused",
    "AddressRefused",
    "DiscoveryFailed",
    "PkceUnsupported",
    "ProviderError",
    "ProviderTimeout",
    "ProviderUnreachable",
    "ProviderUnreadable",
    "RegistrationFailed",
    "TokenRefused",
]


class ProviderError(LatchpinError):
    """The authorization server or MCP server failed, refused, or answered what cannot be read."""

    status = 502
    remedy = "Try again; if it repeats, ask the server's operator."


class ProviderUnreachable(ProviderError):
    """No answer: name, connection, TLS, or an address we do not go to.

    Args:
        sent: whether any part of the request left, so that repeating it could do a thing twice.
    """

    code = "provider-unreachable"
    title = "The server cannot be reached"
    public = "The server could not be reached."

    def __init__(self, detail: str = "", *, sent: bool = False, hint: str = "", remedy: str | None = None) -> None:
        super().__init__(detail, hint=hint, remedy=remedy)
        self.sent = sent


class ProviderTimeout(ProviderUnreachable):
    """No whole answer within OAUTH_REQUEST_TIMEOUT."""

    code = "provider-timeout"
    status = 504
    title = "The server took too long"
    public = "The server did not answer in time."


class AddressRefused(ProviderUnreachable):
    """The URL leads to an address that the gateway does not connect to."""

    code = "address-refused"
    title = "That address is not allowed"
    public = "The server's address is not one this gateway connects to."
    remedy = "Use a public https URL, or set OAUTH_ALLOW_PRIVATE_NETWORKS=true where upstreams are private."


class ProviderUnreadable(ProviderError):
    """An answer came that is not what the protocol says: HTML, wrong types, too large, 5xx.

    Args:
        http_status: the answer's HTTP status, if it had one.
    """

    code = "provider-unreadable"
    title = "The server's answer cannot be read"
    public = "The server's answer is not what the protocol says."

    def __init__(self, detail: str = "", *, http_status: int | None = None, hint: str = "") -> None:
        super().__init__(detail, hint=hint)
        self.http_status = http_status


class TokenRefused(ProviderError):
    """The token endpoint answered with an error (RFC 6749 section 5.2).

    Args:
        error: its error code, e.g. ``invalid_grant``.
    """

    code = "token-refused"
    title = "The provider refused the token request"
    public = "The provider refused the token request."

    def __init__(self, detail: str = "", *, error: str, hint: str = "", remedy: str | None = None) -> None:
        super().__init__(detail, hint=hint, remedy=remedy)
        self.error = error


class AccessRefused(TokenRefused):
    """The MCP server did not take the access token (RFC 6750 section 3.1).

    Args:
        error: ``invalid_token``, or ``insufficient_scope`` where another authorization with more scopes helps.
        scopes: what the server's challenge asks for, in order; empty if it does not say.
    """

    code = "access-refused"
    title = "The MCP server refused the token"
    public = "The MCP server did not accept the access token."
    remedy = "Authorize again; if it repeats, the server expects a token from elsewhere or for another resource."

    def __init__(self, detail: str = "", *, error: str, scopes: tuple[str, ...] = (), hint: str = "") -> None:
        super().__init__(detail, error=error, hint=hint)
        self.scopes = scopes


class DiscoveryFailed(ProviderError):
    """No usable metadata was found (RFC 8414, RFC 9728)."""

    code = "discovery-failed"
    title = "Metadata discovery failed"
    public = "Metadata discovery failed"
    remedy = "Check the issuer and that its metadata URL answers, or enter authorization_url and token_url by hand."


class PkceUnsupported(ProviderError):
    """The authorization server does not say that it supports PKCE with S256."""

    code = "pkce-unsupported"
    title = "The provider does not offer PKCE with S256"
    public = "The authorization server does not offer PKCE with S256."
    remedy = "If it is known to support S256 without saying so, set assume_pkce on the gateway."


class RegistrationFailed(ProviderError):
    """Dynamic Client Registration was refused or is not offered (RFC 7591)."""

    code = "dcr-failed"
    title = "DCR failed"
    public = "DCR failed"
    remedy = "Register a client by hand and enter its client_id (and client_secret) on the gateway."
