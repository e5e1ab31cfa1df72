"""What the API answers about what people allowed."""

from __future__ import annotations

from latchpin.sdk.web import Document, Moment
from pydantic import Field

__all__ = ["GrantList", "GrantsEnded"]


class GrantDocument(Document):
    """What one person allowed one MCP client."""

    id: str
    app_user_email: str
    client_id: str
    client_name: str = Field(description="What the client called itself.")
    resource: str = Field(description="The MCP endpoint that its tokens are for.")
    created_at: Moment
    used_at: Moment = Field(description="When it was last given a token.")
    expires_at: Moment = Field(description="When it ends, unless it is used before.")


class GrantList(Document):
    """What people allowed, by person and then the newest first."""

    grants: list[GrantDocument]
    total: int


class GrantsEnded(Document):
    """What was ended."""

    success: bool
    message: str
    grants: list[GrantDocument]
