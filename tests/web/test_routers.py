"""What a plugin may do with its router, as FastAPI has it: open something with the gateway, and include others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import APIRouter, FastAPI
from latchpin.activity.logs import tear_down_logging
from latchpin.plugins.hookspecs import ROUTES
from latchpin.plugins.host import Plugins
from latchpin.web.app import create_app
from latchpin_api_docs.description import describe_api

from tests.support.gateway_in_process import BASE, InnerGateway, MovedClock

NEEDS = ("latchpin_memory_store",)


def opening(name: str, seen: list[str]) -> APIRouter:
    """A router that opens something with the gateway, which must be open by then, and notes when."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        assert app.state.application
        seen.append(f"{name} opens")
        yield {"first": name, name: True}
        seen.append(f"{name} closes")

    return APIRouter(lifespan=lifespan)


async def test_routers_are_opened_in_their_order_and_answer_with_what_they_include(environment, monkeypatch):
    seen: list[str] = []
    one, two, inner = opening("one", seen), opening("two", seen), APIRouter()

    @inner.get("/inside/{name}", name="what_is_inside")
    async def inside(name: str) -> dict[str, str]:
        return {"name": name}

    one.include_router(inner, prefix="/acme")
    plugins = Plugins()
    offered = plugins.values
    monkeypatch.setattr(plugins, "values", lambda hook: [one, two] if hook is ROUTES else offered(hook))
    app = create_app(plugins=plugins)
    async with app.router.lifespan_context(app) as state:
        assert seen == ["one opens", "two opens"]
        assert state == {"first": "one", "one": True, "two": True}
        gateway = InnerGateway(app, MovedClock())
        async with gateway.client() as client:
            assert (await client.get(f"{BASE}/acme/inside/out")).json() == {"name": "out"}
            assert (await client.post(f"{BASE}/acme/inside/out")).status_code == httpx.codes.METHOD_NOT_ALLOWED
        described = describe_api(app, app.state.services.settings)["paths"]["/acme/inside/{name}"]["get"]
        assert described["operationId"] == "what_is_inside"
    assert seen[2:] == ["two closes", "one closes"]
    tear_down_logging()
