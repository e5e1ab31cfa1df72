"""Every outcome of a refresh: what the caller gets, what is stored, whether another try follows."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from latchpin.activity.logs import tear_down_logging
from latchpin.errors import BackendUnavailable
from latchpin.model import Gateway, StoredToken, TokenGrant
from latchpin.tokens import outcomes
from latchpin.tokens.sealing import open_token, seal_grant
from latchpin_testing import samples

from tests.providers import faults
from tests.providers.faults import Fault
from tests.servers import serve_asgi
from tests.support.gateway_in_process import ALICE, InnerGateway, open_gateway
from tests.token_refresh.conftest import HOUR, RotatingServer, add_gateway, put_token

# Each outcome, with how it is brought about; docs/tokens.md has the same as a table.


@dataclass
class Spoilt:
    """The rotating server with a fault before its token endpoint."""

    server: RotatingServer
    fault: Fault | None = None
    asked: int = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != "/token":
            await self.server(scope, receive, send)
            return
        self.asked += 1
        if self.fault is None:
            await self.server(scope, receive, send)
        else:
            await self.fault(self.server, scope, receive, send)


@dataclass
class Trial:
    """One user's token at one gateway, and everything that can go wrong with it."""

    inner: InnerGateway
    spoilt: Spoilt
    gateway: Gateway
    put: StoredToken
    monkeypatch: pytest.MonkeyPatch
    undo: list[Callable[[], None]] = field(default_factory=list)

    @property
    def tokens(self) -> Any:
        return self.inner.application.services.records.tokens

    def heal(self) -> None:
        """Let everything be well again."""
        self.spoilt.fault = None
        while self.undo:
            self.undo.pop()()

    def fail_puts(self, *, after: int, times: int) -> None:
        """Let the store take ``after`` writes of tokens, then be away for ``times``."""
        put, count = self.tokens.put, 0

        async def fail(token: StoredToken, *, replacing: StoredToken | None) -> None:
            nonlocal count
            count += 1
            if after < count <= after + times:
                raise BackendUnavailable("away")
            await put(token, replacing=replacing)

        self.monkeypatch.setattr(self.tokens, "put", fail)
        self.undo.append(lambda: self.monkeypatch.setattr(self.tokens, "put", put))


Arm = Callable[[Trial], None]


def _fault(fault: Fault) -> Arm:
    def arm(trial: Trial) -> None:
        trial.spoilt.fault = fault

    return arm


def _well(_stage: Trial) -> None:
    return


def _no_connection(trial: Trial) -> None:
    """Nobody listens at the port any more; the entry's address is the same."""
    upstream = trial.inner.application.services.upstream
    send = upstream.send

    async def elsewhere(method: str, url: str, **rest: Any) -> Any:
        return await send(method, "http://127.0.0.1:9/token", **rest)

    trial.monkeypatch.setattr(upstream, "send", elsewhere)
    trial.undo.append(lambda: trial.monkeypatch.setattr(upstream, "send", send))


def _newer_meanwhile(trial: Trial) -> None:
    """Another authorization of the same user ends while the request is under way."""
    loop, refuse = asyncio.get_running_loop(), faults.oauth_error("invalid_grant")
    services = trial.inner.application.services

    async def write() -> None:
        stored = await trial.tokens.get(trial.gateway.id, ALICE)
        now = services.clock()
        grant = TokenGrant("newer", "Bearer", now + (trial.put.expires_at - trial.put.updated_at), "newer.0")
        newer = replace(stored, revision=stored.revision + 1, refresh_begun_at=None, updated_at=now)
        await trial.tokens.put(seal_grant(services.cipher, newer, grant), replacing=stored)

    async def fault(app: Any, scope: Any, receive: Any, send: Any) -> None:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(write(), loop))
        await refuse(app, scope, receive, send)

    trial.spoilt.fault = fault


def _away(*, after: int, times: int) -> Arm:
    return lambda trial: trial.fail_puts(after=after, times=times)


NEW, OLD, NEWER = "the new token", "the old token", "the newer token"
AGAIN, SAME = "`authorization-required`", "what was stored"


@dataclass(frozen=True)
class Outcome:
    """One line of the table, as the documentation has it, and how to bring it about.

    Attributes:
        registered: the client is one that the server registered, not one that was entered.
    """

    name: str
    holding: str
    expired: str
    stored: str
    again: str
    arm: Arm
    registered: bool = False

    def row(self) -> list[str]:
        return [self.name, self.holding, self.expired, self.stored, self.again]


def _undecided(name: str, expired: str, arm: Arm) -> Outcome:
    return Outcome(name, OLD, expired, SAME, "yes", arm)


_UNREADABLE, _UNREACHABLE = "502 `token-endpoint-unreadable`", "502 `token-endpoint-unreachable`"
_AWAY = "503 `store-unavailable`"

OUTCOMES = (
    Outcome("a new access token and a new refresh token", NEW, NEW, "both new", "no", _well),
    Outcome(
        "a new access token without a refresh token",
        NEW,
        NEW,
        "the new access token, the old refresh token",
        "no",
        _fault(faults.without("refresh_token")),
    ),
    Outcome(
        "a new access token without `expires_in`",
        NEW,
        NEW,
        "both new, for `OAUTH_DEFAULT_TIMEOUT`",
        "no",
        _fault(faults.without("expires_in")),
    ),
    Outcome("`invalid_grant`", AGAIN, AGAIN, "needs_reauth", "no", _fault(faults.oauth_error("invalid_grant"))),
    Outcome(
        "`invalid_grant`, and somebody stored a newer token meanwhile", NEWER, NEWER, NEWER, "no", _newer_meanwhile
    ),
    Outcome(
        "`invalid_client` for a client that was registered",
        AGAIN,
        AGAIN,
        "needs_reauth, and the client is dropped",
        "no",
        _fault(faults.oauth_error("invalid_client", code=401)),
        registered=True,
    ),
    _undecided(
        "`invalid_client` for a client that was entered",
        "502 `token-invalid-client`",
        _fault(faults.oauth_error("invalid_client", code=401)),
    ),
    _undecided(
        "another error code, such as `invalid_request`",
        "502 `token-invalid-request`",
        _fault(faults.oauth_error("invalid_request")),
    ),
    _undecided("HTTP 5xx", _UNREADABLE, _fault(faults.status(503))),
    _undecided("no answer in time", "504 `token-endpoint-timeout`", _fault(faults.hang())),
    _undecided("no connection, so that nothing was sent", _UNREACHABLE, _no_connection),
    _undecided("a connection that ends after the request was sent", _UNREACHABLE, _fault(faults.cut())),
    _undecided("a body that cannot be read", _UNREADABLE, _fault(faults.html())),
    _undecided("a `token_type` other than Bearer", _UNREADABLE, _fault(faults.changed(token_type="mac"))),
    Outcome("the store is away before anything is sent", _AWAY, _AWAY, SAME, "yes", _away(after=0, times=9)),
    Outcome(
        "the store is away for some seconds when the answer comes", NEW, NEW, "both new", "no", _away(after=1, times=4)
    ),
    Outcome("the store is away for longer when the answer comes", _AWAY, _AWAY, SAME, "yes", _away(after=1, times=99)),
)


pytestmark = pytest.mark.needs("latchpin_proxy", "latchpin_memory_store")

PAGE = Path(__file__).parents[2] / "docs" / "tokens.md"
LIFE = timedelta(seconds=1800)
"""What the server gives new tokens; ``OAUTH_DEFAULT_TIMEOUT`` is twice as long."""


@pytest.fixture
async def inner(environment: pytest.MonkeyPatch) -> AsyncIterator[InnerGateway]:
    environment.setattr(outcomes, "KEEP_PAUSES", (0.01,) * len(outcomes.KEEP_PAUSES))
    async with open_gateway() as opened:
        yield opened
    tear_down_logging()


def at(token_holds: bool) -> timedelta:
    return HOUR - timedelta(seconds=50) if token_holds else HOUR + timedelta(seconds=1)


async def set_up(inner: InnerGateway, outcome: Outcome, origin: str, spoilt: Spoilt, patch, *, holds: bool) -> Trial:
    left_out = {"client_id": None, "client_secret": None, "authorization_url": None, "token_url": None}
    gateway = await add_gateway(inner.application, origin, **(left_out if outcome.registered else {}))
    services = inner.application.services
    if outcome.registered:
        client = samples.registered_client(
            services.clock(),
            gateway_id=gateway.id,
            issuer=origin,
            client_id="client",
            client_secret=None,
            token_endpoint_auth_method="none",
            expires_at=None,
        )
        await services.records.clients.put(client)
    put = await put_token(inner.application, gateway, ALICE, refresh_token="alice.0", age=at(holds))
    trial = Trial(inner, spoilt, gateway, put, patch)
    outcome.arm(trial)
    return trial


async def call(trial: Trial) -> str:
    """What the caller gets, in the words of the table."""
    bearers = trial.spoilt.server.seen.bearers
    bearers.clear()
    async with trial.inner.client(ALICE) as client:
        url = f"http://localhost:4444/gateways/{trial.gateway.id}/mcp"
        answer = await client.post(url, content=b"{}", headers={"content-type": "application/json"})
    if answer.status_code != 200:
        assert not bearers
        said = f"{answer.status_code} `{answer.json()['cause']}`"
        return said.removeprefix("403 ")  # a message that wants an answer is told otherwise
    (token,) = bearers
    words = {f"{ALICE}-first": OLD, "newer": NEWER}
    return words.get(token, NEW)


async def stored(trial: Trial) -> str:
    """What is stored, in the words of the table."""
    token = await trial.tokens.get(trial.gateway.id, ALICE)
    services = trial.inner.application.services
    opened = open_token(services.cipher, token)
    if token.needs_reauth:
        assert (token.refresh_begun_at, token.renew_at) == (None, None)
        kept = await services.records.clients.list(gateway_id=trial.gateway.id)
        dropped = trial.gateway.oauth.client_id is None and not kept
        return "needs_reauth, and the client is dropped" if dropped else "needs_reauth"
    if opened.access_token == "newer":
        return NEWER
    if opened.access_token == f"{ALICE}-first":
        assert opened.refresh_token == "alice.0"
        assert (token.expires_at, token.updated_at) == (trial.put.expires_at, trial.put.updated_at)
        return SAME
    assert (opened.access_token, token.refresh_begun_at) == ("alice-access-1", None)
    if opened.refresh_token == "alice.0":
        return "the new access token, the old refresh token"
    assert opened.refresh_token == "alice.1"
    life = token.expires_at - token.updated_at
    default = timedelta(seconds=services.settings.oauth_default_timeout)
    assert abs(life - LIFE) < timedelta(seconds=5) or abs(life - default) < timedelta(seconds=5)
    return "both new, for `OAUTH_DEFAULT_TIMEOUT`" if life > LIFE + timedelta(seconds=5) else "both new"


@pytest.mark.parametrize("holds", [True, False], ids=["holds", "expired"])
@pytest.mark.parametrize("outcome", OUTCOMES, ids=[re.sub(r"\W+", "-", outcome.name) for outcome in OUTCOMES])
async def test_it(outcome: Outcome, holds: bool, inner: InnerGateway, environment: pytest.MonkeyPatch):
    spoilt = Spoilt(RotatingServer(lifetime=int(LIFE.total_seconds())))
    with serve_asgi(spoilt, lifespan="off") as origin:
        trial = await set_up(inner, outcome, origin, spoilt, environment, holds=holds)
        if "timeout" in outcome.expired:
            inner.allow(seconds=1)
        assert await call(trial) == (outcome.holding if holds else outcome.expired)
        assert await stored(trial) == outcome.stored
        asked = spoilt.asked
        assert asked <= 1
        trial.heal()
        inner.allow(seconds=60)
        if holds:
            inner.clock.advance(seconds=11)
        await call(trial)
        assert spoilt.asked == asked + (outcome.again == "yes")


def test_the_documentation_has_the_same_table():
    section = PAGE.read_text().partition("## What each answer leads to")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]
    assert rows == [outcome.row() for outcome in OUTCOMES]
