"""With AUDIT_CALLS_STRICT an answer ends once its record is kept, and is withheld where it cannot be."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from latchpin.errors import BackendUnavailable
from latchpin_audit import outbox
from latchpin_audit.call_record import CallRecord
from latchpin_audit.chain_sink import CALL, ChainSink
from latchpin_audit.log import AuditLog
from latchpin_audit.reading import read

from tests.proxy.conftest import ScriptedServer, begin, reply
from tests.proxy.conftest import read as read_body
from tests.support.gateway_in_process import ALICE, BASE, InnerGateway

NEEDS = ("latchpin_proxy",)
ANSWER = json.dumps(
    {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "the secret"}]}}
).encode()
CALL_BODY = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "tell"}}


async def as_json(_scope, receive, send):
    await read_body(receive)
    await reply(send, 200, [("content-type", "application/json")], ANSWER)


async def as_events(_scope, receive, send):
    await read_body(receive)
    await begin(send, 200, [("content-type", "text/event-stream")])
    progress = b'data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}}\n\n'
    await send({"type": "http.response.body", "body": progress, "more_body": True})
    await send({"type": "http.response.body", "body": b"data: " + ANSWER + b"\n\n"})


@pytest.fixture
def strict(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    environment.setenv("AUDIT_CALLS", "chain")
    environment.setenv("AUDIT_CALLS_STRICT", "true")
    environment.setattr(outbox, "LAST_TRY", 0.05)
    return environment


@pytest.mark.parametrize("script", [as_json, as_events])
async def test_what_is_answered_is_kept_and_what_cannot_be_kept_is_not_answered(
    strict: pytest.MonkeyPatch, gateway: InnerGateway, scripted: ScriptedServer, script
):
    scripted.script = script
    gateway_id = await gateway.add(scripted.url, auth_type="none")
    records = AuditLog.of(gateway.application.services.context).records

    async def kept() -> list[str]:
        return [entry.facts["outcome"] async for entry in read(records) if entry.event == CALL]

    async with gateway.client(ALICE) as client:
        url = f"{BASE}/gateways/{gateway_id}/mcp"
        answer = await client.post(url, json=CALL_BODY)
        assert "the secret" in answer.text
        assert await kept() == ["ok"]

        async def fail(_sink: ChainSink, _records: Sequence[CallRecord]) -> None:
            raise BackendUnavailable("the store is away")

        with strict.context() as broken:
            broken.setattr(ChainSink, "write", fail)
            answer = await client.post(url, json=CALL_BODY)
        assert "the secret" not in answer.text
        if script is as_json:
            assert (answer.status_code, answer.json()["cause"]) == (503, "call-not-kept")
    assert await kept() == ["ok"]
