"""Whether an MCP endpoint is of use to a client as things stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from latchpin.contracts import ProtectedResource
from latchpin.model import Caller

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

__all__ = ["find_for_person", "owes_authorization"]


async def find_for_person(application: Application, url: str, caller: Caller) -> ProtectedResource | None:
    """The MCP endpoint of exactly that URL that a person may use of whom the request tells the address alone."""
    return await application.find_resource(url, await application.with_groups(caller))


async def owes_authorization(application: Application, resource: ProtectedResource, caller: Caller) -> bool:
    """Whether the caller was told to authorize the one server behind the resource, and has not done so.

    Where several stand behind it, the others are of use all the same.
    """
    return resource.gateway is not None and await application.owes_authorization(resource.gateway, caller)
