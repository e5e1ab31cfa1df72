"""Closing what a plugin opened: what fails there is told, and keeps nothing else from being closed."""

from __future__ import annotations

import logging
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Generic, TypeVar

__all__ = ["Closing"]

ServiceT = TypeVar("ServiceT")

_log = logging.getLogger("latchpin.plugins")


class Closing(Generic[ServiceT]):
    """A plugin's context manager, whose end fails nobody.

    Args:
        inner: gives the service and closes it. An error while it is opened is raised as it is.
        what: names the offer and its plugin, for the log, as in "plugin 'x' of y 1.0 could not close signer 'z'".
    """

    def __init__(self, inner: AbstractAsyncContextManager[ServiceT], what: str) -> None:
        self._inner = inner
        self._what = what
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> ServiceT:
        """Open it."""
        return await self._stack.enter_async_context(self._inner)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        """Close it. What it raises of its own is logged; ``error``, which it was told, goes on."""
        try:
            return await self._stack.__aexit__(kind, error, traceback)
        except (Exception, SystemExit) as exc:
            if exc is error:
                raise
            _log.exception("%s: %s: %s", self._what, type(exc).__name__, exc)
            return None
