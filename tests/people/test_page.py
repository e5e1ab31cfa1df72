"""The page of people who left: whoever is ended there is out, and comes back there; what is owed is shown."""

from __future__ import annotations

import pytest
from latchpin.model import Caller
from latchpin_offboarding.people import People

from tests.providers import FaultSwitch, faults
from tests.support.gateway_in_process import ADMIN, ALICE, BASE, InnerGateway, connect

pytestmark = pytest.mark.needs("latchpin_dcr", "latchpin_memory_store")

ROOT = Caller("root@example.com", is_admin=True, via="bearer")


async def test_somebody_is_ended_shown_and_let_in_again(gateway: InnerGateway, provider: FaultSwitch):
    await connect(gateway, provider)
    provider.arm("revoke", faults.status(503))
    people = People(gateway.application)
    async with gateway.browser(ADMIN) as browser:
        page = await browser.open(f"{BASE}/admin/people")
        assert "Nobody is out." in page.text
        page = await browser.open(f"{BASE}/admin/people/end?user=ALICE@example.com")
        assert "1 connection is deleted here" in page.text
        page = await browser.submit(page.form(action="/admin/people/end"))
        assert await people.is_out(ALICE)
        await people.work()
        page = await browser.open(f"{BASE}/admin/people")
        assert "still to be revoked" in page.text
        assert f"by {ADMIN}" not in page.text
        assert f"{ADMIN} (api)" in page.text
        await browser.submit(page.form(action="/admin/people/restore"))
    assert not await people.is_out(ALICE)


async def test_nobody_ends_themselves_there(gateway: InnerGateway):
    async with gateway.browser(ADMIN) as browser:
        page = await browser.open(f"{BASE}/admin/people/end?user={ADMIN}")
        page = await browser.submit(page.form(action="/admin/people/end"))
    assert page.status == 400
    assert not await People(gateway.application).is_out(ADMIN)


async def test_another_sites_form_ends_nobody(gateway: InnerGateway):
    async with gateway.client(ADMIN, Origin="https://evil.example.com") as http:
        for path in ("end", "restore"):
            answer = await http.post(f"{BASE}/admin/people/{path}", data={"user": ALICE})
            assert answer.status_code == 403
    assert not await People(gateway.application).is_out(ALICE)


async def test_whom_a_proxy_still_names_is_told_why_nothing_opens(gateway: InnerGateway):
    async with gateway.browser(ALICE) as browser:
        page = await browser.open(f"{BASE}/")
        assert page.status == 200
        await People(gateway.application).end(ALICE, ROOT, way="api")
        page = await browser.open(f"{BASE}/")
    assert page.status == 401, "a sign-in would lead back here"
    assert "access was ended" in page.text
