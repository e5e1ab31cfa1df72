"""Tells plugins which connections are used."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from latchpin.contracts import ConnectionObserver

__all__ = ["Usage"]

_log = logging.getLogger("latchpin.tokens")


class Usage:
    """Tells uses. An observer that fails is logged, and keeps nobody from using a connection.

    Args:
        observers: by what they and their plugins are called, in the order of their rank.
    """

    def __init__(self, observers: Mapping[str, ConnectionObserver]) -> None:
        self._observers = observers

    async def note(self, gateway_id: str, owner: str, label: str = "", *, anew: bool = False) -> None:
        """Tell that a connection is used now; ``anew``, that it is being made."""
        for name, observer in self._observers.items():
            try:
                await observer.used(gateway_id, owner, label, anew=anew)
            except Exception:  # noqa: BLE001  an observer may fail in any way
                _log.exception("The connection observer %s failed; the connection is used all the same", name)
