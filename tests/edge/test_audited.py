"""Where calls are recorded, none passes by the record: the data plane leaves each to the proxy."""

from __future__ import annotations

import json
from pathlib import Path

from tests.edge.conftest import start_edge
from tests.edge.test_calls import ANSWER, answer_json
from tests.proxy.conftest import ScriptedServer
from tests.support.gateway_process import ALICE

NEEDS = ("latchpin_audit",)


async def test_with_the_audit_of_calls_each_is_recorded_and_none_goes_straight_up(
    tmp_path: Path, scripted: ScriptedServer
):
    scripted.script = answer_json
    file = tmp_path / "calls.jsonl"
    with start_edge(tmp_path, AUDIT_CALLS="lines", AUDIT_CALLS_FILE=str(file)) as edge:
        gateway = await edge.add(scripted.url, auth_type="none")
        before = await edge.proxied(gateway)
        for _ in range(3):
            assert (await edge.call(gateway)).content == ANSWER
        assert await edge.proxied(gateway) - before == 3
        asked = await edge.ask(gateway)
        assert (asked.status_code, "x-upstream-url" in asked.headers) == (403, False)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["who"], line["name"], line["outcome"]) for line in lines] == [(ALICE, "add", "ok")] * 3
