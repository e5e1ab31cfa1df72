"""What a start says where people sign in at a provider, and what ``latchpin plugins`` does."""

from __future__ import annotations

import pytest
from latchpin.logs import tear_down_logging
from latchpin.plugin_report import build_plugin_report
from latchpin.plugins import Plugins

from tests.callback.gateway import open_gateway


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
