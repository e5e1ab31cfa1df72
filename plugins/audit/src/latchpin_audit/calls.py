"""Observes MCP calls for the audit: each is recorded once, when its answer has ended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import latchpin
from latchpin.contracts import Clock, McpCall
from latchpin.errors import SettingsError
from latchpin.sdk.settings import load

from latchpin_audit.call_record import build_record, hash_arguments, is_recorded
from latchpin_audit.losses import LOSSES, Losses
from latchpin_audit.outbox import Outbox, Sink
from latchpin_audit.settings import AuditSettings, CallAuditSettings

__all__ = ["AuditedCalls", "open_audited_calls"]


class AuditedCalls:
    """Implements ``latchpin.contracts.CallObserver``.

    Args:
        hashed: makes the hash of arguments; None: nothing of them is recorded.
    """

    sees_all = True
    follows = False

    def __init__(self, outbox: Outbox, clock: Clock, hashed: Callable[[Mapping[str, Any]], str] | None) -> None:
        self._outbox = outbox
        self.at_once = outbox.strict
        self._clock = clock
        self._hashed = hashed

    def begin(self, call: McpCall) -> Callable[[], Awaitable[None] | None] | None:
        """Record it in the end, if it is a call."""
        return partial(self._record, call) if is_recorded(call) else None

    def _record(self, call: McpCall) -> Awaitable[None] | None:
        record = build_record(call, self._clock(), self._hashed)
        if self._outbox.strict:
            return self._outbox.keep(record)
        self._outbox.put(record)
        return None


@asynccontextmanager
async def open_audited_calls(settings: CallAuditSettings, context: latchpin.Context) -> AsyncIterator[AuditedCalls]:
    """Begin to record.

    Raises:
        SettingsError: what AUDIT_CALLS names cannot be written to.
    """
    hashed = None
    if settings.audit_arguments == "hash":
        hashed = partial(hash_arguments, context.keys("audit arguments").current)
    losses = Losses(context.collection(LOSSES), context.clock, context.instance_id)
    sink = _open_sink(settings, context)
    outbox = Outbox(sink, settings.audit_calls_waiting, settings.audit_calls_strict, losses.note)
    try:
        yield AuditedCalls(outbox, context.clock, hashed)
    finally:
        await outbox.close()
        await losses.close()


def _open_sink(settings: CallAuditSettings, context: latchpin.Context) -> Sink:
    if settings.audit_calls == "lines":
        from latchpin_audit.lines_sink import LinesSink  # noqa: PLC0415  loaded when selected

        return LinesSink(settings.audit_calls_file)
    if settings.audit_calls == "otlp":
        return _open_otlp(context)
    from latchpin_audit.chain_sink import ChainSink  # noqa: PLC0415  as above
    from latchpin_audit.log import AuditLog  # noqa: PLC0415

    if not load(AuditSettings).audit_log:
        text = "AUDIT_CALLS=chain writes into the audit log, which AUDIT_LOG=false switches off"
        raise SettingsError(text, public=text, remedy="Set AUDIT_LOG=true, or another AUDIT_CALLS.")
    return ChainSink(AuditLog.of(context))


def _open_otlp(context: latchpin.Context) -> Sink:
    try:
        from latchpin_audit.otlp_sink import OtlpSink  # noqa: PLC0415  as above
    except ImportError as exc:
        text = f"AUDIT_CALLS=otlp needs OpenTelemetry's SDK and exporter, which are not installed ({exc.name})"
        raise SettingsError(text, public=text, remedy="Run: pip install 'latchpin-audit[otlp]'") from exc
    return OtlpSink({"service.name": "latchpin", "service.instance.id": context.instance_id})
