"""The route: who may call, the exchange from its first byte to its last, and refusals as MCP clients read them.

A plain ASGI application, since every MCP message passes here.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

from fastapi.responses import Response
from latchpin.contracts import Admitted
from latchpin.errors import LatchpinError, NotSignedIn, UpstreamTimeout
from latchpin.model import Caller, Gateway
from latchpin.sdk.gateway import Application
from latchpin.sdk.outbound import Failure, GuardedSession, find_egress, host_of, open_session
from latchpin.sdk.settings import load
from latchpin.sdk.web import check_gateway_id, parse_account, require_program
from latchpin_mcp.calls import CallObservers, WatchedCall, open_calls
from latchpin_mcp.message import Refused
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from latchpin_proxy.authorize_links import link_for
from latchpin_proxy.bindings import Bindings, acting
from latchpin_proxy.call import Call, open_call
from latchpin_proxy.carrying import carry
from latchpin_proxy.completing import make_look
from latchpin_proxy.errors import NameNotYours
from latchpin_proxy.exchange import LAST, Exchange
from latchpin_proxy.first_looks import FirstLooks
from latchpin_proxy.gating import Gating, answer_refused
from latchpin_proxy.headers import build_request_headers
from latchpin_proxy.inbound import Inbound
from latchpin_proxy.prepared import Preparing
from latchpin_proxy.refusing import Refusing, is_told
from latchpin_proxy.relay import McpRequest, Relay
from latchpin_proxy.resource import endpoint_path
from latchpin_proxy.returning import SESSION, open_headers
from latchpin_proxy.room import Room, Share
from latchpin_proxy.served import Served
from latchpin_proxy.settings import ProxySettings
from latchpin_proxy.under_way import UnderWay
from latchpin_proxy.visitors import is_visitor, show_endpoint
from latchpin_proxy.waiting import wait_for_person

__all__ = ["McpEndpoint", "open_endpoint"]

CONNECT_TIMEOUT = 10.0
ANSWERED = 4_194_304
"""How large a body may be that is not held, and is read all the same to say what its caller has to do, in bytes."""
SKIPPED = 8_388_608
"""How much of a refused request's body is still read, in bytes; beyond it the connection ends."""


_WITHOUT_MESSAGE = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
"""Methods of requests that are no calls."""


class McpEndpoint:
    """``/gateways/{gateway_id}/mcp``, and what other endpoints have done here for callers whom they judged.

    Args:
        application: the gateway.
        session: the way out.
        calls: are told of each call.
    """

    def __init__(self, application: Application, session: GuardedSession, calls: CallObservers) -> None:
        self._application = application
        self._core = application.services.settings
        self._settings = load(ProxySettings)
        self._bindings = Bindings(application.services.kept, application.services.cipher)
        self._preparing = Preparing(application, self._bindings)
        self._refusing = Refusing(application)
        self._relay = Relay(application, session)
        self._gating = Gating(application, self._relay)
        self._calls = calls
        self._under_way = UnderWay(self._settings.proxy_max_exchanges, self._settings.proxy_max_exchanges_per_user)
        self._room = Room()
        self._first_looks = FirstLooks()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if is_visitor(scope):
            page = await show_endpoint(scope, self._core.base_url)
            await page(scope, receive, send)
            return
        served = Served()
        try:
            await self._answer(scope, receive, send, served)
        finally:
            if served.watched is not None:
                await served.watched.end()

    async def serve(
        self,
        gateway: Gateway,
        caller: Caller,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        opens_links: bool = False,
        all_tools: bool = False,
    ) -> bool:
        """Serve one exchange of another endpoint: see ``latchpin.contracts.McpExchanges``."""
        served = Served(caller, judged=True, opens_links=opens_links, all_tools=all_tools)
        return await self._answer(_at(scope, gateway.id), receive, send, served)

    async def admit(self, scope: Scope, gateway_id: str) -> Admitted:
        """Judge a request that something else serves: see ``latchpin.contracts.McpExchanges``."""
        caller = await self._caller(_at(scope, gateway_id))
        self._under_way.check(caller.email)
        access = await self._application.access.get(check_gateway_id(gateway_id), caller)
        gateway, caller = access.gateway, acting(caller, access)
        named = [(SESSION, value.decode("latin-1")) for name, value in scope["headers"] if name == SESSION.encode()]
        fields, kind = open_headers(tuple(named), await self._bindings.of(gateway, caller))
        session = next((value for _, value in fields), None)
        asks_nothing = kind in {None, "session that asks nothing"}
        holds_back = await self._application.gates.of(gateway, caller) is not None
        told_here = self._calls.sees_all
        return Admitted(caller, gateway, session, asks_nothing, holds_back, told_here)

    async def refuse(self, error: LatchpinError, scope: Scope, gateway_id: str, caller: Caller | None) -> Response:
        """Answer such a request that is not served."""
        return await self._refusing.answer(error, _at(scope, gateway_id), caller, None, {})

    async def link_for(self, gateway: Gateway, caller: Caller) -> str:
        """The link by which ``caller`` authorizes ``gateway``."""
        caller = acting(caller, await self._application.access.get(gateway.id, caller))
        binder = await self._bindings.of(gateway, caller)
        return link_for(self._core.base_url, gateway.id, binder, caller.account or "")

    async def _answer(self, scope: Scope, receive: Receive, send: Send, served: Served) -> bool:
        """Answer a request; False: it was not passed on, or the server did not answer."""
        settings = self._settings
        most, idle = settings.proxy_max_request_bytes, settings.proxy_idle_timeout
        inbound = Inbound(receive, limit=most, idle=idle, first_looks=self._first_looks)
        try:
            caller = served.caller = served.caller or await self._caller(scope)
            if tells := bool(self._calls) and scope["method"] not in _WITHOUT_MESSAGE:
                send = served.watch(self._calls, caller, scope, send)
            self._under_way.begin(caller.email)
            try:
                given = served.follow(self._calls, caller, scope, send) if tells and self._calls.follows else send
                await self._serve(scope, caller, inbound, Exchange(given, inbound.watch, self._room), served)
            finally:
                self._under_way.end(caller.email)
                if served.share is not None:
                    served.share.hold(0)
        except ClientDisconnect:
            await served.end("cancelled")
            raise
        except Refused as exc:
            await served.end("refused", "held-back")
            await inbound.skip(SKIPPED)
            await answer_refused(exc, {} if inbound.whole else dict(LAST))(scope, receive, send)
            return False
        except LatchpinError as exc:
            await served.end("refused", exc.code)
            call = await self._with_body(exc, inbound, served.call)
            await inbound.skip(SKIPPED)
            headers = {} if inbound.whole else dict(LAST)
            answer = await self._refusing.answer(exc, scope, served.caller, call, headers)
            await answer(scope, receive, send)
            return False
        finally:
            if served.followed is not None:
                await served.followed.end()
        return True

    async def _with_body(self, error: LatchpinError, inbound: Inbound, call: Call | None) -> Call | None:
        """The call with its body, where that was too large to be held: it is answered in the words of what it asks."""
        if call is None or call.request.body is not None or not is_told(error, call.request.caller):
            return call
        share = Share(self._room)
        try:
            share.hold(ANSWERED)
            body = await inbound.read_late(ANSWERED)
        except Failure:  # too much is held already
            return call
        finally:
            share.hold(0)
        return call if body is None else replace(call, request=replace(call.request, body=body), is_held=False)

    # -- who ----------------------------------------------------------------------------------------------

    async def _caller(self, scope: Scope) -> Caller:
        path = endpoint_path(scope["path_params"]["gateway_id"])
        caller = await require_program(scope, self._core, path)
        account = parse_account(scope["query_string"])
        return caller if account is None else replace(caller, account=account)

    # -- the exchange -------------------------------------------------------------------------------------

    async def _serve(self, scope: Scope, caller: Caller, inbound: Inbound, exchange: Exchange, served: Served) -> None:
        """Pass one request on, and its answer back, under the watch.

        Raises:
            ClientDisconnect: the caller hung up before anything was given out.
            NotSignedIn: the caller's sessions ended before that.
        """
        watch = inbound.watch
        watch.serve(caller, self._application.departures)
        try:
            async with watch.over(inbound.gone):
                call = await self._read(scope, caller, inbound, served)
                served.call = served.within(call)
                await self._pass_on(served.call, exchange, served)
        except (TimeoutError, LatchpinError) as exc:
            if watch.ended is None:
                raise
            if watch.ended == "idle":
                await self._give_up(inbound, exchange, served.call)
            elif watch.ended == "out":
                await self._send_out(exchange, served)
            elif not exchange.begun:
                raise ClientDisconnect from exc
            else:
                await served.end("cancelled")

    async def _send_out(self, exchange: Exchange, served: Served) -> None:
        """After the caller's sessions ended: an answer that has begun does not go on.

        Raises:
            NotSignedIn: nothing has been given out.
        """
        if not exchange.begun or served.call is None:
            raise NotSignedIn("your sessions were ended while this was under way", remedy="Sign in again.")
        await exchange.break_off("its caller's sessions ended", served.call.request)
        await served.end("cancelled")

    async def _give_up(self, inbound: Inbound, exchange: Exchange, call: Call | None) -> None:
        """After nothing moved for too long; whoever was waited for is named.

        Raises:
            InvalidRequest, UpstreamTimeout: nothing has been given out.
        """
        if call is None or (inbound.awaited and not exchange.begun):
            raise inbound.too_slow()
        idle = f"{inbound.watch.idle:g} s"
        if not exchange.begun:
            raise UpstreamTimeout(f"{host_of(call.request.gateway.url)}: no answer within {idle}", sent=True)
        await exchange.break_off(f"nothing moved for {idle}", call.request)

    async def _read(self, scope: Scope, caller: Caller, inbound: Inbound, served: Served) -> Call:
        body, watched = await inbound.hold(self._settings.proxy_held_bytes), served.watched
        if watched is not None and body is not None:
            watched.read(body)
        access = await self._application.access.get(check_gateway_id(scope["path_params"]["gateway_id"]), caller)
        prepared, named = await self._preparing.of(access, caller), caller.account is not None
        gateway, caller = access.gateway, prepared.caller
        if watched is not None:
            watched.found(gateway, None)
        gate = await self._application.gates.of(gateway, caller)
        if body is None:
            body = None if gate is None else await self._hold_more(inbound, served)
            if watched is not None:
                watched.read(body)
        fields = build_request_headers(scope["headers"], also_drop=prepared.ours, keep_length=body is None)
        request = McpRequest(access, caller, scope["method"], fields, body, inbound)
        try:
            call = open_call(request, prepared.terms)
        except NameNotYours as exc:
            exc.body = body
            raise
        if named:  # a sign-in leads on to the person's default account alone
            call = replace(call, signs_in=False)
        if gate is None:
            return call
        served.call = served.within(call)
        return await self._gating.judge(call, gate, all_tools=served.all_tools)

    async def _judge_again(self, call: Call, served: Served) -> Call:
        """The call as it may go on after its person was waited for: rules may have been made meanwhile."""
        gate = await self._application.gates.of(call.request.gateway, call.request.caller)
        if gate is None:
            return replace(call, terms=replace(call.terms, tools=None))
        return await self._gating.judge(call, gate, all_tools=served.all_tools)

    async def _hold_more(self, inbound: Inbound, served: Served) -> bytes | None:
        """The whole of a large body, since it has to be judged; None if it is too large for that."""
        share = served.share = Share(self._room)
        with contextlib.suppress(Failure):  # too much is held already
            share.hold(ANSWERED)
            return await inbound.read_late(ANSWERED)
        return None

    async def _pass_on(self, call: Call, exchange: Exchange, served: Served) -> None:
        request = call.request
        if call.resumed is not None:
            seconds = self._settings.proxy_authorization_wait
            await wait_for_person(self._application, request, call.resumed, seconds=seconds)
            access = await self._application.access.read(request.gateway.id, request.caller)
            call = await self._judge_again(replace(call, request=replace(request, access=access)), served)
            request = call.request
        if served.followed is not None:
            request = _followed(request, served.followed)
        answer = await self._relay.open(request)
        if served.watched is not None:
            served.watched.call.request_bytes = request.inbound.seen
        try:
            listens = request.method == "GET" and call.can_open_links
            look = make_look(self._application, call) if listens else None
            await exchange.send(answer, request, call.terms, look=look)
        finally:
            answer.close()


def _followed(request: McpRequest, followed: WatchedCall) -> McpRequest:
    """The request with what those who follow it let travel along."""
    followed.found(request.gateway, None)
    followed.read(request.body)
    if request.body is None or not followed.call.carried:
        return request
    return replace(request, body=carry(request.body, followed.call.carried))


def _at(scope: Scope, gateway_id: str) -> Scope:
    """A request as if it had come to the endpoint of a gateway."""
    return {**scope, "path_params": {"gateway_id": gateway_id}}


async def open_endpoint(application: Application) -> McpEndpoint:
    """The endpoint of a running gateway, every time the same; it closes with the gateway."""
    return await application.services.context.shared("latchpin_proxy endpoint", partial(_opened, application))


@contextlib.asynccontextmanager
async def _opened(application: Application) -> AsyncIterator[McpEndpoint]:
    """Open the way out: a session of its own, because streams hold their connections for as long as they like."""
    async with open_session(
        allow_private_networks=application.services.settings.oauth_allow_private_networks,
        connections=0,
        connections_per_host=0,
        connect_timeout=CONNECT_TIMEOUT,
        egress=find_egress(application.services.settings),
        observers=application.services.observers,
    ) as session:
        yield McpEndpoint(application, session, await open_calls(application.services))
