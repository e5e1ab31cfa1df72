"""What lasts: users' tokens, registered clients, tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from latchpin.model.sealed import Sealed

__all__ = ["CLIENT_ITSELF", "COMPANY", "RegisteredClient", "StoredToken", "StoredTool", "ToolChanges"]

CLIENT_ITSELF = "(client)"
"""Stands in ``app_user_email`` for a token that belongs to the gateway, not to a person."""

COMPANY = "(company)"
"""Stands there for a token that an administrator got for everybody whom the gateway allows."""


@dataclass(frozen=True, slots=True)
class StoredToken:
    """One account's tokens for one gateway, sealed. Unique by ``gateway_id``, ``app_user_email`` and ``label``.

    Attributes:
        id: 32 hexadecimal digits; a new authorization after a disconnect gets a new one.
        user_id: the provider's ``sub``, else the address.
        app_user_email: whose token this is at this gateway, ``CLIENT_ITSELF`` or ``COMPANY``.
        issuer: who issued it; with ``resource`` it binds the token to where it may be sent.
        client_id: the client it was issued to.
        revision: 1 at first, one more with every write; see ``TokenRecords.put``.
        needs_reauth: the refresh token is spent; only a new authorization helps.
        refresh_begun_at: a refresh was begun and its outcome is not known yet.
        renew_at: from when on it is renewed in the background, where that is switched on; None: never.
        flow_id: the authorization that it came from, None where a client got it for itself.
        label: tells several accounts of one person at one server apart; ``""``: the one that has no name.
        chosen_at: when its owner made it the one that serves where none is named. The last that was chosen counts.
        connected_by: the address of the administrator who connected what belongs to ``COMPANY``, else None.
    """

    id: str
    gateway_id: str
    user_id: str
    app_user_email: str
    issuer: str | None
    resource: str | None
    client_id: str
    access_token: Sealed
    refresh_token: Sealed | None
    token_type: str
    scopes: tuple[str, ...]
    expires_at: datetime
    revision: int
    needs_reauth: bool
    refresh_begun_at: datetime | None
    created_at: datetime
    updated_at: datetime
    renew_at: datetime | None = None
    flow_id: str | None = None
    label: str = ""
    chosen_at: datetime | None = None
    connected_by: str | None = None


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """A client that an authorization server registered for us (RFC 7591). Unique by gateway and issuer.

    ``expires_at`` is the end of the client secret's life, None if it does not end. An inactive client is
    kept for the record and never used.
    """

    id: str
    gateway_id: str
    issuer: str
    client_id: str
    client_secret: Sealed | None
    redirect_uris: tuple[str, ...]
    grant_types: tuple[str, ...]
    scope: str
    token_endpoint_auth_method: str
    registration_client_uri: str | None
    registration_access_token: Sealed | None
    created_at: datetime
    expires_at: datetime | None
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class StoredTool:
    """One tool of an MCP server as one user sees it. Unique by gateway, user and ``name``.

    ``definition`` is the server's own JSON object (``name``, ``description``, ``inputSchema``, ...).
    """

    gateway_id: str
    app_user_email: str
    name: str
    definition: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ToolChanges:
    """What replacing a user's tools changed, as counts."""

    created: int
    updated: int
    removed: int
