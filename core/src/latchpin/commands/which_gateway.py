"""Gateways as an operator names them: by id, by its first digits, or by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from latchpin.errors import NotFound
from latchpin.gateways.named import find_named
from latchpin.model import Caller, Gateway

if TYPE_CHECKING:
    from latchpin.application import Application

__all__ = ["OPERATOR", "find_gateway"]

MOST_NAMED = 5

OPERATOR = Caller(email="operator@localhost", is_admin=True, via="local")
"""Who types a command where the gateway runs."""


async def find_gateway(application: Application, which: str) -> Gateway:
    """The one gateway of that id or name, or whose id begins so.

    Raises:
        NotFound: there is none, or several may be meant.
    """
    found = find_named(await application.gateways.list(OPERATOR), which)
    if not found:
        raise NotFound(
            f"there is no gateway with the id or name {which!r}",
            remedy="Take an id or a name from the list: latchpin gateways list",
        )
    if len(found) > 1:
        ids = ", ".join(each.id for each in found[:MOST_NAMED])
        raise NotFound(f"{which!r} may mean {len(found)} gateways", remedy=f"Name it by its whole id: {ids}")
    return found[0]
