"""Opens what ContextForge sealed, as much at a time as this machine has cores: each takes 64 MiB."""

from __future__ import annotations

import asyncio
import os

from latchpin_adopt_contextforge.report import LeftOut
from latchpin_adopt_contextforge.sealing import Opener, Unopened

__all__ = ["Opened"]


class Opened:
    """Opens one value after the other beside everything else.

    Args:
        opener: has the secret.
    """

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._turns = asyncio.Semaphore(os.cpu_count() or 1)

    async def open(self, sealed: str, what: str) -> str:
        """Open a value; ``what`` it is, is said where it does not open.

        Raises:
            LeftOut: it does not open.
            SourceUnreadable: as ``Opener.open`` does.
        """
        async with self._turns:
            try:
                return await asyncio.to_thread(self._opener.open, sealed)
            except Unopened as exc:
                why = f"its {what} does not open: {exc}"
                raise LeftOut(why, "Nothing opens it. Its users authorize again.") from exc

    async def open_any(self, sealed: str | None, what: str) -> str | None:
        """The same for what may not be there; raises as ``open`` does."""
        return None if sealed is None else await self.open(sealed, what)
