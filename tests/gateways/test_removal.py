"""Removing a gateway: its servers are asked to forget its clients, and nothing of it stays."""

from dataclasses import replace

import pytest
from latchpin.application import Application
from latchpin.errors import Forbidden, NotFound
from latchpin.oauth.discovery import build_default_metadata

from tests.dcr.conftest import dcr, server, upstream
from tests.gateways.conftest import ADMIN, ANN

__all__ = ["dcr", "server", "upstream"]

pytestmark = pytest.mark.needs("latchpin_dcr", "latchpin_memory_store")


@pytest.fixture
def application(gateways, dcr) -> Application:
    return Application(replace(gateways.services, registrars=(dcr(),)))


@pytest.fixture
async def gateway(gateways, application, server):
    """A gateway with a registered client and a user's token."""
    entry = await gateways.create()
    metadata = build_default_metadata(server.base)
    await application.clients.client_for(entry, metadata, "https://gw.example/prefix/oauth/callback", ())
    await gateways.connect(entry)
    return entry


async def left_of(gateways, gateway) -> tuple[int, int, int]:
    records = gateways.records
    return (
        len(await records.gateways.list()),
        len(await records.clients.list(gateway_id=gateway.id)),
        len(await records.tokens.list(gateway_id=gateway.id)),
    )


async def test_servers_are_asked_to_forget_and_nothing_stays(gateways, application, gateway, server):
    removed = await application.removal.remove(gateway.id, ADMIN)
    assert removed.gateway == gateway
    assert [each.client.client_id for each in removed.forgotten] == ["client-1"]
    assert (removed.revoked, removed.not_revoked) == (0, 1)  # this one's client is another
    assert server.forgotten == [("client-1", "Bearer manage-1")]
    assert await left_of(gateways, gateway) == (0, 0, 0)
    with pytest.raises(NotFound):
        await application.removal.remove(gateway.id, ADMIN)


async def test_a_server_that_refuses_keeps_no_gateway(gateways, application, gateway, server):
    server.forget_status = 500
    removed = await application.removal.remove(gateway.id, ADMIN)
    assert "did not forget" in removed.forgotten[0].answer
    assert await left_of(gateways, gateway) == (0, 0, 0)


async def test_only_an_administrator_and_then_nobody_was_asked(gateways, application, gateway, server):
    with pytest.raises(Forbidden):
        await application.removal.remove(gateway.id, ANN)
    assert server.forgotten == []
    assert await left_of(gateways, gateway) == (1, 1, 1)


async def test_a_gateway_removed_meanwhile_cannot_be_pinned(gateways, gateway):
    await gateways.registry.remove(gateway.id, ADMIN)
    with pytest.raises(NotFound):
        await gateways.registry.pin_issuer(gateway, "https://as.example")
