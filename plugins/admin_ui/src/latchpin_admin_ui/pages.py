"""Pages, pieces of pages for htmx, and pages that are sent while the work behind them goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from latchpin.model import Caller
from latchpin.web import pages
from latchpin.web.frame import frame

__all__ = ["is_live", "show", "show_piece", "stream"]

_TEMPLATES = Path(__file__).parent / "templates"
_PIECES = "<!-- pieces -->"
_UNBUFFERED = {"x-accel-buffering": "no"}
"""Asks nginx to pass each piece on as it comes."""


async def show(
    request: Request,
    caller: Caller,
    template: str,
    *,
    title: str,
    status: int = HTTPStatus.OK,
    **values: Any,  # noqa: ANN401  what the template wants
) -> Response:
    """Answer with a whole page."""
    return pages.render(
        f"admin/{template}",
        title=title,
        status=status,
        headers=pages.WITH_SCRIPTS,
        folder=_TEMPLATES,
        **(await frame(request, caller) | values),
    )


async def show_piece(
    request: Request,
    caller: Caller,
    template: str,
    **values: Any,  # noqa: ANN401  what the template wants
) -> Response:
    """Answer htmx with what takes a place on the page that it is on."""
    text = pages.render_text(f"admin/{template}", folder=_TEMPLATES, **(await frame(request, caller) | values))
    return HTMLResponse(text.encode("utf-8", "replace"), headers=pages.WITH_SCRIPTS)


async def stream(
    request: Request,
    caller: Caller,
    template: str,
    pieces: AsyncIterator[tuple[str, dict[str, Any]]],
    *,
    title: str,
    **values: Any,  # noqa: ANN401  what the template wants
) -> Response:
    """Answer with a page that grows: browsers show each piece as it comes, with and without scripts.

    Args:
        request: the request.
        caller: who asks.
        template: the page, with the comment ``pieces`` where they go.
        pieces: each as a template's name and what it wants. They must not raise: the answer has begun.
        title: the page's title.
        values: what the page's template wants.
    """
    framed = await frame(request, caller)
    whole = pages.render_text(f"admin/{template}", folder=_TEMPLATES, title=title, **(framed | values))
    head, _, tail = whole.partition(_PIECES)

    async def chunks() -> AsyncIterator[bytes]:
        yield head.encode("utf-8", "replace")
        async for name, wanted in pieces:
            piece = pages.render_text(f"admin/{name}", folder=_TEMPLATES, **(framed | wanted))
            yield piece.encode("utf-8", "replace")
        yield tail.encode("utf-8", "replace")

    return StreamingResponse(chunks(), media_type="text/html", headers={**pages.WITH_SCRIPTS, **_UNBUFFERED})


def is_live(request: Request) -> bool:
    """Whether htmx asks, to put the answer into the page that is there."""
    return request.headers.get("hx-request") == "true"
