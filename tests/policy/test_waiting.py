"""A call that waits for its person to authorize: rules that are made meanwhile hold for it."""

from __future__ import annotations

from typing import Any

import pytest
from latchpin.application import Application

from tests.aggregator.conftest import Program, text_in
from tests.policy.conftest import rules
from tests.providers import FaultSwitch
from tests.support.gateway_in_process import ALICE, BASE, Connected, InnerGateway

pytestmark = pytest.mark.needs("latchpin_dcr", "latchpin_demo", "latchpin_memory_store", "latchpin_policy")
LINKS = {"elicitation": {"url": {}}}
CALL: dict[str, Any] = {"name": "who_am_i", "arguments": {}}


@pytest.mark.parametrize("held_back", [True, False])
async def test_a_rule_made_while_a_call_waits_holds_for_it(
    gateway: InnerGateway, provider: FaultSwitch, monkeypatch: pytest.MonkeyPatch, held_back: bool
):
    entry = await gateway.add(provider.provider.mcp_url, name="Weather")
    look, made = Application.must_authorize, []

    async def look_later(self: Application, *whom: Any) -> bool:
        """The first look comes after an operator has made a rule, and the person has authorized."""
        if not made:
            made.extend(await rules(gateway, {"effect": "deny", "tools": "who_*" if held_back else "other_*"}))
            await Connected(gateway, provider, entry).authorize()
        return await look(self, *whom)

    async with gateway.client(ALICE) as http:
        program = Program(http, f"{BASE}/gateways/{entry}/mcp", capabilities=LINKS)
        state = (await program.ask("tools/call", **CALL))["result"]["requestState"]
        monkeypatch.setattr(Application, "must_authorize", look_later)
        agreed = {"authorize": {"action": "accept"}}
        answer = await program.ask("tools/call", **CALL, requestState=state, inputResponses=agreed)
    assert made
    if held_back:
        assert (answer["error"]["code"], answer["error"]["message"]) == (-32602, "Unknown tool: who_am_i")
    else:
        assert ALICE in text_in(answer)
