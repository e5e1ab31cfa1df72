"""What the core keeps, on Redis."""

import pytest
from latchpin_redis_store import plugin

from tests.records.audit_rules import AuditRules
from tests.records.flows_rules import FlowRules
from tests.records.kept_rules import KeptRules
from tests.records.opened import SharedPieces
from tests.records.tools_rules import ToolRules
from tests.redis_store.test_contracts import OnRedis


class TestPiecesOnRedis(OnRedis, SharedPieces, AuditRules, FlowRules, KeptRules, ToolRules):
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_record_store()
