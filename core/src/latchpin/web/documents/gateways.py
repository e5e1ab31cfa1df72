"""Gateways, and their tools."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from latchpin.model import AuthType, ConnectionKind
from latchpin.web.documents.base import Document, Id, Moment

__all__ = [
    "ApiKeyPlace",
    "GatewayConfig",
    "GatewayDocument",
    "GatewayList",
    "RevokedTokens",
    "GatewayRemoved",
    "ToolList",
    "LeftOutTool",
    "FetchedTools",
]

Tool = Annotated[dict[str, Any], Field(description="A tool as the MCP server describes it.")]


class GatewayConfig(Document):
    """How a gateway does OAuth. null means: it is found out."""

    grant_type: str
    client_id: str | None
    issuer: str | None
    authorization_url: str | None
    token_url: str | None
    redirect_uri: str | None
    scopes: list[str]
    resource: str | None
    omit_resource: bool | None
    audience: str | None
    token_endpoint_auth_method: str | None
    extra_authorize_params: dict[str, str]
    scope_separator: str | None
    assume_pkce: bool | None
    provider: str | None
    dpop: bool | None
    assertion_file: str | None
    identity_provider: str | None
    identity_provider_token_url: str | None
    identity_provider_client_id: str | None
    client_secret_set: bool
    assertion_set: bool
    identity_provider_client_secret_set: bool


class ApiKeyPlace(Document):
    """Where an API key goes, for a server without OAuth."""

    header: str
    prefix: str


class GatewayDocument(Document):
    """A gateway, without secrets."""

    id: Id
    name: str
    url: str
    auth_type: AuthType = Field(description="oauth, none, or what a plugin offers, such as api_key.")
    connection: ConnectionKind
    allowed_users: list[str] | None = Field(None, description="Left out for callers who are no administrators.")
    oauth_config: GatewayConfig | None
    api_key: ApiKeyPlace | None
    pinned_issuer: str | None
    revision: int
    created_at: Moment
    updated_at: Moment


class GatewayList(Document):
    """Gateways, oldest first."""

    gateways: list[GatewayDocument]
    total: int


class RevokedTokens(Document):
    """What became of a removed gateway's tokens."""

    revoked: int
    not_revoked: int
    answers: list[str]


class GatewayRemoved(Document):
    """A gateway that is gone, and what each server said."""

    success: Literal[True]
    message: str
    tokens: RevokedTokens
    authorization_servers: list[str]


class ToolList(Document):
    """The tools that the caller fetched, by name."""

    tools: list[Tool]
    total: int


class LeftOutTool(Document):
    """A tool that cannot be used."""

    name: str
    reason: str


class FetchedTools(Document):
    """What fetching a gateway's tools brought."""

    success: Literal[True]
    message: str
    created: int
    updated: int
    removed: int
    tools: list[Tool]
    left_out: list[LeftOutTool]
    remarks: list[str] = Field(description="What is wrong with the server's list itself.")
