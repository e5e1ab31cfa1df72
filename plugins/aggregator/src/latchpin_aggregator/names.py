"""Names that this endpoint gives to one person's programs: sealed, so that they are nobody else's."""

from __future__ import annotations

from latchpin.model import Caller
from latchpin.sdk.gateway import Application
from latchpin.sdk.keys import Binder, SharedKeys

__all__ = ["Names"]

_PLACE = "one endpoint"


class Names:
    """Makes binders, under keys that all workers share."""

    def __init__(self, application: Application) -> None:
        self._keys = SharedKeys(application.services.kept, application.services.cipher, _PLACE)

    async def of(self, caller: Caller) -> Binder:
        """The binder of one person here. Raises BackendUnavailable: the keys cannot be read from the store."""
        return Binder(await self._keys.get(), (_PLACE, caller.email))
