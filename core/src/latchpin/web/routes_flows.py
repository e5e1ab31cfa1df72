"""The flow inspector's endpoints: JSON for programs, pages for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from latchpin.errors import InvalidRequest
from latchpin.journal.view import describe_flow, describe_summary
from latchpin.model.flow_steps import FlowOutcome, FlowQuery, FlowSummary
from latchpin.web import pages
from latchpin.web.errors import wants_html
from latchpin.web.frame import frame
from latchpin.web.identity import require_caller
from latchpin.web.routes_oauth import application_of
from latchpin.web.timeline import build_timeline

__all__ = ["router"]

router = APIRouter(prefix="/flows", tags=["flows"])

PAGE = 50
MOST = 200


@router.get("", response_model=None)
async def list_flows(  # noqa: PLR0917  FastAPI passes them by name
    request: Request,
    gateway_id: str | None = None,
    user: str | None = None,
    outcome: FlowOutcome | None = None,
    cause: str | None = None,
    before: datetime | None = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = PAGE,
) -> Response:
    """The flows that the caller may see, the newest last step first. ``before`` goes on where a page ended."""
    caller = await require_caller(request)
    query = FlowQuery(
        gateway_id=gateway_id or None,
        app_user_email=user.lower() if user else None,
        outcome=outcome,
        cause=cause or None,
        before=_aware(before),
    )
    found = await application_of(request).flows.list(query, caller, limit=limit)
    older = found[-1].last_at.isoformat() if len(found) == limit else None
    if not wants_html(request):
        return JSONResponse({"flows": [describe_summary(flow) for flow in found], "next_before": older})
    shown: dict[str, Any] = {"flows": found, "query": query, "outcomes": get_args(FlowOutcome)}
    shown["older"] = _older(request, older) if older is not None else None
    shown["names"] = await _names(request, found)
    return pages.render("flows", title="Flows", **shown, **await frame(request, caller))


@router.get("/{flow_id}", response_model=None)
async def show_flow(request: Request, flow_id: str) -> Response:
    """One flow with every step; 404 for one that is unknown or somebody else's."""
    caller = await require_caller(request)
    flow = await application_of(request).flows.show(flow_id, caller)
    if not wants_html(request):
        return JSONResponse(describe_flow(flow))
    rows, gaps = build_timeline(flow.steps)
    return pages.render(
        "flow",
        title="Flow",
        flow=flow.summary,
        rows=rows,
        gaps=gaps,
        names=await _names(request, [flow.summary]),
        link=f"{application_of(request).services.settings.base_url}/flows/{flow.summary.flow_id}",
        **await frame(request, caller),
    )


def _older(request: Request, before: str) -> dict[str, str]:
    """The query of the next page: what this one was asked with, from an earlier time on."""
    return {name: value for name, value in request.query_params.items() if value} | {"before": before}


def _aware(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise InvalidRequest("'before' has no offset", remedy="Write it as 2026-03-14T15:09:26Z, or take next_before.")
    try:
        return moment.astimezone(UTC)
    except OverflowError as exc:
        raise InvalidRequest("'before' is beyond all dates", remedy="Take next_before.") from exc


async def _names(request: Request, flows: list[FlowSummary]) -> dict[str, Any]:
    """The names of the gateways in ``flows``, as far as they are there still."""
    records = application_of(request).services.records.gateways
    found = [await records.get(gateway_id) for gateway_id in {flow.gateway_id for flow in flows}]
    return {gateway.id: gateway.name for gateway in found if gateway is not None}
