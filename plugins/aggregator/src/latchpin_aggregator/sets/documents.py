"""What the API answers about sets."""

from __future__ import annotations

from typing import Literal

from latchpin.sdk.web import Document, Id, Moment
from pydantic import Field

__all__ = ["SetDocument", "SetList", "SetRemoved"]


class SetDocument(Document):
    """A set of gateways."""

    slug: str
    name: str
    description: str
    url: str = Field(description="Where MCP clients reach it.")
    gateways: list[Id] = Field(description="Those that the caller may use, in the order in which people see them.")
    allowed_users: list[str] | None = Field(None, description="Left out for callers who are no administrators.")
    revision: int
    created_at: Moment
    updated_at: Moment


class SetList(Document):
    """Sets, by slug."""

    sets: list[SetDocument]
    total: int


class SetRemoved(Document):
    """A set that is gone."""

    success: Literal[True]
    message: str
