"""What the authorization server publishes about itself (RFC 8414). Pure."""

from __future__ import annotations

from typing import Any

from latchpin.sdk.identity import SIGNING_ALGORITHMS

from latchpin_authorization_server.settings import AuthorizationServerSettings

__all__ = ["PATHS", "SCOPE", "build_metadata"]

ID_JAG_PROFILE = "urn:ietf:params:oauth:grant-profile:id-jag"
"""An identity provider's grants are taken (draft-ietf-oauth-identity-assertion-authz-grant)."""
SCOPE = "mcp"
"""The one scope: to use the MCP endpoint that the token is for, as the person."""

PATHS = {
    "authorization_endpoint": "/oauth2/authorize",
    "token_endpoint": "/oauth2/token",
    "revocation_endpoint": "/oauth2/revoke",
    "registration_endpoint": "/oauth2/register",
    "device_authorization_endpoint": "/oauth2/device_authorization",
    "jwks_uri": "/oauth2/jwks.json",
}
"""Each endpoint's path below BASE_URL, by the name that the metadata has for it."""


def build_metadata(base_url: str, settings: AuthorizationServerSettings, *, grant_types: list[str]) -> dict[str, Any]:
    """The metadata document.

    Args:
        base_url: BASE_URL, the issuer.
        settings: the plugin's.
        grant_types: those that the token endpoint takes.
    """
    methods = ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]
    document: dict[str, Any] = {
        "issuer": base_url,
        **{name: base_url + path for name, path in PATHS.items()},
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": grant_types,
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": sorted(SIGNING_ALGORITHMS),
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": [SCOPE],
        "authorization_response_iss_parameter_supported": True,
        "client_id_metadata_document_supported": settings.client_metadata_documents_enabled,
    }
    if "urn:ietf:params:oauth:grant-type:jwt-bearer" in grant_types:
        document["authorization_grant_profiles_supported"] = [ID_JAG_PROFILE]
    if not settings.client_registration_enabled:
        del document["registration_endpoint"]
    return document
