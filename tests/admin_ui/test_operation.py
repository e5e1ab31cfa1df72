"""Settings and plugins: what differs from the default comes first, and a search leaves what was asked for."""

import re

import pytest

from tests.admin_ui.conftest import BrowserUser
from tests.support.gateway_in_process import ADMIN, BASE, open_gateway


def order_of(page, *texts):
    places = [page.find(text) for text in texts]
    assert -1 not in places, dict(zip(texts, places, strict=True))
    return sorted(texts, key=page.find)


def variables_of(page):
    return re.findall(r'data-heading="Variable"><code>(\w+)</code>', page)


async def test_changed_settings_come_first_with_their_default(admin):
    await admin.open("/admin/settings")
    wanted = ("Changed from the default", ">ADMIN_EMAILS<", "Default values of latchpin", ">STATE_TTL_SECONDS<")
    assert order_of(admin.page, *wanted) == list(wanted)
    assert re.search(r">OAUTH_MAX_RETRIES</code>.*?<code>0</code>.*?<code>\d+</code>", admin.page, re.DOTALL)
    assert len(set(variables_of(admin.page))) == len(variables_of(admin.page))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("state_ttl", {"STATE_TTL_SECONDS"}),
        (" ADMIN_EMAILS ", {"ADMIN_EMAILS"}),
        ("admin@example", {"ADMIN_EMAILS"}),
        ("<script>", set()),
        ("a-secret-of-the-tests", set()),
    ],
)
async def test_a_search_finds_settings_by_name_and_shown_value(admin, wanted, found):
    answer = await admin.client.get(f"{BASE}/admin/settings", params={"q": wanted})
    assert set(variables_of(answer.text)) == found
    assert ("No setting has" in answer.text) is (not found)
    assert "<script>alert" not in answer.text
    assert "Show all" in answer.text


async def test_what_is_installed_beside_the_core_comes_first(admin):
    await admin.open("/admin/plugins")
    wanted = ("latchpin-admin-ui <small>", ">latchpin <small>")
    assert order_of(admin.page, *wanted) == list(wanted)
    await admin.open("/admin/plugins?q=hmac")
    assert "latchpin-admin-ui <small>" not in admin.page
    assert "<code>hmac-sha256</code>" in admin.page
    await admin.open("/admin/plugins?q=nothing-like-it")
    assert "Nothing that is installed has" in admin.page


async def test_without_doctor_nothing_links_to_its_page(environment, monkeypatch):
    for place in ("plugin", "routes"):
        monkeypatch.setattr(f"latchpin_admin_ui.{place}.has_doctor", lambda: False)
    async with open_gateway() as gateway, BrowserUser.visiting(gateway, ADMIN) as admin:
        await admin.open("/admin/settings")
        assert "/admin/plugins" in admin.page
        assert "/admin/doctor" not in admin.page
        assert (await admin.open("/admin/doctor")).status_code == 404
