"""Causes that lie with callers and with tokens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
from latchpin.errors import LatchpinError
from latchpin.errors.causes.refusals import TOKEN

from tests.causes.proof_and_server_situations import NEW
from tests.causes.situation import Begun, Row, Situation, World, impossible
from tests.causes.store_changes import outdate
from tests.guide.gateway import hand_made_client
from tests.providers import faults
from tests.servers import Reservation
from tests.support.gateway_in_process import ADMIN, ALICE, BASE

__all__ = ["CALLER_ROWS", "TOKEN_ROWS"]

# What callers, settings and the installation do wrong.


JSON = {"accept": "application/json"}


async def nobody(world: World) -> httpx.Response:
    gateway = await world.gateway()
    async with gateway.client(None, **JSON) as client:
        return await client.get(f"{BASE}/gateways")


async def no_administrator(world: World) -> httpx.Response:
    body = {"url": world.provider.provider.mcp_url}
    return await world.call(await world.gateway(), "POST", "/gateways", json=body)


async def form_of_another_site(world: World) -> httpx.Response:
    gateway = await world.gateway()
    gateway_id = await gateway.add(world.provider.provider.mcp_url)
    async with gateway.client(ALICE, **JSON) as client:
        return await client.post(f"{BASE}/oauth/fetch-tools/{gateway_id}")


async def no_such_gateway(world: World) -> httpx.Response:
    return await world.authorize(await world.gateway(), "0" * 32)


async def nothing_to_authorize(world: World) -> httpx.Response:
    gateway = await world.gateway()
    return await world.authorize(gateway, await gateway.add(world.provider.provider.mcp_url, auth_type="none"))


async def long_url(world: World) -> httpx.Response:
    gateway = await world.gateway()
    async with gateway.client(ALICE, **JSON) as client:
        return await client.get(f"{BASE}/gateways?{'x' * 17_000}")


async def ambiguous_client(world: World) -> httpx.Response:
    world.provider.arm("register", faults.changed(client_id="the-same"))
    gateway = await world.gateway()
    for _ in range(2):
        await world.authorize(gateway, await gateway.add(world.provider.provider.mcp_url))
    return await world.call(gateway, "DELETE", "/oauth/registered-clients/the-same", user=ADMIN)


async def second_unfinished(world: World) -> httpx.Response:
    async with world.begun(await world.gateway(MAX_PENDING_PER_USER="1")) as begun:
        return await world.authorize(begun.gateway, begun.id)


async def not_authorized(world: World) -> httpx.Response:
    gateway = await world.gateway()
    return await world.fetch_tools(gateway, await gateway.add(world.provider.provider.mcp_url))


async def sealed_under_another_secret(world: World) -> httpx.Response:
    gateway = await world.gateway()
    gateway_id = await gateway.add(world.provider.provider.mcp_url, oauth_config=await entered_client(world))
    return await world.authorize(await world.gateway(AUTH_ENCRYPTION_SECRET=NEW), gateway_id)


async def published_secret(world: World) -> httpx.Response:
    gateway = await world.gateway(AUTH_ENCRYPTION_SECRET="my-test-salt")
    async with gateway.client(ALICE, **JSON) as client:
        return await client.get(f"{BASE}/gateways", headers={"host": "gateway.example"})


async def no_state_store(world: World) -> httpx.Response:
    gateway = await world.gateway(CACHE_TYPE="none")
    return await world.authorize(gateway, await gateway.add(world.provider.provider.mcp_url))


async def nonsense_in_a_setting(world: World) -> LatchpinError:
    return await world.stopped(STATE_TTL_SECONDS="soon")


async def schema_of_tomorrow(world: World) -> LatchpinError:
    outdate(world)
    return await world.stopped()


CALLER_ROWS = (
    Row("not-signed-in", "no identity", nobody, "forbidden"),
    Row("forbidden", "a user creates a gateway", no_administrator, "not-signed-in"),
    Row("csrf-refused", "a POST without a token of our page", form_of_another_site, "forbidden"),
    Row("not-found", "an unknown gateway", no_such_gateway, "invalid-request"),
    Row("invalid-request", "a gateway without OAuth is authorized", nothing_to_authorize, "not-found"),
    Row("request-too-large", "a URL of 17,000 characters", long_url, "invalid-request"),
    Row("conflict", "a client_id that two registered clients have", ambiguous_client, "not-found"),
    Row("too-many-pending", "one more than MAX_PENDING_PER_USER", second_unfinished, "authorization-required"),
    Row("authorization-required", "tools are fetched without a token", not_authorized, "not-signed-in"),
    Row(
        "unsealable",
        "a client secret that was sealed under another secret",
        sealed_under_another_secret,
        "state-secret-changed",
        impossible=impossible("what is sealed in a process's memory ends with its secret", "memory"),
    ),
    Row("weak-secret", "the published secret, and another host name", published_secret, "not-found"),
    Row("state-storage-disabled", "CACHE_TYPE=none", no_state_store, "store-unavailable"),
    Row("settings", "STATE_TTL_SECONDS=soon", nonsense_in_a_setting, "state-storage-disabled", "STATE_TTL_SECONDS"),
    Row(
        "schema-outdated",
        "the database has a later schema",
        schema_of_tomorrow,
        "settings",
        impossible=impossible("it has no schema", "memory", "redis"),
    ),
)


# The token endpoint refuses, is away, or answers nonsense.


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
