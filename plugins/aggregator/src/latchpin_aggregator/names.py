"""Names that one endpoint gives to one person's programs: sealed, so that they are nobody else's and hold only here."""

from __future__ import annotations

from latchpin.model import Caller
from latchpin.sdk.gateway import Application
from latchpin.sdk.keys import Binder, SharedKeys

__all__ = ["Names", "open_keys"]

_PLACE = "one endpoint"


def open_keys(application: Application) -> SharedKeys:
    """The keys of all endpoints, which all workers share."""
    return SharedKeys(application.services.kept, application.services.cipher, _PLACE)


class Names:
    """Makes binders.

    Args:
        keys: those of all endpoints.
        path: this one's, below BASE_URL.
    """

    def __init__(self, keys: SharedKeys, path: str) -> None:
        self._keys = keys
        self._path = path

    async def of(self, caller: Caller) -> Binder:
        """The binder of one person here. Raises BackendUnavailable: the keys cannot be read from the store."""
        return Binder(await self._keys.get(), (_PLACE, self._path, caller.email))
