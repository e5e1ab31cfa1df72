"""On one's own page, what needs its reader comes first and says why."""

from __future__ import annotations

import pytest

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
    monkeypatch.setattr("latchpin_admin_ui.routes_connections.has_attention", lambda: False)
    application = gateway.application
    works, broken = [await gateway_of(application, name) for name in ("Works", "Broken")]
    await connect(application, works, ALICE, life=365 * DAY)
    await connect(application, broken, ALICE, spent=True)
    async with BrowserUser.visiting(gateway, ALICE) as user:
        await user.open("/admin/my-connections")
        assert user.text.index("Broken") < user.text.index("Works")
        assert "hint need" not in user.page
