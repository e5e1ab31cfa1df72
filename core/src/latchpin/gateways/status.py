"""What ``GET /oauth/status`` says: how a gateway does OAuth, and how the caller's own token or key is."""

from __future__ import annotations

from typing import Any

from latchpin.model import Caller, Gateway, OAuthConfig, StoredToken
from latchpin.plugins.elsewhere import nobody_offers, nobody_offers_scheme
from latchpin.services import Services
from latchpin.tokens.client_grant import subject_of
from latchpin.tokens.schemes import wants_key
from latchpin.tokens.service import TokenService

__all__ = ["GatewayStatusService"]


class GatewayStatusService:
    """Reads only: it asks no server and renews nothing."""

    def __init__(self, services: Services, tokens: TokenService) -> None:
        self._services = services
        self._tokens = tokens

    async def describe(self, gateway: Gateway, caller: Caller) -> dict[str, Any]:
        """One gateway's status for one caller."""
        config = gateway.oauth
        if wants_key(gateway):
            return await self._describe_key(gateway, caller)
        if config is None:
            return {"gateway_id": gateway.id, "oauth_enabled": False, "message": "Gateway is not configured for OAuth"}
        stored = await self._tokens.stored_for(gateway, caller)
        token = self._describe_token(stored)
        return {
            "gateway_id": gateway.id,
            "oauth_enabled": True,
            "grant_type": config.grant_type,
            "client_id": config.client_id or await self._client_id(gateway, stored),
            "scopes": list(config.scopes),
            "authorization_url": config.authorization_url,
            "redirect_uri": config.redirect_uri or self._services.settings.redirect_uri,
            "issuer": config.issuer or gateway.pinned_issuer,
            "message": self._message(gateway, config, token),
            **_whose(gateway, stored),
            "user_token_status": token,
        }

    async def _describe_key(self, gateway: Gateway, caller: Caller) -> dict[str, Any]:
        """The same of a gateway whose server wants a key."""
        stored = await self._tokens.stored_for(gateway, caller)
        token = self._describe_token(stored)
        text = "A key is kept for this gateway" if token["authorized"] else "Enter a key for this gateway to use it"
        if gateway.auth_type not in self._services.auth_schemes:
            text = " ".join(nobody_offers_scheme(gateway.auth_type))
        return {
            "gateway_id": gateway.id,
            "oauth_enabled": False,
            "message": text,
            **_whose(gateway, stored),
            "user_token_status": token,
        }

    async def _client_id(self, gateway: Gateway, stored: StoredToken | None) -> str | None:
        """The client that got the caller's token; before that the one registered, if one is by now."""
        if stored is not None and stored.client_id:
            return stored.client_id
        issuer = gateway.oauth.issuer if gateway.oauth is not None else None
        if (issuer := issuer or gateway.pinned_issuer) is None:
            return None
        kept = await self._services.records.clients.get(gateway.id, issuer)
        return kept.client_id if kept is not None and kept.is_active else None

    def _describe_token(self, stored: StoredToken | None) -> dict[str, Any]:
        if stored is None:
            return {"status": "missing", "authorized": False, "scopes": [], "expires_at": None, "updated_at": None}
        health = self._tokens.health(stored)
        return {
            "status": health.status,
            "authorized": health.authorized,
            "scopes": list(stored.scopes),
            "expires_at": stored.expires_at.isoformat(),
            "updated_at": stored.updated_at.isoformat(),
        }

    def _message(self, gateway: Gateway, config: OAuthConfig, token: dict[str, Any]) -> str:
        subject = subject_of(self._services, config)
        if subject is not None:
            return subject.message
        if config.grant_type != "authorization_code":
            return " ".join(nobody_offers(config.grant_type))
        if gateway.connection == "shared":
            state = "is connected" if token["authorized"] else "waits for an administrator to connect it"
            return f"This gateway has one account for all, and {state}"
        if token["authorized"]:
            return "You have authorized this gateway"
        if token["status"] == "needs_reauth":
            return "Your authorization no longer works: authorize again"
        return "Gateway configured for OAuth: authorize it to use it"


def _whose(gateway: Gateway, stored: StoredToken | None) -> dict[str, str | None]:
    """Whose account serves the caller."""
    return {
        "connection": gateway.connection,
        "account": None if stored is None else stored.label,
        "connected_by": None if stored is None else stored.connected_by,
    }
