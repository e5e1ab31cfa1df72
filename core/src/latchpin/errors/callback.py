"""Why an authorization that came back cannot be completed."""

from __future__ import annotations

from datetime import datetime

from latchpin.errors.causes import callback, missing, refusals
from latchpin.errors.causes.cause import OPAQUE
from latchpin.errors.root import LatchpinError

__all__ = [
    "AuthorizationRefused",
    "BrowserChanged",
    "CallbackError",
    "CallbackMalformed",
    "ClockSkew",
    "GatewayMismatch",
    "IssuerMismatch",
    "RedirectMismatch",
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

    Before signature and browser are proven, an answer tells nothing that the store or the server said.
    """

    status = 400
    shows_detail = True
    remedy = callback.AGAIN


class CallbackMalformed(CallbackError):
    """A parameter is missing, repeated, too long, or not text we can read."""

    cause = callback.CALLBACK_MALFORMED
    shows_detail = False


class StateSignatureInvalid(CallbackError):
    """The state's signature does not hold: damaged, altered, or signed under another secret."""

    cause = callback.STATE_SIGNATURE
    shows_detail = False


class BrowserChanged(CallbackError):
    """The callback reached another browser than the one that began."""

    cause = callback.BROWSER_CHANGED
    shows_detail = False


class UserChanged(CallbackError):
    """Somebody else is signed in than the user who began."""

    cause = callback.USER_CHANGED
    shows_detail = False


class StateRefused(CallbackError):
    """The state is not usable; which of the three facts holds, the subclass says."""

    public = OPAQUE


class StateNotFound(StateRefused):
    """The store does not know the state."""

    cause = missing.STATE_NOT_FOUND


class StateExpired(StateRefused):
    """The callback came after the state's lifetime.

    Args:
        expired_at: when the lifetime ended.
    """

    cause = callback.STATE_EXPIRED

    def __init__(self, detail: str = "", *, expired_at: datetime) -> None:
        super().__init__(detail)
        self.expired_at = expired_at


class StateAlreadyUsed(StateRefused):
    """The state was consumed before.

    Args:
        detail: what the store has to add, for the log.
        used_at: when that was.
    """

    cause = callback.STATE_USED

    def __init__(self, detail: str = "", *, used_at: datetime) -> None:
        super().__init__(self.cause.tell(used_at=used_at.isoformat(timespec="seconds")), hint=detail)
        self.used_at = used_at


class ClockSkew(CallbackError):
    """The clocks of the instances disagree, so that nobody can say how old the state is."""

    cause = callback.CLOCK_SKEW


class GatewayMismatch(CallbackError):
    """State, stored row and callback path name different gateways."""

    cause = callback.GATEWAY_MISMATCH


class RedirectMismatch(CallbackError):
    """The callback came to another redirect URI than the one that was asked for."""

    cause = callback.REDIRECT_MISMATCH


class IssuerMismatch(CallbackError):
    """The ``iss`` of the answer is not the remembered issuer, or is missing though promised (RFC 9207)."""

    cause = callback.ISSUER_MISMATCH


class VerifierLost(CallbackError):
    """The PKCE verifier kept with the state cannot be unsealed."""

    cause = callback.VERIFIER_LOST


class AuthorizationRefused(CallbackError):
    """The authorization server answered with an error (RFC 6749 section 4.1.2.1).

    Args:
        error: the error code; one of ours or the server's, already checked to be plain text.
    """

    cause = refusals.AUTHORIZATION_REFUSED

    def __init__(self, detail: str = "", *, error: str, hint: str = "", remedy: str | None = None) -> None:
        super().__init__(detail, hint=hint, remedy=remedy)
        self.error = error
