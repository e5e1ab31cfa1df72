"""The certified oidc-provider as a process: DCR and its management, PKCE, resources, ``iss``, rotation, revocation."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from latchpin_demo.browser import Browser, Page
from latchpin_demo.loopback import bind, url_of
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.conformance import suite
from tests.front_door.clients import PACKAGES as OF_CLIENTS
from tests.front_door.conftest import SCOPE_TO_WRITE, Behind
from tests.proxy.conftest import start_proxy
from tests.servers import serve_asgi
from tests.servers.processes import HOST, Reservation, ServerProcess
from tests.servers.programs import Node, find_node, install_packages
from tests.support.gateway_process import DeployedGateway

SCRIPT = Path(__file__).with_name("oidc_provider.mjs")


@dataclass(frozen=True, slots=True)
class Setup:
    """How the provider is to be.

    Attributes:
        clients: entered clients, as RFC 7591 metadata (``client_id``, ``client_secret``, ``redirect_uris``, ...).
        accounts: claims of an account by its login; any other login is an account with that verified address.
        scopes: besides ``openid`` and ``offline_access``.
        resource: the one resource (RFC 8707) that it issues tokens for; refresh tokens then come without
            ``offline_access`` too. None: it knows no resources.
        registration: whether anybody may register a client.
        claims_in_id_token: whether ``email`` and ``groups`` are in the ID token, not only at the userinfo endpoint.
    """

    clients: Sequence[Mapping[str, Any]] = ()
    accounts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    scopes: tuple[str, ...] = ()
    resource: str | None = None
    registration: bool = False
    claims_in_id_token: bool = False
    access_token_seconds: int = 3600

    def to_json(self, issuer: str, port: int) -> str:
        """What the script reads."""
        return json.dumps(
            {
                "issuer": issuer,
                "port": port,
                "clients": [dict(client) for client in self.clients],
                "accounts": {login: dict(claims) for login, claims in self.accounts.items()},
                "scopes": self.scopes,
                "resource": self.resource,
                "registration": self.registration,
                "claimsInIdToken": self.claims_in_id_token,
                "accessTokenSeconds": self.access_token_seconds,
            }
        )


@dataclass(frozen=True, slots=True)
class OidcProvider:
    """A running provider."""

    issuer: str
    process: ServerProcess

    def end_grants(self) -> None:
        """End all that people allowed so far, with its tokens."""
        httpx.get(f"{self.issuer}/end-grants", trust_env=False, timeout=60).raise_for_status()

    def told(self, event: str = "") -> list[dict[str, Any]]:
        """What it did: ``registered``, ``changed``, ``granted``, ``refused``, ``revoked``, ``forgotten``; or all."""
        mark = uuid.uuid4().hex
        httpx.get(f"{self.issuer}/told/{mark}", trust_env=False, timeout=60).raise_for_status()
        self.process.wait_for_output(mark)
        lines = [json.loads(line) for line in self.process.output.splitlines() if line.startswith('{"event"')]
        return [line for line in lines if event in {"", line["event"]}]


@contextlib.contextmanager
def start_oidc_provider(node: Node, packages: Path, setup: Setup) -> Iterator[OidcProvider]:
    """Serve it on a free port until the block ends; the issuer is its origin.

    Args:
        node: runs it.
        packages: the folder whose ``node_modules`` has oidc-provider.
        setup: how it is to be.
    """
    script = shutil.copy(SCRIPT, packages)
    with Reservation() as reservation:
        issuer = f"http://{HOST}:{reservation.port}"
        env = node.environment({"SETUP": setup.to_json(issuer, reservation.port)})
        with ServerProcess([node.program, str(script)], env=env, cwd=packages) as process:
            process.wait_for_output('{"event":"listening"}', timeout=60)
            yield OidcProvider(issuer, process)


async def answer_pages(browser: Browser, *, login: str, allow: bool = True) -> Page:
    """Sign in and consent on the provider's pages until the browser has left them.

    Start on the page that an authorization request leads to. Whoever is signed in there already is not asked again.
    """
    page = browser.page
    assert page is not None
    while any("/interaction/" in form.action for form in page.forms):
        page = await answer_page(browser, page, login=login, allow=allow)
    return page


async def answer_page(browser: Browser, page: Page, *, login: str, allow: bool = True, follow: bool = True) -> Page:
    """Answer one of them: its login or its consent."""
    form = page.form(action="/interaction/")
    if not allow and form.fields.get("prompt") == "consent":
        return await browser.open(f"{form.action.rstrip('/')}/abort", follow=follow)
    entries = {"login": login, "password": "any"} if form.fields.get("prompt") == "login" else {}
    return await browser.submit(form, follow=follow, **entries)


# Node, its packages installed once, and one gateway with every plugin that flows need.


PACKAGES = {
    "oidc-provider": "9.13.3",
    "@modelcontextprotocol/server-everything": "2026.8.31",
    suite.PACKAGE: suite.VERSION,
    **OF_CLIENTS,
}
FOLDER = Path(os.environ.get("NODE_PACKAGES") or Path(__file__).parents[2] / ".tox" / "node-packages")


@pytest.fixture(scope="session")
def node() -> Node:
    return find_node()


@pytest.fixture(scope="session")
def packages(node: Node) -> Path:
    """The folder with the installed ``node_modules``."""
    return install_packages(node, FOLDER.resolve(), PACKAGES).parent


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedGateway]:
    with start_proxy(Path(tmp_path_factory.mktemp("gateway"))) as deployed:
        yield deployed


@pytest.fixture(scope="module")
def everything(node: Node, packages: Path) -> Iterator[str]:
    program = packages / "node_modules/@modelcontextprotocol/server-everything/dist/index.js"
    with Reservation() as reservation:
        env = node.environment({"PORT": str(reservation.port)})
        with ServerProcess([node.program, str(program), "streamableHttp"], env=env, cwd=packages) as process:
            process.wait_until(lambda: _answers(reservation.port), tick=0.05, timeout=60)
            yield f"http://{HOST}:{reservation.port}/mcp"


def _answers(port: int) -> str | None:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return "listening"
    return None


# An MCP server of the official SDK that takes oidc-provider's tokens, asking it about each (RFC 7662).


SCOPE = "mcp:read"
RESOURCE_SERVER = {
    "client_id": "the-mcp-server",
    "client_secret": "the-secret-of-the-mcp-server-which-only-asks",
    "redirect_uris": [],
    "response_types": [],
    "grant_types": [],
}
"""The MCP server's own client at the provider: it asks about tokens and gets none."""


class _Introspection(TokenVerifier):
    """Believes what the provider says of a token now, so that a revoked one is refused at once."""

    def __init__(self, issuer: str, resource: str) -> None:
        self._url = f"{issuer}/token/introspection"
        self._resource = resource

    async def verify_token(self, token: str) -> AccessToken | None:
        login = (RESOURCE_SERVER["client_id"], RESOURCE_SERVER["client_secret"])
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
            facts = (await http.post(self._url, data={"token": token}, auth=(str(login[0]), str(login[1])))).json()
        if not facts.get("active") or facts.get("aud") != self._resource:
            return None
        return AccessToken(
            token=token,
            client_id=facts["client_id"],
            scopes=facts["scope"].split(),
            expires_at=facts["exp"],
            resource=self._resource,
            subject=facts["sub"],
        )


@contextlib.contextmanager
def serve_protected(listener: socket.socket, issuer: str, wants: _Wants | None = None) -> Iterator[str]:
    """Serve it on ``listener`` and give its endpoint; its metadata names ``issuer``."""
    url = f"{url_of(listener)}/mcp"
    auth = AuthSettings.model_validate(
        {
            "issuer_url": issuer,
            "resource_server_url": url,
            "required_scopes": [SCOPE],
            "validate_token_resource": True,
        }
    )
    verifier = _Introspection(issuer, url)
    server: MCPServer[None] = MCPServer("protected", token_verifier=verifier, auth=auth, log_level="WARNING")
    server.tool()(whose)
    app = server.streamable_http_app()
    with serve_asgi(app if wants is None else wants.before(app), sock=listener):
        yield url


class _Wants:
    """Answers one message, once it is told to, that it wants ``SCOPE_TO_WRITE`` too."""

    def __init__(self) -> None:
        self._more = threading.Semaphore(0)

    def more(self) -> None:
        """For the next message."""
        self._more.release()

    def before(self, app: ASGIApp) -> ASGIApp:
        """Stand before the server; the stream that some clients keep open besides is let through."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["method"] == "POST" and self._more.acquire(blocking=False):
                challenge = f'Bearer error="insufficient_scope", scope="{SCOPE_TO_WRITE}"'
                await Response(status_code=403, headers={"WWW-Authenticate": challenge})(scope, receive, send)
            else:
                await app(scope, receive, send)

        return answer


def whose() -> str:
    """Say whose token this is."""
    token = get_access_token()
    return str(token.subject) if token else "nobody's"


# Both as what stands behind a front door.


@contextlib.contextmanager
def certified_behind(node: Node, packages: Path) -> Iterator[Behind]:
    """Serve both."""
    with bind() as listener:
        resource = f"{url_of(listener)}/mcp"
        scopes, wants = (SCOPE, SCOPE_TO_WRITE), _Wants()
        setup = Setup(clients=[RESOURCE_SERVER], scopes=scopes, resource=resource, registration=True)
        with (
            start_oidc_provider(node, packages, setup) as provider,
            serve_protected(listener, provider.issuer, wants) as mcp_url,
        ):
            both = "Sign-in"  # the title of all its pages
            yield Behind(
                mcp_url,
                tool="whose",
                sign_in=both,
                consent=both,
                end_tokens=provider.end_grants,
                want_more=wants.more,
                gave_more=lambda: sum(SCOPE_TO_WRITE in (given["scope"] or "") for given in provider.told("granted")),
            )
