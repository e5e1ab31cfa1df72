"""`latchpin edge`: what it prints, and a running data plane that hears of gateways that come, change and go."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from latchpin_edge.envoy_clusters import clusters
from latchpin_edge.kinds import Kind
from latchpin_edge.watching import LINGER, Watch

from tests.edge.conftest import CALL, EDGE_SECRET, TICK, Edge, wheel
from tests.edge.test_calls import answer_json
from tests.edge.test_plan import PLAN
from tests.proxy.conftest import start_scripted
from tests.servers import run_latchpin
from tests.servers.processes import DEADLINE
from tests.support.gateway_process import ADMIN


async def test_a_gateway_that_is_added_changed_and_removed(edge: Edge):
    with start_scripted(answer_json) as first, start_scripted(answer_json) as second:
        gateway = await edge.add(first.url, auth_type="none")
        assert (await edge.call(gateway)).status_code == 200
        assert len(first.arrived) == 1
        async with edge.gateway.api(ADMIN) as admin:
            found = (await admin.get(f"/gateways/{gateway}")).json()
            changed = {"url": second.url, "revision": found["revision"]}
            assert (await admin.put(f"/gateways/{gateway}", json=changed)).status_code == 200
        async with asyncio.timeout(DEADLINE):
            while not second.arrived:
                assert (await edge.call(gateway)).status_code == 200, "not a moment without"
                await asyncio.sleep(TICK / 5)
        before, proxied = len(first.arrived), -1
        async with asyncio.timeout(DEADLINE):
            while proxied != await edge.proxied(gateway):  # until a call was native
                proxied = await edge.proxied(gateway)
                assert (await edge.call(gateway)).status_code == 200
                await asyncio.sleep(TICK)
        assert len(first.arrived) == before
        async with edge.gateway.api(ADMIN) as admin:
            assert (await admin.delete(f"/gateways/{gateway}")).status_code in {200, 204}
        async with asyncio.timeout(DEADLINE):
            while (answer := await edge.call(gateway)).status_code != 404:  # noqa: ASYNC110
                await asyncio.sleep(TICK)
        assert answer.json()["cause"] == "not-found"
        await until_forgotten(edge, gateway)
        assert (await edge.call(gateway)).status_code == 404


async def until_forgotten(edge: Edge, gateway: str) -> None:
    """Wait until what decides the way of a call does not name it."""
    name = "envoy.listeners.json" if edge.kind is Kind.ENVOY else edge.output.name
    async with asyncio.timeout(DEADLINE):
        while gateway in (edge.folder / name).read_text():  # noqa: ASYNC110
            await asyncio.sleep(TICK)


async def test_connections_from_before_a_change_go_on(edge: Edge):
    """Whoever calls all the time meets no moment in which a gateway that is there is not served, or one that is not is
    answered as if something were broken.
    """
    with start_scripted(answer_json) as scripted:
        stays = await edge.add(scripted.url, auth_type="none")
        goes = await edge.add(scripted.url + "?goes", auth_type="none")
        seen: dict[str, Counter[object]] = {stays: Counter(), goes: Counter()}
        async with contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(edge.client()) for _ in range(6)]

            async def call(client: httpx.AsyncClient, gateway: str) -> None:
                try:
                    answer = await client.post(f"/gateways/{gateway}/mcp", content=CALL)
                    seen[gateway][answer.status_code] += 1
                except httpx.TransportError:
                    assert edge.kind is Kind.NGINX  # it hangs up when it takes a configuration over

            async def call_on() -> None:
                while True:
                    await asyncio.gather(*(call(each, gateway) for each in clients for gateway in (stays, goes)))
                    await asyncio.sleep(TICK / 5)

            async def until_answered(status: int) -> None:
                async with asyncio.timeout(DEADLINE):
                    more = seen[goes][status] + 100
                    while seen[goes][status] < more:
                        assert not calls.done(), calls
                        await asyncio.sleep(TICK)

            calls = asyncio.create_task(call_on())
            try:
                await until_answered(200)
                async with edge.gateway.api(ADMIN) as admin:
                    assert (await admin.delete(f"/gateways/{goes}")).status_code in {200, 204}
                await until_forgotten(edge, goes)
                await edge.add(scripted.url + "?comes", auth_type="none")
                await until_answered(404)
            finally:
                calls.cancel()
        assert set(seen[stays]) == {200}, seen
        assert set(seen[goes]) == {200, 404}, seen


async def test_envoy_forgets_where_gateways_led_when_nothing_leads_there_any_more():
    plan = replace(PLAN, ways=())
    watch = Watch(Kind.ENVOY, PLAN.front, Path("envoy.json"), "envoy", written=PLAN)
    left = watch._left(plan, 1000.0)
    assert [way for way, _ in left.values()] == list(PLAN.ways)
    names = {each["name"] for each in clusters(plan, [way for way, _ in left.values()])}
    assert {f"native_{PLAN.ways[0].gateway_id}", f"edge_{PLAN.ways[0].place}"} <= names
    watch.written, watch.left = plan, left
    assert watch._left(plan, 1000.0 + LINGER - 1) == left
    assert watch._left(PLAN, 1001.0) == {}
    assert watch._left(plan, 1000.0 + LINGER) == {}
    assert Watch(Kind.NGINX, PLAN.front, Path("nginx.conf"), "nginx", written=PLAN)._left(plan, 1000.0) == {}


async def test_a_data_plane_that_stood_still_meanwhile_reads_all_of_it(edge: Edge):
    """It hears of several files at once then, in an order of its own."""
    with start_scripted(answer_json) as scripted:
        await edge.add(scripted.url, auth_type="none")
        os.kill(edge.program.pid, signal.SIGSTOP)
        try:
            gateway = await edge.gateway.add(scripted.url, auth_type="none")
            await until_written(edge, gateway)
        finally:
            os.kill(edge.program.pid, signal.SIGCONT)
        await edge.until_native(gateway)


@pytest.mark.parametrize("edge", [Kind.NGINX], indirect=True)
async def test_nginx_that_cannot_be_told_yet_is_told_later(edge: Edge):
    """While it starts it has read its configuration, and nobody knows yet where it can be told."""
    with start_scripted(answer_json) as scripted:
        await edge.add(scripted.url, auth_type="none")
        pid_file = Path(edge.environment["EDGE_FOLDER"]) / "nginx.pid"
        hidden = pid_file.rename(pid_file.with_suffix(".hidden"))
        untold = "no data plane runs yet"
        before = edge.watch.output.count(untold)
        gateway = await edge.gateway.add(scripted.url, auth_type="none")
        await asyncio.to_thread(edge.watch.wait_for_output, untold, times=before + 1)
        hidden.rename(pid_file)
        await edge.until_native(gateway)


async def until_written(edge: Edge, gateway: str) -> None:
    """Wait until each file that names gateways names this one."""
    names = ["envoy.clusters.json", "envoy.listeners.json"] if edge.kind is Kind.ENVOY else [edge.output.name]
    async with asyncio.timeout(DEADLINE):
        while not all(gateway in (edge.folder / name).read_text() for name in names):  # noqa: ASYNC110
            await asyncio.sleep(TICK)


async def test_what_is_printed_is_taken_and_what_is_written_is_for_its_owner_alone(edge: Edge):
    with start_scripted() as scripted:
        gateway = await edge.add(scripted.url, auth_type="none")
        kind = edge.kind.value
        printed = run_latchpin("edge", "config", kind, env=edge.environment, cwd=edge.folder)
        assert printed.returncode == 0, printed.stderr
        assert gateway in printed.stdout
        assert EDGE_SECRET in printed.stdout
        options = ("--check", "--output", "written", "--program", wheel(edge.kind))
        checked = run_latchpin("edge", "config", kind, *options, env=edge.environment, cwd=edge.folder)
        assert checked.returncode == 0, checked.stderr
        assert f"{kind} takes it" in checked.stderr
        assert (edge.folder / "written").read_text() == printed.stdout
        assert (edge.folder / "written").stat().st_mode & 0o777 == 0o600
        if kind == "envoy":
            json.loads(printed.stdout)


@pytest.mark.parametrize("edge", [Kind.NGINX], indirect=True)
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"EDGE_SECRET": ""}, "EDGE_SECRET is not set"),
        ({"PORT": "0"}, "PORT is 0"),
        ({"EDGE_FOLDER": "/proc/latchpin"}, "the folder /proc/latchpin is on a disk"),
    ],
)
async def test_what_is_missing_is_named(edge: Edge, settings: dict[str, str], said: str):
    environment = {**edge.environment, **settings}
    ended = run_latchpin("edge", "config", "nginx", "--check", env=environment, cwd=edge.folder)
    assert ended.returncode == 1
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
