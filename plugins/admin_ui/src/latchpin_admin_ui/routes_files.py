"""The files that the pages use: a style sheet, htmx, and a script of our own."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response
from latchpin.errors import NotFound

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_STATIC = Path(__file__).parent / "static"
_FILES = {"admin.css": "text/css", "admin.js": "text/javascript", "htmx.min.js": "text/javascript"}
_CACHED = {"cache-control": "public, max-age=3600"}


@router.get("/admin/static/{name}")
async def get_file(name: str) -> Response:
    """One of the files; nothing else in that folder can be named."""
    if name not in _FILES:
        raise NotFound("there is no such file")
    return FileResponse(_STATIC / name, media_type=_FILES[name], headers=_CACHED)
