"""The requests of one search, one after the other: under one deadline, and with a step kept for each.

So a failure names the exact request that went wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TypeVar

from latchpin.contracts import Upstream
from latchpin.errors import (
    AddressRefused,
    DiscoveryFailed,
    ProviderError,
    ProviderTimeout,
    ProviderUnreachable,
    ProviderUnreadable,
)
from latchpin.model import Reply
from latchpin.outbound.redirects import MOST_REDIRECTS, follow, is_redirect, tell_redirect
from latchpin.servers.found import Step

__all__ = ["Inquiry", "OnStep", "bare", "tell_nobody"]

DocumentT = TypeVar("DocumentT")

OnStep = Callable[[Step], None]
"""Is told what was asked and what came back."""


def tell_nobody(step: Step) -> None:
    """Tell nobody."""


class Inquiry:
    """Asks for one search, whose time begins now.

    Args:
        upstream: the guarded way out.
        timeout: how long all of it may take, in seconds: a server that names many others, each of them slow,
            must not hold everybody who waits.
        on_step: is told each step when its answer is there.

    Attributes:
        steps: what was asked, and what came back.
        late: time was up.
        unreadable: the last document that was there and could not be used.
    """

    def __init__(self, upstream: Upstream, *, timeout: float, on_step: OnStep) -> None:
        self._upstream = upstream
        self._deadline = asyncio.get_running_loop().time() + timeout
        self._on_step = on_step
        self.steps: list[Step] = []
        self.late = False
        self.unreadable: ProviderError | None = None

    async def read(self, url: str, parse: Callable[[Reply], DocumentT]) -> DocumentT | None:
        """Ask one URL for a document. None if nothing usable is there, which ``steps`` explains.

        Raises:
            DiscoveryFailed: the server cannot be reached or says that it has a problem, or the document is refused.
        """
        asked = f"GET {bare(url)}"
        try:
            reply = await self._in_time(self._upstream.get(url, headers={"accept": "application/json"}))
            document = parse(reply) if reply.status == HTTPStatus.OK else None
        except (ProviderUnreachable, DiscoveryFailed) as exc:
            raise self._failed(asked, exc) from exc
        except ProviderUnreadable as exc:
            self.note(Step(asked, exc.detail))
            self.unreadable = exc
            return None
        self.note(Step(asked, _status(reply)))
        if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise self.nothing_usable()
        return document

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> Reply | None:
        """Send once, and on as redirects within the origin say; each redirect is noted, what came the caller notes.

        None if no answer can be read, which ``steps`` explains.

        Raises:
            DiscoveryFailed: the server cannot be reached.
        """
        for _ in range(MOST_REDIRECTS):
            reply = await self._post(url, headers, body)
            if reply is None or not is_redirect(reply.status):
                return reply
            location = reply.headers.get("location")
            target = follow("POST", url, reply.status, location)
            followed = "" if target else ", which is not followed"
            self.note(Step(f"POST {bare(url)}", f"{tell_redirect(url, reply.status, location)}{followed}"))
            if target is None:
                break
            url = target
        return reply

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> Reply | None:
        asked = f"POST {bare(url)}"
        try:
            return await self._in_time(self._upstream.send("POST", url, headers=headers, body=body))
        except ProviderUnreachable as exc:
            raise self._failed(asked, exc) from exc
        except ProviderError as exc:
            self.note(Step(asked, exc.detail))
            return None

    def note(self, step: Step) -> None:
        """Keep a step, and tell it."""
        self.steps.append(step)
        self._on_step(step)

    def nothing_usable(self) -> DiscoveryFailed:
        """Everything was asked, and nothing of it serves."""
        return DiscoveryFailed(f"no usable metadata ({self.told()})")

    def told(self) -> str:
        """All steps in one line."""
        return "; ".join(str(step) for step in self.steps)

    async def _in_time(self, asked: Awaitable[Reply]) -> Reply:
        try:
            async with asyncio.timeout_at(self._deadline):
                return await asked
        except TimeoutError as exc:
            self.late = True
            raise ProviderTimeout("no whole answer in time", sent=True) from exc

    def _failed(self, asked: str, cause: ProviderError) -> DiscoveryFailed:
        self.note(Step(asked, cause.detail))
        remedy = cause.remedy if isinstance(cause, AddressRefused | DiscoveryFailed) else None
        error = DiscoveryFailed(self.told(), remedy=remedy)
        if isinstance(cause, ProviderTimeout):
            error.status = cause.status
        return error


def bare(url: str) -> str:
    """A URL for a step: without its query, and not endless."""
    return url.partition("?")[0][:200]


def _status(reply: Reply) -> str:
    redirected = f", a redirect to {bare(target)!a}" if (target := reply.headers.get("location")) else ""
    return f"HTTP {reply.status}{redirected}"
