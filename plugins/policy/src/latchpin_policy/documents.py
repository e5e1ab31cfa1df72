"""What the API answers about groups and rules."""

from __future__ import annotations

from typing import Any, Literal

from latchpin.sdk.web import Document, Id, Moment
from pydantic import Field

__all__ = [
    "AccessDocument",
    "ChangedTool",
    "ChangedTools",
    "GroupDocument",
    "GroupList",
    "Removed",
    "RuleDocument",
    "RuleList",
]


class RuleDocument(Document):
    """A rule about tools or scopes."""

    id: str
    effect: Literal["allow", "deny", "scopes"]
    who: list[str] = Field(description="Empty: everyone.")
    gateway: str = Field(description="A gateway's id; empty: every gateway.")
    tools: list[str]
    when: Literal["always", "read-only", "not-read-only"]
    scopes: list[str]
    note: str
    created_at: Moment
    updated_at: Moment
    revision: int


class RuleList(Document):
    """Rules, oldest first."""

    rules: list[RuleDocument]
    total: int


class GroupDocument(Document):
    """A group of people."""

    name: str
    members: list[str]
    note: str
    updated_at: Moment
    revision: int


class GroupList(Document):
    """Groups, by name."""

    groups: list[GroupDocument]
    total: int


class ChangedTool(Document):
    """A tool whose definition waits for approval, or has just been approved."""

    id: str
    gateway: Id
    tool: str
    approved: dict[str, Any] | None = Field(description="The definition that was approved last; null: none was.")
    held: dict[str, Any] | None = Field(description="As its server lists it now; null: nothing waits.")
    hash: str = Field(description="Of what is held: it is approved by it.")
    held_since: Moment | None


class ChangedTools(Document):
    """Tools that wait for approval, oldest first."""

    tools: list[ChangedTool]
    total: int


class Removed(Document):
    """Something that is gone."""

    success: Literal[True]
    message: str


class AccessAtGateway(Document):
    """What holds for one person and one tool at one gateway."""

    gateway: Id
    name: str
    may_use_gateway: bool
    entry: str = Field(description="What lets them use the gateway, or that nothing does.")
    allowed: bool
    rule: str = Field(description="What decides about the tool.")
    scope_ceiling: list[str] | None = Field(description="The only scopes that may be asked for; null: any.")


class AccessDocument(Document):
    """What holds for one person and one tool."""

    email: str
    tool: str
    allowed: bool = Field(description="At any of the gateways.")
    administrator: bool
    groups: dict[str, list[str]] = Field(description="The person's, each with who says so.")
    gateways: list[AccessAtGateway]
