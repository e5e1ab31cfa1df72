"""A directory that speaks to the gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.support.gateway_in_process import BASE, InnerGateway, open_gateway

NEEDS = ("latchpin_scim", "latchpin_memory_store")
OLD, TOKEN = "the-earlier-token-of-a-directory-0123456789", "the-token-of-a-directory-0123456789abcdef"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    environment.setenv("SCIM_TOKEN", f"{TOKEN} {OLD}")
    return environment


@pytest.fixture
async def gateway(environment: pytest.MonkeyPatch) -> AsyncIterator[InnerGateway]:
    async with open_gateway() as opened:
        yield opened


class Directory:
    """Sends what a directory sends, and insists on SCIM's shape of what comes back."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def send(self, method: str, path: str, body: Any = None, **query: str) -> httpx.Response:
        answer = await self.http.request(method, f"{BASE}/scim/v2{path}", json=body, params=query)
        if answer.status_code != 204:
            assert answer.headers["content-type"] == "application/scim+json", answer.text
            document = answer.json()
            if answer.status_code >= 400:
                assert document["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
                assert document["status"] == str(answer.status_code)
        return answer

    async def create(self, user_name: str = "alice@example.com", **more: Any) -> dict[str, Any]:
        answer = await self.send("POST", "/Users", {"schemas": [USER], "userName": user_name, **more})
        assert answer.status_code == 201, answer.text
        user: dict[str, Any] = answer.json()
        assert answer.headers["location"] == user["meta"]["location"] == f"{BASE}/scim/v2/Users/{user['id']}"
        return user

    async def patch(self, user: dict[str, Any], *operations: dict[str, Any]) -> httpx.Response:
        return await self.send("PATCH", f"/Users/{user['id']}", {"schemas": [PATCH], "Operations": list(operations)})


@pytest.fixture
async def directory(gateway: InnerGateway) -> AsyncIterator[Directory]:
    async with gateway.client(None, Authorization=f"Bearer {TOKEN}") as http:
        yield Directory(http)
