"""What the API answers about what people allowed."""

from __future__ import annotations

from latchpin.sdk.web import Document, Id, Moment
from pydantic import Field

__all__ = ["GrantList", "GrantsEnded", "PersonalTokenCreated", "PersonalTokenEnded", "PersonalTokenList"]


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


class PersonalTokenDocument(Document):
    """A personal access token, without what proves it."""

    id: Id
    app_user_email: str
    name: str
    resources: list[str] = Field(description="The MCP endpoints that take it; empty: all that its person may use.")
    created_at: Moment
    expires_at: Moment
    used_at: Moment | None = Field(description="To the hour; null: never.")


class PersonalTokenList(Document):
    """Personal access tokens, by person and then the newest first."""

    personal_tokens: list[PersonalTokenDocument]
    total: int


class PersonalTokenCreated(Document):
    """A new personal access token."""

    token: str = Field(description="Its text, which nobody can read again.")
    personal_token: PersonalTokenDocument


class PersonalTokenEnded(Document):
    """A personal access token was ended."""

    success: bool
    message: str
