"""Fetching tools from an MCP server that is away, refuses, lies or floods: told what, and nothing stored is lost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.providers import FaultSwitch, faults
from tests.support.gateway_in_process import BASE, Connected, InnerGateway, connect
from tests.support.http_servers import Fake, tool

pytestmark = pytest.mark.needs("latchpin_dcr", "latchpin_memory_store")

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
async def connected(gateway: InnerGateway, provider: FaultSwitch) -> Connected:
    return await connect(gateway, provider)


FAULTS = {
    "html": (faults.html(SCRIPT), 502, "tools-unreadable"),
    "500": (faults.status(500, SCRIPT), 502, "tools-unreadable"),
    "404": (faults.status(404), 502, "tools-unreadable"),
    "a list": (faults.answer([1]), 502, "tools-unreadable"),
    "endless": (faults.endless(), 502, "tools-unreadable"),
    "redirect": (faults.redirect("http://127.0.0.1:1/"), 502, "tools-unreadable"),
    "hang": (faults.hang(), 504, "tools-timeout"),
}


async def test_a_misbehaving_server_is_named_and_the_stored_tools_stay(connected: Connected, provider, log):
    assert (await connected.fetch()).status_code == 200
    for name, (fault, status, cause) in FAULTS.items():
        provider.arm("mcp", fault)
        connected.gateway.allow(seconds=1 if status == 504 else 60)
        answer = await connected.fetch()
        assert (name, answer.status_code, answer.json().get("cause")) == (name, status, cause)
        assert SCRIPT not in answer.text
        assert answer.json()["remedy"]
    provider.heal()
    connected.gateway.allow(seconds=60)
    stored = (await connected.call("GET", "/gateways/{id}/tools")).json()
    assert {each["name"] for each in stored["tools"]} == provider.provider.tools
    assert (await connected.status())["status"] == "valid"
    assert (await connected.fetch()).json()["message"] == "Successfully fetched and created 0 tools"
    assert "latchpin.web ERROR" not in log()


async def test_a_fresh_token_that_is_refused_is_renewed_once_and_then_authorized_again(connected, gateway, provider):
    provider.arm("mcp", faults.status(401, www_authenticate='Bearer error="invalid_token"'))
    refused = await connected.fetch()
    assert (refused.status_code, refused.json()["cause"]) == (401, "authorization-required")
    assert refused.json()["authorize_url"] == f"{BASE}/oauth/authorize/{connected.id}"
    assert len(connected.refreshes()) == 1
    provider.heal()
    assert (await connected.fetch()).status_code == 200
    provider.arm("mcp", refusing(connected.bearers()[-1]))
    assert (await connected.fetch()).status_code == 401  # another one so soon would not help
    assert len(connected.refreshes()) == 1
    gateway.clock.advance(seconds=61)
    assert (await connected.fetch()).status_code == 200  # the renewed one was taken
    assert len(connected.refreshes()) == 2


def refusing(bearer: str) -> faults.Fault:
    """A server that takes any token but this one."""

    async def fault(app, scope, receive, send) -> None:
        refused = dict(scope["headers"]).get(b"authorization") == bearer.encode()
        await (faults.status(401)(app, scope, receive, send) if refused else app(scope, receive, send))

    return fault


async def test_too_little_scope_is_told_with_what_is_wanted(connected: Connected, provider):
    challenge = 'Bearer error="insufficient_scope", scope="files:read files:write"'
    provider.arm("mcp", faults.status(403, www_authenticate=challenge))
    refused = await connected.fetch()
    assert (refused.status_code, refused.json()["cause"]) == (502, "access-refused")
    assert "files:read files:write" in refused.json()["detail"]
    assert connected.refreshes() == []


async def fetch_from(gateway: InnerGateway, fake: Fake) -> tuple[Any, Any]:
    """Fetch from a server without OAuth, as a program and as a person."""
    async with fake.serve() as url:
        found = Connected(gateway, None, await gateway.add(url, auth_type="none"))  # type: ignore[arg-type]
        answer = await found.fetch()
        async with gateway.browser() as browser:
            page = await browser.open(f"{BASE}/admin/gateways")
            return answer, await browser.submit(page.form(action=f"fetch-tools/{found.id}"))


async def test_one_odd_tool_is_named_to_programs_and_people_and_the_others_are_kept(gateway: InnerGateway):
    odd = {"name": "odd <b>", "inputSchema": {"anyOf": [{"type": "object"}]}}
    answer, page = await fetch_from(gateway, Fake(lambda _: {"tools": [tool("good"), odd], "nextCursor": 7}))
    document = answer.json()
    assert (answer.status_code, page.status) == (200, 200)
    assert [each["name"] for each in document["tools"]] == ["good"]
    assert [each["name"] for each in document["left_out"]] == ["odd <b>"]
    assert "inputSchema.type" in document["left_out"][0]["reason"]
    assert "nextCursor" in document["remarks"][0]
    for shown in ("odd &lt;b&gt;", "inputSchema.type", "nextCursor"):
        assert shown in page.text


async def test_a_server_that_asks_for_a_pause_is_not_called_wrong(connected: Connected, provider):
    provider.arm("mcp", faults.status(429, retry_after="120"))
    answer = await connected.fetch()
    assert (answer.status_code, answer.json()["cause"]) == (503, "provider-busy")
    assert answer.headers["retry-after"] == "120"
    assert "HTTP 429" in answer.json()["detail"]
    assert "Retry-After" in answer.json()["remedy"]


async def test_more_than_a_thousand_tools_are_refused(gateway: InnerGateway):
    answer, page = await fetch_from(gateway, Fake(lambda _: {"tools": [tool(f"t{n}") for n in range(1001)]}))
    assert (answer.status_code, page.status) == (502, 502)
    assert "1,000 tools" in answer.json()["detail"]


async def test_more_than_five_megabytes_are_refused(gateway: InnerGateway):
    flood = Fake(lambda cursor: {"tools": [tool(f"a{cursor}", "x" * 900_000)], "nextCursor": f"{cursor}x"})
    answer, page = await fetch_from(gateway, flood)
    assert (answer.status_code, page.status) == (502, 502)
    assert "bytes" in answer.json()["detail"]


async def test_script_in_names_and_descriptions_is_shown_as_text(gateway: InnerGateway):
    answer, page = await fetch_from(gateway, Fake(lambda _: {"tools": [tool(SCRIPT, f"'\">{SCRIPT}")]}))
    assert answer.json()["tools"][0]["name"] == SCRIPT
    assert (page.status, SCRIPT in page.text) == (200, False)
    assert page.text.count("&lt;script&gt;") == 2
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
