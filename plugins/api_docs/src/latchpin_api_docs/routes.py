"""The description of the API, the page that shows it, and the page's files."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from latchpin.errors import NotFound
from latchpin.sdk.web import frame_for_anybody, render, services_of

from latchpin_api_docs.description import describe_api

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_HERE = Path(__file__).parent
_TEMPLATES, _STATIC = _HERE / "templates", _HERE / "static"
_FILES = {
    "docs.css": "text/css",
    "docs.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
}
_CACHED = {"cache-control": "public, max-age=3600"}

# Swagger UI draws its icons from data: URLs; scripts and styles come from files of ours only.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


async def get_description(request: Request) -> Response:
    """The API's description."""
    app = request.app
    if app.openapi_schema is None:
        app.openapi_schema = describe_api(app, services_of(request).settings)
    return JSONResponse(app.openapi_schema)


router.add_route("/openapi.json", get_description, methods=["GET"], include_in_schema=False)


@router.get("/docs")
async def show_docs(request: Request) -> Response:
    """Swagger UI over /openapi.json; its files are served from here."""
    around, policy = await frame_for_anybody(request), {"content-security-policy": _POLICY}
    return render("api_docs", title="Latchpin API", folder=_TEMPLATES, headers=policy, **around)


@router.get("/docs/static/{name}")
async def get_docs_file(name: str) -> Response:
    """One of the files that the page uses; nothing else in that folder can be named."""
    if name not in _FILES:
        raise NotFound("there is no such file")
    return FileResponse(_STATIC / name, media_type=_FILES[name], headers=_CACHED)
