"""The page and the commands: which endpoint is meant, and what whoever has none is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.servers import GatewayBackend, run_latchpin
from tests.support.gateway_in_process import BASE, InnerGateway, open_gateway
from tests.support.gateway_process import settings_of

NEEDS = ("latchpin_connect", "latchpin_proxy", "latchpin_memory_store")

MCP = "http://127.0.0.1:1/mcp"


async def page(gateway: InnerGateway, path: str = "/connect") -> str:
    async with gateway.browser() as browser:
        return (await browser.open(BASE + path)).text


async def test_the_page_has_every_client_and_the_url(gateway: InnerGateway):
    gateway_id = await gateway.add(MCP, name="Files")
    text = await page(gateway, f"/connect?gateway_id={gateway_id}")
    assert f"{BASE}/gateways/{gateway_id}/mcp" in text
    for name in ("Claude Code", "VS Code", "Cursor", "ChatGPT", "Codex", "Gemini CLI", "Zed"):
        assert f"<summary>{name}</summary>" in text
    assert 'href="cursor://anysphere.cursor-deeplink/mcp/install?name=files&amp;config=' in text


async def test_it_shows_the_gateway_that_is_asked_for(gateway: InnerGateway):
    await gateway.add(MCP, name="Files")
    other = await gateway.add(MCP, name="Calendar")
    text = await page(gateway, f"/connect?gateway_id={other}")
    assert f"claude mcp add --transport http calendar {BASE}/gateways/{other}/mcp" in text
    assert ">Files</a>" in text


async def test_without_an_endpoint_it_says_what_is_missing(gateway: InnerGateway):
    assert "An administrator adds a gateway first" in await page(gateway)
    hidden = await gateway.add(MCP, name="Hidden", allowed_users=["bob@example.com"])
    assert hidden not in await page(gateway)
    await gateway.add(MCP, name="Files")
    assert "you may not use it" in await page(gateway, f"/connect?gateway_id={hidden}")


async def test_nobody_sees_it_without_signing_in(gateway: InnerGateway):
    async with gateway.client(None) as client:
        assert (await client.get(f"{BASE}/connect")).status_code == 401


async def test_where_clients_are_not_signed_in_it_asks_for_a_token(environment: pytest.MonkeyPatch):
    environment.setenv("AUTHORIZATION_SERVER_ENABLED", "false")
    async with open_gateway() as gateway:
        await gateway.add(MCP, name="Files")
        text = await page(gateway)
    assert "Ask an administrator for a token" in text
    assert "sign in." not in text


@pytest.mark.backends("sqlite")
def test_the_command_asks_for_a_token_where_clients_are_not_signed_in(backend: GatewayBackend, tmp_path: Path):
    settings = settings_of(backend) | {"AUTHORIZATION_SERVER_ENABLED": "false"}
    for command in (("gateways", "add", MCP, "--auth", "none"), ("clients", "config", "cursor")):
        ended = run_latchpin(*command, env=settings, cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
    assert "latchpin token create" in ended.stderr
    assert "sign in." not in ended.stderr


@pytest.mark.backends("sqlite")
def test_the_commands(backend: GatewayBackend, tmp_path: Path):
    def latchpin(*arguments: str, fails: bool = False) -> str:
        ended = run_latchpin(*arguments, env=settings_of(backend), cwd=tmp_path)
        assert (ended.returncode != 0) is fails, ended.stderr
        return ended.stderr if fails else ended.stdout

    assert {each["client"] for each in json.loads(latchpin("clients", "list", "--json"))} >= {"cursor", "vscode"}
    assert "there is no MCP endpoint" in latchpin("clients", "config", "cursor", fails=True)
    first = json.loads(latchpin("gateways", "add", MCP, "--name", "Files", "--auth", "none", "--json"))
    assert f"/gateways/{first['id']}/mcp" in latchpin("clients", "config", "claude-code", "--gateway", "Files")
    latchpin("gateways", "add", MCP, "--name", "Calendar", "--auth", "none", "--json")
    chosen = json.loads(latchpin("clients", "config", "codex", "--gateway", "Calendar", "--json"))
    assert [each["kind"] for each in chosen] == ["command", "file"]
    assert "[mcp_servers.calendar]" in chosen[1]["text"]
    assert "no client is called" in latchpin("clients", "config", "emacs", fails=True)
