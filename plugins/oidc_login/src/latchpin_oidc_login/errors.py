"""Why a sign-in at the provider does not sign anybody in here; the texts are in ``causes``."""

from __future__ import annotations

from latchpin.errors import ConfigurationError, LatchpinError, SignInFailed, TokenRefused, UpstreamTimeout

from latchpin_oidc_login import causes

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

_WRONG_CLIENT = (
    "An administrator corrects OIDC_LOGIN_CLIENT_ID, OIDC_LOGIN_CLIENT_SECRET and "
    "OIDC_LOGIN_TOKEN_ENDPOINT_AUTH_METHOD: this gateway's client cannot prove itself to the provider."
)


class OidcFailed(SignInFailed):
    """The root of these. The detail is always in the log; the person reads it only where a class says so."""

    shows_detail = False


class StateInvalid(OidcFailed):
    """The answer does not belong to a sign-in that this browser began and has not finished."""

    cause = causes.STATE_INVALID


class AnswerForeign(OidcFailed):
    """The answer names another issuer than the one asked, or none where one is promised (RFC 9207)."""

    cause = causes.ANSWER_FOREIGN


class SignInRefused(OidcFailed):
    """The provider answered with an error (OpenID Connect Core section 3.1.2.6)."""

    cause = causes.SIGN_IN_REFUSED
    shows_detail = True


class ProviderFailed(OidcFailed):
    """The provider's metadata, keys, token or userinfo endpoint did not give what was asked for."""

    cause = causes.PROVIDER_FAILED


class IdTokenInvalid(OidcFailed):
    """The ID token, or the claims beside it, do not hold (OpenID Connect Core section 3.1.3.7)."""

    cause = causes.ID_TOKEN_INVALID


class NotAdmitted(OidcFailed):
    """The account is known at the provider, and may not sign in here."""

    cause = causes.NOT_ADMITTED
    shows_detail = True


def explain(exc: LatchpinError) -> ProviderFailed:
    """What the provider did, as a sign-in's failure: another remedy, and the same facts for the log."""
    error = ProviderFailed(f"{exc.public.rstrip('.')}: {exc.detail}" if exc.detail else exc.public)
    if isinstance(exc, UpstreamTimeout):
        error.status = exc.status
    refused = isinstance(exc, TokenRefused) and exc.error == "invalid_client"
    if refused or isinstance(exc, ConfigurationError):
        error.remedy = _WRONG_CLIENT
    return error
