"""The API of groups and rules: for administrators."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from latchpin.model import Caller
from latchpin.sdk.gateway import Application, parse_body
from latchpin.sdk.web import AdminCaller, CurrentApplication, WritingAdmin, problems, read_json, takes_json
from pydantic import BaseModel

from latchpin_policy.book import book_of
from latchpin_policy.documents import (
    AccessDocument,
    ChangedTool,
    ChangedTools,
    GroupDocument,
    GroupList,
    Removed,
    RuleDocument,
    RuleList,
)
from latchpin_policy.entry import ApprovalBody, GroupBody, RuleBody, parse_group_name
from latchpin_policy.explaining import explain
from latchpin_policy.pins import pins_of

__all__ = ["router"]

router = APIRouter(tags=["gateways"])

BodyT = TypeVar("BodyT", bound=BaseModel)


@router.get("/rules", summary="List rules about tools and scopes", response_model=RuleList)
async def list_rules(caller: AdminCaller, application: CurrentApplication) -> dict[str, Any]:  # noqa: ARG001
    """All rules, oldest first."""
    policy = await (await book_of(application)).current()
    return {"rules": [rule.describe() for rule in policy.rules], "total": len(policy.rules)}


@router.post(
    "/rules",
    summary="Make a rule about tools or scopes",
    status_code=201,
    response_model=RuleDocument,
    responses={
        201: {"headers": {"location": {"description": "The rule's URL.", "schema": {"type": "string"}}}},
        **problems(409),
    },
    openapi_extra=takes_json(RuleBody),
)
async def create_rule(
    request: Request, response: Response, caller: WritingAdmin, application: CurrentApplication
) -> dict[str, Any]:
    """Make a rule, which holds everywhere within a second."""
    body, known = await _read(request, RuleBody), await _known(application, caller)
    made = await (await book_of(application)).create_rule(body, caller, gateways=known)
    response.headers["location"] = f"{application.services.settings.base_url}/rules/{made.id}"
    return made.describe()


@router.get("/rules/{rule_id}", summary="Read a rule", response_model=RuleDocument, responses=problems(404))
async def get_rule(caller: AdminCaller, application: CurrentApplication, rule_id: str) -> dict[str, Any]:  # noqa: ARG001
    """One rule."""
    return (await (await book_of(application)).rule(rule_id)).describe()


@router.put(
    "/rules/{rule_id}",
    summary="Change a rule",
    response_model=RuleDocument,
    responses=problems(404, 409),
    openapi_extra=takes_json(RuleBody),
)
async def change_rule(
    request: Request, caller: WritingAdmin, application: CurrentApplication, rule_id: str
) -> dict[str, Any]:
    """Change a rule: an absent key keeps what is there, null clears it."""
    body, known = await _read(request, RuleBody), await _known(application, caller)
    return (await (await book_of(application)).change_rule(rule_id, body, caller, gateways=known)).describe()


@router.delete("/rules/{rule_id}", summary="Remove a rule", response_model=Removed, responses=problems(404))
async def remove_rule(caller: WritingAdmin, application: CurrentApplication, rule_id: str) -> dict[str, Any]:
    """Remove a rule."""
    removed = await (await book_of(application)).remove_rule(rule_id, caller)
    return {"success": True, "message": f"{removed.name} is not there any more"}


@router.get("/groups", summary="List groups of people", response_model=GroupList)
async def list_groups(caller: AdminCaller, application: CurrentApplication) -> dict[str, Any]:  # noqa: ARG001
    """The groups that are kept here, by name; what an identity provider says of people is not among them."""
    policy = await (await book_of(application)).current()
    return {"groups": [group.describe() for group in policy.groups], "total": len(policy.groups)}


@router.get("/groups/{name}", summary="Read a group of people", response_model=GroupDocument, responses=problems(404))
async def get_group(caller: AdminCaller, application: CurrentApplication, name: str) -> dict[str, Any]:  # noqa: ARG001
    """One group."""
    return (await (await book_of(application)).group(parse_group_name(name))).describe()


@router.put(
    "/groups/{name}",
    summary="Make or change a group of people",
    response_model=GroupDocument,
    responses=problems(409),
    openapi_extra=takes_json(GroupBody),
)
async def put_group(
    request: Request, caller: WritingAdmin, application: CurrentApplication, name: str
) -> dict[str, Any]:
    """Make a group, or put others in the place of its members."""
    body = await _read(request, GroupBody)
    return (await (await book_of(application)).put_group(parse_group_name(name), body, caller)).describe()


@router.delete("/groups/{name}", summary="Remove a group of people", response_model=Removed, responses=problems(404))
async def remove_group(caller: WritingAdmin, application: CurrentApplication, name: str) -> dict[str, Any]:
    """Remove a group: where a gateway, set or rule names it, the people listed in it are no longer meant."""
    removed = await (await book_of(application)).remove_group(parse_group_name(name), caller)
    return {"success": True, "message": f"the group {removed.name} is not there any more"}


@router.get("/changed-tools", summary="List tools that wait for approval", response_model=ChangedTools)
async def list_changed(caller: AdminCaller, application: CurrentApplication) -> dict[str, Any]:  # noqa: ARG001
    """Tools that are held back because their definition changed, or was never approved (`TOOL_PINNING`)."""
    held = await (await pins_of(application)).held()
    return {"tools": [pin.describe() for pin in held], "total": len(held)}


@router.post(
    "/changed-tools/{tool_id}/approve",
    summary="Approve a tool",
    response_model=ChangedTool,
    responses=problems(404, 409),
    openapi_extra=takes_json(ApprovalBody),
)
async def approve_changed(
    request: Request, caller: WritingAdmin, application: CurrentApplication, tool_id: str
) -> dict[str, Any]:
    """Let a tool through again, as it was seen: `hash` says which definition that was."""
    body = await _read(request, ApprovalBody)
    return (await (await pins_of(application)).approve(tool_id, body.hash, caller)).describe()


@router.get(
    "/access/explain",
    summary="Explain who may use what",
    response_model=AccessDocument,
    responses=problems(404),
)
async def explain_access(
    caller: AdminCaller,
    application: CurrentApplication,
    email: Annotated[str, Query(description="Whose access.")],
    tool: Annotated[str, Query(description="The tool, as its server calls it.")],
    gateway: Annotated[str, Query(description="A gateway's id; empty: every gateway.")] = "",
) -> dict[str, Any]:
    """Say what lets a person use a tool, or what keeps them from it."""
    found = [await application.gateways.get(gateway, caller)] if gateway else await application.gateways.list(caller)
    return (await explain(application, email, tool, found)).describe()


async def _known(application: Application, caller: Caller) -> set[str]:
    return {gateway.id for gateway in await application.gateways.list(caller)}


async def _read(request: Request, model: type[BodyT]) -> BodyT:
    return parse_body(model, await read_json(request))
