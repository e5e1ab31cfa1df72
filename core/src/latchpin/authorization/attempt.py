"""What one authorization is begun with, and what is made of it: the state, the pending row, the URL."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import timedelta

from latchpin.activity.recorder import FlowSpan
from latchpin.model import Gateway, PendingAuthorization, StateKey
from latchpin.oauth.authorize import AuthorizationRequest, build_authorization_url
from latchpin.oauth.pkce import build_verifier
from latchpin.oauth.state import StatePayload, build_state, hash_browser
from latchpin.servers.found import FoundServer
from latchpin.services import Services
from latchpin.tokens.sealing import place_of

__all__ = ["Attempt", "build_request"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one authorization is begun with.

    Attributes:
        wanted: scopes that the MCP server has asked of this user since (step-up).
        span: where its steps are recorded.
        discovery_seconds: how long it took to find ``found``.
        key_thumbprint: names the gateway's key, where the tokens are to be bound to it.
        return_to: the path of ours that the browser goes on to afterwards, if any.
    """

    flow_id: str
    gateway: Gateway
    found: FoundServer
    email: str
    browser: str = field(repr=False)
    wanted: tuple[str, ...]
    span: FlowSpan
    discovery_seconds: float
    key_thumbprint: str | None = None
    return_to: str = ""

    @property
    def scopes(self) -> tuple[str, ...]:
        """What to ask for: the usual, and what the MCP server has asked of this user since (step-up)."""
        return self.found.cut((*self.found.scopes, *self.wanted))


def build_request(
    attempt: Attempt, services: Services, *, client_id: str, redirect_uri: str, store: str
) -> tuple[PendingAuthorization, str]:
    """Make state and PKCE verifier: what is kept of the attempt, and the URL to send the browser to.

    The server must have an authorization endpoint; ``store`` names the data that the state is put into.
    """
    verifier = build_verifier(secrets.token_bytes)
    state = build_state(_payload(attempt, services, store), services.signer)
    pending = _pending(
        attempt, services, client_id=client_id, redirect_uri=redirect_uri, state=state, verifier=verifier
    )
    config, provider = attempt.found.config, attempt.found.metadata.provider
    url = build_authorization_url(
        AuthorizationRequest(
            authorization_endpoint=attempt.found.metadata.authorization_endpoint or "",
            client_id=client_id,
            redirect_uri=redirect_uri,
            state=state,
            code_challenge=services.pkce.challenge(verifier),
            code_challenge_method=services.pkce.name,
            scopes=pending.scopes,
            scope_separator=config.scope_separator or " ",
            scope_parameter=provider.scope_parameter if provider else "scope",
            resource=pending.resource,
            audience=config.audience,
            key_thumbprint=attempt.key_thumbprint,
            extra=config.extra_authorize_params,
        )
    )
    return pending, url


def _payload(attempt: Attempt, services: Services, store: str) -> StatePayload:
    return StatePayload(
        gateway_id=attempt.gateway.id,
        app_user_email=attempt.email,
        nonce=secrets.token_urlsafe(16),
        timestamp=services.clock().isoformat(),
        browser=hash_browser(attempt.browser),
        key_id=services.signer.key_id,
        instance=services.instance_id,
        flow_id=attempt.flow_id,
        store=store,
        return_to=attempt.return_to,
    )


def _pending(
    attempt: Attempt, services: Services, *, client_id: str, redirect_uri: str, state: str, verifier: str
) -> PendingAuthorization:
    metadata, now = attempt.found.metadata, services.clock()
    place = place_of(attempt.gateway.id, attempt.email, metadata.issuer, "code_verifier")
    return PendingAuthorization(
        id=attempt.flow_id,
        key=StateKey(attempt.gateway.id, state),
        code_verifier=services.cipher.seal(verifier, associated_data=place),
        app_user_email=attempt.email,
        redirect_uri=redirect_uri,
        issuer=metadata.issuer,
        iss_expected=metadata.iss_parameter_supported,
        token_url=metadata.token_endpoint,
        client_id=client_id,
        resource=attempt.found.resource,
        scopes=attempt.scopes,
        created_at=now,
        expires_at=now + timedelta(seconds=services.settings.state_ttl_seconds),
    )
