"""What discovery finds, for programs."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from latchpin.sdk.web import AdminCaller, CurrentApplication, GatewayId, problems

from latchpin_inspection.discovering import discover
from latchpin_inspection.documents import Discovery

__all__ = ["router"]

router = APIRouter(prefix="/gateways", tags=["gateways"])


@router.get(
    "/{gateway_id}/discovery",
    summary="See what discovery finds",
    response_model=Discovery,
    response_model_exclude_unset=True,
    responses=problems(404),
)
async def inspect_gateway(
    caller: AdminCaller, application: CurrentApplication, gateway_id: GatewayId
) -> dict[str, Any]:
    """What discovery finds now, from where, and what follows; nothing is registered or pinned."""
    gateway = await application.gateways.get(gateway_id, caller)
    return (await discover(application, gateway)).describe()
