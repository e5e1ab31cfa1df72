"""GET /metrics, for Prometheus: behind a token of its own, or for administrators."""

from __future__ import annotations

import hmac

from fastapi import APIRouter, Request
from fastapi.responses import Response
from latchpin.sdk.settings import load
from latchpin.sdk.web import FOR_ADMINISTRATORS, application_of, problems, require_admin
from latchpin_mcp.calls import open_calls

from latchpin_metrics.gauges import Gauges
from latchpin_metrics.meters import meters
from latchpin_metrics.settings import MetricsSettings

__all__ = ["build_router"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def build_router() -> APIRouter:
    """Make the route; one for each application, because it remembers."""
    router, gauges, settings = APIRouter(), Gauges(), load(MetricsSettings)

    @router.get(
        "/metrics",
        tags=["operation"],
        summary="Read the metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **problems(401, 403)},
        openapi_extra={"security": FOR_ADMINISTRATORS},
    )
    async def show_metrics(request: Request) -> Response:
        """What was counted and what stands, in Prometheus' text format. `METRICS_TOKEN` opens it too."""
        if not _has_token(request, settings):
            await require_admin(request)
        application = application_of(request)
        standing = await gauges.read(application)
        from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415  see meters

        now = CollectorRegistry()
        now.register(standing)
        (await open_calls(application.services)).tell()
        meters().hand_on()
        return Response(generate_latest(meters().registry) + generate_latest(now), media_type=CONTENT_TYPE)

    return router


def _has_token(request: Request, settings: MetricsSettings) -> bool:
    if settings.metrics_token is None:
        return False
    given = request.headers.getlist("authorization")
    wanted = f"Bearer {settings.metrics_token.get_secret_value()}"
    return len(given) == 1 and hmac.compare_digest(given[0].encode(), wanted.encode())
