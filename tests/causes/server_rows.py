"""Discovery, registration and tools: what other servers do before and after an authorization."""

from __future__ import annotations

from typing import Any

import httpx

from tests.causes.row import Row, Situation
from tests.causes.world import World
from tests.providers import faults
from tests.providers.faults import Fault
from tests.servers import Reservation

__all__ = ["SERVER_ROWS"]


def beginning(endpoint: str, fault: Fault, **settings: str) -> Situation:
    """Somebody begins while ``endpoint`` misbehaves."""

    async def bring(world: World) -> httpx.Response:
        gateway = await world.gateway(**settings)
        gateway_id = await gateway.add(world.provider.provider.mcp_url)
        world.provider.arm(endpoint, fault)
        return await world.authorize(gateway, gateway_id)

    return bring


async def nothing_published(world: World) -> httpx.Response:
    gateway = await world.gateway()
    gateway_id = await gateway.add(world.provider.provider.mcp_url)
    for endpoint in ("resource-metadata", "metadata", "openid"):
        world.provider.arm(endpoint, faults.status(404))
    return await world.authorize(gateway, gateway_id)


async def moved(world: World) -> httpx.Response:
    gateway = await world.gateway()
    async with world.begun(gateway) as begun:  # which pins the issuer
        known = await gateway.application.gateways.get_any(begun.id)
        found = await gateway.application.servers.find(known)
        other = f"{known.url.rpartition('/')[0]}/other"
        document: dict[str, Any] = dict(found.metadata.extra) | {"issuer": other}
        world.provider.arm("resource-metadata", faults.changed(authorization_servers=[other]))
        world.provider.arm("metadata", faults.answer(document))
        gateway.application.servers.forget(begun.id)
        return await world.authorize(gateway, begun.id)


def fetching(fault: Fault, **settings: str) -> Situation:
    """Somebody fetches tools while the MCP server misbehaves."""

    async def bring(world: World) -> httpx.Response:
        gateway = await world.gateway(**settings)
        gateway_id = await gateway.add(world.provider.provider.mcp_url, auth_type="none")
        world.provider.arm("mcp", fault)
        return await world.fetch_tools(gateway, gateway_id)

    return bring


async def nobody_listens(world: World) -> httpx.Response:
    gateway = await world.gateway()
    with Reservation() as nobody:  # bound, and nobody listens
        gateway_id = await gateway.add(f"http://127.0.0.1:{nobody.port}/mcp", auth_type="none")
        return await world.fetch_tools(gateway, gateway_id)


async def private_address(world: World) -> httpx.Response:
    gateway = await world.gateway(OAUTH_ALLOW_PRIVATE_NETWORKS="false")
    gateway_id = await gateway.add("https://127.0.0.1:1/mcp", auth_type="none")
    return await world.fetch_tools(gateway, gateway_id)


_MORE = 'Bearer error="insufficient_scope", scope="files:read"'

SERVER_ROWS = (
    Row(
        "discovery-failed",
        "the metadata is not there",
        beginning("metadata", faults.status(404)),
        "no-issuer",
        "/.well-known/oauth-authorization-server/accounts: HTTP 404",
    ),
    Row(
        "discovery-failed",
        "the metadata is of another issuer",
        beginning("metadata", faults.changed(issuer="https://evil.example")),
        "issuer-moved",
        "not identical",
    ),
    Row("no-issuer", "nothing is published", nothing_published, "discovery-failed"),
    Row("issuer-moved", "the MCP server names another issuer", moved, "discovery-failed", "was pinned"),
    Row(
        "pkce-unsupported",
        "the metadata lists no code challenge methods",
        beginning("metadata", faults.without("code_challenge_methods_supported")),
        "discovery-failed",
        "code_challenge_methods_supported",
    ),
    Row(
        "dcr-unsupported",
        "the metadata names no registration endpoint",
        beginning("metadata", faults.without("registration_endpoint")),
        "dcr-refused",
        "does not support RFC 7591",
    ),
    Row(
        "dcr-refused",
        "the registration endpoint answers invalid_redirect_uri",
        beginning("register", faults.oauth_error("invalid_redirect_uri")),
        "dcr-unsupported",
        "'invalid_redirect_uri'",
    ),
    Row(
        "dcr-failed",
        "the issuer is not in DCR_ALLOWED_ISSUERS",
        beginning("authorize", faults.status(500), DCR_ALLOWED_ISSUERS='["https://other.example"]'),
        "dcr-refused",
        "DCR_ALLOWED_ISSUERS",
    ),
    Row(
        "provider-unreachable",
        "the registration endpoint hangs up",
        beginning("register", faults.cut()),
        "provider-unreadable",
    ),
    Row(
        "provider-timeout",
        "the registration endpoint hangs",
        beginning("register", faults.hang(), OAUTH_REQUEST_TIMEOUT="2"),
        "provider-unreachable",
        "in time",
    ),
    Row(
        "provider-unreadable",
        "the registration endpoint answers without an end",
        beginning("register", faults.bomb(16)),
        "provider-unreachable",
        "larger than",
    ),
    Row("address-refused", "the MCP server is at a loopback address", private_address, "tools-unreachable"),
    Row("tools-unreachable", "nothing listens at the MCP server's URL", nobody_listens, "tools-timeout"),
    Row(
        "tools-timeout",
        "the MCP server hangs",
        fetching(faults.hang(), OAUTH_REQUEST_TIMEOUT="2"),
        "tools-unreachable",
        "in time",
    ),
    Row("tools-unreadable", "the MCP server answers with a page", fetching(faults.html()), "tools-unreachable"),
    Row(
        "access-refused",
        "the MCP server wants more scopes",
        fetching(faults.status(403, www_authenticate=_MORE)),
        "tools-unreadable",
        "files:read",
    ),
)
