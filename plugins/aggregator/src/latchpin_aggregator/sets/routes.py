"""The sets' API: administrators write, callers read what ``allowed_users`` lets them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from latchpin.model import Caller
from latchpin.sdk.gateway import Application
from latchpin.sdk.web import CurrentApplication, SignedInCaller, WritingAdmin, problems, read_json, takes_json

from latchpin_aggregator.sets.directory import describe_set, open_sets
from latchpin_aggregator.sets.documents import SetDocument, SetList, SetRemoved
from latchpin_aggregator.sets.entry import SetBody, parse_set_body
from latchpin_aggregator.sets.gateway_set import GatewaySet

__all__ = ["router"]

router = APIRouter(prefix="/sets", tags=["gateways"])

_BODY = takes_json(SetBody)


@router.get("", summary="List sets of gateways", response_model=SetList, response_model_exclude_unset=True)
async def list_sets(caller: SignedInCaller, application: CurrentApplication) -> dict[str, Any]:
    """The sets that the caller may use, by slug."""
    found = await (await open_sets(application)).list(caller)
    sets = await _describe(found, application, caller)
    return {"sets": sets, "total": len(sets)}


@router.post(
    "",
    summary="Create a set of gateways",
    status_code=201,
    response_model=SetDocument,
    response_model_exclude_unset=True,
    responses={
        201: {"headers": {"location": {"description": "The set's URL.", "schema": {"type": "string"}}}},
        **problems(409),
    },
    openapi_extra=_BODY,
)
async def create_set(
    request: Request, response: Response, caller: WritingAdmin, application: CurrentApplication
) -> dict[str, Any]:
    """Create a set; MCP clients reach it at its ``url`` from then on."""
    made = await (await open_sets(application)).create(await _read(request), caller)
    response.headers["location"] = f"{application.services.settings.base_url}/sets/{made.slug}"
    return (await _describe([made], application, caller))[0]


@router.get(
    "/{slug}",
    summary="Read a set of gateways",
    response_model=SetDocument,
    response_model_exclude_unset=True,
    responses=problems(404),
)
async def get_set(caller: SignedInCaller, application: CurrentApplication, slug: str) -> dict[str, Any]:
    """One set."""
    found = await (await open_sets(application)).get(slug, caller)
    return (await _describe([found], application, caller))[0]


@router.put(
    "/{slug}",
    summary="Change a set of gateways",
    response_model=SetDocument,
    response_model_exclude_unset=True,
    responses=problems(404, 409),
    openapi_extra=_BODY,
)
async def change_set(
    request: Request, caller: WritingAdmin, application: CurrentApplication, slug: str
) -> dict[str, Any]:
    """Change a set: an absent key keeps what is there, null clears it."""
    changed = await (await open_sets(application)).change(slug, await _read(request), caller)
    return (await _describe([changed], application, caller))[0]


@router.delete("/{slug}", summary="Remove a set of gateways", response_model=SetRemoved, responses=problems(404))
async def remove_set(caller: WritingAdmin, application: CurrentApplication, slug: str) -> dict[str, Any]:
    """Remove a set. Its gateways stay, each with its own endpoint."""
    removed = await (await open_sets(application)).remove(slug, caller)
    return {"success": True, "message": f"{removed.name} is not there any more"}


async def _describe(found: list[GatewaySet], application: Application, caller: Caller) -> list[dict[str, Any]]:
    gateways, base_url = await application.gateways.list(caller), application.services.settings.base_url
    return [describe_set(each, caller, gateways=gateways, base_url=base_url) for each in found]


async def _read(request: Request) -> SetBody:
    return parse_set_body(await read_json(request))
