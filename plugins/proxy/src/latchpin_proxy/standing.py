"""What all calls of one caller at one gateway have in common: made once, and gone with their access.

What it buys: to make it takes some 10 us. Access is read anew every second and after each change, and who calls is
judged anew every half second, so nothing here is older than these.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from latchpin.model import Caller, Gateway
from latchpin.sdk.gateway import Access, Application

from latchpin_proxy.bindings import Bindings, acting
from latchpin_proxy.messages import Terms

__all__ = ["Standing", "Standings"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How one caller stands at one gateway.

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


class Standings:
    """Makes and keeps them.

    Args:
        application: the gateway.
        bindings: makes the binders.
    """

    def __init__(self, application: Application, bindings: Bindings) -> None:
        self._application = application
        self._bindings = bindings
        self._base_url = application.services.settings.base_url
        self._user_header = (application.services.settings.trusted_user_header or "").lower().encode()
        self._kept: WeakKeyDictionary[Access, Standing] = WeakKeyDictionary()

    async def of(self, access: Access, caller: Caller) -> Standing:
        """How ``caller`` stands where ``access`` leads.

        Raises:
            BackendUnavailable: the keys of names cannot be read from the store.
        """
        standing = self._kept.get(access)
        if standing is None or standing.judged is not caller:
            standing = self._kept[access] = await self._make(access, caller)
        return standing

    async def _make(self, access: Access, judged: Caller) -> Standing:
        gateway, caller = access.gateway, acting(judged, access)
        binder = await self._bindings.of(gateway, caller)
        owned = gateway.auth_type != "none" and self._application.tokens.owner_of(gateway, caller) == caller.email
        terms = Terms(binder, gateway.name, gateway.url, self._base_url, private=owned)
        return Standing(judged, caller, terms, self._ours(gateway))

    def _ours(self, gateway: Gateway) -> tuple[bytes, ...]:
        key = b"" if gateway.api_key is None else gateway.api_key.header.lower().encode()
        return tuple(name for name in (self._user_header, key) if name)
