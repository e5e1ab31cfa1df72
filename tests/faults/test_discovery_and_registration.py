"""Authorize, while the servers that are asked on the way misbehave: the step that failed is named, nothing is kept."""

from __future__ import annotations

import pytest

from tests.providers import FaultSwitch, faults
from tests.support.gateway_in_process import ALICE, BASE, InnerGateway

pytestmark = pytest.mark.needs("latchpin_dcr", "latchpin_memory_store")

SCRIPT = "<script>alert(1)</script>"
DISCOVERY, DCR, PKCE = "Metadata discovery failed", "DCR failed", "does not offer PKCE with S256"

FAULTS = {
    # endpoint, fault, status, heading, a fact that must be told
    "resource html": ("resource-metadata", faults.html(), 502, DISCOVERY, "not JSON but 'text/html'"),
    "resource 500": ("resource-metadata", faults.status(500, SCRIPT), 502, DISCOVERY, "HTTP 500"),
    "resource of another": (
        "resource-metadata",
        faults.changed(resource="https://x.example/mcp"),
        502,
        DISCOVERY,
        "x.example",
    ),
    "html": ("metadata", faults.html(SCRIPT), 502, DISCOVERY, "not JSON but 'text/html'"),
    "404": ("metadata", faults.status(404), 502, DISCOVERY, "HTTP 404"),
    "503": ("metadata", faults.status(503, SCRIPT), 502, DISCOVERY, "HTTP 503"),
    "wrong issuer": ("metadata", faults.changed(issuer=f"https://evil/{SCRIPT}"), 502, DISCOVERY, "not identical"),
    "javascript": (
        "metadata",
        faults.changed(authorization_endpoint="javascript:alert(1)"),
        502,
        DISCOVERY,
        "javascript:",
    ),
    "file": ("metadata", faults.changed(token_endpoint="file:///etc/passwd"), 502, DISCOVERY, "file:///etc"),
    "no PKCE": ("metadata", faults.without("code_challenge_methods_supported"), 502, PKCE, "code_challenge_methods"),
    "plain PKCE": ("metadata", faults.changed(code_challenge_methods_supported=["plain"]), 502, PKCE, "'plain'"),
    "a list": ("metadata", faults.answer([1, SCRIPT]), 502, DISCOVERY, "not an object"),
    "wrong types": (
        "metadata",
        faults.changed(authorization_response_iss_parameter_supported=SCRIPT),
        502,
        DISCOVERY,
        "not true or false",
    ),
    "no token endpoint": ("metadata", faults.without("token_endpoint"), 502, DISCOVERY, "no token_endpoint"),
    "hang": ("metadata", faults.hang(), 504, DISCOVERY, "no whole answer in time"),
    "drip": ("metadata", faults.drip(), 504, DISCOVERY, "no whole answer in time"),
    "bomb": ("metadata", faults.bomb(16), 502, DISCOVERY, "larger than"),
    "endless": ("metadata", faults.endless(), 502, DISCOVERY, "larger than"),
    "redirect": ("metadata", faults.redirect("http://127.0.0.1:1/"), 502, DISCOVERY, "a redirect to"),
    "resource hangs": ("resource-metadata", faults.hang(), 504, DISCOVERY, "no whole answer in time"),
    "no DCR": ("metadata", faults.without("registration_endpoint"), 502, DCR, "does not support RFC 7591"),
    "DCR refused": ("register", faults.oauth_error("invalid_redirect_uri", SCRIPT), 502, DCR, "invalid_redirect_uri"),
    "DCR 401": ("register", faults.status(401, SCRIPT), 502, DCR, "HTTP 401"),
    "DCR 500": ("register", faults.status(500, SCRIPT), 502, DCR, "HTTP 500"),
    "DCR html": ("register", faults.html(SCRIPT, code=201), 502, DCR, "not a JSON object"),
    "DCR without id": ("register", faults.without("client_id"), 502, DCR, "no client_id"),
    "DCR of types": ("register", faults.changed(client_id=[SCRIPT]), 502, DCR, "no client_id"),
    "DCR redirect": ("register", faults.redirect("http://127.0.0.1:1/"), 502, DCR, "HTTP 302"),
    "DCR hangs": ("register", faults.hang(), 504, "did not answer in time", "no whole answer in time"),
}

READABLE = {"no PKCE", "plain PKCE", "no DCR"}
"""Here the metadata are well and are remembered; what they say does not suffice."""


@pytest.mark.parametrize("name", FAULTS)
async def test_a_misbehaving_server_is_named_and_nothing_is_kept(
    name, gateway: InnerGateway, provider: FaultSwitch, environment, log
):
    endpoint, fault, status, heading, fact = FAULTS[name]
    gateway_id = await gateway.add(provider.provider.mcp_url)
    provider.arm(endpoint, fault)
    if status == 504:
        gateway.allow(seconds=1)
    async with gateway.browser() as browser:
        page = await browser.open(f"{BASE}/oauth/authorize/{gateway_id}")
        assert page.status == status
        assert heading in page.text
        assert SCRIPT not in page.text
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
        provider.heal()
        gateway.allow(seconds=60)
        if name in READABLE:
            gateway.clock.advance(hours=2)  # DCR_METADATA_CACHE_TTL
        page = await browser.open(f"{BASE}/oauth/authorize/{gateway_id}")  # failures are not remembered
        assert page.url.startswith(provider.provider.issuer)
    warnings = [
        line for line in log().splitlines() if " WARNING - " in line and " latchpin." in line and heading in line
    ]
    assert any(fact in line for line in warnings), warnings
    assert "uncaught" not in log()
    assert "latchpin.web ERROR" not in log()
    assert len(await gateway.application.services.records.clients.list()) == 1


@pytest.mark.parametrize("name", ["wrong issuer", "DCR refused", "hang"])
async def test_programs_get_the_same_as_a_problem_document(name, gateway: InnerGateway, provider: FaultSwitch):
    endpoint, fault, status, heading, fact = FAULTS[name]
    gateway_id = await gateway.add(provider.provider.mcp_url)
    provider.arm(endpoint, fault)
    if status == 504:
        gateway.allow(seconds=1)
    async with gateway.client(ALICE, Accept="application/json") as alice:
        answer = await alice.get(f"{BASE}/oauth/authorize/{gateway_id}")
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["status"]) == (status, status)
    assert problem["detail"].startswith(heading)
    assert fact in problem["detail"]
    assert problem["remedy"]
    assert problem["cause"] in {"discovery-failed", "dcr-refused", "dcr-unsupported"}


async def test_an_mcp_server_that_is_not_there_is_named(gateway: InnerGateway, log):
    gateway_id = await gateway.add("http://127.0.0.1:1/mcp")
    async with gateway.client(ALICE, Accept="application/json") as alice:
        answer = await alice.get(f"{BASE}/oauth/authorize/{gateway_id}")
    assert (answer.status_code, answer.json()["cause"]) == (502, "discovery-failed")
    assert "127.0.0.1:1" in answer.json()["detail"]


async def test_a_server_that_names_no_authorization_server_is_no_issuer(gateway: InnerGateway, provider, log):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    provider.arm("resource-metadata", faults.status(404))
    async with gateway.client(ALICE, Accept="application/json") as alice:
        answer = await alice.get(f"{BASE}/oauth/authorize/{gateway_id}")
    assert (answer.status_code, answer.json()["cause"]) == (502, "no-issuer")
    assert answer.json()["detail"].startswith("No issuer configured")
    assert "WARNING - No issuer configured: " in log()


@pytest.mark.parametrize("name", ["DCR_ENABLED", "DCR_AUTO_REGISTER_ON_MISSING_CREDENTIALS"])
async def test_without_dcr_the_administrator_is_told_what_to_enter(name, environment, provider: FaultSwitch):
    from tests.support.gateway_in_process import open_gateway

    environment.setenv(name, "false")
    async with open_gateway() as gateway, gateway.client(ALICE, Accept="application/json") as alice:
        gateway_id = await gateway.add(provider.provider.mcp_url)
        answer = await alice.get(f"{BASE}/oauth/authorize/{gateway_id}")
    assert answer.status_code == 502
    assert "client_id" in answer.json()["remedy"]
    assert provider.asked("register") == []
