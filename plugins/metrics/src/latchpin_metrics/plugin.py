"""What Latchpin finds: a listener and observers that count and trace, and the route that shows the counts."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import latchpin
from latchpin.contracts import CallObserver, EventListener, Observer
from latchpin.errors import SettingsError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from latchpin_metrics.settings import MetricsSettings

__all__ = ["latchpin_call_observers", "latchpin_event_listeners", "latchpin_observers", "latchpin_routes"]

_PROVIDER = "latchpin_metrics provider"


@asynccontextmanager
async def _open_counting(settings: MetricsSettings, context: latchpin.Context) -> AsyncIterator[Observer]:  # noqa: ARG001
    import asyncio  # noqa: PLC0415  loaded when asked for

    from latchpin_metrics.counting import CountingObserver  # noqa: PLC0415
    from latchpin_metrics.meters import hand_on  # noqa: PLC0415

    if settings.metrics_folder is not None:
        _make_folder(Path(settings.metrics_folder))
    handing_on = asyncio.create_task(hand_on())
    try:
        yield CountingObserver()
    finally:
        handing_on.cancel()
        await asyncio.wait([handing_on])


def _make_folder(folder: Path) -> None:
    """Make it now: the first count comes with the first request, when it is too late to refuse."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as exc:
        text = f"METRICS_FOLDER {folder} cannot be used: {exc.strerror}"
        remedy = "Name a folder that the user who runs the gateway can make or write, or leave METRICS_FOLDER empty."
        raise SettingsError(text, public=text, remedy=remedy) from exc


@asynccontextmanager
async def _open_tracing(settings: MetricsSettings, context: latchpin.Context) -> AsyncIterator[Observer | None]:
    if not settings.tracing:
        yield None
        return
    provider = await context.shared(_PROVIDER, partial(_open_provider, context))
    from latchpin_metrics.tracing import TracingObserver  # noqa: PLC0415  loaded when selected

    yield TracingObserver(provider, trusting=settings.trust_traceparent)


@asynccontextmanager
async def _open_call_spans(settings: MetricsSettings, context: latchpin.Context) -> AsyncIterator[CallObserver | None]:
    if not settings.tracing:
        yield None
        return
    provider = await context.shared(_PROVIDER, partial(_open_provider, context))
    from latchpin_metrics.call_spans import TracingCalls  # noqa: PLC0415  loaded when selected

    yield TracingCalls(provider, trusting=settings.trust_traceparent)


@asynccontextmanager
async def _open_call_counting(settings: MetricsSettings, context: latchpin.Context) -> AsyncIterator[CallObserver]:  # noqa: ARG001
    from latchpin_metrics.calls import CountingCalls  # noqa: PLC0415  loaded when asked for

    yield CountingCalls(settings.metrics_tools)


@asynccontextmanager
async def _open_provider(context: latchpin.Context) -> AsyncIterator[TracerProvider]:
    """Set the SDK up as the OTEL_* variables say; at the end what waits is sent."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  loaded when selected
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as exc:
        text = f"TRACING needs OpenTelemetry's SDK and exporter, which are not installed ({exc.name})"
        raise SettingsError(text, public=text, remedy="Run: pip install 'latchpin-metrics[tracing]'") from exc
    import asyncio  # noqa: PLC0415

    about = {"service.name": "latchpin", "service.instance.id": context.instance_id}
    provider = TracerProvider(resource=Resource.create(about))  # OTEL_SERVICE_NAME and the like come first
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    try:
        yield provider
    finally:
        await asyncio.to_thread(provider.shutdown)


@asynccontextmanager
async def _open_listener(settings: MetricsSettings, context: latchpin.Context) -> AsyncIterator[EventListener]:  # noqa: ARG001
    from latchpin_metrics.counting import CountingListener  # noqa: PLC0415  loaded when asked for

    yield CountingListener()


@latchpin.hookimpl
def latchpin_event_listeners() -> Sequence[latchpin.Backend[MetricsSettings, EventListener]]:
    """Count flows, refreshes and fetches."""
    from latchpin_metrics.settings import MetricsSettings  # noqa: PLC0415  loaded when asked for

    return [latchpin.Backend("metrics", "Prometheus", MetricsSettings, _open_listener, rank=200)]


@latchpin.hookimpl
def latchpin_observers() -> Sequence[latchpin.Backend[MetricsSettings, Observer | None]]:
    """Time operations; and trace them, with TRACING."""
    from latchpin_metrics.settings import MetricsSettings  # noqa: PLC0415  loaded when asked for

    return [
        latchpin.Backend("metrics", "Prometheus", MetricsSettings, _open_counting, rank=200),
        latchpin.Backend("tracing", "OpenTelemetry", MetricsSettings, _open_tracing, rank=100),
    ]


@latchpin.hookimpl
def latchpin_call_observers() -> Sequence[latchpin.Backend[MetricsSettings, CallObserver | None]]:
    """Count MCP calls; and trace them, with TRACING."""
    from latchpin_metrics.settings import MetricsSettings  # noqa: PLC0415  loaded when asked for

    return [
        latchpin.Backend("metrics", "Prometheus", MetricsSettings, _open_call_counting, rank=200),
        latchpin.Backend("tracing", "OpenTelemetry", MetricsSettings, _open_call_spans, rank=100),
    ]


@latchpin.hookimpl
def latchpin_routes() -> Sequence[str]:
    """Offer /metrics."""
    return ["latchpin_metrics.routes:build_router"]
