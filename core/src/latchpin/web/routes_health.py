"""Alive, and ready to serve: with each backend's own reason if not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from latchpin import __version__
from latchpin.errors import LatchpinError
from latchpin.services import Services
from latchpin.web.dispatch import HotRoute
from latchpin.web.documents.readiness import Readiness
from latchpin.web.identity import services_of
from latchpin.workers.store_deadline import store_deadline

__all__ = ["HEALTH", "readiness", "router"]

router = APIRouter(tags=["operation"])

UNAVAILABLE = 503
READY_SECONDS = 0.9
"""For both stores, which are asked side by side: whoever asks often gives up after a second."""


@router.get(
    "/health",
    summary="Ask whether the process answers",
    openapi_extra={
        "responses": {
            "200": {"content": {"application/json": {"schema": {"required": ["status", "version"]}}}},
        }
    },
)
async def get_health() -> dict[str, str]:
    """The process answers; nothing else is asked."""
    return {"status": "healthy", "version": __version__}


async def _answer_health(_: Request) -> Response:
    return JSONResponse(await get_health())


HEALTH = HotRoute("/health", _answer_health, methods=["GET"])
"""The same ahead of the framework: it is asked often, and must be answered where much else waits."""


@router.get(
    "/ready",
    summary="Ask whether authorizations would work",
    response_model=None,
    responses={200: {"model": Readiness}, UNAVAILABLE: {"model": Readiness, "description": "Not ready."}},
)
async def get_ready(request: Request) -> Response:
    """Whether flows would work now: 200, or 503 with the reasons, within a second."""
    document = await readiness(services_of(request))
    return JSONResponse(document, 200 if document["ready"] else UNAVAILABLE)


async def readiness(services: Services) -> dict[str, Any]:
    """Whether both stores answer within a second, each with its own reason if not."""
    state, record = await asyncio.gather(
        _check_states(services), _check(services.record_backend.name, services.records.check)
    )
    ready = bool(state["ready"] and record["ready"])
    return {"ready": ready, "instance": services.instance_id, "state_store": state, "record_store": record}


async def _check_states(services: Services) -> dict[str, Any]:
    if services.states is None or services.state_backend is None:
        return {"backend": "none", "ready": False, "reason": "CACHE_TYPE=none keeps no state: OAuth is switched off"}
    return await _check(services.state_backend.name, services.states.check)


async def _check(name: str, check: Callable[[], Awaitable[None]]) -> dict[str, Any]:
    try:
        async with store_deadline(READY_SECONDS):
            await check()
    except LatchpinError as exc:
        return {"backend": name, "ready": False, "reason": exc.detail or exc.public}
    except TimeoutError:
        return {"backend": name, "ready": False, "reason": "it gives no answer within a second"}
    return {"backend": name, "ready": True}
