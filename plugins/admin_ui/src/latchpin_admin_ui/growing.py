"""Pages that grow: sent piece by piece while the work behind them goes on, to browsers with and without scripts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from latchpin.model import Caller
from latchpin.sdk.web import WITH_SCRIPTS, frame, render_text, tell_failure

from latchpin_admin_ui.pages import TEMPLATES

__all__ = ["Tell", "Work", "follow", "grow"]

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
            tell("problem", **tell_failure(request, exc)._asdict())
        finally:
            told.put_nowait(None)

    task = asyncio.create_task(run())
    try:
        while (piece := await told.get()) is not None:
            yield piece
    finally:
        task.cancel()
