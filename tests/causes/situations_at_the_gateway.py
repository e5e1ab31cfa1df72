"""States that are too old, used, missing, or in a store that is away."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from latchpin.errors import LatchpinError
from latchpin.errors.causes.refusals import TOKEN
from latchpin_demo.browser import Browser

from tests.causes.conftest import (
    SETTINGS,
    Begun,
    Deployment,
    Row,
    Situation,
    evict,
    flush,
    forget_rows,
    held_back,
    impossible,
    outdate,
    second_store,
    spread,
    until,
)
from tests.causes.situations_at_the_server import NEW
from tests.guide.conftest import hand_made_client
from tests.providers import faults
from tests.servers import Reservation, start_latchpin
from tests.support.gateway_in_process import ADMIN, ALICE, BASE, USER_HEADER
from tests.support.gateway_process import JWT_KEY, DeployedGateway

SHARED = ("sqlite", "postgres", "redis")


async def late(deployment: Deployment) -> httpx.Response:
    async with deployment.begun(await deployment.gateway(STATE_TTL_SECONDS="1")) as begun:
        end = datetime.now(UTC) + timedelta(seconds=1.05)
        await until(lambda: datetime.now(UTC) > end)
        return await begun.finish()


async def issued_in_the_future(deployment: Deployment) -> httpx.Response:
    gateway = await deployment.gateway()
    gateway.clock.advance(minutes=10)
    async with deployment.begun(gateway) as begun:
        gateway.clock.advance(minutes=-10)
        return await begun.finish()


async def clock_ahead_of_the_stores(deployment: Deployment) -> httpx.Response:
    gateway = await deployment.gateway()
    async with deployment.begun(gateway) as begun:
        gateway.clock.advance(minutes=10)
        return await begun.finish()


async def reloaded(deployment: Deployment) -> httpx.Response:
    async with deployment.begun(await deployment.gateway()) as begun:
        assert (await begun.finish()).status_code == 200
        return await begun.finish()


# -- memory -----------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _served(
    deployment: Deployment, base: str, listen: int
) -> AsyncIterator[tuple[DeployedGateway, httpx.AsyncClient]]:
    """A process of its own at ``listen``, reached as ``base``, as through a load balancer; and alice's browser."""
    env = SETTINGS | dict(deployment.backend.environment)
    env |= {"PORT": str(listen), "BASE_URL": base, "JWT_SECRET_KEY": JWT_KEY}
    with start_latchpin(env=env, cwd=deployment.folder) as process:
        mounts = {base: _To(listen)}
        async with httpx.AsyncClient(mounts=mounts, headers={USER_HEADER: ALICE}, trust_env=False, timeout=60) as alice:
            yield DeployedGateway(process, deployment.folder), alice


class _To(httpx.AsyncHTTPTransport):
    """Connects to one port, whatever port the URL names; the Host header stays."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it there."""
        request.url = request.url.copy_with(port=self._port)
        return await super().handle_async_request(request)


async def _callback_from(
    deployment: Deployment, deployed: DeployedGateway, alice: httpx.AsyncClient
) -> tuple[str, httpx.Cookies]:
    """Begin in that process; the callback that the provider sends the browser to."""
    browser = Browser(alice)
    callback = await deployed.begin(browser, await deployed.add(deployment.provider.provider.mcp_url))
    return callback, browser.cookies


async def other_worker(deployment: Deployment) -> httpx.Response:
    with Reservation() as one, Reservation() as two:
        base = f"http://127.0.0.1:{one.port}"
        async with (
            _served(deployment, base, one.port) as (deployed, alice),
            _served(deployment, base, two.port) as (_, again),
        ):
            callback, again.cookies = await _callback_from(deployment, deployed, alice)
            return await again.get(callback, headers={"accept": "application/json"})


async def restarted(deployment: Deployment) -> httpx.Response:
    with Reservation() as place:
        base = f"http://127.0.0.1:{place.port}"
        async with _served(deployment, base, place.port) as (deployed, alice):
            callback, cookies = await _callback_from(deployment, deployed, alice)
        async with _served(deployment, base, place.port) as (_, again):
            again.cookies = cookies
            return await again.get(callback, headers={"accept": "application/json"})


async def other_machine(deployment: Deployment) -> httpx.Response:
    with deployment.patch.context() as there:
        there.setattr(socket, "gethostname", lambda: "another-machine")
        first = await deployment.gateway()
    async with deployment.begun(first) as begun:
        return await begun.finish(at=await deployment.gateway())


# -- stores that are shared -------------------------------------------------------------------------------


async def _in_another_store(deployment: Deployment, *, settled: bool) -> httpx.Response:
    with second_store(deployment) as environment:
        here = await deployment.gateway()
        there = await deployment.gateway(**environment)
        if settled:
            for gateway in (here, there):
                gateway.clock.advance(minutes=5)
        async with deployment.begun(there) as begun:
            return await begun.finish(at=here)


async def another_store(deployment: Deployment) -> httpx.Response:
    return await _in_another_store(deployment, settled=True)


async def another_store_just_now(deployment: Deployment) -> httpx.Response:
    return await _in_another_store(deployment, settled=False)


async def purged(deployment: Deployment) -> httpx.Response:
    async with deployment.begun(await deployment.gateway()) as begun:
        await begun.gateway.application.services.states.purge(everything=True)
        return await begun.finish()


async def deleted_by_hand(deployment: Deployment) -> httpx.Response:
    async with deployment.begun(await deployment.gateway()) as begun:
        forget_rows(deployment)
        return await begun.finish()


async def flushed(deployment: Deployment) -> httpx.Response:
    async with deployment.begun(await deployment.gateway()) as begun:
        flush(deployment)
        return await begun.finish()


async def evicted(deployment: Deployment) -> httpx.Response:
    async with deployment.begun(await deployment.gateway()) as begun:
        with evict(deployment):
            return await begun.finish()


async def away(deployment: Deployment) -> httpx.Response:
    async with deployment.begun(await deployment.gateway()) as begun:
        with held_back(deployment, begun.gateway):
            if deployment.backend.name == "memory":  # it cannot be away, but it can be full
                return await deployment.authorize(begun.gateway, begun.id)
            return await begun.finish()


_PROCESS = "a state in a process's memory is missing because of that process, which has causes of its own"
_NOT_SHARED = "the store is shared: what one process put, every process finds, also after a restart"
_NO_CLOCK = "it has no clock but this process's"

STATE_ROWS = (
    Row("state-expired", "the callback comes after STATE_TTL_SECONDS", late, "clock-skew", "after the limit of 1 s"),
    Row(
        "clock-skew",
        "the issuing instance's clock is ten minutes ahead",
        issued_in_the_future,
        "state-expired",
        "ahead of this one's",
    ),
    Row(
        "clock-skew",
        "this instance's clock is ten minutes ahead of the store's",
        clock_ahead_of_the_stores,
        "state-expired",
        "by which the authorization has not expired",
        impossible(_NO_CLOCK, "memory", "sqlite"),
    ),
    Row("state-used", "the callback page is loaded again", reloaded, "state-removed", "already been used at 20"),
    Row(
        "state-other-worker",
        "two processes with memory storage",
        other_worker,
        "state-before-restart",
        "another process of this machine (process ",
        impossible(_NOT_SHARED, *SHARED),
    ),
    Row(
        "state-before-restart",
        "a restart with memory storage",
        restarted,
        "state-other-worker",
        "has ended since",
        impossible(_NOT_SHARED, *SHARED),
    ),
    Row(
        "state-other-machine",
        "two machines with memory storage",
        other_machine,
        "state-other-worker",
        "on another machine",
        impossible(_NOT_SHARED, *SHARED),
    ),
    Row(
        "state-never-stored",
        "another instance has another store",
        another_store,
        "state-removed",
        "never had it",
        impossible(_PROCESS, "memory"),
    ),
    Row(
        "state-not-found",
        "another instance has another store, both just made: nothing is proven",
        another_store_just_now,
        "state-never-stored",
        impossible=impossible(_PROCESS, "memory"),
    ),
    Row("state-removed", "all states are purged", purged, "state-used", "purged"),
    Row(
        "state-removed",
        "the states are deleted by hand",
        deleted_by_hand,
        "state-never-stored",
        "deleted",
        impossible("nobody reaches into a process's memory", "memory"),
    ),
    Row(
        "state-removed",
        "the store is emptied",
        flushed,
        "state-never-stored",
        "emptied or replaced",
        impossible("a process's memory is emptied by its end: state-before-restart", "memory"),
    ),
    Row(
        "state-evicted",
        "Redis runs out of memory under volatile-ttl",
        evicted,
        "state-removed",
        "maxmemory-policy volatile-ttl",
        impossible("it throws nothing away to make room", "memory", "sqlite", "postgres"),
    ),
    Row("store-unavailable", "the store is away, or full", away, "state-removed"),
)


# Causes that lie with callers and with tokens.


# What callers, settings and the installation do wrong.


JSON = {"accept": "application/json"}


async def nobody(deployment: Deployment) -> httpx.Response:
    gateway = await deployment.gateway()
    async with gateway.client(None, **JSON) as client:
        return await client.get(f"{BASE}/gateways")


async def no_administrator(deployment: Deployment) -> httpx.Response:
    body = {"url": deployment.provider.provider.mcp_url}
    return await deployment.call(await deployment.gateway(), "POST", "/gateways", json=body)


async def form_of_another_site(deployment: Deployment) -> httpx.Response:
    gateway = await deployment.gateway()
    gateway_id = await gateway.add(deployment.provider.provider.mcp_url)
    async with gateway.client(ALICE, **JSON) as client:
        return await client.post(f"{BASE}/oauth/fetch-tools/{gateway_id}")


async def no_such_gateway(deployment: Deployment) -> httpx.Response:
    return await deployment.authorize(await deployment.gateway(), "0" * 32)


async def nothing_to_authorize(deployment: Deployment) -> httpx.Response:
    gateway = await deployment.gateway()
    return await deployment.authorize(
        gateway, await gateway.add(deployment.provider.provider.mcp_url, auth_type="none")
    )


async def long_url(deployment: Deployment) -> httpx.Response:
    gateway = await deployment.gateway()
    async with gateway.client(ALICE, **JSON) as client:
        return await client.get(f"{BASE}/gateways?{'x' * 17_000}")


async def ambiguous_client(deployment: Deployment) -> httpx.Response:
    deployment.provider.arm("register", faults.changed(client_id="the-same"))
    gateway = await deployment.gateway()
    for _ in range(2):
        await deployment.authorize(gateway, await gateway.add(deployment.provider.provider.mcp_url))
    return await deployment.call(gateway, "DELETE", "/oauth/registered-clients/the-same", user=ADMIN)


async def second_unfinished(deployment: Deployment) -> httpx.Response:
    async with deployment.begun(await deployment.gateway(MAX_PENDING_PER_USER="1")) as begun:
        return await deployment.authorize(begun.gateway, begun.id)


async def not_authorized(deployment: Deployment) -> httpx.Response:
    gateway = await deployment.gateway()
    return await deployment.fetch_tools(gateway, await gateway.add(deployment.provider.provider.mcp_url))


async def sealed_under_another_secret(deployment: Deployment) -> httpx.Response:
    gateway = await deployment.gateway()
    gateway_id = await gateway.add(deployment.provider.provider.mcp_url, oauth_config=await entered_client(deployment))
    return await deployment.authorize(await deployment.gateway(AUTH_ENCRYPTION_SECRET=NEW), gateway_id)


async def published_secret(deployment: Deployment) -> httpx.Response:
    gateway = await deployment.gateway(AUTH_ENCRYPTION_SECRET="my-test-salt")
    async with gateway.client(ALICE, **JSON) as client:
        return await client.get(f"{BASE}/gateways", headers={"host": "gateway.example"})


async def no_state_store(deployment: Deployment) -> httpx.Response:
    gateway = await deployment.gateway(CACHE_TYPE="none")
    return await deployment.authorize(gateway, await gateway.add(deployment.provider.provider.mcp_url))


async def nonsense_in_a_setting(deployment: Deployment) -> LatchpinError:
    return await deployment.stopped(STATE_TTL_SECONDS="soon")


async def schema_of_tomorrow(deployment: Deployment) -> LatchpinError:
    outdate(deployment)
    return await deployment.stopped()


CALLER_ROWS = (
    *spread(
        Row("not-signed-in", "no identity", nobody, "forbidden"),
        Row("forbidden", "a user creates a gateway", no_administrator, "not-signed-in"),
        Row("csrf-refused", "a POST without a token of our page", form_of_another_site, "forbidden"),
        Row("not-found", "an unknown gateway", no_such_gateway, "invalid-request"),
        Row("invalid-request", "a gateway without OAuth is authorized", nothing_to_authorize, "not-found"),
        Row("request-too-large", "a URL of 17,000 characters", long_url, "invalid-request"),
        Row("weak-secret", "the published secret, and another host name", published_secret, "not-found"),
        Row("state-storage-disabled", "CACHE_TYPE=none", no_state_store, "store-unavailable"),
        Row("settings", "STATE_TTL_SECONDS=soon", nonsense_in_a_setting, "state-storage-disabled", "STATE_TTL_SECONDS"),
    ),
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
async def _with_entered_client(deployment: Deployment, **settings: str) -> AsyncIterator[Begun]:
    """A client that an administrator registered by hand: the gateway cannot replace it."""
    gateway = await deployment.gateway(**settings)
    async with deployment.begun(gateway, oauth_config=await entered_client(deployment)) as begun:
        yield begun


async def entered_client(deployment: Deployment) -> dict[str, Any]:
    """Register a client at the provider, as an administrator would."""
    return await asyncio.to_thread(hand_made_client, deployment.provider, BASE)


def refused(code: str) -> Situation:
    """The token endpoint answers with an error code."""

    async def bring(deployment: Deployment) -> httpx.Response:
        async with _with_entered_client(deployment) as begun:
            deployment.provider.arm("token", faults.oauth_error(code))
            return await begun.finish()

    return bring


async def forgotten_client(deployment: Deployment) -> httpx.Response:
    async with deployment.begun(await deployment.gateway()) as begun:
        deployment.provider.arm("token", faults.oauth_error("invalid_client", code=401))
        return await begun.finish()


async def unreachable(deployment: Deployment) -> httpx.Response:
    with Reservation() as nobody:  # bound, and nobody listens
        config = await entered_client(deployment) | {"token_url": f"http://127.0.0.1:{nobody.port}/token"}
        async with deployment.begun(await deployment.gateway(), oauth_config=config) as begun:
            return await begun.finish()


async def hanging(deployment: Deployment) -> httpx.Response:
    async with _with_entered_client(deployment) as begun:
        deployment.provider.arm("token", faults.hang())
        begun.gateway.allow(seconds=1)
        return await begun.finish()


async def web_page(deployment: Deployment) -> httpx.Response:
    async with _with_entered_client(deployment) as begun:
        deployment.provider.arm("token", faults.html())
        return await begun.finish()


async def too_many_requests(deployment: Deployment) -> httpx.Response:
    async with _with_entered_client(deployment) as begun:
        deployment.provider.arm("token", faults.status(429, retry_after="60"))
        return await begun.finish()


_CODES = list(TOKEN)

TOKEN_ROWS = spread(
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
