"""What discovery finds."""

from __future__ import annotations

from typing import Any

from latchpin.sdk.web import Document
from pydantic import Field

__all__ = ["Challenge", "FoundValue", "FoundScopes", "TokenKind", "KnownProvider", "Registration", "Discovery"]


class Challenge(Document):
    """What the MCP server said to a request without a token."""

    asked_for_a_token: bool
    scopes: list[str]


class FoundValue(Document):
    """A value, and where it comes from."""

    value: str | None
    from_: str = Field(alias="from")


class FoundScopes(Document):
    """Scopes, and where they come from."""

    value: list[str]
    from_: str = Field(alias="from")


class TokenKind(Document):
    """On whose word tokens come, and whether they are bound to a key."""

    vouched_for_by: str
    kind: str
    from_: str = Field(alias="from")


class KnownProvider(Document):
    """The entry of the table of known providers, and what the gateway has of it."""

    name: str
    label: str | None = None
    from_: str | None = Field(None, alias="from")
    settings: dict[str, Any]


class Registration(Document):
    """Which way to a client_id is taken, and why not the others."""

    way: str | None
    registered_client_id: str | None
    others: dict[str, str]


class Discovery(Document):
    """What is found now, and each decision. Where it cannot go on, the members that would follow are left out."""

    found: bool
    pinned_issuer: str | None = None
    redirect_uri: str | None
    challenge: Challenge | None = None
    resource: FoundValue | None = None
    issuer: FoundValue | None = None
    trust: str | None = None
    source: str | None = None
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    registration_endpoint: str | None = None
    scopes: FoundScopes | None = None
    tokens: TokenKind | None = None
    provider: KnownProvider | None = None
    steps: list[str] | None = None
    registration: Registration | None = None
    why: str | None = Field(description="What keeps people from authorizing.")
    remedy: str | None = Field(description="What to enter then.")
