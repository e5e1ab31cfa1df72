"""Doctor and the metrics say what could not be recorded; what cannot record at all stops the start."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from latchpin.contracts import Severity
from latchpin.errors import SettingsError
from latchpin_audit.calls import open_audited_calls
from latchpin_audit.checks import check_calls, count_dropped
from latchpin_audit.losses import LOSSES, Losses
from latchpin_audit.outbox import Trouble
from latchpin_audit.settings import CallAuditSettings
from latchpin_memory_store.records import MemoryRecordStore
from latchpin_testing import MovedClock

NEEDS = ("latchpin_memory_store",)


@pytest.fixture
def records():
    return MemoryRecordStore(MovedClock())


def looking(records, audit_calls):
    return SimpleNamespace(load=lambda model: model(audit_calls=audit_calls), records=records)


async def told(records, worker, trouble):
    losses = Losses(records.collection(LOSSES), MovedClock(), worker)
    losses.note(trouble)
    await losses.close()


async def test_doctor_says_whether_calls_are_recorded_and_what_was_dropped(records):
    assert await check_calls(looking(records, "off")) == []
    assert await check_calls(looking(None, "lines")) == []
    [fine] = await check_calls(looking(records, "lines"))
    assert (fine.severity, fine.title) == (Severity.OK, "MCP calls are recorded (AUDIT_CALLS=lines)")
    await told(records, "one", Trouble(3, "No space left on device"))
    await told(records, "two", Trouble(4))
    failing, dropped = await check_calls(looking(records, "lines"))
    assert (failing.severity, failing.detail) == (Severity.FAILURE, "No space left on device")
    assert dropped.title == "7 records of MCP calls were dropped within the last 7 days"


async def test_the_gauge_counts_what_all_workers_dropped(records, environment):
    application = SimpleNamespace(services=SimpleNamespace(context=records))
    assert await count_dropped(application) is None
    environment.setenv("AUDIT_CALLS", "chain")
    assert await count_dropped(application) == 0
    await told(records, "one", Trouble(3))
    await told(records, "two", Trouble(4))
    assert await count_dropped(application) == 7


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"audit_calls": "chain"}, "AUDIT_LOG=false"),
        ({"audit_calls": "lines", "audit_calls_file": "/proc/no/file"}, "cannot be written"),
        ({"audit_calls": "otlp"}, "OpenTelemetry's SDK"),
    ],
)
async def test_what_cannot_record_stops_the_start(records, environment, monkeypatch, settings, said):
    environment.setenv("AUDIT_LOG", "false")
    monkeypatch.delitem(sys.modules, "latchpin_audit.otlp_sink", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk._logs", None)
    clock = MovedClock()
    context = SimpleNamespace(collection=records.collection, clock=clock, instance_id="one")
    with pytest.raises(SettingsError, match=said):
        async with open_audited_calls(CallAuditSettings(**settings), context):
            pytest.fail("it must not open")
