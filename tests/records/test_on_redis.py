"""What the core keeps, on Redis."""

import pytest
from latchpin_redis_store import plugin

from tests.records.rules import AuditRules, FlowRules, KeptRules, ToolRules
from tests.records.stores import SharedPieces
from tests.redis_store.test_contracts import OnRedis


class TestPiecesOnRedis(OnRedis, SharedPieces, AuditRules, FlowRules, KeptRules, ToolRules):
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_record_store()
