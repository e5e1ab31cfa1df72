"""The requests of one search, one after the other: under one deadline, and with a step kept for each.

So a failure names the exact request that went wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Protocol, TypeVar

from latchpin.contracts import Upstream
from latchpin.errors import (
    AddressRefused,
    DiscoveryFailed,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
    UpstreamUnreadable,
)
from latchpin.model import Reply
from latchpin.oauth.documents import NoDocument, tell_status
from latchpin.servers.found import Step

__all__ = ["DiscoveryClient", "OnStep", "bare", "tell_nobody"]


_TRY_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
"""As with 5xx, nobody knows what is there."""


class _Document(Protocol):
    @property
    def passed_over(self) -> tuple[str, ...]: ...


DocumentT = TypeVar("DocumentT", bound=_Document)

OnStep = Callable[[Step], None]
"""Is told what was asked and what came back."""


def tell_nobody(step: object) -> None:
    """Tell nobody."""


class DiscoveryClient:
    """Asks for one search, whose time begins now.

    Args:
        upstream: the guarded way out.
        timeout: how long all of it may take, in seconds: a server that names many others, each of them slow,
            must not hold everybody who waits. Each request gets a share of what is left.
        on_step: is told each step when its answer is there.

    Attributes:
        steps: what was asked, and what came back.
        passed_over: what of the documents that serve was odd and did not decide.
        silent: how many requests of ``ask`` had no answer.
    """

    def __init__(self, upstream: Upstream, *, timeout: float, on_step: OnStep) -> None:
        self._upstream = upstream
        self._deadline = asyncio.get_running_loop().time() + timeout
        self._on_step = on_step
        self.steps: list[Step] = []
        self.passed_over: list[str] = []
        self.silent = 0

    async def first(
        self,
        urls: Sequence[str],
        parse: Callable[[Reply], DocumentT],
        *,
        later: int = 0,
        named: frozenset[str] = frozenset(),
    ) -> DocumentT | None:
        """Ask the URLs of one document until one serves. None if there is none at any, which ``steps`` explains.

        Args:
            urls: in the order to ask.
            parse: believes an answer, or raises.
            later: how many requests may have to follow; time is left for them.
            named: those that a server gave as the document's place: whatever is there is meant to be it.

        Raises:
            DiscoveryFailed: a document is for somebody else or an address is refused, at once; or none serves, and one
                is there and cannot be used, or its URL had no answer, 5xx or 429: nobody knows what it would have said.
        """
        trouble: UpstreamError | None = None
        for position, url in enumerate(urls):
            asked = f"GET {bare(url)}"
            try:
                reply = await self._in_time(
                    self._upstream.get(url, headers={"accept": "application/json"}), len(urls) - position + later
                )
                document = parse(reply) if reply.status == HTTPStatus.OK else None
            except (AddressRefused, DiscoveryFailed) as exc:
                raise self._failed(asked, exc) from exc
            except (UpstreamUnreachable, UpstreamUnreadable) as exc:
                self.note(Step(asked, exc.detail))
                if not isinstance(exc, NoDocument) or url in named:
                    trouble = _graver(trouble, exc)
                continue
            self._note_answer(asked, reply, document)
            if document is not None:
                return document
            if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR or reply.status in _TRY_LATER:
                trouble = _graver(trouble, UpstreamUnreadable(f"the answer is HTTP {reply.status}"))
        if trouble is not None:
            raise self.nothing_usable(trouble)
        return None

    async def ask(
        self, asked: str, method: str, url: str, headers: Mapping[str, str], body: bytes = b"", *, later: int
    ) -> Reply | None:
        """Send once; the caller notes what came. None if no answer can be read, which ``steps`` explains.

        Raises:
            DiscoveryFailed: the server cannot be reached.
        """
        try:
            return await self._in_time(self._upstream.send(method, url, headers=headers, body=body), later + 1)
        except UpstreamUnreachable as exc:
            if not exc.sent:
                raise self._failed(asked, exc) from exc
            self.silent += 1
            self.note(Step(asked, exc.detail))
        except UpstreamError as exc:
            self.note(Step(asked, exc.detail))
        return None

    def note(self, step: Step) -> None:
        """Keep a step, and tell it."""
        self.steps.append(step)
        self._on_step(step)

    def nothing_usable(self, cause: UpstreamError | None = None) -> DiscoveryFailed:
        """Everything was asked, and nothing of it serves; ``cause`` is the gravest reason."""
        error = DiscoveryFailed(f"no usable metadata ({self.told()})")
        if isinstance(cause, UpstreamTimeout):
            error.status = cause.status
        return error

    def told(self) -> str:
        """All steps in one line."""
        return "; ".join(str(step) for step in self.steps)

    def _note_answer(self, asked: str, reply: Reply, document: _Document | None) -> None:
        odd = "; ".join(document.passed_over) if document is not None else ""
        got = tell_status(reply) + (f", passed over: {odd}" if odd else "")
        self.note(Step(asked, got, passed=document is not None))
        if odd:
            self.passed_over.append(f"{reply.url}: {odd}")

    async def _in_time(self, asked: Awaitable[Reply], parts: int) -> Reply:
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(now + (self._deadline - now) / parts):
                return await asked
        except TimeoutError as exc:
            raise UpstreamTimeout("no whole answer in time", sent=True) from exc

    def _failed(self, asked: str, cause: UpstreamError) -> DiscoveryFailed:
        self.note(Step(asked, cause.detail))
        remedy = cause.remedy if isinstance(cause, AddressRefused | DiscoveryFailed) else None
        error = DiscoveryFailed(self.told(), remedy=remedy)
        if isinstance(cause, UpstreamTimeout):
            error.status = cause.status
        return error


def _graver(first: UpstreamError | None, second: UpstreamError) -> UpstreamError:
    return first if isinstance(first, UpstreamTimeout) else second


def bare(url: str) -> str:
    """A URL for a step: without its query, and not endless."""
    return url.partition("?")[0][:200]
