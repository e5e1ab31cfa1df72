"""Whole pages, and pieces of pages for htmx."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from latchpin.model import Caller
from latchpin.sdk.web import WITH_SCRIPTS, frame, render, render_text

__all__ = ["TEMPLATES", "is_live", "show", "show_piece"]

TEMPLATES = Path(__file__).parent / "templates"


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
    return render(
        f"admin/{template}",
        title=title,
        status=status,
        headers=WITH_SCRIPTS,
        folder=TEMPLATES,
        **(await frame(request, caller) | values),
    )


async def show_piece(
    request: Request,
    caller: Caller,
    template: str,
    **values: Any,  # noqa: ANN401  what the template wants
) -> Response:
    """Answer htmx with what takes a place on the page that it is on."""
    text = render_text(f"admin/{template}", folder=TEMPLATES, **(await frame(request, caller) | values))
    return HTMLResponse(text.encode("utf-8", "replace"), headers=WITH_SCRIPTS)


def is_live(request: Request) -> bool:
    """Whether htmx asks, to put the answer into the page that is there."""
    return request.headers.get("hx-request") == "true"
