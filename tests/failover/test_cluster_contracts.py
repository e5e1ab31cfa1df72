"""The Redis store passes the shipped suites on a cluster, four processes included."""

import pytest
from latchpin_redis_store import connection, plugin
from latchpin_redis_store.settings import RedisSettings
from latchpin_testing import (
    CheapCountContract,
    SharedRecordStoreContract,
    SharedStateStoreContract,
    StoreWitnessContract,
)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in ``tests/redis_store/test_contracts.py``."""
    for name in ("BATCH_SECONDS", "PROOF_SECONDS", "ANSWER_SECONDS"):
        monkeypatch.setattr(connection, name, 60)


class OnCluster:
    """What the suites need to know of a cluster."""

    @pytest.fixture
    def settings(self, cluster):
        self.cluster = cluster
        return RedisSettings(redis_url=cluster.url)

    async def time_passes(self, settings, duration):
        """Shorten every life, as if that time had passed there."""
        for node in self.cluster.primaries():
            for key in node.ask("KEYS", "*"):
                left = node.ask("PTTL", key)
                if left >= 0:
                    node.ask("PEXPIRE", key, left - round(duration.total_seconds() * 1000))

    async def stored_bytes(self, store, settings):
        held = b""
        reads = {b"string": ("GET",), b"hash": ("HGETALL",), b"zset": ("ZRANGE", 0, -1)}
        for node in self.cluster.primaries():
            for key in node.ask("KEYS", "*"):
                command, *more = reads[node.ask("TYPE", key)]
                held += key + repr(node.ask(command, key, *more)).encode()
        return held


class TestClusterStates(OnCluster, SharedStateStoreContract):
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_state_store()


class TestClusterRecords(OnCluster, CheapCountContract, SharedRecordStoreContract):
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_record_store()


class TestClusterWitness(OnCluster, StoreWitnessContract):
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_state_store()
