"""The values that travel through the gateway: frozen, slotted, without behaviour that does I/O.

Times are aware ``datetime`` in UTC. A field whose type is ``Sealed`` holds ciphertext made by the
selected cipher, never a plain secret; what crosses a store is built only from these values. What is secret in a
value is left out when it is printed.

Some names are words or numbers of others: ``AuthType`` and ``JWT_BEARER`` (a grant) are a gateway's,
``NO_PROFILE`` is what its ``provider`` says to have none,
``GROUP`` is what stands before a group's name in ``allowed_users``; ``write_group`` writes such a name and
``read_groups`` those of a claim,
``CLIENT_ITSELF`` is the owner of a token that is the gateway's own and ``COMPANY`` of one that all share,
``ConnectionKind`` says which a gateway has, ``VIA_ACCESS_TOKEN`` is how a caller came whose
program runs OAuth itself, ``ID_INDEX`` is the index that each collection has.
``AuditEvent`` are the audit log's. Of a flow's history: ``StepName``, ``StepOutcome``, ``FlowOutcome``, ``Phase`` (what
was under way), ``Facts`` (what one step may tell) and ``MOST_STEPS`` (how many are kept).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from latchpin.lazily import finder

if TYPE_CHECKING:
    from latchpin.model.answers import ClientCredentials, Reply, ServerMetadata, TokenGrant
    from latchpin.model.document import ID_INDEX, CollectionSpec, Document, Span, index_time
    from latchpin.model.facts import Fact, FactKind, OwnFact
    from latchpin.model.gateway import (
        JWT_BEARER,
        ApiKeyConfig,
        AuthType,
        ConnectionKind,
        Gateway,
        IdentityProvider,
        OAuthConfig,
    )
    from latchpin.model.groups import GROUP, read_groups, write_group
    from latchpin.model.pending import PendingAuthorization, StateKey
    from latchpin.model.person import VIA_ACCESS_TOKEN, Caller, Evidence, IdentityAssertion
    from latchpin.model.records import CLIENT_ITSELF, COMPANY, RegisteredClient, StoredToken, StoredTool, ToolChanges
    from latchpin.model.sealed import Sealed
    from latchpin.model.server_profile import NO_PROFILE, ServerProfile
    from latchpin.model.step_names import Phase, StepName

__all__ = [
    "ApiKeyConfig",
    "AuthType",
    "CLIENT_ITSELF",
    "COMPANY",
    "Caller",
    "ClientCredentials",
    "CollectionSpec",
    "ConnectionKind",
    "Document",
    "Evidence",
    "Fact",
    "FactKind",
    "GROUP",
    "Gateway",
    "ID_INDEX",
    "IdentityAssertion",
    "IdentityProvider",
    "JWT_BEARER",
    "NO_PROFILE",
    "OAuthConfig",
    "OwnFact",
    "PendingAuthorization",
    "Phase",
    "ServerProfile",
    "RegisteredClient",
    "Reply",
    "Sealed",
    "ServerMetadata",
    "Span",
    "StateKey",
    "StepName",
    "StoredToken",
    "StoredTool",
    "TokenGrant",
    "ToolChanges",
    "VIA_ACCESS_TOKEN",
    "index_time",
    "read_groups",
    "write_group",
]

__getattr__ = finder(
    __name__,
    {
        "latchpin.model.answers": ("ClientCredentials", "Reply", "ServerMetadata", "TokenGrant"),
        "latchpin.model.document": ("ID_INDEX", "CollectionSpec", "Document", "Span", "index_time"),
        "latchpin.model.facts": ("Fact", "FactKind", "OwnFact"),
        "latchpin.model.gateway": (
            "JWT_BEARER",
            "ApiKeyConfig",
            "AuthType",
            "ConnectionKind",
            "Gateway",
            "IdentityProvider",
            "OAuthConfig",
        ),
        "latchpin.model.groups": ("GROUP", "read_groups", "write_group"),
        "latchpin.model.pending": ("PendingAuthorization", "StateKey"),
        "latchpin.model.person": ("VIA_ACCESS_TOKEN", "Caller", "Evidence", "IdentityAssertion"),
        "latchpin.model.records": (
            "CLIENT_ITSELF",
            "COMPANY",
            "RegisteredClient",
            "StoredToken",
            "StoredTool",
            "ToolChanges",
        ),
        "latchpin.model.sealed": ("Sealed",),
        "latchpin.model.server_profile": ("NO_PROFILE", "ServerProfile"),
        "latchpin.model.step_names": ("Phase", "StepName"),
    },
)
"""The list of commands has no use for any of them."""
