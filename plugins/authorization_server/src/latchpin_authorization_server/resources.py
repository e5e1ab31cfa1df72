"""Whether an MCP endpoint is of use to a client as things stand."""

from __future__ import annotations

from latchpin.contracts import ProtectedResource
from latchpin.model import Caller
from latchpin.sdk.gateway import Application

__all__ = ["owes_authorization"]


async def owes_authorization(application: Application, resource: ProtectedResource, caller: Caller) -> bool:
    """Whether the caller was told to authorize the one server behind the resource, and has not done so.

    Where several stand behind it, the others are of use all the same.
    """
    return resource.gateway is not None and await application.owes_authorization(resource.gateway, caller)
