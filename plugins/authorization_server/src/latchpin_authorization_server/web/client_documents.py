"""What the API answers about clients."""

from __future__ import annotations

from typing import Literal

from latchpin.sdk.web import Document, Moment
from pydantic import Field

__all__ = ["McpClientDocument", "McpClientEntered", "McpClientList"]


class McpClientDocument(Document):
    """An MCP client that is kept here."""

    client_id: str
    name: str = Field(description="One that registered itself may call itself anything.")
    source: Literal["entered", "registered"] = Field(description="Whether an administrator entered it.")
    redirect_uris: list[str]
    grant_types: list[str]
    token_endpoint_auth_method: str
    acts_as: str | None = Field(description="Whose tokens a service gets.")
    created_at: Moment
    created_by: str = Field(description="The administrator's address, or the network address that registered it.")
    expires_at: Moment | None = Field(description="When it is forgotten, unless it is used before; null: never.")


class McpClientEntered(McpClientDocument):
    """A client that was entered just now."""

    client_secret: str | None = Field(description="Told this once; null where the client has none.")


class McpClientList(Document):
    """MCP clients, the newest first."""

    clients: list[McpClientDocument]
    total: int
    next_after: str | None = Field(description="What ``after`` is for the next page; null at the end.")
