"""The official client, of each era, in front of real servers of each era, behind one URL."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from mcp.client.client import Client
from mcp_types import PromptReference, ResourceTemplateReference, TextContent

from tests.aggregator.conftest import AGES, ERAS, Era, Server, connected, write_set
from tests.providers.clients import Age
from tests.support.gateway_process import DeployedGateway

pytestmark = pytest.mark.filterwarnings("ignore:The logging capability is deprecated")


@pytest.fixture(scope="module")
def both(deployed: DeployedGateway, modern: Server, sessions: Server) -> DeployedGateway:
    for name, server in (("Modern", modern), ("Sessions", sessions)):
        asyncio.run(deployed.add(server.url, name=name, auth_type="none"))
    return deployed


def text_of(result: Any) -> str:
    return "".join(part.text for part in result.content if isinstance(part, TextContent))


@pytest.mark.parametrize("age", AGES)
async def test_one_list_has_the_tools_of_both(both: DeployedGateway, age: Age):
    async with connected(both, age) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
    tools = {"shout", "climb", "wait", "fail", "confirm", "place"}
    assert names == {f"{slug}__{tool}" for slug in ERAS for tool in tools}


@pytest.mark.parametrize("age", AGES)
async def test_a_set_has_those_of_its_servers(both: DeployedGateway, age: Age):
    async with both.api() as admin:
        ids = {each["name"]: each["id"] for each in (await admin.get("/gateways")).json()["gateways"]}
    await write_set(both, "old", gateways=[ids["Sessions"]])
    async with connected(both, age, path="/mcp/old") as client:
        assert {tool.name.partition("__")[0] for tool in (await client.list_tools()).tools} == {"sessions"}
        assert text_of(await client.call_tool("sessions__shout", {"text": "hi"})) == "HI!"
        assert [str(each.uri) for each in (await client.list_resources()).resources] == ["sessions+note://one"]


@pytest.mark.parametrize("age", AGES)
@pytest.mark.parametrize("era", ERAS)
async def test_a_call_goes_to_its_one_server(both: DeployedGateway, age: Age, era: Era):
    async with connected(both, age) as client:
        result = await client.call_tool(f"{era}__shout", {"text": "hi"})
        assert text_of(result) == "HI!"
        assert result.structured_content == {"result": "HI!"}
        failed = await client.call_tool(f"{era}__fail")
        assert failed.is_error
        assert "fail" in text_of(failed)


@pytest.mark.parametrize("age", AGES)
@pytest.mark.parametrize("era", ERAS)
async def test_progress_comes_while_it_runs(both: DeployedGateway, age: Age, era: Era):
    steps: list[float] = []

    async def note(progress: float, _total: float | None, _message: str | None) -> None:
        steps.append(progress)

    async with connected(both, age) as client:
        result = await client.call_tool(f"{era}__climb", {"steps": 3}, progress_callback=note)
    assert text_of(result) == "3 steps"
    assert steps == [1, 2, 3]


@pytest.mark.parametrize("age", AGES)
@pytest.mark.parametrize("era", ERAS)
async def test_prompts_and_resources(both: DeployedGateway, age: Age, era: Era):
    async with connected(both, age) as client:
        assert {each.name for each in (await client.list_prompts()).prompts} == {f"{each}__greet" for each in ERAS}
        prompt = await client.get_prompt(f"{era}__greet", {"name": "Bo"})
        assert isinstance(prompt.messages[0].content, TextContent)
        assert prompt.messages[0].content.text == "Greet Bo"
        uris = {str(each.uri) for each in (await client.list_resources()).resources}
        assert uris == {f"{each}+note://one" for each in ERAS}
        templates = {each.uri_template for each in (await client.list_resource_templates()).resource_templates}
        assert templates == {f"{each}+note://by/{{name}}" for each in ERAS}
        assert await read(client, f"{era}+note://one") == "the first note"
        assert await read(client, f"{era}+note://by/bo") == "a note by bo"


async def read(client: Client, uri: str) -> str:
    contents: Any = (await client.read_resource(uri)).contents
    return str(contents[0].text)


@pytest.mark.parametrize("age", AGES)
@pytest.mark.parametrize("era", ERAS)
async def test_completions(both: DeployedGateway, age: Age, era: Era):
    prompt = PromptReference(type="ref/prompt", name=f"{era}__greet")
    template = ResourceTemplateReference(type="ref/resource", uri=f"{era}+note://by/{{name}}")
    async with connected(both, age) as client:
        for reference in (prompt, template):
            found = await client.complete(reference, {"name": "name", "value": "b"})
            assert found.completion.values == ["b!"]
