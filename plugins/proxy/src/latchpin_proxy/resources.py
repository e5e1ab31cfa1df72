"""The MCP endpoints, as what clients can get tokens for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from latchpin.contracts import ProtectedResource, ProtectedResources
from latchpin.errors import NotFound
from latchpin.model import Caller, Gateway
from latchpin.sdk.gateway import is_id

from latchpin_proxy.resource import resource_url

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

__all__ = ["RESOURCES", "find_resource", "list_resources", "names_endpoint"]


def names_endpoint(path: str) -> bool:
    """Whether a path below BASE_URL is that of an endpoint, whether or not its gateway exists."""
    match path.split("/"):
        case ["", "gateways", gateway_id, "mcp"]:
            return is_id(gateway_id)
        case _:
            return False


async def find_resource(application: Application, url: str, caller: Caller) -> ProtectedResource | None:
    """The endpoint of exactly that URL; None if it is none of ours, or the caller may not use its gateway."""
    base_url = application.services.settings.base_url
    gateway_id = url.removeprefix(f"{base_url}/gateways/").removesuffix("/mcp")
    if not is_id(gateway_id) or url != resource_url(base_url, gateway_id):
        return None
    try:
        return _resource(base_url, await application.gateways.get(gateway_id, caller))
    except NotFound:
        return None


async def list_resources(application: Application, caller: Caller) -> Sequence[ProtectedResource]:
    """An endpoint for each gateway that the caller may use."""
    base_url = application.services.settings.base_url
    return [_resource(base_url, gateway) for gateway in await application.gateways.list(caller)]


def _resource(base_url: str, gateway: Gateway) -> ProtectedResource:
    return ProtectedResource(resource_url(base_url, gateway.id), gateway.name, (gateway,))


RESOURCES = ProtectedResources(names_endpoint, find_resource, list_resources)
