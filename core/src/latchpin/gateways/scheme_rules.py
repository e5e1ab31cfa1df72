"""What an entry must and must not have beside an ``auth_type`` that a plugin offers."""

from __future__ import annotations

from collections.abc import Mapping

from latchpin.contracts import AuthScheme
from latchpin.errors import InvalidRequest
from latchpin.gateways.body import GatewayBody
from latchpin.model import ApiKeyConfig, Gateway
from latchpin.plugins.elsewhere import nobody_offers_scheme

__all__ = ["change_place"]

_BOTH: Mapping[str, str | None] = {"header": None, "prefix": None}


def change_place(
    gateway: Gateway, auth_type: str, body: GatewayBody, schemes: Mapping[str, AuthScheme]
) -> ApiKeyConfig | None:
    """Where keys go after a change.

    Without the plugin, who may use a gateway, its name and its URL can be changed all the same, and its keys rest.

    Args:
        gateway: as it was.
        auth_type: as it will be.
        body: what the change says.
        schemes: those that are installed.

    Raises:
        InvalidRequest: nothing offers the ``auth_type``, or the scheme does not take the place.
    """
    given = body.model_fields_set
    if (scheme := schemes.get(auth_type)) is None:
        if auth_type == gateway.auth_type and not given & {"auth_type", "api_key"}:
            return gateway.api_key
        names = ", ".join(["oauth", *sorted(schemes), "none"])
        raise InvalidRequest(
            f"auth_type holds '{auth_type}': must be one of {names}", remedy=nobody_offers_scheme(auth_type)[1]
        )
    said = None if "api_key" not in given else _BOTH if body.api_key is None else body.api_key.given()
    return scheme.change_place(gateway.api_key if auth_type == gateway.auth_type else None, said)
