"""What the authorization server tells of what happened, beside the gateway's own facts."""

from __future__ import annotations

import logging

from latchpin.sdk.activity import FactKind, OwnFact

__all__ = [
    "CLIENT_CHANGED",
    "CLIENT_DELETED",
    "CLIENT_ENTERED",
    "CLIENT_REGISTERED",
    "FACTS",
    "GRANT_ALLOWED",
    "GRANT_ENDED",
    "GRANT_MISUSED",
    "PERSONAL_TOKEN_ENDED",
    "PERSONAL_TOKEN_MADE",
]

CLIENT_REGISTERED = OwnFact(
    "mcp-client.registered",
    FactKind("An MCP client registered itself.", "client_id", "The MCP client %(client_id)s registered itself"),
)
CLIENT_ENTERED = OwnFact(
    "mcp-client.entered",
    FactKind(
        "An administrator entered an MCP client; its tokens are for the subject, if it is a service.",
        "client_id grant_types",
        "%(actor)s entered the MCP client %(client_id)s",
    ),
)
CLIENT_CHANGED = OwnFact(
    "mcp-client.changed",
    FactKind(
        "An MCP client changed its registration, or an administrator changed what was entered.",
        "client_id",
        "The MCP client %(client_id)s was changed by %(actor)s",
    ),
)
CLIENT_DELETED = OwnFact(
    "mcp-client.deleted",
    FactKind(
        "An MCP client was deleted, by itself or an administrator, and what it was allowed has ended.",
        "client_id grants",
        "The MCP client %(client_id)s was deleted by %(actor)s",
        logging.WARNING,
    ),
)
GRANT_ALLOWED = OwnFact(
    "grant.allowed",
    FactKind(
        "An MCP client may use an endpoint as the subject, who allowed it now or before.",
        "client_id resource",
        "The MCP client %(client_id)s may use %(resource)s as %(subject)s",
    ),
)
GRANT_ENDED = OwnFact(
    "grant.ended",
    FactKind(
        "What an MCP client was allowed has ended.",
        "client_id resource",
        "The MCP client %(client_id)s may not use %(resource)s as %(subject)s any more",
    ),
)
GRANT_MISUSED = OwnFact(
    "grant.misused",
    FactKind(
        "A code or refresh token came twice, or not as its client would send it: what it stood for has ended.",
        "client_id resource",
        "A code or refresh token of the MCP client %(client_id)s, for %(subject)s at %(resource)s, came twice, or not"
        " as its client would send it; what it stood for has ended",
        logging.WARNING,
    ),
)
PERSONAL_TOKEN_MADE = OwnFact(
    "personal-token.made",
    FactKind(
        "Somebody made a personal access token for the subject.",
        "token_id",
        "%(actor)s made the personal access token %(token_id)s for %(subject)s",
    ),
)
PERSONAL_TOKEN_ENDED = OwnFact(
    "personal-token.ended",
    FactKind(
        "A personal access token of the subject was ended.",
        "token_id",
        "%(actor)s ended the personal access token %(token_id)s of %(subject)s",
    ),
)

FACTS = (
    CLIENT_REGISTERED,
    CLIENT_ENTERED,
    CLIENT_CHANGED,
    CLIENT_DELETED,
    GRANT_ALLOWED,
    GRANT_ENDED,
    GRANT_MISUSED,
    PERSONAL_TOKEN_MADE,
    PERSONAL_TOKEN_ENDED,
)
"""All of them, in the order of the documentation."""
