"""Records of calls as OTLP logs, for a collector or a SIEM; the ``OTEL_*`` variables say where, and with which headers.

The SDK's exporter is asked directly, not behind its own queue: that would not tell what it dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from latchpin_audit.call_record import CallRecord
from latchpin_audit.own_thread import OwnThread

__all__ = ["OtlpSink"]

EVENT = "mcp.call"
_NAMES = {
    "who": "user.email",
    "via": "latchpin.via",
    "client": "latchpin.client",
    "endpoint": "latchpin.endpoint",
    "gateway_id": "latchpin.gateway.id",
    "gateway": "latchpin.gateway.name",
    "method": "mcp.method.name",
    "id": "jsonrpc.request.id",
    "outcome": "latchpin.outcome",
    "error": "latchpin.error",
    "seconds": "latchpin.seconds",
    "request_bytes": "http.request.body.size",
    "response_bytes": "http.response.body.size",
    "session": "latchpin.session.hash",
    "version": "mcp.protocol.version",
    "arguments": "latchpin.arguments.hash",
}
"""Attributes as OpenTelemetry's conventions call them, where they do."""
_OBJECTS = {"tools/call": "gen_ai.tool.name", "prompts/get": "gen_ai.prompt.name", "resources/read": "mcp.resource.uri"}


class OtlpSink:
    """Implements ``latchpin_audit.outbox.Sink``.

    Args:
        about: the gateway's resource attributes.
    """

    def __init__(self, about: Mapping[str, str]) -> None:
        self._resource = Resource.create(dict(about))
        self._scope = InstrumentationScope("latchpin.audit")
        self._exporter = OTLPLogExporter()
        self._thread = OwnThread("latchpin-audit-otlp")

    async def write(self, records: Sequence[CallRecord]) -> None:
        """Send them. Raises OSError: the collector did not take them."""
        batch = [ReadableLogRecord(_log_record(record), self._resource, self._scope) for record in records]
        if await self._thread.run(lambda: self._exporter.export(batch)) is not LogRecordExportResult.SUCCESS:
            raise ConnectionError("the collector does not take them (OTEL_EXPORTER_OTLP_ENDPOINT)")

    async def close(self) -> None:
        """End what is being sent."""
        self._thread.close()
        await asyncio.to_thread(self._exporter.shutdown)


def _log_record(record: CallRecord) -> LogRecord:
    at = int(record.at.timestamp() * 1e9)
    worked = record.outcome == "ok"
    return LogRecord(
        timestamp=at,
        observed_timestamp=at,
        trace_id=int(record.trace_id, 16) if record.trace_id else None,
        severity_number=SeverityNumber.INFO if worked else SeverityNumber.WARN,
        severity_text="INFO" if worked else "WARN",
        body=f"{record.method} {record.name}".strip(),
        attributes=_attributes(record),
        event_name=EVENT,
    )


def _attributes(record: CallRecord) -> dict[str, Any]:
    found = {theirs: getattr(record, ours) for ours, theirs in _NAMES.items()}
    if record.name:
        found[_OBJECTS.get(record.method, "latchpin.name")] = record.name
    if record.outcome != "ok":
        found["error.type"] = record.error or record.outcome
    return {name: value for name, value in found.items() if value != ""}
