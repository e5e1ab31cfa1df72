"""What is prepared for all calls of one caller at one gateway: made once, and gone with their access.

What it buys: to make it takes some 10 us. Access is read anew every second and after each change, and who calls is
judged anew every half second, so nothing here is older than these.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from latchpin.model import Caller, Gateway
from latchpin.sdk.gateway import Access, Application, wants_key

from latchpin_proxy.bindings import Bindings, acting
from latchpin_proxy.messages import Terms

__all__ = ["Prepared", "Preparing"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What all calls of one caller at one gateway have in common.

    Attributes:
        judged: the caller, as they were judged.
        caller: the same, with the account that serves by name.
        terms: those of a call outside of a session.
        ours: the header fields that callers do not write, in lower case: who they are, and the key that the server is
            shown.
    """

    judged: Caller
    caller: Caller
    terms: Terms
    ours: tuple[bytes, ...]


class Preparing:
    """Makes what is prepared, and keeps it as long as the access is there.

    Args:
        application: the gateway.
        bindings: makes the binders.
    """

    def __init__(self, application: Application, bindings: Bindings) -> None:
        self._application = application
        self._bindings = bindings
        self._base_url = application.services.settings.base_url
        self._user_header = (application.services.settings.trusted_user_header or "").lower().encode()
        self._kept: WeakKeyDictionary[Access, Prepared] = WeakKeyDictionary()

    async def of(self, access: Access, caller: Caller) -> Prepared:
        """What is prepared for ``caller`` where ``access`` leads.

        Raises:
            BackendUnavailable: the keys of names cannot be read from the store.
        """
        prepared = self._kept.get(access)
        if prepared is None or prepared.judged is not caller:
            prepared = self._kept[access] = await self._make(access, caller)
        return prepared

    async def _make(self, access: Access, judged: Caller) -> Prepared:
        gateway, caller = access.gateway, acting(judged, access)
        binder = await self._bindings.of(gateway, caller)
        owned = gateway.auth_type != "none" and self._application.tokens.owner_of(gateway, caller) == caller.email
        terms = Terms(binder, gateway.name, gateway.url, self._base_url, private=owned)
        return Prepared(judged, caller, terms, self._ours(gateway))

    def _ours(self, gateway: Gateway) -> tuple[bytes, ...]:
        shown = self._application.tokens.headers_of(gateway) if wants_key(gateway) else ()
        return tuple(name for name in (self._user_header, *(each.encode() for each in shown)) if name)
