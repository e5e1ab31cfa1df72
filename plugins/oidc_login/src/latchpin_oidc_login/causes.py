"""Every reason for which a sign-in at the provider does not sign anybody in here, with all that is said about it."""

from __future__ import annotations

from latchpin.errors import Cause

__all__ = ["ANSWER_FOREIGN", "ID_TOKEN_INVALID", "NOT_ADMITTED", "PROVIDER_FAILED", "SIGN_IN_REFUSED", "STATE_INVALID"]

STATE_INVALID = Cause(
    slug="sign-in-state",
    fault="the person",
    status=400,
    title="This sign-in is not one of this browser's",
    public="The sign-in was not begun in this browser, took too long, or was finished before.",
    happened="{what}",
    remedy="Sign in again, from beginning to end in one browser, with cookies allowed.",
    meaning=(
        "The answer does not belong to a sign-in that this browser began and has not finished: another browser, no "
        "cookies, more than `STATE_TTL_SECONDS`, a page that was loaded twice, or a setting that changed meanwhile. If "
        "it happens to everybody, `BASE_URL` is not the address that people use."
    ),
)
ANSWER_FOREIGN = Cause(
    slug="sign-in-issuer",
    fault="the authorization server",
    status=400,
    title="The answer came from another provider",
    public="The answer did not come from the provider that was asked.",
    happened="{what}",
    remedy="Sign in again. If it repeats, an administrator compares OIDC_LOGIN_ISSUER with the provider's.",
    meaning=(
        "The answer names another issuer than `OIDC_LOGIN_ISSUER`, or none although the provider promises to name one "
        "(RFC 9207). Its code was sent nowhere."
    ),
)
SIGN_IN_REFUSED = Cause(
    slug="sign-in-refused",
    fault="the authorization server",
    status=403,
    title="The provider refused the sign-in",
    public="The provider refused the sign-in.",
    happened="{what}",
    remedy="Sign in again, or ask the provider's administrator.",
    meaning=(
        "The provider answered with an error, such as `access_denied`: the person, or a rule there, said no. The "
        "status is 502 where the provider finds a fault in the request or in itself."
    ),
)
PROVIDER_FAILED = Cause(
    slug="sign-in-provider",
    fault="the authorization server",
    status=502,
    title="The provider could not be asked",
    public="The sign-in could not be completed with the provider.",
    happened="{what}",
    remedy=(
        "Try again. If it repeats, an administrator finds the reason in the log by this answer's id, and compares the "
        "OIDC_LOGIN_ settings with what the provider has."
    ),
    meaning=(
        "The provider's metadata, keys, token endpoint or userinfo endpoint did not give what was asked for. The log "
        "says which and why: `invalid_client` means the secret or the authentication method, `invalid_grant` mostly "
        "the redirect URI."
    ),
)
ID_TOKEN_INVALID = Cause(
    slug="id-token",
    fault="the authorization server",
    status=502,
    title="The provider's ID token does not hold",
    public="What the provider says about you could not be proven.",
    happened="{what}",
    remedy="Sign in again. If it repeats, an administrator finds the reason in the log by this answer's id.",
    meaning=(
        "The ID token's signature, issuer, audience, times or nonce do not hold, or the userinfo endpoint speaks of "
        "another account. A time that does not hold means that a clock is off: `OIDC_LOGIN_CLOCK_LEEWAY_SECONDS` "
        "allows for a little."
    ),
)
NOT_ADMITTED = Cause(
    slug="not-admitted",
    fault="the administrator",
    status=403,
    title="Your account may not sign in here",
    public="Your account at the provider may not sign in here.",
    happened="{what}",
    remedy="Ask an administrator of this gateway.",
    meaning=(
        "The provider tells no address, does not say that it is verified, or its domain is not among "
        "`OIDC_LOGIN_ALLOWED_DOMAINS`."
    ),
)
