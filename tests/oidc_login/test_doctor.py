"""What ``latchpin doctor`` finds out about the sign-in before a person does."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from latchpin.activity.logs import tear_down_logging
from latchpin.contracts import Finding, Severity
from latchpin.plugins.hookspecs import CHECKS
from latchpin.plugins.host import Plugins
from latchpin_doctor.examination import look_at

from tests.oidc_login.conftest import LyingProvider
from tests.support.gateway_in_process import BASE, open_gateway


async def findings(*, offline: bool = False) -> Sequence[Finding]:
    plugins = Plugins()
    (check,) = [check for check in plugins.values(CHECKS) if check.name == "sign-in"]
    async with open_gateway() as gateway:
        found = await check.run(await look_at(gateway.application, plugins, offline=offline))
    tear_down_logging()
    return found


async def test_a_provider_that_answers(company: pytest.MonkeyPatch, provider: LyingProvider):
    (found,) = await findings()
    assert (found.severity, found.title) == (Severity.OK, f"{provider.issuer} answers")
    assert f"{BASE}/login/oidc/callback" in found.detail


async def test_an_issuer_that_is_not_identical(company: pytest.MonkeyPatch, provider: LyingProvider):
    provider.metadata["issuer"] = f"{provider.issuer}/"
    (found,) = await findings()
    assert (found.severity, found.cause) == (Severity.FAILURE, "sign-in-provider")
    assert "not identical" in found.detail
    assert "OIDC_LOGIN_ISSUER" in found.remedy


async def test_keys_that_cannot_be_had(company: pytest.MonkeyPatch, provider: LyingProvider):
    provider.metadata["jwks_uri"] = f"{provider.issuer}/nowhere"
    (found,) = await findings()
    assert found.severity is Severity.FAILURE
    assert "jwks_uri" in found.detail


async def test_what_is_believed_without_proof(company: pytest.MonkeyPatch):
    company.setenv("OIDC_LOGIN_TRUST_UNVERIFIED_EMAIL", "true")
    asked, trusted = await findings(offline=True)
    assert (asked.severity, trusted.severity) == (Severity.SKIPPED, Severity.WARNING)


async def test_without_a_provider_there_is_nothing_to_find(environment: pytest.MonkeyPatch):
    assert await findings() == []
