"""Pages that grow: sent piece by piece while the work behind them goes on, to browsers with and without scripts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from latchpin.errors import LatchpinError
from latchpin.model import Caller
from latchpin.web.errors import as_seen, log_failure, text_for, trace_of
from latchpin.web.frame import frame
from latchpin.web.rendering import WITH_SCRIPTS, render_text

from latchpin_admin_ui.pages import TEMPLATES

__all__ = ["Tell", "Work", "follow", "grow"]

_log = logging.getLogger("latchpin.web")

_PIECES = "<!-- pieces -->"
_UNBUFFERED = {"x-accel-buffering": "no"}
"""Asks nginx to pass each piece on as it comes."""

Tell = Callable[..., None]
"""Puts a piece onto the page: the template's name, and what it wants by keyword."""
Work = Callable[[Tell], Awaitable[None]]
_Piece = tuple[str, dict[str, Any]]


async def grow(
    request: Request,
    caller: Caller,
    template: str,
    work: Work,
    *,
    title: str,
    **values: Any,  # noqa: ANN401  what the template wants
) -> Response:
    """Answer with a page that shows each piece as ``work`` tells it. What ``work`` raises becomes the last piece.

    Args:
        request: the request.
        caller: who asks.
        template: the page, with the comment ``pieces`` where they go.
        work: is begun when the page is being sent, and given up if nobody reads it any more.
        title: the page's title.
        values: what the page's template wants.
    """
    framed = await frame(request, caller)
    whole = _render(template, framed | {"title": title} | values)
    head, _, tail = whole.partition(_PIECES)

    async def chunks() -> AsyncIterator[bytes]:
        yield head.encode("utf-8", "replace")
        async for name, wanted in follow(work, request):
            yield _render(name, framed | wanted).encode("utf-8", "replace")
        yield tail.encode("utf-8", "replace")

    return StreamingResponse(chunks(), media_type="text/html", headers={**WITH_SCRIPTS, **_UNBUFFERED})


def _render(template: str, values: dict[str, Any]) -> str:
    return render_text(f"admin/{template}", folder=TEMPLATES, **values)


async def follow(work: Work, request: Request) -> AsyncIterator[_Piece]:
    """The pieces that ``work`` tells, and how it ended where it failed."""
    told: asyncio.Queue[_Piece | None] = asyncio.Queue()

    def tell(template: str, **values: Any) -> None:  # noqa: ANN401
        told.put_nowait((template, values))

    async def run() -> None:
        try:
            await work(tell)
        except Exception as exc:  # noqa: BLE001  the answer has begun: what went wrong can only be said on the page
            tell("problem", **_describe(exc, request))
        finally:
            told.put_nowait(None)

    task = asyncio.create_task(run())
    try:
        while (piece := await told.get()) is not None:
            yield piece
    finally:
        task.cancel()


def _describe(exc: Exception, request: Request) -> dict[str, Any]:
    error = exc if isinstance(exc, LatchpinError) else LatchpinError()
    trace = trace_of(request.scope, error)
    if error is exc:
        log_failure(error, trace)
    else:
        _log.error("Unexpected %s on a growing page [%s %s]", type(exc).__name__, *trace, exc_info=exc)
    seen = as_seen(error)
    return {
        "heading": seen.title,
        "text": text_for(error),
        "remedy": seen.remedy,
        "code": seen.slug,
        "trace": trace,
        "authorize_url": getattr(error, "authorize_url", None),
    }
