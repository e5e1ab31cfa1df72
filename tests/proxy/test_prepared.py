"""What calls have in common is made once for one reading of access and one judging of who calls, and no longer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from latchpin.model import COMPANY, Caller, Gateway
from latchpin.sdk.gateway import Access
from latchpin_proxy.bindings import Binder
from latchpin_proxy.prepared import Preparing
from latchpin_testing import samples

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ALICE = Caller("alice@example.com", via="bearer")


class Bound:
    async def of(self, gateway: Gateway, caller: Caller) -> Binder:
        return Binder((b"k" * 32,), (gateway.id, caller.email, caller.account or ""))


@pytest.fixture
def preparing() -> Preparing:
    settings = SimpleNamespace(base_url="https://gateway.example.com", trusted_user_header="X-User")
    owner = lambda gateway, caller: COMPANY if gateway.connection == "shared" else caller.email  # noqa: E731
    application = SimpleNamespace(services=SimpleNamespace(settings=settings), tokens=SimpleNamespace(owner_of=owner))
    return Preparing(application, Bound())  # type: ignore[arg-type]


async def test_it_is_made_once_and_anew_for_whoever_was_judged_anew(preparing: Preparing):
    access = Access(samples.gateway(NOW), account="work")
    first = await preparing.of(access, ALICE)
    assert await preparing.of(access, ALICE) is first
    admin = replace(ALICE, is_admin=True)
    assert (await preparing.of(access, admin)).caller == replace(admin, account="work")
    assert (await preparing.of(access, ALICE)).caller == replace(ALICE, account="work")


async def test_it_is_gone_with_the_access(preparing: Preparing):
    gateway = samples.gateway(NOW)
    was = await preparing.of(Access(gateway), ALICE)
    moved = replace(gateway, url="https://new.example.com/mcp", connection="shared")
    now = await preparing.of(Access(moved), ALICE)
    assert (was.terms.server, was.terms.private) == (gateway.url, True)
    assert (now.terms.server, now.terms.private) == (moved.url, False)
    assert len(preparing._kept) == 0
