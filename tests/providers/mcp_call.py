"""The official client with a given token, in both ages of the protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import TextContent

__all__ = ["Age", "call_tool", "list_tools"]

Age = Literal["auto", "legacy", "2026-07-28"]
"""Which protocol the client speaks: the newest that the server has, 2025's handshake, or 2026's."""


@asynccontextmanager
async def _connected(url: str, token: str, mode: Age = "auto") -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


async def list_tools(url: str, token: str, mode: Age = "auto") -> frozenset[str]:
    """The names of the tools."""
    async with _connected(url, token, mode) as client:
        return frozenset(tool.name for tool in (await client.list_tools()).tools)


async def call_tool(url: str, token: str, name: str, arguments: dict[str, Any], mode: Age = "auto") -> str:
    """The text of the answer."""
    async with _connected(url, token, mode) as client:
        result = await client.call_tool(name, arguments)
        assert not result.is_error
        return "".join(part.text for part in result.content if isinstance(part, TextContent))
