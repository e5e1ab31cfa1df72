"""On one's own page, what needs its reader comes first and says why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from latchpin.contracts import ConnectionNotes
from latchpin.model import Caller

from tests.admin_ui.conftest import BrowserUser
from tests.notify.conftest import DAY, connect, gateway_of
from tests.support.gateway_in_process import ALICE, InnerGateway

pytestmark = pytest.mark.needs("latchpin_admin_ui", "latchpin_attention", "latchpin_demo", "latchpin_memory_store")


async def test_what_needs_its_reader_comes_first(gateway: InnerGateway):
    application = gateway.application
    works, ends, broken = [await gateway_of(application, name) for name in ("Works", "Ends soon", "Broken")]
    await connect(application, works, ALICE, life=365 * DAY)
    await connect(application, ends, ALICE, life=40 * DAY)
    await connect(application, broken, ALICE, spent=True, label="work")
    await connect(application, broken, "bob@example.com", spent=True)
    gateway.clock.advance(days=34)
    async with BrowserUser.visiting(gateway, ALICE) as user:
        await user.open("/admin/my-connections")
        assert sorted(["Works", "Ends soon", "Broken"], key=user.text.index) == ["Ends soon", "Broken", "Works"]
        assert "work: The server takes the refresh token no more." in user.text
        assert "The access ends on " in user.text
        assert user.page.count("hint need") == 2
        await user.open("/")
        assert "Needs attention 2" in user.text


async def test_without_attention_what_does_not_work_comes_first_all_the_same(gateway: InnerGateway, monkeypatch):
    application = gateway.application
    monkeypatch.setattr(application, "services", replace(application.services, connection_notes=()))
    works, broken = [await gateway_of(application, name) for name in ("Works", "Broken")]
    await connect(application, works, ALICE, life=365 * DAY)
    await connect(application, broken, ALICE, spent=True)
    async with BrowserUser.visiting(gateway, ALICE) as user:
        await user.open("/admin/my-connections")
        assert user.text.index("Broken") < user.text.index("Works")
        assert "hint need" not in user.page


async def test_whatever_plugin_knows_why_somebody_is_needed_says_so(gateway: InnerGateway, monkeypatch):
    application = gateway.application
    made = await gateway_of(application, "Notes")
    await connect(application, made, ALICE, spent=True)
    asked: list[str] = []

    async def find(_application: object, caller: Caller) -> dict[str, list[str]]:
        asked.append(caller.email)
        return {made.id: ["The contract ends on Friday.", "Pay it."]}

    services = application.services
    notes = (*services.connection_notes, ConnectionNotes(find))
    monkeypatch.setattr(application, "services", replace(services, connection_notes=notes))
    async with BrowserUser.visiting(gateway, ALICE) as user:
        for page in ("/admin/my-connections", f"/admin/gateways/{made.id}"):
            await user.open(page)
            said = "The server takes the refresh token no more. The contract ends on Friday. Pay it."
            assert said in user.text
    assert asked == [ALICE, ALICE]
