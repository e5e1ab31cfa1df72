"""The MCP server behind the gateway with its authorization server, what may come over it, and whom it knows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest
from latchpin_demo import front_channel
from latchpin_demo.state import SCOPES

from tests.front_door.clients import REDIRECT_URI, Failed, Person, RealClient
from tests.providers import FaultSwitch, start_fault_switch
from tests.providers.faults import status
from tests.support.gateway_process import USER_HEADER, DeployedGateway

CLIENTS = ("Python SDK", "FastMCP", "TypeScript SDK 1", "TypeScript SDK 2", "mcp-remote", "Inspector")
PEOPLE = {client: f"{client.lower().replace(' ', '-')}@example.com" for client in CLIENTS}
"""Who sits before each client. They leave one by one, so each has a person of its own."""

SCOPE_TO_WRITE = "mcp:write"
"""What the server may want beside what it asks for at first."""


@dataclass(frozen=True, slots=True)
class Behind:
    """The server.

    Attributes:
        mcp_url: where it is.
        tool: one of its tools: it says who calls.
        sign_in: the title of the page at which it asks who somebody is.
        consent: the title of the page at which it asks what the gateway may do.
        end_tokens: it takes none of its tokens any more.
        want_more: it wants ``SCOPE_TO_WRITE`` too for the next message.
        gave_more: how many tokens it gave with that.
    """

    mcp_url: str
    tool: str
    sign_in: str
    consent: str
    end_tokens: Callable[[], None]
    want_more: Callable[[], None]
    gave_more: Callable[[], int]


def demo_behind(switch: FaultSwitch) -> Behind:
    """The demo's servers."""
    ledger = switch.accounts.ledger

    def end_tokens() -> None:
        for grant in [*ledger._refresh.values(), *(grant for grant, _ in ledger._access.values())]:
            grant.revoked = True

    def want_more() -> None:  # not for the stream that some clients keep open besides: they ask for it when they like
        challenge = f'Bearer error="insufficient_scope", scope="{SCOPE_TO_WRITE}"'
        switch.arm("mcp", status(403, www_authenticate=challenge), times=1, method="POST")

    def gave_more() -> int:
        return sum(SCOPE_TO_WRITE in grant.scopes for grant, _ in ledger._access.values())

    return Behind(
        mcp_url=switch.provider.mcp_url,
        tool="who_am_i",
        sign_in="Sign in - Demo Accounts",
        consent="Allow access? - Demo Accounts",
        end_tokens=end_tokens,
        want_more=want_more,
        gave_more=gave_more,
    )


@pytest.fixture
def behind(monkeypatch: pytest.MonkeyPatch) -> Iterator[Behind]:
    """It gives out a second scope, which its MCP server does not ask for at first."""
    monkeypatch.setitem(SCOPES, SCOPE_TO_WRITE, "Change things")
    monkeypatch.setattr(front_channel, "USERS", tuple(PEOPLE.values()))
    with start_fault_switch() as switch:
        yield demo_behind(switch)


# A gateway with its front door, a person and their client; and what happens to them.


Opener = Callable[[str, Person], AbstractAsyncContextManager[RealClient]]
"""Connects a client that knows the URL alone; the person is who sits before it."""

_PATIENCE = 120


@dataclass(frozen=True, slots=True)
class Scene:
    """One person, one gateway and the server behind it.

    Attributes:
        gateway_id: the gateway's.
    """

    deployed: DeployedGateway
    behind: Behind
    person: Person
    gateway_id: str

    @property
    def url(self) -> str:
        """The one thing that a client is given."""
        return f"{self.deployed.url}/gateways/{self.gateway_id}/mcp"

    async def end_token_upstream(self) -> None:
        """The server behind takes none of its tokens any more."""
        await asyncio.to_thread(self.behind.end_tokens)

    async def want_more_scopes(self) -> None:
        """The server behind wants one scope more for the next message."""
        self.behind.want_more()

    async def disconnect(self) -> None:
        """The person disconnects the gateway, at one of its pages."""
        async with self.deployed.api(self.person.email) as own:
            (await own.delete(f"/oauth/tokens/{self.gateway_id}")).raise_for_status()

    async def offboard(self) -> None:
        """An administrator ends all that the person has, and the company's proxy lets their browser in no more."""
        async with self.deployed.api() as administrator:
            (await administrator.delete("/oauth/tokens", params={"user": self.person.email})).raise_for_status()
        self.person.forget(USER_HEADER)


async def prove_the_whole_way(deployed: DeployedGateway, behind: Behind, connect: Opener, client_name: str) -> None:
    """Let a client in with the URL alone, and back in after each thing that can happen, until its person leaves.

    Each time that something is missing, the client opens the browser once, and the person sees no page but that of the
    server behind the gateway. After the last it comes to an end by itself.
    """
    async with (
        _open_scene(deployed, behind, PEOPLE[client_name]) as scene,
        connect(scene.url, scene.person) as client,
    ):
        await _get_in(scene, client)
        await _mend(scene, client, Scene.end_token_upstream)
        given = behind.gave_more()
        await _mend(scene, client, Scene.want_more_scopes)
        assert behind.gave_more() > given
        await _mend(scene, client, Scene.disconnect)
        await scene.offboard()
        await _see_the_end(scene, client)


@asynccontextmanager
async def _open_scene(deployed: DeployedGateway, behind: Behind, email: str) -> AsyncIterator[Scene]:
    """Put it up with a gateway of its own."""
    gateway_id = await deployed.add(behind.mcp_url, name="Files")
    async with deployed.browser(email, stops_before=REDIRECT_URI) as browser:
        yield Scene(deployed, behind, Person(browser, email), gateway_id)


async def _get_in(scene: Scene, client: RealClient) -> None:
    """Two clicks beside the sign-in: one at each side."""
    assert await client.call(scene.behind.tool) == scene.person.email
    [visit] = scene.person.visits
    ours, *upstream = visit.pages
    assert ours.startswith("Allow "), visit.pages
    assert upstream == [scene.behind.sign_in, scene.behind.consent], visit.pages
    assert (visit.clicks, visit.sign_ins) == (2, 1)
    scene.person.visits.clear()


async def _mend(scene: Scene, client: RealClient, happens: Callable[[Scene], Awaitable[None]]) -> None:
    """Let it happen to somebody who is in: one page of the server behind the gateway mends it."""
    await happens(scene)
    async with asyncio.timeout(_PATIENCE):
        while not scene.person.visits:  # workers may know for a second what has ended meanwhile
            assert await client.call(scene.behind.tool) == scene.person.email, happens
    seen = [(visit.pages, visit.clicks, visit.sign_ins) for visit in scene.person.visits]
    assert seen == [([scene.behind.consent], 1, 0)], happens
    scene.person.visits.clear()


async def _see_the_end(scene: Scene, client: RealClient) -> None:
    """The client gives up, or waits before the page that asks who they are; it opens that once."""
    person = scene.person
    calling = asyncio.create_task(_call_until_refused(client, scene.behind.tool))
    shown = asyncio.create_task(person.shown())
    done, _ = await asyncio.wait({calling, shown}, timeout=_PATIENCE, return_when=asyncio.FIRST_COMPLETED)
    for task in (calling, shown):
        task.cancel()
    await asyncio.gather(calling, shown, return_exceptions=True)
    assert done, "neither the client nor the person was told"
    assert [visit.end.title for visit in person.visits if visit.end is not None] in ([], ["Sign in"])


async def _call_until_refused(client: RealClient, tool: str) -> None:
    """Workers may know for a second what has ended meanwhile."""
    try:
        while True:
            await client.call(tool)
    except Failed:
        return
