"""``client_credentials``: a service that an administrator entered, without a person."""

from __future__ import annotations

from typing import Any

from latchpin.model import VIA_ACCESS_TOKEN, Caller

from latchpin_authorization_server.errors import OAuthError
from latchpin_authorization_server.grant_types.request import TokenRequest, build_answer
from latchpin_authorization_server.server import AuthorizationServer

__all__ = ["CLIENT_CREDENTIALS", "give_service_token"]

CLIENT_CREDENTIALS = "client_credentials"


async def give_service_token(server: AuthorizationServer, request: TokenRequest) -> dict[str, Any]:
    """``client_credentials`` (RFC 6749 section 4.4): an access token alone, as who the administrator said.

    It ends with its client, and with the sessions of whom it acts as: ``AccessTokenIdentity`` looks.
    """
    client = request.client
    if client.auth_method == "none" or await server.find_service(client.id) is None:
        raise OAuthError("unauthorized_client", "no service of an administrator, or its person was signed out since")
    resource = await request.find_resource(
        request.form.get("resource", ""), Caller(client.acts_as, via=VIA_ACCESS_TOKEN)
    )
    if resource is None:
        raise OAuthError("invalid_target", "resource is the URL of an MCP endpoint that the service may use")
    token = await server.access_tokens.sign(email=client.acts_as, client_id=client.id, resource=resource.url)
    return build_answer(server, token)
