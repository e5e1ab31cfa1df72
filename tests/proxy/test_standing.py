"""What calls have in common is made once for one reading of access and one judging of who calls, and no longer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from latchpin.model import COMPANY, Caller, Gateway
from latchpin.sdk.gateway import Access
from latchpin_proxy.bindings import Binder
from latchpin_proxy.standing import Standings
from latchpin_testing import samples

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ALICE = Caller("alice@example.com", via="bearer")


class Bound:
    async def of(self, gateway: Gateway, caller: Caller) -> Binder:
        return Binder((b"k" * 32,), (gateway.id, caller.email, caller.account or ""))


@pytest.fixture
def standings() -> Standings:
    settings = SimpleNamespace(base_url="https://gateway.example.com", trusted_user_header="X-User")
    owner = lambda gateway, caller: COMPANY if gateway.connection == "shared" else caller.email  # noqa: E731
    application = SimpleNamespace(services=SimpleNamespace(settings=settings), tokens=SimpleNamespace(owner_of=owner))
    return Standings(application, Bound())  # type: ignore[arg-type]


async def test_it_is_made_once_and_anew_for_whoever_was_judged_anew(standings: Standings):
    access = Access(samples.gateway(NOW), account="work")
    first = await standings.of(access, ALICE)
    assert await standings.of(access, ALICE) is first
    admin = replace(ALICE, is_admin=True)
    assert (await standings.of(access, admin)).caller == replace(admin, account="work")
    assert (await standings.of(access, ALICE)).caller == replace(ALICE, account="work")


async def test_it_is_gone_with_the_access(standings: Standings):
    gateway = samples.gateway(NOW)
    was = await standings.of(Access(gateway), ALICE)
    moved = replace(gateway, url="https://new.example.com/mcp", connection="shared")
    now = await standings.of(Access(moved), ALICE)
    assert (was.terms.server, was.terms.private) == (gateway.url, True)
    assert (now.terms.server, now.terms.private) == (moved.url, False)
    assert len(standings._kept) == 0
