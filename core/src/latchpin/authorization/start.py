"""An authorization begun: from a person's click to the redirect that takes the browser to the provider.

It decides nothing by itself: decisions are in ``oauth/`` (pure), and this file fetches what they need and
carries out what they say.
"""

from __future__ import annotations

from latchpin.activity.recorder import FlowRecorder
from latchpin.authorization.attempt import Attempt, build_request
from latchpin.authorization.pending import PendingAuthorizations
from latchpin.authorization.step_up import StepUp
from latchpin.clients.directory import ClientDirectory
from latchpin.contracts import StateStore
from latchpin.errors import InvalidRequest, RegistrationFailed
from latchpin.gateways.registry import GatewayRegistry
from latchpin.model import Caller, Gateway
from latchpin.model.flow_steps import Begun, Redirected, Stored
from latchpin.outbound.proofs import DpopProofs
from latchpin.outbound.upstream import host_of
from latchpin.servers.directory import ServerDirectory
from latchpin.services import Services
from latchpin.tokens.client_grant import needs_browser, require_pinned

__all__ = ["StartAuthorization"]


class StartAuthorization:
    """Begins authorizations for people."""

    def __init__(
        self,
        services: Services,
        gateways: GatewayRegistry,
        servers: ServerDirectory,
        clients: ClientDirectory,
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
        self._step_up = step_up
        self._proofs = proofs
        self._pending_authorizations = pending_authorizations
        self._recorder = recorder

    async def begin(self, gateway_id: str, caller: Caller, *, browser: str, flow_id: str, return_to: str = "") -> str:
        """Prepare an authorization and return the URL to send the browser to.

        Args:
            gateway_id: which gateway.
            caller: who will own the token.
            browser: the browser's cookie; only its hash leaves this process.
            flow_id: what the flow is called: 32 random hexadecimal digits.
            return_to: the path of ours that the browser goes on to afterwards, if any; at most 500 characters.

        Raises:
            StateStorageDisabled, NotFound, InvalidRequest, TooManyPending, UpstreamError, ConfigurationError,
            BackendUnavailable.
        """
        span = self._recorder.open("authorize")
        states = self._pending_authorizations.states()
        gateway = await self._gateways.get(gateway_id, caller)
        _check_authorizes(gateway)
        span.name(flow_id, gateway.id, caller.email)
        with span:
            span.step(Begun(via=caller.via))
            found = await self._servers.find(gateway)
            found.require_scopes()
            wanted = await self._step_up.wanted(gateway.id, caller.email, found.metadata.issuer)
            seconds = span.elapsed()
            key = None if found.metadata.dpop is None else await self._proofs.thumbprint(gateway.id)
            attempt = Attempt(flow_id, gateway, found, caller.email, browser, wanted, span, seconds, key, return_to)
            return await self._begin(states, attempt)

    async def _begin(self, states: StateStore, attempt: Attempt) -> str:
        gateway, found = attempt.gateway, attempt.found
        self._pending_authorizations.admission.admit(attempt.flow_id, attempt.email)
        try:
            url = await self._prepare(states, attempt)
        except BaseException:
            self._pending_authorizations.admission.release(attempt.flow_id)
            raise
        pinned = await self._gateways.pin_issuer(gateway, found.metadata.issuer)
        require_pinned(gateway, found, pinned)
        self._servers.carry(gateway, pinned)
        return url

    async def _prepare(self, states: StateStore, attempt: Attempt) -> str:
        metadata = attempt.found.metadata
        endpoint = attempt.found.require_authorization_endpoint()
        redirect_uri = attempt.found.config.redirect_uri or self._services.settings.redirect_uri
        try:
            client = await self._clients.client_for(attempt.gateway, metadata, redirect_uri, attempt.scopes)
        except RegistrationFailed:
            self._servers.forget(attempt.gateway.id)  # its metadata may have been mended by the next try
            raise
        client_seconds = attempt.span.elapsed() - attempt.discovery_seconds
        store = await self._pending_authorizations.store_name.of(states)
        pending, url = build_request(
            attempt, self._services, client_id=client.client_id, redirect_uri=redirect_uri, store=store
        )
        await states.put(pending)
        attempt.span.step(
            Stored(
                store=self._pending_authorizations.label,
                lifetime_seconds=round(self._pending_authorizations.lifetime.total_seconds()),
                issuer=metadata.issuer,
                discovery_seconds=attempt.discovery_seconds,
                client_seconds=round(client_seconds, 6),
            )
        )
        attempt.span.step(
            Redirected(
                server=host_of(endpoint),
                client_id=pending.client_id,
                redirect_uri=pending.redirect_uri,
                scopes=pending.scopes,
                code_challenge_method=self._services.pkce.name,
            )
        )
        return url


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
