"""The MCP endpoints that tokens are for: the hook ``latchpin_protected_resources`` names them."""

from __future__ import annotations

from latchpin.contracts import ProtectedResource
from latchpin.model import Caller
from latchpin.sdk.gateway import Application

__all__ = ["find_resource", "list_resources", "owes_authorization"]


async def find_resource(application: Application, url: str, caller: Caller) -> ProtectedResource | None:
    """The endpoint of exactly that URL; None where there is none that the caller may use."""
    for offered in application.services.protected_resources:
        found = await offered.find(application, url, caller)
        if found is not None:
            return found
    return None


async def list_resources(application: Application, caller: Caller) -> list[ProtectedResource]:
    """Those that the caller may use, as people see them."""
    offered = application.services.protected_resources
    return [resource for each in offered for resource in await each.list(application, caller)]


async def owes_authorization(application: Application, resource: ProtectedResource, caller: Caller) -> bool:
    """Whether the caller was told to authorize the one server behind the resource, and has not done so.

    Where several stand behind it, the others are of use all the same.
    """
    [gateway, *others] = resource.gateways or (None,)
    return gateway is not None and not others and await application.owes_authorization(gateway, caller)
