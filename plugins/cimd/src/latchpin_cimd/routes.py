"""Serves the client metadata document, to everybody."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from latchpin.errors import NotFound
from latchpin.sdk.gateway import Services
from latchpin.sdk.settings import load
from latchpin.sdk.web import problems

from latchpin_cimd.document import PATH
from latchpin_cimd.publication import build_client
from latchpin_cimd.settings import CimdSettings
from latchpin_cimd.signing_key import open_key

__all__ = ["router"]

router = APIRouter(tags=["metadata"])

CACHE = "public, max-age=300"
"""Short, so that a new redirect URI or key is seen soon; servers may keep the document as long."""


@router.get(
    PATH,
    summary="Read this gateway's client metadata document",
    response_model=None,
    responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}, **problems(404)},
)
async def get_client_metadata(request: Request) -> Response:
    """The document that this gateway's ``client_id`` names, where it is used."""
    services: Services = request.app.state.services
    client, reason = build_client(load(CimdSettings), services.settings.base_url)
    if client is None:
        raise NotFound(f"there is no client metadata document: {reason}")
    keys = []
    if client.auth_method != "none":
        keys = [(await open_key(services.kept, services.cipher)).public]
    return JSONResponse(client.describe(keys), headers={"cache-control": CACHE, "access-control-allow-origin": "*"})
