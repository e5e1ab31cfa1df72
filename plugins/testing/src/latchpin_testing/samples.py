"""Builders of values for tests: every field is set, ids are random, and ``changes`` override fields.

Each takes ``now``, the injected clock's time, so that stored times agree with the clock of the store.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from latchpin.model import (
    Gateway,
    OAuthConfig,
    PendingAuthorization,
    RegisteredClient,
    Sealed,
    StateKey,
    StoredToken,
)

from latchpin_testing.sealing import SuiteCipher

__all__ = [
    "gateway",
    "new_id",
    "new_state",
    "pending_authorization",
    "registered_client",
    "stored_token",
    "tools",
]

_CIPHER = SuiteCipher()


def new_id() -> str:
    """32 random hexadecimal digits."""
    return secrets.token_hex(16)


def new_state() -> str:
    """Text in the form of a signed state: two parts of base64url, joined by a dot."""
    return f"{secrets.token_urlsafe(200)}.{secrets.token_urlsafe(32)}"


def _sealed(purpose: str) -> Sealed:
    return _CIPHER.seal(secrets.token_urlsafe(32), associated_data=[purpose])


def pending_authorization(
    now: datetime,
    *,
    ttl: timedelta = timedelta(seconds=300),
    **changes: Any,  # noqa: ANN401  any field
) -> PendingAuthorization:
    """A pending authorization that was begun ``now`` and expires after ``ttl``."""
    value = PendingAuthorization(
        id=new_id(),
        key=StateKey(gateway_id=new_id(), state=new_state()),
        code_verifier=_sealed("verifier"),
        app_user_email="ada@example.com",
        redirect_uri="https://gateway.example.com/oauth/callback",
        issuer="https://as.example.com/tenant/1",
        iss_expected=True,
        token_url="https://as.example.com/tenant/1/token",  # noqa: S106  an address
        client_id="client-7",
        resource="https://mcp.example.com/mcp",
        scopes=("mcp:read", "openid"),
        created_at=now,
        expires_at=now + ttl,
    )
    return replace(value, **changes)


def gateway(now: datetime, **changes: Any) -> Gateway:  # noqa: ANN401  any field
    """A gateway with every OAuth setting filled in."""
    value = Gateway(
        id=new_id(),
        name="Weather",
        url="https://mcp.example.com/mcp",
        auth_type="oauth",
        allowed_users=("ada@example.com", "*@example.org", "group:Staff%20of%20Köln"),
        oauth=OAuthConfig(
            grant_type="authorization_code",
            client_id="client-7",
            client_secret=_sealed("client_secret"),
            issuer="https://as.example.com/tenant/1",
            authorization_url="https://as.example.com/tenant/1/authorize",
            token_url="https://as.example.com/tenant/1/token",  # noqa: S106  an address
            redirect_uri="https://gateway.example.com/oauth/callback",
            scopes=("mcp:read",),
            resource="https://mcp.example.com/mcp",
            omit_resource=True,
            audience="mcp",
            token_endpoint_auth_method="client_secret_post",  # noqa: S106  a method
            extra_authorize_params={"access_type": "offline"},
            scope_separator=",",
            assume_pkce=True,
            dpop=True,
            assertion=_sealed("assertion"),
            assertion_file="token",
            identity_provider="https://idp.example.com",
            identity_provider_token_url="https://idp.example.com/token",  # noqa: S106  an address
            identity_provider_client_id="client-at-idp",
            identity_provider_client_secret=_sealed("identity_provider_client_secret"),
        ),
        pinned_issuer="https://as.example.com/tenant/1",
        revision=1,
        created_at=now,
        updated_at=now,
    )
    return replace(value, **changes)


def stored_token(now: datetime, **changes: Any) -> StoredToken:  # noqa: ANN401  any field
    """A user's token for a gateway, first revision."""
    value = StoredToken(
        id=new_id(),
        gateway_id=new_id(),
        user_id="sub-4711",
        app_user_email="ada@example.com",
        issuer="https://as.example.com/tenant/1",
        resource="https://mcp.example.com/mcp",
        client_id="client-7",
        access_token=_sealed("access_token"),
        refresh_token=_sealed("refresh_token"),
        token_type="Bearer",  # noqa: S106  a type
        scopes=("mcp:read", "openid"),
        expires_at=now + timedelta(hours=1),
        revision=1,
        needs_reauth=False,
        refresh_begun_at=None,
        created_at=now,
        updated_at=now,
        renew_at=now + timedelta(minutes=50),
        flow_id=new_id(),
    )
    return replace(value, **changes)


def registered_client(now: datetime, **changes: Any) -> RegisteredClient:  # noqa: ANN401  any field
    """A client that an authorization server registered."""
    value = RegisteredClient(
        id=new_id(),
        gateway_id=new_id(),
        issuer="https://as.example.com/tenant/1",
        client_id=f"dyn-{secrets.token_hex(4)}",
        client_secret=_sealed("client_secret"),
        redirect_uris=("https://gateway.example.com/oauth/callback", "http://127.0.0.1/cb"),
        grant_types=("authorization_code", "refresh_token"),
        scope="mcp:read openid",
        token_endpoint_auth_method="client_secret_basic",  # noqa: S106  a method
        registration_client_uri="https://as.example.com/register/dyn",
        registration_access_token=_sealed("registration_access_token"),
        created_at=now,
        expires_at=now + timedelta(days=90),
        is_active=True,
    )
    return replace(value, **changes)


def tools(*names: str) -> dict[str, Mapping[str, Any]]:
    """Tool definitions by name, as an MCP server lists them."""
    return {
        name: {
            "name": name,
            "description": f"What {name} does, in \u65e5\u672c\u8a9e and \U0001f600",
            "inputSchema": {
                "type": "object",
                "properties": {"n": {"type": "integer", "maximum": 9_007_199_254_740_993}},
            },
            "annotations": {"readOnlyHint": True, "score": 0.25, "none": None},
        }
        for name in names
    }
