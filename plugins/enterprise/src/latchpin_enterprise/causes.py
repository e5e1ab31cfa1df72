"""Why a signed assertion gets nobody a token, with all that is said about each reason."""

from __future__ import annotations

from latchpin.errors import Cause

__all__ = ["ASSERTION_REFUSED", "ASSERTION_UNUSABLE"]

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
