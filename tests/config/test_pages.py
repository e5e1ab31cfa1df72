"""The pages: the same document as a download, and what they say where a file rules."""

from __future__ import annotations

import pytest
from latchpin_config.checks import check_unfinished
from latchpin_config.marks import Marks, Unfinished

from tests.config.conftest import ALL, OPERATOR, Filed
from tests.support.gateway_in_process import ADMIN, ALICE, BASE

pytestmark = pytest.mark.backends("memory")


async def test_an_administrator_downloads_what_export_prints(filed: Filed):
    await filed.apply(ALL)
    async with filed.gateway.client(None, **await filed.gateway.bearer(ADMIN, admin=True)) as admin:
        answer = await admin.get(f"{BASE}/configuration")
        assert answer.text == (await filed.export()).text
        assert answer.headers["content-type"].startswith("application/yaml")
        page = await admin.get(f"{BASE}/admin/configuration")
    assert "no-deletes" in page.text
    assert "latchpin.yaml:" in page.text
    assert "the-gateways-secret" not in answer.text + page.text
    async with filed.gateway.client(None, **await filed.gateway.bearer(ALICE)) as alice:
        for path in ("/configuration", "/admin/configuration"):
            assert (await alice.get(BASE + path)).status_code == 403


@pytest.mark.needs("latchpin_admin_ui")
async def test_pages_say_which_file_rules_what_and_where_it_is_changed(filed: Filed):
    await filed.apply(ALL)
    by_hand = await filed.gateway.add("https://mcp.example.com/by-hand", name="by hand")
    github = next(each.id for each in await filed.application.gateways.list(OPERATOR) if each.name == "github")
    pages = [
        f"/admin/gateways/{github}",
        f"/admin/gateways/{github}/edit",
        f"/admin/gateways/{github}/remove",
        "/admin/sets/dev/edit",
        "/admin/sets/dev/remove",
        "/admin/groups/staff/edit",
        "/admin/groups/staff/remove",
        "/admin/rules",
        "/admin/rules/no-deletes/edit",
        "/admin/rules/no-deletes/remove",
        "/applications/clients/report/delete",
    ]
    async with filed.gateway.client(None, **await filed.gateway.bearer(ADMIN, admin=True)) as admin:
        for page in pages:
            said = (await admin.get(BASE + page)).text
            assert "latchpin.yaml:" in said, page
            assert "applied again, which sets it back" in said, page
        for page in (f"/admin/gateways/{by_hand}", "/admin/groups/new", "/admin/rules/new", "/admin/sets/new"):
            answer = await admin.get(BASE + page)
            assert (answer.status_code, "This is ruled by" in answer.text) == (200, False), page
    async with filed.gateway.client(None, **await filed.gateway.bearer("ann@example.com")) as ann:
        assert "This is ruled by" not in (await ann.get(f"{BASE}/admin/gateways/{github}")).text


async def test_an_apply_that_died_is_found_by_doctor(filed: Filed):
    services = filed.application.services
    marks = Marks.of(services.context)

    class Looking:
        records = services.records
        clock = services.clock

    assert await check_unfinished(Looking()) == []  # type: ignore[arg-type]
    await marks.begin(Unfinished("config", services.clock(), OPERATOR.email))
    assert await check_unfinished(Looking()) == []  # type: ignore[arg-type]
    filed.gateway.clock.advance(minutes=11)
    (found,) = await check_unfinished(Looking())  # type: ignore[arg-type]
    assert "An apply did not end" in found.title
    await filed.apply(ALL)
    assert await marks.unfinished() is None
