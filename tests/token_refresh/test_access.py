"""What a worker remembers of gateways and tokens: what another one writes is seen within a second, its own at once.

Two workers on one store; the clock is moved, and stands still otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from latchpin.application import Application
from latchpin.errors import BackendUnavailable, NotFound
from latchpin.gateways import access
from latchpin.gateways.access import KEPT
from latchpin.gateways.registry import parse_gateway_body
from latchpin.model import CLIENT_ITSELF, Caller, Gateway, RegisteredClient
from latchpin.workers.ahead import due_at
from latchpin.workers.batching import Batcher
from latchpin_admin_cli.taking_back import take_back
from latchpin_testing import MovedClock

from tests.support.gateway_in_process import ADMIN, ALICE
from tests.token_refresh.conftest import add_gateway, open_application, put_token

pytestmark = pytest.mark.backends("sqlite", "redis")

BOB = "bob@example.com"
CALLER, ROOT = Caller(ALICE), Caller(ADMIN, is_admin=True, via="local")
ALMOST = KEPT - timedelta(milliseconds=1)


@pytest.fixture
async def gateway(here: Application, origin: str) -> Gateway:
    gateway = await add_gateway(here, origin)
    await put_token(here, gateway, ALICE, refresh_token="alice.0", age=timedelta(0))
    return gateway


async def seen_by(application: Application, gateway: Gateway, caller: Caller = CALLER) -> str:
    """What a call of ``caller`` would go with: the gateway's URL and the token, or why it would not."""
    try:
        found = await application.access.get(gateway.id, caller)
    except NotFound:
        return "no such gateway"
    token = "no token" if found.token is None else found.token.access_token
    return f"{found.gateway.url.rpartition('/')[2]} {token}"


# -- what is written, by either worker ------------------------------------------------------------------------


@dataclass(frozen=True)
class Written:
    """A change, and what is seen after it."""

    change: Callable[[Application, Gateway], Awaitable[object]]
    after: str


async def disconnect(worker: Application, gateway: Gateway) -> None:
    await worker.connections.disconnect(gateway.id, None, CALLER)


async def reconnect(worker: Application, gateway: Gateway) -> None:
    await disconnect(worker, gateway)
    stored = await put_token(worker, gateway, ALICE, refresh_token="second.0", age=timedelta(minutes=1))
    assert stored.revision == 1


async def offboard(worker: Application, _gateway: Gateway) -> None:
    assert [ended.owner async for ended in worker.connections.disconnect_everything(ALICE, ROOT)] == [ALICE]


async def break_glass(worker: Application, _gateway: Gateway) -> None:
    await take_back(worker, ROOT, within=timedelta(seconds=60), now=lambda: 0.0)


async def lead_elsewhere(worker: Application, gateway: Gateway) -> None:
    await worker.gateways.change(gateway.id, parse_gateway_body({"url": f"{gateway.url}2"}), ROOT)


async def forbid(worker: Application, gateway: Gateway) -> None:
    await worker.gateways.change(gateway.id, parse_gateway_body({"allowed_users": [BOB]}), ROOT)


async def remove(worker: Application, gateway: Gateway) -> None:
    await worker.removal.remove(gateway.id, ROOT)


async def renew(worker: Application, gateway: Gateway) -> None:
    stored = await worker.services.records.tokens.get(gateway.id, ALICE)
    assert stored is not None
    await worker.tokens.renew(gateway, CALLER, stored)


CHANGES = {
    "disconnect": Written(disconnect, "mcp no token"),
    "reconnect": Written(reconnect, f"mcp {ALICE}-first"),
    "offboarding": Written(offboard, "mcp no token"),
    "break-glass": Written(break_glass, "mcp no token"),
    "another URL": Written(lead_elsewhere, "mcp2 no token"),
    "other allowed users": Written(forbid, "no such gateway"),
    "removal": Written(remove, "no such gateway"),
    "renewal": Written(renew, "mcp alice-access-1"),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_another_workers_change_is_seen_within_a_second_and_ones_own_at_once(name, here, there, gateway, clock):
    before = f"mcp {ALICE}-first"
    assert (await seen_by(here, gateway), await seen_by(there, gateway)) == (before, before)
    first = (await there.access.get(gateway.id, CALLER)).token
    await CHANGES[name].change(here, gateway)
    assert await seen_by(here, gateway) == CHANGES[name].after
    if name == "reconnect":
        assert (await here.access.get(gateway.id, CALLER)).token.stored.id != first.stored.id
    clock.advance(seconds=ALMOST.total_seconds())
    assert await seen_by(there, gateway) == before
    clock.advance(seconds=(KEPT - ALMOST).total_seconds())
    assert await seen_by(there, gateway) == CHANGES[name].after
    if name == "reconnect":
        assert (await there.access.get(gateway.id, CALLER)).token.stored.id != first.stored.id


async def test_the_old_servers_token_never_meets_the_new_url(here, there, gateway, monkeypatch):
    """The store serves the token's read first, and the gateway is changed before it serves the gateway's."""
    records, token_was_read = here.services.records, asyncio.Event()
    read_gateway, read_token = records.gateways.get, records.tokens.get

    async def token_first(*asked):
        try:
            return await read_token(*asked)
        finally:
            token_was_read.set()

    async def gateway_later(gateway_id):
        await token_was_read.wait()
        await lead_elsewhere(there, gateway)
        return await read_gateway(gateway_id)

    with monkeypatch.context() as patched:
        patched.setattr(records.tokens, "get", token_first)
        patched.setattr(records.gateways, "get", gateway_later)
        assert await seen_by(here, gateway) == "mcp2 no token"


async def test_a_client_that_was_deleted_renews_nothing_any_more(here, there, server, origin, clock):
    gateway = await add_gateway(here, origin, client_id=None, client_secret=None)
    now = clock()
    client = RegisteredClient(
        id="c" * 32,
        gateway_id=gateway.id,
        issuer=origin,
        client_id="client",
        client_secret=None,
        redirect_uris=(here.services.settings.redirect_uri,),
        grant_types=("authorization_code", "refresh_token"),
        scope="",
        token_endpoint_auth_method="none",
        registration_client_uri=None,
        registration_access_token=None,
        created_at=now,
        expires_at=None,
        is_active=True,
    )
    await here.services.records.clients.put(client)
    await put_token(here, gateway, ALICE, refresh_token="alice.0", age=timedelta(0))
    assert await seen_by(there, gateway) == f"mcp {ALICE}-first"
    await here.delete_client(client.id, ROOT)
    clock.advance(hours=1)
    assert await seen_by(there, gateway) == "mcp no token"
    with pytest.raises(Exception, match="replaced"):
        await there.tokens.token_for(gateway, CALLER)
    assert server.seen.refreshes == []


# -- what else holds ------------------------------------------------------------------------------------------


async def test_who_gets_a_right_does_not_wait_for_it(here, there, gateway):
    await forbid(here, gateway)
    assert await seen_by(there, gateway) == "no such gateway"
    await here.gateways.change(gateway.id, parse_gateway_body({"allowed_users": [ALICE]}), ROOT)
    assert await seen_by(there, gateway) == f"mcp {ALICE}-first"
    await disconnect(here, gateway)
    other = Caller(BOB)
    await here.gateways.change(gateway.id, parse_gateway_body({"allowed_users": None}), ROOT)
    assert await seen_by(there, gateway, other) == "mcp no token"
    await put_token(here, gateway, BOB, refresh_token="bob.0", age=timedelta(0))
    assert await seen_by(there, gateway, other) == f"mcp {BOB}-first"


async def test_nobody_is_given_anothers(here, gateway):
    await put_token(here, gateway, BOB, refresh_token="bob.0", age=timedelta(0))
    for _ in range(2):
        assert await seen_by(here, gateway) == f"mcp {ALICE}-first"
        assert await seen_by(here, gateway, Caller(BOB)) == f"mcp {BOB}-first"
        assert await seen_by(here, gateway, Caller("eve@example.com")) == "mcp no token"


@pytest.fixture
def asked(here: Application, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the store was asked for."""
    asked: list[str] = []
    for name in ("gateways", "tokens"):
        records = getattr(here.services.records, name)

        async def counted(*given, get=records.get, name=name):
            asked.append(name)
            return await get(*given)

        monkeypatch.setattr(records, "get", counted)
    return asked


async def test_one_trip_a_second_serves_a_caller(here, gateway, clock, asked):
    for _ in range(20):
        await seen_by(here, gateway)
    assert asked == ["gateways", "tokens"]
    clock.advance(seconds=1)
    await seen_by(here, gateway)
    assert asked == ["gateways", "tokens"] * 2


def until_due(clock: MovedClock) -> float:
    """In seconds, from when something is read."""
    return (due_at(clock(), KEPT) - clock()).total_seconds()


async def test_who_goes_on_calling_does_not_wait_for_the_store(here, there, gateway, clock, asked):
    first = await here.access.get(gateway.id, CALLER)
    await renew(there, gateway)
    clock.advance(seconds=until_due(clock))
    assert {await here.access.get(gateway.id, CALLER) for _ in range(20)} == {first}
    await here.access._renewing.close()
    assert asked == ["gateways", "tokens"] * 2  # by one for all
    clock.advance(seconds=0.5)  # the first reading would be too old
    assert await seen_by(here, gateway) == "mcp alice-access-1"
    assert asked == ["gateways", "tokens"] * 2


@pytest.mark.parametrize("name", ["disconnect", "other allowed users", "removal"])
async def test_what_is_found_to_have_ended_when_it_is_read_anew_ends_then(name, here, there, gateway, clock):
    await seen_by(here, gateway)
    await CHANGES[name].change(there, gateway)
    clock.advance(seconds=until_due(clock))
    await seen_by(here, gateway)
    await here.access._renewing.close()
    assert await seen_by(here, gateway) == CHANGES[name].after


async def test_what_cannot_be_read_anew_serves_as_long_as_it_would(here, gateway, clock, monkeypatch):
    async def away(*_: str) -> None:
        raise BackendUnavailable("the store is away")

    first = await here.access.get(gateway.id, CALLER)
    monkeypatch.setattr(here.services.records.tokens, "get", away)
    clock.advance(seconds=until_due(clock))
    await here.access.get(gateway.id, CALLER)
    await here.access._renewing.close()
    assert await here.access.get(gateway.id, CALLER) is first
    clock.advance(seconds=KEPT.total_seconds() - until_due(clock))
    with pytest.raises(BackendUnavailable):
        await here.access.get(gateway.id, CALLER)


async def test_a_store_gives_gateway_and_token_in_one_trip(here, gateway, monkeypatch):
    await here.access.read(gateway.id, CALLER)  # the use of the connection is noted
    trips: list[int] = []
    send = Batcher._send_batch

    async def counted(batcher, batch):
        trips.append(len(batch))
        await send(batcher, batch)

    monkeypatch.setattr(Batcher, "_send_batch", counted)
    await here.access.read(gateway.id, CALLER)
    assert trips == [2]


async def test_the_gateways_own_token_is_dropped_for_everybody_when_it_is_renewed(here, origin):
    gateway = await add_gateway(here, origin, grant_type="client_credentials", authorization_url=None)
    first = await here.tokens.token_for(gateway, CALLER)
    assert first.stored.app_user_email == CLIENT_ITSELF
    people = (CALLER, Caller(BOB))
    assert {await seen_by(here, gateway, person) for person in people} == {f"mcp {first.access_token}"}
    second = await here.tokens.renew(gateway, CALLER, first.stored)
    assert {await seen_by(here, gateway, person) for person in people} == {f"mcp {second.access_token}"}


async def test_a_token_near_its_expiry_is_not_given_out_of_memory(here, gateway, clock):
    near = timedelta(minutes=59) - timedelta(milliseconds=500)
    clock.advance(seconds=near.total_seconds())
    assert await seen_by(here, gateway) == f"mcp {ALICE}-first"
    clock.advance(seconds=0.5)
    assert await seen_by(here, gateway) == "mcp no token"


async def test_a_clock_that_is_set_back_prolongs_nothing(here, there, gateway, clock):
    await seen_by(there, gateway)
    clock.advance(seconds=-1)
    await disconnect(here, gateway)
    assert await seen_by(there, gateway) == "mcp no token"


async def test_what_was_read_before_a_write_of_this_worker_ended_is_not_kept(here, gateway, monkeypatch):
    """The read is under way, with what was there before, while the token is deleted."""
    tokens, reached, go_on = here.services.records.tokens, asyncio.Event(), asyncio.Event()
    get = tokens.get

    async def slow(*owner: str):
        found = await get(*owner)
        reached.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(tokens, "get", slow)
    reading = asyncio.create_task(seen_by(here, gateway))
    await reached.wait()
    monkeypatch.undo()
    await disconnect(here, gateway)
    go_on.set()
    assert await reading == f"mcp {ALICE}-first"  # it was asked before
    assert await seen_by(here, gateway) == "mcp no token"


async def test_a_write_that_failed_may_have_happened(here, gateway):
    await seen_by(here, gateway)
    token = await here.services.records.tokens.get(gateway.id, ALICE)
    with pytest.raises(Exception, match=r"changed|replaced"):
        await here.services.records.tokens.put(replace(token, revision=9), replacing=replace(token, revision=8))
    assert len(here.access) == 0


async def test_only_so_many_are_kept_and_the_oldest_goes_first(settings, here, gateway, clock, monkeypatch):
    monkeypatch.setattr(access, "MOST_KEPT", 3)
    for number in range(5):
        await put_token(here, gateway, f"user{number}@example.com", refresh_token=f"u{number}.0", age=timedelta(0))
    async with open_application(settings, clock) as small:
        for number in range(5):
            await seen_by(small, gateway, Caller(f"user{number}@example.com"))
        assert len(small.access) == 3
        assert (gateway.id, "user2@example.com", None) in small.access._entries


async def test_open_tokens_leave_the_memory_when_they_are_too_old_also_if_nobody_asks(here, gateway, clock):
    await seen_by(here, gateway)
    timer = here.access._timer
    assert len(here.access) == 1
    assert timer is not None
    clock.advance(seconds=ALMOST.total_seconds())
    here.access._sweep()
    assert len(here.access) == 1
    clock.advance(seconds=(KEPT - ALMOST).total_seconds())
    here.access._sweep()
    assert len(here.access) == 0
    await seen_by(here, gateway)
    await here.close()
    assert len(here.access) == 0
