"""The way of a person's browser: the client's request, the person's consent, their connections upstream, the code."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn
from urllib.parse import urlencode

from latchpin.contracts import ProtectedResource
from latchpin.errors import RecordConflict
from latchpin.model import Caller, Gateway
from latchpin.sdk.gateway import Application
from latchpin.sdk.oauth import hash_browser

from latchpin_authorization_server.clients.client import Client
from latchpin_authorization_server.devices.device import Device
from latchpin_authorization_server.devices.user_code import parse_user_code
from latchpin_authorization_server.errors import (
    AuthorizationRefused,
    ClientUnknown,
    EndpointNotYours,
    RedirectUriRefused,
    RequestGone,
)
from latchpin_authorization_server.grants.grant import make_grant
from latchpin_authorization_server.grants.requests import (
    AuthorizationRequest,
    PendingRequest,
    only_values,
    parse_request,
)
from latchpin_authorization_server.server import AuthorizationServer
from latchpin_authorization_server.steps import ALL, Answered, Ask, Connect, Leave, NextStep, build_answer

__all__ = ["Authorize", "connect_path"]


class Authorize:
    """One process's handling of authorization requests.

    Args:
        server: the authorization server.
        application: the gateway.
    """

    def __init__(self, server: AuthorizationServer, application: Application) -> None:
        self._server = server
        self._application = application

    async def begin(self, pairs: list[tuple[str, str]], caller: Caller, *, browser: str, meant: bool) -> NextStep:
        """Judge a request that a client sent by the person's browser.

        Args:
            pairs: the query.
            caller: who is signed in.
            browser: the browser's cookie.
            meant: no other site's page led the browser here, so that a consent given before counts.

        Raises:
            ClientUnknown, ClientDocumentRefused, RedirectUriRefused: only the person may be told.
            AuthorizationRefused: the client is told.
        """
        request, resource = await self._judge(pairs, caller)
        allowed = meant and not request.asks_again and await self._was_allowed(request, caller)
        if allowed and not await self._missing(resource, caller):
            return await self._answer(request, caller.email)
        pending = await self._server.requests.add(
            request, email=caller.email, browser=hash_browser(browser), step="connect" if allowed else "consent"
        )
        return await self._connect(pending, resource, caller) if allowed else Ask(pending, request.client, resource)

    async def begin_for_device(self, typed: str, caller: Caller, *, address: str, browser: str) -> Ask | None:
        """A person typed the code that a device shows. None where no device waits with that code.

        Args:
            typed: what the person typed.
            caller: who is signed in.
            address: the network address of the person's browser.
            browser: the browser's cookie.

        Raises:
            TooManyCodes: too many wrong ones came.
            EndpointNotYours: the person may not use what the device asks for.
        """
        device = await self._claim(typed, caller, address)
        client = None if device is None else await self._server.clients.find(device.client_id)
        if device is None or client is None:
            return None
        resource = await self._application.find_resource(device.resource, caller)
        if resource is None:
            raise EndpointNotYours
        request = AuthorizationRequest(client, "", None, "", device.resource)
        pending = await self._server.requests.add(
            request, email=caller.email, browser=hash_browser(browser), step="consent", device=device.id
        )
        return Ask(pending, client, resource, device)

    async def _claim(self, typed: str, caller: Caller, address: str) -> Device | None:
        async with self._server.guesses.guess(caller.email, address) as guess:
            code = parse_user_code(typed)
            device = None if code is None else await self._server.devices.claim(code, caller.email)
            guess.was_right = device is not None
        return device

    async def decide(self, request_id: str, caller: Caller, *, browser: str | None, allow: bool) -> NextStep:
        """The person answered.

        Raises:
            RequestGone: the request is over, or is not this person's in this browser.
            AuthorizationRefused: the person said no, or what was asked for is gone.
        """
        pending = await self._find(request_id, caller, browser)
        if not allow:
            await self._server.requests.take(pending.id)
            if pending.device:
                return await self._tell_device(pending, allow=False)
            self._refuse(pending, "access_denied", "the person did not allow it")
        resource = await self._resource_of(pending, caller)
        if not pending.device:  # whoever types a code is asked each time
            await self._server.check_not_signed_out(caller.email)
            await self._server.consents.remember(
                caller.email, pending.client_id, pending.redirect_uri, pending.resource
            )
        if pending.step == "consent":
            pending = await self._write(replace(pending, step="connect"))
        return await self._connect(pending, resource, caller)

    async def go_on(self, request_id: str, caller: Caller, *, browser: str | None, skip: str = "") -> NextStep:
        """The person comes back from a server behind the resource, or wants to do without it.

        Args:
            request_id: which request it is about.
            caller: who is signed in.
            browser: the browser's cookie.
            skip: the id of the gateway that the person wants to do without, or ``ALL``; ``""``: none.

        Raises:
            RequestGone, AuthorizationRefused: as ``decide`` does.
        """
        pending = await self._find(request_id, caller, browser)
        resource = await self._resource_of(pending, caller)
        if pending.step == "consent":
            client = await self._client_of(pending)
            device = await self._server.devices.get(pending.device) if pending.device else None
            if pending.device and device is None:
                raise RequestGone
            return Ask(pending, client, resource, device)
        return await self._connect(pending, resource, caller, skip=skip)

    # -- what a request is -----------------------------------------------------------------------------------

    async def _judge(
        self, pairs: list[tuple[str, str]], caller: Caller
    ) -> tuple[AuthorizationRequest, ProtectedResource]:
        try:
            query = only_values(pairs)
        except ValueError as exc:
            raise RedirectUriRefused(str(exc), public="The application's request is malformed.") from None
        client = await self._server.clients.meet(query.get("client_id", ""), query.get("redirect_uri"))
        if client is None:
            raise ClientUnknown(f"no client has the client_id {query.get('client_id', '')[:200]!a}")
        redirect_uri = client.find_redirect_uri(query.get("redirect_uri"))
        if redirect_uri is None:
            raise RedirectUriRefused(f"redirect_uri {query.get('redirect_uri', '')[:200]!a} is not the client's")
        request = parse_request(query, client, redirect_uri)
        resource = await self._application.find_resource(request.resource, caller)
        if resource is None:
            raise AuthorizationRefused(
                "invalid_target",
                "resource is no MCP endpoint that this person may use",
                redirect_uri=redirect_uri,
                state=request.state,
            )
        return request, resource

    async def _was_allowed(self, request: AuthorizationRequest, caller: Caller) -> bool:
        return await self._server.consents.has(caller.email, request.client.id, request.redirect_uri, request.resource)

    # -- what waits for an answer ----------------------------------------------------------------------------

    async def _find(self, request_id: str, caller: Caller, browser: str | None) -> PendingRequest:
        pending = await self._server.requests.get(request_id) if request_id else None
        if pending is None or browser is None:
            raise RequestGone
        if pending.email != caller.email or pending.browser != hash_browser(browser):
            raise RequestGone
        return pending

    async def _write(self, pending: PendingRequest) -> PendingRequest:
        try:
            return await self._server.requests.put(pending)
        except RecordConflict:
            raise RequestGone("the page was answered in two windows at once") from None

    async def _resource_of(self, pending: PendingRequest, caller: Caller) -> ProtectedResource:
        resource = await self._application.find_resource(pending.resource, caller)
        if resource is None and pending.device:
            raise EndpointNotYours
        if resource is None:
            self._refuse(pending, "invalid_target", "resource is no MCP endpoint that this person may use")
        return resource

    async def _client_of(self, pending: PendingRequest) -> Client:
        client = await self._server.clients.find(pending.client_id)
        if client is None:
            raise RequestGone
        return client

    # -- the servers behind the resource ---------------------------------------------------------------------

    async def _connect(
        self, pending: PendingRequest, resource: ProtectedResource, caller: Caller, *, skip: str = ""
    ) -> NextStep:
        missing = [each for each in await self._missing(resource, caller) if each.id not in pending.skipped]
        skipped = [each for each in missing if skip in {ALL, each.id}]
        for gateway in skipped:
            await self._application.decline_authorization(gateway, caller)
        missing = [each for each in missing if each not in skipped]
        if not missing:
            return await self._finish(pending)
        if skipped:
            now_skipped = (*pending.skipped, *(each.id for each in skipped))
            pending = await self._write(replace(pending, skipped=now_skipped))
        if len(resource.gateways) == 1 and not pending.tried:
            await self._write(replace(pending, tried=(missing[0].id,)))
            base = self._application.services.settings.base_url
            account = await self._application.name_account(missing[0], caller)
            return Leave(base + connect_path(pending.id, missing[0].id, account), missing[0].name, "person")
        return Connect(pending, tuple(missing))

    async def _missing(self, resource: ProtectedResource, caller: Caller) -> tuple[Gateway, ...]:
        """The gateways behind the resource that the person has to authorize before its client can use them."""
        return tuple([each for each in resource.gateways if await self._application.must_authorize(each, caller)])

    # -- the answer ------------------------------------------------------------------------------------------

    async def _finish(self, pending: PendingRequest) -> Leave | Answered:
        taken = await self._server.requests.take(pending.id)
        client = None if taken is None else await self._server.clients.find(taken.client_id)
        if taken is None or client is None:
            raise RequestGone
        if taken.device:
            return await self._tell_device(taken, allow=True)
        request = AuthorizationRequest(client, taken.redirect_uri, taken.state, taken.code_challenge, taken.resource)
        return await self._answer(request, taken.email)

    async def _answer(self, request: AuthorizationRequest, email: str) -> Leave:
        grant, code = make_grant(
            email=email,
            client_id=request.client.id,
            client_name=request.client.name,
            resource=request.resource,
            now=self._server.clock(),
            redirect_uri=request.redirect_uri,
            code_challenge=request.code_challenge,
        )
        await self._server.allow(grant)
        url = build_answer(request.redirect_uri, self._server.issuer, state=request.state, code=code)
        return Leave(url, request.client.name)

    async def _tell_device(self, pending: PendingRequest, *, allow: bool) -> Answered:
        if allow:
            await self._server.check_not_signed_out(pending.email)
        device = await self._server.devices.answer(pending.device, pending.email, allow=allow)
        if device is None:
            raise RequestGone("the device's code has expired, or was answered before")
        return Answered(device.client_name, allow)

    def _refuse(self, pending: PendingRequest, error: str, description: str) -> NoReturn:
        raise AuthorizationRefused(error, description, redirect_uri=pending.redirect_uri, state=pending.state)


def connect_path(request_id: str, gateway_id: str, account: str) -> str:
    """Where the person authorizes a server behind the resource, with the account of that label, and comes back from.

    The page about a failure leads back too: what is still missing then is done without, and a success misses nothing.
    """
    back = f"/oauth2/continue?request={request_id}&skip={gateway_id}"
    chosen = {"account": account} if account else {}
    return f"/oauth/authorize/{gateway_id}?{urlencode({**chosen, 'next': back})}"
