"""Workers that freeze or die in the middle of a refresh: real processes, stopped and killed, on every shared store.

The other worker is in the process of the test, on the same store, with a clock that is a minute ahead: for it the
lease of the first one has expired.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from latchpin.application import Application
from latchpin.errors import AuthorizationRequired, UpstreamError
from latchpin.model import Caller, Gateway, StoredToken
from latchpin.tokens.sealing import open_token

from tests.servers import GatewayBackend
from tests.support.gateway_in_process import MovedClock
from tests.support.gateway_process import ALICE, DeployedGateway, deploy_gateway
from tests.token_refresh.conftest import add_gateway, open_application, put_token

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs("latchpin_proxy"),
    pytest.mark.backends("sqlite", "postgres", "redis"),
]

CALLER = Caller(ALICE)
LONG = 60


@pytest.fixture
def worker(backend: GatewayBackend, settings: dict[str, str], tmp_path: Path) -> Iterator[DeployedGateway]:
    """The worker that freezes or dies."""
    with deploy_gateway(backend, tmp_path, OAUTH_REQUEST_TIMEOUT="30", OAUTH_MAX_RETRIES="0") as deployed:
        yield deployed
        with contextlib.suppress(ProcessLookupError):
            deployed.process.send(signal.SIGCONT)


@pytest.fixture
async def other(worker: DeployedGateway, settings: dict[str, str], clock: MovedClock) -> AsyncIterator[Application]:
    """The worker that goes on."""
    clock.advance(seconds=60)
    async with open_application(settings | {"BASE_URL": worker.url}, clock) as application:
        yield application


@pytest.fixture
async def gateway(other: Application, origin: str) -> Gateway:
    found = await add_gateway(other, origin)
    await put_token(other, found, ALICE, refresh_token="alice.0")
    return found


@dataclass
class FirstRequest:
    """Holds the first refresh request, and no other."""

    arrived: threading.Event = field(default_factory=threading.Event)
    gate: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, _refresh_token: str) -> None:
        if not self.arrived.is_set():
            self.arrived.set()
            await asyncio.to_thread(self.gate.wait, LONG)

    async def wait_for(self) -> None:
        assert await asyncio.to_thread(self.arrived.wait, LONG), "no refresh request came"


@pytest.fixture
def first() -> Iterator[FirstRequest]:
    request = FirstRequest()
    yield request
    request.gate.set()


def call(worker: DeployedGateway, gateway: Gateway) -> asyncio.Task[httpx.Response]:
    """Alice's agent calls through the first worker."""

    async def post() -> httpx.Response:
        async with worker.api(ALICE) as client:
            headers = {"content-type": "application/json"}
            return await client.post(f"/gateways/{gateway.id}/mcp", content=b"{}", headers=headers)

    return asyncio.create_task(post())


async def stored(application: Application, gateway: Gateway) -> StoredToken:
    token = await application.services.records.tokens.get(gateway.id, ALICE)
    assert token is not None
    return token


async def test_a_worker_that_froze_does_not_overwrite_the_newer_token(worker, other, gateway, server, first):
    server.rotates = False
    server.after = first
    calling = call(worker, gateway)
    await first.wait_for()
    worker.process.send(signal.SIGSTOP)
    usable = await other.tokens.token_for(gateway, CALLER)
    assert usable.access_token == "alice-access-2"
    newer = await stored(other, gateway)
    first.gate.set()  # now the answer is there, and its reader is not
    worker.process.send(signal.SIGCONT)
    answer = await calling
    assert answer.status_code == 200, answer.text
    assert server.seen.answers[-1] == "alice-access-1"
    assert await stored(other, gateway) == newer
    assert server.seen.bearers == {"alice-access-2": 1}  # what the frozen worker got is not used either
    assert len(server.seen.refreshes) == 2


async def test_a_worker_that_froze_does_not_call_the_newer_token_spent(worker, other, gateway, server, first):
    server.before = first
    calling = call(worker, gateway)
    await first.wait_for()
    worker.process.send(signal.SIGSTOP)
    assert (await other.tokens.token_for(gateway, CALLER)).access_token == "alice-access-1"
    newer = await stored(other, gateway)
    first.gate.set()  # the frozen worker's request is carried out now, and refused
    worker.process.send(signal.SIGCONT)
    answer = await calling
    assert answer.status_code == 200, answer.text
    assert server.seen.answers == ["alice-access-1", "invalid_grant"]
    assert await stored(other, gateway) == newer
    assert not newer.needs_reauth


async def test_after_a_death_before_the_server_acted_the_old_refresh_token_is_good(
    worker, other, gateway, server, first
):
    server.before = first
    calling = call(worker, gateway)
    await first.wait_for()
    worker.process.kill()
    with pytest.raises(httpx.TransportError):
        await calling
    left = await stored(other, gateway)
    assert left.refresh_begun_at is not None
    server.failing = 503  # an answer that decides nothing leaves everything as it is
    with pytest.raises(UpstreamError):
        await other.tokens.token_for(gateway, CALLER)
    kept = await stored(other, gateway)
    assert (kept.access_token, kept.refresh_token, kept.needs_reauth) == (
        left.access_token,
        left.refresh_token,
        False,
    )
    assert kept.refresh_begun_at is not None
    server.failing = None
    usable = await other.tokens.token_for(gateway, CALLER)
    assert usable.access_token == "alice-access-1"
    assert server.seen.refreshes == ["alice.0"] * 3
    token = await stored(other, gateway)
    assert (token.refresh_begun_at, token.needs_reauth) == (None, False)
    assert open_token(other.services.cipher, token).refresh_token == "alice.1"


async def test_after_a_death_with_the_answer_on_its_way_the_user_authorizes_again(
    worker, other, gateway, server, first
):
    server.after = first
    calling = call(worker, gateway)
    await first.wait_for()
    worker.process.kill()
    with pytest.raises(httpx.TransportError):
        await calling
    for _ in range(2):
        with pytest.raises(AuthorizationRequired) as caught:
            await other.tokens.token_for(gateway, CALLER)
        assert caught.value.needs_reauth
    assert server.seen.refreshes == ["alice.0"] * 2  # tried once more, and then no more
    token = await stored(other, gateway)
    assert (token.needs_reauth, token.refresh_begun_at) == (True, None)
