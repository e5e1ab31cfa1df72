"""The values that travel through the gateway: frozen, slotted, without behaviour that does I/O.

Times are aware ``datetime`` in UTC. A field whose type is ``Sealed`` holds ciphertext made by the
selected cipher, never a plain secret; what crosses a store is built only from these values. What is secret in a
value is left out when it is printed.

Some names are words or numbers of others: ``AuthType`` and ``GrantType`` (with ``JWT_BEARER``) are a gateway's,
``NO_PROFILE`` is what its ``provider`` says to have none,
``CLIENT_ITSELF`` is the owner of a token that is the gateway's own, ``ID_INDEX`` is the index that each collection has.
``AuditEvent`` are the audit log's. Of a flow's history: ``StepName``, ``StepOutcome``, ``FlowOutcome``, ``Phase`` (what
was under way), ``Facts`` (what one step may tell) and ``MOST_STEPS`` (how many are kept).
"""

from __future__ import annotations

from latchpin.model.answers import ClientCredentials, Reply, ServerMetadata, TokenGrant
from latchpin.model.document import ID_INDEX, CollectionSpec, Document, Span, index_time
from latchpin.model.facts import Fact
from latchpin.model.flow_facts import (
    Begun,
    Consumed,
    Exchanged,
    Facts,
    Failed,
    Phase,
    Redirected,
    Returned,
    StepName,
    Stored,
    TokensSealed,
    ToolsFetched,
    Verified,
)
from latchpin.model.flow_steps import (
    MOST_STEPS,
    FlowOutcome,
    FlowQuery,
    FlowStep,
    FlowSummary,
    StepOutcome,
    in_order,
    summarize,
)
from latchpin.model.gateway import JWT_BEARER, AuthType, Gateway, GrantType, IdentityProvider, OAuthConfig
from latchpin.model.pending import PendingAuthorization, StateKey
from latchpin.model.person import Caller, Evidence, IdentityAssertion
from latchpin.model.records import CLIENT_ITSELF, RegisteredClient, StoredToken, StoredTool, ToolChanges
from latchpin.model.sealed import Sealed
from latchpin.model.server_profile import NO_PROFILE, ServerProfile

__all__ = [
    "AuthType",
    "Begun",
    "CLIENT_ITSELF",
    "Caller",
    "ClientCredentials",
    "Consumed",
    "CollectionSpec",
    "Document",
    "Evidence",
    "Exchanged",
    "Fact",
    "Facts",
    "Failed",
    "FlowOutcome",
    "FlowQuery",
    "FlowStep",
    "FlowSummary",
    "Gateway",
    "GrantType",
    "ID_INDEX",
    "IdentityAssertion",
    "IdentityProvider",
    "JWT_BEARER",
    "MOST_STEPS",
    "NO_PROFILE",
    "OAuthConfig",
    "PendingAuthorization",
    "Phase",
    "ServerProfile",
    "Redirected",
    "RegisteredClient",
    "Reply",
    "Returned",
    "Sealed",
    "ServerMetadata",
    "Span",
    "StateKey",
    "StepName",
    "StepOutcome",
    "Stored",
    "StoredToken",
    "StoredTool",
    "TokenGrant",
    "TokensSealed",
    "ToolChanges",
    "ToolsFetched",
    "Verified",
    "in_order",
    "summarize",
    "index_time",
]
