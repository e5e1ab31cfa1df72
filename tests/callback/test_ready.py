"""``/ready`` when stores hang: both are asked at once, and whoever asks hears in a second."""

from __future__ import annotations

import asyncio

import pytest
from latchpin.web import routes_health

from tests.support.gateway_in_process import BASE


def test_it_takes_less_than_a_second():
    assert routes_health.READY_SECONDS < 1


@pytest.mark.parametrize("hanging", [("states",), ("records",), ("states", "records")])
async def test_a_store_that_hangs_is_named_and_keeps_nobody(gateway, monkeypatch, hanging):
    services = gateway.application.services
    asked: list[str] = []
    both = asyncio.Event()

    def hold(name: str) -> None:
        async def check() -> None:
            asked.append(name)
            if len(asked) == len(hanging):
                both.set()
            await both.wait()  # so this is where a check would stay that was asked alone
            await asyncio.Event().wait()

        monkeypatch.setattr(getattr(services, name), "check", check)

    for name in hanging:
        hold(name)
    monkeypatch.setattr(routes_health, "READY_SECONDS", 0.05)
    async with gateway.client() as client:
        answer = await client.get(f"{BASE}/ready")
    document = answer.json()
    told = {"states": document["state_store"], "records": document["record_store"]}
    assert answer.status_code == 503
    assert both.is_set(), "both were asked before one of them had answered"
    for name, store in told.items():
        assert store["ready"] is (name not in hanging)
        assert ("no answer" in store.get("reason", "")) is (name in hanging)
