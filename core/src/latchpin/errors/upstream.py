"""What the authorization server or the MCP server did."""

from __future__ import annotations

from latchpin.errors.causes import refusals, upstream
from latchpin.errors.root import LatchpinError

__all__ = [
    "AccessRefused",
    "AddressRefused",
    "DiscoveryFailed",
    "PkceUnsupported",
    "UpstreamBusy",
    "UpstreamError",
    "UpstreamTimeout",
    "UpstreamUnreachable",
    "UpstreamUnreadable",
    "RegistrationFailed",
    "RegistrationRefused",
    "RegistrationUnsupported",
    "TokenRefused",
]


class UpstreamError(LatchpinError):
    """The authorization server or MCP server failed, refused, or answered what cannot be read."""

    status = 502
    remedy = "Try again; if it repeats, ask the server's operator."
    retry_after: int | None = None
    """Seconds for which the server wants to be left alone, where it asked for that."""


class UpstreamUnreachable(UpstreamError):
    """No answer: name, connection, TLS, or an address we do not go to.

    Args:
        sent: whether any part of the request left, so that repeating it could do a thing twice.
    """

    cause = upstream.PROVIDER_UNREACHABLE

    def __init__(self, detail: str = "", *, sent: bool = False, hint: str = "", remedy: str | None = None) -> None:
        super().__init__(detail, hint=hint, remedy=remedy)
        self.sent = sent


class UpstreamTimeout(UpstreamUnreachable):
    """No whole answer within OAUTH_REQUEST_TIMEOUT."""

    cause = upstream.PROVIDER_TIMEOUT


class AddressRefused(UpstreamUnreachable):
    """The URL leads to an address that the gateway does not connect to."""

    cause = upstream.ADDRESS_REFUSED


class UpstreamUnreadable(UpstreamError):
    """An answer came that is not what the protocol says: HTML, wrong types, too large, 5xx.

    Args:
        http_status: the answer's HTTP status, if it had one.
    """

    cause = upstream.PROVIDER_UNREADABLE

    def __init__(
        self, detail: str = "", *, http_status: int | None = None, hint: str = "", remedy: str | None = None
    ) -> None:
        super().__init__(detail, hint=hint, remedy=remedy)
        self.http_status = http_status


class UpstreamBusy(UpstreamUnreadable):
    """The server asks us to wait (RFC 6585 section 4, RFC 9110 section 10.2.3), or has lately, and was not asked.

    Args:
        retry_after: for how many seconds.
        http_status: the answer's HTTP status; None if the server was not asked.
    """

    cause = upstream.PROVIDER_BUSY

    def __init__(self, detail: str = "", *, retry_after: int, http_status: int | None = None) -> None:
        super().__init__(detail, http_status=http_status)
        self.retry_after = retry_after


class TokenRefused(UpstreamError):
    """The token endpoint answered with an error (RFC 6749 section 5.2).

    Args:
        error: its error code, e.g. ``invalid_grant``.
    """

    cause = refusals.TOKEN_REFUSED_AT_ALL

    def __init__(self, detail: str = "", *, error: str, hint: str = "", remedy: str | None = None) -> None:
        super().__init__(detail, hint=hint, remedy=remedy)
        self.error = error


class AccessRefused(TokenRefused):
    """The MCP server did not take the access token (RFC 6750 section 3.1).

    Args:
        error: ``invalid_token``, or ``insufficient_scope`` where another authorization with more scopes helps.
        scopes: what the server's challenge asks for, in order; empty if it does not say.
    """

    cause = upstream.ACCESS_REFUSED

    def __init__(self, detail: str = "", *, error: str, scopes: tuple[str, ...] = (), hint: str = "") -> None:
        super().__init__(detail, error=error, hint=hint)
        self.scopes = scopes


class DiscoveryFailed(UpstreamError):
    """No usable metadata was found (RFC 8414, RFC 9728)."""

    cause = upstream.DISCOVERY_FAILED


class PkceUnsupported(UpstreamError):
    """The authorization server does not say that it supports PKCE with S256."""

    cause = upstream.PKCE_UNSUPPORTED


class RegistrationFailed(UpstreamError):
    """Dynamic Client Registration was refused or is not offered (RFC 7591)."""

    cause = upstream.DCR_FAILED


class RegistrationUnsupported(RegistrationFailed):
    """The authorization server offers no registration."""

    cause = upstream.DCR_UNSUPPORTED


class RegistrationRefused(RegistrationFailed):
    """The authorization server refused the registration, or answered what cannot be used."""

    cause = upstream.DCR_REFUSED
