"""What the person or program that called us has to do differently."""

from __future__ import annotations

from latchpin.errors.causes import caller
from latchpin.errors.root import LatchpinError

__all__ = [
    "AuthorizationRequired",
    "CallerError",
    "Conflict",
    "CsrfRefused",
    "Forbidden",
    "IdentityAssertionRequired",
    "InvalidRequest",
    "KeyRefused",
    "NotFound",
    "NotSignedIn",
    "RequestTooLarge",
    "SharedConnectionMissing",
    "SharedConnectionUnconfirmed",
    "SignInFailed",
    "TooManyPending",
]


class CallerError(LatchpinError):
    """The person or program that called us has to do something else."""


class NotSignedIn(CallerError):
    """No identity came with the request, or the one that came is not valid."""

    cause = caller.NOT_SIGNED_IN


class SignInFailed(CallerError):
    """A sign-in at another server did not come to a good end; nobody is signed in by it."""

    cause = caller.SIGN_IN_FAILED


class Forbidden(CallerError):
    """The caller is known, and may not do this."""

    cause = caller.FORBIDDEN


class CsrfRefused(CallerError):
    """A form came without the proof that our own page sent it."""

    cause = caller.CSRF_REFUSED


class NotFound(CallerError):
    """No such thing, or none that this caller may know of."""

    cause = caller.NOT_FOUND


class InvalidRequest(CallerError):
    """The request cannot be understood or makes no sense for this gateway."""

    cause = caller.INVALID_REQUEST


class KeyRefused(InvalidRequest):
    """An API key was tried before it was to be kept, and the MCP server did not take it."""

    cause = caller.KEY_REFUSED


class RequestTooLarge(CallerError):
    """Some part of the request is over its limit."""

    cause = caller.REQUEST_TOO_LARGE


class Conflict(CallerError):
    """The request contradicts what is stored."""

    cause = caller.CONFLICT


class TooManyPending(CallerError):
    """Too many authorizations were begun and not finished."""

    cause = caller.TOO_MANY_PENDING
    retry_after: int = 60


class AuthorizationRequired(CallerError):
    """The caller has no usable token for this gateway.

    Args:
        authorize_url: where the caller's browser gets one.
        needs_reauth: there was a token, and the server no longer takes it.
    """

    cause = caller.AUTHORIZATION_REQUIRED

    def __init__(self, detail: str = "", *, authorize_url: str, needs_reauth: bool = False) -> None:
        super().__init__(detail)
        self.authorize_url = authorize_url
        self.needs_reauth = needs_reauth


class SharedConnectionMissing(CallerError):
    """The gateway's one account has to be connected (again), and only an administrator can do that."""

    cause = caller.SHARED_CONNECTION_MISSING


class SharedConnectionUnconfirmed(AuthorizationRequired):
    """An administrator was led to connect the gateway's one account, and has not said that they mean it.

    Its ``authorize_url`` is the page that asks.
    """

    cause = caller.SHARED_CONNECTION_UNCONFIRMED


class IdentityAssertionRequired(CallerError):
    """The gateway needs an identity provider's word for who the caller is, and there is none that still holds."""

    cause = caller.IDENTITY_ASSERTION_REQUIRED
