"""Every outcome of a refresh: what the caller gets, what is stored, whether another try follows."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from latchpin.activity.logs import tear_down_logging
from latchpin.tokens import outcomes
from latchpin.tokens.sealing import open_token
from latchpin_testing import samples

from tests.servers import serve_asgi
from tests.support.gateway_in_process import ALICE, InnerGateway, open_gateway
from tests.token_refresh.conftest import HOUR, RotatingServer, add_gateway, put_token
from tests.token_refresh.outcomes import NEW, NEWER, OLD, OUTCOMES, SAME, Outcome, Spoilt, Trial

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
