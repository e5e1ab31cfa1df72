"""The page: the endpoints that a person may use, and what to enter in which client."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response
from latchpin.sdk.web import WITH_SCRIPTS, CurrentApplication, SignedInCaller, frame, render

from latchpin_connect.endpoints import choose_endpoint, signs_clients_in
from latchpin_connect.programs import PROGRAMS, short_name

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

TEMPLATES = Path(__file__).parent / "templates"


@router.get("/connect")
async def show(
    request: Request, caller: SignedInCaller, application: CurrentApplication, gateway_id: str = ""
) -> Response:
    """What to enter where, for one endpoint; the others are linked to."""
    endpoints = await application.list_resources(caller)
    chosen = choose_endpoint(endpoints, gateway_id)
    name = short_name(chosen.name) if chosen else ""
    ways = [(program, program.build(name, chosen.url)) for program in PROGRAMS] if chosen else []
    return render(
        "connect",
        folder=TEMPLATES,
        title="Connect a client",
        headers=WITH_SCRIPTS,
        endpoints=endpoints,
        chosen=chosen,
        ways=ways,
        signs_in=signs_clients_in(application),
        **await frame(request, caller),
    )
