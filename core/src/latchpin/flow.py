"""The authorization flow's script: begin with a redirect, complete at the callback.

It decides nothing by itself: decisions are in ``oauth/`` (pure), and this file fetches what they need and
carries out what they say. The order of the callback's checks is the contract's: signature, browser and user,
age, the store's atomic consume, gateway, issuer, the provider's error, then the token request.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from latchpin.admission import Admission
from latchpin.clients import ClientDirectory
from latchpin.contracts import StateStore
from latchpin.errors import (
    InvalidRequest,
    LatchpinError,
    StateAlreadyUsed,
    StateExpired,
    StateNotFound,
    StateStorageDisabled,
    Unsealable,
    VerifierLost,
)
from latchpin.gateways import GatewayBook
from latchpin.model import Caller, Gateway, OAuthConfig, PendingAuthorization, StateKey
from latchpin.oauth.authorize import AuthorizationRequest, build_authorization_url, choose_scopes
from latchpin.oauth.callback import CallbackParameters, ValidatedCallback, parse_callback, validate
from latchpin.oauth.pkce import build_verifier
from latchpin.oauth.state import StatePayload, build_state, check_age, check_browser, hash_browser, parse_state
from latchpin.servers import FoundServer, ServerDirectory
from latchpin.services import Services
from latchpin.tokens import TokenKeeper

__all__ = ["AuthorizationFlow", "Completed"]

_log = logging.getLogger("latchpin.flow")


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
    ) -> None:
        self._services = services
        self._gateways = gateways
        self._servers = servers
        self._clients = clients
        self._tokens = tokens
        self._lifetime = timedelta(seconds=services.settings.state_ttl_seconds)
        self._admission = Admission(
            per_user=services.settings.max_pending_per_user,
            total=services.settings.max_pending,
            lifetime=self._lifetime,
            clock=services.clock,
        )

    # -- begin --------------------------------------------------------------------------------------------

    async def begin(self, gateway_id: str, caller: Caller, *, browser: str) -> str:
        """Prepare an authorization and return the URL to send the browser to.

        Args:
            gateway_id: which gateway.
            caller: who will own the token.
            browser: the browser's cookie; only its hash leaves this process.

        Raises:
            StateStorageDisabled, NotFound, InvalidRequest, TooManyPending, ProviderError, ConfigurationError,
            BackendUnavailable.
        """
        states = self._states()
        gateway = await self._gateways.get(gateway_id, caller)
        config = _authorization_config(gateway)
        found = await self._servers.find(gateway)
        flow_id = secrets.token_hex(16)
        self._admission.admit(flow_id, caller.email)
        try:
            url = await self._prepare(states, gateway, config, found, caller, browser, flow_id)
        except BaseException:
            self._admission.release(flow_id)
            raise
        await self._gateways.pin_issuer(gateway, found.metadata.issuer)
        return url

    async def _prepare(
        self,
        states: StateStore,
        gateway: Gateway,
        config: OAuthConfig,
        found: FoundServer,
        caller: Caller,
        browser: str,
        flow_id: str,
    ) -> str:
        services, metadata = self._services, found.metadata
        if metadata.authorization_endpoint is None:
            raise InvalidRequest(
                f"{metadata.issuer or gateway.url} names no authorization endpoint",
                remedy="Set authorization_url on the gateway, or use grant_type client_credentials.",
            )
        redirect_uri = config.redirect_uri or services.settings.redirect_uri
        scopes = choose_scopes(
            configured=config.scopes,
            challenged=found.challenge_scopes,
            resource_supports=found.resource_scopes,
            server_supports=metadata.scopes_supported,
        )
        client = await self._clients.client_for(gateway, metadata, redirect_uri, scopes)
        now = services.clock()
        payload = StatePayload(
            gateway_id=gateway.id,
            app_user_email=caller.email,
            nonce=secrets.token_urlsafe(16),
            timestamp=now.isoformat(),
            browser=hash_browser(browser),
            key_id=services.signer.key_id,
            instance=services.instance_id,
            flow_id=flow_id,
        )
        state = build_state(payload, services.signer)
        verifier = build_verifier(secrets.token_bytes)
        place = (gateway.id, caller.email, metadata.issuer or "", "code_verifier")
        pending = PendingAuthorization(
            id=flow_id,
            key=StateKey(gateway.id, state),
            code_verifier=services.cipher.seal(verifier, place=place),
            app_user_email=caller.email,
            redirect_uri=redirect_uri,
            issuer=metadata.issuer,
            iss_expected=metadata.iss_parameter_supported,
            token_url=metadata.token_endpoint,
            client_id=client.client_id,
            resource=found.resource,
            scopes=scopes,
            created_at=now,
            expires_at=now + self._lifetime,
        )
        await states.put(pending)
        _log.debug("Stored OAuth state in %s for gateway %s", self._store_label, gateway.id, extra={"flow_id": flow_id})
        return build_authorization_url(
            AuthorizationRequest(
                authorization_endpoint=metadata.authorization_endpoint,
                client_id=client.client_id,
                redirect_uri=redirect_uri,
                state=state,
                code_challenge=services.pkce.challenge(verifier),
                code_challenge_method=services.pkce.name,
                scopes=scopes,
                scope_separator=config.scope_separator,
                resource=found.resource,
                audience=config.audience,
                extra=config.extra_authorize_params,
            )
        )

    # -- complete -----------------------------------------------------------------------------------------

    async def complete(
        self, query: Iterable[tuple[str, str]], *, path_gateway: str | None, browser: str | None, caller: Caller | None
    ) -> Completed:
        """Judge a callback and, if it holds, exchange the code and keep the tokens.

        Args:
            query: the callback's decoded query pairs.
            path_gateway: the gateway in the callback's path, if there was one.
            browser: the browser's cookie.
            caller: who is signed in, if anybody.

        Raises:
            CallbackError, ProviderError, BackendUnavailable, StateStorageDisabled.
        """
        payload: StatePayload | None = None
        try:
            states = self._states()
            parameters = parse_callback(query)
            payload = parse_state(parameters.state, self._services.signer)
            check_browser(payload, cookie=browser, signed_in=caller.email if caller else None)
            check_age(payload, now=self._services.clock(), lifetime=self._lifetime)
            validated = await self._consume(states, parameters, payload, path_gateway)
            return await self._exchange(validated)
        except LatchpinError as exc:
            self._log_failure(exc, payload)
            raise

    async def _consume(
        self, states: StateStore, parameters: CallbackParameters, payload: StatePayload, path_gateway: str | None
    ) -> ValidatedCallback:
        pending = await states.consume(StateKey(payload.gateway_id, parameters.state))
        self._admission.release(payload.flow_id)
        validated = validate(parameters, payload, pending, path_gateway=path_gateway)
        _log.debug(
            "Successfully validated OAuth state from %s for gateway %s",
            self._store_label,
            payload.gateway_id,
            extra={"flow_id": payload.flow_id},
        )
        return validated

    async def _exchange(self, validated: ValidatedCallback) -> Completed:
        pending, payload = validated.pending, validated.payload
        gateway = await self._gateways.get_any(payload.gateway_id)
        place = (payload.gateway_id, pending.app_user_email, pending.issuer or "", "code_verifier")
        try:
            verifier = self._services.cipher.unseal(pending.code_verifier, place=place)
        except Unsealable as exc:
            raise VerifierLost(exc.detail) from exc
        await self._tokens.redeem(gateway, validated, verifier)
        _log.info(
            "Completed OAuth flow for gateway %s, user %s",
            gateway.id,
            pending.app_user_email,
            extra={"flow_id": payload.flow_id},
        )
        return Completed(gateway, pending.app_user_email, payload.flow_id)

    # -- both ---------------------------------------------------------------------------------------------

    def _states(self) -> StateStore:
        if self._services.states is None:
            raise StateStorageDisabled
        return self._services.states

    @property
    def _store_label(self) -> str:
        backend = self._services.state_backend
        return backend.label if backend is not None else "nothing"

    def _log_failure(self, exc: LatchpinError, payload: StatePayload | None) -> None:
        extra = {"flow_id": payload.flow_id if payload else None, "cause": exc.code}
        _log.warning("%s", self._warning(exc, payload), extra=extra)
        _log.error("OAuth callback failed: %s", exc.public, extra=extra)
        backend = self._services.state_backend
        foreign = payload is not None and payload.instance != self._services.instance_id
        if isinstance(exc, StateNotFound) and foreign and backend is not None and not backend.shared:
            _log.error(
                "The state was issued by another process, and CACHE_TYPE=%s is not shared between processes: "
                "run one worker, or set CACHE_TYPE=database or redis",
                backend.name,
                extra=extra,
            )

    def _warning(self, exc: LatchpinError, payload: StatePayload | None) -> str:
        gateway = payload.gateway_id if payload else "(unproven)"
        match exc:
            case StateNotFound():
                return f"State not found in {self._store_label} for gateway {gateway}"
            case StateExpired():
                return f"State has expired for gateway {gateway}"
            case StateAlreadyUsed(used_at=used_at):
                return (
                    f"State was already used for gateway {gateway} - possible replay attack "
                    f"(this state has already been used at {used_at.isoformat(timespec='seconds')})"
                )
            case _:
                facts = "; ".join(text for text in (exc.detail, exc.hint) if text)
                return f"{exc.public}: {facts} (gateway {gateway})" if facts else f"{exc.public} (gateway {gateway})"


def _authorization_config(gateway: Gateway) -> OAuthConfig:
    """The gateway's OAuth settings, if a person can authorize it."""
    if gateway.auth_type != "oauth" or gateway.oauth is None:
        raise InvalidRequest(
            f"gateway '{gateway.name}' does not use OAuth", remedy="There is nothing to authorize; fetch its tools."
        )
    if gateway.oauth.grant_type != "authorization_code":
        raise InvalidRequest(
            f"gateway '{gateway.name}' authorizes itself with {gateway.oauth.grant_type}",
            remedy="There is nothing for a person to authorize; fetch its tools.",
        )
    return gateway.oauth
