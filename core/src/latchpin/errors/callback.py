"""Why an authorization that came back cannot be completed."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from latchpin.errors.root import LatchpinError

__all__ = [
    "AuthorizationRefused",
    "BrowserChanged",
    "CallbackError",
    "CallbackMalformed",
    "GatewayMismatch",
    "IssuerMismatch",
    "StateAlreadyUsed",
    "StateExpired",
    "StateNotFound",
    "StateRefused",
    "StateSignatureInvalid",
    "UserChanged",
    "VerifierLost",
]


class CallbackError(LatchpinError):
    """An authorization came back and cannot be completed.

    ``proven`` says whether signature and browser had been proven: before that, an answer may tell
    nothing that the store or the provider said.
    """

    status = 400
    proven: ClassVar[bool] = True
    remedy = "Start again with Authorize."


class CallbackMalformed(CallbackError):
    """A parameter is missing, repeated, too long, or not text we can read."""

    code = "callback-malformed"
    title = "The callback is incomplete"
    public = "The callback's parameters are missing, repeated or malformed."
    proven = False


class StateSignatureInvalid(CallbackError):
    """The state's signature does not hold: damaged, altered, or signed under another secret."""

    code = "state-signature"
    title = "This link was not made by this gateway"
    public = "Invalid state signature - possible CSRF attack"
    proven = False
    remedy = (
        "Start again with Authorize. If it happens to everybody: AUTH_ENCRYPTION_SECRET must be the same on "
        "every instance, and an earlier one belongs in AUTH_ENCRYPTION_SECRETS_OLD."
    )


class BrowserChanged(CallbackError):
    """The callback reached another browser than the one that began."""

    code = "browser-changed"
    status = 403
    title = "This browser did not start the authorization"
    public = "The authorization was started in another browser."
    proven = False
    remedy = "Start and finish in the same browser, with cookies allowed, at the gateway's own address."


class UserChanged(CallbackError):
    """Somebody else is signed in than the user who began."""

    code = "user-changed"
    status = 403
    title = "Another user is signed in"
    public = "The authorization was started by another user."
    proven = False
    remedy = "Sign in as the user who started, or start again."


class StateRefused(CallbackError):
    """The state is not usable; which of the three facts holds, the subclass says."""

    public = "Invalid or expired state parameter - possible replay attack"


class StateNotFound(StateRefused):
    """The store does not know the state."""

    code = "state-not-found"
    title = "The store does not know this authorization"
    remedy = (
        "Start again with Authorize. If it happens now and then: CACHE_TYPE=memory is not shared between "
        "workers; use database or redis."
    )


class StateExpired(StateRefused):
    """The callback came after the state's lifetime.

    Args:
        expired_at: when the lifetime ended.
    """

    code = "state-expired"
    title = "The authorization took too long"
    remedy = "Start again with Authorize; raise STATE_TTL_SECONDS if your identity provider is slow."

    def __init__(self, detail: str = "", *, expired_at: datetime) -> None:
        super().__init__(detail)
        self.expired_at = expired_at


class StateAlreadyUsed(StateRefused):
    """The state was consumed before.

    Args:
        used_at: when that was.
    """

    code = "state-used"
    title = "This authorization was already used"
    remedy = "Do not reload the callback page; if nothing is connected, start again with Authorize."

    def __init__(self, detail: str = "", *, used_at: datetime) -> None:
        super().__init__(detail)
        self.used_at = used_at


class GatewayMismatch(CallbackError):
    """State, stored row and callback path name different gateways."""

    code = "gateway-mismatch"
    title = "The callback belongs to another gateway"
    public = "State parameter gateway mismatch"
    remedy = "Check that the redirect URI registered at the provider is this gateway's own, then start again."


class IssuerMismatch(CallbackError):
    """The ``iss`` of the answer is not the remembered issuer, or is missing though promised (RFC 9207)."""

    code = "issuer-mismatch"
    title = "The answer came from another authorization server"
    public = "The answer's issuer is not the one that was asked."
    remedy = "Start again; if it repeats, check the gateway's issuer with: latchpin gateways show."


class VerifierLost(CallbackError):
    """The PKCE verifier kept with the state cannot be unsealed."""

    code = "verifier-lost"
    status = 503
    title = "The PKCE verifier cannot be read"
    public = "The PKCE code verifier kept with this authorization cannot be read."
    remedy = "Put the earlier secret into AUTH_ENCRYPTION_SECRETS_OLD, then start again with Authorize."


class AuthorizationRefused(CallbackError):
    """The authorization server answered with an error (RFC 6749 section 4.1.2.1).

    Args:
        error: the error code; one of ours or the server's, already checked to be plain text.
    """

    code = "authorization-refused"
    title = "The provider refused"
    public = "The provider refused the authorization."

    def __init__(self, detail: str = "", *, error: str, hint: str = "", remedy: str | None = None) -> None:
        super().__init__(detail, hint=hint, remedy=remedy)
        self.error = error
        self.status = 403 if error == "access_denied" else 502
