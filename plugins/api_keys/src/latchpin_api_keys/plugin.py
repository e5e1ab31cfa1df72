"""What Latchpin finds: the scheme, and where people and programs enter their keys."""

from __future__ import annotations

from collections.abc import Sequence

import latchpin
from latchpin.contracts import AuthScheme

__all__ = ["latchpin_auth_schemes", "latchpin_routes"]


@latchpin.hookimpl
def latchpin_auth_schemes() -> Sequence[AuthScheme]:
    """Offer ``api_key``."""
    from latchpin_api_keys.scheme import HeaderKeys  # noqa: PLC0415  loaded when asked for

    return [HeaderKeys()]


@latchpin.hookimpl
def latchpin_routes() -> Sequence[str]:
    """Offer ``/gateways/{gateway_id}/key``."""
    return ["latchpin_api_keys.routes:router"]
