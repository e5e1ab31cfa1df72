"""What a serving process does on the side."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

__all__ = ["BackgroundTask", "Every"]

ApplicationT = TypeVar("ApplicationT")

ApplicationT_contra = TypeVar("ApplicationT_contra", contravariant=True)


class BackgroundTask(Protocol[ApplicationT_contra]):
    """Work that goes on while the gateway serves; each worker process runs it once."""

    async def run(self, application: ApplicationT_contra) -> None:
        """Work until cancelled, or return when nothing is left to do.

        It is cancelled when the process ends, and awaited before the stores close. What it raises is logged with the
        plugin's name, and it is run again after half a minute; serving goes on. Several workers run it at the same
        time: what one of them is to do takes a lease, or a named value that the first writer wins (``Context.kept``).

        Args:
            application: the running gateway, as pages and commands see it (``latchpin.sdk.gateway.Application``).
        """


@dataclass(frozen=True, slots=True)
class Every(Generic[ApplicationT]):
    """A background task that does the same again and again.

    Attributes:
        seconds: between two turns, on average, and before the first: workers that start together take turns apart.
        turn: one turn. Where it fails, the next one comes after half a minute more.
    """

    seconds: float
    turn: Callable[[ApplicationT], Awaitable[object]]

    async def run(self, application: ApplicationT) -> None:
        """Take turns until cancelled."""
        import asyncio  # noqa: PLC0415  commands that only make the descriptor do without

        while True:
            await asyncio.sleep(self.seconds * random.uniform(0.5, 1.5))  # noqa: S311  no secret
            await self.turn(application)
