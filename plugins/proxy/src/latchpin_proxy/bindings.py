"""Names that an MCP server gives to what belongs to one person, as that person alone gets to see them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from latchpin.contracts import Cipher, KeyValueRecords
from latchpin.model import COMPANY, Caller, Gateway
from latchpin.sdk.keys import Binder, NotBound, SharedKeys

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Access

__all__ = ["Binder", "Bindings", "Kind", "NotBound", "acting"]

Kind = Literal[
    "session",
    "session that opens links",
    "session that asks nothing",
    "links without session",
    "questions without session",
    "task",
    "state",
    "authorization",
    "elicitation",
    "person",
]
"""What a name names. The session of a program that asks its person to open links is a kind of its own, so that nothing
has to be kept to know that, and so is one of a program that asks its person nothing at all. Where the server has no
sessions, the gateway gives a program that asks its person something one of its own.
``authorization``, ``elicitation`` and ``person`` are of the gateway's own, too."""


class Bindings:
    """Makes binders, under keys that all workers share.

    Args:
        kept: where the keys are kept.
        cipher: what seals them there.
    """

    def __init__(self, kept: KeyValueRecords, cipher: Cipher) -> None:
        self._keys = SharedKeys(kept, cipher, "bindings")

    async def of(self, gateway: Gateway, caller: Caller) -> Binder:
        """The binder of ``caller`` at ``gateway``, as long as the gateway's URL stays what it is.

        What was given to one account is not another's: the label of the account that ``caller`` names is part of it,
        and so is whether all share one.

        Raises:
            BackendUnavailable: the keys cannot be read from the store.
        """
        account = (COMPANY, "") if gateway.connection == "shared" else (caller.account,) if caller.account else ()
        return Binder(await self._keys.get(), (gateway.id, gateway.url, caller.email, *account))


def acting(caller: Caller, access: Access) -> Caller:
    """``caller`` with the account that serves now by name: from here on it is no other, whatever is chosen."""
    return caller if caller.account == access.account else replace(caller, account=access.account)
