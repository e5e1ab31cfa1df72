"""A gateway with its front door, a protected server behind it, a person and their client; and what happens to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from tests.front_door.clients import REDIRECT_URI, Failed, RealClient
from tests.front_door.person import Person
from tests.providers import FaultSwitch
from tests.providers.faults import status
from tests.support.gateway_process import ALICE, BOB, USER_HEADER, DeployedGateway

__all__ = ["SCOPE_TO_WRITE", "Opener", "prove_the_end", "prove_ways_back"]

Opener = Callable[[str, Person], AbstractAsyncContextManager[RealClient]]
"""Connects a client that knows the URL alone; the person is who sits before it."""

SCOPE_TO_WRITE = "mcp:write"
"""What the server behind may want beside what it gives at first."""
_PATIENCE = 120
_UPSTREAM = "Allow access? - Demo Accounts"
"""The title of the page at which the person lets the gateway use the server behind it."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One person, one gateway and the server behind it.

    Attributes:
        gateway_id: the gateway's.
    """

    deployed: DeployedGateway
    switch: FaultSwitch
    person: Person
    gateway_id: str

    @property
    def url(self) -> str:
        """The one thing that a client is given."""
        return f"{self.deployed.url}/gateways/{self.gateway_id}/mcp"

    async def end_token_upstream(self) -> None:
        """The server behind takes none of its tokens any more."""
        ledger = self.switch.accounts.ledger
        for grant in [*ledger._refresh.values(), *(grant for grant, _ in ledger._access.values())]:
            grant.revoked = True

    async def want_more_scopes(self) -> None:
        """The server behind wants one scope more for the next request."""
        challenge = f'Bearer error="insufficient_scope", scope="{SCOPE_TO_WRITE}"'
        self.switch.arm("mcp", status(403, www_authenticate=challenge), times=1)

    async def disconnect(self) -> None:
        """The person disconnects the gateway, at one of its pages."""
        async with self.deployed.api(self.person.email) as own:
            (await own.delete(f"/oauth/tokens/{self.gateway_id}")).raise_for_status()


@asynccontextmanager
async def open_scene(deployed: DeployedGateway, switch: FaultSwitch, email: str) -> AsyncIterator[Scene]:
    """Put it up with a gateway of its own."""
    gateway_id = await deployed.add(switch.provider.mcp_url, name="Files")
    async with deployed.browser(email, stops_before=REDIRECT_URI) as browser:
        yield Scene(deployed, switch, Person(browser, email), gateway_id)


MENDS: Mapping[str, Callable[[Scene], Awaitable[None]]] = {
    "the token upstream is dead": Scene.end_token_upstream,
    "more scopes are wanted": Scene.want_more_scopes,
    "the person disconnected": Scene.disconnect,
}
"""What happens to somebody who is in, and is mended by one page of the server behind the gateway."""


async def prove_ways_back(deployed: DeployedGateway, switch: FaultSwitch, connect: Opener) -> None:
    """Let a client in with the URL alone, and back in after each thing that can happen.

    Each time that something is missing, the client opens the browser once, and the person sees no page but that of the
    server behind the gateway.
    """
    for name, happens in MENDS.items():
        async with open_scene(deployed, switch, ALICE) as scene, connect(scene.url, scene.person) as client:
            await _get_in(scene, client)
            await happens(scene)
            assert await client.call("who_am_i") == ALICE, name
            assert [visit.pages for visit in scene.person.visits] == [[_UPSTREAM]], name
    assert any(SCOPE_TO_WRITE in grant.scopes for grant, _ in switch.accounts.ledger.living())


async def prove_the_end(deployed: DeployedGateway, switch: FaultSwitch, *connects: Opener) -> None:
    """Let Bob in with each client, let him leave the company, and see each client come to an end."""
    async with AsyncExitStack() as stack:
        inside = []
        for connect in connects:
            scene = await stack.enter_async_context(open_scene(deployed, switch, BOB))
            client = await stack.enter_async_context(connect(scene.url, scene.person))
            await _get_in(scene, client)
            inside.append((scene, client))
        await _offboard(deployed, [scene.person for scene, _ in inside])
        for scene, client in inside:
            await _see_the_end(scene.person, client)


async def _offboard(deployed: DeployedGateway, browsers: Sequence[Person]) -> None:
    """An administrator ends all that Bob has, and the company's proxy does not let his browsers in any more."""
    async with deployed.api() as administrator:
        (await administrator.delete("/oauth/tokens", params={"user": BOB})).raise_for_status()
    for browser in browsers:
        browser.forget(USER_HEADER)


async def _get_in(scene: Scene, client: RealClient) -> None:
    """Two clicks beside the sign-in: one at each side."""
    assert await client.call("who_am_i") == scene.person.email
    [visit] = scene.person.visits
    ours, *upstream = visit.pages
    assert ours.startswith("Allow "), visit.pages
    assert upstream == ["Sign in - Demo Accounts", _UPSTREAM]
    assert (visit.clicks, visit.sign_ins) == (2, 1)
    scene.person.visits.clear()


async def _see_the_end(person: Person, client: RealClient) -> None:
    """The client gives up, or waits before the page that asks who they are; it opens that once."""
    calling, shown = asyncio.create_task(_call_until_refused(client)), asyncio.create_task(person.shown())
    done, _ = await asyncio.wait({calling, shown}, timeout=_PATIENCE, return_when=asyncio.FIRST_COMPLETED)
    for task in (calling, shown):
        task.cancel()
    await asyncio.gather(calling, shown, return_exceptions=True)
    assert done, "neither the client nor the person was told"
    assert [visit.end.title for visit in person.visits if visit.end is not None] in ([], ["Sign in"])


async def _call_until_refused(client: RealClient) -> None:
    """Workers may know for a second what has ended meanwhile."""
    try:
        while True:
            await client.call("who_am_i")
    except Failed:
        return
