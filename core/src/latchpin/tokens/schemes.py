"""Which gateways want a key in the place of a token, and how it is shown to their servers."""

from __future__ import annotations

from latchpin.contracts import AuthScheme
from latchpin.errors import PluginError
from latchpin.model import Gateway
from latchpin.plugins.elsewhere import nobody_offers_scheme
from latchpin.services import Services

__all__ = ["require_scheme", "wants_key"]


def wants_key(gateway: Gateway) -> bool:
    """Whether a person enters a key for ``gateway`` instead of authorizing it."""
    return gateway.auth_type not in {"oauth", "none"}


def require_scheme(services: Services, gateway: Gateway) -> AuthScheme:
    """How a key is shown to a gateway's server.

    Raises:
        PluginError: nothing that is installed offers its ``auth_type``; says what to install.
    """
    scheme = services.auth_schemes.get(gateway.auth_type)
    if scheme is None:
        text, remedy = nobody_offers_scheme(gateway.auth_type)
        raise PluginError(text, public=text, remedy=remedy)
    return scheme
