"""Twenty-five real servers behind one URL, and real clients before it: the Python SDK's and FastMCP's, of both eras."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mcp_types import CreateMessageResult, ElicitResult, ListRootsResult, Root, TextContent

from tests.aggregator.conftest import BROKEN, KEYED, PROTECTED, WAITING, Group, connected, start_gateway, start_group
from tests.aggregator.test_both_eras import text_of
from tests.api_keys.conftest import KEY
from tests.providers.clients import Age
from tests.support.gateway_process import ALICE, DeployedGateway

pytestmark = [
    pytest.mark.needs("fastmcp"),
    pytest.mark.filterwarnings("ignore:The (logging|sampling|roots) capability is deprecated"),
]

ROOT = "file:///work"


@dataclass
class Person:
    """Answers what a client is asked, and notes what it hears."""

    asked: list[str] = field(default_factory=list)
    logs: list[Any] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)

    async def progress(self, progress: float, _total: float | None, _message: str | None) -> None:
        self.steps.append(progress)

    async def log(self, params: Any) -> None:
        self.logs.append(params.data)


@dataclass(frozen=True)
class Program:
    """A client that is connected.

    Attributes:
        tools: gives the names of all tools.
        call: calls one, with its name, arguments and person; gives what came back.
    """

    tools: Callable[[], Awaitable[set[str]]]
    call: Callable[..., Awaitable[Any]]


@contextlib.asynccontextmanager
async def open_sdk(deployed: DeployedGateway, email: str, person: Person, age: Age) -> AsyncIterator[Program]:
    async def answer(_context: Any, params: Any) -> ElicitResult:
        person.asked.append(params.message)
        return ElicitResult(action="accept", content={"sure": True})

    async def sample(_context: Any, _params: Any) -> CreateMessageResult:
        return CreateMessageResult(role="assistant", content=TextContent(text="yes"), model="tests")

    async def roots(_context: Any) -> ListRootsResult:
        return ListRootsResult(roots=[Root.model_validate({"uri": ROOT})])

    async with connected(
        deployed,
        age,
        email=email,
        elicitation_callback=answer,
        sampling_callback=sample,
        list_roots_callback=roots,
        logging_callback=person.log,
    ) as client:

        async def tools() -> set[str]:
            return {tool.name for tool in (await client.list_tools()).tools}

        async def call(name: str, arguments: dict[str, Any] | None = None) -> Any:
            return await client.call_tool(name, arguments, progress_callback=person.progress)

        yield Program(tools, call)


@contextlib.asynccontextmanager
async def open_fastmcp(deployed: DeployedGateway, email: str, person: Person, age: Age) -> AsyncIterator[Program]:
    from fastmcp import Client  # not in every run

    async def answer(message: str, _kind: Any, _params: Any, _context: Any) -> Any:
        person.asked.append(message)
        return {"sure": True}

    async def sample(_messages: Any, _params: Any, _context: Any) -> str:
        return "yes"

    client: Any = Client(
        f"{deployed.url}/mcp",
        auth=deployed.bearer(email),
        mode=age,
        elicitation_handler=answer,
        sampling_handler=sample,
        roots=[ROOT],
        log_handler=person.log,
        progress_handler=person.progress,
    )

    async def tools() -> set[str]:
        return {tool.name for tool in await client.list_tools()}

    async def call(name: str, arguments: dict[str, Any] | None = None) -> Any:
        return await client.call_tool(name, arguments, raise_on_error=False)

    async with client:
        yield Program(tools, call)


Opener = Callable[[DeployedGateway, str, Person, Age], AbstractAsyncContextManager[Program]]
CLIENTS: dict[str, tuple[Opener, Age]] = {
    "sdk-2025": (open_sdk, "legacy"),
    "sdk-2026": (open_sdk, "2026-07-28"),
    "fastmcp-2025": (open_fastmcp, "legacy"),
    "fastmcp-2026": (open_fastmcp, "2026-07-28"),
}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedGateway]:
    with start_gateway(Path(tmp_path_factory.mktemp("gateway")), ONE_ENDPOINT_FIRST_WAIT="0.3") as started:
        yield started


@pytest.fixture(scope="module")
def group(deployed: DeployedGateway) -> Iterator[Group]:
    with start_group() as started:
        asyncio.run(started.add_to(deployed))
        yield started


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_client_does_all_that_it_does_at_one_server(deployed: DeployedGateway, group: Group, client: str):
    opener, age = CLIENTS[client]
    email, person = f"{client}@example.com", Person()
    async with asyncio.timeout(180), opener(deployed, email, person, age) as program:
        await all_are_listed(program, group)
        await all_are_called_and_the_others_named(program, group)
        await it_hears_and_answers(program, person, quiet=client == "sdk-2026")
        await it_cancels(program, group)
        await servers_are_connected_in_the_middle(program, deployed, email)
    assert group.keys.wrong == []
    assert group.keys.proofs["mcp"]


async def all_are_listed(program: Program, group: Group) -> None:
    """However late a busy machine is with some."""
    while not {f"{slug}__shout" for slug in group.open} <= (names := await program.tools()):
        assert "latchpin_connect" in names
    assert not [name for name in names if name.partition("__")[0] in WAITING]


async def all_are_called_and_the_others_named(program: Program, group: Group) -> None:
    answers = await asyncio.gather(*(program.call(f"{slug}__shout", {"text": slug}) for slug in group.open))
    assert [text_of(answer) for answer in answers] == [f"{slug.upper()}!" for slug in group.open]
    lines = text_of(await program.call("latchpin_connect")).splitlines()
    named = {line.split(" ")[1]: "Open in a browser" in line for line in lines if line.startswith("- ")}
    assert named == dict.fromkeys(BROKEN, False) | dict.fromkeys(WAITING, True)


async def it_hears_and_answers(program: Program, person: Person, *, quiet: bool) -> None:
    """Progress, logs unless it asks for none, and all that a server may ask."""
    assert text_of(await program.call("official-0__climb", {"steps": 3})) == "3 steps"
    assert person.steps == [1, 2, 3]
    assert person.logs == ([] if quiet else ["at 1", "at 2", "at 3"])
    assert text_of(await program.call("official-0__confirm")) == "sure: True"
    (message,) = [each for each in person.asked if each.startswith("MCP server official-0 (")]
    assert message.endswith("Sure?")
    assert text_of(await program.call("official-0__think")) == "it says yes"
    assert text_of(await program.call("official-0__look")) == f"in {ROOT}"


async def it_cancels(program: Program, group: Group) -> None:
    group.official.begun.clear()
    group.official.cancelled.clear()
    call = asyncio.create_task(program.call("official-0__wait"))
    assert await asyncio.to_thread(group.official.begun.wait, 60)
    call.cancel()
    assert await asyncio.to_thread(group.official.cancelled.wait, 60)
    assert text_of(await program.call("official-0__shout", {"text": "on"})) == "ON!"


async def servers_are_connected_in_the_middle(program: Program, deployed: DeployedGateway, email: str) -> None:
    async with deployed.api() as admin:
        ids = {each["name"]: each["id"] for each in (await admin.get("/gateways")).json()["gateways"]}
    for slug in sorted(PROTECTED):
        async with deployed.browser(email) as browser:
            await deployed.authorize(browser, ids[slug])
        while f"{slug}__who_am_i" not in await program.tools():
            pass
        assert ALICE in text_of(await program.call(f"{slug}__who_am_i"))
    async with deployed.api(email) as http:
        assert (await http.put(f"/gateways/{ids[KEYED]}/key", json={"key": KEY})).is_success
    while f"{KEYED}__say" not in await program.tools():
        pass
    assert text_of(await program.call(f"{KEYED}__say", {"text": "in"})) == "in"
