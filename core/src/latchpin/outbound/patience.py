"""Asks a server again that asks to wait, for requests that are safe to repeat."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from latchpin.errors import UpstreamBusy

__all__ = ["PAUSES", "ask_patiently"]

PAUSES = (0.25, 0.5, 1.0, 2.0)
"""Before each further try, in seconds."""

ReplyT = TypeVar("ReplyT")


async def ask_patiently(
    ask: Callable[[], Awaitable[ReplyT]], *, pause: Callable[[float], Awaitable[object]] = asyncio.sleep
) -> ReplyT:
    """Ask, and up to four times again while the server asks to wait: somebody waits, so all pauses take four seconds.

    Args:
        ask: sends the request and reads its answer; safe to repeat.
        pause: waits that many seconds; tests give one of their own.

    Raises:
        UpstreamBusy: it still asks to wait after the last pause.
    """
    for seconds in PAUSES:
        try:
            return await ask()
        except UpstreamBusy:
            await pause(seconds)
    return await ask()
