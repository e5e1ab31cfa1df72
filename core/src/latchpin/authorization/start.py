"""An authorization begun: from a person's click to the redirect that takes the browser to the provider.

It decides nothing by itself: decisions are in ``oauth/`` (pure), and this file fetches what they need and
carries out what they say.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, replace
from datetime import datetime

from latchpin.activity.recorder import FlowRecorder, FlowSpan
from latchpin.authorization.pending import PendingAuthorizations
from latchpin.authorization.step_up import StepUp
from latchpin.clients.directory import ClientDirectory
from latchpin.errors import InvalidRequest, RegistrationFailed, SharedConnectionMissing, SharedConnectionUnconfirmed
from latchpin.gateways.registry import GatewayRegistry
from latchpin.model import COMPANY, Caller, Gateway, PendingAuthorization, StateKey
from latchpin.model.flow_steps import Begun, Redirected, Stored
from latchpin.oauth import base64url
from latchpin.oauth.authorize import AuthorizationLink, build_authorization_link
from latchpin.oauth.pkce import build_verifier
from latchpin.oauth.state import StatePayload, build_state, hash_browser
from latchpin.outbound.proofs import DpopProofs
from latchpin.outbound.upstream import host_of
from latchpin.servers.directory import ServerDirectory
from latchpin.servers.found import FoundServer
from latchpin.services import Services
from latchpin.tokens.client_grant import needs_browser
from latchpin.tokens.schemes import require_scheme, wants_key
from latchpin.tokens.scope_rules import scopes_within_rules
from latchpin.tokens.sealing import place_of
from latchpin.tokens.service import TokenService
from latchpin.workers.bounded import Bounded

__all__ = ["StartAuthorization"]

_MOST_REMEMBERED = 10_000
_NONCE_BYTES = 16


@dataclass(frozen=True, slots=True)
class _Request:
    """What the last authorization request of a gateway had in common with the next.

    Attributes:
        found: the server it was made for.
        asked: with which client_id, redirect URI, scopes and key.
        link: its URL.
        step: what the record says of it.
    """

    found: FoundServer
    asked: tuple[str, str, tuple[str, ...], str | None]
    link: AuthorizationLink
    step: Redirected


class StartAuthorization:
    """Begins authorizations for people."""

    def __init__(
        self,
        services: Services,
        gateways: GatewayRegistry,
        servers: ServerDirectory,
        clients: ClientDirectory,
        tokens: TokenService,
        *,
        step_up: StepUp,
        proofs: DpopProofs,
        pending_authorizations: PendingAuthorizations,
        recorder: FlowRecorder,
    ) -> None:
        self._services = services
        self._gateways = gateways
        self._servers = servers
        self._clients = clients
        self._tokens = tokens
        self._step_up = step_up
        self._proofs = proofs
        self._pending_authorizations = pending_authorizations
        self._recorder = recorder
        self._requests: Bounded[str, _Request] = Bounded(_MOST_REMEMBERED)

    async def begin(
        self,
        gateway_id: str,
        caller: Caller,
        *,
        browser: str,
        flow_id: str,
        return_to: str = "",
        account: str = "",
        confirmed: bool = False,
    ) -> str:
        """Prepare an authorization and return the URL to send the browser to: of our page, for a server with keys.

        Args:
            gateway_id: which gateway.
            caller: who will own the token.
            browser: the browser's cookie; only its hash leaves this process.
            flow_id: what the flow is called: 32 random hexadecimal digits.
            return_to: the path of ours that the browser goes on to afterwards, if any; at most 500 characters.
            account: the label of the account to connect, of several that the caller has there; its form was checked.
            confirmed: the request shows that the caller means it. An account that all use is connected so alone: a
                link that leads there may be anybody's.

        Raises:
            StateStorageDisabled, NotFound, InvalidRequest, SharedConnectionMissing, SharedConnectionUnconfirmed,
            TooManyPending, UpstreamError, ConfigurationError, PluginError, BackendUnavailable.
        """
        span, began = self._recorder.open("authorize"), self._services.clock()
        states = self._pending_authorizations.states()
        gateway = await self._look(gateway_id, caller)
        if wants_key(gateway):
            page = require_scheme(self._services, gateway).page.replace("{gateway_id}", gateway.id)
            await self._owner(gateway, caller, account)
            return self._services.settings.key_url(page, return_to, account)  # whose page asks
        _check_authorizes(gateway)
        owner = await self._owner(gateway, caller, account)
        if owner == COMPANY and not confirmed:
            url = self._services.settings.authorize_url(gateway_id)
            raise SharedConnectionUnconfirmed("a link may have led here", authorize_url=url)
        span.name(flow_id, gateway.id, caller.email)
        with span:
            span.step(Begun(via=caller.via))
            found = await self._servers.find(gateway)
            found.require_scopes()
            wanted = await self._step_up.wanted(gateway.id, owner, account, found.metadata.issuer)
            scopes = found.cut((*found.scopes, *wanted)) if wanted else found.scopes
            scopes = await scopes_within_rules(self._services, gateway, scopes, owner=owner, caller=caller)
            discovered = span.elapsed()
            key = None if found.metadata.dpop is None else await self._proofs.thumbprint(gateway.id)
            with self._pending_authorizations.admission.beginning(flow_id, caller.email):
                client_id, redirect_uri = await self._client(gateway, found, scopes)
                registered, now = span.elapsed(), self._services.clock()
                request = self._request(gateway.id, found, (client_id, redirect_uri, scopes, key))
                store = await self._pending_authorizations.store_name()
                # From here to the signature nothing is awaited: today's key may become another one meanwhile.
                payload = StatePayload(
                    gateway_id=gateway.id,
                    app_user_email=caller.email,
                    nonce=base64url.encode(secrets.token_bytes(_NONCE_BYTES)),
                    timestamp=now.isoformat(),
                    browser=hash_browser(browser),
                    key_id=self._services.signer.key_id,
                    instance=self._services.instance_id,
                    flow_id=flow_id,
                    store=store,
                    return_to=return_to,
                    company="yes" if owner == COMPANY else "",
                    account=account,
                )
                verifier = build_verifier(secrets.token_bytes)
                pending = self._build_pending(
                    payload,
                    found,
                    verifier,
                    client_id=client_id,
                    redirect_uri=redirect_uri,
                    scopes=scopes,
                    began=began,
                    now=now,
                )
                url = request.link.fill(pending.key.state, self._services.pkce.challenge(verifier))
                await states.put(pending)
                self._record(span, request, pending, discovered, registered)
            await self._pin(gateway, found)
            return url

    async def _look(self, gateway_id: str, caller: Caller) -> Gateway:
        """The gateway; what else an authorization needs of the stores comes along in the same trip."""
        gateway = self._gateways.recall(gateway_id, caller)
        if gateway is not None:
            return gateway
        looking = self._step_up.may_be_noted(gateway_id), self._clients.look(gateway_id)
        reading = self._gateways.get_recent(gateway_id, caller)
        await asyncio.gather(*looking, reading, return_exceptions=True)  # who needs it meets the failure
        return await self._gateways.get_recent(gateway_id, caller)

    async def _owner(self, gateway: Gateway, caller: Caller, account: str) -> str:
        """Whose the account will be.

        Raises:
            SharedConnectionMissing: it is the company's, and the caller is no administrator.
            InvalidRequest: there is one account for all and a label, or the caller has too many.
            BackendUnavailable: the store cannot be asked.
        """
        asking = caller if (caller.account or "") == account else replace(caller, account=account)
        owner, _ = self._tokens.account_of(gateway, asking)
        if owner == COMPANY and not caller.is_admin:
            raise SharedConnectionMissing("only an administrator may connect it")
        if account:
            await self._tokens.check_room(gateway, owner, account)
        return owner

    async def _client(self, gateway: Gateway, found: FoundServer, scopes: tuple[str, ...]) -> tuple[str, str]:
        """Which client asks, and where the answer is to come."""
        found.require_authorization_endpoint()
        redirect_uri = found.config.redirect_uri or self._services.settings.redirect_uri
        try:
            client_id = await self._clients.client_id_for(gateway, found.metadata, redirect_uri, scopes)
        except RegistrationFailed:
            self._servers.forget(gateway.id)  # its metadata may have been mended by the next try
            raise
        return client_id, redirect_uri

    def _build_pending(
        self,
        payload: StatePayload,
        found: FoundServer,
        verifier: str,
        *,
        client_id: str,
        redirect_uri: str,
        scopes: tuple[str, ...],
        began: datetime,
        now: datetime,
    ) -> PendingAuthorization:
        """What is kept of it, as created when its person was let in: their end may come while servers are asked."""
        services, metadata = self._services, found.metadata
        place = place_of(payload.gateway_id, payload.app_user_email, metadata.issuer, "code_verifier")
        return PendingAuthorization(
            id=payload.flow_id,
            key=StateKey(payload.gateway_id, build_state(payload, services.signer)),
            code_verifier=services.cipher.seal(verifier, associated_data=place),
            app_user_email=payload.app_user_email,
            redirect_uri=redirect_uri,
            issuer=metadata.issuer,
            iss_expected=metadata.iss_parameter_supported,
            token_url=metadata.token_endpoint,
            client_id=client_id,
            resource=found.resource,
            scopes=scopes,
            created_at=began,
            expires_at=now + self._pending_authorizations.lifetime,
        )

    def _request(
        self, gateway_id: str, found: FoundServer, asked: tuple[str, str, tuple[str, ...], str | None]
    ) -> _Request:
        """The authorization request, as it was made last if nothing of it has changed."""
        last = self._requests.get(gateway_id)
        if last is not None and last.found is found and last.asked == asked:
            return last
        client_id, redirect_uri, scopes, key = asked
        request = found.build_request(
            client_id=client_id,
            redirect_uri=redirect_uri,
            state="",
            code_challenge="",
            code_challenge_method=self._services.pkce.name,
            scopes=scopes,
            key_thumbprint=key,
        )
        step = Redirected(
            server=host_of(request.authorization_endpoint),
            client_id=client_id,
            redirect_uri=redirect_uri,
            scopes=scopes,
            code_challenge_method=self._services.pkce.name,
        )
        made = _Request(found, asked, build_authorization_link(request), step)
        self._requests[gateway_id] = made
        return made

    def _record(
        self, span: FlowSpan, request: _Request, pending: PendingAuthorization, discovered: float, registered: float
    ) -> None:
        span.step(
            Stored(
                store=self._pending_authorizations.label,
                lifetime_seconds=self._pending_authorizations.lifetime_seconds,
                issuer=pending.issuer,
                discovery_seconds=discovered,
                client_seconds=round(registered - discovered, 6),
            )
        )
        span.step(request.step)

    async def _pin(self, gateway: Gateway, found: FoundServer) -> None:
        pinned = await self._gateways.pin_issuer(gateway, found.metadata.issuer)
        if pinned is not gateway:
            found.require_pinned(gateway, pinned)
            self._servers.carry(gateway, pinned)


def _check_authorizes(gateway: Gateway) -> None:
    """Raise InvalidRequest if there is nothing that a person could authorize."""
    if gateway.auth_type != "oauth" or gateway.oauth is None:
        raise InvalidRequest(
            f"gateway '{gateway.name}' does not use OAuth", remedy="There is nothing to authorize; fetch its tools."
        )
    if not needs_browser(gateway):
        raise InvalidRequest(
            f"gateway '{gateway.name}' gets its tokens with {gateway.oauth.grant_type}",
            remedy="There is nothing for a person to authorize; fetch its tools.",
        )
