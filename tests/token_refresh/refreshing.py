"""An authorization server that rotates refresh tokens, and tokens put into a store for it."""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from unittest import mock
from urllib.parse import parse_qs

from latchpin.application import Application
from latchpin.assembly import assemble, utc_now
from latchpin.contracts import Clock
from latchpin.gateways.registry import parse_gateway_body
from latchpin.model import Caller, Gateway, StoredToken, TokenGrant
from latchpin.plugins.host import Plugins
from latchpin.settings import load
from latchpin.settings.core import CoreSettings
from latchpin.tokens.sealing import build_token

__all__ = ["HOUR", "RotatingServer", "Seen", "add_gateway", "open_application", "put_token"]

# An authorization server that rotates refresh tokens and takes a second use for theft, with an MCP server beside it.
#
# It is small, so that a thousand callers cost little, and tells what it saw: ``GET /seen``.


Hook = Callable[[str], Awaitable[None]]


@dataclass
class Seen:
    """What arrived.

    Attributes:
        refreshes: each refresh token that came to the token endpoint, in order.
        answers: what became of each.
        bearers: how often the MCP server was shown each access token that it took.
        most: the most refreshes under way at one moment.
    """

    refreshes: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    bearers: Counter[str] = field(default_factory=Counter)
    most: int = 0


async def _at_once(_refresh_token: str) -> None:
    return


class RotatingServer:
    """A family of tokens begins with any refresh token ``name.0``; its next ones are ``name.1``, ``name.2``, ...

    Who sends none gets the client's own token.

    Args:
        lifetime: of the access tokens, seconds.
        rotates: whether each refresh token is good once.

    Attributes:
        before: awaited before a refresh is carried out, with its refresh token.
        after: awaited when it has been, before the answer leaves.
        under_way: refreshes that are under way now.
        failing: a status that the token endpoint answers instead of doing anything.
        refusing: access tokens that the MCP server answers with 401; ``"*"`` means all.
    """

    def __init__(self, *, lifetime: int = 3600, rotates: bool = True) -> None:
        self.seen = Seen()
        self.before: Hook = _at_once
        self.after: Hook = _at_once
        self.refusing: set[str] = set()
        self.failing: int | None = None
        self._lifetime = lifetime
        self.rotates = rotates
        self._current: dict[str, int] = {}
        self._stolen: set[str] = set()
        self.under_way = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if scope["path"] == "/token":
            await self._token(body, send)
        elif scope["path"] == "/seen":
            await _answer(send, 200, self.tell())
        elif scope["path"].startswith("/.well-known/oauth-authorization-server"):
            await _answer(send, 200, _metadata(f"http://{dict(scope['headers'])[b'host'].decode()}"))
        else:
            await self._mcp(dict(scope["headers"]), send)

    def tell(self) -> dict[str, Any]:
        """What was seen, for JSON."""
        return {"refreshes": len(self.seen.refreshes), "bearers": dict(self.seen.bearers), "most": self.seen.most}

    async def _token(self, body: bytes, send: Any) -> None:
        refresh_token = parse_qs(body.decode()).get("refresh_token", ["own.-1"])[0]
        self.seen.refreshes.append(refresh_token)
        self.under_way += 1
        self.seen.most = max(self.seen.most, self.under_way)
        try:
            await self.before(refresh_token)
            status, document = self._redeem(refresh_token)
            await self.after(refresh_token)
        finally:
            self.under_way -= 1
        self.seen.answers.append(document.get("access_token") or document["error"])
        await _answer(send, status, document)

    def _redeem(self, refresh_token: str) -> tuple[int, dict[str, Any]]:
        if self.failing is not None:
            return self.failing, {"error": "temporarily_unavailable"}
        family, _, number = refresh_token.rpartition(".")
        current = self._current.setdefault(family, 0)
        if self.rotates and int(number) >= 0 and int(number) != current:
            self._stolen.add(family)
        if family in self._stolen:
            return 400, {"error": "invalid_grant"}
        self._current[family] = current + 1
        answer = {
            "access_token": f"{family}-access-{current + 1}",
            "token_type": "Bearer",
            "expires_in": self._lifetime,
        }
        return 200, answer | ({"refresh_token": f"{family}.{current + 1}"} if self.rotates else {})

    async def _mcp(self, headers: dict[bytes, bytes], send: Any) -> None:
        token = headers.get(b"authorization", b"").decode().removeprefix("Bearer ")
        if not token or token in self.refusing or "*" in self.refusing:
            await _answer(send, 401, {"error": "invalid_token"})
            return
        self.seen.bearers[token] += 1
        await _answer(send, 200, {"jsonrpc": "2.0", "id": 1, "result": {}})


async def _answer(send: Any, status: int, document: Any) -> None:
    body = json.dumps(document).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _metadata(origin: str) -> dict[str, Any]:
    return {
        "issuer": origin,
        "authorization_endpoint": f"{origin}/authorize",
        "token_endpoint": f"{origin}/token",
        "registration_endpoint": f"{origin}/register",
        "code_challenge_methods_supported": ["S256"],
    }


# Gateways and tokens put into a store as the gateway itself puts them, without a browser's way through a provider.


HOUR = timedelta(hours=1)
_ADMIN = Caller("admin@example.com", is_admin=True, via="local")


@contextlib.asynccontextmanager
async def open_application(environment: Mapping[str, str], clock: Clock = utc_now) -> AsyncIterator[Application]:
    """The scripts of a gateway over its real stores, as one more worker beside those that serve."""
    with mock.patch.dict(os.environ, environment):
        plugins, settings = Plugins(), load(CoreSettings)
        async with assemble(plugins, settings, clock=clock) as services:
            application = Application(services)
            yield application
            await application.close()


async def add_gateway(application: Application, server: str, **oauth: object) -> Gateway:
    """A gateway before ``server`` whose entry says everything, so that nothing is looked for."""
    config: dict[str, object] = {
        "client_id": "client",
        "client_secret": "the client's secret",
        "issuer": server,
        "authorization_url": f"{server}/authorize",
        "token_url": f"{server}/token",
        **oauth,
    }
    config = {name: value for name, value in config.items() if value is not None}
    return await application.gateways.create(
        parse_gateway_body({"url": f"{server}/mcp", "oauth_config": config}), _ADMIN
    )


async def put_token(
    application: Application,
    gateway: Gateway,
    email: str,
    *,
    refresh_token: str | None,
    age: timedelta = HOUR,
    life: timedelta = HOUR,
) -> StoredToken:
    """A token that was issued ``age`` ago to live ``life``; as it stands it has just expired."""
    services = application.services
    issued_at = services.clock() - age
    assert gateway.oauth is not None
    grant = TokenGrant(f"{email}-first", "Bearer", issued_at + life, refresh_token)
    token = build_token(
        services.cipher,
        grant,
        gateway_id=gateway.id,
        app_user_email=email,
        issuer=gateway.oauth.issuer,
        resource=None,
        client_id="client",
        scopes=(),
        earlier=None,
        now=issued_at,
    )
    await services.records.tokens.put(token, replacing=None)
    return token
