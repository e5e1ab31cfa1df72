"""The route: who may call, the exchange from its first byte to its last, and refusals as MCP clients read them.

A plain ASGI application, since every MCP message passes here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from typing import Any

from fastapi import FastAPI, Request
from latchpin.errors import LatchpinError
from latchpin.model import Caller
from latchpin.sdk.gateway import Application
from latchpin.sdk.outbound import open_session
from latchpin.sdk.settings import CoreSettings, load
from latchpin.sdk.urls import origin_of
from latchpin.sdk.web import check_gateway_id, read_header, require_caller
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from latchpin_proxy.bindings import Bindings
from latchpin_proxy.call import Call, open_call
from latchpin_proxy.errors import TooManyExchanges
from latchpin_proxy.exchange import LAST, Exchange
from latchpin_proxy.headers import build_request_headers
from latchpin_proxy.inbound import Inbound
from latchpin_proxy.refusing import Refusing
from latchpin_proxy.relay import McpRequest, Relay
from latchpin_proxy.resource import check_origin, resource_url
from latchpin_proxy.room import Room
from latchpin_proxy.settings import ProxySettings
from latchpin_proxy.waiting import wait_for_person

__all__ = ["METHODS", "McpEndpoint"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

METHODS = ("POST", "GET", "DELETE")
CONNECT_TIMEOUT = 10.0
SKIPPED = 8_388_608
"""How much of a refused request's body is still read, in bytes; beyond it the connection ends."""


class McpEndpoint:
    """``/gateways/{gateway_id}/mcp``. Usable between the two ends of ``lifespan``."""

    _application: Application
    _core: CoreSettings
    _settings: ProxySettings
    _relay: Relay

    def __init__(self) -> None:
        self._under_way: Counter[str] = Counter()
        self._room = Room()

    @contextlib.asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Open the way out: a session of its own, because streams hold their connections for as long as they like."""
        self._application = app.state.application
        self._core = self._application.services.settings
        self._settings = load(ProxySettings)
        self._own_origin = origin_of(self._core.base_url).encode()
        self._bindings = Bindings(self._application.services.kept, self._application.services.cipher)
        self._user_header = (self._core.trusted_user_header or "").lower().encode() or None
        async with open_session(
            allow_private_networks=self._core.oauth_allow_private_networks,
            connections=0,
            connections_per_host=0,
            connect_timeout=CONNECT_TIMEOUT,
            observers=self._application.services.observers,
        ) as session:
            self._refusing = Refusing(self._application)
            self._relay = Relay(self._application, session, idle=self._settings.proxy_idle_timeout)
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        settings = self._settings
        inbound = Inbound(receive, limit=settings.proxy_max_request_bytes, idle=settings.proxy_idle_timeout)
        caller: Caller | None = None
        call: Call | None = None
        try:
            if scope["method"] not in METHODS:  # the framework lets HEAD in wherever GET is
                raise HTTPException(405, headers={"allow": ", ".join(METHODS)})
            caller = await self._caller(scope)
            with self._counted(caller.email):
                call = await self._read(scope, inbound, caller)
                await self._serve(call, Exchange(send, settings.proxy_idle_timeout, self._room))
        except LatchpinError as exc:
            await inbound.skip(SKIPPED)
            headers = {} if inbound.whole else dict(LAST)
            await (await self._refusing.answer(exc, scope, caller, call, headers))(scope, receive, send)

    # -- who ----------------------------------------------------------------------------------------------

    async def _caller(self, scope: Scope) -> Caller:
        """The caller, by bearer token or trusted proxy. Cookies do not count: pages elsewhere can make them come."""
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        check_origin(origins, read_header(scope, b"sec-fetch-site"), self._own_origin)
        bare = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
        resource = resource_url(self._core.base_url, scope["path_params"]["gateway_id"])
        return await require_caller(Request({**scope, "headers": bare}), resource=resource)

    @contextlib.contextmanager
    def _counted(self, email: str) -> Iterator[None]:
        if self._under_way.total() >= self._settings.proxy_max_exchanges:
            raise TooManyExchanges(f"{self._settings.proxy_max_exchanges} are under way at this worker")
        if self._under_way[email] >= self._settings.proxy_max_exchanges_per_user:
            raise TooManyExchanges(f"{self._settings.proxy_max_exchanges_per_user} of yours are under way")
        self._under_way[email] += 1
        try:
            yield
        finally:
            self._under_way[email] -= 1
            if not self._under_way[email]:
                del self._under_way[email]

    # -- the exchange -------------------------------------------------------------------------------------

    async def _read(self, scope: Scope, inbound: Inbound, caller: Caller) -> Call:
        gateway = await self._application.gateways.get(check_gateway_id(scope["path_params"]["gateway_id"]), caller)
        binder = await self._bindings.of(gateway, caller)
        body = await inbound.hold(self._settings.proxy_held_bytes)
        fields = build_request_headers(scope["headers"], also_drop=self._user_header, keep_length=body is None)
        request = McpRequest(gateway, caller, scope["method"], fields, body, inbound)
        own = gateway.auth_type == "oauth" and self._application.tokens.owner_of(gateway, caller) == caller.email
        return open_call(request, binder, base_url=self._core.base_url, private=own)

    async def _serve(self, call: Call, exchange: Exchange) -> None:
        work = asyncio.create_task(self._pass_on(call, exchange))
        gone = asyncio.create_task(call.request.inbound.gone())
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            left = not work.done()
            work.cancel()
            gone.cancel()
            await asyncio.wait({work, gone})
        if not left:
            work.result()
        elif not work.cancelled():
            work.exception()  # seen; nobody is there to be told
        if left and not exchange.begun:
            raise ClientDisconnect

    async def _pass_on(self, call: Call, exchange: Exchange) -> None:
        if call.resumed is not None:
            await wait_for_person(
                self._application, call.request, call.resumed, seconds=self._settings.proxy_authorization_wait
            )
        answer = await self._relay.open(call.request)
        try:
            await exchange.send(answer, call.request, call.terms)
        finally:
            answer.close()
