"""Stands in for ``plugins/proxy`` where it is not installed: one MCP request in, one whole answer out.

It keeps the answer until it is complete, so server-sent events do not flow; everything about tokens is core's.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from latchpin.errors import AccessRefused
from latchpin.model import Gateway, Reply
from latchpin.tokens import UsableToken
from latchpin.web.identity import require_caller
from latchpin.web.routes_oauth import application_of, check_gateway_id

router = APIRouter()

_TAKEN = ("content-type", "accept", "mcp-session-id", "mcp-protocol-version", "mcp-method", "mcp-name", "last-event-id")
_GIVEN = ("content-type", "mcp-session-id")


@router.api_route("/gateways/{gateway_id}/mcp", methods=["POST", "DELETE"])
async def forward(request: Request, gateway_id: str) -> Response:
    """Forward with the caller's own token; renew it once, and step up where the server asks for more."""
    caller, application = await require_caller(request), application_of(request)
    gateway = await application.gateways.get(check_gateway_id(gateway_id), caller)
    if gateway.auth_type != "oauth":
        return _pass(await _send(request, gateway, None))
    token = await application.tokens.token_for(gateway, caller)
    reply = await _send(request, gateway, token)
    if reply.status == 401:
        token = await application.tokens.renew(gateway, caller, token.stored)
        reply = await _send(request, gateway, token)
        if reply.status == 401:
            raise application.tokens.refused(gateway, AccessRefused("HTTP 401", error="invalid_token"))
    return _pass(reply)


async def _send(request: Request, gateway: Gateway, token: UsableToken | None) -> Reply:
    headers = {
        name: value for name, value in request.headers.items() if name in _TAKEN or name.startswith("mcp-param-")
    }
    if token is not None:
        headers["authorization"] = f"Bearer {token.access_token}"
    upstream = application_of(request).services.upstream
    return await upstream.send(request.method, gateway.url, headers=headers, body=await request.body())


def _pass(reply: Reply) -> Response:
    headers = {name: value for name, value in reply.headers.items() if name in _GIVEN}
    return Response(reply.body, reply.status, headers=headers)
