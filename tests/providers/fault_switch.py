"""A healthy authorization server and MCP server whose every endpoint can be told to misbehave, and which remember."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

from latchpin_demo.authorization_server import AuthorizationServer
from latchpin_demo.loopback import bind, url_of
from latchpin_demo.mcp_server import PATH, build_mcp_app
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.providers.demo_provider import TOOLS
from tests.providers.faults import Fault
from tests.providers.provider import Provider
from tests.servers import serve_asgi

__all__ = ["ENDPOINTS", "Asked", "FaultSwitch", "start_fault_switch"]

ENDPOINTS = {
    "/.well-known/oauth-protected-resource": "resource-metadata",
    "/.well-known/oauth-authorization-server": "metadata",
    "/.well-known/openid-configuration": "openid",
    "/accounts/.well-known/openid-configuration": "openid",
    "/accounts/authorize": "authorize",
    "/accounts/interaction": "pages",
    "/accounts/token": "token",
    "/accounts/revoke": "revoke",
    "/accounts/register/": "manage",
    "/accounts/register": "register",
    PATH: "mcp",
}
"""Path prefixes and what they are called here. ``consent`` is the POST that sends the browser back."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that arrived. Header names are lower case."""

    endpoint: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The body as a form."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=bool(self.body)))

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class _Armed:
    fault: Fault
    times: int | None


@dataclass
class FaultSwitch:
    """The servers with a switch at each endpoint.

    Attributes:
        provider: where they are.
        accounts: the healthy authorization server below; ``accounts.ledger`` shows clients and tokens.
    """

    provider: Provider
    accounts: AuthorizationServer
    _app: ASGIApp
    _mcp_app: ASGIApp
    _armed: dict[str, _Armed] = field(default_factory=dict)
    _asked: list[Asked] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, endpoint: str, fault: Fault, *, times: int | None = None) -> None:
        """Let ``endpoint`` misbehave, for the next ``times`` requests or until ``heal``."""
        if endpoint not in {*ENDPOINTS.values(), "consent"}:
            raise ValueError(f"{endpoint} is none of {sorted({*ENDPOINTS.values(), 'consent'})}")
        with self._lock:
            self._armed[endpoint] = _Armed(fault, times)

    def heal(self, *endpoints: str) -> None:
        """Let these endpoints, or all, be well again."""
        with self._lock:
            for endpoint in endpoints or list(self._armed):
                self._armed.pop(endpoint, None)

    def asked(self, endpoint: str = "") -> list[Asked]:
        """The requests so far, to ``endpoint`` or to all, first to last."""
        with self._lock:
            return [asked for asked in self._asked if endpoint in {"", asked.endpoint}]

    def forget(self) -> None:
        """Forget the requests so far."""
        with self._lock:
            self._asked.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, healthily or not."""
        if scope["type"] != "http":
            await self._mcp_app(scope, receive, send)
            return
        endpoint = _classify(scope["path"])
        if scope["method"] == "POST" and scope["path"].endswith("/consent"):
            endpoint = "consent"
        app = self._mcp_app if endpoint in {"mcp", "resource-metadata"} else self._app
        body, replay = await _tee(receive)
        with self._lock:
            self._asked.append(_describe(endpoint, scope, body))
            fault = self._take(endpoint)
        if fault is None:
            await app(scope, replay, send)
        else:
            await fault(app, scope, replay, send)

    def _take(self, endpoint: str) -> Fault | None:
        armed = self._armed.get(endpoint)
        if armed is None or armed.times == 0:
            return None
        if armed.times is not None:
            armed.times -= 1
        return armed.fault


def _classify(path: str) -> str:
    return next((name for prefix, name in ENDPOINTS.items() if path.startswith(prefix)), "unknown")


def _describe(endpoint: str, scope: Scope, body: bytes) -> Asked:
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
    return Asked(endpoint, scope["method"], scope["path"], query, headers, body)


async def _tee(receive: Receive) -> tuple[bytes, Receive]:
    """The whole body, and a ``receive`` that gives it once more before it listens on."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message["type"] == "http.request" and message.get("more_body", False)
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return body, replay


@contextlib.contextmanager
def start_fault_switch(*, token_lifetime: timedelta = timedelta(hours=1)) -> Iterator[FaultSwitch]:
    """Serve both on one port, healthy until told otherwise."""
    with bind() as listener:
        origin = url_of(listener)
        accounts = AuthorizationServer(origin, resources={origin + PATH}, token_lifetime=token_lifetime)
        mcp_app = build_mcp_app(origin, issuer=accounts.issuer, ledger=accounts.ledger)
        switch = FaultSwitch(Provider(origin + PATH, accounts.issuer, TOOLS), accounts, accounts.app, mcp_app)
        with serve_asgi(switch, sock=listener):
            yield switch
