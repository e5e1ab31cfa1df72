"""The MCP endpoints that somebody may use, and the one that is meant."""

from __future__ import annotations

from collections.abc import Sequence

from latchpin.contracts import ProtectedResource
from latchpin.sdk.gateway import Application

__all__ = ["choose_endpoint", "signs_clients_in"]


def signs_clients_in(application: Application) -> bool:
    """Whether clients that know only the URL get tokens here; else each has to be given one."""
    return any(getattr(identity, "issuer", None) for identity in application.services.identities)


def choose_endpoint(
    endpoints: Sequence[ProtectedResource], gateway_id: str = "", url: str = ""
) -> ProtectedResource | None:
    """The endpoint that is meant; None: no such.

    Args:
        endpoints: those that there are.
        gateway_id: whose own endpoint; ``""`` where no gateway is named.
        url: of exactly that URL; ``""`` where none is named. With neither, that of all servers, else the first.
    """
    if url:
        return next((each for each in endpoints if each.url == url), None)
    if gateway_id:
        return next((each for each in endpoints if each.gateway is not None and each.gateway.id == gateway_id), None)
    return next((each for each in endpoints if each.aggregate), endpoints[0] if endpoints else None)
