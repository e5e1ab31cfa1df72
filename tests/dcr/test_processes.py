"""First users in four real processes over one SQLite file."""

from pathlib import Path

import pytest
from latchpin.clients.directory import ClientDirectory
from latchpin.defaults.aes_gcm import AesGcmCipher
from latchpin.defaults.registrar_static import StaticRegistrar
from latchpin.model import ServerMetadata
from latchpin.outbound.upstream import open_upstream
from latchpin.records.kept import KeyValues
from latchpin.settings.core import CoreSettings
from latchpin.workers.leases import Leases
from latchpin.workers.pauses import Pauses
from latchpin_dcr.registrar import DynamicRegistrar
from latchpin_dcr.settings import DcrSettings
from latchpin_sql_store.plugin import latchpin_record_store
from latchpin_sql_store.settings import SqlSettings
from latchpin_testing.clock import START, MovedClock
from latchpin_testing.context import SuiteContext
from latchpin_testing.processes import PROCESSES, ProcessTeam

from tests.dcr.conftest import CALLBACK, a_gateway

USERS = 2


async def register(store, metadata: ServerMetadata, meet) -> list[tuple[str, str | None]]:
    """What one process does: its users all ask at once, at the same time as everybody else's."""
    import asyncio

    clock, context = MovedClock(), SuiteContext()
    cipher = AesGcmCipher(context.keys("sealing"))
    async with open_upstream(CoreSettings(oauth_allow_private_networks=True)) as upstream:
        registrars = [StaticRegistrar(), DynamicRegistrar(DcrSettings(), upstream, clock)]
        kept = KeyValues(store)
        directory = ClientDirectory(
            records=store,
            kept=kept,
            leases=Leases(kept, clock),
            pauses=Pauses(kept, clock),
            cipher=cipher,
            registrars=registrars,
            clock=clock,
        )
        await asyncio.to_thread(meet)
        asked = [directory.client_for(a_gateway(), metadata, CALLBACK, ("a",)) for _ in range(USERS)]
        return [(client.client_id, client.client_secret) for client in await asyncio.gather(*asked)]


@pytest.fixture
def team():
    one = ProcessTeam()
    yield one
    one.close()


async def test_eight_first_users_in_four_processes_register_once(team, server, metadata, tmp_path: Path):
    offer, settings = latchpin_record_store(), SqlSettings(database_url=f"sqlite:///{tmp_path / 'one.db'}")
    async with SuiteContext() as context, offer.open(settings, context) as store:
        await store.gateways.put(a_gateway())
        answers = await team.run(register, [metadata] * PROCESSES, offer=offer, settings=settings, now=START)
        assert [row.client_id for row in await store.clients.list()] == ["client-1"]
    assert answers == [[("client-1", "secret-1")] * USERS] * PROCESSES
    assert len(server.asked) == 1
