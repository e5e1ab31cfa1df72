"""Gateways and flows as an operator names them: by id, by its first digits, a gateway also by its name."""

from __future__ import annotations

from collections.abc import AsyncIterator

from latchpin.application import Application
from latchpin.errors import NotFound
from latchpin.gateways.named import PREFIX, find_named
from latchpin.model import Caller, Gateway
from latchpin.model.flow_steps import FlowQuery

__all__ = ["OPERATOR", "find_flow_id", "find_gateway"]

PAGE = 1000
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
        same = "are called" if found[0].name == which else "have an id that begins with"
        ids = ", ".join(each.id for each in found[:MOST_NAMED])
        raise NotFound(f"{len(found)} gateways {same} {which!r}", remedy=f"Name it by its whole id: {ids}")
    return found[0]


async def find_flow_id(application: Application, which: str) -> str:
    """The id of the one kept flow whose id begins so; a whole id stands for itself.

    Raises:
        NotFound: there is none, or several may be meant.
    """
    if not PREFIX.fullmatch(which):
        return which
    found = [each async for each in _flow_ids(application) if each.startswith(which)]
    if len(found) > 1:
        shown = ", ".join(found[:MOST_NAMED])
        raise NotFound(f"{len(found)} flows have an id that begins with {which!r}", remedy=f"Name one: {shown}")
    return found[0] if found else which


async def _flow_ids(application: Application) -> AsyncIterator[str]:
    query = FlowQuery()
    while page := await application.flows.list(query, OPERATOR, limit=PAGE):
        for flow in page:
            yield flow.flow_id
        if len(page) < PAGE:
            return
        query = FlowQuery(before=page[-1].last_at, before_id=page[-1].flow_id)
