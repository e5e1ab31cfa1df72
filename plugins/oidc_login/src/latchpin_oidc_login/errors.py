"""Why a sign-in at the provider does not sign anybody in here."""

from __future__ import annotations

from typing import ClassVar

from latchpin.errors import LatchpinError, ProviderTimeout, SignInFailed, TokenRefused

__all__ = [
    "AnswerForeign",
    "IdTokenInvalid",
    "NotAdmitted",
    "OidcFailed",
    "ProviderFailed",
    "SignInRefused",
    "StateInvalid",
    "explain",
]


class OidcFailed(SignInFailed):
    """The root of these.

    Attributes:
        told: whether the person may read the detail. It is always in the log.
    """

    told: ClassVar[bool] = False


class StateInvalid(OidcFailed):
    """The answer does not belong to a sign-in that this browser began and has not finished."""

    code = "sign-in-state"
    status = 400
    title = "This sign-in is not one of this browser's"
    public = "The sign-in was not begun in this browser, took too long, or was finished before."
    remedy = "Sign in again, from beginning to end in one browser, with cookies allowed."


class AnswerForeign(OidcFailed):
    """The answer names another issuer than the one asked, or none where one is promised (RFC 9207)."""

    code = "sign-in-issuer"
    status = 400
    title = "The answer came from another provider"
    public = "The answer did not come from the provider that was asked."
    remedy = "Sign in again. If it repeats, an administrator compares OIDC_LOGIN_ISSUER with the provider's."


class SignInRefused(OidcFailed):
    """The provider answered with an error (OpenID Connect Core section 3.1.2.6)."""

    code = "sign-in-refused"
    title = "The provider refused the sign-in"
    public = "The provider refused the sign-in."
    told = True


class ProviderFailed(OidcFailed):
    """The provider's metadata, keys, token or userinfo endpoint did not give what was asked for."""

    code = "sign-in-provider"
    status = 502
    title = "The provider could not be asked"
    public = "The sign-in could not be completed with the provider."
    remedy = (
        "Try again. If it repeats, an administrator finds the reason in the log by the flow id, and compares the "
        "OIDC_LOGIN_ settings with what the provider has."
    )


class IdTokenInvalid(OidcFailed):
    """The ID token, or the claims beside it, do not hold (OpenID Connect Core section 3.1.3.7)."""

    code = "id-token"
    status = 502
    title = "The provider's ID token does not hold"
    public = "What the provider says about you could not be proven."
    remedy = "Sign in again. If it repeats, an administrator finds the reason in the log by the flow id."


class NotAdmitted(OidcFailed):
    """The account is known at the provider, and may not sign in here."""

    code = "not-admitted"
    title = "Your account may not sign in here"
    public = "Your account at the provider may not sign in here."
    told = True
    remedy = "Ask an administrator of this gateway."


def explain(exc: LatchpinError) -> ProviderFailed:
    """What the provider did, as a sign-in's failure: another remedy, and the same facts for the log."""
    error = ProviderFailed(f"{exc.public.rstrip('.')}: {exc.detail}" if exc.detail else exc.public)
    if isinstance(exc, ProviderTimeout):
        error.status = exc.status
    if isinstance(exc, TokenRefused) and exc.error == "invalid_client":
        error.remedy = (
            "An administrator corrects OIDC_LOGIN_CLIENT_ID, OIDC_LOGIN_CLIENT_SECRET and "
            "OIDC_LOGIN_TOKEN_ENDPOINT_AUTH_METHOD: the provider does not accept this gateway's client."
        )
    return error
