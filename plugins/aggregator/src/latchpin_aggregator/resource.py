"""The one endpoint as what clients can get tokens for."""

from __future__ import annotations

from collections.abc import Sequence

from latchpin.contracts import ProtectedResource
from latchpin.model import Caller
from latchpin.sdk.gateway import Application

__all__ = ["PATH", "find_resource", "list_resources", "names_endpoint"]

PATH = "/mcp"
NAME = "All servers"


def names_endpoint(path: str) -> bool:
    """Whether a path below BASE_URL is the endpoint's."""
    return path == PATH


async def find_resource(application: Application, url: str, caller: Caller) -> ProtectedResource | None:
    """The endpoint, if that is its URL; behind it stand the servers that the caller may use."""
    if url != application.services.settings.base_url + PATH:
        return None
    return ProtectedResource(url, NAME, tuple(await application.gateways.list(caller)), aggregate=True)


async def list_resources(application: Application, caller: Caller) -> Sequence[ProtectedResource]:
    """The endpoint, where the caller may use any server."""
    found = await find_resource(application, application.services.settings.base_url + PATH, caller)
    return [found] if found is not None and found.gateways else []
