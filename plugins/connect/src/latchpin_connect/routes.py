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
    request: Request, caller: SignedInCaller, application: CurrentApplication, gateway_id: str = "", endpoint: str = ""
) -> Response:
    """What to enter where, for one endpoint; the others are linked to.

    ``gateway_id`` means that gateway's own, ``endpoint`` is the path of any below BASE_URL.
    """
    endpoints, base_url = await application.list_resources(caller), application.services.settings.base_url
    chosen = choose_endpoint(endpoints, gateway_id, endpoint and base_url + endpoint)
    name = short_name(chosen.name) if chosen else ""
    ways = [(program, program.build(name, chosen.url)) for program in PROGRAMS] if chosen else []
    return render(
        "connect",
        folder=TEMPLATES,
        title="Connect a client",
        headers=WITH_SCRIPTS,
        endpoints=endpoints,
        base_url=base_url,
        chosen=chosen,
        ways=ways,
        signs_in=signs_clients_in(application),
        **await frame(request, caller),
    )
