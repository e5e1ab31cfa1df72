"""What an entry must and must not have beside its grant type."""

from __future__ import annotations

from collections.abc import Mapping

from latchpin.contracts import Grant
from latchpin.errors import InvalidRequest
from latchpin.model import JWT_BEARER, OAuthConfig
from latchpin.plugins.elsewhere import nobody_offers

__all__ = ["check_grant"]

_ASSERTION_KEYS = (
    "assertion",
    "assertion_file",
    "identity_provider",
    "identity_provider_token_url",
    "identity_provider_client_id",
    "identity_provider_client_secret",
)


def check_grant(config: OAuthConfig, earlier: OAuthConfig, grants: Mapping[str, Grant]) -> None:
    """Insist on a grant that something offers, on all that it needs, and on nothing of the JWT bearer grant's else.

    Args:
        config: the whole entry as it will be.
        earlier: the entry as it was.
        grants: those that need no browser, by ``grant_type``.

    Raises:
        InvalidRequest: names the key that is wrong, missing, or too much.
    """
    grant_type = config.grant_type
    entered = [name for name in _ASSERTION_KEYS if getattr(config, name) is not None]
    if entered and grant_type != JWT_BEARER:
        raise InvalidRequest(
            f"oauth_config.{entered[0]} is given, and grant_type is {grant_type}",
            remedy=f"Set grant_type to {JWT_BEARER}, or that key to null.",
        )
    if grant_type in grants:
        grants[grant_type].check(config, earlier)
    elif grant_type != "authorization_code":
        names = ", ".join(["authorization_code", *sorted(grants)])
        raise InvalidRequest(
            f"oauth_config.grant_type holds '{grant_type}': must be one of {names}", remedy=nobody_offers(grant_type)[1]
        )
