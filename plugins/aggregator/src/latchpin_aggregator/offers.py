"""What the servers of one endpoint offer each caller."""

from __future__ import annotations

from latchpin.model import Caller

from latchpin_aggregator.lists import Lists, Offer
from latchpin_aggregator.selection import Selection

__all__ = ["Offers"]


class Offers:
    """Reads the lists of what is shown.

    Args:
        lists: what servers offer, of all endpoints.
        selection: which gateways are shown here.
    """

    def __init__(self, lists: Lists, selection: Selection) -> None:
        self._lists = lists
        self._selection = selection

    async def get(self, caller: Caller, *, wait: float | None = None) -> list[Offer]:
        """What every server offers the caller that is shown to them, in the order in which people see them.

        Args:
            caller: whose.
            wait: how many seconds to wait for what was never asked for; the setting's if None.
        """
        return await self._lists.offers(await self._selection.list(caller), caller, wait=wait)
