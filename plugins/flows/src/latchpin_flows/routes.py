"""The flow inspector's endpoints: JSON for programs, pages for people."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from latchpin.errors import InvalidRequest
from latchpin.sdk.gateway import Application, is_id
from latchpin.sdk.settings import load
from latchpin.sdk.web import HTML, WITH_SCRIPTS, CurrentApplication, SignedInCaller, frame, problems, render, wants_html

from latchpin_flows.documents import FlowDocument, FlowList
from latchpin_flows.inspector import open_inspector
from latchpin_flows.settings import FlowSettings
from latchpin_flows.summaries import FlowOutcome, FlowQuery, FlowSummary
from latchpin_flows.timeline import build_timeline
from latchpin_flows.view import describe_flow, describe_summary

__all__ = ["router"]

router = APIRouter(prefix="/flows", tags=["flows"])

PAGE = 50
MOST = 200

_TEMPLATES = Path(__file__).parent / "templates"
_STYLE = Path(__file__).parent / "static" / "flows.css"


@router.get("/static/flows.css", include_in_schema=False)
async def get_style() -> Response:
    """How the pages look."""
    return FileResponse(_STYLE, media_type="text/css", headers={"cache-control": "public, max-age=3600"})


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
    inspector = await open_inspector(application.services.context)
    found = await inspector.list(query, caller, limit=limit)
    older = f"{found[-1].last_at.isoformat()}~{found[-1].flow_id}" if len(found) == limit else None
    if not wants_html(request):
        return JSONResponse({"flows": [describe_summary(flow) for flow in found], "next_before": older})
    shown: dict[str, Any] = {"flows": found, "query": query, "outcomes": get_args(FlowOutcome)}
    shown["older"] = _older(request, older) if older is not None else None
    shown["hours"], shown["chosen"] = load(FlowSettings).flow_history_hours, query != FlowQuery()
    shown["names"] = await _names(application, found)
    return _page(**shown, template="flows", title="Flows", **await frame(request, caller))


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
    flow = await (await open_inspector(application.services.context)).show(flow_id, caller)
    if not wants_html(request):
        return JSONResponse(describe_flow(flow))
    rows, gaps = build_timeline(flow.steps)
    return _page(
        template="flow",
        title="Flow",
        flow=flow.summary,
        rows=rows,
        gaps=gaps,
        names=await _names(application, [flow.summary]),
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


async def _names(application: Application, flows: list[FlowSummary]) -> dict[str, Any]:
    """The names of the gateways in ``flows``, as far as they are there still."""
    records = application.services.records.gateways
    found = [await records.get(gateway_id) for gateway_id in {flow.gateway_id for flow in flows}]
    return {gateway.id: gateway.name for gateway in found if gateway is not None}


def _page(**values: Any) -> Response:  # noqa: ANN401  what the template wants
    return render(headers=WITH_SCRIPTS, folder=_TEMPLATES, **values)
