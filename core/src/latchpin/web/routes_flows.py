"""The flow inspector's endpoints: JSON for programs, pages for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from latchpin.activity.view import describe_flow, describe_summary
from latchpin.errors import InvalidRequest
from latchpin.model.flow_steps import FlowOutcome, FlowQuery, FlowSummary
from latchpin.model.ids import is_id
from latchpin.web.dependencies import CurrentApplication, SignedInCaller, application_of
from latchpin.web.description import HTML, problems
from latchpin.web.documents.flows import FlowDocument, FlowList
from latchpin.web.errors import wants_html
from latchpin.web.frame import frame
from latchpin.web.rendering import WITH_SCRIPTS, render
from latchpin.web.timeline import build_timeline

__all__ = ["router"]

router = APIRouter(prefix="/flows", tags=["flows"])

PAGE = 50
MOST = 200


@router.get(
    "",
    summary="List flows",
    response_model=None,
    responses={200: {"model": FlowList, "content": HTML}},
)
async def list_flows(  # noqa: PLR0917  FastAPI passes them by name
    request: Request,
    caller: SignedInCaller,
    application: CurrentApplication,
    gateway_id: str | None = None,
    user: str | None = None,
    outcome: FlowOutcome | None = None,
    cause: str | None = None,
    before: str = "",
    limit: Annotated[int, Query(ge=1, le=MOST)] = PAGE,
) -> Response:
    """The flows that the caller may see, the newest last step first. ``before`` goes on where a page ended."""
    moment, before_id = _parse_place(before)
    query = FlowQuery(
        gateway_id=gateway_id or None,
        app_user_email=user.lower() if user else None,
        outcome=outcome,
        cause=cause or None,
        before=moment,
        before_id=before_id,
    )
    found = await application.flows.list(query, caller, limit=limit)
    older = f"{found[-1].last_at.isoformat()}~{found[-1].flow_id}" if len(found) == limit else None
    if not wants_html(request):
        return JSONResponse({"flows": [describe_summary(flow) for flow in found], "next_before": older})
    shown: dict[str, Any] = {"flows": found, "query": query, "outcomes": get_args(FlowOutcome)}
    shown["older"] = _older(request, older) if older is not None else None
    shown["hours"], shown["chosen"] = application.services.settings.flow_history_hours, query != FlowQuery()
    shown["names"] = await _names(request, found)
    return render("flows", title="Flows", headers=WITH_SCRIPTS, **shown, **await frame(request, caller))


@router.get(
    "/{flow_id}",
    summary="Read a flow",
    response_model=None,
    responses={200: {"model": FlowDocument, "content": HTML}, **problems(404)},
)
async def show_flow(
    request: Request, caller: SignedInCaller, application: CurrentApplication, flow_id: str
) -> Response:
    """One flow with every step; 404 for one that is unknown or somebody else's."""
    flow = await application.flows.show(flow_id, caller)
    if not wants_html(request):
        return JSONResponse(describe_flow(flow))
    rows, gaps = build_timeline(flow.steps)
    return render(
        "flow",
        title="Flow",
        headers=WITH_SCRIPTS,
        flow=flow.summary,
        rows=rows,
        gaps=gaps,
        names=await _names(request, [flow.summary]),
        link=f"{application.services.settings.base_url}/flows/{flow.summary.flow_id}",
        **await frame(request, caller),
    )


def _older(request: Request, before: str) -> dict[str, str]:
    """The query of the next page: what this one was asked with, from an earlier time on."""
    return {name: value for name, value in request.query_params.items() if value} | {"before": before}


def _parse_place(text: str) -> tuple[datetime | None, str]:
    """Where a page ended: a time, and behind a tilde the flow that had its last step then."""
    if not text:
        return None, ""
    moment, _, flow_id = text.partition("~")
    try:
        before = datetime.fromisoformat(moment)
        if before.tzinfo is not None and (not flow_id or is_id(flow_id)):
            return before.astimezone(UTC), flow_id
    except (ValueError, OverflowError):
        pass
    raise InvalidRequest(
        "'before' is no time with an offset", remedy="Write it as 2026-03-14T15:09:26Z, or take next_before."
    )


async def _names(request: Request, flows: list[FlowSummary]) -> dict[str, Any]:
    """The names of the gateways in ``flows``, as far as they are there still."""
    records = application_of(request).services.records.gateways
    found = [await records.get(gateway_id) for gateway_id in {flow.gateway_id for flow in flows}]
    return {gateway.id: gateway.name for gateway in found if gateway is not None}
