"""The question by itself: who may ask, where, and how long an answer holds; nginx and Envoy are answered alike."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from latchpin.contracts import Admitted
from latchpin.errors import SettingsError
from latchpin.model import Caller
from latchpin.sdk.gateway import Access
from latchpin_edge.asking import TokenQuestion
from latchpin_edge.errors import UseTheProxy
from latchpin_edge.kinds import Kind
from latchpin_edge.listening import bind, socket_paths
from latchpin_edge.settings import EdgeSettings, Listen, parse_listen
from latchpin_testing import samples

from tests.edge.conftest import EDGE_SECRET, TICK, Edge, watching
from tests.edge.test_calls import answer_json
from tests.providers import FaultSwitch
from tests.proxy.conftest import ScriptedServer
from tests.servers import Reservation
from tests.support.gateway_process import ALICE, BOB

with_nginx = pytest.mark.parametrize("edge", [Kind.NGINX], indirect=True)


@with_nginx
async def test_it_gives_what_goes_up_and_for_how_long(edge: Edge, fault_switch: FaultSwitch):
    url = fault_switch.provider.mcp_url
    gateway = await edge.add(url, ALICE)
    answer = await edge.ask(gateway)
    assert answer.status_code == 200
    assert answer.headers["x-upstream-authorization"].startswith("Bearer ")
    assert answer.headers["x-upstream-url"] == url
    assert answer.headers["cache-control"] == "max-age=20"
    assert answer.content == b""
    assert "set-cookie" not in answer.headers


@with_nginx
async def test_it_holds_no_longer_than_the_callers_own_proof(edge: Edge, scripted: ScriptedServer):
    gateway = await edge.add(scripted.url, auth_type="none")
    soon = edge.gateway.bearer(ALICE, exp=int(time.time()) + 10)
    answer = await edge.ask(gateway, authorization=f"Bearer {soon}")
    assert 0 < int(answer.headers["cache-control"].removeprefix("max-age=")) <= 10


def test_it_holds_no_longer_than_the_token():
    question, now = TokenQuestion(), datetime(2030, 1, 1, tzinfo=UTC)
    question._settings = EdgeSettings(edge_cache_seconds=20)
    question._application = SimpleNamespace(services=SimpleNamespace(clock=lambda: now))
    assert question._seconds([None, now + timedelta(seconds=15.9)]) == 15
    assert question._seconds([None, now - timedelta(seconds=1)]) == 0
    assert question._seconds([now + timedelta(hours=1), None]) == 20


@with_nginx
async def test_nobody_may_ask_without_the_secret_or_elsewhere(edge: Edge, scripted: ScriptedServer):
    gateway = await edge.add(scripted.url, auth_type="none")
    path = f"/edge/token/{gateway}"
    bearer = {"authorization": f"Bearer {edge.gateway.bearer(ALICE)}"}
    async with httpx.AsyncClient(trust_env=False) as client:
        for headers in ([], [("x-edge-secret", EDGE_SECRET[:-1])], [("x-edge-secret", EDGE_SECRET)] * 2):
            asked = await client.get(edge.asked_at + path, headers=[*bearer.items(), *headers])
            assert asked.status_code == 404, headers
        asked = await client.get(edge.gateway.url + path, headers={**bearer, "x-edge-secret": EDGE_SECRET})
        assert asked.status_code == 404
        assert (await client.get(f"{edge.asked_at}/health")).status_code == 404


@with_nginx
async def test_it_answers_as_the_endpoint_does(edge: Edge, fault_switch: FaultSwitch):
    gateway = await edge.add(fault_switch.provider.mcp_url, ALICE, allowed_users=[ALICE])
    unknown = await edge.ask(gateway, authorization="Bearer nobody")
    assert unknown.status_code == 401
    assert 'error="invalid_token"' in unknown.headers["www-authenticate"]
    assert unknown.headers["cache-control"] == "no-store"
    assert (await edge.ask(gateway, BOB)).status_code == 404
    assert (await edge.ask(gateway, origin="https://evil.example")).status_code == 403
    assert (await edge.ask("0" * 32)).status_code == 404


@with_nginx
async def test_another_url_than_the_gateways_gets_no_token(edge: Edge, fault_switch: FaultSwitch):
    gateway = await edge.add(fault_switch.provider.mcp_url, ALICE)
    answer = await edge.ask(gateway, x_edge_url="http://127.0.0.1:1/mcp")
    assert (answer.status_code, answer.json()["cause"]) == (403, "use-the-proxy")
    assert "x-upstream-authorization" not in answer.headers


async def test_a_token_is_not_given_for_a_url_that_was_read_before_it():
    """Between two reads an administrator entered another URL, and somebody authorized there."""
    before, caller = samples.gateway(datetime(2030, 1, 1, tzinfo=UTC), auth_type="oauth"), Caller(ALICE)
    now = Access(replace(before, url="https://new.example.com/mcp", revision=before.revision + 1), token=None)
    question = TokenQuestion()
    question._settings = EdgeSettings()

    async def get(gateway_id: str, asked_for: Caller) -> Access:
        assert (gateway_id, asked_for) == (before.id, caller)
        return now

    question._application = SimpleNamespace(access=SimpleNamespace(get=get))
    with pytest.raises(UseTheProxy, match="was changed"):
        await question._grant(Admitted(caller, before, None, asks_nothing=True))


async def test_with_a_wrong_secret_calls_go_by_the_proxy_and_the_log_says_so(edge: Edge, scripted: ScriptedServer):
    scripted.script = answer_json
    gateway = await edge.add(scripted.url, auth_type="none")
    wrong = replace(edge, environment={**edge.environment, "EDGE_SECRET": "not-the-secret-of-the-gateway"})
    with watching(wrong):
        proxied = await edge.proxied(gateway)
        while await edge.proxied(gateway) == proxied:
            assert (await edge.call(gateway)).status_code == 200
            await asyncio.sleep(TICK)
    assert "without EDGE_SECRET" in edge.gateway.log


@pytest.mark.parametrize("value", ["0.0.0.0:4445", "example.com:1", "127.0.0.1", "unix:relative", "127.0.0.1:0", ""])
def test_it_listens_on_this_machine_alone(value: str):
    with pytest.raises(ValueError, match="must"):
        parse_listen(value)


def test_a_socket_that_was_left_makes_room_and_one_that_is_used_does_not(tmp_path: Path):
    listen = Listen(path=str(tmp_path / "a.sock"))
    bind(listen, workers=1).close()
    with bind(listen, workers=1) as used:
        assert (tmp_path / "a.sock").stat().st_mode & 0o777 == 0o600
        used.listen()
        with pytest.raises(SettingsError, match="EDGE_LISTEN"):
            bind(listen, workers=1)
    assert socket_paths(listen, 2) == [f"{listen.path}.1", f"{listen.path}.2"]


def test_one_worker_has_its_address_alone():
    with Reservation() as reserved:
        listen = Listen(host="127.0.0.1", port=reserved.port)
        with bind(listen, workers=1) as alone:
            alone.listen()
            with pytest.raises(SettingsError, match="EDGE_LISTEN"):
                bind(listen, workers=1)


@pytest.mark.needs("latchpin_policy")
@with_nginx
async def test_a_caller_from_whom_tools_are_held_back_is_left_to_the_proxy(edge: Edge, scripted: ScriptedServer):
    gateway = await edge.add(scripted.url, auth_type="none")
    async with edge.gateway.api() as admin:
        rule = {"effect": "deny", "tools": ["delete_*"], "who": ["judged@example.com"], "gateway": gateway}
        assert (await admin.post("/rules", json=rule)).status_code == 201
    answer = await edge.ask(gateway, "judged@example.com")
    assert (answer.status_code, answer.json()["cause"]) == (403, "use-the-proxy")
    assert (await edge.ask(gateway)).status_code == 200
