"""What a worker remembers of a gateway while people authorize: another's change within a second, its own at once."""

from __future__ import annotations

import secrets
from datetime import timedelta

import pytest
from latchpin.application import Application
from latchpin.errors import NotFound
from latchpin.gateways.registry import parse_gateway_body
from latchpin.model import Caller, Gateway
from latchpin.workers.recent import RECENT

from tests.support.gateway_in_process import ADMIN, ALICE
from tests.token_refresh.conftest import add_gateway, put_token

pytestmark = pytest.mark.backends("sqlite", "redis")

CALLER, ROOT = Caller(ALICE), Caller(ADMIN, is_admin=True, via="local")
ALMOST = RECENT - timedelta(milliseconds=1)


@pytest.fixture
async def gateway(here: Application, origin: str) -> Gateway:
    gateway = await add_gateway(here, origin)
    await begin(here, gateway)  # pins its issuer, which changes it
    return gateway


async def begin(worker: Application, gateway: Gateway, caller: Caller = CALLER) -> str:
    """Where an authorization leads, up to its query; or that there is no such gateway."""
    try:
        url = await worker.start_authorization.begin(
            gateway.id, caller, browser="b" * 43, flow_id=secrets.token_hex(16)
        )
    except NotFound:
        return "no such gateway"
    return url.partition("?")[0].rpartition("/")[2]


async def test_an_authorization_goes_where_the_gateway_leads_now(here, there, gateway, origin, clock):
    assert await begin(here, gateway) == await begin(there, gateway) == "authorize"
    body = parse_gateway_body({"oauth_config": {"authorization_url": f"{origin}/elsewhere"}})
    await there.gateways.change(gateway.id, body, ROOT)
    assert await begin(there, gateway) == "elsewhere", "its own change is seen at once"
    clock.advance(seconds=ALMOST.total_seconds())
    assert await begin(here, gateway) == "authorize", "what was read serves for a second"
    clock.advance(seconds=(RECENT - ALMOST).total_seconds())
    assert await begin(here, gateway) == "elsewhere", "another worker's change is seen after that"


async def test_nobody_authorizes_at_a_gateway_that_was_removed_or_is_not_theirs(here, there, gateway, clock):
    assert await begin(here, gateway) == await begin(there, gateway) == "authorize"
    await there.gateways.change(gateway.id, parse_gateway_body({"allowed_users": ["bob@example.com"]}), ROOT)
    assert await begin(there, gateway) == "no such gateway"
    clock.advance(seconds=RECENT.total_seconds())
    assert await begin(here, gateway) == "no such gateway"
    assert await begin(here, gateway, ROOT) == "authorize"
    await there.gateways.change(gateway.id, parse_gateway_body({"allowed_users": []}), ROOT)
    assert await begin(here, gateway) == "authorize", "who was refused is refused by what the store has now"
    await there.gateways.remove(gateway.id, ROOT)
    assert await begin(there, gateway) == "no such gateway"
    clock.advance(seconds=RECENT.total_seconds())
    assert await begin(here, gateway) == "no such gateway"


async def test_tokens_that_are_written_all_the_time_do_not_keep_a_gateway_from_being_remembered(here, there, gateway):
    read = here.services.records.gateways.get
    reads = []

    async def counted(gateway_id: str) -> Gateway | None:
        reads.append(gateway_id)
        await put_token(here, gateway, f"{len(reads)}@example.com", refresh_token="r.0", age=timedelta(0))
        return await read(gateway_id)

    here.services.records.gateways.get = counted
    for _ in range(5):
        await here.gateways.get_recent(gateway.id)
    assert reads == [gateway.id]


async def test_a_gateway_that_this_worker_changes_while_it_is_read_is_read_again(here, gateway):
    read = here.services.records.gateways.get
    changed = []

    async def read_and_be_changed(gateway_id: str) -> Gateway | None:
        found = await read(gateway_id)
        here.services.records.gateways.get = read
        changed.append(await here.gateways.change(gateway_id, parse_gateway_body({"name": "another"}), ROOT))
        return found

    here.services.records.gateways.get = read_and_be_changed
    await here.gateways.get_recent(gateway.id)
    assert await here.gateways.get_recent(gateway.id) == changed[0]
