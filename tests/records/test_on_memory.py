"""What the core keeps, on the memory store."""

import pytest
from latchpin_memory_store import plugin

from tests.records.rules import AuditRules, FlowRules, KeptRules, ToolRules


class TestPiecesOnMemory(AuditRules, FlowRules, KeptRules, ToolRules):
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_record_store()
