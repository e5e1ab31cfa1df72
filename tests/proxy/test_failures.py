"""What each failure is answered, as the plugin's README has it, and that real clients neither loop nor hang on it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from mcp.client.auth import OAuthClientProvider
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

from tests.providers import FaultSwitch
from tests.providers.faults import status
from tests.proxy.conftest import ScriptedServer, open_endpoint, read, reply
from tests.support.gateway_process import ALICE, DeployedGateway

README = Path(__file__).parents[2] / "plugins" / "proxy" / "README.md"
BODY = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
Headers = dict[str, str]


@dataclass
class World:
    """What a failure is made of."""

    proxy: DeployedGateway
    scripted: ScriptedServer
    switch: FaultSwitch

    async def answering(self, code: int, **headers: str) -> tuple[str, Headers]:
        """An endpoint whose server answers so, and wants no token."""

        async def script(_scope: Any, receive: Any, send: Any) -> None:
            await read(receive)
            await reply(send, code, [(name.replace("_", "-"), value) for name, value in headers.items()], b"")

        self.scripted.script = script
        return await open_endpoint(self.proxy, self.scripted), self.alice()

    async def authorized(self, fault: Any) -> tuple[str, Headers]:
        """An endpoint that Alice has authorized; its server then does ``fault``."""
        gateway = await self.proxy.add(self.switch.provider.mcp_url)
        async with self.proxy.browser() as browser:
            await self.proxy.authorize(browser, gateway)
        self.switch.arm("mcp", fault)
        return f"{self.proxy.url}/gateways/{gateway}/mcp", self.alice()

    def alice(self, **claims: Any) -> Headers:
        return {"authorization": f"Bearer {self.proxy.bearer(ALICE, **claims)}"}


@pytest.fixture
def world(proxy: DeployedGateway, scripted: ScriptedServer, fault_switch: FaultSwitch) -> World:
    return World(proxy, scripted, fault_switch)


async def no_token(world: World) -> tuple[str, Headers]:
    return (await world.answering(200))[0], {}


async def expired(world: World) -> tuple[str, Headers]:
    return (await world.answering(200))[0], world.alice(exp=1)


async def for_another(world: World) -> tuple[str, Headers]:
    there = await open_endpoint(world.proxy, world.scripted)
    return (await world.answering(200))[0], world.alice(aud=there)


async def not_authorized(world: World) -> tuple[str, Headers]:
    gateway = await world.proxy.add(world.switch.provider.mcp_url)
    return f"{world.proxy.url}/gateways/{gateway}/mcp", world.alice()


async def no_longer(world: World) -> tuple[str, Headers]:
    return await world.authorized(status(401, www_authenticate='Bearer error="invalid_token"'))


async def more_scopes(world: World) -> tuple[str, Headers]:
    return await world.authorized(
        status(403, www_authenticate='Bearer error="insufficient_scope", scope="files:write"')
    )


async def wants_token(world: World) -> tuple[str, Headers]:
    return await world.answering(401, www_authenticate='Bearer resource_metadata="https://evil.example/"')


async def foreign_page(world: World) -> tuple[str, Headers]:
    url, headers = await world.answering(200)
    return url, {**headers, "origin": "https://evil.example"}


async def no_gateway(world: World) -> tuple[str, Headers]:
    return f"{world.proxy.url}/gateways/{'0' * 32}/mcp", world.alice()


async def not_for_alice(world: World) -> tuple[str, Headers]:
    gateway = await world.proxy.add(world.scripted.url, auth_type="none", allowed_users=["bob@example.com"])
    return f"{world.proxy.url}/gateways/{gateway}/mcp", world.alice()


async def anothers_session(world: World) -> tuple[str, Headers]:
    url, headers = await world.answering(200)
    return url, {**headers, "mcp-session-id": "of-bob"}


async def away(world: World) -> tuple[str, Headers]:
    gateway = await world.proxy.add("http://127.0.0.1:1/mcp", auth_type="none")
    return f"{world.proxy.url}/gateways/{gateway}/mcp", world.alice()


def says(code: int, **headers: str) -> Callable[[World], Awaitable[tuple[str, Headers]]]:
    async def arrange(world: World) -> tuple[str, Headers]:
        return await world.answering(code, **headers)

    return arrange


METADATA = "resource_metadata"
FAILURES = {
    # what happened: how it is brought about, status, cause, what the challenge names
    "no token": (no_token, 401, "not-signed-in", {METADATA}),
    "an expired token": (expired, 401, "not-signed-in", {METADATA, "error=invalid_token"}),
    "a token for another endpoint": (for_another, 401, "not-signed-in", {METADATA, "error=invalid_token"}),
    "not authorized yet": (not_authorized, 200, "authorization-required", set()),
    "not authorized any more": (no_longer, 200, "authorization-required", set()),
    "more scopes": (more_scopes, 200, "insufficient-scope", set()),
    "a token where none is configured": (wants_token, 200, "server-refused", set()),
    "a page elsewhere": (foreign_page, 403, "foreign-page", set()),
    "no such gateway": (no_gateway, 404, "not-found", set()),
    "a gateway for others": (not_for_alice, 404, "not-found", set()),
    "another's session": (anothers_session, 404, "not-yours", set()),
    "a server that is away": (away, 502, "provider-unreachable", set()),
    "407": (says(407, proxy_authenticate="Basic"), 502, "provider-unreadable", set()),
    "421": (says(421), 502, "provider-unreadable", set()),
    "426": (says(426, upgrade="h2c"), 502, "provider-unreadable", set()),
    "511": (says(511), 502, "provider-unreadable", set()),
    "403": (says(403, www_authenticate="Bearer"), 403, None, set()),
    "404": (says(404), 404, None, set()),
    "429": (says(429, retry_after="7"), 429, None, set()),
    "500": (says(500), 500, None, set()),
    "503": (says(503, retry_after="7"), 503, None, set()),
}


def named(challenge: str) -> set[str]:
    """The parameters of a challenge; what an error is, too."""
    parameters = re.findall(r'(\w+)="([^"]*)"', challenge)
    return {f"{name}={value}" if name == "error" else name for name, value in parameters}


def problem_in(answer: httpx.Response) -> dict[str, Any]:
    """The problem document, which is the data of an error where the failure is told within a message."""
    said: dict[str, Any] = answer.json()
    if answer.status_code != 200:
        return said
    assert (said["jsonrpc"], said["id"]) == ("2.0", 1)
    problem: dict[str, Any] = said["error"]["data"]
    assert problem.get("authorize_url", "") in said["error"]["message"]
    return problem


@pytest.mark.parametrize("failure", FAILURES)
async def test_each_failure_has_its_answer(world: World, failure: str):
    arrange, code, cause, challenge = FAILURES[failure]
    url, headers = await arrange(world)
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        answer = await client.post(url, content=BODY, headers={"content-type": "application/json", **headers})
    assert answer.status_code == code, answer.text
    assert (problem_in(answer)["cause"] if cause else None) == cause
    assert named(answer.headers.get("www-authenticate", "")) == challenge
    assert ("authorize_url" in answer.text) == (cause in {"authorization-required", "insufficient-scope"})
    assert answer.headers.get("retry-after") == ("7" if code in {429, 503} else None)
    assert "evil.example" not in str(answer.headers)


@pytest.mark.parametrize("failure", FAILURES)
def test_the_readme_says_so(failure: str):
    _, code, cause, challenge = FAILURES[failure]
    if cause is None:
        return
    rows = [row for row in README.read_text().splitlines() if row.startswith("|") and f"`{cause}`" in row]
    assert any(f"| {code} |" in row for row in rows)
    assert all(any(word.partition("=")[0] in row for row in rows) for word in challenge - {METADATA})


# -- the official client ------------------------------------------------------------------------------------------


class _Nothing:
    """Keeps no token: each run signs in from the beginning."""

    async def get_tokens(self) -> None:
        return None

    async def set_tokens(self, tokens: Any) -> None: ...

    async def get_client_info(self) -> None:
        return None

    async def set_client_info(self, client_info: Any) -> None: ...


def signing_in(url: str) -> OAuthClientProvider:
    metadata = OAuthClientMetadata.model_validate({"redirect_uris": ["http://127.0.0.1:1/callback"]})
    return OAuthClientProvider(url, metadata, _Nothing())


@pytest.mark.parametrize("signs_in", [False, True], ids=["with a token", "that signs in"])
@pytest.mark.parametrize("failure", [name for name, row in FAILURES.items() if row[1] in {200, 401, 403, 404}])
async def test_the_official_client_gives_up_soon(world: World, failure: str, signs_in: bool):
    url, headers = await FAILURES[failure][0](world)
    asked: list[str] = []

    async def count(request: httpx2.Request) -> None:
        asked.append(str(request.url))

    auth = signing_in(url) if signs_in else None
    async with httpx2.AsyncClient(
        headers=headers, trust_env=False, timeout=60, event_hooks={"request": [count]}, auth=auth
    ) as http:
        with pytest.raises(BaseException) as caught:
            async with Client(streamable_http_client(url, http_client=http), mode="auto") as client:
                await client.list_tools()
    assert not isinstance(caught.value, TimeoutError | KeyboardInterrupt)
    assert 1 <= asked.count(url) <= 3
    assert len(asked) <= 12
