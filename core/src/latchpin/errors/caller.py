"""What the person or program that called us has to do differently."""

from __future__ import annotations

from latchpin.errors.root import LatchpinError

__all__ = [
    "AuthorizationRequired",
    "CallerError",
    "Conflict",
    "CsrfRefused",
    "Forbidden",
    "InvalidRequest",
    "NotFound",
    "NotSignedIn",
    "RequestTooLarge",
    "SignInFailed",
    "TooManyPending",
]


class CallerError(LatchpinError):
    """The person or program that called us has to do something else."""


class NotSignedIn(CallerError):
    """No identity came with the request, or the one that came is not valid."""

    code = "not-signed-in"
    status = 401
    title = "Sign in first"
    public = "This needs a signed-in caller."
    remedy = "Send 'Authorization: Bearer <token>' (make one with: latchpin token create --email you@example.com)."


class SignInFailed(CallerError):
    """A sign-in at another server did not come to a good end; nobody is signed in by it."""

    code = "sign-in-failed"
    status = 403
    title = "You are not signed in"
    public = "The sign-in did not succeed."
    remedy = "Sign in again; if it repeats, ask an administrator to look for the flow id in the gateway's log."


class Forbidden(CallerError):
    """The caller is known, and may not do this."""

    code = "forbidden"
    status = 403
    title = "Not allowed"
    public = "Your account may not do this."
    remedy = "Ask an administrator (ADMIN_EMAILS names them)."


class CsrfRefused(CallerError):
    """A form came without the proof that our own page sent it."""

    code = "csrf-refused"
    status = 403
    title = "This form is not ours"
    public = "The request did not come from one of this gateway's own pages."
    remedy = "Reload the page and press the button again, or call with a Bearer token."


class NotFound(CallerError):
    """No such thing, or none that this caller may know of."""

    code = "not-found"
    status = 404
    title = "Not found"
    public = "There is nothing here for you."
    remedy = "Check the id; 'latchpin gateways list' shows the gateways."


class InvalidRequest(CallerError):
    """The request cannot be understood or makes no sense for this gateway."""

    code = "invalid-request"
    status = 400
    title = "The request is not valid"
    public = "The request is not valid."
    remedy = "Correct the named value and send it again."


class RequestTooLarge(CallerError):
    """Some part of the request is over its limit."""

    code = "request-too-large"
    status = 413
    title = "The request is too large"
    public = "The request is too large."
    remedy = "Send less; the detail names the limit."


class Conflict(CallerError):
    """The request contradicts what is stored."""

    code = "conflict"
    status = 409
    title = "Somebody was faster, or the name is ambiguous"
    public = "The request contradicts what is stored."
    remedy = "Read the current state and try again."


class TooManyPending(CallerError):
    """Too many authorizations were begun and not finished."""

    code = "too-many-pending"
    status = 429
    title = "Too many unfinished authorizations"
    public = "Too many authorizations have been begun and not finished."
    remedy = "Finish one, or wait until they expire."
    retry_after: int = 60


class AuthorizationRequired(CallerError):
    """The caller has no usable token for this gateway.

    Args:
        authorize_url: where the caller's browser gets one.
        needs_reauth: there was a token, and the server no longer takes it.
    """

    code = "authorization-required"
    status = 401
    title = "Authorize first"
    public = "You have no usable token for this gateway."
    remedy = "Open authorize_url in a browser."

    def __init__(self, detail: str = "", *, authorize_url: str, needs_reauth: bool = False) -> None:
        super().__init__(detail)
        self.authorize_url = authorize_url
        self.needs_reauth = needs_reauth
