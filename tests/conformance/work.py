"""What an MCP client does in each scenario: the tools that the suite's description names, called as it says."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mcp import Client
from pydantic import ValidationError

__all__ = ["WORK", "list_and_call"]

Context = Mapping[str, Any]


async def only_list(client: Client, context: Context) -> None:
    """List the tools."""
    await client.list_tools()


async def list_and_call(client: Client, context: Context) -> None:
    """List the tools, and call the one that the protected servers have."""
    await client.list_tools()
    await client.call_tool("test-tool", {})


async def add_numbers(client: Client, context: Context) -> None:
    """Call a tool with numbers."""
    await client.list_tools()
    await client.call_tool("add_numbers", {"a": 5, "b": 3})


async def call_listed(client: Client, context: Context) -> None:
    """Call each tool that the client believes in, without arguments."""
    for tool in (await client.list_tools()).tools:
        await client.call_tool(tool.name, {"region": "us-west1"})


async def call_given(client: Client, context: Context) -> None:
    """Make the calls that the scenario asks for."""
    await client.list_tools()
    for call in context["toolCalls"]:
        await client.call_tool(call["name"], call["arguments"])


async def call_in_rounds(client: Client, context: Context) -> None:
    """Call the tools that ask back, and one between them that does not."""
    await client.list_tools()
    for name in ("test_mrtr_echo_state", "test_mrtr_unrelated", "test_mrtr_no_state"):
        await client.call_tool(name, {})
    # The SDK does not read a result without resultType; the scenario asks only that nothing is sent after it.
    with contextlib.suppress(ValidationError):
        await client.call_tool("test_mrtr_no_result_type", {})


async def echo_schema(client: Client, context: Context) -> None:
    """Send a tool's schema back as it was received."""
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    schema = tools["json_schema_2020_12_tool"].input_schema
    await client.call_tool("json_schema_echo", {"schema": schema})


def call(name: str) -> Callable[[Client, Context], Awaitable[None]]:
    """Call one tool without arguments."""

    async def work(client: Client, context: Context) -> None:
        await client.list_tools()
        await client.call_tool(name, {})

    return work


WORK: Mapping[str, Callable[[Client, Context], Awaitable[None]]] = {
    "initialize": only_list,
    "tools_call": add_numbers,
    "elicitation-sep1034-client-defaults": call("test_client_elicitation_defaults"),
    "sse-retry": call("test_reconnection"),
    "request-metadata": only_list,
    "sep-2322-client-request-state": call_in_rounds,
    "http-standard-headers": call("test_headers"),
    "http-custom-headers": call_given,
    "http-invalid-tool-headers": call_listed,
    "json-schema-ref-no-deref": only_list,
    "json-schema-2020-12-preservation": echo_schema,
}
"""By scenario; those that are not here list and call."""
