"""The mcp SDK's own authorization and resource server, as a developer would put one up with it."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape

from latchpin_demo.loopback import bind, url_of
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    OAuthAuthorizationServerProvider,
    RefreshToken,
    construct_redirect_uri,
)
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tests.providers.provider import Provider
from tests.servers import serve_asgi

__all__ = ["SdkAccounts", "SdkProvider", "start_sdk_provider"]

USER = "alice@example.com"
SCOPE = "mcp:read"
_HOUR = 3600


@dataclass
class SdkAccounts(OAuthAuthorizationServerProvider[AuthorizationCode, RefreshToken, AccessToken]):
    """The SDK asks its provider protocol; this one remembers everything in memory and asks for consent."""

    origin: str
    clients: dict[str, OAuthClientInformationFull] = field(default_factory=dict)
    waiting: dict[str, tuple[str, AuthorizationParams]] = field(default_factory=dict)
    codes: dict[str, AuthorizationCode] = field(default_factory=dict)
    access: dict[str, AccessToken] = field(default_factory=dict)
    refresh: dict[str, RefreshToken] = field(default_factory=dict)

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        return self.clients.get(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        assert client_info.client_id is not None
        self.clients[client_info.client_id] = client_info

    async def authorize(self, client: OAuthClientInformationFull, params: AuthorizationParams) -> str:
        name = secrets.token_urlsafe(16)
        assert client.client_id is not None
        self.waiting[name] = (client.client_id, params)
        return f"{self.origin}/ask/{name}/consent"

    async def show(self, request: Request) -> Response:
        """The consent page and its answer."""
        name = request.path_params["name"]
        client_id, params = self.waiting[name]
        if request.method == "GET":
            return HTMLResponse(
                f"<title>Consent</title><h1>{escape(str(self.clients[client_id].client_name))}</h1>"
                f'<form method="post" action="{request.url.path}"><button name="d" value="allow">Allow</button>'
                '<button name="d" value="deny">Deny</button></form>'
            )
        del self.waiting[name]
        if (await request.form())["d"] != "allow":
            denial = construct_redirect_uri(str(params.redirect_uri), error="access_denied", state=params.state)
            return RedirectResponse(denial, status_code=302)
        code = AuthorizationCode(
            code=secrets.token_urlsafe(32),
            client_id=client_id,
            scopes=params.scopes or [SCOPE],
            expires_at=time.time() + 60,
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
            subject=USER,
        )
        self.codes[code.code] = code
        answer = construct_redirect_uri(str(params.redirect_uri), code=code.code, state=params.state)
        return RedirectResponse(answer, status_code=302)

    async def load_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: str
    ) -> AuthorizationCode | None:
        return self.codes.get(authorization_code)

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        del self.codes[authorization_code.code]
        return self._issue(client, authorization_code.scopes, authorization_code.resource)

    async def load_refresh_token(self, client: OAuthClientInformationFull, refresh_token: str) -> RefreshToken | None:
        return self.refresh.get(refresh_token)

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: RefreshToken, scopes: list[str]
    ) -> OAuthToken:
        del self.refresh[refresh_token.token]
        return self._issue(client, scopes, refresh_token.resource)

    async def load_access_token(self, token: str) -> AccessToken | None:
        return self.access.get(token)

    async def revoke_token(self, token: AccessToken | RefreshToken) -> None:
        self.access = {name: kept for name, kept in self.access.items() if kept.client_id != token.client_id}
        self.refresh = {name: kept for name, kept in self.refresh.items() if kept.client_id != token.client_id}

    def _issue(self, client: OAuthClientInformationFull, scopes: list[str], resource: str | None) -> OAuthToken:
        access, refresh = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        facts = {"client_id": client.client_id, "scopes": scopes, "resource": resource, "subject": USER}
        self.access[access] = AccessToken.model_validate(
            facts | {"token": access, "expires_at": int(time.time()) + _HOUR}
        )
        self.refresh[refresh] = RefreshToken.model_validate(facts | {"token": refresh})
        return OAuthToken(
            access_token=access, token_type="Bearer", expires_in=_HOUR, scope=" ".join(scopes), refresh_token=refresh
        )


@dataclass(frozen=True, slots=True)
class SdkProvider(Provider):
    """The SDK's server; ``accounts`` shows clients and tokens."""

    accounts: SdkAccounts


@contextlib.contextmanager
def start_sdk_provider(*, slash: bool = False) -> Iterator[SdkProvider]:
    """Serve authorization server and MCP server on one port, the origin being the issuer.

    Args:
        slash: publish the issuer with a trailing slash, as the SDK does when it is given an ``AnyHttpUrl``.
    """
    with bind() as listener:
        origin = url_of(listener)
        accounts = SdkAccounts(origin)
        issuer = origin + "/" * slash
        auth = AuthSettings.model_validate(
            {
                "issuer_url": issuer,
                "resource_server_url": f"{origin}/mcp",
                "required_scopes": [SCOPE],
                "validate_token_resource": True,
                "client_registration_options": {
                    "enabled": True,
                    "valid_scopes": [SCOPE],
                    "default_scopes": [SCOPE],
                },
                "revocation_options": {"enabled": True},
            }
        )
        server: MCPServer[None] = MCPServer("sdk", auth_server_provider=accounts, auth=auth, log_level="WARNING")
        server.custom_route("/ask/{name}/consent", methods=["GET", "POST"])(accounts.show)
        server.tool()(whose)
        server.tool()(shout)
        with serve_asgi(server.streamable_http_app(), sock=listener):
            yield SdkProvider(f"{origin}/mcp", issuer, frozenset({"whose", "shout"}), accounts)


def whose() -> str:
    """Say whose token this is."""
    token = get_access_token()
    return str(token.subject) if token else "nobody's"


def shout(text: str) -> str:
    """Make it loud."""
    return text.upper() + "!"
