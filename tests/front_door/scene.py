"""A gateway with its front door, a protected server behind it, a person and their client; and what happens to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from tests.front_door.clients import REDIRECT_URI, Failed, Person, RealClient
from tests.front_door.conftest import PEOPLE, Behind
from tests.support.gateway_process import USER_HEADER, DeployedGateway

__all__ = ["PEOPLE", "Opener", "prove_the_whole_way"]

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
        assert self.behind.want_more is not None
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
        if behind.want_more is not None:
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
