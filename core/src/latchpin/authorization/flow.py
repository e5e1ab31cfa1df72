"""The authorization flow's script: begin with a redirect, complete at the callback.

It decides nothing by itself: decisions are in ``oauth/`` (pure), and this file fetches what they need and
carries out what they say. The order of the callback's checks is the contract's: signature, browser and user,
age, the store's atomic consume, gateway, issuer, the provider's error, then the token request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from latchpin.authorization.admission import Admission
from latchpin.authorization.attempt import Attempt, build_request
from latchpin.authorization.diagnosis import Diagnosis
from latchpin.authorization.step_up import StepUp
from latchpin.authorization.store_name import StoreName
from latchpin.clients.directory import ClientDirectory
from latchpin.contracts import StateStore
from latchpin.errors import (
    BackendUnavailable,
    DiscoveryFailed,
    InvalidRequest,
    LatchpinError,
    RegistrationFailed,
    StateRefused,
    StateStorageDisabled,
    Unsealable,
    VerifierLost,
)
from latchpin.gateways.book import GatewayBook
from latchpin.journal.journal import FlowJournal, Trail
from latchpin.model import Caller, Gateway, PendingAuthorization, StateKey
from latchpin.model.flow_facts import Begun, Consumed, Returned, Stored, Verified
from latchpin.oauth.callback import CallbackParameters, ValidatedCallback, parse_callback, validate
from latchpin.oauth.state import StatePayload, check_age, check_browser, parse_state
from latchpin.outbound.upstream import host_of
from latchpin.servers.directory import ServerDirectory
from latchpin.services import Services
from latchpin.tokens.client_grant import needs_browser, require_pinned
from latchpin.tokens.keeper import TokenKeeper
from latchpin.tokens.sealing import place_of

__all__ = ["AuthorizationFlow", "Completed"]


@dataclass(frozen=True, slots=True)
class Completed:
    """A finished authorization: whose account was connected to which gateway."""

    gateway: Gateway
    app_user_email: str
    flow_id: str


class AuthorizationFlow:
    """Begins and completes authorizations for people."""

    def __init__(
        self,
        services: Services,
        gateways: GatewayBook,
        servers: ServerDirectory,
        clients: ClientDirectory,
        tokens: TokenKeeper,
        *,
        journal: FlowJournal,
    ) -> None:
        self._services = services
        self._gateways = gateways
        self._servers = servers
        self._clients = clients
        self._tokens = tokens
        self._step_up = StepUp(services.records.kept, services.clock)
        self._journal = journal
        self._store_name = StoreName(services.clock)
        self._diagnosis = Diagnosis(services, self._store_name)
        self._store = services.state_backend.label if services.state_backend is not None else "nothing"
        self._lifetime = timedelta(seconds=services.settings.state_ttl_seconds)
        self._admission = Admission(
            per_user=services.settings.max_pending_per_user,
            total=services.settings.max_pending,
            lifetime=self._lifetime,
            clock=services.clock,
        )

    async def meet_store(self) -> None:
        """Learn at the start what the state store calls its data, so that a diagnosis can tell them from another's."""
        if self._services.states is not None:
            with suppress(BackendUnavailable):  # then the first authorization learns it, or fails
                await self._store_name.of(self._services.states)

    # -- begin --------------------------------------------------------------------------------------------

    async def begin(self, gateway_id: str, caller: Caller, *, browser: str, flow_id: str) -> str:
        """Prepare an authorization and return the URL to send the browser to.

        Args:
            gateway_id: which gateway.
            caller: who will own the token.
            browser: the browser's cookie; only its hash leaves this process.
            flow_id: what the flow is called: 32 random hexadecimal digits.

        Raises:
            StateStorageDisabled, NotFound, InvalidRequest, TooManyPending, ProviderError, ConfigurationError,
            BackendUnavailable.
        """
        trail = self._journal.open("authorize")
        states = self._states()
        gateway = await self._gateways.get(gateway_id, caller)
        _check_authorizes(gateway)
        trail.name(flow_id, gateway.id, caller.email)
        with trail:
            trail.step(Begun(via=caller.via))
            found = await self._servers.find(gateway)
            wanted = await self._step_up.wanted(gateway.id, caller.email, found.metadata.issuer)
            seconds = trail.elapsed()
            attempt = Attempt(flow_id, gateway, found, caller.email, browser, wanted, trail, seconds)
            return await self._begin(states, attempt)

    async def _begin(self, states: StateStore, attempt: Attempt) -> str:
        gateway, found = attempt.gateway, attempt.found
        self._admission.admit(attempt.flow_id, attempt.email)
        try:
            url = await self._prepare(states, attempt)
        except BaseException:
            self._admission.release(attempt.flow_id)
            raise
        pinned = await self._gateways.pin_issuer(gateway, found.metadata.issuer)
        require_pinned(gateway, found, pinned)
        self._servers.carry(gateway, pinned)
        return url

    async def _prepare(self, states: StateStore, attempt: Attempt) -> str:
        metadata = attempt.found.metadata
        if metadata.authorization_endpoint is None:
            raise DiscoveryFailed(
                f"{metadata.issuer or attempt.gateway.url} names no authorization endpoint",
                remedy="Set authorization_url on the gateway, or use grant_type client_credentials.",
            )
        redirect_uri = attempt.found.config.redirect_uri or self._services.settings.redirect_uri
        try:
            client = await self._clients.client_for(attempt.gateway, metadata, redirect_uri, attempt.scopes)
        except RegistrationFailed:
            self._servers.forget(attempt.gateway.id)  # its metadata may have been mended by the next try
            raise
        client_seconds = attempt.trail.elapsed() - attempt.discovery_seconds
        store = await self._store_name.of(states)
        request = build_request(
            attempt, self._services, client_id=client.client_id, redirect_uri=redirect_uri, store=store
        )
        await states.put(request.pending)
        attempt.trail.step(
            Stored(
                store=self._store,
                lifetime_seconds=round(self._lifetime.total_seconds()),
                issuer=metadata.issuer,
                discovery_seconds=attempt.discovery_seconds,
                client_seconds=round(client_seconds, 6),
            )
        )
        attempt.trail.step(request.describe(host_of(metadata.authorization_endpoint)))
        return request.url

    # -- complete -----------------------------------------------------------------------------------------

    async def complete(
        self,
        query: str,
        *,
        path_gateway: str | None,
        browser: str | None,
        caller: Callable[[], Awaitable[Caller | None]],
    ) -> Completed:
        """Judge a callback and, if it holds, exchange the code and keep the tokens.

        Args:
            query: the callback's query, as it came.
            path_gateway: the gateway in the callback's path, if there was one.
            browser: the browser's cookie.
            caller: tells who is signed in, if anybody; asked once signature and browser are proven, because it
                may need the store.

        Raises:
            CallbackError, ProviderError, BackendUnavailable, StateStorageDisabled.
        """
        with self._journal.open("callback") as trail:
            states = self._states()
            parameters = parse_callback(query)
            payload = parse_state(parameters.state, self._services.signer)
            self._note_return(trail, parameters, payload)
            check_browser(payload, cookie=browser, signed_in=None)
            signed_in = await caller()
            check_browser(payload, cookie=browser, signed_in=signed_in.email if signed_in else None)
            verified = Verified(key_id=payload.key_id, signed_in=signed_in is not None)
            pending = await self._take(trail, states, parameters, payload, verified)
            validated = self._validate(trail, parameters, payload, pending, path_gateway)
            return await self._exchange(trail, validated)

    async def _take(
        self,
        trail: Trail,
        states: StateStore,
        parameters: CallbackParameters,
        payload: StatePayload,
        verified: Verified,
    ) -> PendingAuthorization:
        try:
            check_age(payload, now=self._services.clock(), lifetime=self._lifetime)
            trail.step(verified)
            pending = await states.consume(StateKey(payload.gateway_id, parameters.state))
        except StateRefused as exc:
            await self._diagnosis.narrow(exc, payload)
            raise
        self._admission.release(payload.flow_id)
        return pending

    def _note_return(self, trail: Trail, parameters: CallbackParameters, payload: StatePayload) -> None:
        trail.name(payload.flow_id, payload.gateway_id, payload.app_user_email, issued_by=payload.instance)
        away = (self._services.clock() - payload.issued_at).total_seconds()
        answer: Literal["code", "error"] = "error" if parameters.error is not None else "code"
        trail.step(Returned(answer=answer, away_seconds=round(away, 3), issued_by=payload.instance))

    def _validate(
        self,
        trail: Trail,
        parameters: CallbackParameters,
        payload: StatePayload,
        pending: PendingAuthorization,
        path_gateway: str | None,
    ) -> ValidatedCallback:
        try:
            validated = validate(parameters, payload, pending, path_gateway=path_gateway)
        except LatchpinError:
            trail.step(Consumed(self._store, fits=False))
            raise
        trail.step(Consumed(self._store, fits=True))
        return validated

    async def _exchange(self, trail: Trail, validated: ValidatedCallback) -> Completed:
        pending, payload = validated.pending, validated.payload
        gateway = await self._gateways.get_any(payload.gateway_id)
        place = place_of(payload.gateway_id, pending.app_user_email, pending.issuer, "code_verifier")
        if not pending.code_verifier:
            raise VerifierLost("the store kept the authorization without its verifier")
        try:
            verifier = self._services.cipher.unseal(pending.code_verifier, place=place)
        except Unsealable as exc:
            raise VerifierLost(exc.detail) from exc
        await self._tokens.redeem(gateway, validated, verifier, trail)
        email = pending.app_user_email
        await self._services.audit.record(
            "authorization.completed", actor=email, gateway_id=gateway.id, subject=email, flow_id=payload.flow_id
        )
        return Completed(gateway, pending.app_user_email, payload.flow_id)

    # -- both ---------------------------------------------------------------------------------------------

    def _states(self) -> StateStore:
        if self._services.states is None:
            raise StateStorageDisabled
        return self._services.states


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
