"""What a start says where people sign in at a provider, and what ``latchpin plugins`` does."""

from __future__ import annotations

from pathlib import Path

import pytest
from latchpin.activity.logs import tear_down_logging
from latchpin.assembly.plugin_report import build_plugin_report
from latchpin.plugins.host import Plugins
from latchpin_oidc_login import causes

from tests.support.gateway_in_process import BASE, open_gateway


async def started(capfd: pytest.CaptureFixture[str]) -> str:
    """What a first start prints."""
    async with open_gateway():
        pass
    tear_down_logging()
    return capfd.readouterr().err


def selected() -> str:
    (row,) = [row for row in build_plugin_report(Plugins()).rows if (row.offers, row.name) == ("sign ins", "oidc")]
    return row.selected


async def test_no_login_link_where_an_administrator_can_sign_in(company: pytest.MonkeyPatch, capfd):
    company.delenv("TRUSTED_USER_HEADER")
    company.delenv("TRUSTED_PROXIES")
    assert "/login?token=" not in await started(capfd)
    company.delenv("ADMIN_EMAILS")
    assert "/login?token=" in await started(capfd)  # else nobody could administrate
    company.setenv("OIDC_LOGIN_ADMIN_GROUPS", "ops")
    assert "/login?token=" not in await started(capfd)


def test_what_is_set_up_is_listed(company: pytest.MonkeyPatch):
    assert selected() == "yes: the login page links to /login/oidc"
    company.delenv("OIDC_LOGIN_CLIENT_ID")
    assert "OIDC_LOGIN_CLIENT_ID must be set together" in selected()
    company.delenv("OIDC_LOGIN_ISSUER")
    assert selected() == "no: not set up; set OIDC_LOGIN_ISSUER and OIDC_LOGIN_CLIENT_ID"


@pytest.mark.parametrize("cause", causes.__all__)
async def test_each_cause_has_a_page_of_its_own(company: pytest.MonkeyPatch, cause: str):
    told = getattr(causes, cause)
    async with open_gateway() as gateway, gateway.client(None) as client:
        page = await client.get(f"{BASE}/problems/{told.slug}", headers={"accept": "text/html"})
    tear_down_logging()
    assert page.status_code == 200
    assert told.public.replace("'", "&#39;") in page.text


def test_each_cause_is_in_the_documentation():
    text = (Path(__file__).parents[2] / "docs" / "sign-in.md").read_text()
    table = text.partition("## When it fails")[2]
    for name in causes.__all__:
        told = getattr(causes, name)
        (row,) = [line for line in table.splitlines() if line.startswith(f"| `{told.slug}` |")]
        assert str(told.status) in row
