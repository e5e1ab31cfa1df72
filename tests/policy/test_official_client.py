"""The official client at both endpoints of a gateway that serves: what a rule holds back is not there for it."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from tests.aggregator.conftest import AGES, ERAS, start_gateway, start_server
from tests.providers.clients import Age
from tests.support.gateway_process import ADMIN, ALICE


async def test_it_neither_lists_nor_calls_it(tmp_path: Path):
    with start_gateway(tmp_path) as deployed:
        ids = {}
        with start_server("modern") as modern, start_server("sessions") as sessions:
            for era, server in zip(ERAS, (modern, sessions), strict=True):
                ids[era] = await deployed.add(server.url, name=era, auth_type="none")
            headers = {"Authorization": f"Bearer {deployed.bearer(ADMIN, admin=True)}"}
            async with httpx2.AsyncClient(headers=headers, trust_env=False) as admin:
                rule = {"effect": "deny", "tools": ["shout"], "who": [ALICE]}
                assert (await admin.post(f"{deployed.url}/rules", json=rule)).status_code == 201
                reading = {"effect": "deny", "tools": ["climb"], "when": "not-read-only"}
                assert (await admin.post(f"{deployed.url}/rules", json=reading)).status_code == 201
            token = deployed.bearer(ALICE)
            for age in AGES:
                places = [(f"{deployed.url}/mcp", f"{era}__") for era in ERAS]
                own = {"2026-07-28": "modern", "legacy": "sessions"}[age]
                places.append((f"{deployed.url}/gateways/{ids[own]}/mcp", ""))  # type: ignore[index]
                for url, prefix in places:
                    await _look(url, token, age, prefix)
            for server in (modern, sessions):
                assert server.backstage.count("tools/call") == len(AGES) + 1


async def _look(url: str, token: str, age: Age, prefix: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http), mode=age) as client,
    ):
        for name in ("climb", "shout"):
            with pytest.raises(MCPError) as caught:
                await client.call_tool(prefix + name, {"text": "x", "steps": 1})
            assert caught.value.error.code == -32602, name
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert {f"{prefix}fail", f"{prefix}confirm"} <= names
        assert not names & {f"{prefix}shout", f"{prefix}climb"}
        assert (await client.call_tool(f"{prefix}place", {"region": "north"})).content[0].text == "north"  # type: ignore[union-attr]
