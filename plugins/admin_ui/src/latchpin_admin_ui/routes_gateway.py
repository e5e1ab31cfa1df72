"""The page of one gateway: my connection, its tools with their schemas, and for administrators its entry."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from latchpin.model import Gateway
from latchpin.sdk.gateway import Application, wants_key
from latchpin.sdk.web import CurrentApplication, GatewayId, SignedInCaller, mcp_url_of

from latchpin_admin_ui.pages import show
from latchpin_admin_ui.plugin import has_doctor
from latchpin_admin_ui.routes_connections import find_mine
from latchpin_admin_ui.tool_views import ToolView

__all__ = ["router"]

router = APIRouter(prefix="/admin/gateways", include_in_schema=False)


@router.get("/{gateway_id}")
async def show_gateway(
    request: Request, caller: SignedInCaller, application: CurrentApplication, gateway_id: GatewayId
) -> Response:
    """One gateway, for everybody who may use it."""
    gateway = await application.gateways.get(gateway_id, caller)
    people, clients, ruled = 0, 0, ""
    if caller.is_admin:
        people = len(await application.connections.list(caller, gateway_id=gateway.id))
        clients = len(await application.services.records.clients.list(gateway_id=gateway.id))
        ruled = (await application.entry_notes("gateways")).get(gateway.id, "")
    return await show(
        request,
        caller,
        "gateway",
        title=gateway.name,
        gateway=gateway,
        mcp_url=mcp_url_of(request, gateway.id),
        mine=await find_mine(application, gateway, caller),
        tools=[ToolView.of(tool) for tool in await application.toolbox.stored(gateway, caller)],
        assumes_pkce=gateway.oauth is not None and gateway.oauth.assume_pkce is True,
        facts=_facts(application, gateway) if caller.is_admin else (),
        people=people,
        clients=clients,
        ruled=ruled,
        tests=has_doctor(),
    )


def _facts(application: Application, gateway: Gateway) -> list[tuple[str, str]]:
    """What an administrator entered or the gateway found out, in words."""
    users = ", ".join(gateway.allowed_users) or "everyone who is signed in"
    config = gateway.oauth
    if wants_key(gateway):
        facts, place = [("Who may use it", users), ("OAuth", "none: the server wants an API key")], gateway.api_key
        return facts if place is None else [*facts, ("Sent in", f"{place.header}: {place.prefix}…")]
    if config is None:
        return [("Who may use it", users), ("OAuth", "none")]
    issuer = config.issuer or gateway.pinned_issuer
    trust = f"tokens from {issuer} will be sent to {gateway.url}" if issuer else "found at the first authorization"
    client = "registered or published by the gateway itself"
    if config.client_id is not None:
        client = f"{config.client_id}, {'with' if config.client_secret else 'without'} a secret"
    return [
        ("Who may use it", users),
        ("Grant", config.grant_type),
        ("Trust", trust),
        ("Client", client),
        ("Scopes", " ".join(config.scopes) or "what the server asks for"),
        ("Redirect URI", config.redirect_uri or application.services.settings.redirect_uri),
    ]
