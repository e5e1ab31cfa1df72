"""The data plane's one question: which token or key goes up for this caller at this gateway?

The request is the caller's own, without its body. What is judged is what the MCP endpoint judges; what it would refuse
is refused in its words. A plain ASGI application, since without a cache every call asks.
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from datetime import datetime
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response
from latchpin.contracts import Admitted, McpExchanges
from latchpin.errors import LatchpinError, NotFound, SettingsError
from latchpin.model import Caller
from latchpin.sdk.gateway import Application
from latchpin.sdk.settings import CoreSettings, load
from latchpin.sdk.web import serve_aside

from latchpin_edge.errors import UseTheProxy
from latchpin_edge.listening import OnlyHere, bind, came_aside
from latchpin_edge.settings import EdgeSettings, parse_listen
from latchpin_edge.ways import AUTHORIZATION, detour_of, header_of

__all__ = ["PATH", "TokenQuestion"]

_log = logging.getLogger("latchpin.edge")

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

PATH = "/edge/token/{gateway_id}"
SECRET, PEER, URL, HEADER = b"x-edge-secret", b"x-edge-peer", b"x-edge-url", b"x-edge-header"
_OURS = b"x-edge-"
COMPLAINT_SECONDS = 60.0


class TokenQuestion:
    """Tell the data plane which token or key goes up for a caller; for it alone.

    Usable between the two ends of ``lifespan``.
    """

    _application: Application
    _exchanges: McpExchanges
    _core: CoreSettings
    _settings: EdgeSettings

    def __init__(self) -> None:
        self._secret: bytes | None = None
        self._complained = -math.inf

    @contextlib.asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Begin to answer, and to listen where the data plane asks.

        Raises:
            SettingsError: it cannot be listened there, or there are no MCP endpoints.
        """
        self._application = app.state.application
        self._core = self._application.services.settings
        self._settings = load(EdgeSettings)
        if self._settings.edge_secret is None:
            yield
            return
        self._exchanges = await _open_exchanges(self._application)
        self._secret = self._settings.edge_secret.get_secret_value().encode()
        self._aside = parse_listen(self._settings.edge_listen)
        if self._aside is None:
            yield
            return
        async with serve_aside(OnlyHere(app), [bind(self._aside, workers=self._core.workers)]):
            _log.info("The data plane may ask at %s", self._settings.edge_listen)
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one question."""
        answer = await self._answer(scope)
        await answer(scope, receive, send)

    async def _answer(self, scope: Scope) -> Any:  # noqa: ANN401  an ASGI application
        self._check_may_ask(scope)
        gateway_id, asked = scope["path_params"]["gateway_id"], _as_it_came(scope)
        caller: Caller | None = None
        try:
            admitted = await self._exchanges.admit(asked, gateway_id)
            caller = admitted.caller
            self._check_native(admitted, _field(scope, URL).decode("latin-1"), _field(scope, HEADER).decode("latin-1"))
            return await self._grant(admitted)
        except LatchpinError as exc:
            return await self._exchanges.refuse(exc, asked, gateway_id, caller)

    def _check_may_ask(self, scope: Scope) -> None:
        """Raise NotFound as for an address where nothing is, unless the data plane asks, where it may."""
        if self._secret is None or (self._aside is not None and not came_aside(scope)):
            raise NotFound
        shown = [value for name, value in scope["headers"] if name == SECRET]
        if len(shown) != 1 or not hmac.compare_digest(shown[0], self._secret):
            self._complain()
            raise NotFound

    def _complain(self) -> None:
        now = self._application.services.clock().timestamp()
        if now - self._complained >= COMPLAINT_SECONDS:
            self._complained = now
            _log.warning("Somebody asks for tokens without EDGE_SECRET: write the data plane's configuration anew")

    def _check_native(self, admitted: Admitted, configured: str, header: str) -> None:
        gateway = admitted.gateway
        reason = detour_of(gateway, self._settings, self._core)
        if reason is None and configured not in {"", gateway.url}:
            reason = "the data plane was configured for another URL of this gateway"
        if reason is None and (header.lower() or AUTHORIZATION) != header_of(gateway):
            reason = "the data plane was configured for another header field of this gateway's"
        if reason is None and not admitted.asks_nothing:
            reason = "in this session the server may ask the person something"
        if reason is None and admitted.holds_back:
            reason = "rules hold tools back from this caller, so that each message is judged"
        if reason is None and admitted.told_here:
            reason = "each call is recorded (AUDIT_CALLS), which the data plane cannot do"
        if reason is not None:
            raise UseTheProxy(reason)

    async def _grant(self, admitted: Admitted) -> Response:
        gateway, caller = admitted.gateway, admitted.caller
        headers, ends = {"x-upstream-url": gateway.url}, [caller.expires_at]
        if gateway.auth_type != "none":
            access = await self._application.access.get(gateway.id, caller)
            if access.gateway.revision != gateway.revision:  # the token may be another server's by now
                raise UseTheProxy("the gateway was changed since its URL was read")
            token = access.token or await self._application.tokens.token_for(gateway, caller)
            if token.proof is not None:
                raise UseTheProxy("the token is bound to a key, so each request needs a proof of its own")
            ((_, headers["x-upstream-authorization"]),) = await token.fields("POST", gateway.url)
            ends.append(token.stored.expires_at)
        if admitted.session is not None:
            headers["x-upstream-session"] = admitted.session
        seconds = self._seconds(ends)
        headers["cache-control"] = f"max-age={seconds}" if seconds else "no-store"
        return Response(headers=headers)

    def _seconds(self, ends: list[datetime | None]) -> int:
        """How long the answer holds: it outlives neither the caller's proof nor the token."""
        now = self._application.services.clock()
        left = [int((end - now).total_seconds()) for end in ends if end is not None]
        return max(0, min([self._settings.edge_cache_seconds, *left]))


async def _open_exchanges(application: Application) -> McpExchanges:
    ways = application.services.mcp_servers
    if not ways:
        text = "EDGE_SECRET is set, and nothing installed leads to MCP servers"
        raise SettingsError(text, remedy="Install latchpin-proxy with pip, or leave EDGE_SECRET empty.")
    return await ways[0].open(application)


def _as_it_came(scope: Scope) -> Scope:
    """The caller's request as it reached the data plane, which says who its peer was."""
    headers = [(name, value) for name, value in scope["headers"] if not name.startswith(_OURS)]
    peer = _field(scope, PEER).decode("latin-1")
    return {**scope, "headers": headers, "client": (peer, 0) if peer else None}


def _field(scope: Scope, name: bytes) -> bytes:
    values = [value for found, value in scope["headers"] if found == name]
    return values[0] if len(values) == 1 else b""
