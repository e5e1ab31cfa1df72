"""What goes wrong where a signed assertion takes the place of a person in a browser."""

from __future__ import annotations

from latchpin.errors.causes.cause import Cause

__all__ = ["ASSERTIONS"]

IDENTITY_ASSERTION_REQUIRED = Cause(
    slug="identity-assertion-required",
    fault="the person",
    status=401,
    title="Your identity provider has to vouch for you",
    public="This gateway needs your identity provider's word for who you are.",
    happened="{what}",
    remedy="Call with a bearer token of your identity provider, or hand in your ID token.",
    meaning=(
        "The gateway's tokens come by an identity provider's word, and there is none about the caller that still "
        "holds: no bearer token of that provider came with the call, and no ID token is kept."
    ),
)
ASSERTION_REFUSED = Cause(
    slug="assertion-refused",
    fault="the authorization server",
    status=403,
    title="The assertion was refused",
    public="The assertion that stands for you was not accepted.",
    happened="{what}",
    remedy="Ask the administrator of the identity provider whether you may use this server.",
    meaning=(
        "The identity provider gives no grant for the caller at this server, or the authorization server does not "
        "accept the grant or the workload's JWT. The detail says which of them, and its reason."
    ),
)
ASSERTION_UNUSABLE = Cause(
    slug="assertion-unusable",
    fault="the administrator",
    status=503,
    title="The workload's JWT cannot be used",
    public="The workload's JWT cannot be used.",
    happened="{what}",
    remedy="Correct assertion or assertion_file on the gateway.",
    meaning=(
        "The JWT that vouches for this gateway is no JWT, does not say when it expires, or has expired, or its file "
        "cannot be read. Nothing was sent."
    ),
)

ASSERTIONS = (IDENTITY_ASSERTION_REQUIRED, ASSERTION_REFUSED, ASSERTION_UNUSABLE)
