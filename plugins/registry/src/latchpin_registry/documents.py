"""What the registry answers, in the words of its API."""

from __future__ import annotations

from typing import Any

from latchpin.sdk.web import Document
from pydantic import Field

__all__ = ["RegistryEntry", "RegistryList", "RegistryPage"]


class RegistryEntry(Document):
    """An MCP endpoint as an MCP registry has it."""

    server: dict[str, Any] = Field(description="The endpoint as ``server.json``.")
    meta: dict[str, Any] = Field(alias="_meta", description="What the registry says of it.")


class RegistryPage(Document):
    """About one part of a list."""

    count: int
    nextCursor: str | None = Field(  # noqa: N815  the API's word
        None, description="For the next page, as ``cursor``; left out at the end."
    )


class RegistryList(Document):
    """A part of the list of MCP endpoints, by name."""

    servers: list[RegistryEntry]
    metadata: RegistryPage
