"""What happens in the middle of a call: it is cancelled, it logs, it asks its person something."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from mcp_types import ElicitResult

from tests.aggregator.conftest import AGES, ERAS, Era, Server, connected
from tests.aggregator.test_both_eras import text_of
from tests.providers.clients import Age
from tests.support.gateway_process import DeployedGateway

pytestmark = pytest.mark.filterwarnings("ignore:The logging capability is deprecated")


@pytest.fixture(scope="module")
def both(deployed: DeployedGateway, modern: Server, sessions: Server) -> DeployedGateway:
    for name, server in (("Modern", modern), ("Sessions", sessions)):
        asyncio.run(deployed.add(server.url, name=name, auth_type="none"))
    return deployed


@pytest.mark.parametrize("age", AGES)
@pytest.mark.parametrize("era", ERAS)
async def test_a_call_that_nobody_waits_for_is_cancelled_at_its_server(
    both: DeployedGateway, request: pytest.FixtureRequest, age: Age, era: Era
):
    backstage = request.getfixturevalue(era).backstage
    backstage.begun.clear()
    backstage.cancelled.clear()
    async with connected(both, age) as client:
        call = asyncio.create_task(client.call_tool(f"{era}__wait"))
        assert await asyncio.to_thread(backstage.begun.wait, 60)
        call.cancel()
        assert await asyncio.to_thread(backstage.cancelled.wait, 60)
        assert text_of(await client.call_tool(f"{era}__shout", {"text": "on"})) == "ON!"


@pytest.mark.parametrize("era", ERAS)
async def test_log_messages_pass(both: DeployedGateway, era: Era):
    heard: list[Any] = []

    async def note(params: Any) -> None:
        heard.append(params.data)

    async with connected(both, "legacy", logging_callback=note) as client:
        await client.call_tool(f"{era}__climb", {"steps": 2})
        assert heard == ["at 1", "at 2"]


async def test_a_program_of_2026_gets_no_log_that_it_did_not_ask_for(both: DeployedGateway):
    heard: list[Any] = []

    async def note(params: Any) -> None:
        heard.append(params.data)

    async with connected(both, "2026-07-28", logging_callback=note) as client:
        for era in ERAS:
            await client.call_tool(f"{era}__climb", {"steps": 2})
    assert heard == []


async def test_a_server_with_sessions_asks_the_person(both: DeployedGateway):
    asked: list[str] = []

    async def answer(_context: Any, params: Any) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="accept", content={"sure": True})

    async with connected(both, "legacy", elicitation_callback=answer) as client:
        result = await client.call_tool("sessions__confirm")
        assert text_of(result) == "accept: True"
    (message,) = asked
    assert message.startswith("MCP server Sessions (127.0.0.1:")
    assert message.endswith("Sure?")


@pytest.mark.parametrize("age", AGES)
@pytest.mark.parametrize("era", ERAS)
async def test_an_argument_that_a_header_repeats(both: DeployedGateway, age: Age, era: Era):
    async with connected(both, age) as client:
        await client.list_tools()
        assert text_of(await client.call_tool(f"{era}__place", {"region": "Zürich"})) == "Zürich"
