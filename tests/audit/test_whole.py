"""What is done through the gateway is in its audit log: who, whose, which gateway, and nothing secret."""

from latchpin_audit.log import AuditLog
from latchpin_audit.pseudonyms import Pseudonyms
from latchpin_audit.reading import read, verify

from tests.support.gateway_in_process import ADMIN, ALICE, BASE


def services_of(gateway):
    return gateway.app.state.services


async def told(gateway):
    """(event, actor's address, subject's address) of each entry."""
    services = services_of(gateway)
    pseudonyms = Pseudonyms(services.kept, services.cipher)
    return [
        (
            entry.event,
            await pseudonyms.name_of(entry.actor) or entry.actor,
            await pseudonyms.name_of(entry.subject) or "",
        )
        async for entry in read(AuditLog.of(services.context).records)
    ]


async def test_each_deed_is_recorded_with_who_did_it(connected, gateway):
    created, authorized = await told(gateway)
    assert created == ("gateway.created", ADMIN, "")
    assert authorized == ("authorization.completed", ALICE, ALICE)
    gateway.clock.advance(days=1)
    assert (await connected.fetch()).status_code == 200
    assert (await told(gateway))[-1] == ("token.refreshed", "gateway", ALICE)
    async with gateway.client(None, **await connected.bearer(ADMIN)) as admin:
        changed = await admin.put(
            f"{BASE}/gateways/{connected.id}", json={"name": "a secret name", "allowed_users": [ALICE]}
        )
        assert changed.status_code == 200
        entry = await AuditLog.of(services_of(gateway).context).records.last()
        assert (entry.event, entry.facts["changed"]) == ("gateway.changed", "name allowed_users")
        ended = await admin.delete(f"{BASE}/oauth/tokens/{connected.id}?user={ALICE}")
        assert ended.status_code == 200
        assert (await told(gateway))[-1] == ("token.disconnected", ADMIN, ALICE)
        [client] = (await admin.get(f"{BASE}/oauth/registered-clients")).json()["clients"]
        assert (await admin.delete(f"{BASE}/oauth/registered-clients/{client['id']}")).status_code == 200
        assert (await told(gateway))[-1] == ("client.deleted", ADMIN, "")
        assert (await admin.delete(f"{BASE}/gateways/{connected.id}")).status_code in {200, 204}
        assert (await told(gateway))[-1] == ("gateway.removed", ADMIN, "")
    services = services_of(gateway)
    held = [entry async for entry in read(AuditLog.of(services.context).records)]
    assert "secret name" not in str(held)
    assert "example.com" not in str(held)
    verdict = await verify(AuditLog.of(services.context).records, services.signer)
    assert (verdict.entries, verdict.broken) == (len(held), None)


async def test_what_fails_is_no_deed(connected, gateway):
    before = len(await told(gateway))
    async with gateway.client(None, **await connected.bearer(ALICE)) as alice:
        assert (await alice.delete(f"{BASE}/gateways/{connected.id}")).status_code == 403
        assert (await alice.put(f"{BASE}/gateways/{connected.id}", json={"name": "x"})).status_code == 403
    assert len(await told(gateway)) == before
