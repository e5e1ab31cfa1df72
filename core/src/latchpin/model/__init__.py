"""The values that travel through the gateway: frozen, slotted, without behaviour that does I/O.

Times are aware ``datetime`` in UTC. A field whose type is ``Sealed`` holds ciphertext made by the
selected cipher, never a plain secret; what crosses a store is built only from these values. What is secret in a
value is left out when it is printed.
"""

from __future__ import annotations

from latchpin.model.answers import ClientCredentials, Reply, ServerMetadata, TokenGrant
from latchpin.model.gateway import JWT_BEARER, AuthType, Gateway, GrantType, IdentityProvider, OAuthConfig
from latchpin.model.pending import PendingAuthorization, StateKey
from latchpin.model.person import Caller, Evidence, IdentityAssertion
from latchpin.model.provider import Provider
from latchpin.model.records import CLIENT_ITSELF, RegisteredClient, StoredToken, StoredTool, ToolChanges
from latchpin.model.sealed import Sealed

__all__ = [
    "AuthType",
    "CLIENT_ITSELF",
    "Caller",
    "ClientCredentials",
    "Evidence",
    "Gateway",
    "GrantType",
    "IdentityAssertion",
    "IdentityProvider",
    "JWT_BEARER",
    "OAuthConfig",
    "PendingAuthorization",
    "Provider",
    "RegisteredClient",
    "Reply",
    "Sealed",
    "ServerMetadata",
    "StateKey",
    "StoredToken",
    "StoredTool",
    "TokenGrant",
    "ToolChanges",
]
