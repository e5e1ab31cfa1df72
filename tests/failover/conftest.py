"""People at a gateway of two workers, and a provider that takes each code and each refresh token once.

What is under way when a store goes away may end, or be refused with a remedy and a time to come back. Everything else
is a fault: an answer that says neither, a code or refresh token that was sent twice, a token that is gone afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.servers import GatewayBackend, serve_asgi
from tests.servers.clusters import ValkeyCluster
from tests.support.gateway_process import DeployedGateway, deploy_gateway

WORKERS = 2
FLOWS = 50
CALLERS = 5
"""Of each person with a token, at the same moment: they share one refresh."""
PATIENCE = 300
"""Seconds until something is taken for stuck."""
PAUSE = 0.1
"""Seconds before what was refused is asked again, where Retry-After says more, and between two calls of one person."""

REFUSED = "refused with a remedy"


@dataclass
class Provider:
    """A token endpoint and an MCP server. Every access token is as good as expired: each call needs a new one."""

    codes: Counter[str] = field(default_factory=Counter)
    refreshes: Counter[str] = field(default_factory=Counter)
    current: dict[str, int] = field(default_factory=dict)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        status, document = 200, {"jsonrpc": "2.0", "id": 1, "result": {}}
        if scope["path"] == "/token":
            status, document = self._redeem({name: each[0] for name, each in parse_qs(body.decode()).items()})
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
        )
        await send({"type": "http.response.body", "body": json.dumps(document).encode()})

    def _redeem(self, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        if "code" in form:
            family, number = form["code"], 0
            self.codes[family] += 1
            taken = self.codes[family] == 1
        else:
            family, _, text = form["refresh_token"].rpartition("/")
            number = int(text) + 1
            self.refreshes[form["refresh_token"]] += 1
            taken = self.current.get(family) == int(text)
        if not taken:
            self.current.pop(family, None)  # taken for a theft: the whole family ends
            return 400, {"error": "invalid_grant"}
        self.current[family] = number
        tokens = {"access_token": f"{family}-{number}", "refresh_token": f"{family}/{number}"}
        return 200, {**tokens, "token_type": "Bearer", "expires_in": 1}


@dataclass
class Traffic:
    """What became of what people asked.

    Attributes:
        deployed: the gateway.
        provider: what its gateway leads to.
        gateway: the gateway's id.
        client: asks it.
        outcomes: how often each thing happened.
        faults: what must not happen.
    """

    deployed: DeployedGateway
    provider: Provider
    gateway: str
    client: httpx.AsyncClient
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    async def ask(self, method: str, path: str, user: str, **headers: str) -> httpx.Response:
        """The answer that is not "the store is away"; each of those has to say what to do."""
        headers |= {"Authorization": f"Bearer {self.deployed.bearer(f'{user}@example.com')}"}
        headers |= {"Accept": "application/json"}
        async with asyncio.timeout(PATIENCE):
            while True:
                answer = await self.client.request(
                    method, path, headers=headers, content=b"{}" if method == "POST" else None
                )
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    return answer
                self.outcomes[REFUSED] += 1
                problem = answer.json()
                told = (
                    problem.get("cause") == "store-unavailable" and problem["remedy"] and answer.headers["retry-after"]
                )
                if not told:
                    self.faults.append(f"{path}: {answer.text}")
                await asyncio.sleep(PAUSE)

    async def begin(self, user: str) -> tuple[str, str]:
        """Authorize up to the provider; give the state and the cookie."""
        answer = await self.ask("GET", f"/oauth/authorize/{self.gateway}", user)
        assert answer.status_code == httpx.codes.FOUND, answer.text
        state = parse_qs(urlsplit(answer.headers["location"]).query)["state"][0]
        return state, answer.headers["set-cookie"].partition(";")[0]

    async def end(self, user: str, state: str, cookie: str, *, turn: int = 0) -> None:
        """Come back from the provider, twice at the same moment: one of them wins."""
        path = f"/oauth/callback?code={user}.{turn}&state={state}"
        answers = await asyncio.gather(*(self.ask("GET", path, user, Cookie=cookie) for _ in range(2)))
        won = [answer for answer in answers if answer.is_success]
        for answer in answers:
            if not answer.is_success and answer.json().get("cause") != "state-used":
                self.faults.append(f"callback of {user}: {answer.status_code} {answer.text[:300]}")
        if won:
            self.outcomes["ended"] += 1
            return
        self.outcomes["used up, and begun again"] += 1
        await self.flow(user, turn=turn + 1)

    async def flow(self, user: str, *, turn: int = 0) -> None:
        """A whole authorization."""
        await self.end(user, *await self.begin(user), turn=turn)

    async def call(self, user: str) -> None:
        """Some agents of one person at once, whose token has to be refreshed."""
        path, headers = f"/gateways/{self.gateway}/mcp", {"Content-Type": "application/json"}
        for answer in await asyncio.gather(*(self.ask("POST", path, user, **headers) for _ in range(CALLERS))):
            if answer.status_code == httpx.codes.OK:
                self.outcomes["called"] += 1
            else:
                self.faults.append(f"call of {user}: {answer.status_code} {answer.text[:300]}")

    async def notice(self) -> None:
        """Return when the outage has been felt."""
        async with asyncio.timeout(PATIENCE):
            while not self.outcomes[REFUSED]:  # noqa: ASYNC110  a count
                await asyncio.sleep(PAUSE)

    def judge(self) -> None:
        """Nobody won twice, and nothing was sent twice."""
        sent = [*self.provider.codes.items(), *self.provider.refreshes.items()]
        self.faults += [f"{each} was sent {times} times" for each, times in sent if times > 1]
        assert not self.faults, "\n".join([*self.faults[:20], str(self.outcomes)])


@contextlib.contextmanager
def serving(environment: Mapping[str, str], folder: Path) -> Iterator[tuple[DeployedGateway, Provider, str]]:
    """Two workers on the stores of ``environment``, the provider, and its URL."""
    backend = GatewayBackend("several", environment, True, "several")
    provider = Provider()
    most = {"MAX_PENDING": "1000000", "LOG_LEVEL": "INFO"}
    served = deploy_gateway(backend, folder, "serve", "--workers", str(WORKERS), **most)
    with serve_asgi(provider, lifespan="off") as origin, served as deployed:
        deployed.process.wait_for_output("Application startup complete", times=WORKERS)
        yield deployed, provider, origin


async def live_through(
    environment: Mapping[str, str], folder: Path, outage: Callable[[Traffic], Awaitable[None]]
) -> Counter[str]:
    """Let people authorize and call, have ``outage`` awaited in the middle of it, and see that nothing was lost.

    Half of the flows are at the provider when it begins; the others begin while it lasts. Those who have authorized
    before call all the while.
    """
    with serving(environment, folder) as (deployed, provider, origin):
        config = {
            "client_id": "c",
            "client_secret": "the-client's-secret",
            "authorization_url": f"{origin}/authorize",
            "token_url": f"{origin}/token",
            "scopes": ["a"],
            "assume_pkce": True,
        }
        gateway = await deployed.add(f"{origin}/mcp", oauth_config=config)
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=deployed.url, trust_env=False, timeout=PATIENCE, limits=limits) as client:
            traffic = Traffic(deployed, provider, gateway, client)
            early = [f"early-{number}" for number in range(10)]
            await asyncio.gather(*(traffic.flow(user) for user in early))
            begun = {user: await traffic.begin(user) for user in (f"old-{number}" for number in range(FLOWS // 2))}
            over = asyncio.Event()

            async def storm(user: str) -> None:
                while not over.is_set():
                    await traffic.call(user)
                await asyncio.sleep(PAUSE)

            storms = [asyncio.create_task(storm(user)) for user in early]
            flows = [asyncio.create_task(traffic.end(user, *way)) for user, way in begun.items()]
            flows += [asyncio.create_task(traffic.flow(f"new-{number}")) for number in range(FLOWS // 2)]
            await outage(traffic)
            await asyncio.gather(*flows)
            over.set()
            await asyncio.gather(*storms)
            assert traffic.outcomes[REFUSED] > 0, "nobody noticed: it was over before it began"
            assert traffic.outcomes["ended"] == FLOWS + len(early), traffic.outcomes
            await asyncio.gather(*(traffic.call(user) for user in [*early, *begun]))
        traffic.judge()
        assert "Traceback" not in deployed.process.output
    return traffic.outcomes


@pytest.fixture(scope="module")
def shared_cluster() -> Iterator[ValkeyCluster]:
    cluster = ValkeyCluster()
    yield cluster
    cluster.close()


@pytest.fixture
def cluster(shared_cluster: ValkeyCluster) -> ValkeyCluster:
    """Three primaries with a replica each, and empty. A test that kills one makes its own cluster."""
    shared_cluster.flush()
    return shared_cluster
