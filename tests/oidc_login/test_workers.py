"""Two workers and a shared store: a sign-in that one of them began is finished at either, and once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.oidc_login.conftest import CLIENT, SECRET, LyingProvider
from tests.servers import GatewayBackend
from tests.support.gateway_process import deploy_gateway


@pytest.mark.slow
async def test_a_sign_in_is_finished_wherever_it_arrives(sqlite_url: str, tmp_path: Path, provider: LyingProvider):
    store = {"CACHE_TYPE": "database", "RECORD_STORE": "database", "DATABASE_URL": sqlite_url}
    backend = GatewayBackend("sqlite", store, shared=True, label="database")
    settings = {
        "OIDC_LOGIN_ISSUER": provider.issuer,
        "OIDC_LOGIN_CLIENT_ID": CLIENT,
        "OIDC_LOGIN_CLIENT_SECRET": SECRET,
        "OIDC_LOGIN_ADMIN_GROUPS": "ops",
    }
    provider.claims["groups"] = ["ops"]
    with deploy_gateway(backend, tmp_path, "serve", "--workers", "2", **settings) as deployed:
        for _ in range(6):
            async with deployed.browser(None) as browser:
                page = await browser.open(f"{deployed.url}/login/oidc?next=/admin/gateways")
                assert page.url == f"{deployed.url}/admin/gateways", page.text
                assert 'title="Signed in as ada@example.com"' in page.text
                (answer,) = [url for url in page.trail if "/login/oidc/callback" in url]
                assert (await browser.open(answer)).status == 400
                home = await browser.open(f"{deployed.url}/")
                assert "an administrator" in home.text
                signed_out = await browser.submit(home.form(action="/logout"))
                assert re.search(r'href="/login/oidc/sign-out"', signed_out.text)
    assert len(provider.asked) == 6
