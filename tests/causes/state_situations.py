"""States that are too old, used, missing, or in a store that is away."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
from latchpin_demo.browser import Browser

from tests.causes.situation import SETTINGS, Row, World, impossible, until
from tests.causes.store_changes import evict, flush, forget_rows, held_back, second_store
from tests.servers import Reservation, start_latchpin
from tests.support.gateway_in_process import ALICE, USER_HEADER
from tests.support.gateway_process import JWT_KEY, Rig

__all__ = ["STATE_ROWS"]

SHARED = ("sqlite", "postgres", "redis")


async def late(world: World) -> httpx.Response:
    async with world.begun(await world.gateway(STATE_TTL_SECONDS="1")) as begun:
        end = datetime.now(UTC) + timedelta(seconds=1.05)
        await until(lambda: datetime.now(UTC) > end)
        return await begun.finish()


async def issued_in_the_future(world: World) -> httpx.Response:
    gateway = await world.gateway()
    gateway.clock.advance(minutes=10)
    async with world.begun(gateway) as begun:
        gateway.clock.advance(minutes=-10)
        return await begun.finish()


async def clock_ahead_of_the_stores(world: World) -> httpx.Response:
    gateway = await world.gateway()
    async with world.begun(gateway) as begun:
        gateway.clock.advance(minutes=10)
        return await begun.finish()


async def reloaded(world: World) -> httpx.Response:
    async with world.begun(await world.gateway()) as begun:
        assert (await begun.finish()).status_code == 200
        return await begun.finish()


# -- memory -----------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _served(world: World, base: str, listen: int) -> AsyncIterator[tuple[Rig, httpx.AsyncClient]]:
    """A process of its own at ``listen``, reached as ``base``, as through a load balancer; and alice's browser."""
    env = SETTINGS | dict(world.backend.environment)
    env |= {"PORT": str(listen), "BASE_URL": base, "JWT_SECRET_KEY": JWT_KEY}
    with start_latchpin(env=env, cwd=world.folder) as process:
        mounts = {base: _To(listen)}
        async with httpx.AsyncClient(mounts=mounts, headers={USER_HEADER: ALICE}, trust_env=False, timeout=60) as alice:
            yield Rig(process, world.folder), alice


class _To(httpx.AsyncHTTPTransport):
    """Connects to one port, whatever port the URL names; the Host header stays."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it there."""
        request.url = request.url.copy_with(port=self._port)
        return await super().handle_async_request(request)


async def _callback_from(world: World, rig: Rig, alice: httpx.AsyncClient) -> tuple[str, httpx.Cookies]:
    """Begin in that process; the callback that the provider sends the browser to."""
    browser = Browser(alice)
    callback = await rig.begin(browser, await rig.add(world.provider.provider.mcp_url))
    return callback, browser.cookies


async def other_worker(world: World) -> httpx.Response:
    with Reservation() as one, Reservation() as two:
        base = f"http://127.0.0.1:{one.port}"
        async with _served(world, base, one.port) as (rig, alice), _served(world, base, two.port) as (_, again):
            callback, again.cookies = await _callback_from(world, rig, alice)
            return await again.get(callback, headers={"accept": "application/json"})


async def restarted(world: World) -> httpx.Response:
    with Reservation() as place:
        base = f"http://127.0.0.1:{place.port}"
        async with _served(world, base, place.port) as (rig, alice):
            callback, cookies = await _callback_from(world, rig, alice)
        async with _served(world, base, place.port) as (_, again):
            again.cookies = cookies
            return await again.get(callback, headers={"accept": "application/json"})


async def other_machine(world: World) -> httpx.Response:
    with world.patch.context() as there:
        there.setattr(socket, "gethostname", lambda: "another-machine")
        first = await world.gateway()
    async with world.begun(first) as begun:
        return await begun.finish(at=await world.gateway())


# -- stores that are shared -------------------------------------------------------------------------------


async def _in_another_store(world: World, *, settled: bool) -> httpx.Response:
    with second_store(world) as environment:
        here = await world.gateway()
        there = await world.gateway(**environment)
        if settled:
            for gateway in (here, there):
                gateway.clock.advance(minutes=5)
        async with world.begun(there) as begun:
            return await begun.finish(at=here)


async def another_store(world: World) -> httpx.Response:
    return await _in_another_store(world, settled=True)


async def another_store_just_now(world: World) -> httpx.Response:
    return await _in_another_store(world, settled=False)


async def purged(world: World) -> httpx.Response:
    async with world.begun(await world.gateway()) as begun:
        await begun.gateway.application.services.states.purge(everything=True)
        return await begun.finish()


async def deleted_by_hand(world: World) -> httpx.Response:
    async with world.begun(await world.gateway()) as begun:
        forget_rows(world)
        return await begun.finish()


async def flushed(world: World) -> httpx.Response:
    async with world.begun(await world.gateway()) as begun:
        flush(world)
        return await begun.finish()


async def evicted(world: World) -> httpx.Response:
    async with world.begun(await world.gateway()) as begun:
        with evict(world):
            return await begun.finish()


async def away(world: World) -> httpx.Response:
    async with world.begun(await world.gateway()) as begun:
        with held_back(world, begun.gateway):
            if world.backend.name == "memory":  # it cannot be away, but it can be full
                return await world.authorize(begun.gateway, begun.id)
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
