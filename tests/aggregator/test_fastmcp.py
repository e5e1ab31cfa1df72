"""FastMCP's client before FastMCP's server, by way of the one endpoint."""

from __future__ import annotations

import pytest

from tests.aggregator.conftest import Server, write_set
from tests.proxy.conftest import open_fastmcp_server
from tests.support.gateway_process import ALICE, DeployedGateway

pytestmark = pytest.mark.needs("fastmcp")


async def test_it_lists_and_calls(deployed: DeployedGateway, modern: Server, sessions: Server):
    from fastmcp import Client  # not in every run

    with open_fastmcp_server() as url:
        servers = (("Fast", url), ("Modern", modern.url), ("Sessions", sessions.url))
        ids = [await deployed.add(there, name=name, auth_type="none") for name, there in servers]
        async with Client(f"{deployed.url}/mcp", auth=deployed.bearer(ALICE)) as client:
            names = {tool.name for tool in await client.list_tools()}
            assert {"fast__shout", "modern__shout", "sessions__shout"} <= names
            for slug in ("fast", "modern", "sessions"):
                result = await client.call_tool(f"{slug}__shout", {"text": "hi"})
                assert result.structured_content == {"result": "HI!"}
            assert {str(each.uri) for each in await client.list_resources()} == {
                "modern+note://one",
                "sessions+note://one",
            }
            contents = await client.read_resource("sessions+note://by/bo")
            assert getattr(contents[0], "text", "") == "a note by bo"
        await write_set(deployed, "two", gateways=ids[:2])
        async with Client(f"{deployed.url}/mcp/two", auth=deployed.bearer(ALICE)) as client:
            assert {tool.name.partition("__")[0] for tool in await client.list_tools()} == {"fast", "modern"}
            result = await client.call_tool("fast__shout", {"text": "hi"})
            assert result.structured_content == {"result": "HI!"}
