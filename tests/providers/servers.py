"""Authorization servers and MCP servers of different makes, each pair with the same face: ``Provider``."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from html import escape
from typing import Any

from latchpin_demo.authorization_server import AuthorizationServer
from latchpin_demo.browser import Browser, Page
from latchpin_demo.front_channel import PASSWORD
from latchpin_demo.loopback import bind, url_of
from latchpin_demo.mcp_server import PATH, build_mcp_app
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    OAuthAuthorizationServerProvider,
    RefreshToken,
    construct_redirect_uri,
)
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions, RevocationOptions
from mcp.server.mcpserver import MCPServer
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tests.servers import serve_asgi

# What every provider gives, and how a person gets through its pages.


@dataclass(frozen=True, slots=True)
class Provider:
    """A protected MCP server with its authorization server, both running.

    Attributes:
        mcp_url: the MCP server's endpoint; all else can be discovered from it.
        issuer: exactly as its metadata says.
        tools: the names of its tools.
    """

    mcp_url: str
    issuer: str
    tools: frozenset[str]


async def sign_in(
    browser: Browser, *, user: str = "alice@example.com", allow: bool = True, follow: bool = True
) -> Page:
    """Answer the authorization server's pages until the browser has left them.

    Start on the page that an authorization request leads to. Servers without a login or a consent page
    are left alone.

    Args:
        browser: shows the server's first page, or is back at the client already.
        user: who signs in.
        allow: what the person answers.
        follow: whether the answer's redirect to the client is followed; without, the page is that redirect.
    """
    page = browser.page
    assert page is not None
    if any(form.action.endswith("/login") for form in page.forms) and any("password" in f.fields for f in page.forms):
        page = await browser.submit(page.form(action="/login"), email=user, password=PASSWORD)
    if any(form.action.endswith("/consent") for form in page.forms):
        page = await browser.submit(page.form(action="/consent"), press="allow" if allow else "deny", follow=follow)
    return page


# The servers of ``latchpin demo``, in threads of the test process.


TOOLS = frozenset({"who_am_i", "search", "add"})


@dataclass(frozen=True, slots=True)
class DemoProvider(Provider):
    """The demo's two servers; ``accounts.ledger`` shows clients and tokens."""

    accounts: AuthorizationServer


@contextlib.contextmanager
def start_demo_provider(*, token_lifetime: timedelta = timedelta(hours=1)) -> Iterator[DemoProvider]:
    """Serve the demo's authorization server and MCP server, each on its own port."""
    with bind() as here, bind() as there:
        mcp_origin = url_of(there)
        accounts = AuthorizationServer(url_of(here), resources={mcp_origin + PATH}, token_lifetime=token_lifetime)
        mcp_app = build_mcp_app(mcp_origin, issuer=accounts.issuer, ledger=accounts.ledger)
        with serve_asgi(accounts.app, sock=here), serve_asgi(mcp_app, sock=there):
            yield DemoProvider(mcp_origin + PATH, accounts.issuer, TOOLS, accounts)


# The mcp SDK's own authorization and resource server, as a developer would put one up with it.


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


# fastmcp's in-memory OAuth provider: it registers clients, and consents without asking anybody.


@dataclass(frozen=True, slots=True)
class FastmcpProvider(Provider):
    """fastmcp's server; ``accounts``, its ``InMemoryOAuthProvider``, shows clients and tokens."""

    accounts: Any


@contextlib.contextmanager
def start_fastmcp_provider() -> Iterator[FastmcpProvider]:
    """Serve fastmcp's authorization server and an MCP server with two tools on one port."""
    from fastmcp import FastMCP  # heavy, not installed everywhere, and wanted by few tests
    from fastmcp.server.auth.providers.in_memory import InMemoryOAuthProvider

    with bind() as listener:
        origin = url_of(listener)
        accounts = InMemoryOAuthProvider(
            base_url=origin,
            client_registration_options=ClientRegistrationOptions(
                enabled=True, valid_scopes=[SCOPE], default_scopes=[SCOPE]
            ),
            revocation_options=RevocationOptions(enabled=True),
            required_scopes=[SCOPE],
        )
        server: FastMCP[None] = FastMCP("fastmcp", auth=accounts)
        server.tool(reverse)
        server.tool(count)
        with serve_asgi(server.http_app(path="/mcp"), sock=listener):
            yield FastmcpProvider(f"{origin}/mcp", str(accounts.issuer_url), frozenset({"reverse", "count"}), accounts)


def reverse(text: str) -> str:
    """Turn a text around."""
    return text[::-1]


def count(text: str) -> int:
    """Count the letters of a text."""
    return len(text)
