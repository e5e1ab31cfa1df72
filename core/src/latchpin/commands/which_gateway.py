"""A gateway as an operator names it: by its id, or by its name where only one is called so."""

from __future__ import annotations

from latchpin.application import Application
from latchpin.errors import NotFound
from latchpin.model import Caller, Gateway

__all__ = ["OPERATOR", "find_gateway"]

OPERATOR = Caller(email="operator@localhost", is_admin=True, via="local")
"""Who types a command where the gateway runs."""


async def find_gateway(application: Application, which: str) -> Gateway:
    """The one gateway of that id or name.

    Raises:
        NotFound: there is none, or several have that name.
    """
    gateways = await application.gateways.list(OPERATOR)
    found = [each for each in gateways if each.id == which] or [each for each in gateways if each.name == which]
    if not found:
        raise NotFound(
            f"there is no gateway with the id or name {which!r}",
            remedy="Take an id or a name from the list: latchpin gateways list",
        )
    if len(found) > 1:
        raise NotFound(
            f"{len(found)} gateways are called {which!r}", remedy="Name it by its id: latchpin gateways list"
        )
    return found[0]
