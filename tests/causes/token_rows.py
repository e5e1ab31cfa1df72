"""The token endpoint refuses, is away, or answers nonsense."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
from latchpin.errors.causes.refusals import TOKEN

from tests.callback.gateway import BASE
from tests.causes.row import Row, Situation
from tests.causes.world import Begun, World
from tests.guide.stage import hand_made_client
from tests.providers import faults
from tests.servers import Reservation

__all__ = ["TOKEN_ROWS"]


@contextlib.asynccontextmanager
async def _with_entered_client(world: World, **settings: str) -> AsyncIterator[Begun]:
    """A client that an administrator registered by hand: the gateway cannot replace it."""
    gateway = await world.gateway(**settings)
    async with world.begun(gateway, oauth_config=await entered_client(world)) as begun:
        yield begun


async def entered_client(world: World) -> dict[str, Any]:
    """Register a client at the provider, as an administrator would."""
    return await asyncio.to_thread(hand_made_client, world.provider, BASE)


def refused(code: str) -> Situation:
    """The token endpoint answers with an error code."""

    async def bring(world: World) -> httpx.Response:
        async with _with_entered_client(world) as begun:
            world.provider.arm("token", faults.oauth_error(code))
            return await begun.finish()

    return bring


async def forgotten_client(world: World) -> httpx.Response:
    async with world.begun(await world.gateway()) as begun:
        world.provider.arm("token", faults.oauth_error("invalid_client", code=401))
        return await begun.finish()


async def unreachable(world: World) -> httpx.Response:
    with Reservation() as nobody:  # bound, and nobody listens
        config = await entered_client(world) | {"token_url": f"http://127.0.0.1:{nobody.port}/token"}
        async with world.begun(await world.gateway(), oauth_config=config) as begun:
            return await begun.finish()


async def hanging(world: World) -> httpx.Response:
    async with _with_entered_client(world) as begun:
        world.provider.arm("token", faults.hang())
        begun.gateway.allow(seconds=1)
        return await begun.finish()


async def web_page(world: World) -> httpx.Response:
    async with _with_entered_client(world) as begun:
        world.provider.arm("token", faults.html())
        return await begun.finish()


async def too_many_requests(world: World) -> httpx.Response:
    async with _with_entered_client(world) as begun:
        world.provider.arm("token", faults.status(429, retry_after="60"))
        return await begun.finish()


_CODES = list(TOKEN)

TOKEN_ROWS = (
    *(
        Row(
            TOKEN[code].slug,
            f"the token endpoint answers {code}",
            refused(code),
            TOKEN[_CODES[index - 1]].slug,
            f"answered '{code}': ",
        )
        for index, code in enumerate(_CODES)
    ),
    Row("token-refused", "the token endpoint answers made_up", refused("made_up"), "token-invalid-request", "made_up"),
    Row(
        "client-forgotten",
        "the server does not know the client that it registered",
        forgotten_client,
        "token-invalid-client",
        "no longer knows the client",
    ),
    Row(
        "token-endpoint-unreachable",
        "nothing listens at the token endpoint",
        unreachable,
        "token-endpoint-timeout",
        "no connection",
    ),
    Row("token-endpoint-timeout", "the token endpoint hangs", hanging, "token-endpoint-unreachable", "in time"),
    Row(
        "provider-busy",
        "the token endpoint answers 429",
        too_many_requests,
        "token-endpoint-unreadable",
        "HTTP 429",
    ),
    Row("token-endpoint-unreadable", "the token endpoint answers with a page", web_page, "token-refused", "a web page"),
)
